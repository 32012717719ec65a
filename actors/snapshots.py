"""Snapshots of actors' states and of what is pending, so that opening a log costs what is pending.

They are a shortcut, never the truth: each is checked against the log before it is used, and what does not fit is
folded again from the log. They are written by a task of the system beside its work, and losing one loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import anyio
import structlog

from callboard import events, projections
from callboard.events import CallboardError, EventStore, RecordedEvent
from callboard.events.cache import EVERY, Entry, sealed, unsealed
from callboard.events.catalog import Spent
from callboard.events.store import Signal
from callboard.projections import Desk, NotPaired, Pending
from callboard.projections.snapshots import Checkpoint, decode, encode, references

log = structlog.get_logger()

S = TypeVar("S")

PENDING = "pending"
"""The name of the checkpoint among the entries of a cache; all others are streams."""

REDACTED = "EventRedacted"
"""The event after which a state in memory may hold texts that the log no longer holds."""

_CHECKPOINTS, _SHARE, _AT_CLOSE = 4, 8, 10
"""A checkpoint comes after 4 times as many events as a snapshot; a snapshot not before a stream has grown by
an 8th, so that writing costs a long stream no more than a short one; at the end a 10th of all that is enough."""


@cache
def fingerprint() -> str:
    """Return a hash of the code that states come of; empty where its source is not there."""
    found, whole = 0, blake2b(digest_size=16)
    for folder in (*events.__path__, *projections.__path__):
        for file in sorted(Path(folder).rglob("*.py")):
            found += 1
            whole.update(f"{file.name} ".encode() + file.read_bytes())
    return whole.hexdigest() if found else ""


class Snapshots:
    """What is kept of the log of one system, and when it is written again."""

    def __init__(self, store: EventStore) -> None:
        """Take the cache of `store`, if it has one."""
        self._store = store
        self._cache = store.cache if fingerprint() else None
        self._every = self._cache.every if self._cache else EVERY
        self._taken: dict[str, int] = {}
        self._due: dict[str, tuple[int, object]] = {}
        self._work = Signal()
        self._folding = anyio.Lock()
        self._redacted = False
        self._start_over()

    def _start_over(self) -> None:
        self._left, self._streams = Pending(), dict[str, None]()
        self._position = self._checkpoint = 0

    # -- what is pending ------------------------------------------------------------------------

    async def open(self) -> tuple[Pending, set[str]]:
        """Return what is pending, and the streams that there are: from the checkpoint, and what came after it."""
        await self._recall_pending()
        try:
            left = await self.pending()
        except NotPaired:
            if not self._checkpoint:
                raise
            self._start_over()  # whether the log is wrong, only the log can say
            left = await self.pending()
        self._redacted = False
        return left, set(self._streams)

    async def pending(self) -> Pending:
        """Return all that was begun and has not ended; costs what came since it was asked for last."""
        async with self._folding:
            async for event in self._store.read_all(after=self._position):
                self._left.take(event)
                self._streams[event.stream] = None
                self._position = event.position
                self._redacted |= event.type == REDACTED
            return Checkpoint.of(self._left, ()).pending()

    async def spent(self) -> Spent:
        """Return what model calls came to so far, in the whole log."""
        await self.pending()
        return self._left.spent

    async def _recall_pending(self) -> None:
        entry = await self._entry(PENDING)
        if entry is None or not await self._stands(entry):
            return
        checkpoint = decode(Checkpoint, entry.body, {})
        if checkpoint is not None:
            self._left, self._streams = checkpoint.pending(), dict.fromkeys(checkpoint.streams)
            self._position = self._checkpoint = entry.place

    # -- the state of one actor -----------------------------------------------------------------

    async def load(self, stream: str, initial: S) -> tuple[S, int, dict[str, str]]:
        """Return a state of `stream`, its version, and for each send that is open in it the event that opened it.

        Without a snapshot that fits the log, that is `initial`, at version 0.
        """
        entry = await self._entry(stream)
        if entry is None or not await self._stands(entry):
            return initial, 0, {}
        texts = await self._store.texts(references(entry.body))
        state = decode(type(initial), entry.body, texts)
        if state is None:
            return initial, 0, {}
        self._taken[stream] = entry.place
        desk: Desk = getattr(state, "desk", Desk())
        return state, entry.place, await self._openings(stream, desk)

    async def _openings(self, stream: str, desk: Desk) -> dict[str, str]:
        found: dict[str, str] = {}
        for trace in dict.fromkeys(sent.correlation_id for sent in desk.sends.values()):
            async for event in self._store.read_all(correlation_id=trace):
                if event.stream == stream and event.data.opens == "send" and event.data.id in desk.sends:
                    found[event.data.id] = event.ref
        return found

    # -- reading entries ------------------------------------------------------------------------

    async def _entry(self, name: str) -> Entry | None:
        """Return the entry `name`, if it is whole, and of this log and this code."""
        content = await self._cache.read(name) if self._cache else None
        if self._cache is None or content is None:
            return None
        entry = unsealed(content)
        if entry is None:
            log.warning("cache entry damaged", entry=name)
            await self._cache.delete(name)
            return None
        ours = (entry.log_id, entry.name, entry.code) == (self._store.log_id, name, fingerprint())
        return entry if ours else None

    async def _stands(self, entry: Entry) -> bool:
        """Return whether the log holds the event that `entry` goes up to."""
        at = await event_at(self._store, entry.name, entry.place)
        return at is not None and at.chain == entry.chain

    # -- writing entries ------------------------------------------------------------------------

    def grown(self, stream: str, version: int, state: object) -> None:
        """Take note of a new state; when enough came together, it is written, beside all else."""
        if self._cache is None:
            return
        if version - self._taken.get(stream, 0) >= max(self._every, version // _SHARE):
            self._due[stream] = version, state
            self._work.notify()
        elif self._store.position - self._checkpoint >= self._every * _CHECKPOINTS:
            self._work.notify()

    async def run(self) -> None:
        """Write what is due, whenever something is, until cancelled."""
        while self._cache is not None:
            work = self._work.next()
            await self._write_due(self._every * _CHECKPOINTS)
            await work.wait()

    async def close(self, states: Iterable[tuple[str, int, object]]) -> None:
        """Write what makes the next opening cheap, given every (stream, version, state) in memory."""
        if self._cache is not None:
            least = max(1, self._every // _AT_CLOSE)
            for stream, version, state in states:
                if version - self._taken.get(stream, 0) >= least:
                    self._due[stream] = version, state
            await self._write_due(least)

    async def _write_due(self, positions: int) -> None:
        try:
            while self._due:
                stream, (version, state) = self._due.popitem()
                self._taken[stream] = version
                await self._write(stream, version, state)
            if self._store.position - self._checkpoint >= positions:
                await self.pending()
                self._checkpoint = self._position
                await self._write(PENDING, self._position, Checkpoint.of(self._left, self._streams))
        except (OSError, ValueError, CallboardError) as error:
            log.warning("cache not written", error=str(error))
            self._checkpoint = self._store.position  # the next try is for later

    async def _write(self, name: str, place: int, state: object) -> None:
        """Write one entry, unless texts were erased since the log was opened, be it while it is written."""
        at = await event_at(self._store, name, place)
        if self._cache is None or at is None or await self._erased():
            return
        log_id, chain = self._store.log_id, at.chain
        await self._cache.write(name, lambda: sealed(Entry(log_id, name, place, chain, fingerprint(), encode(state))))
        if await self._erased():
            await self._cache.delete(name)

    async def _erased(self) -> bool:
        await self.pending()
        return self._redacted


async def event_at(store: EventStore, name: str, place: int) -> RecordedEvent | None:
    """Return the event at `place` of the stream `name`, or of the whole log for its checkpoint."""
    if name == PENDING:
        reader = store.read_all(after=place - 1, until=place)
    else:
        reader = store.read_stream(name, after=place - 1, until=place)
    return next(iter([event async for event in reader]), None)
