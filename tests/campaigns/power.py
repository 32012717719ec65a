"""Cut the power at every write: `python -m tests.campaigns.power [big | IMAGES]`.

The writes of a real run are recorded, and images built of what a disk may hold if the power fails after each:
all that was synced, and of the rest each write, dropped, done or torn. Every image is opened again. With
`durability="disk"` nothing may be lost; with `"process"`, the control, something must be seen to be.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from random import Random
from typing import Any, Literal, cast

import anyio

from callboard import Agent
from callboard.events import CallboardError, NewEvent, SQLiteStore, Text
from callboard.events.catalog import AgentStarted, MessageReceived, Part

from . import warm
from .checks import audited
from .disk import RECORD, Disk, Operation, operations
from .ledgers import ACKNOWLEDGED, LOG, Ledger
from .strace import traced, unavailable

IMAGES, BIG = 1_000, 20_000
APPENDS, CHECKPOINT = 12, 30
"""Appends of each of two openings of the log, and the pages after which SQLite moves them to the file itself."""

Durability = Literal["disk", "process"]
Place = tuple[int, str, int, bytes]
"""What is known of an event: position, stream, version and chain."""


@dataclass
class Recording:
    """A run: what it did to its folder, what its log held in the end, and in what order that was acknowledged."""

    done: list[Operation]
    held: list[Place]


@dataclass
class Tally:
    """What came of some images; `lost` had acknowledged events that are not there, `refused` did not open."""

    images: int = 0
    distinct: int = 0
    lost: int = 0
    refused: int = 0
    found: list[str] = field(default_factory=list[str])

    def add(self, other: Tally) -> None:
        """Add what came of others."""
        self.images, self.distinct = self.images + other.images, self.distinct + other.distinct
        self.lost, self.refused = self.lost + other.lost, self.refused + other.refused
        self.found += other.found


async def write(folder: Path, durability: Durability) -> None:
    """Append, alone and several at once, and acknowledge each; open the log a second time in the middle."""
    _small_checkpoints()
    chance, versions = Random(3), dict[str, int]()
    acknowledged = Ledger(folder / ACKNOWLEDGED)

    async def append(store: SQLiteStore, name: str, n: int) -> None:
        text, after = Text("x" * chance.randint(1, 6_000)), versions.get(name, 0)
        sent = MessageReceived(id=f"k{n}/{name}", sender="user", parts=(Part(speaker="user", text=text),))
        events = (
            [NewEvent(sent)] if after else [NewEvent(AgentStarted(spec=Agent(name, "Hear.").spec())), NewEvent(sent)]
        )
        versions[name] = after + len(events)
        recorded = await store.append(f"agent-{name}", events, expected_version=after)
        acknowledged.note(position=recorded[-1].position)

    for opening in range(2):
        async with SQLiteStore.open(folder / LOG, durability=durability) as store:
            for n in range(opening * APPENDS, (opening + 1) * APPENDS):
                async with anyio.create_task_group() as tasks:
                    for name in "abc" if n % 3 == 0 else "a":
                        tasks.start_soon(append, store, name, n)


def _small_checkpoints() -> None:
    """See that connections opened from now on move few pages at a time."""

    class Small(sqlite3.Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:  # type: ignore[override]
            if sql.startswith("PRAGMA synchronous"):
                super().execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
            return super().execute(sql, cast(Any, parameters))

    connect = sqlite3.connect
    sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=Small)  # type: ignore[assignment,misc]


def record(durability: Durability) -> Recording:
    """Run `write` for real, and return what it did."""
    folder = warm.folder()
    trace = folder.with_name(f"{folder.name}.trace")
    try:
        code = traced(lambda: anyio.run(write, folder, durability), *RECORD, output=trace)
        assert code == 0, "the run to be recorded failed"
        done = operations(trace.read_text(), folder)
        kept = [
            operation for operation in done if not operation.name.endswith(("-shm", ".lock"))
        ]  # the rest is in vain
        return Recording(kept, anyio.run(held, folder))
    finally:
        shutil.rmtree(folder)
        trace.unlink(missing_ok=True)


async def held(folder: Path, mode: Literal["read", "write"] = "read") -> list[Place]:
    """Return all that the log in `folder` holds."""
    async with SQLiteStore.open(folder / LOG, mode=mode) as store:
        return [(event.position, event.stream, event.version, event.chain) async for event in store.read_all()]


def cuts(recording: Recording, each: int, share: tuple[int, int]) -> Iterator[tuple[Disk, int, Random]]:
    """Yield, after each operation of one `share` (n-th of so many), `each` times the disk and what was told by then."""
    disk, told = Disk(), 0
    for number, operation in enumerate(recording.done):
        disk.take(operation)
        if operation.name == ACKNOWLEDGED and operation.kind == "write":
            told = max(told, json.loads(operation.data)["position"])
        if number % share[1] == share[0]:
            for n in range(each):
                yield disk, told, Random(f"{number}/{n}")


def tally(recordings: dict[Durability, Recording], each: int, case: tuple[Durability, int, int]) -> Tally:
    """Open the images of one share of a recording, each different one once."""
    durability, *share = case
    recording, result, known = recordings[durability], Tally(), dict[bytes, tuple[bool, bool, str]]()
    for disk, told, chance in cuts(recording, each, (share[0], share[1])):
        image = disk.after_a_cut(chance)
        image.pop(ACKNOWLEDGED, None)
        print_of = hashlib.sha256(repr((told, sorted(image.items()))).encode()).digest()
        if print_of not in known:
            known[print_of] = opened(image, told, recording)
            result.distinct += 1
        lost, refused, wrong = known[print_of]
        result.images, result.lost, result.refused = result.images + 1, result.lost + lost, result.refused + refused
        result.found += [wrong] if wrong else []
    return result


def opened(image: dict[str, bytes], told: int, recording: Recording) -> tuple[bool, bool, str]:
    """Open an image; return whether it lost what was told, whether it did not open, and what is wrong."""
    folder = warm.folder()
    try:
        for name, content in image.items():
            (folder / name).write_bytes(content)
        try:
            found = anyio.run(held, folder, "write")
        except CallboardError as error:
            return told > 0, True, f"it does not open: {error}"
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, recording.held, strict=False)))
        if any(stream != "system" for _, stream, _, _ in found[same:]):
            return True, False, f"the log holds what was never written: {found[same:]}"
        return same < told, False, "; ".join(audited(folder / LOG))
    finally:
        shutil.rmtree(folder)


def campaign(durability: Durability, images: int) -> Tally:
    """Record a run, and open at least `images` images of it."""
    recording, total = record(durability), Tally()
    each, shares = -(-images // len(recording.done)), 8
    cases: list[tuple[Durability, int, int]] = [(durability, n, shares) for n in range(shares)]
    for one in warm.each(partial(tally, {durability: recording}, each), cases):
        total.add(one)
    return total


def main(images: int) -> int:
    """Print what was lost with and without syncs; return how much was broken. The control may say that it lost."""
    safe, control = campaign("disk", images), campaign("process", images)
    for name, one in (("disk", safe), ("process", control)):
        print(f"{name}: {one.images} images, {one.distinct} different, {one.lost} lost, {one.refused} not opened")
        for found in one.found[:5]:
            print(found[:1500])
    if not control.lost:
        print("the control lost nothing, so that this campaign proves nothing")
    return safe.lost + len(safe.found) + (len(control.found) - control.refused) + (not control.lost)


if __name__ == "__main__":
    if why := unavailable():
        sys.exit(why)
    wanted = sys.argv[1] if len(sys.argv) > 1 else str(IMAGES)
    sys.exit(main(BIG if wanted == "big" else int(wanted)) > 0)
