"""`callboard log backup` and `redact`, on a log that nobody has open, and on one that a team writes to."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from errno import ENOSPC
from pathlib import Path
from typing import Any

import anyio
import pytest

from callboard import Agent, System
from callboard.actors import inbox
from callboard.actors.testing import ScriptedModel
from callboard.events import LogUnwritable, SQLiteStore
from callboard.events.text import ERASED
from callboard.scripts.main import main

SECRET = "the code is 4711"


async def told(path: Path) -> int:
    """Leave a log in which somebody says a secret; return the position where."""
    async with System.open(path, model=ScriptedModel({"writer": ["Noted."]})) as system:
        await (await system.start(Agent("writer"))).ask(SECRET, key="k")
    return await position_of(path, "MessageReceived")


async def position_of(path: Path, kind: str) -> int:
    async with SQLiteStore.open(path, mode="read") as store:
        found = [event.position async for event in store.read_all() if event.type == kind]
    return found[0]


async def command(*words: object) -> int:
    return await anyio.to_thread.run_sync(main, [str(word) for word in words])


def files_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.rglob("*") if file.is_file())


async def test_a_redacted_text_is_gone_from_every_file_and_the_log_stays_whole(path: Path) -> None:
    position = await told(path)
    assert SECRET.encode() in files_of(path)
    assert await command("log", "redact", path, position, "--reason", "a secret") == 0
    assert SECRET.encode() not in files_of(path)
    assert await command("verify", path) == 0


async def test_the_owner_of_a_log_redacts_at_the_word_of_another_process(path: Path) -> None:
    position = await told(path)
    async with System.open(path, model=ScriptedModel({})) as system:
        state = await system.look("agent-writer")
        assert SECRET in str(state.lines[0])
        program = [sys.executable, "-m", "callboard.scripts.main", "log", "redact", str(path), str(position)]
        done = await anyio.run_process([*program, "--reason", "a secret"])
        assert b"goes on with it" in done.stdout
        state = await system.look("agent-writer")
        assert SECRET not in str(state.lines[0]) and ERASED in str(state.lines[0])
    assert SECRET.encode() not in files_of(path)


async def test_what_an_owner_cannot_redact_is_said_before_it_is_asked(path: Path) -> None:
    await told(path)
    async with System.open(path, model=ScriptedModel({})):
        program = [sys.executable, "-m", "callboard.scripts.main", "log", "redact", str(path), "1", "--reason", "x"]
        done = await anyio.run_process(program, check=False)
        assert done.returncode == 2 and b"position 1 says no text of its own" in done.stderr
        assert not list(path.with_name("log.db.inbox").glob("*"))


async def test_an_owner_that_did_not_redact_is_not_said_to_have_done_so(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    position = await told(path)

    async def refuse(*_: object) -> None:
        raise LogUnwritable("log.db", "the disk is full")

    monkeypatch.setattr("callboard.actors.owner.redact", refuse)
    async with System.open(path, model=ScriptedModel({})):
        assert await command("log", "redact", path, position, "--reason", "x") == 2
    said = capsys.readouterr()
    assert " says: " in said.err and "the disk is full" in said.err and not said.out


async def test_an_owner_that_left_the_bytes_of_a_text_in_a_file_is_not_said_to_have_erased_it(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    position = await told(path)
    async with System.open(path, model=ScriptedModel({})):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            assert await command("log", "redact", path, position, "--reason", "x") == 2
        said = capsys.readouterr()
    assert "the old text stays in the file or its WAL for now" in said.err and not said.out


async def test_a_command_for_which_there_is_no_room_is_no_half_one(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    position = await told(path)

    def full(_: int) -> None:
        raise OSError(ENOSPC, "No space left on device")

    async with System.open(path, model=ScriptedModel({})):
        monkeypatch.setattr("callboard.actors.inbox.os.fsync", full)
        assert await command("log", "redact", path, position, "--reason", "x") == 2
        monkeypatch.undo()
    assert "log.db.inbox cannot be written: No space left on device" in capsys.readouterr().err
    assert not list(inbox.folder_of(path).iterdir())


async def test_what_says_no_text_cannot_be_redacted(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await told(path)
    assert await command("log", "redact", path, 1, "--reason", "x") == 2
    assert capsys.readouterr().err.startswith("callboard: ")


async def test_a_backup_is_a_log_of_its_own_file(path: Path, tmp_path: Path) -> None:
    await told(path)
    copy = tmp_path / "copy.db"
    async with System.open(path, model=ScriptedModel({})):
        assert await command("log", "backup", path, copy) == 0
    assert await command("verify", copy) == 0
    assert await command("log", "backup", path, copy) == 2


async def test_a_loss_is_told_then_accepted_by_name_and_then_the_log_goes_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await told(path)
    path.with_name("log.db.anchor").unlink()
    assert await command("verify", path) == 1
    assert await command("log", "redact", path, 1, "--reason", "x") == 2
    said = capsys.readouterr().err
    assert "anchor" in said and "callboard log accept LOG --reason" in said
    assert await command("log", "accept", path, "--reason", "the anchor was deleted by hand") == 0
    assert await position_of(path, "LossAccepted") and await command("verify", path) == 0


@pytest.mark.parametrize("position", ["1.5", "6.7", "-1", "1e1", "", "x", str(2**63), "9" * 40])
async def test_no_position_is_rounded_to_one_that_is_there(
    path: Path, position: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await told(path)
    assert await command("log", "redact", path, position, "--reason", "x") == 2
    said = capsys.readouterr().err
    assert ("is no position" in said or "is not in this log" in said) and "fault" not in said
    assert SECRET.encode() in files_of(path)


@pytest.mark.parametrize("words", [("verify",), ("trace",), ("log", "backup"), ("log", "accept", "--reason", "x")])
async def test_a_pipe_is_no_log_and_is_not_waited_for(
    path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(path)
    more = [path.with_name("copy.db")] if "backup" in words else []
    with anyio.fail_after(20):
        assert await command(*words, path, *more) == 2
    assert "it is no regular file" in capsys.readouterr().err and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("left", [False, True], ids=["closed", "killed"])
async def test_a_log_on_a_full_disk_is_read_and_copied(path: Path, left: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    await told(path)
    if left:  # what was written last is in the WAL alone
        async with SQLiteStore.open(path):
            for end in ("", "-wal", ".anchor"):
                path.with_name(f"kept.db{end}").write_bytes(Path(f"{path}{end}").read_bytes())
        path = path.with_name("kept.db")
    no_shared_memory_for(path, monkeypatch)
    assert await command("verify", path) == 0
    assert await command("trace", path) == 0
    copy = path.with_name("copy.db")
    assert await command("log", "backup", path, copy) == 0
    assert await command("verify", copy) == 0


def no_shared_memory_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections to `path` fail as on a full disk, where there is no room for the WAL's shared memory."""
    connect = sqlite3.connect

    class Full(sqlite3.Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:  # type: ignore[override]
            if "sqlite_schema" in sql or "application_id" in sql:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
                raise error
            return super().execute(sql, parameters)  # type: ignore[arg-type]

    def connected(database: str, **options: Any) -> sqlite3.Connection:
        full = database.startswith(f"file:{path}?") and "immutable" not in database
        return connect(database, **options, factory=Full) if full else connect(database, **options)

    monkeypatch.setattr(sqlite3, "connect", connected)


@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
@pytest.mark.parametrize(
    "words",
    [
        ("log", "redact", "LOG", "1", "--reason", "x"),
        ("log", "accept", "LOG", "--reason", "x"),
        ("log", "resolve", "LOG", "call", "--retry"),
        ("memory", "edit", "LOG", "plan", "--append", "x"),
        ("mail", "drop", "LOG", "k1", "--reason", "x"),
        ("mail", "requeue", "LOG", "k1"),
        ("people", "cancel", "LOG", "k1"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
async def test_who_looks_after_a_log_that_is_not_there_makes_none(
    path: Path, words: tuple[str, ...], made: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if made:
        path.touch()
    assert await command(*(str(path) if word == "LOG" else word for word in words)) == 2
    assert "is not a callboard log: " in capsys.readouterr().err
    assert [file.name for file in path.parent.iterdir()] == [path.name] * made and not (made and path.stat().st_size)
