"""How a writer begins and ends, and what its anchor says meanwhile."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import anyio
import pytest

from callboard.events import (
    AppendRejected,
    LogUnwritable,
    MemoryStore,
    OutcomeUnknown,
    SQLiteStore,
    StoreClosed,
)
from callboard.events.anchor import Anchor, Head, read_anchor
from callboard.events.catalog import WriterOpened
from callboard.events.lock import owner

from .sqlite_files import inject, made, started
from .test_sqlite_faults import failure


async def types(store: SQLiteStore) -> list[str]:
    return [event.type async for event in store.read_stream("system")]


# -- the life of a writer ----------------------------------------------------------------------------


async def test_opening_and_closing_are_events(path: Path) -> None:
    await made(path)
    async with SQLiteStore.open(path) as store:
        assert await types(store) == ["LogCreated", "WriterOpened", "WriterClosed", "WriterOpened"]
        *_, last = [event.data async for event in store.read_stream("system")]
    assert last == WriterOpened(owner=owner()) and f"pid {os.getpid()} on " in owner()


async def test_a_writer_that_ends_by_an_error_has_closed_too(path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with SQLiteStore.open(path):
            raise ZeroDivisionError
    async with SQLiteStore.open(path, mode="read") as store:
        assert (await types(store))[-1] == "WriterClosed"


async def test_nothing_follows_the_close_of_a_writer(path: Path) -> None:
    begun, ended = anyio.Event(), list[int]()

    async def write() -> None:
        with pytest.raises(StoreClosed):
            for version in range(10**6):
                await store.append("agent-a", [started()], expected_version=version)
                ended.append(version)
                begun.set()

    async with anyio.create_task_group() as group:
        async with SQLiteStore.open(path) as store:
            group.start_soon(write)
            await begun.wait()
    async with SQLiteStore.open(path, mode="read") as store:
        events = [event async for event in store.read_all()]
    assert events[-1].type == "WriterClosed" and len(events) == len(ended) + 3


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_only_the_store_appends_to_the_stream_system(path: Path, kind: str) -> None:
    async with SQLiteStore.open(path) as sqlite:
        store = sqlite if kind == "sqlite" else MemoryStore()
        before = store.position
        for version in range(3):
            with pytest.raises(AppendRejected):
                await store.append("system", [started()], expected_version=version)
        assert store.position == before


async def test_a_log_that_cannot_be_written_at_all_is_not_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await made(path)

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if sql.startswith("INSERT"):
            raise failure(sqlite3.SQLITE_FULL)

    inject(monkeypatch, fault)
    with pytest.raises(LogUnwritable):
        async with SQLiteStore.open(path):
            pass


# -- the anchor of a writer --------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
async def test_a_log_has_its_anchor_before_its_first_event(
    path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    if begun:  # by a writer that was killed before its first commit, and had drawn another identity
        anchor = Anchor(str(path))
        anchor.begin(Head("0123456789abcdef", 0, 0, b""))
        anchor.close()
    seen = list[Head | None]()
    inject(monkeypatch, lambda _, sql: seen.append(read_anchor(str(path))) if sql.startswith("INSERT") else None)
    async with SQLiteStore.open(path) as store:
        assert seen == [Head(store.log_id, 0, 0, b"")]


async def test_an_append_whose_anchor_cannot_be_written_is_not_acknowledged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SQLiteStore.open(path) as store:
        with monkeypatch.context() as patch:
            patch.setattr("callboard.events.anchor._write", broken)
            with pytest.raises(OutcomeUnknown, match="anchor"):
                await store.append("agent-a", [started()], expected_version=0)
            with pytest.raises(AppendRejected):
                await store.append("agent-a", [started()], expected_version=1)
        [event] = await store.append("agent-a", [started()], expected_version=1)
        seen = read_anchor(str(path))
        assert seen is not None and seen.position == event.position == 4


def broken(file: int, data: bytes, at: int) -> None:
    raise OSError("injected")


async def test_an_anchor_that_cannot_be_synced_is_synced_before_the_next_append(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = list[bool]()
    monkeypatch.setattr("callboard.events.committer.ANCHOR_SYNC", 0)

    def sync(anchor: object) -> None:
        if bad:
            raise OSError("injected")

    monkeypatch.setattr("callboard.events.anchor.Anchor.sync", sync)
    version = 0
    async with SQLiteStore.open(path) as store:
        bad.append(True)
        with anyio.fail_after(10), pytest.raises(AppendRejected):
            while True:
                await store.append("agent-a", [started()], expected_version=version)
                version += 1
        bad.clear()
        await store.append("agent-a", [started()], expected_version=version)


async def test_a_log_made_before_there_were_anchors_gets_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("callboard.events.loss.EPOCH", "NULL")
        await made(path, started())
        os.unlink(f"{path}.anchor")
        async with SQLiteStore.open(path) as store:
            seen = read_anchor(str(path))
            assert seen is not None and seen.position == store.position
    async with SQLiteStore.open(path):
        pass


async def test_a_log_that_went_back_under_its_writer_is_written_no_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = list[bool]()

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if broken and sql.startswith("INSERT"):
            broken.clear()
            for trigger in ("events_are_never_deleted", "events_never_change"):
                sqlite3.Connection.execute(connection, f"DROP TRIGGER {trigger}")
            sqlite3.Connection.execute(connection, "DELETE FROM events WHERE position = 3")
            raise failure(sqlite3.SQLITE_IOERR)

    inject(monkeypatch, fault)
    async with SQLiteStore.open(path) as store:
        await store.append("agent-a", [started()], expected_version=0)
        broken.append(True)
        with pytest.raises(OutcomeUnknown):
            await store.append("agent-b", [started()], expected_version=0)
        with pytest.raises(AppendRejected, match="3 was acknowledged"):
            await store.append("agent-b", [started()], expected_version=0)
