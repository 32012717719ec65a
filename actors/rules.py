"""Rules that every kind of actor has. All pure."""

from __future__ import annotations

from callboard.events import Event, NewEvent
from callboard.events.catalog import (
    ActorRestarted,
    AgentRetired,
    BlockAttached,
    BlockDetached,
    BlockRetired,
    MessageDropped,
    MessageExpired,
    MessageReceived,
    MessageRefused,
    Reply,
    SendAccepted,
    SendAnswered,
    SendCancelling,
    SendFailed,
    SymptomFound,
    TurnCancelled,
    TurnCancelling,
    TurnFailed,
    TurnTimed,
)
from callboard.events.text import ERASED, Text
from callboard.projections import Desk

from . import limits, raising
from .commands import (
    Alter,
    Cancel,
    Command,
    Drop,
    MessageDue,
    Receive,
    Restarted,
    TakeAccepted,
    TakeAnswer,
    TakeDecision,
    TakeTime,
    TimeUp,
)

CANCELLED = "cancelled"
"""What whoever asked is told of a turn that was cancelled."""

RETIRED = "is retired, and takes nothing up any more"
"""What is said of whoever was asked."""


EXPIRED = "did not begin with it before it expired"
"""What is said of whoever was asked too late."""


def take(desk: Desk, command: Command) -> list[Event]:
    """Return what `command` adds to the log of any actor. What is no longer waited for adds nothing. Pure."""
    match command:
        case Receive(kind="attach" | "detach" | "retire"):
            return _of_group(desk, command)
        case Receive(id, sender, kind) if desk.retired:
            name = id.rsplit("/", 1)[-1]
            to = "" if kind == "tell" else sender
            return [MessageRefused(id=id, to=to, text=Text(f"{name} {RETIRED}"), begun=False)]
        case Receive(id, sender, kind, parts):
            return [
                MessageReceived(
                    id=id, sender=sender, kind=kind, parts=parts, conversation=command.conversation,
                    params=command.params, tools=command.tools, fresh=command.fresh, since=command.since,
                    hops=command.hops, grant=command.grant, expires=command.expires,
                )
            ]  # fmt: skip
        case MessageDue(id) | Drop(id):
            return [_dead(message, command) for message in desk.backlog if message.id == id]
        case Restarted(text, failures):
            return [ActorRestarted(text=Text(text), failures=failures)]
        case Cancel(id) if id in desk.cancelling:
            return []
        case Cancel(id, sender, by, why) if desk.holds(id):
            return [TurnCancelling(id=id, by=by or sender, text=as_text(why))]
        case Cancel(id, sender, _, why):
            return [MessageRefused(id=id, to=sender, text=as_text(why or CANCELLED), begun=False)]
        case TakeAccepted(id) if id in desk.sends:
            return [SendAccepted(id=id)]
        case TakeAnswer(id, text, ok, accepted, reason, uses, spent) if id in desk.sends:
            if ok:
                return [SendAnswered(id=id, text=as_text(text), stop_reason=reason, uses=uses, spent=spent)]
            return [SendFailed(id=id, text=as_text(text), accepted=accepted, spent=spent)]
        case Alter(event=SymptomFound() as found):
            return [found, *limits.asks_about(desk, found)]
        case Alter(event=event):
            return [] if isinstance(event, AgentRetired | BlockRetired) and desk.retired else [event]
        case TakeTime() | TimeUp():
            return _of_time(desk, command)
        case TakeDecision():
            return raising.take(desk, command)
        case _:
            return []


def _of_time(desk: Desk, command: Command) -> list[Event]:
    """Return what time does to the limits of the open turn."""
    turn, purse = desk.turn, desk.purse
    if turn is None or purse is None:
        return []
    match command:
        case TakeTime(id, until) if id == turn.id and purse.untimed is not None:
            return [TurnTimed(id=id, until=until)]
        case TimeUp(id, until) if id == turn.id and purse.reached is None and purse.until == until:
            return [limits.over_limit(purse, turn, "seconds", 0, f"it was to end by {until:%Y-%m-%d %H:%M:%S} UTC")]
        case _:
            return []


def _of_group(desk: Desk, command: Receive) -> list[Event]:
    """Return what a group does to whoever is in it."""
    match command:
        case Receive(id, sender, "attach", use=use, tools=tools) if use:
            return [BlockAttached(id=id, by=sender, use=use, tools=tools)]
        case Receive(id, sender, "detach", use=use) if use:
            return [BlockDetached(id=id, by=sender, use=use)]
        case _:
            return [] if desk.retired else [AgentRetired(id=command.id)]


def _dead(message: MessageReceived, command: Drop | MessageDue) -> MessageExpired | MessageDropped:
    """Return what closes a message that waits, and makes it a dead letter."""
    if isinstance(command, Drop):
        return MessageDropped(id=message.id, to=asker(message), text=Text(command.text), begun=False, by=command.by)
    name = message.id.rsplit("/", 1)[-1]
    return MessageExpired(id=message.id, to=asker(message), text=Text(f"{name} {EXPIRED}"), begun=False)


def as_text(text: str) -> Text:
    """Return `text`, keeping the place where it was said. Pure."""
    return text if isinstance(text, Text) else Text(text)


def cancel(desk: Desk) -> list[Event]:
    """Return what any actor owes those that cancelled. Its own calls an agent ends itself. Pure."""
    idle = [m for m in desk.backlog if m.id in desk.cancelling]
    if idle:
        return [TurnCancelled(id=m.id, to=asker(m), text=reason(desk, m.id), begun=False) for m in idle]
    if desk.turn and desk.ending:
        mine = [id for id in desk.sends if id.startswith(f"{desk.turn.id}/")]
        return [SendCancelling(id=id) for id in mine if id not in desk.cancelling]
    if desk.retired:
        return [TurnFailed(id=m.id, to=asker(m), text=Text(RETIRED), begun=False) for m in desk.backlog]
    return []


def reason(desk: Desk, id: str) -> Text:
    """Return why the turn `id` was cancelled, in words. Pure."""
    return desk.reasons.get(id) or Text(CANCELLED)


def asker(message: MessageReceived) -> str:
    """Return the stream that waits for an answer to `message`; empty where none does. Pure."""
    return "" if message.kind == "tell" else message.sender


def same(received: Event, delivery: Receive) -> bool:
    """Return whether a message that was received says what `delivery` does; what was erased is like any. Pure."""
    if not isinstance(received, MessageReceived) or len(received.parts) != len(delivery.parts):
        return False
    pairs = zip(received.parts, delivery.parts, strict=True)
    known = tuple(old._replace(text=part.text) if old.text == ERASED else old for old, part in pairs)
    return (
        (received.sender, received.kind) == (delivery.sender, delivery.kind)
        and known == delivery.parts
        and received.params in (delivery.params, {ERASED: ERASED})
        and received.conversation == delivery.conversation
    )


def keyed(new: list[NewEvent], key: str) -> bool:
    """Return whether one of the events to be recorded has this key. Pure."""
    return any(event.data.key == key for event in new)


def answers(new: list[NewEvent], id: str) -> bool:
    """Return whether one of the events to be recorded answers the message `id`. Pure."""
    return any(isinstance(event.data, Reply) and event.data.id == id for event in new)
