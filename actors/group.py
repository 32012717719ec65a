"""What a group does, as rules: it gives the word as its pattern says, until there is an answer. All pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from callboard.events import Event, Text
from callboard.events.catalog import (
    CueSpec,
    GroupRetired,
    JobScheduled,
    JobStarted,
    LoadAsked,
    LoadObserved,
    MemberJoined,
    MemberLeft,
    MessageReceived,
    MessageSent,
    Part,
    ScalingSet,
    SymptomFound,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.projections import GroupState, cuts
from callboard.projections.purse import Purse
from callboard.projections.quotes import quoted

from . import choosing, failing, limits, scaling, upkeep
from .commands import Alter, Command, TakeLoad, TakeWindow
from .cues import brought, given, nothing_new, phrase
from .patterns import Choose, Cue, Finish, Observe, Pattern, Pick, Speak, Work
from .rules import as_text, asker, reason
from .until import final_words, fired


def take(state: GroupState, command: Command) -> list[Event] | None:
    """Return what `command` adds to the log; None where any actor would know. Pure."""
    match command:
        case TakeLoad(id, waiting, latency):
            observing = state.observing and state.desk.turn is not None and state.desk.turn.id == id
            return [LoadObserved(id=id, waiting=waiting, latency=latency)] if observing else []
        case TakeWindow():
            return _begin_job(state, command)
        case Alter(event=event) if not isinstance(event, SymptomFound):
            return _alter(state, event)
        case _:
            return None


def _alter(state: GroupState, event: Event) -> list[Event]:
    """Return a change of the group, unless it is as it says already."""
    match event:
        case MemberJoined(member=member) if member.name in state.members:
            return []
        case MemberLeft(name=name) if name not in state.members:
            return []
        case GroupRetired() if state.desk.retired:
            return []
        case ScalingSet(scaling=scale) if scale == state.scaling:
            return []
        case _:
            return [event]


def _begin_job(state: GroupState, window: TakeWindow) -> list[Event]:
    job = state.jobs.get(window.id)
    if job is None or job.phase != "scheduled" or busy_in_background(state, job.member):
        return []
    if job.member not in state.members:
        return []
    assert state.spec is not None
    since, upto, parts, own = window.since, window.upto, window.parts, state.spec.limits
    if job.cut:  # other work may have ended since the window was looked at
        since, upto, lines = cuts.told(state, job)
        parts = (*lines, Part(state.spec.name, job.note))
    started = JobStarted(id=job.id, since=since, upto=upto)
    cue = CueSpec(tools=job.tools, apart=True, fresh=bool(job.cut) or job.member in state.fresh)
    parts = parts or nothing_new(state)
    sent = MessageSent(id=job.id, recipient=state.streams[job.member], kind="turn", parts=parts, grant=own, cue=cue)
    return [started, sent]


def busy_in_background(state: GroupState, member: str) -> bool:
    """Return whether background work of `member` runs."""
    return any(job.member == member and job.phase != "scheduled" for job in state.jobs.values())


def follow(pattern: Pattern, state: GroupState, rule: scaling.Rule = scaling.one_each) -> list[Event]:
    """Return what `state` calls for next; nothing when it waits. Pure."""
    if beside := upkeep.follow(state):
        return beside
    turn = state.desk.turn
    if turn is None:
        waits = state.desk.backlog and not state.desk.retired
        return [TurnStarted(id=state.desk.backlog[0].id)] if waits else []
    if turn.id in state.desk.cancelling:
        return [] if state.open else [TurnCancelled(id=turn.id, to=asker(turn), text=reason(state.desk, turn.id))]
    if state.desk.paused:
        return []
    if purse := state.desk.spent_up:
        return [] if state.open else _spent_up(pattern, state, turn, purse)
    if state.failed:
        return failing.settle(state, turn)
    over = fired(state.spec.until, state) if state.spec and state.spec.until else ""
    if over:
        return [] if state.open else _tried(pattern, state, turn, lambda: _over(pattern, state, turn, over))
    if state.unread:
        return choosing.read(state, turn)
    if state.observing:
        return []
    if state.scaling is not None and not state.scaled:
        return [LoadAsked(id=turn.id)] if state.observed < 0 else scaling.decide(state, turn, rule)
    return _tried(pattern, state, turn, lambda: _events(state, turn, pattern.next(state)))


def _tried(pattern: Pattern, state: GroupState, turn: MessageReceived, work: Callable[[], list[Event]]) -> list[Event]:
    try:
        return work()
    except Exception as error:  # a border to others' code
        failure = f"the pattern {type(pattern).__name__} raised {type(error).__name__}: {error}"
        return [] if state.open else [TurnFailed(id=turn.id, to=asker(turn), text=Text(failure))]


def _events(state: GroupState, turn: MessageReceived, step: object) -> list[Event]:
    match step:
        case Speak(members):
            return _speak(state, turn, [one if isinstance(one, Cue) else Cue(one) for one in members])
        case Pick(by=by):
            unknown = _strangers(state, turn, list(by))
            return choosing.ask(state, turn, step) if unknown is None else unknown
        case Choose():
            return choosing.by_rule(turn, step)
        case Observe():
            return [LoadAsked(id=turn.id)]
        case Finish():
            return [] if state.open else _finish(state, turn, step)
        case _:
            raise TypeError(f"next() gave {step!r}; a Speak, Pick, Choose, Observe or Finish is wanted")


def _strangers(state: GroupState, turn: MessageReceived, names: list[str]) -> list[Event] | None:
    """Return what follows where the word was given to somebody who is not here; None where all are."""
    unknown = [name for name in names if name not in state.streams]
    if not unknown:
        return None
    failure = f"the pattern gave the word to {', '.join(unknown)}; members are {', '.join(state.members)}"
    return [] if state.open else [TurnFailed(id=turn.id, to=asker(turn), text=Text(failure))]


def _speak(state: GroupState, turn: MessageReceived, cues: list[Cue]) -> list[Event]:
    unknown = _strangers(state, turn, [cue.member for cue in cues])
    if unknown is not None:
        return unknown
    free = [(cue, CueSpec()) for cue in cues if cue.member not in state.talking]
    return list(given(state, turn, free))


def _over(pattern: Pattern, state: GroupState, turn: MessageReceived, reason: str) -> list[Event]:
    """Return the end of a request whose talk is over by the group's own condition."""
    assert state.spec is not None and state.spec.until is not None
    gives: Callable[[GroupState], Mapping[str, object]] | None = getattr(pattern, "data", None)
    end = Finish(final_words(state.spec.until, state), reason, gives(state) if gives else {})
    return _finish(state, turn, end)


def _spent_up(pattern: Pattern, state: GroupState, turn: MessageReceived, purse: Purse) -> list[Event]:
    """Return the end of a request that reached a limit: the last that was said, and what the pattern has so far."""
    said = [one.text for one in state.said if one.text and not one.failed]
    end = limits.ended(purse, turn, said[-1] if said else Text())
    gives: Callable[[GroupState], Mapping[str, object]] | None = getattr(pattern, "data", None)
    if isinstance(end, TurnFailed) or gives is None:
        return [end]
    return _tried(pattern, state, turn, lambda: [_with_data(end, gives(state))])


def _with_data(end: TurnFinished, given: Mapping[str, object]) -> TurnFinished:
    data, quotes = quoted(given)
    return end.model_copy(update={"data": data, "quotes": quotes})


def _finish(state: GroupState, turn: MessageReceived, end: Finish) -> list[Event]:
    to = asker(turn)
    if end.text is None:
        return [TurnFailed(id=turn.id, to=to, text=Text(end.why or _why(state)))]
    data, quotes = quoted(end.data)
    finished = TurnFinished(id=turn.id, to=to, text=as_text(end.text), stop_reason=end.reason, data=data, quotes=quotes)
    return [*_scheduled(state, turn, end.jobs), finished]


def _why(state: GroupState) -> str:
    failed = [f"{said.speaker}: {said.text}" for said in state.said if said.failed]
    return "nobody in the group had an answer" + (f" ({'; '.join(failed)})" if failed else "")


def _scheduled(state: GroupState, turn: MessageReceived, jobs: tuple[Work, ...]) -> list[Event]:
    """Return the background work that is not scheduled already: what waits takes in what was said meanwhile.

    Work on a cut is about what leaves with that cut, and so each is scheduled.
    """
    waiting = {job.member for job in state.jobs.values() if job.phase == "scheduled"}
    wanted = [job for job in jobs if (job.cut or job.member not in waiting) and job.member in state.members]
    return [
        JobScheduled(
            id=f"{turn.id}/{n}/{job.member}",
            member=job.member,
            note=phrase(state, job.note),
            tools=brought(state, job.tools),
            cut=job.cut,
            conversation=turn.conversation if job.cut else "",
        )
        for n, job in enumerate(wanted, start=state.assigned + 1)
    ]
