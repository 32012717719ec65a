"""Tool calls in a transcript, and what people are asked about them, as lines."""

from __future__ import annotations

import json

from callboard.actors.messaging import ASK_HUMAN, AskHuman, parsed
from callboard.events import Event
from callboard.events.calls import POLICY
from callboard.events.catalog import (
    ApprovalAsked,
    ApprovalGiven,
    LimitKept,
    LimitRaised,
    LimitReached,
    QuestionAnswered,
    QuestionAsked,
    ToolCallRequested,
)
from callboard.projections.telling import decided
from callboard.scripts.group_lines import Line
from callboard.scripts.screen import harmless, one_line

ARGUMENT, ARGUMENTS = 28, 76
"""Characters that are shown of one argument of a tool, and of all."""


def line_of(event: Event, call: ToolCallRequested | None, *, asks: bool) -> Line | None:
    """Return how an event is shown by which a call waits for a person, or goes on; None where it is not. Pure.

    Args:
        asks: Whether the person is asked here and now, so that nothing needs to be said of how.
    """
    what = call_of(call) if call else event.id
    turn = event.id.rsplit("/", 2)[0] if event.id.count("/") > 1 else ""
    match event:
        case ApprovalAsked(id=id) if not asks:
            how = f"callboard people approve LOG {id}, or deny LOG {id} REASON"
            return _line(turn, f"{what} waits for a person: {how}")
        case QuestionAsked(id=id) if not asks:
            return _line(turn, f"{question(call)} - a person is asked: callboard people answer LOG {id} TEXT")
        case ApprovalGiven(by=by) if by != POLICY:
            return _line(turn, f"{what} was approved by {by}", "note")
        case QuestionAnswered(by=by):
            return _line(turn, f"answered by {by}", "note")
        case LimitReached(id=id, asks=True) if not asks:
            how = f"callboard people approve LOG {id}/limit, or deny LOG {id}/limit REASON"
            return _line(id, f"{decided(event, '')}: {how}")
        case LimitReached(id=id) | LimitRaised(id=id) | LimitKept(id=id):
            return _line(id, decided(event, ""), "note")
        case _:
            return None


def _line(turn: str, text: str, kind: str = "person") -> Line:
    return Line(turn.rpartition("/")[2], turn, kind, text)


def question(call: ToolCallRequested | None) -> str:
    """Return what a call asks a person, with the options that there are, as one line. Pure."""
    asked = parsed(ASK_HUMAN, str(call.arguments)) if call else ""
    if not isinstance(asked, AskHuman):
        return "a question"
    options = f" ({' | '.join(asked.options)})" if asked.options else ""
    return one_line(f"{asked.question}{options}", 300)


def call_of(requested: ToolCallRequested) -> str:
    """Return a tool call as one short line. Pure."""
    return harmless(f"{one_line(requested.tool)}({_arguments(str(requested.arguments))})")


def _arguments(text: str) -> str:
    try:
        values = json.loads(text or "{}")
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return one_line(text, ARGUMENTS)
    pairs = (f"{key}={_argument(value)}" for key, value in values.items())  # type: ignore[reportUnknown]
    return one_line(", ".join(pairs), ARGUMENTS)


def _argument(value: object) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), ARGUMENT)
