"""The window of a conversation that is kept short: where it is cut, who forgets what, what is told of it. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from callboard.events.catalog import JobScheduled, Part

from .states import replace
from .words import Job, Said

if TYPE_CHECKING:
    from .group import GroupState

MOST = 200
"""Lines that leave a window and are told at once; where work has failed often, the next work gets the rest."""

NEWER = ", newer"
"""What marks a line that stays in the window."""


def cut(state: GroupState, *, least: int, most: int) -> int:
    """Return the item of the transcript where the window of the open conversation begins next; 0 where it stays.

    Beyond `most` messages it is cut to about `least`: at the first request at or after that place which was answered.
    """
    lines = [(n, said) for n, said in _items(state, _begin(state), state.conversation) if said.text]
    if len(lines) <= most:
        return 0
    answered = {request_of(said.id) for _, said in lines if said.turn and not said.failed}
    pairs = [(None, lines[0]), *pairwise(lines)][len(lines) - least :]
    begins = (n for before, (n, said) in pairs if _begins(said, before) and said.id in answered)
    return next(begins, 0)


def request_of(turn: str) -> str:
    """Return the id of the request that the turn `turn` of a member is part of."""
    return turn.rsplit("/", 2)[0]


def _begins(said: Said, before: tuple[int, Said] | None) -> bool:
    """Return whether `said` is the first thing that a request says."""
    return not said.turn and (before is None or before[1].id != said.id)


def _begin(state: GroupState) -> int:
    return max(state.cuts.get(state.conversation, 0), state.start)


def _items(state: GroupState, since: int, conversation: str) -> list[tuple[int, Said]]:
    items = enumerate(state.transcript.since(since), start=since)
    return [(n, said) for n, said in items if said.conversation == conversation]


def scheduled(state: GroupState, event: JobScheduled) -> GroupState:
    """Return `state` with the work of `event`; where that cuts the window, those who answer owe to forget the rest.

    Each forgets what it heard before the first request that it answered in the window; who answered none there forgets
    all, and is told the window with its next word.
    """
    job = Job(
        event.id, event.member, event.note, event.tools,
        cut=event.cut, conversation=event.conversation, start=state.start, length=len(state.transcript),
    )  # fmt: skip
    state = replace(state, jobs={**state.jobs, job.id: job})
    if not job.cut:
        return state
    owed, heard = dict(state.trims), dict(state.heard)
    kept = [said for _, said in _items(state, job.cut, job.conversation) if said.turn and not said.failed]
    for name in state.managers:
        place = state.place(name)
        if place in heard:
            owed[place] = next((request_of(said.id) for said in kept if said.speaker == name), "")
            heard[place] = heard[place] if owed[place] else job.cut
    return replace(state, cuts={**state.cuts, job.conversation: job.cut}, trims=owed, heard=heard)


def since_of(state: GroupState, member: str) -> str:
    """Return the request that `member` forgets with its next word what was before; empty where nothing is forgotten."""
    place = state.place(member)
    if place not in state.trims or state.desk.turn is None:
        return ""
    return state.trims[place] or state.desk.turn.id


def given(state: GroupState, member: str) -> GroupState:
    """Return `state` after `member` was told what to forget."""
    place = state.place(member)
    return replace(state, trims={other: since for other, since in state.trims.items() if other != place})


def not_given(state: GroupState, member: str, since: str) -> GroupState:
    """Return `state` after a word that said what to forget did not reach `member`."""
    assert state.desk.turn is not None
    owed = "" if since == state.desk.turn.id else since
    return replace(state, trims={**state.trims, state.place(member): owed})


def mark_of(job: Job) -> str:
    """Return under which name the group notes how far such work has come: the member's, or that of a conversation."""
    return f"/{job.conversation}" if job.cut else job.member


def told(state: GroupState, job: Job) -> tuple[int, int, tuple[Part, ...]]:
    """Return what work on a cut is about: from which item to which, and the lines, numbered, those that stay marked.

    It begins where the last such work of the conversation that was finished ended, so that each line leaves once.
    """
    since = max(state.marks.get(mark_of(job), 0), job.start)
    lines = [(n, said) for n, said in _items(state, since, job.conversation) if said.text and n < job.length]
    left = [(n, said) for n, said in lines if n < job.cut]
    upto = left[MOST][0] if len(left) > MOST else job.cut
    told = [*left[:MOST], *lines[len(left) :]]
    return since, upto, tuple(_line(i, n >= job.cut, said) for i, (n, said) in enumerate(told, start=1))


def _line(number: int, stays: bool, said: Said) -> Part:
    return Part(f"[{number}{NEWER * stays}] {said.speaker}", said.text, said.failed)
