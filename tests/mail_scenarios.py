"""What the campaigns run of mail under load: it expires, it is dropped, and conversations are kept apart."""

from __future__ import annotations

from contextlib import suppress

import anyio

from callboard import Group, RequestFailed, RoundRobin, System
from callboard.events import NotWaiting

from .scripted import Scenario, agent, script
from .world import pay, search


async def expiring(system: System) -> list[str]:
    """Tell one who is busy what is soon of no use, and ask what may wait."""
    slow = system["slow"]

    async def brief(key: str) -> None:
        with suppress(RequestFailed):
            await slow.ask(f"quick {key}", key=key, expires=0.5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slow.tell, "note")
        for key in ("k1", "k2"):
            tasks.start_soon(brief, key)
    await slow.tell("late", key="k3", expires=1e-6)
    return [(await slow.ask("and?", key="k4", expires=100_000)).text[:7]]


async def dropping(system: System) -> list[str]:
    """Tell one who is busy three things, drop what waits, and ask."""
    slow = system["slow"]
    for key in ("t1", "t2", "t3"):
        await slow.tell(f"note {key}", key=key)
    for mail in await system.mail("slow"):
        if mail.id == "t3/slow":
            with suppress(NotWaiting):  # it may have begun meanwhile
                await system.drop(mail, "not needed")
    return [(await slow.ask("and?", key="k1")).text[:7]]


async def apart(system: System) -> list[str]:
    """Ask an agent and its group in two conversations."""
    answers = [await system["a"].ask("mine", key="k1", conversation="x")]
    answers += [await system["pair"].ask("ours", key="k2", conversation="x")]
    answers += [await system["pair"].ask("all", key="k3")]
    answers += [await system["a"].ask("mine again", key="k4", conversation="x")]
    return [answer.text for answer in answers]


SLOW, A, B = agent("slow", pay, search), agent("a", pay), agent("b", search)
SLOWLY = script({"slow": [("pay", {}), ("search", {"query": "x"})]})

MAIL = [
    Scenario("mail: it expires while another is worked on", (SLOW,), SLOWLY, expiring, loose=True),
    Scenario("mail: it is dropped while another is worked on", (SLOW,), SLOWLY, dropping, loose=True),
    Scenario(
        "mail: two conversations of an agent and of its group",
        (A, Group("pair", (A, B), RoundRobin(max_turns=2))),
        script({"a": [("pay", {})], "b": [("search", {"query": "x"})]}),
        apart,
    ),
]
