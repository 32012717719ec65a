"""The passages of an archive with what they say, as people read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from callboard.events import RecordedEvent
from callboard.events.catalog import PassageDeleted, PassageInserted, PassageReply, PassageUpdated

from .projection import Projection
from .states import replace

SHOWN = 200
"""Characters of a passage that a trace shows."""


@dataclass(frozen=True)
class Passage:
    """A passage as it is now.

    Attributes:
        n: Its number in its archive.
        at: When it was stored, by whom: the stream of an agent, or `user`; and by which call or request.
        version: Version of the event that its text and tags are of.
        position: Where that event stands in the log.
        changed, changed_by, changed_call: The same of its last update; None and empty before any.
    """

    n: int
    text: str
    tags: tuple[str, ...]
    metadata: dict[str, JsonValue]
    at: datetime
    by: str
    call: str
    version: int
    position: int
    changed: datetime | None = None
    changed_by: str = ""
    changed_call: str = ""

    @property
    def id(self) -> str:
        """What models and people call it."""
        return f"p{self.n}"


def stored(event: RecordedEvent) -> Passage:
    """Return the passage that `event`, a `PassageInserted`, stored. Pure."""
    data = event.data
    assert isinstance(data, PassageInserted)
    place = event.recorded_at, data.to, data.id, event.version, event.position
    return Passage(data.n, str(data.text), data.tags, data.metadata, *place)


def updated(passage: Passage, event: RecordedEvent) -> Passage:
    """Return `passage` after `event`, a `PassageUpdated`. Pure."""
    data = event.data
    assert isinstance(data, PassageUpdated)
    return replace(
        passage, text=str(data.text), tags=data.tags, version=event.version, position=event.position,
        changed=event.recorded_at, changed_by=data.to, changed_call=data.id,
    )  # fmt: skip


def changed(event: PassageReply) -> tuple[str, ...]:
    """Return what a change of an archive did, as a line of a difference that begins with `+` or `-`. Pure."""
    match event:
        case PassageInserted(n=n, text=text) | PassageUpdated(n=n, text=text):
            said = " ".join(str(text[:SHOWN]).split())
            return (f"+p{n} {said}{' …' if len(text) > SHOWN else ''}",)
        case _:
            return (f"-p{event.n}",)


@dataclass(slots=True)
class Passages:
    """The passages of one archive that are not deleted, by number. Changed in place by its one fold."""

    found: dict[int, Passage] = field(default_factory=dict[int, Passage])


def _evolve(passages: Passages, event: RecordedEvent) -> Passages:
    match event.data:
        case PassageInserted(n=n):
            passages.found[n] = stored(event)
        case PassageUpdated(n=n):
            passages.found[n] = updated(passages.found[n], event)
        case PassageDeleted(n=n):
            del passages.found[n]
        case _:
            pass
    return passages


passages: Projection[Passages] = Projection("passages", Passages, _evolve)
"""What an archive holds, over its stream."""
