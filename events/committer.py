"""The one task that writes to a log, and commits at once whatever has queued up meanwhile."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from itertools import chain
from typing import cast

import anyio
from anyio.to_thread import run_sync
from pydantic_core import to_json

from .anchor import Anchor, Head
from .codec import Row, placed, recorded, to_micros
from .errors import (
    AppendRejected,
    Fenced,
    OutcomeUnknown,
    RedactionRefused,
    RedactionUnfinished,
    WrongExpectedVersion,
)
from .queue import Appending, Queue
from .schema import COLUMNS, EPOCH, Database, primary_code
from .store import Signal

ANCHOR_SYNC = 1.0
"""Seconds after which what the anchor says survives a power cut."""

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


class Committer:
    """The writer of a log: gives appends their places, in the order they came, and makes them durable.

    What keeps a writer that was taken over from writing is the chain: each INSERT names the event that it goes
    behind, the newest that this writer has read, and wants it to be the last. Its successor's `WriterOpened` stands
    behind that, also where it has accepted that events were lost. Nothing is inserted; the head is read again, with the
    epoch in the same statement, and the epoch is not ours.
    """

    def __init__(self, path: str, database: Database, *, now: Callable[[], datetime], appended: Signal) -> None:
        self._path, self._database, self._now, self._appended = path, database, now, appended
        self.queue = Queue()
        self._position = 0
        self._chain: bytes = b""
        self._heads: dict[str, int] = {}
        self._in_doubt = True
        self._epoch, self._fenced = 0, cast(Fenced | None, None)
        self._anchor: tuple[Anchor, str] | None = None
        self._file: tuple[int, int] | None = None
        self._unsynced = anyio.Event()

    def own(self, epoch: int, anchor: Anchor, log_id: str) -> None:
        """Append as the writer of `epoch` from here on, and say in `anchor` how far the log has come.

        Raises:
            OSError: The anchor cannot be written.
        """
        self._epoch, self._anchor = epoch, (anchor, log_id)
        self._file = _identity(self._path)
        self._point()

    @property
    def head(self) -> tuple[int, bytes]:
        """Position and chain of the last event that is committed; 0 and nothing in a new log."""
        return self._position, self._chain

    def close(self) -> None:
        """Let go of the anchor, when `run` has ended."""
        if self._anchor is not None:
            self._anchor[0].close()

    async def run(self) -> None:
        """Commit what is queued until `close`. To be run once, by the store."""
        batch: list[Appending] = []
        try:
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._sync_anchor)
                    while batch := await self.queue.next():
                        try:
                            await self._commit(batch)
                        except Fenced as error:
                            self._fenced = error
                            for appending in batch:
                                if appending.outcome is None:
                                    appending.end(Fenced(self._path, epoch=error.epoch, newest=error.newest))
                    with suppress(OSError):  # it says what it said a second ago, and the log is whole
                        await self._sync()
                    group.cancel_scope.cancel()
        finally:
            self.queue.close()
            for appending in (*batch, *self.queue):
                if appending.outcome is None:
                    appending.end(OutcomeUnknown(appending.stream, "the committer stopped"))

    async def _sync_anchor(self) -> None:
        while True:
            await self._unsynced.wait()
            try:
                await self._sync()
            except OSError:
                self._in_doubt = True  # the next append has it written and synced again first, or is rejected
            await anyio.sleep(ANCHOR_SYNC)

    async def _sync(self) -> None:
        if self._anchor is not None and self._unsynced.is_set():
            self._unsynced = anyio.Event()
            await run_sync(self._anchor[0].sync)

    def _point(self) -> None:
        """Have the anchor say how far the log has come."""
        if self._anchor is not None:
            self.look_for_file()
            anchor, log_id = self._anchor
            anchor.write(Head(log_id, self._epoch, self._position, self._chain))
            self._unsynced.set()

    def look_for_file(self) -> None:
        """See that the log is still the file that was opened: what is written to a deleted one is gone at the end.

        Raises:
            FileNotFoundError: It was removed, or another stands in its place.
        """
        if self._file is not None and _identity(self._path) != self._file:
            raise FileNotFoundError(f"{self._path} was removed or replaced while it was open")

    async def _commit(self, batch: list[Appending]) -> None:
        try:
            if self._fenced:
                raise self._fenced
            self.look_for_file()
            if self._in_doubt:
                await self.settle()
            await self._load_heads({appending.stream for appending in batch})
        except (sqlite3.Error, OSError) as error:
            return _end(batch, AppendRejected, f"the log cannot be read: {error}")
        taken, rows = self._place(batch)
        try:
            if rows:
                await self._write(rows, batch[0].erased)
        except sqlite3.IntegrityError as error:
            await self._one_by_one(batch, error)
        except (sqlite3.Error, MemoryError, ValueError) as error:
            await self._failed(batch, error)
        except RedactionRefused as error:
            batch[0].end(error)
        else:
            await self._committed(batch, taken, rows)

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

    async def _write(self, rows: list[Row], erased: Sequence[int]) -> None:
        widest = WIDTHS[-1]
        if len(rows) <= widest and not erased:
            return await self._insert(rows, self._chain)
        await self._database.fetch("BEGIN IMMEDIATE")
        if erased:
            await self._erase(erased)
        for start in range(0, len(rows), widest):
            await self._insert(rows[start : start + widest], rows[start - 1].chain if start else self._chain)
        await self._database.fetch("COMMIT")

    async def _erase(self, positions: Sequence[int]) -> None:
        sql = (
            "UPDATE events SET content = NULL, salt = NULL WHERE content IS NOT NULL"
            " AND position IN (SELECT value FROM json_each(?)) RETURNING position"
        )
        done = await self._database.fetch(sql, [to_json(positions).decode()])
        if gone := {*positions} - {position for (position,) in done}:
            await self._roll_back()
            raise RedactionRefused(f"position {min(gone)}", "was redacted before")

    async def _insert(self, rows: list[Row], after: bytes) -> None:
        """Insert `rows` behind the event whose chain is `after`; where that is not the last one, nothing."""
        width = next(width for width in WIDTHS if width >= len(rows))
        values = [*chain.from_iterable(rows), *_NO_ROW * (width - len(rows)), after or None]
        last = await self._database.insert(_statement(width), values)
        if last < rows[0].position:  # nothing was inserted; what this connection wrote before is told
            raise sqlite3.IntegrityError("another event stands last")
        if last != rows[-1].position:
            raise sqlite3.DatabaseError(f"position {rows[-1].position} was wanted, {last} was given")

    async def _committed(self, batch: list[Appending], taken: dict[Appending, int], rows: list[Row]) -> None:
        unfinished = None
        if rows:
            self._position, self._chain = rows[-1].position, rows[-1].chain
            try:
                self._point()
            except OSError as error:
                self._in_doubt = True
                return _end(batch, OutcomeUnknown, f"the anchor cannot be written: {error}")
            if batch[0].erased:
                unfinished = await self._wipe(batch[0].erased)
        for appending, start in taken.items():
            self._heads[appending.stream] = appending.expected_version + len(appending.rows)
            written = rows[start : start + len(appending.rows)]
            pairs = zip(written, appending.events, strict=True)
            appending.end(unfinished or [recorded(row, event.data) for row, event in pairs])
        for appending in batch:
            if appending not in taken:
                appending.end(_conflict(appending, self._heads[appending.stream]))
        while len(self._heads) > MAX_HEADS:
            del self._heads[next(iter(self._heads))]
        if rows:
            self._appended.notify()

    async def _wipe(self, erased: Sequence[int]) -> RedactionUnfinished | None:
        """Leave no byte of erased texts in the file and its WAL."""
        try:
            await self.settle()
        except (sqlite3.Error, OSError) as error:
            return RedactionUnfinished(self._path, erased, str(error))
        return None

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
        except (sqlite3.Error, OSError):
            unwritten, self._in_doubt = False, True
        _end(batch, AppendRejected if unwritten else OutcomeUnknown, str(error) or type(error).__name__)

    async def settle(self, *, must: bool = True) -> None:
        """Make what the file holds durable and certain, and read it again.

        A commit that failed at the disk may have left its frames in the WAL, where only a restart would
        find them. A full checkpoint writes what counts to the log itself and cuts the rest off; it `must`,
        unless nothing has failed here.

        Raises:
            sqlite3.Error: Not now; nothing may be written before it succeeds.
            OSError: The same, since its anchor cannot be written.
            Fenced: Never.
        """
        await self._roll_back()
        [[busy, *_]] = await self._database.fetch("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy and must:
            raise sqlite3.OperationalError("a reader keeps the log from being checkpointed")
        await self._load()
        self._point()
        await self._sync()
        self._in_doubt = False
        self._appended.notify()

    async def _roll_back(self) -> None:
        if self._database.in_transaction:
            await self._database.fetch("ROLLBACK")

    async def _load(self) -> None:
        """Read where the log ends, and whose it is."""
        last = await self._database.fetch(f"SELECT position, chain, {EPOCH} FROM events ORDER BY position DESC LIMIT 1")
        found = cast(list[tuple[int, bytes, int | None]], last)
        position, chained, epoch = found[0] if found else (0, b"", None)
        if self._epoch and epoch != self._epoch:
            raise Fenced(self._path, epoch=self._epoch, newest=epoch or 0)
        if position < self._position or (position == self._position and chained != self._chain):
            raise sqlite3.DatabaseError(f"it ends at position {position}, but {self._position} was acknowledged")
        self._heads.clear()
        self._position, self._chain = position, chained

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


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


@cache
def _statement(width: int) -> str:
    rows = ",".join([_ONE_ROW] * width)
    last = "(SELECT chain FROM events ORDER BY position DESC LIMIT 1)"
    return f"INSERT INTO events ({COLUMNS}) SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL AND {last} IS ?"


def _conflict(appending: Appending, actual: int) -> WrongExpectedVersion:
    return WrongExpectedVersion(appending.stream, expected=appending.expected_version, actual=actual)


def _end(batch: list[Appending], kind: type[AppendRejected] | type[OutcomeUnknown], why: str) -> None:
    for appending in batch:
        appending.end(kind(appending.stream, why))
