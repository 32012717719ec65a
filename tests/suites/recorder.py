"""Our stores behind the recorder interface of the package `eventsourcing`: synchronous, any event, from 0.

A stored event of theirs is one `SendAnswered` of ours, which takes any id and has no key: the id is
the topic, the text its state in base64. Each originator has a stream; version n of theirs is n + 1 of
ours, since ours have no number 0. Notifications count from what the log held before. Only what
everybody may call of a store is called here.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from typing import Any
from uuid import UUID

from anyio.from_thread import BlockingPortal, start_blocking_portal
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    NotSupportedError,
    StoredEvent,
    Subscription,
)

from callboard.events import EventStore, NewEvent, RecordedEvent, Text, WrongExpectedVersion
from callboard.events.catalog import SendAnswered


class Streams(AggregateRecorder):
    """Stored events in streams of ours; `portal` leads to the loop that `store` lives on."""

    def __init__(self, portal: BlockingPortal, store: EventStore) -> None:
        self.portal, self.store = portal, store
        self.base = store.position

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        self.insert(stored_events)
        return None

    def insert(self, stored_events: Sequence[StoredEvent]) -> list[int]:
        """Append `stored_events`, and return the notification id of each."""
        if not stored_events:
            return []
        stream, first = _stream(stored_events[0].originator_id), stored_events[0].originator_version
        if any(_stream(event.originator_id) != stream for event in stored_events):
            raise NotSupportedError("an append is in one stream")
        if any(event.originator_version != first + i for i, event in enumerate(stored_events)):
            raise IntegrityError("the versions of an append have no gap, and none comes twice")
        written = self.portal.call(self._append, stream, [_ours(event) for event in stored_events], first)
        return [event.position - self.base for event in written]

    async def _append(self, stream: str, events: list[NewEvent], version: int) -> list[RecordedEvent]:
        try:
            return await self.store.append(stream, events, expected_version=version)
        except WrongExpectedVersion as error:
            raise IntegrityError(str(error)) from error

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        after, until = 0 if gt is None else gt + 1, None if lte is None else lte + 1
        read = self.store.read_stream(_stream(originator_id), after=after, until=until)
        found = [_theirs(event) for event in self.portal.call(_collected, read)]
        return (found[::-1] if desc else found)[:limit]


class Log(Streams, ApplicationRecorder):
    """The whole log of ours as a sequence of notifications."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        return self.insert(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = 0 if start is None else start - inclusive_of_start
        until = None if stop is None else self.base + stop
        read = self.store.read_all(after=self.base + max(after, 0), until=until)
        found = self.portal.call(_collected, read, limit, topics)
        return [self.notification(event) for event in found]

    def max_notification_id(self) -> int | None:
        return self.store.position - self.base or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        return Subscribed(self, gt, topics)

    def notification(self, event: RecordedEvent) -> Notification:
        """Return `event` as a notification."""
        return Notification(**vars(_theirs(event)), id=event.position - self.base)


class Subscribed(Subscription["Log"]):
    """A subscription of ours, an event at a time; `stop` from any thread ends a wait."""

    def __init__(self, recorder: Log, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._log = recorder
        self._events = recorder.store.subscribe(after=recorder.base + (gt or 0))
        self._waiting: Future[list[RecordedEvent]] | None = None

    def __next__(self) -> Notification:
        while not self._has_been_stopped:
            self._waiting = self._log.portal.start_task_soon(_next, self._events, self._topics)
            if self._has_been_stopped:
                self._waiting.cancel()
            try:
                return self._log.notification(self._waiting.result(timeout=30)[0])
            except CancelledError:
                break
        raise StopIteration

    def stop(self) -> None:
        super().stop()
        if self._waiting is not None:
            self._waiting.cancel()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        super().__exit__(*args, **kwargs)
        self._log.portal.call(self._events.aclose)


@contextmanager
def running(
    opened: Callable[[], AbstractAsyncContextManager[EventStore]],
) -> Generator[tuple[BlockingPortal, EventStore]]:
    """Open a store on a loop in a thread of its own, until the context ends."""
    with start_blocking_portal("asyncio") as portal:
        with portal.wrap_async_context_manager(portal.call(opened)) as store:
            yield portal, store


async def _collected(
    events: AsyncGenerator[RecordedEvent], limit: int | None = None, topics: Sequence[str] = ()
) -> list[RecordedEvent]:
    """Return the stored events among `events`, of these topics or of all, up to `limit`."""
    found: list[RecordedEvent] = []
    async with aclosing(events):
        while (limit is None or len(found) < limit) and (event := await anext(events, None)):
            if isinstance(event.data, SendAnswered) and (not topics or event.data.id in topics):
                found.append(event)
    return found


async def _next(events: AsyncGenerator[RecordedEvent], topics: Sequence[str]) -> list[RecordedEvent]:
    async for event in events:
        if isinstance(event.data, SendAnswered) and (not topics or event.data.id in topics):
            return [event]
    raise AssertionError("a subscription has no end")


def _stream(originator_id: UUID | str) -> str:
    return f"{'uuid' if isinstance(originator_id, UUID) else 'text'}-{originator_id}"


def _ours(event: StoredEvent) -> NewEvent:
    return NewEvent(SendAnswered(id=event.topic, text=Text(b64encode(event.state).decode())))


def _theirs(event: RecordedEvent) -> StoredEvent:
    assert isinstance(event.data, SendAnswered)
    kind, _, name = event.stream.partition("-")
    originator_id = UUID(name) if kind == "uuid" else name
    return StoredEvent(originator_id, event.version - 1, event.data.id, b64decode(event.data.text))
