"""What the campaigns run of a system that watches for loops: it records each once, and ends what it is told to end."""

from __future__ import annotations

from contextlib import suppress

from callboard import Group, RequestFailed, RoundRobin, System
from callboard.actors.watch import Watch

from .scripted import Scenario, agent, asking
from .sick_scenarios import PLAN, calling, doing, replacing, teller, telling
from .world import search


async def given_up(system: System) -> list[str]:
    """Ask, and take no answer for one."""
    with suppress(RequestFailed):
        await system["a"].ask("go", key="k1")
    return []


WATCHED = [
    Scenario(
        "watched: a call again and again",
        (agent("a", search),),
        calling(("search", {"query": "x"}), times=7),
        given_up,
        watch=Watch(),
    ),
    Scenario(
        "watched: to and fro, stopped",
        (teller("a"), teller("b")),
        telling({"a": ["b"], "b": ["a"]}, 30),
        given_up,
        loose=True,
        watch=Watch({"alternation": "stop"}),
    ),
    Scenario(
        "watched: two who undo each other's edits, told",
        (Group("pair", (agent("a", blocks=(PLAN,)), agent("b", blocks=(PLAN,))), RoundRobin(max_turns=8)),),
        doing(replacing),
        asking("pair"),
        loose=True,
        watch=Watch(default="tell"),
    ),
]
