"""How long a search index takes to build, and a search to answer: `python -m tests.bench_search [MESSAGES]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import anyio

from callboard.actors.search import Index
from callboard.events import NewEvent, SQLiteStore, Text
from callboard.events.catalog import (
    MessageReceived,
    ModelCallFinished,
    ModelCallRequested,
    Part,
    TurnFinished,
    TurnStarted,
)
from callboard.events.event import Event
from callboard.events.index_file import file_of

AGENTS, WORDS, LENGTH = 100, 20_000, 40
"""Who shares the messages; different words in them, the n-th as frequent as 1/n; words of a message."""

QUERIES = {
    "one rare word": "w9000",
    "three words": "w300 w2000 w9000",
    "a word that is in most": "w1",
    "ten words, frequent ones, too": " ".join(f"w{2**n}" for n in range(10)),
    "the newest": "",
}


def turn(agent: int, n: int, chance: Random, weights: list[float]) -> list[Event]:
    """Return a turn of two messages."""
    asked, said = (
        Text(" ".join(f"w{word}" for word in chance.choices(range(1, WORDS + 1), cum_weights=weights, k=LENGTH)))
        for _ in range(2)
    )
    id = f"k{n}/a{agent}"
    return [
        MessageReceived(id=id, sender="user", parts=(Part("user", asked),)),
        TurnStarted(id=id),
        ModelCallRequested(id=f"{id}/1"),
        ModelCallFinished(id=f"{id}/1", text=said),
        TurnFinished(id=id, to="user", text=said),
    ]


async def fill(path: Path, messages: int) -> None:
    """Make a log of so many messages."""
    chance, weights, total = Random(0), list[float](), 0.0
    for n in range(1, WORDS + 1):
        total += 1 / n
        weights.append(total)
    turns = messages // 2 // AGENTS
    async with SQLiteStore.open(path, durability="process") as store:
        for agent in range(AGENTS):
            events = [event for n in range(turns) for event in turn(agent, n, chance, weights)]
            await store.append(f"agent-a{agent}", [NewEvent(event) for event in events], expected_version=0)


async def measure(messages: int) -> None:
    """Print what it takes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        await fill(path, messages)
        async with SQLiteStore.open(path, mode="read") as store, Index.open(store) as index:
            begin, processor = time.perf_counter(), time.process_time()
            await index.refresh()
            took, busy = time.perf_counter() - begin, time.process_time() - processor
            size, log = Path(file_of(store.path)).stat().st_size / 2**20, path.stat().st_size / 2**20
            print(f"{messages:,} messages in {store.position:,} events, {log:.0f} MiB")
            print(f"built in {took:.1f} s, of which {busy:.1f} s of processor time; {size:.0f} MiB")
            for what, query in QUERIES.items():
                for owners in ((), ("agent-a7",)):
                    took, busy = await timed(index, query, owners)
                    where = "one agent" if owners else "all"
                    print(f"  {what}, {where}: {took:.1f} ms, of which {busy:.1f} ms of processor time")


async def timed(index: Index, query: str, owners: tuple[str, ...]) -> tuple[float, float]:
    """Return the medians of seven searches, in milliseconds: how long they took, and how much processor time."""
    times, busy = list[float](), list[float]()
    for _ in range(7):
        begin, processor = time.perf_counter(), time.process_time()
        await index.search(query, owners=owners)
        times.append(time.perf_counter() - begin)
        busy.append(time.process_time() - processor)
    return sorted(times)[3] * 1000, sorted(busy)[3] * 1000


if __name__ == "__main__":
    anyio.run(measure, int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
