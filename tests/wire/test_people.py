"""An approval by another process, over a real wire: the owner is killed at every event, and started again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from callboard.actors.people import Awaited, awaited, states_in
from callboard.events import RecordedEvent, SQLiteStore
from callboard.events.catalog import ApprovalGiven
from callboard.projections import fold, pending, replay
from callboard.scripts import audit
from callboard.scripts.main import main
from callboard.scripts.verify import checked

from .test_run import events_in
from .wireserver import WireServer

pytestmark = pytest.mark.wire

TEAM = """
[model]
name = "gpt-5-mini"

[agents.clerk]
instructions = "You pay bills, where a person lets you."
tools = ["desk:pay", "ask_human"]
"""

DESK = '''
import pathlib
from callboard import tool

@tool(needs_approval=True)
def pay(bill: str, amount: int) -> str:
    """Pay a bill."""
    with pathlib.Path(__file__).with_name("paid").open("a") as file:
        file.write(f"{amount} ")
    return "paid"
'''

POSITIONS = 18
"""Events of a whole run; `test_the_run_has_as_many_events` holds it."""

AT_ONCE = 3
"""Runs side by side, each with an owner of its own, which waits most of the time."""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "desk.py").write_text(DESK)
    (tmp_path / "desk.toml").write_text(TEAM)
    return tmp_path


def began(desk: Path) -> subprocess.Popen[bytes]:
    """Start the process that owns the log, on a request that it joins if it is open."""
    words = ["run", "desk.toml", "Pay the bill of the harbour.", "--key", "k"]
    program = [sys.executable, "-m", "callboard.scripts.main", *words]
    return subprocess.Popen(program, cwd=desk, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


async def waiting(log: Path) -> list[Awaited]:
    """Return what waits for a person, as another process sees it; nothing of a log that is not there yet."""
    if not events_in(log):
        return []
    async with SQLiteStore.open(log, mode="read") as store:
        return await awaited(store, (await replay(store, pending)).awaiting(), states_in(store))


async def person(log: Path, after: int) -> None:
    """Approve what waits, as somebody at a terminal of their own, once the owner has opened the log."""
    while True:
        for one in await waiting(log) if events_in(log) > after else ():
            words = ["people", "approve", str(log), one.call, "--key", "ticket", "--by", "anna"]
            assert await anyio.to_thread.run_sync(main, words) == 0
        await anyio.sleep(0.02)  # the log of another process tells no other way


async def lived(desk: Path, *, until: int) -> bool:
    """Start the owner and let it live until its log holds so many events; return whether it was killed there."""
    log, deadline = desk / "desk.db", time.monotonic() + 60
    before, process, alive = events_in(log), began(desk), False
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(person, log, before)
            while process.poll() is None and events_in(log) < until:
                assert time.monotonic() < deadline, [one.call for one in await waiting(log)]
                await anyio.sleep(0.001)
            alive = process.poll() is None
            process.kill()
            tasks.cancel_scope.cancel()
    finally:
        process.kill()
        _, said = process.communicate()
    assert alive or process.returncode == 0, said
    return alive


async def events(log: Path) -> list[RecordedEvent]:
    async with SQLiteStore.open(log, mode="read") as store:
        return [event async for event in store.read_all()]


async def whole(desk: Path) -> list[RecordedEvent]:
    """Run the owner to its end, approve what waits, and return the log, in which nothing is wrong."""
    assert not await lived(desk, until=10_000)
    log = desk / "desk.db"
    assert not checked(str(log)).findings.kept and not audit.audited(str(log)).findings
    return await events(log)


async def test_a_conversation_through_a_pipe_asks_in_between_and_says_what_decides_nothing(
    desk: Path, wire: WireServer
) -> None:
    words = [sys.executable, "-m", "callboard.scripts.main", "run", "desk.toml", "--interactive"]
    typed = "Pay the bill of the harbour.\nmaybe\ny\n\n/what\nWhich account was it?\n3\n2\n"
    done = subprocess.run(words, cwd=desk, input=typed, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for said in (
        "'maybe' decides nothing; say y, or n and why", "was approved by user", "That is done.",
        "the message is empty", "there is no '/what'", "'3' is none of the options", "From the south account, then.",
    ):  # fmt: skip
        assert said in done.stdout
    assert (desk / "paid").read_text() == "70 " and not checked(str(desk / "desk.db")).findings.kept


async def test_the_run_has_as_many_events(desk: Path, wire: WireServer) -> None:
    found = await whole(desk)
    assert len(found) == POSITIONS
    assert (desk / "paid").read_text() == "70 "


async def killed_at(desk: Path, at: int) -> bool:
    """Kill the owner when its log holds so many events, and start another; return whether it came to that."""
    home = desk / f"at{at}"
    home.mkdir()
    for name in ("desk.py", "desk.toml"):
        (home / name).write_text((desk / name).read_text())
    killed = await lived(home, until=at)
    found = await whole(home)
    count = Counter(event.type for event in found)
    paid = (home / "paid").read_text() if (home / "paid").exists() else ""
    assert paid == "70 " or (count["ToolCallInDoubt"] and paid == ""), (at, paid)
    assert (count["ApprovalGiven"], count["ToolCallStarted"], count["TurnFinished"]) == (1, 1, 1), at
    given = [event.data for event in found if isinstance(event.data, ApprovalGiven)]
    assert [(one.by, one.command) for one in given] == [("anna", "ticket")]
    assert fold(pending, found).items == {}
    return killed


async def test_kill_9_of_the_owner_at_every_event_neither_repeats_nor_loses_what_was_approved(
    desk: Path, wire: WireServer, ci: bool, big: bool
) -> None:
    killed, room = list[bool](), anyio.Semaphore(AT_ONCE)

    async def one(at: int) -> None:
        async with room:
            killed.append(await killed_at(desk, at))

    positions = range(1, POSITIONS + 1) if big else range(1, POSITIONS + 1, 3) if ci else (13,)
    async with anyio.create_task_group() as tasks:
        for at in positions:
            tasks.start_soon(one, at)
    assert sum(killed) >= max(1, len(positions) - 3)
