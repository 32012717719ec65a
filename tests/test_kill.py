"""A real process, killed with SIGKILL at any moment, on a real log: nothing that was recorded is done again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from random import Random

from callboard.events import SQLiteStore
from callboard.events.catalog import ModelCallFinished, ModelCallStarted, ToolCallInDoubt, ToolCallRequested
from callboard.projections import fold, pending

TEAM = """
    import sys, pathlib, anyio, structlog
    from callboard import Agent, Block, Group, ModelReply, RoundRobin, System
    from callboard.actors.testing import calls

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    folder = pathlib.Path(sys.argv[1])

    def note(name, line):
        with (folder / name).open("a") as file:
            file.write(line + chr(10))

    def pay(amount: int) -> str:
        '''Pay.'''
        note("paid", str(amount))
        return "paid"

    class Model:
        async def complete(self, request, say):
            note("asked", f"{request.id} {request.attempt}")
            last = request.messages[-1]
            if last["role"] == "user" and request.agent == "writer":
                edit = ("memory_append", {"label": "plan", "text": request.id})
                return calls(("pay", {"amount": len(request.messages)}), edit)
            return ModelReply(f"{request.agent} has read {len(request.messages)} messages")

    plan = Block("plan", limit=100_000)
    writer = Agent("writer", "Write.", tools=[pay], blocks=[plan])
    group = Group("essay", [writer, Agent("critic", "Read.", blocks=[plan])], RoundRobin(4))

    async def main():
        async with System.open(folder / "team.db", model=Model()) as system:
            essay = await system.start(group)
            for n in range(int(sys.argv[2])):
                await essay.ask(f"part {n}", key=f"k{n}")
                print(n, flush=True)

    anyio.run(main)
"""


def life(folder: Path, requests: int, kill_after: float | None) -> list[str]:
    """Run the team until its end, or until it is killed after so many seconds; return what it acknowledged."""
    program = [sys.executable, "-c", textwrap.dedent(TEAM), str(folder), str(requests)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=kill_after or 60)
        assert process.returncode == 0, err
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
    return out.split()


async def test_kill_9_at_any_moment_repeats_nothing_that_was_recorded(tmp_path: Path, ci: bool, big: bool) -> None:
    chance, requests = Random(7), 40
    acknowledged = list[str]()
    for _ in range(100 if big else 6 if ci else 3):
        acknowledged += life(tmp_path, requests, chance.uniform(0.4, 1.2))
    whole = life(tmp_path, requests, None)
    assert whole == [str(n) for n in range(requests)] and set(acknowledged) <= set(whole)

    async with SQLiteStore.open(tmp_path / "team.db", mode="read") as store:
        events = [event async for event in store.read_all()]
    assert fold(pending, events).items == {}
    started = {(e.data.id, e.data.attempt) for e in events if isinstance(e.data, ModelCallStarted)}
    finished = Counter(e.data.id for e in events if isinstance(e.data, ModelCallFinished))
    asked = Counter((tmp_path / "asked").read_text().splitlines())
    assert set(finished.values()) == {1} and set(asked.values()) == {1}
    assert {(line.split()[0], int(line.split()[1])) for line in asked} <= started
    wanted = [e.data.id for e in events if isinstance(e.data, ToolCallRequested) and e.data.tool == "pay"]
    doubted = sum(isinstance(e.data, ToolCallInDoubt) for e in events)
    paid = (tmp_path / "paid").read_text().count("\n")
    assert len(wanted) - doubted <= paid <= len(wanted)
    edits = [e.data.id for e in events if e.type == "BlockEdited"]
    assert len(edits) == len(set(edits)) == len(wanted)
