"""What `SQLiteStore` does beyond what every store does: files, processes, faults."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from callboard.events import (
    LogInUse,
    LogUnwritable,
    NewerFormat,
    NewEvent,
    NotALog,
    SQLiteStore,
    StoreClosed,
)
from callboard.events.catalog import MessageReceived, TurnFinished
from callboard.events.text import ERASED

from .sqlite_files import append_one, heads, inject, made, message, ran, script, started

# -- a file and its life ----------------------------------------------------------------------------


async def test_a_log_survives_being_closed(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        written = await store.append("agent-a", [message("r/1")], expected_version=0)
        log_id = store.log_id
    async with SQLiteStore.open(path) as store:
        assert store.log_id == log_id
        assert [event async for event in store.read_stream("agent-a")] == written
        newest = store.position
        [event] = await store.append("agent-a", [started()], expected_version=1)
        assert event.position == newest + 1


async def test_a_reader_knows_the_newest_event_that_it_found(path: Path) -> None:
    async with SQLiteStore.open(path) as writer, SQLiteStore.open(path, mode="read") as reader:
        found = reader.position
        [event] = await writer.append("agent-a", [started()], expected_version=0)
        assert reader.position == found
        assert await heads(reader) == [event.ref]
        assert reader.position == event.position


async def test_a_subscription_is_woken_by_an_append(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callboard.events.sqlite.POLL", 3_600)
    async with SQLiteStore.open(path) as store, anyio.create_task_group() as group:
        with anyio.fail_after(10):
            async for event in store.subscribe(after=store.position - 1):
                if event.stream == "agent-3":
                    break
                group.start_soon(append_one, store, f"agent-{event.position}")


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "'a'\"b", "a\nb", "ä 👩‍🚀", "a&mode=memory", "file:x"])
async def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    await made(tmp_path / name, started())
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"{name}.anchor", f"{name}.lock"])
    async with SQLiteStore.open(tmp_path / name, mode="read") as store:
        assert await heads(store) == ["agent-a@1"]


async def test_all_files_are_for_their_owner_only(path: Path) -> None:
    async with SQLiteStore.open(path):
        modes = {name: os.stat(path.parent / name).st_mode & 0o777 for name in os.listdir(path.parent)}
    assert modes == {name: 0o600 for name in ("log.db", "log.db-wal", "log.db-shm", "log.db.anchor", "log.db.lock")}


async def test_an_empty_file_becomes_a_log(path: Path) -> None:
    path.touch()
    await made(path, started())


@pytest.mark.parametrize(("durability", "synchronous"), [("disk", "FULL"), ("process", "NORMAL")])
async def test_durability_is_what_sqlite_synchronises(
    path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, synchronous: str
) -> None:
    seen: list[str] = []
    inject(monkeypatch, lambda connection, sql: seen.append(sql))
    assert durability == "disk" or durability == "process"
    async with SQLiteStore.open(path, durability=durability):
        assert f"PRAGMA synchronous = {synchronous}" in seen


async def test_use_after_the_end_is_an_error(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        pass
    with pytest.raises(StoreClosed):
        await store.append("agent-a", [started()], expected_version=0)
    with pytest.raises(StoreClosed):
        await store.find("agent-a", "r/1")


async def test_an_error_of_the_user_passes_through_as_it_is(path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with SQLiteStore.open(path):
            raise ZeroDivisionError


async def test_what_was_queued_is_committed_when_all_is_cancelled(path: Path) -> None:
    async with anyio.create_task_group() as group:
        async with SQLiteStore.open(path) as store:
            for n in range(50):
                group.start_soon(append_one, store, f"agent-{n}")
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    async with SQLiteStore.open(path, mode="read") as store:
        assert len(await heads(store)) == 50


# -- what is not a log ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["write", "read"])
async def test_what_is_not_a_log_is_refused_and_left_as_it_was(tmp_path: Path, mode: str) -> None:
    assert mode == "write" or mode == "read"
    other, text, folder = tmp_path / "other.db", tmp_path / "text", tmp_path / "folder"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (x)")
    text.write_text("no database, but longer than the hundred bytes of a header" * 10)
    folder.mkdir()
    before = {file: file.read_bytes() for file in (other, text)}
    for file in (other, text, folder):
        with pytest.raises(NotALog):
            async with SQLiteStore.open(file, mode=mode):
                pass
    assert {file: file.read_bytes() for file in (other, text)} == before
    assert sorted(os.listdir(tmp_path)) == ["folder", "other.db", "text"]


async def test_a_newer_format_is_refused(path: Path) -> None:
    await made(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(NewerFormat) as caught:
        async with SQLiteStore.open(path):
            pass
    assert (caught.value.found, caught.value.known) == (2, 1)


async def test_reading_makes_no_file(path: Path) -> None:
    with pytest.raises(NotALog):
        async with SQLiteStore.open(path, mode="read"):
            pass
    assert os.listdir(path.parent) == []


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogUnwritable):
        async with SQLiteStore.open(tmp_path / "no" / "log.db"):
            pass


# -- who may write ----------------------------------------------------------------------------------


async def test_a_second_writer_is_told_who_the_first_is(path: Path) -> None:
    link = path.parent / "link.db"
    link.symlink_to(path)
    async with SQLiteStore.open(path):
        for name in (path, link):
            with pytest.raises(LogInUse) as caught:
                async with SQLiteStore.open(name):
                    pass
            assert f"pid {os.getpid()} on " in caught.value.owner
    await made(path)


async def test_a_writer_in_another_process_is_told_too(path: Path) -> None:
    body = """
        try:
            async with SQLiteStore.open(path): pass
        except LogInUse as error: print(error.owner)
    """
    async with SQLiteStore.open(path):
        told = await anyio.to_thread.run_sync(ran, body, path)
    assert f"pid {os.getpid()} on " in told
    assert (path.parent / "log.db.lock").read_bytes() == b""


async def test_an_open_log_for_reading_takes_no_appends(path: Path) -> None:
    await made(path)
    async with SQLiteStore.open(path, mode="read") as store:
        with pytest.raises(LogUnwritable):
            await store.append("agent-a", [started()], expected_version=0)


async def test_a_log_is_read_while_another_process_writes(path: Path) -> None:
    body = """
        async with SQLiteStore.open(path) as store:
            for version in range(20):
                await store.append("agent-a", [started()], expected_version=version)
                print(version, flush=True)
            sys.stdin.read()
    """
    with subprocess.Popen(script(body, path), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        await anyio.to_thread.run_sync(writer.stdout.readline)
        async with SQLiteStore.open(path, mode="read") as store:
            with anyio.fail_after(10):
                async for event in store.subscribe():
                    if event.ref == "agent-a@20":
                        break
        writer.communicate()
    assert writer.returncode == 0


# A process that may write nothing: where the tests run as root, it becomes nobody once all is loaded.
AS_NOBODY = """
    import aiosqlite; anyio.Event()  # loads what is loaded late
    if os.getuid() == 0: os.setuid(65534)
    try:
        async with SQLiteStore.open(path, mode="read") as store:
            print(*[event.ref async for event in store.read_stream("agent-a")])
        async with SQLiteStore.open(path): pass
    except LogUnwritable as error: print("unwritable")
"""


@pytest.fixture
def shut_folder() -> Iterator[Path]:
    """A folder that everybody may look into and, in the end, nobody may write to."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
        os.chmod(folder, 0o755)


async def test_a_log_that_was_closed_is_read_in_a_folder_that_may_not_be_written(shut_folder: Path) -> None:
    await made(shut_folder / "log.db", started())
    os.chmod(shut_folder / "log.db", 0o444)
    os.chmod(shut_folder, 0o555)
    assert ran(AS_NOBODY, shut_folder / "log.db").splitlines() == ["agent-a@1", "unwritable"]


async def test_a_log_whose_writer_was_killed_is_read_in_a_folder_that_may_not_be_written(
    shut_folder: Path, tmp_path: Path
) -> None:
    async with SQLiteStore.open(tmp_path / "log.db") as store:
        await store.append("agent-a", [started()], expected_version=0)
        for name in ("log.db", "log.db-wal"):
            subprocess.run(["cp", tmp_path / name, shut_folder / name], check=True)
            os.chmod(shut_folder / name, 0o444)
    os.chmod(shut_folder, 0o555)
    assert ran(AS_NOBODY, shut_folder / "log.db").splitlines() == ["agent-a@1", "unwritable"]


async def test_a_file_that_may_not_be_written_is_read_in_a_folder_that_may(shut_folder: Path) -> None:
    await made(shut_folder / "log.db", started())
    os.unlink(shut_folder / "log.db.lock")
    os.chmod(shut_folder / "log.db", 0o444)
    os.chmod(shut_folder, 0o777)
    assert ran(AS_NOBODY, shut_folder / "log.db").splitlines() == ["agent-a@1", "unwritable"]


async def test_a_file_that_may_not_be_read_is_refused(shut_folder: Path) -> None:
    await made(shut_folder / "log.db")
    os.chmod(shut_folder / "log.db", 0)
    body = """
        import aiosqlite; anyio.Event()  # loads what is loaded late
        if os.getuid() == 0: os.setuid(65534)
        try:
            async with SQLiteStore.open(path, mode="read"): pass
        except NotALog as error: print(error.why)
    """
    assert ran(body, shut_folder / "log.db") == "it may not be read"


# -- events never change ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events",
        "UPDATE events SET type = 'Other'",
        "UPDATE events SET position = position + 10",
        "UPDATE events SET content = '[]'",
        "UPDATE events SET content = NULL",
        "UPDATE events SET content = NULL, salt = NULL, data = '{}'",
    ],
)
async def test_events_cannot_be_changed(path: Path, statement: str) -> None:
    await made(path, message("r/1"))
    with closing(sqlite3.connect(path)) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(statement)


async def test_an_erased_text_reads_as_erased_wherever_it_went(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        [asked] = await store.append("agent-a", [message("r/1", "secret")], expected_version=0)
        assert isinstance(asked.data, MessageReceived)
        passed = NewEvent(TurnFinished(id="r/1", text=asked.data.parts[0].text))
        await store.append("agent-b", [passed], expected_version=0)
        await store.redact([asked.position], reason="a test")
        [one] = [event async for event in store.read_stream("agent-a")]
        [other] = [event async for event in store.read_stream("agent-b")]
    assert isinstance(one.data, MessageReceived) and isinstance(other.data, TurnFinished)
    assert one.data.parts[0].text == other.data.text == ERASED
