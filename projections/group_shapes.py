"""What groups decided, and where they stand, as JSON. Public like all shapes. All functions are pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import JsonValue

from callboard.events.catalog import ToolUse

from .spans import ChoiceSpan, Decision, FailureSpan, JobSpan, LoadSpan, ScalingSpan, Step, TurnSpan

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
    return {"pick": cue.pick, "instead_of": turn.instead_of, "apart": cue.apart, "fresh": cue.fresh}


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
