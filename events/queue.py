"""What waits to be written to a log, in the order it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import anyio

from .codec import Row, forget
from .errors import LogError, StoreClosed
from .event import NewEvent, RecordedEvent
from .store import Signal

MAX_BATCH, MAX_BATCH_SIZE = 512, 4 * 1024 * 1024
"""Most appends of one commit, and the characters after which no further one joins."""

MAX_WAITING, MAX_WAITING_SIZE = 1024, 16 * 1024 * 1024
"""Appends, and characters, in the queue after which a caller waits for room."""


@dataclass(slots=True, eq=False)
class Appending:
    """An append in the queue, and in `outcome` what came of it once `ended` is set.

    Attributes:
        erased: Positions whose texts go in the same transaction.
    """

    stream: str
    expected_version: int
    events: Sequence[NewEvent]
    rows: list[Row]
    erased: Sequence[int] = ()
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


class Queue:
    """Appends that wait for the committer; it is full at a number of them, or of characters, and can be closed."""

    def __init__(self) -> None:
        self._waiting: deque[Appending] = deque()
        self._size = 0
        self._work, self._taken = anyio.Event(), Signal()
        self._closed = self._callers_wait = False

    def __iter__(self) -> Iterator[Appending]:
        return iter(self._waiting)

    def close(self) -> None:
        """Take no more appends; `next` ends when the last is taken."""
        self._closed = True
        self._work.set()
        self._taken.notify()

    async def room(self) -> None:
        """Wait until the queue takes another append.

        Raises:
            StoreClosed: It never will.
        """
        while not self._closed and (len(self._waiting) >= MAX_WAITING or self._size >= MAX_WAITING_SIZE):
            self._callers_wait = True
            await self._taken.next().wait()
        if self._closed:
            raise StoreClosed

    def put(self, appending: Appending) -> None:
        """Queue `appending`; from here on it comes to its end whatever becomes of the caller."""
        self._waiting.append(appending)
        self._size += appending.size
        self._work.set()

    async def next(self) -> list[Appending]:
        """Return all that waits, as far as it fits one commit; nothing after `close`."""
        while not self._waiting and not self._closed:
            self._work = anyio.Event()
            await self._work.wait()
        batch: list[Appending] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH and size < MAX_BATCH_SIZE:
            if batch and (batch[-1].erased or self._waiting[0].erased):
                break  # what erases is a transaction of its own
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        self._size -= size
        if self._callers_wait:
            self._callers_wait = False
            self._taken.notify()
        return batch
