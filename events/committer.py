"""The one task that writes to a log, and commits at once whatever has queued up meanwhile."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain
from typing import cast

import anyio

from .codec import Row, forget, placed, recorded, to_micros
from .errors import AppendRejected, LogError, OutcomeUnknown, StoreClosed, WrongExpectedVersion
from .event import NewEvent, RecordedEvent
from .schema import COLUMNS, Database, primary_code
from .store import Signal

MAX_BATCH, MAX_BATCH_SIZE = 512, 4 * 1024 * 1024
"""Most appends of one commit, and the characters after which no further one joins."""

MAX_WAITING, MAX_WAITING_SIZE = 1024, 16 * 1024 * 1024
"""Appends, and characters, in the queue after which a caller waits for room."""

MAX_HEADS = 10_000
"""Streams whose version is held in memory."""

WIDTHS = (1, 2, 3, *(step << power for power in range(7) for step in (4, 5, 6, 7)), 512)
"""Rows of one INSERT: few different statements, so that each is prepared once. Unused rows are NULL."""

UNWRITTEN = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_TOOBIG,
}
"""Errors that SQLite gives before the commit frame is written, so that nothing of the batch is."""

_NO_ROW = (None,) * len(Row._fields)
_ONE_ROW = f"({','.join('?' * len(Row._fields))})"


@dataclass(slots=True, eq=False)
class Appending:
    """An append in the queue, and in `outcome` what came of it once `ended` is set."""

    stream: str
    expected_version: int
    events: Sequence[NewEvent]
    rows: list[Row]
    size: int = field(init=False)
    outcome: list[RecordedEvent] | LogError | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.size = sum(len(row.data) + len(row.content or "") for row in self.rows)

    def end(self, outcome: list[RecordedEvent] | LogError) -> None:
        """Tell the caller; texts of what was not written forget the place they were promised."""
        if isinstance(outcome, LogError):
            for event, row in zip(self.events, self.rows, strict=True):
                forget(event.data, row.stream, row.version)
        self.outcome = outcome
        self.ended.set()


class Committer:
    """The writer of a log: gives appends their places, in the order they came, and makes them durable."""

    def __init__(self, database: Database, *, now: Callable[[], datetime], appended: Signal) -> None:
        self._database, self._now, self._appended = database, now, appended
        self._waiting: deque[Appending] = deque()
        self._waiting_size = 0
        self._work, self._taken = anyio.Event(), Signal()
        self._closed = self._callers_wait = False
        self._position, self._chain = 0, b""
        self._heads: dict[str, int] = {}
        self._in_doubt = True

    @property
    def position(self) -> int:
        """Position of the last event that is committed."""
        return self._position

    def close(self) -> None:
        """Take no more appends; `run` ends when the last is committed."""
        self._closed = True
        self._work.set()

    async def room(self) -> None:
        """Wait until the queue takes another append.

        Raises:
            StoreClosed: It never will.
        """
        while len(self._waiting) >= MAX_WAITING or self._waiting_size >= MAX_WAITING_SIZE:
            self._callers_wait = True
            await self._taken.next().wait()
        if self._closed:
            raise StoreClosed

    def put(self, appending: Appending) -> None:
        """Queue `appending`; from here on it comes to its end whatever becomes of the caller."""
        self._waiting.append(appending)
        self._waiting_size += appending.size
        self._work.set()

    async def run(self) -> None:
        """Commit what is queued until `close`. To be run once, by the store."""
        batch: list[Appending] = []
        try:
            with anyio.CancelScope(shield=True):
                while batch := await self._next():
                    await self._commit(batch)
        finally:
            self._closed = True
            for appending in (*batch, *self._waiting):
                if appending.outcome is None:
                    appending.end(OutcomeUnknown(appending.stream, "the committer stopped"))

    async def _next(self) -> list[Appending]:
        """Return all that waits, as far as it fits one commit; nothing after `close`."""
        while not self._waiting and not self._closed:
            self._work = anyio.Event()
            await self._work.wait()
        batch: list[Appending] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH and size < MAX_BATCH_SIZE:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        self._waiting_size -= size
        if self._callers_wait:
            self._callers_wait = False
            self._taken.notify()
        return batch

    async def _commit(self, batch: list[Appending]) -> None:
        try:
            if self._in_doubt:
                await self.settle()
            await self._load_heads({appending.stream for appending in batch})
        except sqlite3.Error as error:
            return _end(batch, AppendRejected, f"the log cannot be read: {error}")
        taken, rows = self._place(batch)
        try:
            if rows:
                await self._write(rows)
        except sqlite3.IntegrityError as error:
            await self._one_by_one(batch, error)
        except (sqlite3.Error, MemoryError, ValueError) as error:
            await self._failed(batch, error)
        else:
            self._committed(batch, taken, rows)

    def _place(self, batch: list[Appending]) -> tuple[dict[Appending, int], list[Row]]:
        """Return the appends of `batch` at the right version, each with its first row, and all rows."""
        now, position, previous = to_micros(self._now()), self._position, self._chain
        heads: dict[str, int] = {}
        taken, rows = dict[Appending, int](), list[Row]()
        for appending in batch:
            stream = appending.stream
            if heads.get(stream, self._heads[stream]) != appending.expected_version:
                continue
            heads[stream] = appending.expected_version + len(appending.rows)
            taken[appending] = len(rows)
            for row in appending.rows:
                position += 1
                row = placed(row, position=position, recorded_at=now, previous=previous)
                previous = row.chain
                rows.append(row)
        return taken, rows

    async def _write(self, rows: list[Row]) -> None:
        widest = WIDTHS[-1]
        if len(rows) <= widest:
            return await self._insert(rows)
        await self._database.fetch("BEGIN IMMEDIATE")
        for start in range(0, len(rows), widest):
            await self._insert(rows[start : start + widest])
        await self._database.fetch("COMMIT")

    async def _insert(self, rows: list[Row]) -> None:
        width = next(width for width in WIDTHS if width >= len(rows))
        values = [*chain.from_iterable(rows), *_NO_ROW * (width - len(rows))]
        last = await self._database.insert(_statement(width), values)
        if last != rows[-1].position:
            raise sqlite3.DatabaseError(f"position {rows[-1].position} was wanted, {last} was given")

    def _committed(self, batch: list[Appending], taken: dict[Appending, int], rows: list[Row]) -> None:
        if rows:
            self._position, self._chain = rows[-1].position, rows[-1].chain
        for appending, start in taken.items():
            self._heads[appending.stream] = appending.expected_version + len(appending.rows)
            written = rows[start : start + len(appending.rows)]
            pairs = zip(written, appending.events, strict=True)
            appending.end([recorded(row, event.data) for row, event in pairs])
        for appending in batch:
            if appending not in taken:
                appending.end(_conflict(appending, self._heads[appending.stream]))
        while len(self._heads) > MAX_HEADS:
            del self._heads[next(iter(self._heads))]
        if rows:
            self._appended.notify()

    async def _one_by_one(self, batch: list[Appending], error: sqlite3.IntegrityError) -> None:
        """Commit each append by itself, so that only the one with a known key fails.

        If the log has grown without us, its new end is taken first: someone went round the lock.
        """
        position = self._position
        try:
            await self._roll_back()
            await self._load()
            await self._load_heads({appending.stream for appending in batch})
        except sqlite3.Error as second:
            self._in_doubt = True
            return _end(batch, AppendRejected, f"{error}; then {second}")
        if len(batch) > 1 or self._position != position:
            for appending in batch:
                await self._commit([appending])
            return
        appending = batch[0]
        actual = self._heads[appending.stream]
        if actual != appending.expected_version:
            appending.end(_conflict(appending, actual))
        else:
            appending.end(AppendRejected(appending.stream, f"two events have one key ({error})"))

    async def _failed(self, batch: list[Appending], error: Exception) -> None:
        unwritten = primary_code(error) in UNWRITTEN
        try:
            await self._roll_back()
            if not unwritten:
                self._in_doubt = True
                await self.settle()
        except sqlite3.Error:
            unwritten, self._in_doubt = False, True
        _end(batch, AppendRejected if unwritten else OutcomeUnknown, str(error) or type(error).__name__)

    async def settle(self, *, must: bool = True) -> None:
        """Make what the file holds durable and certain, and read it again.

        A commit that failed at the disk may have left its frames in the WAL, where only a restart would
        find them. A full checkpoint writes what counts to the log itself and cuts the rest off; it `must`,
        unless nothing has failed here.

        Raises:
            sqlite3.Error: Not now; nothing may be written before it succeeds.
        """
        await self._roll_back()
        [[busy, *_]] = await self._database.fetch("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy and must:
            raise sqlite3.OperationalError("a reader keeps the log from being checkpointed")
        await self._load()
        self._in_doubt = False
        self._appended.notify()

    async def _roll_back(self) -> None:
        if self._database.in_transaction:
            await self._database.fetch("ROLLBACK")

    async def _load(self) -> None:
        last = await self._database.fetch("SELECT position, chain FROM events ORDER BY position DESC LIMIT 1")
        self._heads.clear()
        self._position, self._chain = cast(list[tuple[int, bytes]], last)[0] if last else (0, b"")

    async def _load_heads(self, streams: set[str]) -> None:
        if not (unknown := [stream for stream in streams if stream not in self._heads]):
            return
        sql = (
            "SELECT column1, (SELECT max(version) FROM events WHERE stream = column1)"
            f" FROM (VALUES {','.join(['(?)'] * len(unknown))})"
        )
        for stream, version in await self._database.fetch(sql, unknown):
            assert isinstance(stream, str) and isinstance(version, int | None)
            self._heads[stream] = version or 0


@cache
def _statement(width: int) -> str:
    rows = ",".join([_ONE_ROW] * width)
    return f"INSERT INTO events ({COLUMNS}) SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"


def _conflict(appending: Appending, actual: int) -> WrongExpectedVersion:
    return WrongExpectedVersion(appending.stream, expected=appending.expected_version, actual=actual)


def _end(batch: list[Appending], kind: type[AppendRejected] | type[OutcomeUnknown], why: str) -> None:
    for appending in batch:
        appending.end(kind(appending.stream, why))
