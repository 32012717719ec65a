"""`callboard people`: on a log that nobody has open, beside the process that runs the team, and after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import anyio
import pytest

from callboard import Agent, ModelReply, ModelRequest, SQLiteStore, System, tool
from callboard.actors import inbox, settle
from callboard.actors.inbox import Decide, End
from callboard.actors.testing import calls, words_in
from callboard.events import ApprovalMismatch
from callboard.events.catalog import ApprovalGiven, QuestionAnswered, TurnFinished
from callboard.projections.paths import digest_of
from callboard.scripts.main import main

PAY, ASK = "k/a/1/1", "k/a/1/2"


class Caller:
    """A model that wants to pay and asks a person, then says what came of both."""

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        """Reply."""
        results = [words_in(message) for message in request.messages if message["role"] == "tool"]
        question = {"question": "left or right?", "options": ["left", "right"]}
        return ModelReply(" | ".join(sorted(results))) if results else calls(("pay", {}), ("ask_human", question))


ran: list[str] = []


@tool(needs_approval=True)
def pay() -> str:
    """Pay."""
    ran.append("paid")
    return "paid"


CLERK = Agent("a", tools=[pay, "ask_human"])


@pytest.fixture
async def log(path: Path) -> Path:
    """A log in which a turn waits for an approval and an answer."""
    ran.clear()
    async with System.open(path, model=Caller()) as system:
        await (await system.start(CLERK)).tell("go", key="k")
    return path


async def command(*words: object) -> int:
    return await anyio.to_thread.run_sync(main, ["people", *map(str, words)])


async def events(log: Path) -> list[str]:
    async with SQLiteStore.open(log, mode="read") as store:
        return [event.type async for event in store.read_all()]


async def answer(system: System) -> str:
    with anyio.fail_after(20):
        while (reply := await system.store.find("agent-a", "re:k/a")) is None:  # noqa: ASYNC110
            await anyio.sleep(0.01)
    assert isinstance(reply.data, TurnFinished)
    return str(reply.data.text)


async def test_what_waits_is_listed_with_its_arguments_and_its_question(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("pending", log) == 1
    shown = capsys.readouterr().out
    assert PAY in shown and "pay {}" in shown and "left or right? (left | right)" in shown and "people approve" in shown
    assert await command("pending", log, "--json") == 1
    pays, asks = sorted(json.loads(capsys.readouterr().out)["waiting"], key=lambda one: one["call"])
    assert (pays["kind"], pays["tool"], pays["arguments"], len(pays["digest"])) == ("approval", "pay", "{}", 32)
    assert (asks["kind"], asks["question"], asks["options"]) == ("question", "left or right?", ["left", "right"])


async def test_decisions_in_a_log_that_nobody_has_open_hold_when_it_is_opened(log: Path) -> None:
    assert await command("approve", log, "a/1/1", "--by", "anna") == 0
    assert await command("answer", log, ASK, "right") == 0
    assert await command("pending", log) == 0 and ran == []
    async with System.open(log, model=Caller()) as system:
        assert await answer(system) == "paid | right"
    assert ran == ["paid"]


async def test_a_call_that_is_denied_does_not_run_and_the_model_is_told_why(log: Path) -> None:
    assert await command("deny", log, PAY, "too much") == 0
    assert await command("answer", log, ASK, "left") == 0
    async with System.open(log, model=Caller()) as system:
        assert await answer(system) == "left | refused by user: too much"
    assert ran == []


async def test_the_owner_of_a_log_takes_up_what_another_process_decides(log: Path) -> None:
    async with System.open(log, model=Caller()) as system:
        await system.start(CLERK)
        for words in (["approve", str(log), PAY, "--key", "c"], ["answer", str(log), ASK, "left"]):
            done = await anyio.run_process([sys.executable, "-m", "callboard.scripts.main", "people", *words])
            assert b"goes on with it" in done.stdout
        assert await answer(system) == "left | paid"
    assert ran == ["paid"] and not list(inbox.folder_of(log).iterdir())


async def gone(file: Path) -> None:
    """Wait until the owner of a log has taken up a command: it says so by removing the file."""
    with anyio.fail_after(10):
        while file.exists():  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_a_file_that_was_recorded_and_not_removed_counts_once(log: Path) -> None:
    async with SQLiteStore.open(log, mode="read") as store:
        asked = [event.data async for event in store.read_all() if event.type == "ApprovalAsked"]
    decision = Decide(key="c", call=PAY, outcome="approved", digest=asked[0].digest)  # type: ignore[attr-defined]
    file = inbox.put(log, decision)
    async with System.open(log, model=Caller()) as system:
        await gone(file)
        await gone(inbox.put(log, decision))
        await gone(inbox.put(log, decision.model_copy(update={"outcome": "refused", "text": "no"})))
        await gone(inbox.put(log, Decide(key="d", call=PAY, outcome="approved")))
        await system.quiet()
    found = await events(log)
    assert ran == ["paid"] and found.count("ApprovalGiven") == 1 and "ApprovalRefused" not in found


@pytest.mark.parametrize("digest", ["", digest_of("pay", '{"amount":9}', 1), digest_of("pay", "{}", 2)])
async def test_a_decision_of_anything_else_than_waits_is_not_taken_up(log: Path, digest: str) -> None:
    async with System.open(log, model=Caller()):
        await gone(inbox.put(log, Decide(key="d", call=PAY, outcome="approved", digest=digest)))
    assert "ApprovalGiven" not in await events(log) and ran == []


async def test_without_an_owner_a_decision_is_checked_just_the_same(log: Path) -> None:
    async with SQLiteStore.open(log) as store:
        before = store.position
        with pytest.raises(ApprovalMismatch):
            await settle.decide(store, Decide(key="c", call=PAY, outcome="approved"))
        assert store.position == before


async def test_the_same_key_is_once_and_another_is_told_what_was_decided(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert await command("approve", log, PAY, "--key", "c", "--by", "anna") == 0
    assert await command("deny", log, PAY, "no") == 2
    assert "was decided before: approved by anna under the key 'c'" in capsys.readouterr().err
    assert (await events(log)).count("ApprovalGiven") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["approve", "LOG", "k/a/7/7"], "is no call of this log"),
        (["approve", "LOG", "nonsense"], f"waiting: {PAY}, {ASK}"),
        (["approve", "LOG", "a/1/1", "--digest", "0" * 32], "look at the arguments again"),
        (["approve", "LOG", "a/1/2"], "waits for an answer"),
        (["answer", "LOG", "a/1/2", "up"], "there are 'left', 'right'"),
        (["deny", "LOG", "a/1/1", ""], "is empty"),
        (["cancel", "LOG", "other"], "no request of which anything is open"),
    ],
)
async def test_bad_use_is_said_and_records_nothing(
    log: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await events(log)
    assert await command(*(str(log) if word == "LOG" else word for word in words)) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert [one for one in await events(log) if "Writer" not in one] == [one for one in before if "Writer" not in one]


async def test_a_request_is_cancelled_in_a_log_that_nobody_has_open(log: Path) -> None:
    assert await command("cancel", log, "k") == 0
    assert await command("pending", log) == 1  # until the next owner carries it out
    async with System.open(log, model=Caller()) as system:
        await system.quiet()
        assert (await system.pending()).items == {}
    assert await command("pending", log) == 0 and "TurnCancelled" in await events(log) and ran == []


async def test_a_request_is_cancelled_by_the_process_that_has_the_log_open(log: Path) -> None:
    async with System.open(log, model=Caller()) as system:
        await system.start(CLERK)
        await gone(inbox.put(log, End(key="e", trace="k")))
        await system.quiet()
        assert (await system.pending()).items == {}
    assert (await events(log)).count("TurnCancelling") == 1


# -- real processes ---------------------------------------------------------------------------------

TEAM = """
    import sys, pathlib, anyio
    from callboard import Agent, System, tool
    from callboard.actors.testing import ScriptedModel, calls

    folder = pathlib.Path(sys.argv[1])

    @tool(needs_approval=True)
    def pay(amount: int) -> str:
        '''Pay.'''
        with (folder / "paid").open("a") as file:
            file.write(f"{amount} ")
        return "paid"

    async def main():
        script = [calls(("pay", {"amount": 7}), ("ask_human", {"question": "sure?"}))] if sys.argv[2] == "first" else []
        async with System.open(folder / "team.db", model=ScriptedModel({"a": [*script, "done"]})) as system:
            clerk = await system.start(Agent("a", tools=[pay, "ask_human"]))
            print("owns", flush=True)
            if sys.argv[2] == "first":
                await clerk.tell("go", key="k")
                await system.quiet()
                print("waits", flush=True)
                await anyio.sleep_forever()
            with anyio.fail_after(20):
                while await system.store.find("agent-a", "re:k/a") is None:
                    await anyio.sleep(0.01)

    anyio.run(main)
"""


def began(folder: Path, *words: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", textwrap.dedent(TEAM), str(folder), *words]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def decided(*words: str) -> str:
    program = [sys.executable, "-m", "callboard.scripts.main", "people", *words]
    done = subprocess.run(program, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_an_approval_by_another_process_after_a_kill_is_carried_out_once_by_a_third(tmp_path: Path) -> None:
    log = str(tmp_path / "team.db")
    first = began(tmp_path, "first")
    assert first.stdout is not None and [first.stdout.readline(), first.stdout.readline()] == ["owns\n", "waits\n"]
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert "when the log is opened next" in decided("approve", log, "a/1/1", "--by", "anna")
    assert not (tmp_path / "paid").exists()
    third = began(tmp_path, "third")
    assert third.stdout is not None and third.stdout.readline() == "owns\n"
    decided("answer", log, "a/1/2", "yes")
    _, error = third.communicate(timeout=30)
    assert third.returncode == 0, error
    assert (tmp_path / "paid").read_text() == "7 "
    async with SQLiteStore.open(log, mode="read") as store:
        said = [event.data async for event in store.read_all()]
    given = [data for data in said if isinstance(data, ApprovalGiven | QuestionAnswered)]
    assert [(one.id, one.by) for one in given] == [("k/a/1/1", "anna"), ("k/a/1/2", "user")]
