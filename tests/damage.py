"""Damage copies of a real log in every way, and see that each is told or does no harm: `python -m tests.damage [big]`.

Each copy is read, verified, audited and opened for writing. Each of these ends in a clear error, in a finding, or
in what was there before: all of it or its beginning. Anything else is a breach.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

import anyio

from callboard.events import CallboardError, NewEvent, RecordedEvent, SQLiteStore
from callboard.events import errors as known_errors
from callboard.events.catalog import TurnStarted
from callboard.scripts import audit
from callboard.scripts.verify import checked

from .teams import work
from .world import World

PAGE = 4096
PATIENCE = 20
"""Seconds that one copy may take; all four steps take a tenth of one."""

FINDS_LOSSES = hasattr(known_errors, "LossFound")
"""Whether a log that lost events is refused for writing."""

Files = dict[str, bytearray]


class Hang(BaseException):
    """A step that does not end."""


@dataclass(frozen=True)
class Log:
    """A whole log: its files by the end of their names, and what stands in it."""

    name: str
    files: dict[str, bytes]
    events: list[RecordedEvent]


# -- kinds of damage --------------------------------------------------------------------------------


def part(files: Files, chance: Random) -> bytearray:
    """Return one of the files of which there is something."""
    return chance.choice([data for _, data in sorted(files.items()) if data])


def flip(files: Files, chance: Random) -> None:
    data = part(files, chance)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def scribble(files: Files, chance: Random) -> None:
    data = part(files, chance)
    at, length = chance.randrange(len(data)), chance.randrange(1, 200)
    data[at : at + length] = chance.randbytes(len(data[at : at + length]))


def truncate(files: Files, chance: Random) -> None:
    data = part(files, chance)
    del data[chance.randrange(len(data)) :]


def truncate_at_a_page(files: Files, chance: Random) -> None:
    data = part(files, chance)
    del data[chance.randrange(len(data) // PAGE + 1) * PAGE :]


def pages(data: bytearray, chance: Random) -> tuple[slice, slice]:
    """Return where two pages of `data` are."""
    count = max(1, len(data) // PAGE)
    one, other = chance.randrange(count) * PAGE, chance.randrange(count) * PAGE
    return slice(one, one + PAGE), slice(other, other + PAGE)


def zero(files: Files, chance: Random) -> None:
    data = part(files, chance)
    one, _ = pages(data, chance)
    data[one] = bytes(len(data[one]))


def swap(files: Files, chance: Random) -> None:
    data = part(files, chance)
    one, other = pages(data, chance)
    data[one], data[other] = data[other], data[one]


def duplicate(files: Files, chance: Random) -> None:
    data = part(files, chance)
    one, other = pages(data, chance)
    data[one] = data[other]


def lose(files: Files, chance: Random) -> None:
    del files[chance.choice(sorted(files))]


def lengthen(files: Files, chance: Random) -> None:
    part(files, chance).extend(chance.randbytes(chance.randrange(1, 3 * PAGE)))


BYTES: list[Callable[[Files, Random], None]] = [
    flip, flip, scribble, truncate, truncate_at_a_page, zero, swap, duplicate, lose, lengthen,
]  # fmt: skip

ROWS = [
    "UPDATE events SET data = replace(data, 'w', 'v') WHERE position = {n}",
    "UPDATE events SET content = replace(content, 'e', 'a') WHERE position = {n}",
    "UPDATE events SET content = NULL, salt = NULL WHERE position = {n}",
    "UPDATE events SET recorded_at = recorded_at + 1 WHERE position = {n}",
    "UPDATE events SET causation_id = NULL WHERE position = {n}",
    "UPDATE events SET type = 'TurnStarted' WHERE position = {n}",
    "UPDATE events SET version = version + 1000 WHERE position = {n}",
    "UPDATE events SET stream = 'agent-other' WHERE position = {n}",
    "DELETE FROM events WHERE position = {n}",
    "DELETE FROM events WHERE position > {n}",
    "UPDATE events SET position = position + 1000 WHERE position = {n}",
]
"""What somebody does to a row who first takes the trigger away, and then puts it back."""


def edit_row(log: Path, chance: Random, last: int) -> None:
    with closing(sqlite3.connect(log, isolation_level=None)) as database:
        triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        database.execute(chance.choice(ROWS).format(n=chance.randint(1, last)))
        for _, sql in triggers:
            database.execute(sql)


# -- one copy ---------------------------------------------------------------------------------------


def copied(log: Log, folder: Path, chance: Random) -> str:
    """Put a damaged copy of `log` into `folder`; return what was done to it."""
    path = folder / "log.db"
    files = {end: bytearray(data) for end, data in log.files.items()}
    row = chance.randrange(5) == 0
    damage = None if row else chance.choice(BYTES)
    if damage is not None:
        damage(files, chance)
    for end, data in files.items():
        Path(f"{path}{end}").write_bytes(data)
    if damage is None:
        edit_row(path, chance, len(log.events))
    return "row" if damage is None else damage.__name__


async def read(path: Path, events: list[RecordedEvent]) -> str:
    """Return what reading gives: an error, all, the beginning, or something else."""
    try:
        async with SQLiteStore.open(path, mode="read") as store:
            found = [event async for event in store.read_all()]
    except CallboardError as error:
        return type(error).__name__
    if found == events:
        return "whole"
    return "prefix" if found == events[: len(found)] else "altered"


def verified(path: Path) -> str:
    """Return what `callboard verify` says."""
    try:
        return "found" if checked(str(path)).findings.count else "silent"
    except CallboardError as error:
        return type(error).__name__


def audited(path: Path) -> str:
    """Return what the audit says."""
    try:
        return "found" if audit.audited(str(path)).count else "silent"
    except (sqlite3.Error, ValueError, OSError) as error:
        return type(error).__name__


async def written(path: Path) -> str:
    """Return what comes of opening the log for writing and appending to it."""
    try:
        async with SQLiteStore.open(path) as store:
            await store.append("agent-new", [NewEvent(TurnStarted(id="k/new"))], expected_version=0)
    except CallboardError as error:
        return type(error).__name__
    except Exception as error:  # what nobody caught is what we look for
        return f"raised {type(error).__name__}"
    return "opened"


async def judged(log: Log, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return how each step ended, and what breaks the promise."""
    path = folder / "log.db"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    outcome = {"read": await read(path, log.events), "verify": verified(path), "audit": audited(path)}
    after = {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}
    wrong = [f"looking changed {name}" for name in before if name[-4:] != "-shm" and before[name] != after.get(name)]
    outcome["write"] = await written(path)
    if FINDS_LOSSES and outcome["write"].startswith("raised"):
        wrong.append("opening for writing")
    anchored = (folder / "log.db.anchor").exists()
    untold = [tool for tool in ("verify", "audit") if outcome[tool] == "silent"]
    if outcome["read"] == "altered" or (outcome["read"] == "prefix" and anchored):
        wrong += [f"{tool} is silent, and what is read is {outcome['read']}" for tool in untold]
        if FINDS_LOSSES and outcome["write"] == "opened":
            wrong.append(f"opened for writing, and what is read is {outcome['read']}")
    if outcome["read"] not in ("whole", "prefix", "altered"):
        wrong += [f"{tool} is silent, and reading ends in {outcome['read']}" for tool in untold]
    return outcome, wrong


@contextmanager
def bounded(seconds: int) -> Generator[None]:
    """Raise `Hang` where the body takes longer."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang(f"nothing came in {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# -- all of them ------------------------------------------------------------------------------------


async def whole_logs(folder: Path) -> list[Log]:
    """Return one log as it is when closed, and one as it is when its process is killed."""
    path = folder / "whole.db"
    ends = ("", "-wal", ".anchor")
    async with SQLiteStore.open(path) as store:
        await work(store, World())
        events = [event async for event in store.read_all()]
        killed = {end: Path(f"{path}{end}").read_bytes() for end in ends if Path(f"{path}{end}").exists()}
    closed = {end: Path(f"{path}{end}").read_bytes() for end in ends if Path(f"{path}{end}").exists()}
    async with SQLiteStore.open(path, mode="read") as store:
        all_events = [event async for event in store.read_all()]
    return [Log("closed", closed, all_events), Log("killed", killed, events)]


async def campaign(count: int, folder: Path, *, first: int = 0) -> tuple[Counter[tuple[str, ...]], list[str]]:
    """Damage `count` copies; return how many of each kind came to what, and the breaches."""
    logs = await whole_logs(folder)
    counts, breaches = Counter[tuple[str, ...]](), list[str]()
    for seed in range(first, first + count):
        chance = Random(seed)
        place = folder / str(seed)
        place.mkdir()
        log = logs[seed % len(logs)]
        kind = copied(log, place, chance)
        try:
            with bounded(PATIENCE):
                outcome, wrong = await judged(log, place)
        except (Exception, Hang) as error:  # what nobody caught is what we look for
            outcome, wrong = {"raised": type(error).__name__}, [f"{type(error).__name__}: {error}"]
        counts[log.name, kind, *outcome.values()] += 1
        breaches += [f"seed {seed}, {kind} of a {log.name} log: {one} {outcome}" for one in wrong]
        shutil.rmtree(place)
    return counts, breaches


MEMORY = "/dev/shm"


def folder_in_memory() -> tempfile.TemporaryDirectory[str]:
    """Return a folder where a wait for the disk is none, if the system has one."""
    return tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)


def main(count: int, first: int = 0) -> int:
    """Print what came of each kind, and the breaches; return how many of these there were."""
    with folder_in_memory() as folder:
        counts, breaches = anyio.run(lambda: campaign(count, Path(folder), first=first))
    for kind, times in sorted(counts.items()):
        print(f"{times:6}  {'  '.join(kind)}")
    print(*breaches[:20], f"{counts.total()} copies, {len(breaches)} breaches", sep="\n")
    return len(breaches)


if __name__ == "__main__":
    sys.exit(main(10_000 if "big" in sys.argv else int(sys.argv[1]) if sys.argv[1:] else 150) > 0)
