"""The store in one SQLite file: one task writes, everybody reads in pages."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from threading import Thread
from typing import Literal, cast
from urllib.parse import quote

import aiosqlite
import anyio
from pydantic_core import from_json, to_json

from .cache import Cache, FolderCache, folder_of
from .catalog import LogCreated
from .codec import Row, decode, encode_all, recorded, references, texts
from .committer import Appending, Committer
from .errors import AppendRejected, LogError, LogUnwritable, NotALog, StoreClosed, WrongExpectedVersion
from .event import NewEvent, RecordedEvent
from .lock import locked
from .schema import COLUMNS, SCHEMA, identify, primary_code
from .store import Signal, repeated
from .text import Reference, found_in, resolved

FIRST_PAGE, MAX_PAGE, PAGE_SIZE = 50, 500, 4 * 1024 * 1024
"""Rows of a reader's first page and of any, and the characters that a page is kept near."""

POLL = 0.25
"""Seconds after which a subscription looks again, whether it was woken or not."""

BUSY = 5.0
"""Seconds that SQLite waits for another program's lock."""

_END = 2**63 - 1
_SELECT = f"SELECT {COLUMNS} FROM events WHERE"
_SELECT_ALL = f"{_SELECT} position > ? AND position <= ? ORDER BY position LIMIT ?"
_SELECT_REQUEST = f"{_SELECT} position > ? AND position <= ? AND correlation_id = ? ORDER BY position LIMIT ?"
_SELECT_STREAM = f"{_SELECT} version > ? AND version <= ? AND stream = ? AND position <= ? ORDER BY version LIMIT ?"
_SELECT_REFERENCES = """
SELECT events.stream, events.version, events.content FROM json_each(?) AS reference CROSS JOIN events
WHERE events.stream = json_extract(reference.value, '$[0]')
    AND events.version = json_extract(reference.value, '$[1]')
"""


class SQLiteStore:
    """An `EventStore` in one SQLite file, to be had from `open`."""

    def __init__(self, path: str, reader: _Connection, entropy: Callable[[int], bytes]) -> None:
        self._path, self._reader, self._entropy = path, reader, entropy
        self._committer: Committer | None = None
        self._appended = Signal()
        self._log_id, self._seen = "", 0
        self._closed = False
        self.cache: Cache | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: str | os.PathLike[str],
        *,
        mode: Literal["write", "read"] = "write",
        durability: Literal["disk", "process"] = "disk",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> AsyncGenerator[SQLiteStore]:
        """Open the log at `path`, for as long as the context lasts; on leaving, what was queued is committed.

        Args:
            mode: With `read`, nothing is made or written, and any number of processes may read at once.
            durability: With `disk`, what was appended survives a power cut; with `process`, the end of the
                process alone, however sudden.
            now: Gives the time of each commit, in UTC.
            entropy: Gives random bytes, as many as asked: the log's identity and salts.

        Raises:
            NotALog: `path` is a directory, another program's file, or (to read) not there.
            NewerFormat: A newer callboard made it.
            LogInUse: Another process, or this one, has it open for writing.
            LogUnwritable: The folder is missing, or it or the file may not be written.
        """
        log = _real(path)
        async with AsyncExitStack() as stack:
            writer = None
            if mode == "write":
                stack.enter_context(locked(log))
                writer = await stack.enter_async_context(_writing(log, durability))
            store = cls(log, await stack.enter_async_context(_reading(log)), entropy)
            if writer is not None:
                store.cache = FolderCache(folder_of(log))
                await stack.enter_async_context(store._committing(writer, now))
            await store._know_log()
            try:
                yield store
            finally:
                store._closed = True

    @asynccontextmanager
    async def _committing(self, writer: _Connection, now: Callable[[], datetime]) -> AsyncGenerator[None]:
        committer = self._committer = Committer(writer, now=now, appended=self._appended)
        with _unwritable(self._path):
            await committer.settle(must=False)
        group = anyio.create_task_group()
        await group.__aenter__()
        group.start_soon(committer.run)
        try:
            if committer.position == 0:
                await self.append("system", [_log_created(self._entropy)], expected_version=0)
            yield
        finally:
            committer.close()
            # As if nothing was raised: else the group would wrap what the user's own code raises.
            await group.__aexit__(None, None, None)

    async def _know_log(self) -> None:
        async for event in self.read_all(until=1):
            if isinstance(event.data, LogCreated):
                self._log_id = event.data.log_id
                await self._rows(f"{_SELECT} position > ? ORDER BY position DESC LIMIT 1", 0)
                return
        raise NotALog(self._path, "it does not begin with LogCreated")

    @property
    def path(self) -> str:
        """The file, under its one name."""
        return self._path

    @property
    def log_id(self) -> str:
        """The identity of this log."""
        return self._log_id

    @property
    def position(self) -> int:
        """The position of the newest event; when reading, of the newest that was read or found at the start."""
        return self._seen if self._committer is None else self._committer.position

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        """Append all of `events` to `stream`, or none; see `EventStore.append`.

        Raises:
            LogUnwritable: It is open for reading.
            StoreClosed: Its `async with` has ended.
        """
        if not events:
            return []
        if self._committer is None:
            raise LogUnwritable(self._path, "it is open for reading")
        await self._committer.room()
        rows = encode_all(stream, expected_version, events, self._entropy)
        appending = Appending(stream, expected_version, events, rows)
        self._committer.put(appending)
        await appending.ended.wait()
        outcome = appending.outcome
        if isinstance(outcome, WrongExpectedVersion | AppendRejected):
            outcome = await repeated(self, stream, events) or outcome
        if isinstance(outcome, list):
            return outcome
        assert outcome is not None
        raise outcome

    async def find(self, stream: str, key: str) -> RecordedEvent | None:
        """Return the event of `stream` that carries `key`."""
        rows = await self._rows(f"{_SELECT} stream = ? AND key = ?", stream, key)
        return next(await self._decoded(rows), None)

    async def texts(self, references: Collection[Reference]) -> dict[Reference, str]:
        """Return the texts at `references`; what was erased reads so, what the log does not hold is left out."""
        unread = await self._contents({(ref[0], ref[1]) for ref in references})
        return found_in(lambda stream, version: _array(unread[stream, version]), references)

    def read_stream(
        self, stream: str, *, after: int = 0, until: int | None = None, until_position: int | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        """Yield the events of `stream` past version `after`."""
        bounds = (
            _END if until is None else until,
            stream,
            _END if until_position is None else until_position,
        )
        return self._read(_SELECT_STREAM, Row._fields.index("version"), after, bounds)

    def read_all(
        self, *, after: int = 0, until: int | None = None, correlation_id: str | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        """Yield every event past position `after`."""
        bounds = (_END if until is None else until,)
        if correlation_id is None:
            return self._read(_SELECT_ALL, 0, after, bounds)
        return self._read(_SELECT_REQUEST, 0, after, (*bounds, correlation_id))

    async def subscribe(self, *, after: int = 0) -> AsyncGenerator[RecordedEvent]:
        """Yield every event past position `after`, then each new one as it is appended."""
        while True:
            appended = self._appended.next()
            async for event in self.read_all(after=after):
                after = event.position
                yield event
            with anyio.move_on_after(POLL):
                await appended.wait()

    async def _read(
        self, sql: str, column: int, after: int, bounds: tuple[object, ...]
    ) -> AsyncGenerator[RecordedEvent]:
        """Yield what `sql` selects, a page at a time; `column` is that by which it goes on."""
        limit = FIRST_PAGE
        while True:
            rows = await self._rows(sql, after, *bounds, limit)
            for event in await self._decoded(rows):
                yield event
            if len(rows) < limit:
                return
            before, after = after, cast(int, rows[-1][column])
            if after <= before:
                raise LogError(f"{self._path} cannot be read past {before}: its pages run in a circle")
            size = sum(len(str(row.data)) + len(str(row.content or "")) for row in rows)
            limit = max(1, min(MAX_PAGE, limit * PAGE_SIZE // size))

    async def _decoded(self, rows: list[Row]) -> Iterator[RecordedEvent]:
        """Return the events of `rows`, decoded one by one, with the texts that they refer to."""
        contents = {(row.stream, row.version): row for row in rows}
        wanted = {place for row in rows if "[" in str(row.data) for place in references(row)}
        unread = await self._contents(wanted - contents.keys())
        foreign: dict[tuple[object, object], list[str] | None] = {}

        def resolve(ref: Reference) -> str:
            place = ref[0], ref[1]
            if place not in foreign:
                foreign[place] = _array(unread[place]) if place in unread else texts(contents[place])
            return resolved(foreign[place], ref)

        return (recorded(row, decode(row, resolve)) for row in rows)

    async def _contents(self, places: set[tuple[str, int]]) -> dict[tuple[object, object], object]:
        found = await self._fetch(_SELECT_REFERENCES, to_json(list(places)).decode()) if places else []
        return {(stream, version): content for stream, version, content in found}

    async def _rows(self, sql: str, *parameters: object) -> list[Row]:
        rows = [Row._make(row) for row in cast(list[Row], await self._fetch(sql, *parameters))]
        if rows:
            self._seen = max(self._seen, rows[-1].position)
        return rows

    async def _fetch(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        if self._closed:
            raise StoreClosed
        try:
            return await self._reader.fetch(sql, parameters)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the second where the words of the first are damaged
            raise LogError(f"{self._path} cannot be read: {error}") from error


class _Connection:
    """A `Database`: a connection of aiosqlite's, with a thread that does not outlive the program."""

    def __init__(self, uri: str) -> None:
        self._connection = aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY)
        # Before 0.22 the connection is the thread. It would keep a program that forgot to close from ending.
        thread = cast(Thread, getattr(self._connection, "_thread", self._connection))
        thread.daemon = True

    @classmethod
    @asynccontextmanager
    async def open(cls, log: str, query: str) -> AsyncGenerator[_Connection]:
        """Connect to the file at `log`, until the context ends."""
        connection = cls(f"file:{quote(os.fsencode(log))}?{query}")
        with anyio.CancelScope(shield=True):
            await connection._connection
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


@asynccontextmanager
async def _writing(log: str, durability: Literal["disk", "process"]) -> AsyncGenerator[_Connection]:
    """Connect to `log` for writing; make it where there is none."""
    async with AsyncExitStack() as stack:
        with _unwritable(log):
            _make(log)
            connection = await stack.enter_async_context(_Connection.open(log, "mode=rw"))
            known = await identify(connection, log)
            [[journal]] = await connection.fetch("PRAGMA journal_mode = WAL")
            if journal != "wal":
                raise LogUnwritable(log, "its file system holds no write-ahead log")
            synchronous = "FULL" if durability == "disk" else "NORMAL"
            for setting in (f"synchronous = {synchronous}", "fullfsync = ON", "checkpoint_fullfsync = ON"):
                await connection.fetch(f"PRAGMA {setting}")
            if not known:
                await connection.script(SCHEMA)
        yield connection


@asynccontextmanager
async def _reading(log: str) -> AsyncGenerator[_Connection]:
    """Connect to `log` for reading, also where nothing may be written beside it."""
    _see(log)
    async with AsyncExitStack() as stack:
        attempt = AsyncExitStack()
        connection = await attempt.enter_async_context(_Connection.open(log, "mode=ro"))
        try:
            known = await identify(connection, log)
            stack.push_async_exit(attempt.pop_all())
        except sqlite3.OperationalError as error:
            if primary_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
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
async def _reading_alone(log: str) -> AsyncGenerator[_Connection]:
    """Connect to `log` where no shared memory can be made beside it, and so nobody writes to it now."""
    with tempfile.TemporaryDirectory(prefix="callboard-") as folder:
        copy = await anyio.to_thread.run_sync(_copy_with_wal, log, folder)
        opened = _Connection.open(copy, "mode=ro") if copy else _Connection.open(log, "mode=ro&immutable=1")
        async with opened as connection:
            yield connection


def _copy_with_wal(log: str, folder: str) -> str:
    """Return where in `folder` the log and its WAL are now; nowhere if all of it is in the log itself."""
    wal, copy = f"{log}-wal", f"{folder}/log"
    if not os.path.exists(wal) or os.path.getsize(wal) == 0:
        return ""
    shutil.copyfile(log, copy)
    shutil.copyfile(wal, f"{copy}-wal")
    return copy


def _real(path: str | os.PathLike[str]) -> str:
    """Return the one name of `path`: with two, two could lock it."""
    log = os.path.realpath(path)
    if os.path.isdir(log):
        raise NotALog(log, "it is a directory")
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
def _unwritable(log: str) -> Generator[None]:
    """Say of an error of the system or of SQLite that the log cannot be written."""
    try:
        yield
    except OSError as error:
        raise LogUnwritable(log, error.strerror or str(error)) from None
    except sqlite3.Error as error:
        raise LogUnwritable(log, str(error)) from None


def _log_created(entropy: Callable[[int], bytes]) -> NewEvent:
    return NewEvent(LogCreated(log_id=entropy(8).hex()))


def _array(content: object) -> list[str] | None:
    return None if content is None else cast(list[str], from_json(cast(str, content)))
