"""Dead letters are listed, and put into their mailbox again once, with and without an owner of the log."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from callboard import SQLiteStore, System
from callboard.actors import inbox, letters, settle
from callboard.actors.testing import ScriptedModel
from callboard.events import NewEvent, Text
from callboard.events.catalog import AgentStarted, MessageDeadLettered, MessageReceived, Part, TurnStarted
from callboard.events.specs import AgentSpec
from callboard.scripts.main import main

DEAD = "k1/writer"


@pytest.fixture
async def log(path: Path) -> Path:
    """A log with one dead letter."""
    said = Part("user", Text("Write about 'tides'\n🌊"))
    events = [
        AgentStarted(spec=AgentSpec(name="writer")),
        MessageReceived(id=DEAD, sender="user", kind="ask", parts=(said,), params={"n": 1}),
        TurnStarted(id=DEAD),
        MessageDeadLettered(id=DEAD, to="user", text=Text("set aside")),
    ]
    async with SQLiteStore.open(path) as store:
        await store.append("agent-writer", [NewEvent(event) for event in events], expected_version=0)
    return path


def called(*words: str) -> int:
    return main(list(words))


async def test_dead_letters_are_listed_with_what_they_say(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await anyio.to_thread.run_sync(called, "mail", "dead", str(log)) == 1
    printed = capsys.readouterr().out
    assert DEAD in printed and "Write about 'tides' 🌊" in printed and "requeue" in printed
    assert await anyio.to_thread.run_sync(called, "mail", "dead", str(log), "--json") == 1
    [letter] = json.loads(capsys.readouterr().out)["dead"]
    assert (letter["id"], letter["why"], letter["requeued"]) == (DEAD, "set aside", [])


async def test_a_dead_letter_is_put_back_and_worked_on_when_the_log_is_opened(log: Path) -> None:
    assert await anyio.to_thread.run_sync(called, "mail", "requeue", str(log), "k1/writer") == 0
    assert await anyio.to_thread.run_sync(called, "mail", "dead", str(log)) == 0
    async with System.open(log, model=ScriptedModel({"writer": ["high water"]})) as system:
        await system.quiet()
        [letter] = await letters.dead_letters(system.store)
        [id] = letter.requeued
        received, answer = (
            await system.store.find("agent-writer", id),
            await system.store.find("agent-writer", f"re:{id}"),
        )
    assert received is not None and isinstance(received.data, MessageReceived)
    assert received.data.parts == letter.message.parts and received.data.params == {"n": 1}
    assert answer is not None and answer.type == "TurnFinished"


async def test_an_owner_takes_it_up_once(log: Path) -> None:
    command = inbox.Requeue(key="again", letter=DEAD)
    async with System.open(log, model=ScriptedModel({"writer": ["high water"]})) as system:
        for _ in range(2):
            file = inbox.put(log, command)
            with anyio.fail_after(10):
                while file.exists():  # noqa: ASYNC110 - the owner removes it
                    await anyio.sleep(0.01)
        await system.quiet()
        [letter] = await letters.dead_letters(system.store)
    assert letter.requeued == ("again/writer",)


async def test_recording_the_same_decision_twice_is_once(log: Path) -> None:
    command = inbox.Requeue(key="again", letter="writer")
    async with SQLiteStore.open(log) as store:
        assert [await settle.requeue(store, command) for _ in range(2)] == ["again/writer"] * 2
        [letter] = await letters.dead_letters(store)
    assert letter.requeued == ("again/writer",)


async def test_what_is_no_dead_letter_is_refused_with_those_that_are(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await anyio.to_thread.run_sync(called, "mail", "requeue", str(log), "nobody") == 2
    assert f"'nobody' names no dead letter; dead letters: {DEAD}" in capsys.readouterr().err
