"""How the state of a group comes of its events."""

from __future__ import annotations

from callboard.events import Event, Text
from callboard.events.catalog import (
    BlockAttached,
    BlockDetached,
    BlockShared,
    BlockUnshared,
    ChoiceMade,
    GroupAltered,
    GroupChanged,
    GroupReset,
    GroupScaled,
    GroupStarted,
    JobFailed,
    JobFinished,
    JobScheduled,
    JobStarted,
    LoadAsked,
    LoadObserved,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MessageDeadLettered,
    MessageSent,
    ScalingSet,
    SendAnswered,
    SendFailed,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.events.specs import BlockUse, GroupSpec, MemberUse

from . import cuts
from . import desk as desks
from .group import GroupState
from .projection import Projection
from .states import replace
from .words import Choice, Ended, Job, Said, Word, name_of, turn_of

REFUSED = "it called the tools of its turn wrongly twice, and said nothing"
"""Why a turn failed that has no answer."""

OFFERS = 16
"""Texts of the group's own that are remembered, so that the log says them once."""


def evolve(state: GroupState, event: Event) -> GroupState:
    """Return `state` after `event`. Pure."""
    state = replace(state, desk=desks.evolve(state.desk, event))
    match event:
        case TurnStarted():
            return _begin(state)
        case MessageSent(kind="turn"):
            return _give_word(state, event)
        case SendAnswered(id=id) | SendFailed(id=id):
            return _hear(state, event, id)
        case TurnFinished() | TurnFailed() | TurnCancelled() | MessageDeadLettered():
            return _end(state, event)
        case ChoiceMade() | MemberFailed() | LoadAsked() | LoadObserved() | GroupScaled():
            return _of_request(state, event)
        case JobScheduled() | JobStarted() | JobFinished() | JobFailed():
            return _of_job(state, event)
        case _:
            return _of_life(state, event)


# -- a request --------------------------------------------------------------------------------------


def _begin(state: GroupState) -> GroupState:
    turn = state.desk.turn
    assert turn is not None
    talk = turn.conversation
    asked = [Said(0, one.speaker, one.text, one.failed, id=turn.id, conversation=talk) for one in turn.parts]
    if state.forgets or turn.fresh:
        state = _forgotten(state)
    return replace(_cleared(state), transcript=state.transcript.plus(*asked))


def _cleared(state: GroupState) -> GroupState:
    return replace(
        state, began=len(state.transcript), assigned=0, turns=(), numbers=(), open={}, failed={}, unread={}, choices=(),
        down=frozenset(), observed=-1, observing=False, scaled=False, unreached=frozenset(),
    )  # fmt: skip


def _end(state: GroupState, event: Event) -> GroupState:
    if state.desk.turn:  # it was one of the backlog
        return state
    answered = state.answered + isinstance(event, TurnFinished)
    return replace(_cleared(state), answered=answered, processed=event.id)


def _give_word(state: GroupState, sent: MessageSent) -> GroupState:
    member, known = name_of(sent.recipient), state.heard
    word = Word(sent, known.get(state.place(member), 0))
    cue = word.cue
    if cue.fresh:
        state = replace(state, fresh=state.fresh - {member})
    if sent.id in state.jobs:
        return state
    if cue.since:
        state = cuts.given(state, member)
    if not cue.apart:
        known = {**known, state.place(member): len(state.transcript)}
    counts = not (cue.pick or cue.instead)
    unread = {n: one for n, one in state.unread.items() if one.word.root != cue.instead}
    state = _with_offered(state, cue.tools)
    return replace(
        state, assigned=word.turn, open={**state.open, word.turn: word}, heard=known, unread=unread,
        turns=(*state.turns, *[member][:counts]), numbers=(*state.numbers, *[word.turn][:counts]),
        counter=state.counter + counts,
    )  # fmt: skip


def _with_offered(state: GroupState, *texts: Text) -> GroupState:
    new = tuple(text for text in texts if text and text not in state.offered)
    return replace(state, offered=(*state.offered, *new)[-OFFERS:]) if new else state


def _hear(state: GroupState, event: SendAnswered | SendFailed, id: str) -> GroupState:
    if id in state.jobs:
        failure = event.text if isinstance(event, SendFailed) else None
        return _with_job(state, replace(state.jobs[id], phase="ended", failure=failure))
    turn = turn_of(id)
    if turn not in state.open or state.open[turn].sent.id != id:
        return _missed(state, event)
    word = state.open[turn]
    state = replace(state, open={other: open for other, open in state.open.items() if other != turn})
    if isinstance(event, SendFailed):
        return _fail(state, word, event)
    state = replace(state, down=state.down - {word.member})
    if word.cue.pick:
        ended = Ended(word, event.text, event.uses, event.stop_reason)
        return replace(state, unread={**state.unread, turn: ended})
    if event.stop_reason == "refused" and not event.text:
        return replace(state, failed={**state.failed, turn: Ended(word, Text(REFUSED), failed=True)})
    uses = event.uses if event.stop_reason != "refused" else ()
    return _say(state, Said(word.root, word.member, event.text, uses=uses, id=id))


def _missed(state: GroupState, event: SendAnswered | SendFailed) -> GroupState:
    """Return `state` after something that the group gave did not arrive; who that was is the end of the id."""
    name = event.id.rsplit("/", 1)[-1]
    stream = state.streams.get(name, f"agent-{name}")
    if not isinstance(event, SendFailed) or stream not in state.shares:
        return state
    shares = {other: uses for other, uses in state.shares.items() if other != stream}
    return replace(state, shares=shares, unreached=state.unreached | {stream})


def _fail(state: GroupState, word: Word, event: SendFailed) -> GroupState:
    if not event.accepted and not word.cue.apart:
        state = replace(state, heard={**state.heard, state.place(word.member): word.heard})
    if not event.accepted and word.cue.fresh:
        state = replace(state, fresh=state.fresh | {word.member})
    if not event.accepted and word.cue.since:
        state = cuts.not_given(state, word.member, word.cue.since)
    ended = Ended(word, event.text, failed=True, accepted=event.accepted)
    return replace(state, down=state.down | {word.member}, failed={**state.failed, word.turn: ended})


def _say(state: GroupState, said: Said) -> GroupState:
    return replace(state, transcript=state.transcript.plus(replace(said, conversation=state.conversation)))


def _of_request(state: GroupState, event: Event) -> GroupState:
    match event:
        case ChoiceMade(turn=turn, by=by, tool=tool, choice=choice, read=read, reason=reason):
            made = (*state.choices, Choice(turn, by, tool, choice, read, reason, state.assigned))
            unread = {other: ended for other, ended in state.unread.items() if other != turn}
            return replace(state, choices=made, unread=unread)
        case MemberFailed(turn=turn, member=member, text=text, then=then):
            ended = state.failed[turn]
            state = replace(state, failed={other: one for other, one in state.failed.items() if other != turn})
            if then == "retry":
                return replace(state, down=state.down - {member})
            if then not in ("skip", "fail"):
                return state
            if ended.word.cue.pick:
                return replace(state, unread={**state.unread, turn: ended})
            return _say(state, Said(ended.word.root, member, text, failed=True, id=ended.word.sent.id))
        case LoadAsked():
            return replace(state, observing=True)
        case LoadObserved(waiting=waiting, latency=latency):
            return replace(state, observing=False, observed=state.assigned, waiting=waiting, latency=latency)
        case GroupScaled(joined=joined, left=left):
            assert state.spec is not None
            gone = tuple(use.stream for use in state.spec.members if use.name in left)
            members = (*(use for use in state.spec.members if use.name not in left), *joined)
            due = (*state.due, *(use.stream for use in joined))
            leaving = (*(one for one in state.leaving if one not in due), *gone)
            return replace(_with_members(state, members), scaled=True, due=due, leaving=leaving)
        case _:
            return state


# -- background work --------------------------------------------------------------------------------


def _with_job(state: GroupState, job: Job) -> GroupState:
    return replace(state, jobs={**state.jobs, job.id: job})


def _of_job(state: GroupState, event: Event) -> GroupState:
    match event:
        case JobScheduled(id=id, note=note, tools=tools):
            state = _with_offered(cuts.scheduled(state, event), note, tools)
            return replace(state, assigned=max(state.assigned, turn_of(id)) if state.desk.turn else 0)
        case JobStarted(id=id, since=since, upto=upto):
            return _with_job(state, replace(state.jobs[id], phase="running", since=since, upto=upto))
        case _:
            job = state.jobs[event.id]
            marks = {**state.marks, cuts.mark_of(job): job.upto} if isinstance(event, JobFinished) else state.marks
            return replace(state, marks=marks, jobs={id: one for id, one in state.jobs.items() if id != event.id})


# -- the life of the group --------------------------------------------------------------------------


def _of_life(state: GroupState, event: Event) -> GroupState:
    match event:
        case GroupStarted(spec=spec):
            return replace(state, spec=spec, declared=spec)
        case GroupChanged(spec=spec):
            return replace(state, spec=_merged(state, spec), declared=spec)
        case GroupReset():
            return replace(state, forgets=True)
        case GroupAltered() | BlockShared() | BlockUnshared():
            assert state.spec is not None
            return replace(state, spec=state.spec.model_copy(update=_altered(state.spec, event)))
        case ScalingSet(scaling=scaling):
            return replace(state, scaling=scaling)
        case MemberJoined(member=member):
            fresh = state.fresh | {member.name} if state.start else state.fresh  # it may know what was said before
            return replace(_with_members(state, (*_others(state, member.name), member)), fresh=fresh)
        case MemberLeft(name=name):
            return _with_members(state, _others(state, name))
        case MessageSent(kind="attach" | "detach", recipient=recipient, use=use) if use is not None:
            held = tuple(one for one in state.shares.get(recipient, ()) if one.label != use.label)
            held = (*held, use) if event.kind == "attach" else held
            state = _with_offered(state, event.cue.tools if event.cue else Text())
            return replace(state, shares={**state.shares, recipient: held}, shared=state.shared + 1)
        case MessageSent(kind="start", recipient=recipient):
            due = tuple(one for one in state.due if one != recipient)
            return replace(state, due=due, shared=state.shared + 1)
        case MessageSent(kind="retire", recipient=recipient):
            leaving = tuple(one for one in state.leaving if one != recipient)
            return replace(state, leaving=leaving, shared=state.shared + 1)
        case BlockAttached(by=by, use=use):
            return replace(state, given=(*_less(state, by, use.label), (by, use)))
        case BlockDetached(by=by, use=use):
            return replace(state, given=_less(state, by, use.label))
        case _:
            return state


def _forgotten(state: GroupState) -> GroupState:
    return replace(state, start=len(state.transcript), fresh=frozenset(state.streams), trims={}, forgets=False)


def _altered(spec: GroupSpec, event: Event) -> dict[str, object]:
    match event:
        case BlockShared(share=share):
            return {"blocks": (*(one for one in spec.blocks if one.label != share.label), share)}
        case BlockUnshared(label=label):
            return {"blocks": tuple(one for one in spec.blocks if one.label != label)}
        case GroupAltered(cleared=cleared):
            empty = {"description": "", "until": None}
            fields = {name: getattr(event, name) for name in ("description", "pattern", "until", "on_failure")}
            changed = {name: value for name, value in fields.items() if value is not None}
            return {**changed, **{name: empty[name] for name in cleared}}
        case _:
            return {}


def _merged(state: GroupState, spec: GroupSpec) -> GroupSpec:
    """Return the group as it is now, with what differs between its last spec and this one. Pure."""
    assert state.spec is not None and state.declared is not None
    before = state.declared
    changed = {name: value for name, value in spec if value != getattr(before, name)}
    return state.spec.model_copy(update=changed)


def _less(state: GroupState, by: str, label: str) -> tuple[tuple[str, BlockUse], ...]:
    return tuple((group, use) for group, use in state.given if (group, use.label) != (by, label))


def _others(state: GroupState, name: str) -> tuple[MemberUse, ...]:
    assert state.spec is not None
    return tuple(member for member in state.spec.members if member.name != name)


def _with_members(state: GroupState, members: tuple[MemberUse, ...]) -> GroupState:
    assert state.spec is not None
    return replace(state, spec=state.spec.model_copy(update={"members": members}))


group_state: Projection[GroupState] = Projection("group", GroupState, lambda state, event: evolve(state, event.data))
