"""The store in one SQLite file: one task writes, everybody reads in pages."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Literal, cast

import anyio
from anyio.to_thread import run_sync
from pydantic_core import from_json, to_json

from . import cache
from .cache import Cache, FolderCache
from .codec import Row, decode, recorded, references, texts
from .connection import Connection, reading, real_path, unwritable
from .errors import (
    AppendRejected,
    Fenced,
    LogError,
    LogUnwritable,
    NotALog,
    RedactionUnfinished,
    StoreClosed,
    WrongExpectedVersion,
)
from .event import NewEvent, RecordedEvent
from .life import SYSTEM, LogCreated
from .redaction import Place, checked, redactions
from .schema import COLUMNS, EPOCH
from .store import MAX_PAGE, Signal, repeated
from .text import Reference, found_in, resolved
from .writer import Writer

FIRST_PAGE, PAGE_SIZE = 50, 4 * 1024 * 1024
"""Rows of a reader's first page, and the characters that any is kept near."""

POLL = 0.25
"""Seconds after which a subscription looks again, whether it was woken or not."""

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


_REDACTED = f"""
SELECT 1 FROM events WHERE stream = '{SYSTEM}' AND type = 'EventRedacted'
    AND json_extract(data, '$.stream') = ? AND json_extract(data, '$.version') = ?
"""


class SQLiteStore:
    """An `EventStore` in one SQLite file, to be had from `open`."""

    def __init__(self, path: str, reader: Connection, writer: Writer | None, appended: Signal) -> None:
        self._path, self._reader, self._writer = path, reader, writer
        self._appended = appended
        self._log_id, self._seen = "", 0
        self._closed = False
        self.cache: Cache | None = None if writer is None else FolderCache(cache.folder_of(path))

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: str | os.PathLike[str],
        *,
        mode: Literal["write", "read"] = "write",
        durability: Literal["disk", "process"] = "disk",
        takeover: bool = False,
        accept_loss: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> AsyncGenerator[SQLiteStore]:
        """Open the log at `path`, for as long as the context lasts; on leaving, what was queued is committed.

        Args:
            mode: With `read`, nothing is made or written, and any number of processes may read at once.
            durability: With `disk`, what was appended survives a power cut; with `process`, the end of the
                process alone, however sudden. Then a power cut can leave a log that is found to have lost events.
            takeover: Write although another process owns the log, which from then on can append nothing (`Fenced`).
                For an owner that hangs; what it had begun outside may still be running.
            accept_loss: Why it is right to go on although events were lost or altered: recorded as `LossAccepted`.
                Where nothing was lost, it changes nothing.
            now: Gives the time of each commit, in UTC.
            entropy: Gives random bytes, as many as asked: the log's identity and salts.

        Raises:
            NotALog: `path` is a directory, another program's file, or (to read) not there.
            NewerFormat: A newer callboard made it.
            LogInUse: Another process, or this one, has it open for writing.
            LogUnwritable: The folder is missing, or it or the file may not be written.
            LossFound: To write: it is not what was acknowledged. Nothing was touched.
        """
        log, appended = real_path(path), Signal()
        async with AsyncExitStack() as stack:
            writer = None
            if mode == "write":
                opened = Writer.open(
                    log, appended, now, entropy, durability=durability, takeover=takeover, accept_loss=accept_loss
                )
                writer = await stack.enter_async_context(opened)
            store = cls(log, await stack.enter_async_context(reading(log)), writer, appended)
            await store._know_log()
            try:
                yield store
            finally:
                store._closed = True

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
        return self._seen if self._writer is None else self._writer.position

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        """Append all of `events` to `stream`, or none; see `EventStore.append`.

        Raises:
            LogUnwritable: It is open for reading.
            StoreClosed: Its `async with` has ended.
        """
        if not events:
            return []
        if stream == SYSTEM:
            raise AppendRejected(stream, "only the store itself appends to it")
        writer = self._may_write()
        outcome = await writer.append(stream, events, expected_version=expected_version)
        if isinstance(outcome, WrongExpectedVersion | AppendRejected):
            if first := await repeated(self, stream, events):
                await self._check_epoch(writer)  # else it is its successor's append that we would take for ours
                return first
        if isinstance(outcome, list):
            return outcome
        raise outcome

    async def redact(self, places: Sequence[Place], *, reason: str) -> list[RecordedEvent]:
        """Erase the texts that the events at `places` said first, for good, and record that, all or nothing.

        When this returns, the texts are in none of the log's files; readers see `ERASED` in their place, and
        where they were passed on. The disk may still hold blocks of files that were.

        Raises:
            RedactionRefused: An event is not there, says no text of its own, or was redacted before.
            RedactionUnfinished: They are erased and recorded, but their bytes are still in a file.
            LogUnwritable: It is open for reading.
        """
        writer = self._may_write()
        rows = {row.position: row for row in [await self.redactable(place) for place in places]}
        if not rows:
            return []
        with unwritable(self._path):
            await run_sync(cache.delete, self._path)
        written = await writer.record(lambda: redactions(list(rows.values()), reason), erased=list(rows))
        try:
            await run_sync(cache.delete, self._path)  # again: it may have been filled meanwhile
        except OSError as error:
            raise RedactionUnfinished(self._path, list(rows), str(error)) from None
        return written

    def _may_write(self) -> Writer:
        if self._closed:
            raise StoreClosed
        if self._writer is None:
            raise LogUnwritable(self._path, "it is open for reading")
        return self._writer

    async def _check_epoch(self, writer: Writer) -> None:
        [[newest]] = await self._fetch(f"SELECT {EPOCH}")
        if newest != writer.epoch:
            raise Fenced(self._path, epoch=writer.epoch, newest=cast(int, newest))

    async def redactable(self, place: Place) -> Row:
        """Return the row at `place`, if its texts can be erased.

        Raises:
            RedactionRefused: It is not there, says no text of its own, or was redacted before.
        """
        if isinstance(place, int) and place > _END:  # more than SQLite can look for
            rows = []
        elif isinstance(place, int):
            rows = await self._rows(f"{_SELECT} position = ?", place)
        else:
            rows = await self._rows(f"{_SELECT} stream = ? AND version = ?", *place)
        row = rows[0] if rows else None
        gone = row is not None and row.content is None and await self._fetch(_REDACTED, row.stream, row.version)
        told = references(row) if row is not None and row.content is None else []
        pages = [await self._rows(f"{_SELECT} stream = ? AND version = ?", *one) for one in told]
        return checked(place, row, before=bool(gone), first=[one.position for page in pages for one in page])

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

    async def pages(self, *, after: int = 0) -> AsyncGenerator[list[Row]]:
        """Yield every row past position `after` as it is stored, a page at a time; nothing is decoded."""
        async for page in self._selected(_SELECT_ALL, 0, after, (_END,)):
            yield page

    async def _read(
        self, sql: str, column: int, after: int, bounds: tuple[object, ...]
    ) -> AsyncGenerator[RecordedEvent]:
        """Yield the events that `sql` selects; `column` is that by which it goes on."""
        async for page in self._selected(sql, column, after, bounds):
            for event in await self._decoded(page):
                yield event

    async def _selected(
        self, sql: str, column: int, after: int, bounds: tuple[object, ...]
    ) -> AsyncGenerator[list[Row]]:
        limit = FIRST_PAGE
        while page := await self._rows(sql, after, *bounds, limit):
            yield page
            if len(page) < limit:
                return
            before, after = after, cast(int, page[-1][column])
            if after <= before:
                raise LogError(f"{self._path} cannot be read past {before}: its pages run in a circle")
            size = sum(len(str(row.data)) + len(str(row.content or "")) for row in page)
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
        if self._writer is not None:
            self._writer.look_for_file()
        try:
            return await self._reader.fetch(sql, parameters)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the second where the words of the first are damaged
            raise LogError(f"{self._path} cannot be read: {error}") from error


def _array(content: object) -> list[str] | None:
    return None if content is None else cast(list[str], from_json(cast(str, content)))
