"""Connections to the file of a log: one that writes, and any number that read."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from threading import Thread
from typing import Literal, cast
from urllib.parse import quote

import aiosqlite
import anyio

from .errors import LogError, LogUnwritable, NotALog
from .file import copied_with_wal, has_wal
from .schema import BUSY, SCHEMA, identify, no_shared_memory


class Connection:
    """A `Database`: a connection of aiosqlite's, with a thread that does not outlive the program."""

    def __init__(self, uri: str) -> None:
        self._connection = aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY)
        # Before 0.22 the connection is the thread. It would keep a program that forgot to close from ending.
        thread = cast(Thread, getattr(self._connection, "_thread", self._connection))
        thread.daemon = True
        self._thread = thread

    @classmethod
    @asynccontextmanager
    async def open(cls, log: str, query: str) -> AsyncGenerator[Connection]:
        """Connect to the file at `log`, until the context ends."""
        connection = cls(f"file:{quote(os.fsencode(log))}?{query}")
        with anyio.CancelScope(shield=True):
            try:
                await connection._connection
            except BaseException:
                await anyio.to_thread.run_sync(connection._thread.join)  # it still reports to the loop
                raise
        try:
            yield connection
        finally:
            with anyio.CancelScope(shield=True):
                await connection._connection.close()

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    async def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        return cast(list[tuple[object, ...]], await self._connection.execute_fetchall(sql, parameters))

    async def insert(self, sql: str, parameters: Sequence[object]) -> int:
        row = await self._connection.execute_insert(sql, parameters)
        return 0 if row is None else row[0]

    async def script(self, sql: str) -> None:
        await self._connection.executescript(sql)

    async def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        await self._connection.executemany(sql, rows)  # type: ignore[arg-type]


@asynccontextmanager
async def writing(log: str, durability: Literal["disk", "process"]) -> AsyncGenerator[Connection]:
    """Connect to `log` for writing; make it where there is none."""
    async with AsyncExitStack() as stack:
        with unwritable(log):
            _make(log)
            connection = await stack.enter_async_context(Connection.open(log, "mode=rw"))
            known = await identify(connection, log)
            [[journal]] = await connection.fetch("PRAGMA journal_mode = WAL")
            if journal != "wal":
                raise LogUnwritable(log, "its file system holds no write-ahead log")
            synchronous = "FULL" if durability == "disk" else "NORMAL"
            for setting in (
                f"synchronous = {synchronous}",
                "fullfsync = ON",
                "checkpoint_fullfsync = ON",
                "secure_delete = ON",
            ):
                await connection.fetch(f"PRAGMA {setting}")
            if not known:
                await connection.script(SCHEMA)
        yield connection


@asynccontextmanager
async def reading(log: str) -> AsyncGenerator[Connection]:
    """Connect to `log` for reading, also where nothing may be written beside it."""
    _see(log)
    async with AsyncExitStack() as stack:
        attempt = AsyncExitStack()
        try:
            connection = await attempt.enter_async_context(Connection.open(log, "mode=ro"))
        except sqlite3.Error as error:  # of files, too, a process has only so many
            raise LogError(f"{log} cannot be read: {error}") from error
        try:
            known = await identify(connection, log)
            stack.push_async_exit(attempt.pop_all())
        except sqlite3.OperationalError as error:
            if not no_shared_memory(error):
                raise LogError(f"{log} cannot be read: {error}") from error
            try:
                connection = await stack.enter_async_context(_reading_alone(log))
                known = await identify(connection, log)
            except (OSError, sqlite3.Error) as second:
                raise LogError(f"{log} cannot be read: {second}") from second
        finally:
            await attempt.aclose()
        if not known:
            raise NotALog(log, "it is empty")
        yield connection


@asynccontextmanager
async def _reading_alone(log: str) -> AsyncGenerator[Connection]:
    """Connect to `log` where no shared memory can be made beside it, and so nobody writes to it now."""
    with tempfile.TemporaryDirectory(prefix="callboard-") as folder:
        if has_wal(log):
            copy = await anyio.to_thread.run_sync(copied_with_wal, log, f"{folder}/log")
            opened = Connection.open(copy, "mode=ro")
        else:  # all of it is in the log itself
            opened = Connection.open(log, "mode=ro&immutable=1")
        async with opened as connection:
            yield connection


def real_path(path: str | os.PathLike[str]) -> str:
    """Return the one name of `path`: with two, two could lock it."""
    log = os.path.realpath(path)
    if os.path.isdir(log):
        raise NotALog(log, "it is a directory")
    if os.path.exists(log) and not os.path.isfile(log):
        raise NotALog(log, "it is no regular file")  # a pipe would be waited for
    return log


def _make(log: str) -> None:
    """Make an empty file where there is none, for the eyes of its owner alone."""
    if not os.path.lexists(log):
        os.close(os.open(log, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _see(log: str) -> None:
    if not os.path.exists(log):
        raise NotALog(log, "there is no such file")
    if not os.access(log, os.R_OK):
        raise NotALog(log, "it may not be read")
    if os.path.getsize(log) == 0:  # SQLite would delete its WAL, even where it may only read
        raise NotALog(log, "it is empty")


@contextmanager
def unwritable(log: str) -> Generator[None]:
    """Say of an error of the system or of SQLite that the log cannot be written."""
    try:
        yield
    except OSError as error:
        raise LogUnwritable(log, error.strerror or str(error)) from None
    except sqlite3.Error as error:
        raise LogUnwritable(log, str(error)) from None
