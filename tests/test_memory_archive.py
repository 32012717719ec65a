"""`callboard memory archive`, `insert`, `forget`, and the views of archives: of a log at rest, and of one in use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from callboard import Agent, Archive, SQLiteStore, System
from callboard.actors import archives, inbox, settle
from callboard.actors.archival import DELETE, INSERT
from callboard.actors.testing import ScriptedModel
from callboard.events import KeyReused, RequestFailed
from callboard.scripts.main import main

TEAM = Archive("team", description="What we found out.")
USES = [(INSERT, {"content": "the tide\nturns", "tags": ["sea"]}), (INSERT, {"content": "x"}), (DELETE, {"id": "p2"})]


@pytest.fixture
async def log(path: Path) -> Path:
    """A log in which an agent has stored two passages, and deleted one."""
    async with System.open(path, model=ScriptedModel({"a": [USES, "done"]})) as system:
        await system.start(Agent("a", "You are a.", tools=[INSERT, DELETE], archive=TEAM))
        await system["a"].ask("go", key="k")
    return path


async def command(*words: object) -> int:
    return await anyio.to_thread.run_sync(main, [*map(str, words)])


async def shown(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    capsys.readouterr()
    assert await command(*words) == 0
    text = capsys.readouterr().out
    return json.loads(text) if "--json" in words else text


async def test_archives_and_their_passages_are_listed(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = await shown(capsys, "memory", "archive", log)
    assert text.split() == ["team", "1", "passage", "What", "we", "found", "out."]
    archive = (await shown(capsys, "memory", "archive", log, "--json"))["archives"]["team"]
    assert (archive["passages"], archive["deleted"], archive["newest"]["id"]) == (1, 1, "p1")
    assert "p1" in (text := await shown(capsys, "memory", "archive", log, "team")) and "by a @" in text
    assert "(sea) the tide turns" in text
    [passage] = (await shown(capsys, "memory", "archive", log, "team", "--json"))["passages"]
    assert (passage["id"], passage["text"], passage["by"], passage["call"]) == (
        "p1", "the tide\nturns", "agent-a", "k/a/1/1",
    )  # fmt: skip


async def test_an_archive_that_is_not_there_is_named_with_those_that_are(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("archive", log, "nope"), ("insert", log, "nope", "x"), ("forget", log, "nope", "p1")):
        assert await command("memory", *words) == 2
        assert "there is no archive 'nope' in this log; there are: team" in capsys.readouterr().err


async def test_no_log_is_made_of_a_name_that_was_mistyped(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await command("memory", "insert", path, "team", "x") == 2
    assert "there is no such file" in capsys.readouterr().err and not list(path.parent.iterdir())


async def test_people_store_and_delete_in_a_log_at_rest(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = await shown(capsys, "memory", "insert", log, "team", "The TIDE turns", "--tag", "x", "--tag", "y")
    assert text.startswith("stored as p3; the same text stands as p1 since 20")
    assert await shown(capsys, "memory", "forget", log, "team", "p3") == "p3 is deleted\n"
    assert await command("memory", "forget", log, "team", "p3") == 1
    assert "p3 was deleted" in capsys.readouterr().err
    assert await command("memory", "insert", log, "team", " ") == 2
    assert await command("memory", "insert", log, "team", "x", "--tag", "y" * 65) == 1
    assert await command("verify", log) == 0


async def test_people_store_while_a_process_has_the_log_open(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with System.open(log, model=ScriptedModel({})) as system:
        assert await shown(capsys, "memory", "insert", log, "team", "by hand") == "stored as p3\n"
        assert [passage.text for passage in await system.archive("team").passages()] == ["the tide\nturns", "by hand"]
        assert await command("memory", "forget", log, "team", "p9") == 1
        assert "there is no passage p9" in capsys.readouterr().err


async def test_a_command_counts_once_whoever_takes_it_up(log: Path) -> None:
    keep = inbox.Keep(key="once", archive="team", verb=INSERT, fields={"content": "once"})
    async with SQLiteStore.open(log) as store:
        for _ in range(2):
            await settle.keep(store, keep)
        assert await archives.outcome(store, keep) == "stored as p3"
        with pytest.raises(KeyReused):
            await settle.keep(store, keep.model_copy(update={"fields": {"content": "other"}}))
        with pytest.raises(RequestFailed, match="nothing was recorded"):
            await archives.outcome(store, keep.model_copy(update={"key": "never"}))
    async with System.open(log, model=ScriptedModel({})) as system:
        await archives.keep(system, keep)
        assert len(await system.archive("team").passages()) == 2


async def test_a_replay_shows_archives_as_of_any_position(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = await shown(capsys, "replay", log)
    assert "1 passage · 1 deleted · the newest is p1 (sea), of version 2" in text
    everything = await shown(capsys, "replay", log, "--json")
    assert everything["archives"]["team"]["passages"] == 1
    async with SQLiteStore.open(log, mode="read") as store:
        events = [event async for event in store.read_stream("archive-team")]
    before = await shown(capsys, "replay", log, "--until", events[2].position, "--stream", "team", "--json")
    assert before["archives"]["team"]["passages"] == 2 and not before["agents"]


async def test_a_trace_shows_what_a_call_did_to_an_archive(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = await shown(capsys, "trace", log, "k")
    assert "archive team version 2" in text and "+p1 the tide turns" in text and "-p2" in text
