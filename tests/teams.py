"""A team whose run leaves one of everything in a log: a group in a group, tools side by side, failures, edits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import anyio

from callboard import Agent, Block, Group, MemoryStore, ModelReply, RequestFailed, RoundRobin, SQLiteStore, System
from callboard.actors.outside import Outside
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import Event, EventStore, ModelError, RecordedEvent
from callboard.events.catalog import Usage

from .world import World

ESCAPE = "\x1b[31m"
"""What turns a terminal red, if it gets there."""

LOUD = f"Tides rise [bold]high[/] {ESCAPE}red\x9b."
LONG = "Tides rise and fall twice a day.\n" * 40


def count(text: str) -> int:
    """Count words."""
    return len(text.split())


def broken(text: str) -> int:
    """Break."""
    raise ValueError("no luck")


def team() -> Group:
    """Return the group `team` of the group `desk` (writer, critic) and the agent editor, all on one block."""
    plan = Block("plan", "Nothing decided yet.\nSecond line.", limit=200)
    writer = Agent("writer", "You write.", blocks=[plan], tools=[count, broken])
    critic = Agent("critic", "You name the weakest.", blocks=[plan.read_only()])
    editor = Agent("editor", "You edit.", blocks=[plan])
    return Group("team", [Group("desk", [writer, critic], RoundRobin()), editor], RoundRobin())


def model() -> ScriptedModel:
    """Return what all of them say."""
    spent = Usage(input_tokens=1200, output_tokens=40)
    tools = [
        ("memory_append", '{"label":"plan","text":"tides"}'),
        ("count", '{"text":"a b c"}'),
        ("broken", '{"text":"x"}'),
    ]
    wrong = {"label": "plan", "old": "not there", "new": "x"}
    right = {"label": "plan", "old": "Nothing decided yet.", "new": "Write of tides."}
    return ScriptedModel(
        {
            "writer": [
                ModelError("slow down", kind="rate_limit", retry=True, retry_after=2),
                ModelReply("I look first.", tools, usage=spent, model="m-1"),
                ModelReply(LOUD, usage=spent, model="m-1"),
                LONG,
            ],
            "critic": [ModelError("bad key", kind="auth"), "Weak: rise."],
            "editor": [calls(("memory_replace", wrong)), calls(("memory_replace", right)), "Edited.", "Final."],
        }
    )


async def work(store: EventStore, world: World) -> None:
    """Ask the team twice, edit the block by hand in between, and ask somebody who fails."""
    outside = Outside(now=world.now, sleep=world.sleep)
    async with System.open(store, model=model(), outside=outside) as system:
        asked = await system.start(team())
        await asked.ask("Write about tides.", key="tides")
        await system.block("plan").append("by hand", key="hand")
        await _failing(system.block("plan").append("y" * 500, key="hand2"))
        await asked.ask("Make it shorter, please.", key="shorter")
        await _failing(system["critic"].ask("Hello?", key="hello"))


async def _failing(request: object) -> None:
    try:
        await request  # type: ignore[misc]
    except RequestFailed:
        return
    raise AssertionError("it was to fail")


@cache
def history() -> tuple[RecordedEvent, ...]:
    """Return all events of that run."""

    async def run() -> tuple[RecordedEvent, ...]:
        world = World()
        store = MemoryStore(now=world.now)
        await work(store, world)
        return tuple([event async for event in store.read_all()])

    return anyio.run(run)


def write_log(path: Path) -> None:
    """Leave that run in a log at `path`."""

    async def run() -> None:
        world = World()
        async with SQLiteStore.open(path, now=world.now) as store:
            await work(store, world)

    anyio.run(run)


def log_of(*happened: tuple[str, Event]) -> list[RecordedEvent]:
    """Return events, given as (stream, event), as a log holds them, a second apart."""
    versions: dict[str, int] = {}
    events: list[RecordedEvent] = []
    for position, (stream, data) in enumerate(happened, start=1):
        version = versions[stream] = versions.get(stream, 0) + 1
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=position)
        events.append(RecordedEvent(position, stream, version, at, None, b"", data))
    return events
