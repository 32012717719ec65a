"""Events of the suites, and short ways to write and read them."""

from __future__ import annotations

from contextlib import aclosing
from typing import NamedTuple

import pytest

from callboard.events import EventStore, NewEvent, RecordedEvent, Text, WrongExpectedVersion
from callboard.events.catalog import MessageReceived, Part, SendAnswered, TurnStarted

STREAM = "agent-p"
"""The stream that a suite writes to, where it writes to one."""


def keyed(key: str, text: str = "") -> NewEvent:
    """An event with an id of its own: the second append of it is known to be the second."""
    return NewEvent(MessageReceived(id=key, sender="user", parts=(Part("user", Text(text or key)),)))


def saying(text: str) -> NewEvent:
    """An event without a key, which says `text`."""
    return NewEvent(SendAnswered(id="r/p", text=Text(text)))


def plain() -> NewEvent:
    """An event without key and text."""
    return NewEvent(TurnStarted(id="r/p"))


def said(event: RecordedEvent) -> str:
    """What the event says, whichever of these it is."""
    match event.data:
        case MessageReceived(parts=(part, *_)):
            return part.text
        case SendAnswered(text=text):
            return text
        case other:
            raise AssertionError(f"{type(other).__name__} says nothing")


class Bounds(NamedTuple):
    """Of a replay: past version `after`, up to version `until`, and closed by its reader after `most`."""

    after: int = 0
    until: int | None = None
    most: int | None = None


WHOLE = Bounds()
"""Bounds that leave nothing out."""


async def replayed(store: EventStore, stream: str = STREAM, bounds: Bounds = WHOLE) -> list[RecordedEvent]:
    """Return the events of `stream` within `bounds`."""
    found: list[RecordedEvent] = []
    async with aclosing(store.read_stream(stream, after=bounds.after, until=bounds.until)) as events:
        while bounds.most is None or len(found) < bounds.most:
            event = await anext(events, None)
            if event is None:
                break
            found.append(event)
    return found


async def head(store: EventStore, stream: str = STREAM) -> int:
    """Return the version that the store itself takes `stream` to be at."""
    with pytest.raises(WrongExpectedVersion) as caught:
        await store.append(stream, [plain()], expected_version=1_000_000_000)
    return caught.value.actual


async def positions(store: EventStore) -> list[int]:
    """Return the position of every event of the log."""
    return [event.position async for event in store.read_all()]


async def is_dense(store: EventStore) -> bool:
    """Return whether the positions of the log have no gap, and the store knows the last one."""
    found = await positions(store)
    return found == list(range(1, store.position + 1))
