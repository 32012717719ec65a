"""Where a group stands: its members, all that was said in it, and who has the word."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from callboard.events import Event, Text
from callboard.events.catalog import (
    GroupChanged,
    GroupStarted,
    MessageDeadLettered,
    MessageSent,
    Part,
    SendAnswered,
    SendFailed,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.events.specs import GroupSpec

from . import desk as desks
from .desk import Desk
from .growing import Growing
from .projection import Projection


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said in a group.

    Attributes:
        turn: Which assignment of the request it answers, from 1; 0 for the request itself.
        speaker: Name of the member, or of who asked.
        failed: Whether `text` says why the member had no answer.
    """

    turn: int
    speaker: str
    text: Text
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """The word, as a member has it; `heard` is how much of the transcript it knew before."""

    member: str
    heard: int


@dataclass(frozen=True, slots=True)
class GroupState:
    """State of one group, which is all that its pattern sees.

    Attributes:
        transcript: All that was said here, in every request, oldest first.
        began: Where in `transcript` the open request begins.
        assigned: How many turns were assigned in this request.
        open: Who has the word, as {turn: word}.
        heard: How much of `transcript` each member knows, as a number of items.
    """

    spec: GroupSpec | None = None
    desk: Desk = Desk()
    transcript: Growing[Said] = field(default_factory=Growing[Said])
    began: int = 0
    assigned: int = 0
    open: dict[int, Word] = field(default_factory=dict[int, Word])
    heard: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def members(self) -> tuple[str, ...]:
        """The names of the members, in order."""
        return tuple(name_of(stream) for stream in self.spec.members) if self.spec else ()

    @property
    def said(self) -> list[Said]:
        """What members answered in this request, in the order of the answers."""
        return [said for said in self.transcript.since(self.began) if said.turn]

    def unheard(self, member: str) -> tuple[Part, ...]:
        """Return what `member` has not heard yet; its own words it knows. Pure."""
        news = self.transcript.since(self.heard.get(member, 0))
        return tuple(Part(speaker=s.speaker, text=s.text, failed=s.failed) for s in news if s.speaker != member)


def name_of(stream: str) -> str:
    """Return the name of the agent or group whose stream this is; `user` stays `user`. Pure."""
    return stream.split("-", 1)[1] if "-" in stream else stream


def evolve(state: GroupState, event: Event) -> GroupState:
    """Return `state` after `event`. Pure."""
    state = replace(state, desk=desks.evolve(state.desk, event))
    match event:
        case GroupStarted(spec=spec) | GroupChanged(spec=spec):
            return replace(state, spec=spec)
        case TurnStarted():
            return _begin(state)
        case MessageSent(recipient=recipient):
            return _give_word(state, name_of(recipient))
        case SendAnswered(id=id, text=text):
            return _hear(state, id, text)
        case SendFailed(id=id, text=text, accepted=accepted):
            return _hear(state, id, text, failed=True, accepted=accepted)
        case TurnFinished() | TurnFailed() | TurnCancelled() | MessageDeadLettered():
            return replace(state, began=len(state.transcript), assigned=0, open={}) if not state.desk.turn else state
        case _:
            return state


def _begin(state: GroupState) -> GroupState:
    turn = state.desk.turn
    assert turn is not None
    asked = [Said(0, part.speaker, part.text, part.failed) for part in turn.parts]
    began = len(state.transcript)
    return replace(state, transcript=state.transcript.plus(*asked), began=began, assigned=0, open={})


def _give_word(state: GroupState, member: str) -> GroupState:
    turn = state.assigned + 1
    word = Word(member, state.heard.get(member, 0))
    heard = {**state.heard, member: len(state.transcript)}
    return replace(state, assigned=turn, open={**state.open, turn: word}, heard=heard)


def _hear(state: GroupState, id: str, text: Text, *, failed: bool = False, accepted: bool = True) -> GroupState:
    turn = int(id.split("/")[-2])
    word = state.open[turn]
    left = {other: open for other, open in state.open.items() if other != turn}
    heard = state.heard if accepted else {**state.heard, word.member: word.heard}
    said = Said(turn, word.member, text, failed)
    return replace(state, transcript=state.transcript.plus(said), open=left, heard=heard)


group_state: Projection[GroupState] = Projection("group", GroupState, lambda state, event: evolve(state, event.data))
