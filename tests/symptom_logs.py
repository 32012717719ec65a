"""The logs in `tests/symptoms`, a row a line: `python -m tests.symptom_logs` makes them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import anyio

from callboard.events import MemoryStore, RecordedEvent
from callboard.events.codec import Row, decode, recorded
from callboard.events.rows import listed
from callboard.events.text import Reference, resolved
from callboard.projections.symptoms import Symptom

from . import world as worlds
from .harness import live
from .logs import rows_of
from .scripted import Scenario
from .sick_scenarios import HEALTHY, SICK
from .world import Life, World

FOLDER = Path(__file__).parent / "symptoms"


async def lived(scenario: Scenario) -> MemoryStore:
    """Return the log of `scenario`, the same each time."""
    world = World()
    log = MemoryStore(now=world.now, entropy=Random(7).randbytes)
    life = Life(world, log, scenario.script, 0)
    worlds.begin(life)
    with anyio.fail_after(60):
        await live(life, scenario)
    return log


def events_of(scenario: Scenario) -> list[RecordedEvent]:
    """Return the events of that log."""

    async def read() -> list[RecordedEvent]:
        return [event async for event in (await lived(scenario)).read_all()]

    return anyio.run(read)


def short(found: Sequence[Symptom]) -> list[str]:
    """Return symptoms as tests name them."""
    return [f"{one.kind} {','.join(one.who)} {one.measured}/{one.limit}" for one in found]


def kept(name: str) -> list[Row]:
    """Return the rows of the log `name`."""
    lines = (FOLDER / f"{name}.jsonl").read_text().splitlines()
    rows = [Row(*json.loads(line)) for line in lines]
    return [
        row._replace(salt=bytes.fromhex(row.salt) if row.salt else None, chain=bytes.fromhex(row.chain))  # type: ignore[arg-type]
        for row in rows
    ]


def read(rows: list[Row]) -> list[RecordedEvent]:
    """Return rows as events."""
    contents = {(row.stream, row.version): listed(row.content) for row in rows}

    def resolve(ref: Reference) -> str:
        return resolved(contents[ref[0], ref[1]], ref)

    return [recorded(row, decode(row, resolve)) for row in rows]


@cache
def golden(name: str) -> list[RecordedEvent]:
    """Return the events of the log `name`."""
    return read(kept(name))


def keep(name: str, rows: Sequence[Row]) -> None:
    """Write the rows of a log."""
    plain = [row._replace(salt=row.salt.hex() if row.salt else None, chain=row.chain.hex()) for row in rows]  # type: ignore[arg-type]
    (FOLDER / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in plain))


if __name__ == "__main__":
    for name, scenario in {**{name: sick for name, (sick, _) in SICK.items()}, **HEALTHY}.items():
        keep(name, rows_of(anyio.run(lived, scenario)))
