"""What a group does about a turn that failed. All pure."""

from __future__ import annotations

from callboard.events import Event, Text
from callboard.events.catalog import MemberFailed, MessageReceived, SendCancelling, TurnFailed
from callboard.events.groups import Remedy
from callboard.projections import GroupState
from callboard.projections.words import Ended

from .cues import again
from .rules import asker


def settle(state: GroupState, turn: MessageReceived) -> list[Event]:
    """Return what follows from the failed turns; nothing while that waits for others."""
    assert state.spec is not None
    for ended in state.failed.values():
        member = ended.word.member
        if member in state.managers and state.manager and state.manager != member:
            return _other(state, turn, ended, state.manager, "standby")
        if state.spec.on_failure == "fail":
            return _fail(state, turn, ended)
        if state.spec.on_failure == "retry" and not ended.word.cue.instead and member in state.streams:
            return _other(state, turn, ended, member, "retry")
        if state.spec.on_failure == "reroute" and member in state.members and not ended.word.cue.pick:
            others = _like(state, member)
            if others and (free := [name for name in others if name not in state.talking]):
                return _other(state, turn, ended, free[0], "reroute")
            if others:
                continue
        return [_failed(turn, ended, "skip")]
    return []


def _failed(turn: MessageReceived, ended: Ended, then: Remedy, to: str = "") -> Event:
    word = ended.word
    return MemberFailed(id=turn.id, turn=word.turn, member=word.member, text=ended.text, then=then, to=to)


def _other(state: GroupState, turn: MessageReceived, ended: Ended, to: str, then: Remedy) -> list[Event]:
    same = to == ended.word.member
    note = f"Your last turn failed ({ended.text}). Try once more." if same else ""
    return [_failed(turn, ended, then, to), again(state, turn, ended, to, note)]


def _fail(state: GroupState, turn: MessageReceived, ended: Ended) -> list[Event]:
    """Return what ends the request: first whoever still has the word is told that it is not wanted."""
    if state.open:
        sent = [word.sent.id for word in state.open.values()]
        return [SendCancelling(id=id) for id in sent if id not in state.desk.cancelling]
    why = Text(f"{ended.word.member} failed: {ended.text}")
    return [_failed(turn, ended, "fail"), TurnFailed(id=turn.id, to=asker(turn), text=why)]


def _like(state: GroupState, member: str) -> list[str]:
    """Return the members that share a tag with `member` and did not fail, fewest turns open first."""
    assert state.spec is not None
    tags = set(state.about(member).tags)
    found = [use.name for use in state.spec.members if tags & set(use.tags) and use.name not in state.down]
    return sorted(found, key=lambda name: sum(word.member == name for word in state.open.values()))
