"""Twenty agents edit one block, and their process is killed again and again: `python -m tests.campaigns.edits [big]`.

Each turn appends lines, changes one of them, and inserts one below a line of the agent's own, by the number that it
read. Whatever others insert above meanwhile and whenever the process dies, each line stands exactly once, and each
inserted one in its place. A kill comes from outside, at any instruction, once the log has grown so much.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import anyio
import structlog

from callboard import Agent, Block, ModelReply, ModelRequest, System
from callboard.actors.testing import words_in
from callboard.events import NewEvent, RecordedEvent, SQLiteStore
from callboard.projections import BlockState, block_state, replay
from callboard.scripts import audit
from callboard.scripts.verify import checked

from . import warm
from .ledgers import LOG

AGENTS = tuple(f"a{n:02}" for n in range(20))
PLAN = Block("plan", "\n".join(f"anchor {name}" for name in AGENTS), limit=10_000_000)

EDITS = 5
"""Edits of one turn."""


@dataclass(frozen=True)
class Size:
    """How many turns each agent has, and how often the process is killed."""

    turns: int
    kills: int


SMALL, BIG = Size(3, 2), Size(100, 8)


@dataclass
class Report:
    """What a run came to."""

    lives: int = 0
    edits: int = 0
    refused: int = 0
    seconds: float = 0
    found: list[str] = field(default_factory=list[str])


class Editors:
    """A model whose replies are edits, the same for the same request; each reads where its own line stands."""

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        if not request.id.endswith("/1"):  # its first step made the edits
            return ModelReply("done")
        key, agent = request.id.split("/")[0], request.agent
        shown = [text for one in request.messages if f"anchor {AGENTS[0]}\n" in (text := words_in(one))]
        lines = shown[-1].splitlines()  # an attempt after a crash is told besides what changed meanwhile
        line = lines.index(f"anchor {agent}") - lines.index(f"anchor {AGENTS[0]}") + 1
        wanted = [
            *(("memory_append", {"text": f"[{agent} {key} {n}]"}) for n in range(EDITS - 2)),
            ("memory_insert", {"line": line, "text": f"({agent} {key})"}),
            ("memory_replace", {"old": f"[{agent} {key} 0]", "new": f"<{agent} {key} 0>"}),
        ]
        return ModelReply("", [(verb, json.dumps({"label": "plan", **fields})) for verb, fields in wanted])


def expected(turns: int) -> tuple[list[str], Counter[str]]:
    """Return the lines that stand at the top, the newest below each anchor first, and those below, in any order."""
    keys = [f"{name}-{n}" for name in AGENTS for n in range(turns)]
    top = list[str]()
    for name in AGENTS:
        top += [f"anchor {name}", *(f"({name} {name}-{n})" for n in reversed(range(turns)))]
    below = [f"<{key[:3]} {key} 0>" for key in keys]
    below += [f"[{key[:3]} {key} {n}]" for key in keys for n in range(1, EDITS - 2)]
    return top, Counter(below)


async def play(folder: Path, size: Size, grown: int) -> None:
    """Open the log, and ask every agent for all its turns, again; say on `grown` that the log has grown."""
    async with SQLiteStore.open(folder / LOG) as store:
        append = store.append

        async def noted(stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
            recorded = await append(stream, events, expected_version=expected_version)
            os.write(grown, b".")
            return recorded

        store.append = noted  # type: ignore[method-assign]
        async with (
            System.open(store, model=Editors(), calls_at_once=len(AGENTS)) as system,
            anyio.create_task_group() as tasks,
        ):
            for name in AGENTS:
                await system.start(Agent(name, "You keep the plan.", blocks=[PLAN]))
                tasks.start_soon(_turns, system, name, size.turns)


async def _turns(system: System, name: str, turns: int) -> None:
    for n in range(turns):
        await system[name].ask("go on", key=f"{name}-{n}")


def live(folder: Path, size: Size, grown: int) -> None:
    """Be one life, in a process of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    anyio.run(play, folder, size, grown)


def killed(folder: Path, size: Size, appends: int) -> int:
    """Let a life begin, kill it once it has appended so often, and return how it ended."""
    grown, said = os.pipe()
    child = warm.fork(partial(live, folder, size, said))
    os.close(said)
    heard = 0
    while heard < appends and (more := os.read(grown, min(appends - heard, 65_536))):
        heard += len(more)
    if heard == appends:
        os.kill(child, signal.SIGKILL)
    os.close(grown)
    return warm.ended(child)


async def look(folder: Path, size: Size, report: Report) -> None:
    """Compare what the block holds with what everybody wanted, and check the log."""
    async with SQLiteStore.open(folder / LOG, mode="read") as store:
        state: BlockState = await replay(store, block_state, stream="block-plan")
        async for event in store.read_stream("block-plan"):
            report.refused += event.type == "BlockEditRefused"
    report.edits = len(state.changes)
    top, below = expected(size.turns)
    lines = state.value.split("\n")
    if lines[: len(top)] != top:
        report.found.append("inserted lines are not where they belong, or not in their order")
    if Counter(lines[len(top) :]) != below:
        lost, twice = below - Counter(lines[len(top) :]), Counter(lines[len(top) :]) - below
        report.found.append(f"lost: {list(lost)[:5]}, too many: {list(twice)[:5]}")
    if report.edits != len(AGENTS) * size.turns * EDITS or report.refused:
        report.found.append(f"{report.edits} edits, {report.refused} refused")
    report.found += [f"verify: {finding}" for finding in checked(str(folder / LOG)).findings.kept]
    report.found += [f"audit: {finding}" for finding in audit.audited(str(folder / LOG)).findings]


def campaign(size: Size) -> Report:
    """Live until all is done; every life but the last is killed somewhere."""
    chance, report, folder, begun = Random(7), Report(), warm.folder(), time.monotonic()
    appends = len(AGENTS) * size.turns * (2 * EDITS + 4) // (size.kills + 1)
    try:
        for _ in range(size.kills):
            code = killed(folder, size, chance.randint(appends // 3, appends))
            report.lives += 1
            if code != -signal.SIGKILL:
                report.found.append(f"a life that was to be killed ended with {code}")
        report.lives += 1
        if code := killed(folder, size, sys.maxsize):
            report.found.append(f"the last life ended with {code}")
        report.seconds = time.monotonic() - begun
        anyio.run(look, folder, size, report)
    finally:
        shutil.rmtree(folder)
    return report


def main(size: Size) -> int:
    """Print what a run came to; return how much was broken."""
    report = campaign(size)
    for one in report.found[:5]:
        print(one[:1_500], flush=True)
    print(
        f"{len(AGENTS)} agents, {report.edits} edits, {report.lives - 1} kills, {report.refused} refused, "
        f"{len(report.found)} breaches, {report.seconds:.1f} s, {report.edits / report.seconds:.0f} edits a second"
    )
    return len(report.found)


if __name__ == "__main__":
    sys.exit(main(BIG if "big" in sys.argv else SMALL) > 0)
