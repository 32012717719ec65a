"""What must hold of limits: no turn spends or gives away more than it may, and an answer says what was spent. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from callboard.events import RecordedEvent
from callboard.events.catalog import (
    Grant,
    LimitRaised,
    MessageReceived,
    MessageSent,
    ModelCallRequested,
    TextReply,
    ToolCallRequested,
    TurnStarted,
)
from callboard.events.limits import AMOUNTS

from . import purse as purses
from .findings import Findings, Place
from .purse import Purse

COUNTED = (MessageSent, ModelCallRequested, ToolCallRequested)
"""Events that begin what is counted; what a model call turns out to cost may be more than was set aside."""


@dataclass(slots=True)
class _Turn:
    """The open turn of one stream, where something is limited."""

    id: str
    purse: Purse
    sends: dict[str, MessageSent] = field(default_factory=dict[str, MessageSent])


class LimitLaws:
    """Takes the events of a log in their order; knows only the turns that are limited."""

    def __init__(self, findings: Findings) -> None:
        """Note into `findings` what breaks a law."""
        self._findings = findings
        self._grants: dict[str, MessageReceived] = {}
        self._given: dict[str, Grant] = {}
        self._turns: dict[str, _Turn] = {}

    def take(self, event: RecordedEvent, place: Place) -> None:
        """Check `event` against all laws, and remember it."""
        data = event.data
        if isinstance(data, MessageReceived):
            self._received(data, place)
        elif isinstance(data, TurnStarted):
            self._started(event.stream, data)
        elif isinstance(data, MessageSent) and data.grant is not None:
            self._given[data.id] = data.grant
        turn = self._turns.get(event.stream)
        if turn is None:
            return
        if isinstance(data, MessageSent):
            turn.sends[data.id] = data
        turn.purse = purses.evolve(turn.purse, data, turn.sends, turn.id)
        if isinstance(data, COUNTED):
            self._within(turn.purse, place)
        elif isinstance(data, LimitRaised) and data.id != turn.id:
            self._findings.add(place, "limit", f"a limit of {data.id!r} is raised", f"one of {turn.id!r}")
        elif isinstance(data, TextReply) and data.id == turn.id:
            self._ended(turn, data, place)
            del self._turns[event.stream]

    def _received(self, message: MessageReceived, place: Place) -> None:
        if message.sender != "user":
            given = self._given.pop(message.id, None)
            if given != message.grant:
                self._findings.add(place, "limit", f"the grant {_shown(message.grant)}", _shown(given))
        if message.grant is not None:
            self._grants[message.id] = message

    def _started(self, stream: str, event: TurnStarted) -> None:
        message = self._grants.pop(event.id, MessageReceived(id=event.id, sender="", parts=()))
        purse = purses.opened(message, event)
        if purse is not None:
            self._turns[stream] = _Turn(event.id, purse)

    def _within(self, purse: Purse, place: Place) -> None:
        for name in AMOUNTS:
            most = purse.allowed(name)
            used = getattr(purse.spent, name)
            held = sum((getattr(one.all, name) for one in purse.held.values()), start=type(used)(0))
            if most is not None and held and used + held > most:
                self._findings.add(place, "limit", f"{used + held} {name} spent or given away", f"at most {most}")
            elif most is not None and name in ("turns", "model_calls", "tool_calls") and used > most:
                self._findings.add(place, "limit", f"{used} {name}", f"at most {most}")

    def _ended(self, turn: _Turn, reply: TextReply, place: Place) -> None:
        if reply.spent != turn.purse.spent:
            self._findings.add(place, "limit", f"{_shown(reply.spent)} spent", _shown(turn.purse.spent))


def _shown(amounts: object) -> str:
    return "none" if amounts is None else str(amounts)
