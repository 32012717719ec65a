"""The store that lives and dies with its process, for tests and simulation."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from datetime import UTC, datetime

from .cache import Cache, MemoryCache
from .codec import Row, decode, encode_all, placed, recorded, references, texts, to_micros
from .errors import AppendRejected, WrongExpectedVersion
from .event import NewEvent, RecordedEvent
from .life import SYSTEM, EventRedacted, LogCreated
from .redaction import Place, checked, redactions
from .store import MAX_PAGE, Signal, repeated
from .text import Reference, found_in, resolved


class MemoryStore:
    """An `EventStore` in lists of the same rows that a file would hold.

    Attributes:
        rows: The rows, oldest first.

    Args:
        now: Gives the time of each append, in UTC.
        entropy: Gives random bytes, as many as asked: the log's identity and salts.
        cache: Where what is derived from the log is kept; without one, in memory, too.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        entropy: Callable[[int], bytes] = os.urandom,
        cache: Cache | None = None,
    ) -> None:
        self.cache = cache or MemoryCache()
        self.rows: list[Row] = []
        self._streams: dict[str, list[int]] = {}
        self._keys: dict[tuple[str, str], int] = {}
        self._now, self._entropy = now, entropy
        self._appended = Signal()
        self._write(SYSTEM, [NewEvent(LogCreated(log_id=entropy(8).hex()))])

    @property
    def log_id(self) -> str:
        """The identity of this log."""
        created = self._read(0).data
        assert isinstance(created, LogCreated)
        return created.log_id

    @property
    def position(self) -> int:
        """The position of the newest event."""
        return len(self.rows)

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        """Append all of `events` to `stream`, or none."""
        if not events:
            return []
        if stream == SYSTEM:
            raise AppendRejected(stream, "only the store itself appends to it")
        if (first := await repeated(self, stream, events)) is not None:
            return first
        actual = len(self._streams.get(stream, ()))
        if actual != expected_version:
            raise WrongExpectedVersion(stream, expected=expected_version, actual=actual)
        keys = [event.data.key for event in events if event.data.key is not None]
        if len(set(keys)) < len(keys):
            raise AppendRejected(stream, "two events have one key")
        return self._write(stream, events)

    def _write(self, stream: str, events: Sequence[NewEvent]) -> list[RecordedEvent]:
        version = len(self._streams.get(stream, ()))
        rows = encode_all(stream, version, events, self._entropy)
        now, written = to_micros(self._now()), list[RecordedEvent]()
        for row, event in zip(rows, events, strict=True):
            previous = self.rows[-1].chain if self.rows else b""
            row = placed(row, position=len(self.rows) + 1, recorded_at=now, previous=previous)
            self._streams.setdefault(stream, []).append(len(self.rows))
            if row.key is not None:
                self._keys[stream, row.key] = len(self.rows)
            self.rows.append(row)
            written.append(recorded(row, event.data))
        self._appended.notify()
        return written

    async def redact(self, places: Sequence[Place], *, reason: str) -> list[RecordedEvent]:
        """Erase the texts that the events at `places` said first, for good, and record that."""
        rows = list(dict.fromkeys(self._checked(place) for place in places))
        new = redactions(rows, reason)
        for row in rows:
            self.rows[row.position - 1] = row._replace(content=None, salt=None)
        return self._write(SYSTEM, new) if new else []

    def _checked(self, place: Place) -> Row:
        index = place - 1 if isinstance(place, int) else self._index(*place)
        row = self.rows[index] if 0 <= index < len(self.rows) else None
        told = references(row) if row is not None and row.content is None else []
        first = [index + 1 for one in told if (index := self._index(*one)) >= 0]
        return checked(place, row, before=row is not None and (row.stream, row.version) in self._redacted, first=first)

    def _index(self, stream: str, version: int) -> int:
        known = self._streams.get(stream, [])
        return known[version - 1] if 0 < version <= len(known) else -1

    @property
    def _redacted(self) -> set[tuple[str, int]]:
        events = [self._read(index).data for index in self._streams[SYSTEM]]
        return {(event.stream, event.version) for event in events if isinstance(event, EventRedacted)}

    async def pages(self, *, after: int = 0) -> AsyncGenerator[list[Row]]:
        """Yield every row past position `after` as it is kept, a page at a time."""
        while page := self.rows[max(after, 0) : max(after, 0) + MAX_PAGE]:
            yield page
            after = page[-1].position

    async def find(self, stream: str, key: str) -> RecordedEvent | None:
        """Return the event of `stream` that carries `key`."""
        index = self._keys.get((stream, key))
        return None if index is None else self._read(index)

    async def texts(self, references: Collection[Reference]) -> dict[Reference, str]:
        """Return the texts at `references`; what the log does not hold is left out."""
        return found_in(self._texts, references)

    async def read_stream(
        self, stream: str, *, after: int = 0, until: int | None = None, until_position: int | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        """Yield the events of `stream` past version `after`."""
        for index in self._streams.get(stream, [])[max(after, 0) : until]:
            if until_position is None or index < until_position:
                yield self._read(index)

    async def read_all(
        self, *, after: int = 0, until: int | None = None, correlation_id: str | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        """Yield every event past position `after`."""
        last = len(self.rows) if until is None else min(until, len(self.rows))
        for index in range(max(after, 0), last):
            if correlation_id is None or self.rows[index].correlation_id == correlation_id:
                yield self._read(index)

    async def subscribe(self, *, after: int = 0) -> AsyncGenerator[RecordedEvent]:
        """Yield every event past position `after`, then each new one as it is appended."""
        while True:
            appended = self._appended.next()
            async for event in self.read_all(after=after):
                after = event.position
                yield event
            await appended.wait()

    def _read(self, index: int) -> RecordedEvent:
        row = self.rows[index]
        return recorded(row, decode(row, self._resolve))

    def _resolve(self, ref: Reference) -> str:
        return resolved(self._texts(ref[0], ref[1]), ref)

    def _texts(self, stream: str, version: int) -> list[str] | None:
        return texts(self.rows[self._streams[stream][version - 1]])
