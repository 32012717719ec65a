"""What a store of events does. `MemoryStore` and `SQLiteStore` do it, under one test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Protocol
from weakref import ref

import anyio

from .cache import Cache
from .errors import KeyReused
from .event import NewEvent, RecordedEvent
from .text import Reference

MAX_PAGE = 500
"""Most rows that are read at once."""


class EventStore(Protocol):
    """An append-only log of events, cut into streams. Its first event is `LogCreated`, in `system`."""

    @property
    def log_id(self) -> str:
        """The identity of this log."""
        ...

    @property
    def position(self) -> int:
        """The position of the newest event that this store knows of."""
        ...

    @property
    def cache(self) -> Cache | None:
        """Where what is derived from this log may be kept; None where nothing is, as when it is only read."""
        ...

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        """Append all of `events` to `stream`, or none; return them when they are durable.

        Keys are looked up before the version: an append whose keys are known returns the first one.
        No events change nothing. A caller that is cancelled does not undo its append.

        Raises:
            KeyReused: A key of `events` stands in `stream` with other content or in other company.
            WrongExpectedVersion: `stream` is at another version than `expected_version`.
            AppendRejected: An event cannot be stored, or the disk has no room; nothing was written.
            OutcomeUnknown: It may have been written.
            Fenced: Another process has taken the log over; this one must end.
        """
        ...

    async def find(self, stream: str, key: str) -> RecordedEvent | None:
        """Return the event of `stream` that carries `key`."""
        ...

    async def texts(self, references: Collection[Reference]) -> dict[Reference, str]:
        """Return the texts at `references`; what was erased reads so, what the log does not hold is left out."""
        ...

    def read_stream(
        self, stream: str, *, after: int = 0, until: int | None = None, until_position: int | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        """Yield the events of `stream` past version `after`, up to version `until` and `until_position`."""
        ...

    def read_all(
        self, *, after: int = 0, until: int | None = None, correlation_id: str | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        """Yield every event past position `after`, up to position `until`, of one request or of all."""
        ...

    def subscribe(self, *, after: int = 0) -> AsyncGenerator[RecordedEvent]:
        """Yield every event past position `after`, then each new one as it is appended."""
        ...


class Signal:
    """Wakes all that wait, each time; take it before you look, else what comes between is missed.

    Each waits for an event of its own, since one that was waited for in one event loop is of no use in the next.
    """

    def __init__(self) -> None:
        self._waiting: list[ref[anyio.Event]] = []

    def __reduce__(self) -> tuple[type[Signal], tuple[()]]:
        """Let a store be copied to another process; who waits stays here."""
        return Signal, ()

    def next(self) -> anyio.Event:
        """Return what is set at the next `notify`."""
        event = anyio.Event()
        self._waiting = [*(known for known in self._waiting if known() is not None), ref(event)]
        return event

    def notify(self) -> None:
        """Wake all that wait."""
        waiting, self._waiting = self._waiting, []
        for known in waiting:
            if (event := known()) is not None:
                event.set()


async def event_at(store: EventStore, position: int) -> RecordedEvent:
    """Return the event at a position that the log has."""
    [event] = [event async for event in store.read_all(after=position - 1, until=position)]
    return event


async def repeated(store: EventStore, stream: str, events: Sequence[NewEvent]) -> list[RecordedEvent] | None:
    """Return the append that `events` repeat; None where no key of theirs is known.

    Raises:
        KeyReused: A key is known with other content, or in other company.
    """
    for i, event in enumerate(events):
        key = event.data.key
        if key is None or (known := await store.find(stream, key)) is None:
            continue
        start = known.version - i
        reader = store.read_stream(stream, after=start - 1, until=start - 1 + len(events))
        first = [event async for event in reader] if start > 0 else []
        if [old.data for old in first] != [new.data for new in events]:
            raise KeyReused(stream, key)
        return first
    return None
