"""The views as JSON: what `--json` prints. Public: names change as an API would.

Times are ISO 8601 in UTC, durations seconds, positions and versions count from 1; what is not there yet
is null. All functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import JsonValue

from callboard.events.catalog import MessageReceived, Part, Usage

from .agent import AgentState
from .agent_calls import ModelCall, ToolCall
from .archive import ArchiveState
from .contexts import contexts
from .conversation import Utterance
from .deciding import AWAITS
from .desk import Desk
from .group import GroupState
from .group_shapes import DECISIONS, cue_shape, group_facts, group_step, said_shape, uses_shape
from .pending import Open
from .prompt import Heard, Line, Replied, Summed
from .spans import Attempt, EditSpan, ModelSpan, Span, Step, Summary, ToolSpan, TurnSpan, Verdict
from .usage import Spent, UsageTable
from .versions import BlockHistory, BlockVersion

Shape = dict[str, JsonValue]
"""A JSON object."""


def time_shape(time: datetime | None) -> str | None:
    """Return `time` as ISO 8601 in UTC, to the microsecond."""
    if time is None:
        return None
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def usage_shape(usage: Usage) -> Shape:
    """Return the tokens of a call, or of many."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
    }


def _part(part: Part) -> Shape:
    return {"speaker": part.speaker, "text": str(part.text), "failed": part.failed}


# -- a trace ----------------------------------------------------------------------------------------


def summary_shape(summary: Summary) -> Shape:
    """Return a request of the listing."""
    return {
        "trace": summary.trace,
        "id": summary.id,
        "to": summary.to,
        "text": summary.text,
        "state": summary.state,
        "turns": summary.turns,
        "usage": usage_shape(summary.usage),
        "started": time_shape(summary.started),
        "seconds": summary.seconds,
        "first": summary.first,
        "last": summary.last,
        "awaiting_people": summary.awaiting,
    }


def span_shape(span: Step) -> Shape:
    """Return a span and all below it; `kind` is a word for what it is, such as `turn` or `tool_call`."""
    match span:
        case TurnSpan():
            return _place("turn", span) | _turn(span)
        case ModelSpan():
            return _place("model_call", span) | _model_call(span)
        case ToolSpan():
            return _place("tool_call", span) | _tool_call(span)
        case EditSpan():
            return _place("edit", span) | _edit(span)
        case _:
            return _place(DECISIONS[type(span)], span) | group_step(span, span_shape)


def _place(kind: str, span: Span) -> Shape:
    return {
        "kind": kind,
        "id": span.id,
        "stream": span.stream,
        "state": span.state,
        "open": span.open,
        "first": span.first,
        "last": span.last,
        "started": time_shape(span.started),
        "ended": time_shape(span.ended),
        "seconds": span.seconds,
    }


def _turn(span: TurnSpan) -> Shape:
    return {
        "asked_by": span.asked_by,
        "wants": span.kind,
        "asked": [_part(part) for part in span.asked],
        "text": span.text,
        "stop_reason": span.stop_reason,
        "attempt": span.attempt,
        "cue": cue_shape(span),
        "uses": [uses_shape(use) for use in span.uses],
        "data": span.data,
        "limits": list(span.limits),
        "faults": list(span.faults),
        "cancelled_by": span.cancelled_by,
        "steps": [span_shape(step) for step in span.steps],
    }


def _model_call(span: ModelSpan) -> Shape:
    return {
        "model": span.model,
        "attempts": [_attempt(attempt) for attempt in span.attempts],
        "usage": usage_shape(span.usage) if span.usage else None,
        "text": span.text,
        "uses": [uses_shape(use) for use in span.uses],
        "finish_reason": span.finish_reason,
        "blocks": dict(span.blocks),
        "prompt": span.prompt,
        "summarises": span.summarises,
    }


def _attempt(attempt: Attempt) -> Shape:
    return {
        "number": attempt.number,
        "model": attempt.model,
        "started": time_shape(attempt.started),
        "ended": time_shape(attempt.ended),
        "failure": attempt.failure,
        "text": attempt.text,
        "retry_at": time_shape(attempt.retry_at),
    }


def _tool_call(span: ToolSpan) -> Shape:
    return {
        "tool": span.tool,
        "arguments": span.arguments,
        "effect": span.effect,
        "text": span.text,
        "attempts": span.attempts,
        "in_doubt": span.in_doubt,
        "resolved_by": span.resolved_by,
        "verdicts": [_verdict(verdict) for verdict in span.verdicts],
        "recipients": [{"name": one.name, "state": one.state, "text": one.text} for one in span.recipients],
        "expired": span.expired,
        "steps": [span_shape(step) for step in span.steps],
    }


def _verdict(verdict: Verdict) -> Shape:
    return {
        "about": verdict.about,
        "asked": time_shape(verdict.asked),
        "note": verdict.note,
        "outcome": verdict.outcome or None,
        "by": verdict.by,
        "decided": time_shape(verdict.decided),
        "text": verdict.text,
    }


def _edit(span: EditSpan) -> Shape:
    return {
        "asked_by": span.asked_by,
        "verb": span.verb,
        "version": span.version,
        "put": span.put,
        "diff": list(span.diff),
        "text": span.text,
    }


# -- what was said, and what it cost ----------------------------------------------------------------


def utterance_shape(said: Utterance) -> Shape:
    """Return a line of a conversation."""
    return {
        "position": said.position,
        "at": time_shape(said.at),
        "kind": said.kind.replace(" ", "_"),
        "speaker": said.speaker,
        "to": said.to,
        "text": said.text,
        "ref": None if said.ref is None else list(said.ref),
    }


def usage_table_shape(table: UsageTable) -> Shape:
    """Return what was spent, in all, by agent and by request."""
    return {
        "total": _spent(table.total),
        "by_agent": {name: _spent(spent) for name, spent in table.by_agent.items()},
        "by_trace": {trace: _spent(spent) for trace, spent in table.by_trace.items()},
    }


def _spent(spent: Spent) -> Shape:
    return {
        "calls": spent.calls,
        "failed_attempts": spent.failed_attempts,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "cached_tokens": spent.cached_tokens,
        "seconds": round(spent.seconds, 6),
    }


# -- states -----------------------------------------------------------------------------------------


def agent_shape(state: AgentState) -> Shape:
    """Return the state of an agent, its whole history included: that of `main`, and those of other conversations."""
    histories: dict[str, JsonValue] = {name: [_line(one) for one in lines] for name, lines in contexts(state).items()}
    return {
        "spec": None if state.spec is None else state.spec.model_dump(mode="json"),
        "desk": _desk(state.desk),
        "step": state.step,
        "model_call": None if state.model is None else _open_model_call(state.model),
        "tool_calls": [_open_tool_call(call) for call in state.tools.values()],
        "blocks_seen": dict(state.seen),
        "history": histories["main"],
        "conversations": {name: lines for name, lines in histories.items() if name != "main"},
    }


def _desk(desk: Desk) -> Shape:
    return {
        "turn": None if desk.turn is None else _message(desk.turn),
        "attempt": desk.attempt if desk.turn else None,
        "backlog": [_message(message) for message in desk.backlog],
        "cancelling": [id for id in sorted(desk.cancelling)],
        "retired": desk.retired,
        "sends": [{"id": sent.id, "recipient": sent.recipient, "wants": sent.kind} for sent in desk.sends.values()],
    }


def _message(message: MessageReceived) -> Shape:
    parts: list[JsonValue] = [_part(part) for part in message.parts]
    return {"id": message.id, "sender": message.sender, "wants": message.kind, "parts": parts}


def _open_model_call(call: ModelCall) -> Shape:
    return {
        "id": call.id,
        "phase": call.phase,
        "attempt": call.attempt,
        "due": time_shape(call.due),
        "failure": str(call.failure),
    }


def _open_tool_call(call: ToolCall) -> Shape:
    return {
        "id": call.id,
        "tool": call.wanted.tool,
        "arguments": str(call.wanted.arguments),
        "phase": call.phase,
        "attempt": call.attempt,
        "awaits": AWAITS.get(call.phase),
        "note": str(call.text) if call.phase == "asked" else "",
        "recipients": list(call.recipients),
        "due": time_shape(call.due),
    }


def _line(line: Line) -> Shape:
    match line:
        case Heard(turn=turn, kind=kind, parts=parts, group=group):
            heard: list[JsonValue] = [_part(part) for part in parts]
            return {"kind": "heard", "turn": turn, "wants": kind, "group": group, "parts": heard}
        case Replied(turn=turn, text=text, uses=uses):
            called: list[JsonValue] = [
                {"name": name, "tool": tool, "arguments": str(arguments)} for name, tool, arguments in uses
            ]
            return {"kind": "replied", "turn": turn, "text": str(text), "uses": called}
        case Summed(turn=turn, text=text, lines=lines):
            return {"kind": "summary", "turn": turn, "lines": lines, "text": str(text)}
        case _:
            return {"kind": "result", "turn": line.turn, "name": line.name, "text": str(line.text)}


def group_shape(state: GroupState) -> Shape:
    """Return the state of a group, its whole transcript included."""
    return {
        "spec": None if state.spec is None else state.spec.model_dump(mode="json"),
        "desk": _desk(state.desk),
        "members": list(state.members),
        "assigned": state.assigned,
        "has_the_word": {str(turn): word.member for turn, word in state.open.items()},
        **group_facts(state),
        "transcript": [said_shape(said) for said in state.transcript],
    }


def block_shape(history: BlockHistory) -> Shape:
    """Return a block, with every version and every refused edit."""
    state = history.state
    return {
        "spec": None if state.spec is None else state.spec.model_dump(mode="json", exclude={"value"}),
        "value": state.value,
        "version": state.version,
        "retired": state.desk.retired,
        "history": [version_shape(version) for version in history.versions],
    }


def version_shape(version: BlockVersion) -> Shape:
    """Return one step in the life of a block, without its value."""
    return {
        "position": version.position,
        "version": version.version,
        "at": time_shape(version.at),
        "by": version.by,
        "person": version.person,
        "call": version.call,
        "verb": version.verb,
        "of": version.of,
        "diff": list(version.diff),
        "refused": version.refused,
    }


def archive_shape(state: ArchiveState) -> Shape:
    """Return an archive: how many passages it holds and had, and the newest; it knows no texts."""
    newest = state.passages.get(state.newest)
    return {
        "spec": None if state.spec is None else state.spec.model_dump(mode="json"),
        "version": state.events,
        "passages": state.standing,
        "deleted": len(state.passages) - state.standing,
        "newest": None
        if newest is None
        else {"id": f"p{state.newest}", "tags": [*newest.tags], "version": newest.version},
    }


def pending_shape(items: Iterable[Open]) -> list[JsonValue]:
    """Return what is open."""
    return [
        {
            "stream": item.stream,
            "kind": item.kind,
            "id": item.id,
            "latest": item.latest,
            "since": item.since,
            "recipient": item.recipient,
            "due": time_shape(item.due),
        }
        for item in items
    ]
