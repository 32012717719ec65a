"""`callboard demo --crash`: a team whose process is killed in the middle, twice, and what two ledgers say of it.

The team runs in a process of its own. It kills itself with SIGKILL: once while it waits for a model, once
right after a tool has paid and before that is recorded. Two files outside the log count what was really done.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
from rich.console import Console

from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.specs import Agent, Block, Group
from callboard.actors.system import System
from callboard.actors.testing import calls
from callboard.actors.tool import tool
from callboard.scripts.border import FINE, FOUND
from callboard.scripts.run import log_to_stderr
from callboard.scripts.screen import console, harmless

KILLS = ("while it waits for its third reply", "right after the tool has paid, before that is recorded")
QUESTION = "Buy what Ada's picnic wants, and note it."


class Ledger:
    """What was really done, a line each, in a file that no crash takes back; and when to die."""

    def __init__(self, folder: Path, life: int) -> None:
        self.folder, self.life = folder, life

    def note(self, name: str, line: str) -> int:
        """Add a line; return how many there are."""
        file = self.folder / name
        with file.open("a") as out:
            out.write(f"{line}\n")
        return len(file.read_text().splitlines())

    def die(self) -> None:
        """End this process as a power cut would."""
        os.kill(os.getpid(), signal.SIGKILL)


_here: list[Ledger] = []


@tool(effect="once")
def pay(what: str) -> str:
    """Pay for something; this must not happen twice."""
    ledger = _here[0]
    paid = ledger.note("paid", what)
    if ledger.life == 1 and paid == 2:
        ledger.die()
    return f"paid for {what}"


class Shopper:
    """A scripted model: each agent notes and pays step by step, and reads what came of it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        """Reply by what the agent has done so far in this turn."""
        asked = self._ledger.note("asked", f"{request.id} {request.attempt}")
        if self._ledger.life == 0 and asked == 3:
            self._ledger.die()
        step = int(request.id.rpartition("/")[2])
        if request.agent == "shopper" and step <= 2:
            what = ("scones", "plum jam")[step - 1]
            return calls(("pay", {"what": what}), ("memory_append", {"label": "list", "text": what}))
        return ModelReply(f"{request.agent}: done, having read {len(request.messages)} messages.")


def team() -> Group:
    """Return a planner, a shopper who pays, and a critic, with a list that they share."""
    shared = Block("list", "To buy for the picnic:")
    shopper = Agent("shopper", "You buy what is wanted.", blocks=[shared], tools=[pay])
    others = [Agent(name, f"You are the {name}.", blocks=[shared.read_only()]) for name in ("planner", "critic")]
    return Group("picnic", [others[0], shopper, others[1]])


async def live(log: Path, ledger: Ledger) -> None:
    """Be one life of the team: ask, or join what an earlier life was asked."""
    _here[:] = [ledger]
    async with System.open(log, model=Shopper(ledger)) as system:
        answer = await (await system.start(team())).ask(QUESTION, key="picnic")
        print(answer.text, flush=True)


def crash(log: Path) -> int:
    """Run the team through its deaths on `log`, and show what the ledgers say; return the exit code."""
    folder = Path(f"{log}.ledgers")
    folder.mkdir()
    out = console()
    _say(out, "The replies are scripted. The process that runs this team is killed with SIGKILL, twice, for real:")
    for life in range(len(KILLS) + 1):
        program = [sys.executable, "-m", "callboard.scripts.crash_demo", str(log), str(folder), str(life)]
        done = subprocess.run(program, capture_output=True, text=True, timeout=60)
        if life < len(KILLS):
            died = done.returncode == -signal.SIGKILL
            _say(out, f"  life {life + 1}: {'killed' if died else 'not killed!'} {KILLS[life]}; {_recorded(log)}")
        else:
            _say(out, f"  life {life + 1}: went on, and answered: {done.stdout.strip() or done.stderr.strip()}")
    return _verdict(out, log, folder)


def _recorded(log: Path) -> str:
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as connection:
        [[events]] = connection.execute("SELECT count(*) FROM events").fetchall()
    return f"{events} events are in the log"


def _verdict(out: Console, log: Path, folder: Path) -> int:
    asked = Counter((folder / "asked").read_text().splitlines())
    paid = Counter((folder / "paid").read_text().splitlines())
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as connection:
        query = "SELECT json_extract(data, '$.id') FROM events WHERE type = ?"
        started, replies, doubts = (
            Counter(row[0] for row in connection.execute(query, (kind,)))
            for kind in ("ModelCallStarted", "ModelCallFinished", "ToolCallInDoubt")
        )
    requests = Counter(line.split()[0] for line in asked.elements())
    unanswered = sum(requests.values()) - len(replies)
    unrecorded = [id for id in requests if requests[id] > started[id]]
    bought = ", ".join(f"{what} {n} time{'s' * (n > 1)}" for what, n in paid.items())
    lines = (
        f"\nLedgers outside the log count {sum(requests.values())} requests to the model for {len(replies)} replies:",
        f"  {unanswered} died with the process before its reply was recorded, and was asked again;",
        f"  {len(unrecorded)} were made that the log had not recorded before, or after their reply was there.",
        f"They count these payments: {bought}.",
        f"  In doubt after a crash, so told to the model and not run again: {', '.join(doubts) or 'nothing'}.",
    )
    for line in lines:
        _say(out, line)
    fine = not unrecorded and unanswered == 1 and set(paid.values()) == {1} and len(doubts) == 1
    _say(out, "\nLost: nothing. Done twice: nothing." if fine else "\nThis is NOT what was promised; please report it.")
    _say(out, f"Look yourself: callboard trace {log} picnic")
    return FINE if fine else FOUND


def _say(out: Console, text: str) -> None:
    out.out(harmless(text), highlight=False)


if __name__ == "__main__":
    log_to_stderr()
    anyio.run(live, Path(sys.argv[1]), Ledger(Path(sys.argv[2]), int(sys.argv[3])))
