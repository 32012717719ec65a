"""What of an event can be searched: all that agents hear, say and get back, and the passages of archives. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from callboard.events import RecordedEvent, Text
from callboard.events.catalog import (
    MessageReceived,
    ModelCallFinished,
    PassageDeleted,
    PassageInserted,
    PassageUpdated,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallRequested,
    ToolCallResolved,
    TurnStarted,
)
from callboard.events.codec import to_micros
from callboard.events.places import Change, Gone, Heard, Kept, Place
from callboard.events.text import ERASED

from .contexts import MAIN
from .words import name_of

SEARCHES = frozenset({"conversation_search", "archival_memory_search"})
"""Tools whose results are not searched: they would be found instead of what they found."""


def changes(event: RecordedEvent, open: Mapping[str, str]) -> list[Change]:
    """Return what `event` does to the index, given what is known of what is open. Pure."""
    take = _OF.get(event.stream.split("-", 1)[0])
    found = take(event, open) if take else []
    if event.data.closes in ("turn", "tool") and event.data.id in open:  # an edit's send has the id of its call
        found.append(Kept(event.data.id, None))
    return found


def _of_agent(event: RecordedEvent, open: Mapping[str, str]) -> list[Change]:
    me = name_of(event.stream)
    match event.data:
        case MessageReceived(id=id, parts=parts, conversation=conversation):
            heard = [_place(event, part.text, "user", part.speaker, conversation, turn=id) for part in parts]
            found: list[Change] = [place for place in heard if place is not None]
            return found if conversation == MAIN else [*found, Kept(id, conversation)]
        case TurnStarted(id=id):
            return [Heard(id)]
        case ToolCallRequested(id=id, tool=tool):
            return [Kept(id, tool)]
        case ModelCallFinished(id=id, text=text, summarises=0):
            return _one(_place(event, text, "assistant", me, open.get(id.rpartition("/")[0], MAIN)))
        case ToolCallFinished(id=id, text=text) | ToolCallFailed(id=id, text=text) | ToolCallResolved(id=id, text=text):
            tool = open.get(id, "")
            if tool not in SEARCHES:
                return _one(_place(event, text, "tool", tool, open.get(id.rsplit("/", 2)[0], MAIN)))
        case _:
            pass
    return []


def _of_archive(event: RecordedEvent, open: Mapping[str, str]) -> list[Change]:
    match event.data:
        case PassageInserted(n=n, text=text, tags=tags, to=to):
            return _one(_place(event, text, "", name_of(to), "", number=n, tags=tags))
        case PassageUpdated(n=n, text=text, tags=tags, to=to):
            place = _place(event, text, "", name_of(to), "", number=n, tags=tags)
            return [Gone(event.stream, n, event.position), *_one(place)]
        case PassageDeleted(n=n):
            return [Gone(event.stream, n, event.position)]
        case _:
            return []


def _place(
    event: RecordedEvent,
    text: Text,
    role: str,
    speaker: str,
    conversation: str,
    *,
    turn: str = "",
    number: int = 0,
    tags: tuple[str, ...] = (),
) -> Place | None:
    """Return where `text` stands; None where there is nothing to find."""
    if not text or text.ref is None or text == ERASED:
        return None
    return Place(
        event.position, event.stream, event.version, "passage" if number else "message", role, speaker, conversation,
        to_micros(event.recorded_at), text.ref, str(text), number, tags, turn,
    )  # fmt: skip


def _one(place: Place | None) -> list[Change]:
    return [] if place is None else [place]


_OF: dict[str, Callable[[RecordedEvent, Mapping[str, str]], list[Change]]] = {
    "agent": _of_agent,
    "archive": _of_archive,
}
"""What takes the events of each kind of stream."""
