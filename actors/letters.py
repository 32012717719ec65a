"""Dead letters: messages that ended their process each time, that expired while they waited, or that were dropped."""

from __future__ import annotations

from dataclasses import dataclass

from callboard.events import CallboardError, EventStore, RecordedEvent
from callboard.events.catalog import MessageDeadLettered, MessageDropped, MessageExpired, MessageReceived
from callboard.projections.paths import named_by
from callboard.projections.words import name_of

from .commands import Receive
from .inbox import Requeue
from .starting import USER

DEAD = {MessageDeadLettered: "set aside", MessageExpired: "expired", MessageDropped: "dropped"}
"""What makes a dead letter of a message, and the word for it."""


class NoDeadLetter(CallboardError):
    """A message that is no dead letter was to be put into the mailbox again."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody works on any more.

    Attributes:
        died: The event that made it a dead letter.
        message: What had been received.
        requeued: Ids of the messages that it was put into the mailbox again as.
    """

    died: RecordedEvent
    message: MessageReceived
    requeued: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        """In a word: `set aside`, `expired` or `dropped`."""
        return DEAD[type(self.died.data)]  # type: ignore[index]


async def dead_letters(store: EventStore) -> list[DeadLetter]:
    """Return all dead letters of a log, oldest first."""
    died: list[RecordedEvent] = []
    again: dict[str, list[str]] = {}
    async for event in store.read_all():
        if type(event.data) in DEAD:
            died.append(event)
        elif isinstance(event.data, MessageReceived) and event.causation_id:
            again.setdefault(event.causation_id, []).append(event.data.id)
    found: list[DeadLetter] = []
    for event in died:
        received = await store.find(event.stream, event.data.id)
        assert received is not None and isinstance(received.data, MessageReceived)
        found.append(DeadLetter(event, received.data, tuple(again.get(event.ref, ()))))
    return found


async def letter_of(store: EventStore, id: str) -> DeadLetter:
    """Return the dead letter that `id` is, or the only one whose id ends so.

    Raises:
        NoDeadLetter: There is none, or more than one; the error names those that there are.
    """
    known = await dead_letters(store)
    found = [one for one in known if one.message.id == id] or [one for one in known if named_by(one.message.id, id)]
    if len(found) != 1:
        ids = ", ".join(one.message.id for one in known) or "none"
        raise NoDeadLetter(f"{id!r} names {len(found) or 'no'} dead letter; dead letters: {ids}")
    return found[0]


async def delivery_of(store: EventStore, command: Requeue) -> tuple[str, Receive]:
    """Return whom a dead letter is for, and the message that puts it there again, under a new id.

    Raises:
        NoDeadLetter: It is none.
    """
    letter = await letter_of(store, command.letter)
    stream, message = letter.died.stream, letter.message
    kind = "tell" if message.kind == "tell" else "ask"
    id = f"{command.key}/{name_of(stream)}"
    talk, params = message.conversation, message.params
    return stream, Receive(id, USER, kind, message.parts, conversation=talk, params=params, cause=letter.died.ref)
