"""The passages of an archive: which there are, where each stands in the log, and which say the same.

The state holds no texts: an archive may be long, and what a passage says is read from the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from callboard.events import Event
from callboard.events.catalog import (
    ArchiveChanged,
    ArchiveStarted,
    PassageDeleted,
    PassageInserted,
    PassageUpdated,
)
from callboard.events.specs import ArchiveSpec
from callboard.events.text import ERASED

from .desk import Desk
from .keyed import Keyed
from .projection import Projection
from .states import replace


@dataclass(frozen=True)
class Standing:
    """Where a passage stands.

    Attributes:
        begun: Version of the event that stored it, which says who did, and its metadata.
        version: Version of the event that its text and tags are of.
        tags: As they were given, each once.
        deleted: Whether it is found no more.
    """

    begun: int
    version: int
    tags: tuple[str, ...] = ()
    deleted: bool = False


class Spot(NamedTuple):
    """Passage number `n` said something in the event at `version`; it may say another thing since."""

    n: int
    version: int


@dataclass(frozen=True)
class ArchiveState:
    """State of one archive; what an event costs it does not grow with its passages.

    Attributes:
        events: Events of the stream so far, refused changes counted: its version.
        passages: Every passage by its number, deleted ones, too.
        standing: How many of them are not deleted.
        latest: Where a text was said last, by its digest.
        before: Where the same was said before that, by the version where it was said again.
    """

    spec: ArchiveSpec | None = None
    desk: Desk = Desk()
    events: int = 0
    passages: Keyed[int, Standing] = field(default_factory=Keyed[int, Standing])
    standing: int = 0
    latest: Keyed[str, Spot] = field(default_factory=Keyed[str, Spot])
    before: Keyed[int, Spot] = field(default_factory=Keyed[int, Spot])

    @property
    def newest(self) -> int:
        """The number of the newest passage that is not deleted; 0 without any."""
        return next((n for n in range(len(self.passages), 0, -1) if self.stands(n)), 0)

    def stands(self, n: int) -> bool:
        """Return whether there is a passage number `n` that is not deleted."""
        passage = self.passages.get(n)
        return passage is not None and not passage.deleted

    def same(self, text: str, but: int = 0) -> Spot | None:
        """Return where a passage says the same as `text`, other than number `but`; None where none does. Pure."""
        spot = self.latest.get(digest_of(text))
        while spot is not None and not (spot.n != but and self._says(spot)):
            spot = self.before.get(spot.version)
        return spot

    def _says(self, spot: Spot) -> bool:
        passage = self.passages.get(spot.n)
        return passage is not None and not passage.deleted and passage.version == spot.version


def digest_of(text: str) -> str:
    """Return what two texts share that differ in case and blanks alone; empty for one that was erased. Pure."""
    if text == ERASED:
        return ""
    return blake2b(" ".join(text.casefold().split()).encode(), digest_size=16).hexdigest()


def evolve(state: ArchiveState, event: Event) -> ArchiveState:
    """Return `state` after `event`. Pure."""
    state = replace(state, events=state.events + 1)
    match event:
        case ArchiveStarted(spec=spec) | ArchiveChanged(spec=spec):
            return replace(state, spec=spec)
        case PassageInserted(n=n, tags=tags, text=text):
            state = _said(state, n, text)
            passage = Standing(state.events, state.events, tags)
            return replace(state, passages=state.passages.plus(n, passage), standing=state.standing + 1)
        case PassageUpdated(n=n, tags=tags, text=text):
            state = _said(state, n, text)
            passage = replace(state.passages[n], version=state.events, tags=tags)
            return replace(state, passages=state.passages.plus(n, passage))
        case PassageDeleted(n=n):
            passage = replace(state.passages[n], deleted=True)
            return replace(state, passages=state.passages.plus(n, passage), standing=state.standing - 1)
        case _:
            return state


def _said(state: ArchiveState, n: int, text: str) -> ArchiveState:
    """Return `state` with what passage number `n` says now. Spots that count no more are passed over once."""
    digest = digest_of(text)
    if not digest:
        return state
    if (earlier := state.same(text, n)) is not None:
        state = replace(state, before=state.before.plus(state.events, earlier))
    return replace(state, latest=state.latest.plus(digest, Spot(n, state.events)))


archive_state: Projection[ArchiveState] = Projection(
    "archive", ArchiveState, lambda state, event: evolve(state, event.data)
)
