"""What the campaigns run of limits: siblings that share one, a limit that is reached, and one that a person raises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from callboard import Agent, Group, Limits, Parallel, RoundRobin, System
from callboard.actors.messaging import ASK

from .people_scenarios import person
from .scripted import Scenario, agent, script
from .world import search

LOOK = ("search", {"query": "tides"})
WORKERS = tuple(agent(f"w{n}", search) for n in range(1, 5))


def limited(name: str, limits: Limits) -> Callable[[System], Awaitable[list[str]]]:
    """Return a client with one request that may spend so much."""

    async def drive(system: System) -> list[str]:
        answer = await system[name].ask("go", key="k1", limits=limits)
        return [answer.text, answer.stop_reason, answer.limit]

    return drive


async def alone(system: System) -> list[str]:
    """Ask an agent that says itself what a turn may spend."""
    answer = await system["careful"].ask("go", key="k1")
    return [answer.text, answer.stop_reason, answer.limit]


LIMITED = [
    Scenario(
        "four workers share eight calls",
        (Group("team", WORKERS, Parallel()),),
        script({worker.name: [LOOK] for worker in WORKERS}),
        limited("team", Limits(model_calls=8, tool_calls=4)),
    ),
    Scenario(
        "a round robin reaches its limit",
        (Group("talk", WORKERS[:3], RoundRobin(max_turns=9)),),
        script({}),
        limited("talk", Limits(turns=4)),
    ),
    Scenario(
        "one asks another out of its own purse",
        (Agent("careful", tools=[ASK, search], limits=Limits(model_calls=4, tokens=6_000)), agent("w1", search)),
        script({"careful": [(ASK, {"message": "help", "other_agent": "w1"}), LOOK], "w1": [LOOK]}),
        alone,
    ),
    Scenario(
        "a person raises a limit",
        (agent("a", search),),
        script({"a": [LOOK, LOOK]}),
        limited("a", Limits(tool_calls=1, then="ask")),
        person=person(),
    ),
]
