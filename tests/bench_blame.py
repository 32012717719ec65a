"""Measure blame and impact: `python -m tests.bench_blame [EDITS] [AGENTS] [LOG]`. Figures, no pass or fail.

A log is written as agents leave it that edit one block, a turn for each edit; it is kept at LOG, where one is given,
and used again. Then it is asked who wrote what, where all of it comes from, and what the first edit led to.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import anyio
from pydantic import JsonValue

from callboard import SQLiteStore, blamed, impact_of
from callboard.actors.commands import Receive
from callboard.actors.memory import decide
from callboard.events import Event, NewEvent, Text
from callboard.events.catalog import (
    AgentStarted,
    BlockStarted,
    MessageReceived,
    MessageSent,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
    Part,
    Reply,
    SendAnswered,
    ToolCallFinished,
    ToolCallRequested,
    ToolUse,
    TurnFinished,
    TurnStarted,
)
from callboard.events.specs import AgentSpec, BlockSpec, BlockUse
from callboard.projections import BlockState
from callboard.projections.blame import Blame
from callboard.projections.block import evolve
from callboard.projections.provenance import Origins, begun

T = TypeVar("T")
PLAN = "block-plan"


STREAMS = "agent-a{}"


def wanted(chance: Random, edit: int, agent: int, value: str) -> tuple[str, str]:
    """Return an edit as (tool, arguments): text at the end, at a random line, or in the place of an older one."""
    text = f"line {edit} of a{agent}"
    old = f"line {chance.randrange(edit)} of"
    choices: list[tuple[str, dict[str, JsonValue]]] = [
        ("memory_append", {"text": text}),
        ("memory_insert", {"line": chance.randrange(value.count("\n") + 1), "text": text}),
    ]
    if value.count(old) == 1:
        choices.append(("memory_replace", {"old": old, "new": f"{text}, for"}))
    verb, fields = chance.choice(choices)
    return verb, json.dumps({"label": "plan", **fields})


def begins(id: str, seen: int, verb: str, arguments: str) -> list[Event]:
    """Return what an agent's stream holds of a turn, up to the edit."""
    call, tool, text = f"{id}/1", f"{id}/1/1", Text(arguments)
    return [
        MessageReceived(id=id, sender="user", parts=(Part("user", Text(f"Edit the plan, for {id}.")),)),
        TurnStarted(id=id),
        ModelCallRequested(id=call),
        ModelCallStarted(id=call, attempt=1, blocks={"plan": seen}, prompt="0" * 16),
        ModelCallFinished(id=call, uses=(ToolUse(name=verb, arguments=text),), model="m"),
        ToolCallRequested(id=tool, tool=verb, arguments=text, effect="send", recipient=PLAN, seen=seen),
        MessageSent(id=tool, recipient=PLAN, kind="edit", edit=verb, arguments=text, seen=seen),
    ]


def ends(id: str, answer: Event) -> list[Event]:
    """Return what follows the edit in the agent's stream."""
    assert isinstance(answer, Reply)
    closed: list[Event] = [
        SendAnswered(id=answer.id, text=answer.words),
        ToolCallFinished(id=answer.id, text=Text("done")),
    ]
    return [*closed, TurnFinished(id=id, to="user", text=Text("Edited."))]


async def write(log: Path, edits: int, agents: int) -> None:
    """Leave at `log` what so many agents record who make so many edits, each in a turn of its own."""
    began, chance, state, versions = time.perf_counter(), Random(1), BlockState(), [0] * agents
    use, spec = BlockUse(label="plan", stream=PLAN), BlockSpec(name="plan", label="plan", value=Text("x"), limit=10**8)
    left: list[list[Event]] = [[AgentStarted(spec=AgentSpec(name=f"a{n}", blocks=(use,)))] for n in range(agents)]
    async with SQLiteStore.open(log) as store:

        async def append(n: int, events: list[Event]) -> None:
            new = [NewEvent(event) for event in events]
            await store.append(STREAMS.format(n), new, expected_version=versions[n])
            versions[n] += len(new)

        [first] = await store.append(PLAN, [NewEvent(BlockStarted(spec=spec))], expected_version=0)
        state, edit = evolve(state, first.data), 0
        while edit < edits:
            asked, answers = list[Receive](), list[Event]()
            async with anyio.create_task_group() as tasks:
                for n in range(agents):
                    edit += 1
                    id, (verb, arguments) = f"k{edit}/a{n}", wanted(chance, edit, n, state.value)
                    asked.append(Receive(f"{id}/1/1", STREAMS.format(n), "edit", edit=verb, arguments=Text(arguments)))
                    tasks.start_soon(append, n, [*left[n], *begins(id, state.version, verb, arguments)])
            for n, one in enumerate(asked):
                answers.append(decide(state, one))
                state = evolve(state, answers[-1])
                left[n] = ends(one.id.rsplit("/", 2)[0], answers[-1])
            new = [NewEvent(answer) for answer in answers]
            await store.append(PLAN, new, expected_version=state.events - len(answers))
        events = store.position
    size, took = log.stat().st_size / 1e6, time.perf_counter() - began
    print(f"{edits:,} edits asked for by {agents} agents, {events:,} events, {size:.0f} MB, made in {took:.0f} s")


async def timed(what: str, work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` gives, and print how long it took."""
    began, used = time.perf_counter(), time.process_time()
    found = await work()
    print(f"{what}: {time.perf_counter() - began:.2f} s, {time.process_time() - used:.2f} s of the processor")
    return found


async def measure(log: Path) -> None:
    """Print how long blame and impact take on `log`."""
    async with SQLiteStore.open(log, mode="read") as store:

        async def fold() -> Blame:
            return await begun(store, PLAN)

        state = await timed("fold of the block", fold)
        print(f"{len(state.written) - 1:,} edits landed, {len(state.value):,} characters, {len(state.spans()):,} spans")
        line = max(state.lines(), key=lambda line: line.version)
        await timed("origin of the newest line", lambda: Origins(store).of(PLAN, [state.one(line.version)]))
        whole = await timed("blame with every origin", lambda: blamed(store, PLAN))
        print(f"{len(whole.lines):,} lines, {len(whole.origins):,} versions")
        first = min(version for version in whole.origins if version > 1)
        impact = await timed("impact of the first edit", lambda: impact_of(store, PLAN, version=first))
        print(f"{len(impact.calls):,} calls")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB of memory at most")


async def main(edits: int, agents: int, log: Path) -> None:
    """Make the log, unless it is there, and measure."""
    if not log.exists():
        await write(log, edits, agents)
    await measure(log)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:3]] or [10_000]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(folder) / "log.db"
        anyio.run(main, numbers[0], numbers[1] if len(numbers) > 1 else 20, path)
