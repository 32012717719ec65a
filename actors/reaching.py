"""Messages that a tool of the user's own sends while it runs: which go out, and which are taken back. All pure.

Each is numbered in the order that the tool asks, so that code that runs again gets what is recorded of the number.
"""

from __future__ import annotations

from callboard.events import CallboardError, CallEnded, DeliveryFailed, Event, MessageChanged
from callboard.events.catalog import LimitReached, MessageReceived, MessageSent, Part, SendCancelling
from callboard.events.text import ERASED
from callboard.projections import AgentState
from callboard.projections.paths import call_of, message_digest
from callboard.projections.words import name_of

from . import limits
from .commands import DropSend, TakeSend
from .messaging import MAX_HOPS, name_of_turn
from .rules import CANCELLED, as_text


def take(state: AgentState, command: TakeSend | DropSend) -> list[Event]:
    """Return what `command` adds to the log: a message that is new and may go out, or that one is taken back. Pure."""
    if isinstance(command, DropSend):
        open = command.id in state.desk.sends and command.id not in state.desk.cancelling
        return [SendCancelling(id=command.id)] if open else []
    turn, (id, n) = state.desk.turn, call_of(command.id)
    if turn is None or fault(state, command) is not None or n in state.tools[id].said:
        return []
    return _bound(state, turn, command)


def _bound(state: AgentState, turn: MessageReceived, command: TakeSend) -> list[Event]:
    """Return the message with what it may spend; nothing, or the limit reached, where it may not go out."""
    message = MessageSent(
        id=command.id,
        recipient=command.recipient,
        kind=command.kind,
        parts=(Part(name_of_turn(turn), as_text(command.text)),),
        hops=turn.hops + 1,
    )
    return limits.bound(state.desk, [message], own=None, keeps=True)


def is_of(digest: str, command: TakeSend) -> bool:
    """Return whether the hash of a recorded message is that of `command`'s; what was erased is like any. Pure."""
    return digest in [message_digest(command.kind, command.recipient, text) for text in (command.text, ERASED)]


def fault(state: AgentState, command: TakeSend) -> CallboardError | None:
    """Return why a message of a running tool does not go out, or is not what it was; None where all is well. Pure."""
    id, n = call_of(command.id)
    call, turn = state.tools.get(id), state.desk.turn
    if turn is None or call is None or (call.phase, call.attempt) != ("running", command.attempt):
        return CallEnded(id)
    known = call.said.get(n)
    if known is not None:
        return None if is_of(known, command) else MessageChanged(id, n)
    if state.desk.ending:
        return DeliveryFailed(f"nothing was sent to {name_of(command.recipient)!r}: the turn was {CANCELLED}; return")
    if turn.hops >= MAX_HOPS:
        return DeliveryFailed(f"this request was passed on {turn.hops} times, which is the most; do it here")
    bound = _bound(state, turn, command)
    if not bound:
        return DeliveryFailed(
            "nothing was sent: what may still be spent is with others who work on this; wait for them"
        )
    if isinstance(bound[0], LimitReached):
        return DeliveryFailed(f"nothing was sent: limit of {bound[0].limit}: {bound[0].text}")
    return None


def left(state: AgentState) -> list[str]:
    """Return the messages that are open though the call that sent them has ended. Pure."""
    turn = state.desk.turn
    mine = [id for id in state.desk.sends if turn and id.startswith(f"{turn.id}/")]
    return [id for id in mine if call_of(id)[0] not in state.tools]


def follow(state: AgentState) -> list[Event]:
    """Return the cancels of messages that nobody waits for any more. Pure."""
    return [SendCancelling(id=id) for id in left(state) if id not in state.desk.cancelling]
