"""What the campaigns run of windows that are cut, lines that go from talks and blocks into archives, and of sharing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from callboard import Agent, Archive, Block, Group, Sleeptime, System, VoiceSleeptime
from callboard.events.catalog import BlockEdited, PassageInserted

from .scripted import Scenario, agent
from .team_scenarios import asked, at_rest, lines
from .world import pay, search

HUMAN, PLAN = Block("human", "nobody yet"), Block("plan", "one\ntwo\nthree\nfour")
PAIR = Group("pair", (agent("night"),), VoiceSleeptime(6, 5), manager=agent("day", search), blocks=(HUMAN,))


def chunk(first: int, last: int) -> dict[str, object]:
    return {"start_index": first, "end_index": last, "context": f"lines {first} to {last}"}


def store(*chunks: dict[str, object]) -> tuple[str, Any]:
    return ("store_memories", {"chunks": [*chunks]})


def archive(first: int, last: int) -> tuple[str, Any]:
    return ("archive_memory", {"label": "plan", "first": first, "last": last, "tags": ["old"]})


KEEP: list[Any] = [
    [store(chunk(1, 2), chunk(4, 4), chunk(3, 4)), ("rethink_user_memory", {"new_memory": "Ann"}), store(chunk(9, 1))],
    [("finish_rethinking_memory", {})],
]
MOVE: list[Any] = [[archive(2, 3)], [archive(9, 9), ("memory_finish_edits", {})]]
BOTH: list[Any] = [[archive(1, 1), ("memory_insert", {"label": "plan", "line": 0, "text": "new"})], "done"]


async def talking(system: System) -> list[str]:
    """Ask seven times; what is done in the background is waited for, so that it comes to the same each time."""
    said: list[str] = []
    for n in range(1, 8):
        said += await asked(system, "pair", f"k{n}")
        await at_rest(system)
    return said


def hurrying(*rest: str) -> Callable[[System], Awaitable[list[str]]]:
    """Return a client that asks nine times, in two conversations, and waits for nothing; once it resets the group."""

    async def drive(system: System) -> list[str]:
        for n in range(1, 10):
            await system["pair"].ask(f"q{n}", key=f"k{n}", conversation="x" if n in (3, 6) else "main")
            if n == 7 and rest:
                await system.group("pair").reset()
        await at_rest(system)
        return []

    return drive


async def moving(system: System) -> list[str]:
    """Let lines of a block go into the archive: what left the block stands there, and nothing else."""
    said = await asked(system, "pair", "k1")
    await at_rest(system)
    return [*said, await system.block("plan").value(), *[one.text for one in await system.archive("day").passages()]]


async def both(system: System) -> list[str]:
    """Let somebody move a line while another comes before it: it leaves only where it is the one that was stored."""
    await asked(system, "pair", "k1")
    await at_rest(system)
    stored = [one.text for one in await system.archive("day").passages()]
    edits = [e.data async for e in system.store.read_stream("block-plan") if isinstance(e.data, BlockEdited)]
    value = await system.block("plan").value()
    assert stored in (["one"], ["new"]), stored
    cut = any(edit.verb == "archive_memory" for edit in edits)
    assert sorted(value.split("\n")) == sorted({"new", "one", "two", "three", "four"} - ({stored[0]} if cut else set()))
    return []


async def sharing(system: System) -> list[str]:
    """Let one share what it finds of what was stored before."""
    for n, text in enumerate(("the sea turns", "the moon pulls the sea"), start=1):
        await system.archive("team").insert(text, key=f"p{n}")
    await asked(system, "ann", "k1")
    await at_rest(system)
    heard = [event async for event in system.store.read_stream("agent-bob") if event.type == "MessageReceived"]
    assert len(heard) == 1
    return []


async def counted(system: System) -> list[str]:
    """Ask nine times without a rest; of what each work stored, nothing is lost and nothing there twice."""
    await hurrying()(system)
    stored = [e.data.id async for e in system.store.read_all() if isinstance(e.data, PassageInserted)]
    works = [e.data.id async for e in system.store.read_all() if e.type == "JobFinished"]
    assert len(stored) == len(set(stored)) == 3 * len(works) > 0, (stored, works)
    return []


SHARER = Agent("ann", "You are ann.", tools=("share_memories", pay), archive=Archive("team"))
SHARE: list[Any] = [[("share_memories", {"query": "sea", "to": "bob"}), ("pay", {})], "done"]

VOICE = [
    Scenario(
        "voice: what leaves a window is stored, also where work failed",
        (PAIR,),
        lines({"night": KEEP}, {"day": [("search", {"query": "x"})]}, down=("@k4/pair/2",)),
        talking,
    ),
    Scenario("voice: cuts while work runs", (PAIR,), lines({"night": KEEP}), counted, loose=True),
    Scenario("voice: a reset in between", (PAIR,), lines({"night": KEEP}), hurrying("reset"), loose=True),
    Scenario(
        "lines of a block go into the archive",
        (Group("pair", (agent("night"),), Sleeptime(every=1), manager=agent("day"), blocks=(PLAN,)),),
        lines({"night": MOVE}),
        moving,
    ),
    Scenario(
        "a line goes into the archive while the block is edited",
        (Group("pair", (agent("night"),), Sleeptime(every=1), manager=agent("day"), blocks=(PLAN,)),),
        lines({"night": BOTH}),
        both,
        loose=True,
    ),
    Scenario("memories are shared", (SHARER, agent("bob")), lines({"ann": SHARE}), sharing, loose=True),
]
