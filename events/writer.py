"""The writer of a log: from the lock and the look for losses to the last event, `WriterClosed`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Literal

import anyio
from anyio.to_thread import run_sync

from .anchor import Anchor, Head
from .codec import encode_all
from .committer import Committer
from .connection import unwritable, writing
from .errors import AppendRejected, LogError, LogUnwritable, NotALog, WrongExpectedVersion
from .event import NewEvent, RecordedEvent
from .life import SYSTEM, LogCreated, LossAccepted, WriterClosed, WriterOpened
from .lock import locked, owner
from .loss import Examined, examine
from .queue import Appending
from .store import Signal
from .text import Text

Make = Callable[[], Sequence[NewEvent]]


class Writer:
    """Whoever may append to a log, to be had from `open`.

    Attributes:
        log_id: The identity of the log.
        epoch: Version of its own `WriterOpened`, in the stream `system`.
    """

    def __init__(self, log: str, committer: Committer, log_id: str, entropy: Callable[[int], bytes]) -> None:
        self._log, self._committer, self._entropy = log, committer, entropy
        self.log_id, self.epoch = log_id, 0
        self._system = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        log: str,
        appended: Signal,
        now: Callable[[], datetime],
        entropy: Callable[[int], bytes],
        *,
        durability: Literal["disk", "process"],
        takeover: bool,
        accept_loss: str | None,
    ) -> AsyncGenerator[Writer]:
        """Own the log at `log`, as long as the context lasts; see `SQLiteStore.open`."""
        with locked(log, takeover=takeover):
            with unwritable(log):
                examined = await run_sync(examine, log)
            if examined.loss is not None and accept_loss is None:
                raise examined.loss
            async with writing(log, durability) as database:
                if examined.loss is not None:
                    with unwritable(log):
                        await database.fetch("REINDEX")
                committer = Committer(log, database, now=now, appended=appended)
                writer = cls(log, committer, examined.log_id, entropy)
                async with writer._committing():
                    await writer._begin(examined, accept_loss)
                    yield writer

    @property
    def position(self) -> int:
        """Position of the last event that is committed."""
        return self._committer.head[0]

    def look_for_file(self) -> None:
        """See that the log is still the file that was opened.

        Raises:
            LogError: It was removed, or another stands in its place.
        """
        try:
            self._committer.look_for_file()
        except OSError as error:
            raise LogError(f"{error}; put it back, or take another log") from None

    async def append(
        self, stream: str, events: Sequence[NewEvent], *, expected_version: int, erased: Sequence[int] = ()
    ) -> list[RecordedEvent] | LogError:
        """Append `events`, and return what came of it; erase the texts at the positions `erased` with it.

        Raises:
            StoreClosed: It has ended.
            AppendRejected: An event cannot be stored.
        """
        await self._committer.queue.room()
        rows = encode_all(stream, expected_version, events, self._entropy)
        appending = Appending(stream, expected_version, events, rows, erased)
        self._committer.queue.put(appending)
        await appending.ended.wait()
        assert appending.outcome is not None
        return appending.outcome

    async def record(self, make: Make, *, erased: Sequence[int] = ()) -> list[RecordedEvent]:
        """Append to the stream `system` what `make` makes, wherever that stream is."""
        while True:
            outcome = await self.append(SYSTEM, make(), expected_version=self._system, erased=erased)
            if isinstance(outcome, WrongExpectedVersion):
                self._system = outcome.actual
            elif isinstance(outcome, LogError):
                raise outcome
            else:
                self._system = outcome[-1].version
                return outcome

    @asynccontextmanager
    async def _committing(self) -> AsyncGenerator[None]:
        with unwritable(self._log):
            await self._committer.settle(must=False)
        group = anyio.create_task_group()
        await group.__aenter__()
        group.start_soon(self._committer.run)
        try:
            yield
        finally:
            if self.epoch:
                with anyio.CancelScope(shield=True), suppress(LogError):
                    await self.record(lambda: [NewEvent(WriterClosed())])
            self._committer.queue.close()
            # As if nothing was raised: else the group would wrap what the user's own code raises.
            await group.__aexit__(None, None, None)
            self._committer.close()

    async def _begin(self, examined: Examined, accept_loss: str | None) -> None:
        """Say in the log that it is ours from here on, and in the anchor how far it has come."""
        position, chain = self._committer.head
        if position and not self.log_id:
            raise NotALog(self._log, "it does not begin with LogCreated")
        new = list[NewEvent]()
        if not position:
            self.log_id = self._entropy(8).hex()
            new.append(NewEvent(LogCreated(log_id=self.log_id)))
        new.append(NewEvent(WriterOpened(owner=owner())))
        if loss := examined.loss:
            accepted = LossAccepted(reason=Text(accept_loss or ""), expected=loss.expected, found=loss.whole)
            new.append(NewEvent(accepted))
        anchor = Anchor(self._log)
        with unwritable(self._log):
            if not examined.anchored and not loss:
                # Before the first event: a log without its anchor is one that lost it.
                await run_sync(anchor.begin, Head(self.log_id, 0, position, chain))
            written = await self._first(new)
            self.epoch = next(event.version for event in written if isinstance(event.data, WriterOpened))
            if loss:
                await run_sync(anchor.begin, Head(self.log_id, self.epoch, *self._committer.head))
            elif examined.anchored:
                anchor.go_on()
            self._committer.own(self.epoch, anchor, self.log_id)

    async def _first(self, new: Sequence[NewEvent]) -> list[RecordedEvent]:
        try:
            return await self.record(lambda: new)
        except AppendRejected as error:
            raise LogUnwritable(self._log, error.why) from None
