"""What `SQLiteStore` does with many appends at once, and when the disk or the process fails."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from callboard.events import (
    AppendRejected,
    KeyReused,
    LogError,
    NewEvent,
    OutcomeUnknown,
    SQLiteStore,
    WrongExpectedVersion,
)

from .sqlite_files import append_one, heads, inject, message, ran, script, started

# -- many at once -----------------------------------------------------------------------------------


async def test_appends_that_wait_are_committed_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[str] = []
    inject(monkeypatch, lambda connection, sql: commits.append(sql) if sql.startswith("INSERT") else None)
    async with SQLiteStore.open(path) as store, anyio.create_task_group() as group:
        for n in range(100):
            group.start_soon(append_one, store, f"agent-{n}")
    assert len(commits) <= 3


async def test_a_conflict_fails_alone_in_its_commit(path: Path) -> None:
    failed: list[str] = []

    async def write(stream: str, event: NewEvent, expected_version: int) -> None:
        try:
            await store.append(stream, [event], expected_version=expected_version)
        except (WrongExpectedVersion, KeyReused) as error:
            failed.append(f"{error.stream} {type(error).__name__}")

    async with SQLiteStore.open(path) as store:
        await store.append("agent-x", [message("r/1")], expected_version=0)
        async with anyio.create_task_group() as group:
            group.start_soon(write, "agent-a", started(), 0)
            group.start_soon(write, "agent-x", message("r/1", "other"), 1)
            group.start_soon(write, "agent-b", started(), 4)
            group.start_soon(write, "agent-c", started(), 0)
        assert sorted(failed) == ["agent-b WrongExpectedVersion", "agent-x KeyReused"]
        assert await heads(store) == ["agent-x@1", "agent-a@1", "agent-c@1"]
        assert [event.position async for event in store.read_all()] == [1, 2, 3, 4, 5]


async def test_what_another_wrote_past_the_lock_is_found_before_the_next_commit(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        with closing(sqlite3.connect(path)) as database, database:
            columns = "stream, version, type, schema_version, data, recorded_at, chain"
            row = """('agent-a', 1, 'TurnStarted', 1, '{"id":"r/a"}', 0, x'00')"""
            database.execute(f"INSERT INTO events ({columns}) VALUES {row}")
        [event] = await store.append("agent-b", [started()], expected_version=0)
        assert event.position == 4
        with pytest.raises(WrongExpectedVersion):
            await store.append("agent-a", [started()], expected_version=0)


async def test_one_key_twice_in_one_append_is_refused(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        with pytest.raises(AppendRejected):
            await store.append("agent-a", [message("r/1"), message("r/1")], expected_version=0)
        assert await heads(store) == []


async def test_an_append_longer_than_a_statement_is_one_transaction(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        events = [started() for _ in range(1_000)]
        with pytest.raises(AppendRejected):
            await store.append("agent-a", [*events, message("r/1"), message("r/1")], expected_version=0)
        assert await heads(store) == []
        assert (await store.append("agent-a", events, expected_version=0))[-1].position == 1_002


async def test_a_text_of_a_refused_append_can_be_said_elsewhere(path: Path) -> None:
    good = message("r/1", "good")
    async with SQLiteStore.open(path) as store:
        with pytest.raises(AppendRejected):
            await store.append("agent-a", [good, message("r/2", "\ud800")], expected_version=0)
        await store.append("agent-b", [good], expected_version=0)
        assert [event.data async for event in store.read_stream("agent-b")] == [good.data]


# -- faults -----------------------------------------------------------------------------------------


def failure(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = code
    return error


async def test_a_full_disk_rejects_the_append_and_no_later_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(connection: sqlite3.Connection, sql: str) -> None:
        if sql.startswith("PRAGMA synchronous"):
            sqlite3.Connection.execute(connection, "PRAGMA max_page_count = 40")

    inject(monkeypatch, small)
    async with SQLiteStore.open(path) as store:
        with pytest.raises(AppendRejected, match="full"):
            await store.append("agent-a", [message("r/1", "x" * 200_000)], expected_version=0)
        [event] = await store.append("agent-a", [message("r/1", "short")], expected_version=0)
        assert event.position == 3
        assert await heads(store) == ["agent-a@1"]


@pytest.mark.parametrize("written", [True, False])
async def test_after_an_error_of_the_disk_what_the_file_holds_counts(
    path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    broken: list[bool] = []

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if broken and sql.startswith("INSERT"):
            broken.clear()
            raise failure(sqlite3.SQLITE_IOERR_FSYNC)

    inject(monkeypatch, fault, late=written)
    async with SQLiteStore.open(path) as store:
        broken.append(True)
        with pytest.raises(OutcomeUnknown):
            await store.append("agent-a", [started()], expected_version=0)
        found = 1 if written else 0
        assert len(await heads(store)) == found
        [event] = await store.append("agent-a", [started()], expected_version=found)
        assert event.position == 3 + found


async def test_nothing_is_written_after_an_error_until_the_log_can_be_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[bool] = []

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if broken and sql.startswith(("INSERT", "PRAGMA wal_checkpoint")):
            raise failure(sqlite3.SQLITE_IOERR_WRITE)

    inject(monkeypatch, fault)
    async with SQLiteStore.open(path) as store:
        broken.append(True)
        with pytest.raises(OutcomeUnknown):
            await store.append("agent-a", [started()], expected_version=0)
        with pytest.raises(AppendRejected):
            await store.append("agent-a", [started()], expected_version=0)
        broken.clear()
        assert (await store.append("agent-a", [started()], expected_version=0))[0].position == 3


def test_a_disk_that_takes_no_more_ends_in_an_unknown_outcome_and_heals(path: Path) -> None:
    body = """
        async with SQLiteStore.open(path) as store:
            await store.append("agent-a", [started()], expected_version=0)
            size, most = os.path.getsize(path + "-wal"), resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5_000, most))
            try: await store.append("agent-a", [started()] * 300, expected_version=1)
            except OutcomeUnknown: print("unknown")
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            await store.append("agent-a", [started()], expected_version=1)
            print(*[event.position async for event in store.read_all()])
    """
    assert ran(body, path).splitlines() == ["unknown", "1 2 3 4"]


async def test_a_log_that_cannot_be_connected_to_is_an_error_of_the_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SQLiteStore.open(path):
        pass

    def refused(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refused)
    before = set(threading.enumerate())
    for _ in range(20):
        with pytest.raises(LogError, match="cannot be read: unable to open database file"):
            async with SQLiteStore.open(path, mode="read"):
                pass
    assert not [thread for thread in {*threading.enumerate()} - before if "connection" in thread.name]


async def test_kill_9_loses_nothing_that_was_acknowledged(path: Path) -> None:
    body = """
        async def write(stream):
            for version in range(10**9):
                [event] = await store.append(stream, [started()], expected_version=version)
                os.write(1, f"{event.position}\\n".encode())
        async with SQLiteStore.open(path) as store, anyio.create_task_group() as group:
            for n in range(10): group.start_soon(write, f"agent-{n}")
    """
    with subprocess.Popen(script(body, path), stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(300)]
        writer.kill()
        seen += [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]
    async with SQLiteStore.open(path) as store:
        positions = [event.position async for event in store.read_all()]
    assert positions == list(range(1, len(positions) + 1))
    assert set(seen) <= set(positions)


@pytest.mark.parametrize("run", ["asyncio.run", "asyncio.new_event_loop().run_until_complete"])
def test_a_forgotten_close_does_not_keep_the_program_from_ending(path: Path, run: str) -> None:
    body = """
        global opened, store
        opened = SQLiteStore.open(path)
        store = await opened.__aenter__()
        await store.append("agent-a", [started()], expected_version=0)
        print("written")
    """
    assert ran(body, path, run=run) == "written"
