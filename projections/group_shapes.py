"""What groups decided, and where they stand, as JSON. Public like all shapes. All functions are pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import JsonValue

from callboard.events.catalog import ToolUse

from .group import GroupState
from .spans import ChoiceSpan, Decision, FailureSpan, JobSpan, LoadSpan, ScalingSpan, Step, TurnSpan
from .words import Said

Shape = dict[str, JsonValue]
"""A JSON object."""

DECISIONS: dict[type, str] = {
    ChoiceSpan: "choice",
    FailureSpan: "member_failure",
    JobSpan: "job",
    LoadSpan: "load",
    ScalingSpan: "scaling",
}
"""The word for each kind of span that only groups have."""


def uses_shape(use: ToolUse) -> Shape:
    """Return the use of a tool."""
    return {"name": use.name, "arguments": str(use.arguments)}


def cue_shape(turn: TurnSpan) -> Shape:
    """Return what a group said of a turn that it gave."""
    cue = turn.cue
    own: Shape = {"pick": cue.pick, "instead_of": turn.instead_of, "apart": cue.apart, "fresh": cue.fresh}
    return own | {"since": cue.since}


def group_step(span: Decision | JobSpan, shape: Callable[[Step], Shape]) -> Shape:
    """Return what a group decided, or its background work; `shape` is that of what stands below it."""
    match span:
        case ChoiceSpan():
            own = _fields(span, "by", "turn", "tool", "choice", "reason", "raw")
            return {**own, "options": [*span.options], "read": span.state}
        case FailureSpan():
            return _fields(span, "member", "turn", "then", "to", "text")
        case LoadSpan():
            return {"waiting": {**span.waiting}, "latency": {**span.latency}}
        case ScalingSpan():
            own = _fields(span, "had", "wanted", "backlog", "latency", "reason")
            return {**own, "joined": [*span.joined], "left": [*span.left]}
        case JobSpan():
            own = _fields(span, "member", "note", "since", "upto", "text")
            return {**own, "steps": [shape(step) for step in span.steps]}


def _fields(span: Any, *names: str) -> Shape:
    return {name: getattr(span, name) for name in names}


# -- states -----------------------------------------------------------------------------------------


def group_facts(state: GroupState) -> Shape:
    """Return what a group does now, beside who has the word."""
    started = state.declared.members if state.declared else ()
    names = [use.name for use in started]
    return {
        "phase": state.phase,
        "turns": state.counter,
        "answered": state.answered,
        "last_answered": state.processed,
        "manager": state.manager,
        "managers": [*state.managers],
        "joined": [name for name in state.members if name not in names],
        "left": [name for name in names if name not in state.members],
        "failed_in_this_request": [*sorted(state.down)],
        "choosing": [
            {"turn": turn, "by": word.member, "tool": word.cue.pick, "options": [*word.options]}
            for turn, word in state.open.items()
            if word.cue.pick
        ],
        "choices": [
            {
                "turn": one.turn,
                "by": one.by,
                "tool": one.tool,
                "choice": one.choice,
                "read": one.read,
                "reason": one.reason,
            }
            for one in state.choices
        ],
        "jobs": [
            {"id": job.id, "member": job.member, "state": job.phase, "since": job.since, "upto": job.upto}
            for job in state.jobs.values()
        ],
        "windows": {**state.cuts},
        "given_blocks": [{"by": by, "label": use.label, "stream": use.stream} for by, use in state.given],
        "scaling": None if state.scaling is None else state.scaling.model_dump(mode="json"),
        "load": {"waiting": {**state.waiting}, "latency": {**state.latency}},
    }


def said_shape(said: Said) -> Shape:
    """Return something said in a group, with what the speaker passed on."""
    uses: list[JsonValue] = [uses_shape(use) for use in said.uses]
    return {"turn": said.turn, "speaker": said.speaker, "text": str(said.text), "failed": said.failed, "uses": uses}
