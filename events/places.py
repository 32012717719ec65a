"""What a search index holds and gives: who heard or said which text, where, and what is wanted of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .text import Reference


class Mark(NamedTuple):
    """How far an index has come, in which log.

    Attributes:
        position: Up to which event it was built; `chain` is the hash of that.
        base: How far the log went when the building began: texts erased before are not in it.
    """

    log_id: str
    layout: int
    position: int
    chain: bytes
    base: int


class Place(NamedTuple):
    """A text where somebody heard or said it, or where it was kept.

    Attributes:
        position: The event that brought it there, version `version` of the stream `owner`.
        kind: `message` or `passage`.
        role: `user` for what was heard, `assistant`, `tool`; empty for a passage.
        at: Microseconds since 1970, UTC.
        number: Of a passage, in its archive.
        turn: Whose beginning makes the message a heard one; empty where it is.
    """

    position: int
    owner: str
    version: int
    kind: str
    role: str
    speaker: str
    conversation: str
    at: int
    ref: Reference
    text: str
    number: int = 0
    tags: tuple[str, ...] = ()
    turn: str = ""


class Heard(NamedTuple):
    """A turn began: what it says is heard."""

    turn: str


class Gone(NamedTuple):
    """What a passage said before `position` does not stand any more."""

    owner: str
    number: int
    position: int


class Kept(NamedTuple):
    """What has to be known of something that is open, by its id; None when it is not open any more."""

    id: str
    what: str | None


Change = Place | Heard | Gone | Kept
"""What an event does to the index."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for.

    Attributes:
        owners: Streams of agents and archives; all where it is empty. So with `kinds` and `roles`.
        tags: Tags of passages, of which `every` or any is wanted; none for whatever they have.
        start, end: Microseconds since 1970, both included; None for no bound.
        without: The turn whose request is left out.
        unheard: Whether what waits, and what was never taken up, is wanted, too.
    """

    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    every: bool = False
    start: int | None = None
    end: int | None = None
    without: str = ""
    unheard: bool = False


class Row(NamedTuple):
    """A text that was found; `score` is the higher the better it fits."""

    position: int
    score: float
    text: int
    owner: str
    version: int
    kind: str
    role: str
    speaker: str
    conversation: str
    at: int
    number: int
    tags: tuple[str, ...]
    ref: Reference
