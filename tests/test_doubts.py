"""Calls that began and have no outcome: policies, people, and commands from other processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import anyio
import pytest

from callboard import Agent, MemoryStore, ModelReply, ModelRequest, RequestFailed, SQLiteStore, System, Tool
from callboard.actors import inbox
from callboard.actors.agent import IN_DOUBT
from callboard.actors.inbox import NotInDoubt, Settle
from callboard.actors.testing import calls, words_in
from callboard.events import EventStore
from callboard.events.codec import MAX_TEXT
from callboard.scripts.main import main

Policy = Literal["tell", "ask", "fail"]


class Payer:
    """An agent's model that pays once, and then says what came of it."""

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        last = request.messages[-1]
        return calls(("pay", {})) if last["role"] == "user" else ModelReply(f"heard: {words_in(last)}")


def payer(policy: Policy, pay: Callable[[], object]) -> Agent:
    pay.__name__ = "pay"
    return Agent("clerk", tools=[Tool(pay, in_doubt=policy)])


async def cut_short(log: EventStore | Path, policy: Policy) -> None:
    """Leave a log whose process ended while a payment ran."""
    scope = anyio.CancelScope()

    async def pay() -> str:
        """Pay."""
        scope.cancel()
        await anyio.sleep_forever()
        return "paid"

    with scope:
        async with System.open(log, model=Payer()) as system:
            clerk = await system.start(payer(policy, pay))
            await clerk.ask("Pay.", key="k")


ran: list[str] = []


def paid() -> str:
    ran.append("paid")
    return "paid"


async def answer(system: System, policy: Policy = "ask") -> str:
    clerk = await system.start(payer(policy, paid))
    return (await clerk.ask("Pay.", key="k")).text


@pytest.fixture(autouse=True)
def fresh() -> None:
    ran.clear()


async def test_by_default_the_model_is_told_that_nobody_knows() -> None:
    store = MemoryStore()
    await cut_short(store, "tell")
    async with System.open(store, model=Payer()) as system:
        assert await answer(system, "tell") == f"heard: {IN_DOUBT}"
    assert ran == []


async def test_the_turn_fails_where_that_is_the_policy() -> None:
    store = MemoryStore()
    await cut_short(store, "fail")
    async with System.open(store, model=Payer()) as system:
        with pytest.raises(RequestFailed, match="pay: The process stopped while this tool ran"):
            await answer(system, "fail")


@pytest.mark.parametrize(
    ("outcome", "text", "heard", "runs"),
    [
        ("returned", "receipt 7", "receipt 7", 0),
        ("failed", "no money", "it failed: no money", 0),
        ("retry", "", "paid", 1),
    ],
)
async def test_a_person_is_asked_and_the_turn_waits(
    outcome: Literal["returned", "failed", "retry"], text: str, heard: str, runs: int
) -> None:
    store = MemoryStore()
    await cut_short(store, "ask")
    async with System.open(store, model=Payer()) as system:
        await system.start(payer("ask", paid))
        await system.quiet()
        command = Settle(key="c", call="k/clerk/1/1", outcome=outcome, text=text)
        await system.settle(command)
        assert await answer(system) == f"heard: {heard}"
        await system.settle(command)  # twice is once
    assert len(ran) == runs


async def test_what_is_not_in_doubt_cannot_be_settled() -> None:
    store = MemoryStore()
    await cut_short(store, "ask")
    async with System.open(store, model=Payer()) as system:
        await system.start(payer("ask", paid))
        await system.quiet()
        with pytest.raises(NotInDoubt, match="in doubt: k/clerk/1/1"):
            await system.settle(Settle(key="c", call="k/clerk/9/9", outcome="retry"))


async def doubtful(path: Path) -> None:
    await cut_short(path, "ask")
    async with System.open(path, model=Payer()) as system:
        await system.start(payer("ask", paid))
        await system.quiet()


async def test_doubts_are_listed_and_settled_in_a_log_that_nobody_has_open(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await doubtful(path)
    code = await anyio.to_thread.run_sync(main, ["log", "doubts", str(path), "--json"])
    assert code == 1 and json.loads(capsys.readouterr().out)["doubts"][0]["call"] == "k/clerk/1/1"
    assert (
        await anyio.to_thread.run_sync(main, ["log", "resolve", str(path), "clerk/1/1", "--returned", "receipt"]) == 0
    )
    assert await anyio.to_thread.run_sync(main, ["log", "doubts", str(path)]) == 0
    async with System.open(path, model=Payer()) as system:
        assert await answer(system) == "heard: receipt"


async def test_the_owner_of_a_log_takes_up_what_another_process_says(path: Path) -> None:
    await doubtful(path)
    async with System.open(path, model=Payer()) as system:
        command = [sys.executable, "-m", "callboard.scripts.main", "log", "resolve", str(path), "clerk/1/1", "--retry"]
        done = await anyio.run_process(command)
        assert b"goes on with it" in done.stdout
        assert await answer(system) == "heard: paid"
    assert ran == ["paid"] and not list(inbox.folder_of(path).iterdir())


async def test_of_two_that_settle_one_call_the_second_is_told_that_it_did_not(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await doubtful(path)
    put = inbox.put

    def second(log: Path, command: Settle) -> Path:
        put(log, Settle(key="first", call=command.call, outcome="returned", text="receipt"))
        return put(log, command)

    monkeypatch.setattr(inbox, "put", second)
    async with System.open(path, model=Payer()) as system:
        words = ["log", "resolve", str(path), "k/clerk/1/1", "--failed", "no money"]
        assert await anyio.to_thread.run_sync(main, words) == 2
        assert await answer(system) == "heard: receipt"
    said = capsys.readouterr()
    assert "names no call in doubt" in said.err and "settled" not in said.out
    assert not list(inbox.folder_of(path).iterdir())


async def test_a_call_that_was_cut_short_is_told_before_the_log_is_opened_again(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await cut_short(path, "ask")
    assert await anyio.to_thread.run_sync(main, ["log", "doubts", str(path)]) == 0
    said = capsys.readouterr().out
    assert "no call is in doubt" in said and "without an outcome yet: 1 call;" in said and "k/clerk/1/1  pay" in said
    assert await anyio.to_thread.run_sync(main, ["log", "doubts", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["running"][0]["call"] == "k/clerk/1/1"


async def test_nothing_names_no_call(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await doubtful(path)
    assert await anyio.to_thread.run_sync(main, ["log", "resolve", str(path), "", "--retry"]) == 2
    assert "'' names no call in doubt; in doubt: k/clerk/1/1" in capsys.readouterr().err


async def gone(file: Path) -> None:
    """Wait until the owner of a log has taken up a command: it says so by removing the file."""
    while file.exists():  # noqa: ASYNC110
        await anyio.sleep(0.01)


async def test_a_command_that_was_recorded_and_not_removed_counts_once(path: Path) -> None:
    await doubtful(path)
    command = Settle(key="c", call="k/clerk/1/1", outcome="retry")
    file = inbox.put(path, command)
    async with System.open(path, model=Payer()) as system:
        assert await answer(system) == "heard: paid"
        await gone(file)
        await gone(inbox.put(path, command))
    async with SQLiteStore.open(path, mode="read") as store:
        types = [event.type async for event in store.read_all()]
    assert ran == ["paid"] and types.count("ToolCallRetried") == 1


async def test_what_is_no_command_is_set_aside(path: Path) -> None:
    folder = inbox.folder_of(path)
    folder.mkdir()
    (folder / "x.json").write_text("{}")
    async with System.open(path, model=Payer()):
        await gone(folder / "x.json")
    assert (folder / "x.bad").read_text() == "{}"


@pytest.mark.parametrize("options", [[], ["--retry", "--failed", "x"]])
async def test_one_outcome_is_wanted(path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    await doubtful(path)
    assert await anyio.to_thread.run_sync(main, ["log", "resolve", str(path), "1", *options]) == 2
    assert "say one of --returned TEXT" in capsys.readouterr().err


def test_a_failure_of_the_longest_text_is_cut_and_never_too_long_for_the_log() -> None:
    told = Settle(key="k", call="c", outcome="failed", text="x" * MAX_TEXT).delivery().text
    assert told is not None and len(told) <= MAX_TEXT and told.startswith("it failed: x")
