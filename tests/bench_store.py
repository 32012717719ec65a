"""Measure what an append costs over what SQLite and the disk cost: `python tests/bench_store.py [rounds]`.

Both sides of a ratio run in one round, one after the other, so that they meet the same disk.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

import anyio

from callboard.events import NewEvent, SQLiteStore, Text
from callboard.events.catalog import SendAnswered
from callboard.events.codec import Row, encode
from callboard.events.schema import COLUMNS, SCHEMA

APPENDS, APPENDERS, SINGLES, WARM = 20_000, 100, 600, 600
INSERT = f"INSERT INTO events ({COLUMNS}) VALUES ({','.join('?' * len(Row._fields))})"


def event(n: int) -> NewEvent:
    """An answer of some two hundred characters."""
    return NewEvent(SendAnswered(id=f"{n:016x}/agent-{n % 100}", text=Text("word " * 40)), f"agent-{n % 100}@{n}")


def raw(path: Path, rows: list[Row]) -> float:
    """Return rows per second of sqlite3 alone, `APPENDERS` rows a commit."""
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        database.execute(f"PRAGMA {pragma}")
    database.executescript(SCHEMA)
    start = time.perf_counter()
    for n in range(0, len(rows), APPENDERS):
        database.execute("BEGIN IMMEDIATE")
        database.executemany(INSERT, rows[n : n + APPENDERS])
        database.execute("COMMIT")
    rate = len(rows) / (time.perf_counter() - start)
    database.close()
    return rate


async def appended(path: Path) -> float:
    """Return appends per second of the store, encoding included."""
    events = iter([event(n) for n in range(APPENDS)])

    async def write(stream: str) -> None:
        for version, new in enumerate(events):
            await store.append(stream, [new], expected_version=version)

    async with SQLiteStore.open(path) as store:
        start = time.perf_counter()
        async with anyio.create_task_group() as group:
            for n in range(APPENDERS):
                group.start_soon(write, f"agent-{n}")
        return APPENDS / (time.perf_counter() - start)


async def alone(folder: Path) -> tuple[float, float]:
    """Return the median seconds of one append in flight, and of one fdatasync of 4 KiB, taken in turn.

    The first `WARM` do not count: until its first checkpoint the WAL grows, and the file system with it.
    """
    file = os.open(folder / "block", os.O_RDWR | os.O_CREAT)
    os.pwrite(file, bytes(4096 * (WARM + SINGLES)), 0)
    os.fsync(file)
    appends, syncs = list[float](), list[float]()
    block = os.urandom(4096)
    async with SQLiteStore.open(folder / "alone.db") as store:
        for n in range(WARM + SINGLES):
            new, start = event(n), time.perf_counter()
            await store.append("agent-a", [new], expected_version=n)
            appends.append(time.perf_counter() - start)
            start = time.perf_counter()
            os.pwrite(file, block, n * 4096)
            os.fdatasync(file)
            syncs.append(time.perf_counter() - start)
    os.close(file)
    return statistics.median(appends[WARM:]), statistics.median(syncs[WARM:])


def rows_like_the_store() -> list[Row]:
    return [
        encode(f"agent-{n % 100}", n // 100 + 1, event(n), salt=os.urandom(16))._replace(
            position=n + 1, recorded_at=time.time_ns() // 1000, chain=os.urandom(32)
        )
        for n in range(APPENDS)
    ]


def shown(name: str, ratios: list[float], goal: str, figures: str) -> None:
    low, median, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"{name}: {median:.2f} [{low:.2f}..{high:.2f}] (goal {goal}); {figures}")


def main(rounds: int) -> None:
    """Print both ratios with their medians over `rounds`."""
    rows = rows_like_the_store()
    raws, stores, singles, syncs = list[float](), list[float](), list[float](), list[float]()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            raws.append(raw(folder / "raw.db", rows))
            stores.append(anyio.run(appended, folder / "store.db"))
            single, sync = anyio.run(alone, folder)
            singles.append(single)
            syncs.append(sync)
    shown(
        f"G1 {APPENDERS} appenders over raw sqlite3",
        [store / raw for store, raw in zip(stores, raws, strict=True)],
        ">= 0.55",
        f"{statistics.median(stores):,.0f}/s over {statistics.median(raws):,.0f}/s",
    )
    shown(
        "G3 one append in flight over fdatasync",
        [single / sync for single, sync in zip(singles, syncs, strict=True)],
        "<= 2.0",
        f"{statistics.median(singles) * 1e6:.0f} us over {statistics.median(syncs) * 1e6:.0f} us",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
