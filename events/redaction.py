"""Which texts are to be erased: the same rules for every store."""

from __future__ import annotations

from collections.abc import Sequence

from .codec import Row, said
from .errors import RedactionRefused
from .event import NewEvent
from .life import EventRedacted
from .text import Text

Place = int | tuple[str, int]
"""Which event: its position, or its (stream, version)."""


def checked(place: Place, row: Row | None, *, before: bool, first: Sequence[int] = ()) -> Row:
    """Return the `row` at `place`, if its texts can be erased.

    `before` says whether they were, `first` at which positions the texts were said that it passes on.

    Raises:
        RedactionRefused: They cannot.
    """
    named = f"position {place}" if isinstance(place, int) else f"{place[0]}@{place[1]}"
    if row is None:
        raise RedactionRefused(named, "is not in this log")
    if before:
        raise RedactionRefused(named, "was redacted before")
    if row.content is None:
        where = f": @{', @'.join(map(str, first))}" if first else ""
        raise RedactionRefused(named, f"says no text of its own; redact the event that said it first{where}")
    return row


def redactions(rows: Sequence[Row], reason: str) -> list[NewEvent]:
    """Return what is recorded when the texts of `rows` are erased."""
    shared = Text(reason)
    return [
        NewEvent(EventRedacted(stream=row.stream, version=row.version, said=said(row).hex(), reason=shared))
        for row in rows
    ]
