"""A copy of a log, made while somebody writes to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from callboard.events import BackupRefused, LossFound, NotALog, SQLiteStore
from callboard.events.anchor import read_anchor
from callboard.events.backup import backup

from .sqlite_files import heads, made, message, script, started

WRITING = """
    async with SQLiteStore.open(path) as store:
        for version in range(10**9):
            [event] = await store.append("agent-a", [started()], expected_version=version)
            os.write(1, f"{event.position}\\n".encode())
"""


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "safe").mkdir()
    return tmp_path / "safe" / "copy.db"


async def test_a_copy_made_while_another_process_writes_is_whole_and_opens_for_writing(path: Path, dest: Path) -> None:
    with subprocess.Popen(script(WRITING, path), stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(20)][-1]
        ends = [await backup(path, dest.with_name(f"{n}.db")) for n in range(3)]
        assert writer.poll() is None
        writer.kill()
        writer.stdout.read()
    assert seen <= ends[0] <= ends[1] <= ends[2]
    for n, end in enumerate(ends):
        async with SQLiteStore.open(dest.with_name(f"{n}.db")) as store:
            assert len(await heads(store)) == end - 2
            await store.append("agent-b", [started()], expected_version=0)


async def test_a_copy_holds_all_that_the_log_holds(path: Path, dest: Path) -> None:
    await made(path, message("r/1", "a text"), message("r/2"))
    assert await backup(path, dest) == 5
    logs = list[object]()
    for name in (path, dest):
        async with SQLiteStore.open(name, mode="read") as store:
            logs.append([page async for page in store.pages()])
    assert logs[0] == logs[1]


async def test_a_copy_is_for_its_owner_only_and_leaves_nothing_else(path: Path, dest: Path) -> None:
    await made(path, started())
    await backup(path, dest)
    modes = {name: os.stat(dest.parent / name).st_mode & 0o777 for name in os.listdir(dest.parent)}
    assert modes == {"copy.db": 0o600, "copy.db.anchor": 0o600}
    anchor = read_anchor(str(dest))
    assert anchor is not None and (anchor.epoch, anchor.position) == (2, 4)


@pytest.mark.parametrize("end", ["", "-wal", "-shm", ".anchor"])
async def test_nothing_that_stands_at_the_destination_is_touched(path: Path, dest: Path, end: str) -> None:
    await made(path, started())
    there = Path(f"{dest}{end}")
    there.write_text("mine")
    with pytest.raises(BackupRefused, match=f"{there} exists"):
        await backup(path, dest)
    assert there.read_text() == "mine" and os.listdir(dest.parent) == [there.name]


async def test_a_folder_that_is_missing_is_said(path: Path, tmp_path: Path) -> None:
    await made(path, started())
    with pytest.raises(BackupRefused):
        await backup(path, tmp_path / "no" / "copy.db")


async def test_a_log_that_lost_events_gives_no_good_copy(path: Path, dest: Path) -> None:
    async with SQLiteStore.open(path) as store:
        await store.append("agent-a", [started()], expected_version=0)
        for end in ("", ".anchor"):
            shutil.copyfile(f"{path}{end}", f"{path.parent}/lost.db{end}")
    with pytest.raises(LossFound) as caught:
        await backup(path.parent / "lost.db", dest)
    assert caught.value.path == str(path.parent / "lost.db") and os.listdir(dest.parent) == []


async def test_what_is_not_a_log_is_not_copied(tmp_path: Path, dest: Path) -> None:
    other, empty = tmp_path / "other.db", tmp_path / "empty.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (x)")
    empty.touch()
    for file in (other, empty, tmp_path / "no.db", tmp_path):
        with pytest.raises(NotALog):
            await backup(file, dest)
    assert os.listdir(dest.parent) == []


async def test_a_copy_that_fails_leaves_nothing(path: Path, dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await made(path, started())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("callboard.events.anchor.Anchor.begin", full)
    with pytest.raises(BackupRefused, match="No space"):
        await backup(path, dest)
    assert os.listdir(dest.parent) == []


async def test_the_loop_goes_on_while_a_copy_is_made(path: Path, dest: Path) -> None:
    async with SQLiteStore.open(path) as store, anyio.create_task_group() as group:
        group.start_soon(backup, path, dest)
        for version in range(20):
            await store.append("agent-a", [started()], expected_version=version)
    async with SQLiteStore.open(dest):
        pass
