"""One writer at a time: whoever was taken over can append nothing, and whoever is killed leaves a whole log."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskStatus

from callboard.events import (
    Fenced,
    LogInUse,
    SQLiteStore,
    lock,
)

from .sqlite_files import heads, inject, message, script, started
from .test_sqlite_faults import failure


async def types(store: SQLiteStore) -> list[str]:
    return [event.type async for event in store.read_stream("system")]


async def positions(path: Path) -> list[int]:
    async with SQLiteStore.open(path, mode="read") as store:
        return [event.position async for event in store.read_all()]


@asynccontextmanager
async def taken_over(path: Path) -> AsyncGenerator[tuple[SQLiteStore, SQLiteStore]]:
    """A log with an owner that does not know yet that it has a successor."""
    async with SQLiteStore.open(path) as old:
        await old.append("agent-a", [message("r/1")], expected_version=0)
        async with SQLiteStore.open(path, takeover=True) as new:
            yield old, new


# -- takeover ----------------------------------------------------------------------------------------


async def test_whoever_was_taken_over_can_append_nothing(path: Path) -> None:
    async with taken_over(path) as (old, new):
        for stream, version in (("agent-b", 0), ("agent-a", 1), ("agent-a", 0)):
            with pytest.raises(Fenced) as caught:
                await old.append(stream, [started()], expected_version=version)
        assert (caught.value.epoch, caught.value.newest) == (2, 3)
        await new.append("agent-a", [started()], expected_version=1)
        assert await heads(new) == ["agent-a@1", "agent-a@2"]
    assert await positions(path) == list(range(1, 7))
    async with SQLiteStore.open(path):
        pass


async def test_an_append_of_many_statements_is_fenced_as_a_whole(path: Path) -> None:
    async with taken_over(path) as (old, new):
        with pytest.raises(Fenced):
            await old.append("agent-a", [started() for _ in range(1_000)], expected_version=1)
        assert await heads(new) == ["agent-a@1"]


@pytest.mark.parametrize("regrown", [0, 1, 5])
async def test_a_successor_that_accepted_a_loss_fences_whoever_saw_what_was_lost(path: Path, regrown: int) -> None:
    async with SQLiteStore.open(path) as old:
        for n in range(5):
            await old.append("agent-a", [message(f"r/{n}")], expected_version=n)
        with closing(sqlite3.connect(path)) as damage, damage:
            triggers = damage.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                damage.execute(f"DROP TRIGGER {name}")
            damage.execute("DELETE FROM events WHERE position > 5")
            for _, sql in triggers:
                damage.execute(sql)
        async with SQLiteStore.open(path, takeover=True, accept_loss="a test") as new:
            for n in range(regrown):
                await new.append("agent-b", [message(f"s/{n}")], expected_version=n)
            for many in (1, 1_000):
                with pytest.raises(Fenced):
                    await old.append("agent-a", [started() for _ in range(many)], expected_version=5)
    assert await positions(path) == list(range(1, 5 + 2 + regrown + 2))


async def test_a_redaction_is_fenced(path: Path) -> None:
    async with taken_over(path) as (old, new):
        with pytest.raises(Fenced):
            await old.redact([3], reason="too late")
        assert [event.data async for event in new.read_stream("agent-a")] == [message("r/1").data]


async def test_all_that_was_queued_is_fenced(path: Path) -> None:
    ends = list[str]()

    async def append(stream: str) -> None:
        try:
            await old.append(stream, [started()], expected_version=0)
        except Fenced:
            ends.append(stream)

    async with taken_over(path) as (old, _), anyio.create_task_group() as group:
        for n in range(20):
            group.start_soon(append, f"agent-{n}")
    assert len(ends) == 20


async def test_what_the_successor_did_is_never_taken_for_ones_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = list[int]()

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if sql.startswith("INSERT") and busy:
            raise failure(busy[0])

    inject(monkeypatch, fault)
    async with taken_over(path) as (old, new):
        await new.append("agent-b", [message("r/2")], expected_version=0)
        for code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR_FSYNC):
            busy[:] = [code]
            with pytest.raises(Fenced):
                await old.append("agent-b", [message("r/2")], expected_version=0)
        busy.clear()


async def test_a_takeover_replaces_the_lock(path: Path) -> None:
    leave, left = anyio.Event(), anyio.Event()

    async def own(*, task_status: TaskStatus[None]) -> None:
        async with SQLiteStore.open(path):
            task_status.started()
            await leave.wait()
        left.set()

    async with anyio.create_task_group() as group:
        await group.start(own)
        async with SQLiteStore.open(path, takeover=True):
            leave.set()
            await left.wait()
            with pytest.raises(LogInUse):
                async with SQLiteStore.open(path):
                    pass


async def test_the_newest_of_three_writers_wins(path: Path) -> None:
    async with taken_over(path) as (_, second), SQLiteStore.open(path, takeover=True) as third:
        with pytest.raises(Fenced):
            await second.append("agent-b", [started()], expected_version=0)
        await third.append("agent-b", [started()], expected_version=0)


async def test_a_takeover_with_no_owner_is_an_opening(path: Path) -> None:
    async with SQLiteStore.open(path, takeover=True), SQLiteStore.open(path, mode="read") as reader:
        assert await types(reader) == ["LogCreated", "WriterOpened"]
        with pytest.raises(LogInUse):
            async with SQLiteStore.open(path):
                pass


PAUSED = """
    async with SQLiteStore.open(path) as store:
        [event] = await store.append("agent-a", [started()], expected_version=0)
        print("owns", flush=True)
        sys.stdin.readline()
        for stream, version in (("agent-a", 1), ("agent-b", 0), ("agent-c", 0)):
            try: await store.append(stream, [started()], expected_version=version)
            except Fenced as error: print("fenced", flush=True)
            else: print("written", flush=True)
"""


def test_a_paused_owner_that_wakes_after_a_takeover_appends_nothing(path: Path) -> None:
    async def take_over() -> None:
        with pytest.raises(LogInUse):
            async with SQLiteStore.open(path):
                pass
        async with SQLiteStore.open(path, takeover=True) as store:
            await store.append("agent-b", [started()], expected_version=0)
            old.send_signal(signal.SIGCONT)
            out, _ = await anyio.to_thread.run_sync(old.communicate, b"\n")
            assert out.split() == [b"fenced"] * 3 and old.returncode == 0
            await store.append("agent-b", [started()], expected_version=1)

    with subprocess.Popen(script(PAUSED, path), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as old:
        assert old.stdout is not None and old.stdout.readline() == b"owns\n"
        old.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, old.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            anyio.run(take_over)
        finally:
            old.kill()
    assert anyio.run(positions, path) == list(range(1, 8))


def test_a_lock_that_was_replaced_while_it_was_taken_is_no_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, taken, first = f"{path}.lock", lock._lock, [True]  # pyright: ignore[reportPrivateUsage]

    def late(file: int) -> bool:
        if first:
            first.clear()
            os.rename(name, f"{name}.old")
        return taken(file)

    monkeypatch.setattr("callboard.events.lock._lock", late)
    with lock.locked(str(path)):
        assert os.path.exists(name)
        with pytest.raises(LogInUse), lock.locked(str(path)):
            pass


# -- kills -------------------------------------------------------------------------------------------

LIVES = """
    import asyncio, os, random, signal, sys
    from callboard.events import NewEvent, SQLiteStore
    from callboard.events.catalog import TurnStarted
    import aiosqlite  # before the first fork

    path, lives = sys.argv[1], int(sys.argv[2])

    async def live(out):
        async with SQLiteStore.open(path) as store:
            version = len([event async for event in store.read_stream("agent-a")])
            for version in range(version, version + 20):
                new = [NewEvent(TurnStarted(id="r/a"))]
                [event] = await store.append("agent-a", new, expected_version=version)
                os.write(out, b"%08d" % event.position)

    chance, seen = random.Random(5), 0
    for life in range(lives):
        source, out = os.pipe()
        if not (child := os.fork()):
            try:
                asyncio.run(live(out))
            except BaseException as error:
                print(life, repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        os.close(out)
        for _ in range(chance.randrange(22)):
            if line := os.read(source, 8):
                seen = int(line)
        for _ in range(chance.randrange(30_000)):
            pass
        os.kill(child, signal.SIGKILL)
        rest = b"".join(iter(lambda: os.read(source, 4096), b""))
        seen = max([seen, *(int(rest[n:n + 8]) for n in range(0, len(rest), 8))])
        os.close(source)
        os.waitpid(child, 0)
    print("seen", seen)
"""


async def test_kill_9_at_any_moment_leaves_a_log_that_opens(path: Path, big: bool) -> None:
    program = [sys.executable, "-c", textwrap.dedent(LIVES), str(path), str(10_000 if big else 40)]
    done = await anyio.run_process(program)
    [told] = done.stdout.decode().splitlines()
    found = await positions(path)
    assert found == list(range(1, len(found) + 1)) and int(told.removeprefix("seen ")) <= len(found)
    async with SQLiteStore.open(path) as store:
        closed = [event.type async for event in store.read_stream("system")].count("WriterClosed")
        assert 0 < closed < store.position
