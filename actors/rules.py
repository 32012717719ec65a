"""Rules that every kind of actor has. All pure."""

from __future__ import annotations

from callboard.events import Event
from callboard.events.catalog import (
    MessageReceived,
    MessageRefused,
    SendAccepted,
    SendAnswered,
    SendCancelling,
    SendFailed,
    TurnCancelled,
    TurnCancelling,
)
from callboard.events.text import Text
from callboard.projections import Desk

from .commands import Cancel, Command, Receive, TakeAccepted, TakeAnswer

CANCELLED = "cancelled"
"""What whoever asked is told of a turn that was cancelled."""


def take(desk: Desk, command: Command) -> list[Event]:
    """Return what `command` adds to the log of any actor. What is no longer waited for adds nothing. Pure."""
    match command:
        case Receive(id, sender, kind, parts):
            return [
                MessageReceived(
                    id=id, sender=sender, kind=kind, parts=parts,
                    conversation=command.conversation, params=command.params,
                )
            ]  # fmt: skip
        case Cancel(id) if id in desk.cancelling:
            return []
        case Cancel(id) if desk.holds(id):
            return [TurnCancelling(id=id)]
        case Cancel(id, sender):
            return [MessageRefused(id=id, to=sender, text=Text(CANCELLED))]
        case TakeAccepted(id) if id in desk.sends:
            return [SendAccepted(id=id)]
        case TakeAnswer(id, text, ok, accepted) if id in desk.sends:
            if ok:
                return [SendAnswered(id=id, text=as_text(text))]
            return [SendFailed(id=id, text=as_text(text), accepted=accepted)]
        case _:
            return []


def as_text(text: str) -> Text:
    """Return `text`, keeping the place where it was said. Pure."""
    return text if isinstance(text, Text) else Text(text)


def cancel(desk: Desk) -> list[Event]:
    """Return what any actor owes those that cancelled. Its own calls an agent ends itself. Pure."""
    idle = [m for m in desk.backlog if m.id in desk.cancelling]
    if idle:
        return [TurnCancelled(id=m.id, to=asker(m), text=Text(CANCELLED)) for m in idle]
    if desk.ending:
        return [SendCancelling(id=id) for id in desk.sends if id not in desk.cancelling]
    return []


def asker(message: MessageReceived) -> str:
    """Return the stream that waits for an answer to `message`; empty where none does. Pure."""
    return "" if message.kind == "tell" else message.sender
