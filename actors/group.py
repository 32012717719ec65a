"""A group: gives its members the word until its pattern has an answer."""

from __future__ import annotations

from callboard.events import CallboardError, Event, Text
from callboard.events.catalog import (
    MessageReceived,
    MessageSent,
    Part,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.projections import GroupState, group_state
from callboard.projections.group import evolve

from . import code
from .actor import Actor
from .patterns import Finish, Pattern, Speak
from .rules import CANCELLED, asker


def follow(pattern: Pattern, state: GroupState) -> list[Event]:
    """Return what `state` calls for next; nothing when it waits. Pure."""
    turn = state.desk.turn
    if turn is None:
        return [TurnStarted(id=state.desk.backlog[0].id)] if state.desk.backlog else []
    if turn.id in state.desk.cancelling:
        return [] if state.open else [TurnCancelled(id=turn.id, to=asker(turn), text=Text(CANCELLED))]
    try:
        step = pattern.next(state)
    except Exception as error:  # a border to others' code
        failure = f"the pattern {type(pattern).__name__} raised {type(error).__name__}: {error}"
        return [] if state.open else [TurnFailed(id=turn.id, to=asker(turn), text=Text(failure))]
    match step:
        case Speak(members):
            return _speak(state, turn, members)
        case Finish(text, reason):
            return [] if state.open else [_finish(state, turn, text, reason)]


def _speak(state: GroupState, turn: MessageReceived, members: tuple[str, ...]) -> list[Event]:
    assert state.spec is not None
    streams = dict(zip(state.members, state.spec.members, strict=True))
    unknown = [member for member in members if member not in streams]
    if unknown and state.open:
        return []
    if unknown:
        failure = f"the pattern gave the word to {', '.join(unknown)}; members are {', '.join(streams)}"
        return [TurnFailed(id=turn.id, to=asker(turn), text=Text(failure))]
    return [
        MessageSent(
            id=f"{turn.id}/{n}/{member}",
            recipient=streams[member],
            kind="turn",
            parts=state.unheard(member) or _nothing_new(state),
        )
        for n, member in enumerate(members, start=state.assigned + 1)
    ]


def _nothing_new(state: GroupState) -> tuple[Part, ...]:
    assert state.spec is not None
    return (Part(speaker=state.spec.name, text=Text("Nobody else has spoken since. Go on.")),)


def _finish(state: GroupState, turn: MessageReceived, text: Text | None, reason: str) -> Event:
    if text is not None:
        return TurnFinished(id=turn.id, to=asker(turn), text=text, stop_reason=reason)
    failed = [f"{said.speaker}: {said.text}" for said in state.said if said.failed]
    why = "nobody in the group had an answer" + (f" ({'; '.join(failed)})" if failed else "")
    return TurnFailed(id=turn.id, to=asker(turn), text=Text(why))


class GroupActor(Actor[GroupState]):
    """Has no effects of its own: whatever a group does is a send."""

    projection = group_state
    evolve = staticmethod(evolve)
    _pattern: Pattern | None = None

    def bind(self) -> str:
        """Find the pattern that the spec names."""
        assert self.state.spec is not None
        spec = self.state.spec.pattern
        try:
            self._pattern = code.build(self.system.code.find(spec.code), spec.fields)
        except CallboardError as error:
            return str(error)
        return ""

    def follow(self, state: GroupState) -> list[Event]:
        """Return what `state` calls for next. Pure."""
        return follow(self._pattern, state) if self._pattern else []
