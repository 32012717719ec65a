"""What the tests of search share: logs of passages and messages, and what of an index to compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from callboard.actors.search import Hits, Index
from callboard.events import EventStore, NewEvent, Text
from callboard.events.catalog import (
    ArchiveStarted,
    MessageReceived,
    PassageDeleted,
    PassageInserted,
    PassageUpdated,
    TurnStarted,
)
from callboard.events.event import Event
from callboard.events.mail import Part
from callboard.events.specs import ArchiveSpec

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


async def keep(store: EventStore, stream: str, *events: Event) -> None:
    """Append `events` to the end of `stream`."""
    version = len([event async for event in store.read_stream(stream)])
    await store.append(stream, [NewEvent(event) for event in events], expected_version=version)


def heard(id: str, text: str, conversation: str = "main") -> list[Event]:
    """Return the events of a message that is taken up."""
    received = MessageReceived(id=id, sender="user", parts=(Part("user", Text(text)),), conversation=conversation)
    return [received, TurnStarted(id=id)]


def inserted(n: int, text: str, *tags: str) -> Event:
    return PassageInserted(id=f"i{n}/team", verb="insert", n=n, text=Text(text), tags=tags, to="agent-a")


def updated(n: int, text: str, *tags: str) -> Event:
    return PassageUpdated(id=f"u{n}-{text}/team", verb="update", n=n, text=Text(text), tags=tags, to="agent-a")


def deleted(n: int) -> Event:
    return PassageDeleted(id=f"d{n}/team", verb="delete", n=n, to="agent-a")


async def stocked(store: EventStore, texts: Sequence[str], name: str = "team") -> None:
    """Keep `texts` as the passages of a new archive."""
    events = [inserted(n, text) for n, text in enumerate(texts, start=1)]
    await keep(store, f"archive-{name}", ArchiveStarted(spec=ArchiveSpec(name=name)), *events)


def said(hits: Hits) -> list[str]:
    return [hit.text for hit in hits]


async def dumped(index: Index) -> list[list[tuple[object, ...]]]:
    """Return all that `index` holds, brought up to its log."""
    return await index.rebuilt(2**62)


def holding(folder: Path, words: Iterable[str]) -> list[str]:
    """Return those of `words` whose bytes stand in a file of `folder`, and where."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [f"{word} in {file.name}" for file in files for word in words if word.encode() in file.read_bytes()]
