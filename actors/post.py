"""The mail of a log: what waits in whose mailbox, what is on its way, and how what waits is dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, Literal

from callboard.events import (
    ActorStopped,
    AlreadyDecided,
    CallboardError,
    EventStore,
    NotWaiting,
    RecordedEvent,
)
from callboard.events.catalog import Kind, MessageDropped, MessageReceived, MessageSent
from callboard.events.store import event_at
from callboard.projections import Desk, Pending, pending, replay
from callboard.projections.conversation import Utterance
from callboard.projections.desk import evolve
from callboard.projections.paths import named_by
from callboard.projections.threads import ConversationOf, Thread, conversations, threads, words_between
from callboard.projections.words import name_of

from . import inbox
from .commands import Drop
from .people import Host, checked_name
from .ref import USER, checked_message
from .storable import storable

Look = Callable[[str], Awaitable[Desk]]
"""Gives what lies on the desk of the actor at a stream, as the log holds it."""

MAIL = ("ask", "tell", "turn")
"""Kinds of messages that wait for a turn; what groups do to their members waits for none."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that nobody works on yet.

    Attributes:
        id: Its id, in the log and for `drop`.
        state: `waiting` in the mailbox of `to`, or `on its way` there.
        to: Name of the agent or group that it is for.
        sender: Name of who sent it, or `user`.
        text: What it says.
        place: Which turn of the recipient it gets, from 1, as things are now; 0 where it is on its way.
        position: Where it stands in the log, recorded at `since`.
        expires: When it is closed, if nobody works on it by then; None for never.
    """

    id: str
    state: Literal["waiting", "on its way"]
    to: str
    sender: str
    kind: Kind
    text: str
    conversation: str
    place: int
    position: int
    since: datetime
    expires: datetime | None = None


class Post:
    """The part of a system that its mail is looked after through."""

    async def mail(self: Host, name: str = "") -> list[Mail]:
        """Return the messages that nobody works on yet, by recipient, in the order of turns; all or those to `name`."""
        return await listed(self.store, await self.pending(), _desks(self), name)

    async def drop(self: Host, mail: Mail | str, reason: str, *, by: str = USER) -> None:
        """Drop a message that waits, for good; it becomes a dead letter, and whoever asked is told why.

        Twice with the same reason, by the same, is once.

        Raises:
            NotWaiting: It waits in no mailbox; says where it is.
            AlreadyDecided: It was dropped before, for another reason or by somebody else.
            TextRefused: The reason or the name cannot be recorded.
        """
        id = mail if isinstance(mail, str) else mail.id
        await drop(self, inbox.Drop(key=self.outside.key(), letter=id, reason=reason, by=by))

    async def conversations(self: Host, name: str = "") -> list[ConversationOf]:
        """Return the conversations of each agent and group, by name; with `name`, those of one. Reads the whole log."""
        return (await replay(self.store, conversations)).found(name)

    async def threads(self: Host, name: str = "") -> list[Thread]:
        """Return which two talked with each other; with `name`, one and any other. Reads the whole log."""
        return (await replay(self.store, threads)).found(name)

    async def thread(self: Host, one: str, other: str) -> list[Utterance]:
        """Return what two said to each other, by their names, oldest first. Reads the whole log."""
        return (await replay(self.store, words_between(one, other))).lines


def _desks(host: Host) -> Look:
    async def look(stream: str) -> Desk:
        try:
            state: Any = await host.look(stream)
        except ActorStopped:  # it failed too often; what it holds stands in the log
            return await desks_in(host.store)(stream)
        return state.desk

    return look


def desks_in(store: EventStore) -> Look:
    """Return a look at the desks of a log that nobody runs."""

    async def look(stream: str) -> Desk:
        return reduce(evolve, [event.data async for event in store.read_stream(stream)], Desk())

    return look


# -- what waits -------------------------------------------------------------------------------------


async def listed(store: EventStore, open: Pending, look: Look, name: str = "") -> list[Mail]:
    """Return the mail among what is open; with `name`, what is for that agent or group."""
    found: list[Mail] = []
    for stream in open.streams():
        desk = await look(stream)
        for place, message in enumerate(desk.backlog, start=1):
            if name in ("", name_of(stream)) and ("turn", message.id) in open.items:
                since = await event_at(store, open.items["turn", message.id].since)
                found.append(_mail(message, stream, message.sender, since, place))
        for id, sent in desk.sends.items():
            wanted = sent.kind in MAIL and name in ("", name_of(sent.recipient)) and ("send", id) in open.items
            if wanted and await _travels(store, sent):
                since = await event_at(store, open.items["send", id].since)
                found.append(_mail(sent, sent.recipient, stream, since, 0))
    return sorted(found, key=lambda mail: (mail.to, not mail.place, mail.place, mail.position))


async def _travels(store: EventStore, sent: MessageSent) -> bool:
    keys = (sent.id, f"re:{sent.id}")
    return not [key for key in keys if await store.find(sent.recipient, key) is not None]


def _mail(message: MessageReceived | MessageSent, to: str, sender: str, since: RecordedEvent, place: int) -> Mail:
    text = "\n".join(part.text for part in message.parts)
    return Mail(
        message.id, "waiting" if place else "on its way", name_of(to), name_of(sender), message.kind, text,
        message.conversation, place, since.position, since.recorded_at, message.expires,
    )  # fmt: skip


# -- dropping ---------------------------------------------------------------------------------------


async def drop(host: Host, command: inbox.Drop) -> None:
    """Drop what `command` names; return when it is recorded, also by an earlier try.

    Raises:
        NotWaiting, AlreadyDecided, TextRefused: It is not dropped; nothing was changed.
    """
    wanted = await checked(host.store, await host.pending(), _desks(host), command)
    if wanted is not None:
        stream, said = wanted
        await host.deliver(stream, said)
        await recorded(host.store, stream, said)


async def checked(store: EventStore, open: Pending, look: Look, command: inbox.Drop) -> tuple[str, Drop] | None:
    """Return whom to tell what of a message that is to be dropped; None where it was dropped so before.

    Raises:
        NotWaiting, AlreadyDecided, TextRefused: It cannot be.
    """
    by, id = checked_name(command.by), command.letter
    text = storable(f"dropped by {by}: {checked_message(command.reason)}")[0]
    known = await listed(store, open, look)
    named = [one for one in known if one.id == id] or [one for one in known if named_by(one.id, id)]
    if len(named) == 1 and named[0].place:
        mail = named[0]
        [stream] = [item.stream for item in open.items.values() if (item.kind, item.id) == ("turn", mail.id)]
        return stream, Drop(mail.id, USER, text, by)
    if len(named) == 1:
        raise NotWaiting(id, f"is on its way to {named[0].to} still; drop it when it waits there")
    if not named:
        before = await _dropped(store, id)
        if before is not None and (before.text, before.by) == (text, by):
            return None
        raise await _why_not(store, open, id)
    ids = ", ".join(one.id for one in named)
    raise NotWaiting(id, f"names {len(named)} messages that wait: {ids}; name one")


async def recorded(store: EventStore, stream: str, said: Drop) -> None:
    """See that a message was dropped as was `said`: it may have been taken up, or dropped by another, meanwhile.

    Raises:
        NotWaiting, AlreadyDecided: It was not.
    """
    before = await _dropped(store, said.id)
    if before is None or (before.text, before.by) != (said.text, said.by):
        raise await _why_not(store, await replay(store, pending), said.id)


async def _dropped(store: EventStore, id: str) -> MessageDropped | None:
    for kind in ("agent", "group"):
        reply = await store.find(f"{kind}-{id.rsplit('/', 1)[-1]}", f"re:{id}")
        if reply is not None and isinstance(reply.data, MessageDropped):
            return reply.data
    return None


async def _why_not(store: EventStore, open: Pending, id: str) -> CallboardError:
    """Return why the message `id` is not dropped."""
    before = await _dropped(store, id)
    if before is not None:
        return AlreadyDecided(id, str(before.text))
    trace = id.split("/", 1)[0]
    if ("turn", id) in open.items:
        why = f"is worked on already; `callboard people cancel LOG {trace}` ends its request, and all that it caused"
        return NotWaiting(id, why)
    for kind in ("agent", "group"):
        reply = await store.find(f"{kind}-{id.rsplit('/', 1)[-1]}", f"re:{id}")
        if reply is not None:
            return NotWaiting(id, f"has ended: {reply.type} at {reply.ref}; nothing was changed")
    return NotWaiting(id, "names no message that waits; `callboard mail list LOG` lists those that do")
