"""The trace of a log: a span for each thing worked on, nested by who asked for it.

Ids are paths, so the parent of a span is the longest prefix of its id that is itself a turn or a tool
call. Nothing else is recorded for this, and one pass over the events makes all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from callboard.events import RecordedEvent
from callboard.events.catalog import (
    BlockEdited,
    BlockEditRefused,
    BlockStarted,
    ChoiceMade,
    CueSpec,
    GroupScaled,
    JobFailed,
    JobFinished,
    JobScheduled,
    JobStarted,
    LimitKept,
    LimitRaised,
    LimitReached,
    LoadAsked,
    LoadObserved,
    MemberFailed,
    MessageDeadLettered,
    MessageDropped,
    MessageExpired,
    MessageReceived,
    MessageRefused,
    MessageSent,
    ModelAttemptFailed,
    ModelCallDeferred,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
    OutputRefused,
    PassageRefused,
    PassageReply,
    Reply,
    SendFailed,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallResolved,
    ToolCallRetried,
    ToolCallStarted,
    TurnCancelled,
    TurnCancelling,
    TurnFailed,
    TurnFinished,
    TurnResumed,
    TurnStarted,
)

from .block import changed, spliced
from .deciding import decide, reach, refused
from .passages import changed as stored
from .paths import call_of
from .projection import Projection, fold
from .quotes import whole
from .spans import (
    Attempt,
    ChoiceSpan,
    EditSpan,
    FailureSpan,
    JobSpan,
    LoadSpan,
    ModelSpan,
    Root,
    ScalingSpan,
    Span,
    ToolSpan,
    TurnSpan,
)
from .telling import decided
from .words import turn_of

S = TypeVar("S", bound=Span)

OF_GROUPS = ("attach", "detach", "start", "retire")
"""Kinds of messages that a group sends for itself, under no request."""


class Traces:
    """All spans of a log, and those that nobody within asked for. Changed in place by its one fold."""

    def __init__(self) -> None:
        self.roots: list[Root] = []
        self._turns: dict[str, TurnSpan] = {}
        self._tools: dict[str, ToolSpan] = {}
        self._calls: dict[str, ModelSpan] = {}
        self._edits: dict[str, EditSpan] = {}
        self._jobs: dict[str, JobSpan] = {}
        self._values: dict[str, str] = {}

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in."""
        match event.data.opens or event.data.goes_on or event.data.closes:
            case "turn":
                self._of_turn(event)
            case "send":
                self._of_send(event)
            case "call":
                self._of_call(event)
            case "tool":
                self._of_tool(event)
            case "job":
                self._of_job(event)
            case _:
                self._of_block(event)

    def _of_turn(self, event: RecordedEvent) -> None:
        data = event.data
        if isinstance(data, MessageReceived):
            self._received(event, data)
            return
        turn = _moved(self._turns[data.id], event)
        match data:
            case TurnStarted():
                turn.state = "open"
            case TurnResumed(attempt=attempt):
                turn.attempt = attempt
            case TurnCancelling(by=by):
                turn.state, turn.cancelled_by = "cancelling", by
            case LimitReached() | LimitRaised() | LimitKept():
                asks = isinstance(data, LimitReached) and data.asks
                turn.limits = (*turn.limits, decided(data, ""))
                turn.state = "waits for a person" if asks else "open"
            case OutputRefused(text=text):
                turn.faults = (*turn.faults, str(text))
            case TurnFinished(text=text, stop_reason=reason, uses=uses, data=given, quotes=quotes):
                turn.text, turn.stop_reason, turn.uses, turn.data = str(text), reason, uses, whole(given, quotes)
                _end(turn, event, "answered")
            case TurnFailed(text=text) | TurnCancelled(text=text) | MessageDeadLettered(text=text):
                turn.text = str(text)
                _end(turn, event, "cancelled" if isinstance(data, TurnCancelled) else "failed")
            case MessageExpired(text=text) | MessageDropped(text=text):
                turn.text = str(text)
                _end(turn, event, "expired" if isinstance(data, MessageExpired) else "dropped")
            case _:
                _decide(turn, event)

    def _received(self, event: RecordedEvent, data: MessageReceived) -> None:
        if (known := self._turns.get(data.id)) is not None:
            _moved(known, event).state = "waiting"
            return
        self._add_turn(TurnSpan(*_place(event, "waiting"), data.sender, data.kind, data.parts))

    def _add_turn(self, turn: TurnSpan) -> None:
        self._turns[turn.id] = turn
        self._put(turn)

    def _put(self, span: Root) -> None:
        same = self._sender(span.id) or self._jobs.get(span.id)  # what a job sends has its id
        parent = same or self._parent(span.id)
        if parent is not None:
            parent.steps.append(span)
        elif isinstance(span, TurnSpan) or "-" not in span.asked_by:
            self.roots.append(span)  # an agent's edit without its turn belongs to a request not read here

    def _parent(self, path: str) -> TurnSpan | ToolSpan | None:
        while path := path.rpartition("/")[0]:
            if (parent := self._turns.get(path) or self._tools.get(path)) is not None:
                return parent
        return None

    def _sender(self, send: str) -> ToolSpan | None:
        """Return the call that a message is of: an edit has the id of its call, others a number besides."""
        return self._tools.get(send) or self._tools.get(call_of(send)[0] if send.count("/") > 1 else "")

    def _begin(self, step: ModelSpan | ToolSpan) -> None:
        if (turn := self._parent(step.id)) is not None:
            turn.steps.append(step)

    def _of_send(self, event: RecordedEvent) -> None:
        data = event.data
        if (tool := self._sender(data.id)) is not None:
            reach(_moved(tool, event), event)
        if isinstance(data, MessageSent):
            if tool is not None and tool.state != "running":
                tool.state = "sent"
            place = _place(event, "sent", data.recipient)
            if data.kind == "edit":
                self._add_edit(EditSpan(*place, event.stream, data.edit))
            elif data.kind not in OF_GROUPS:
                turn = TurnSpan(*place, event.stream, data.kind, data.parts, cue=data.cue or CueSpec())
                turn.instead_of = self._tried(turn)
                self._add_turn(turn)
        elif isinstance(data, SendFailed):
            span = self._edits.get(data.id) or self._turns.get(data.id)
            if span is not None and span.open:
                span.text = str(data.text)
                _end(_moved(span, event), event, "failed")

    def _tried(self, turn: TurnSpan) -> str:
        """Return the id of the turn that `turn` is another try of; empty where it is none."""
        parent = self._parent(turn.id) if turn.cue.instead else None
        turns = [step.id for step in parent.steps if isinstance(step, TurnSpan)] if parent else []
        return next((id for id in turns if turn_of(id) == turn.cue.instead), "")

    def _of_job(self, event: RecordedEvent) -> None:
        data = event.data
        if isinstance(data, JobScheduled):
            job = self._jobs[data.id] = JobSpan(*_place(event, "scheduled"), data.member, str(data.note))
            if (turn := self._parent(data.id)) is not None:
                turn.steps.append(job)
            return
        job = _moved(self._jobs[data.id], event)
        match data:
            case JobStarted(since=since, upto=upto):
                job.state, job.since, job.upto = "running", since, upto
            case JobFinished():
                _end(job, event, "finished")
            case JobFailed(text=text):
                job.text = str(text)
                _end(job, event, "failed")
            case _:
                pass

    def _of_call(self, event: RecordedEvent) -> None:
        data = event.data
        if isinstance(data, ModelCallRequested):
            call = self._calls[data.id] = ModelSpan(*_place(event, "wanted"), summarises=data.summarises)
            self._begin(call)
            return
        call = _moved(self._calls[data.id], event)
        match data:
            case ModelCallStarted(attempt=number, blocks=blocks, prompt=prompt, model=model):
                _end_attempt(call, event, "stopped")
                call.attempts.append(Attempt(number, event.recorded_at, model=model))
                call.state, call.blocks, call.prompt = "running", blocks, prompt
            case ModelAttemptFailed(kind=kind, text=text, retry_at=due):
                if not data.sent:
                    _end_attempt(call, event, "stopped")
                    call.attempts.append(Attempt(data.attempt, event.recorded_at, model=data.model))
                _end_attempt(call, event, kind, str(text), due)
                call.state = "retrying"
            case ModelCallFinished():
                _end_attempt(call, event, "")
                call.text, call.uses, call.usage = str(data.text), data.uses, data.usage
                call.model, call.finish_reason = data.model, data.finish_reason
                _end(call, event, "finished")
            case ModelCallFailed(text=text):
                _end_attempt(call, event, "cancelled")
                call.text = str(text)
                _end(call, event, "failed")
            case ModelCallDeferred(tokens=tokens, window=window):
                call.text = f"its prompt would have about {tokens:,} tokens, of {window:,}"
                _end(call, event, "deferred")
            case _:
                pass

    def _of_tool(self, event: RecordedEvent) -> None:
        data = event.data
        if isinstance(data, ToolCallRequested):
            call = ToolSpan(*_place(event, "wanted"), data.tool, str(data.arguments), data.effect)
            self._tools[data.id] = call
            self._begin(call)
            return
        call = _moved(self._tools[data.id], event)
        match data:
            case ToolCallStarted(attempt=attempt):
                call.attempts, call.state = attempt, "running"
            case ToolCallInDoubt():
                call.in_doubt, call.state = True, "in doubt"
            case ToolCallRetried(by=by):
                call.resolved_by, call.state = by, "wanted"
            case ToolCallFinished(text=text) | ToolCallFailed(text=text):
                call.text = str(text)
                failed = "refused" if refused(call) else "failed"
                _end(call, event, "finished" if isinstance(data, ToolCallFinished) else failed)
            case ToolCallResolved(text=text, by=by):
                call.text, call.resolved_by = str(text), by
                _end(call, event, "resolved")
            case _:
                decide(call, event)

    def _of_block(self, event: RecordedEvent) -> None:
        data = event.data
        match data:
            case BlockStarted(spec=spec):
                self._values.setdefault(event.stream, str(spec.value))
            case BlockEdited():
                old = self._values.get(event.stream, "")
                self._values[event.stream] = spliced(old, data)
                span = self._decided(event, data, data.verb, "edited")
                span.put, span.diff = str(data.put), changed(old, data)
            case BlockEditRefused(text=text):
                self._decided(event, data, data.verb, "refused").text = str(text)
            case PassageReply():
                self._decided(event, data, data.verb, "edited").diff = stored(data)
            case PassageRefused(text=text):
                self._decided(event, data, data.verb, "refused").text = str(text)
            case MessageRefused(text=text):
                span = self._edits.get(data.id) or self._turns.get(data.id)
                if span is None:
                    span = TurnSpan(*_place(event, "cancelled"), data.to, "ask", ())
                    self._add_turn(span)
                span.text = str(text)
                _end(_moved(span, event), event, "cancelled")
            case _:
                pass

    def _add_edit(self, span: EditSpan) -> None:
        self._edits[span.id] = span
        self._put(span)

    def _decided(self, event: RecordedEvent, data: Reply, verb: str, state: str) -> EditSpan:
        if data.id not in self._edits:
            self._add_edit(EditSpan(*_place(event, state), data.to, verb))
        span = _moved(self._edits[data.id], event)
        span.version = event.version
        _end(span, event, state)
        return span


def _place(event: RecordedEvent, state: str, stream: str = "") -> tuple[str, str, int, int, datetime, str]:
    """Return the fields that every span begins with."""
    at = event.position
    return event.data.id, stream or event.stream, at, at, event.recorded_at, state


def _moved(span: S, event: RecordedEvent) -> S:
    span.last = event.position
    return span


def _decide(turn: TurnSpan, event: RecordedEvent) -> None:
    """Put what a group decided under its turn."""
    match event.data:
        case ChoiceMade() as made:
            place = _place(event, made.read)
            what = made.by, made.turn, made.tool, made.options, made.choice, made.reason, str(made.raw)
            turn.steps.append(ChoiceSpan(*place, *what, ended=event.recorded_at))
        case MemberFailed(member=member, turn=number, to=to, text=text, then=then):
            failed = FailureSpan(*_place(event, then), member, number, to, str(text), ended=event.recorded_at)
            turn.steps.append(failed)
        case LoadAsked():
            turn.steps.append(LoadSpan(*_place(event, "asked")))
        case LoadObserved(waiting=waiting, latency=latency):
            for look in turn.steps:
                if isinstance(look, LoadSpan) and look.open:
                    look.waiting, look.latency = waiting, latency
                    _end(_moved(look, event), event, "observed")
        case GroupScaled() as scaled:
            joined = tuple(use.name for use in scaled.joined)
            what = scaled.had, scaled.wanted, scaled.backlog, scaled.latency, joined, scaled.left, scaled.reason
            turn.steps.append(ScalingSpan(*_place(event, "decided"), *what, ended=event.recorded_at))
        case _:
            pass


def _end(span: Span, event: RecordedEvent, state: str) -> None:
    span.state, span.ended = state, event.recorded_at


def _end_attempt(
    call: ModelSpan, event: RecordedEvent, failure: str, text: str = "", due: datetime | None = None
) -> None:
    if call.attempts and call.attempts[-1].ended is None:
        last = call.attempts[-1]
        last.ended, last.failure, last.text, last.retry_at = event.recorded_at, failure, text, due


def _evolve(traces: Traces, event: RecordedEvent) -> Traces:
    traces.take(event)
    return traces


traces: Projection[Traces] = Projection("traces", Traces, _evolve)
"""Every request of a log as a tree of spans; over the whole log, or a request and the streams of its blocks."""


def trace_roots(events: Iterable[RecordedEvent], trace: str | None = None) -> list[Root]:
    """Return what was asked from outside, oldest first, of one request or of all. Pure.

    Args:
        events: In the order of their positions: a whole log, or one request and its blocks' streams.
    """
    return [root for root in fold(traces, events).roots if trace in (None, root.trace)]
