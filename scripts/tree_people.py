"""What a tool call waited for, in the tree of a trace: people who decide, and those whom its messages go to."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from callboard.events.calls import POLICY
from callboard.projections.spans import ToolSpan, Verdict
from callboard.scripts.screen import Piece, duration, many, moment, one_line, shortened, styled

STATES = {"failed": "red", "sent": "yellow", "not sent": "yellow"}
"""The style of how a message fares, where it is not well."""


def said(verdicts: Sequence[Verdict], *, full: bool) -> list[Text]:
    """Return what people were asked about a call, and who decided what and when; a line each. Pure."""
    return [line for verdict in verdicts for line in _said(verdict, full=full)]


def _said(verdict: Verdict, *, full: bool) -> list[Text]:
    since = f" since {moment(verdict.asked)}"
    note = [styled(("asked since ", "dim")) + shortened(verdict.note, full=full)] if verdict.note else []
    if not verdict.outcome:
        wanted = "a person's leave" if verdict.about == "approval" else "a person's answer"
        return [styled((f"waits for {wanted}", "bold yellow"), (since, "dim")), *note]
    if verdict.by == POLICY:
        return [styled(("needed no approval, by the tool's own rule", "dim"))]
    took = (verdict.decided - verdict.asked).total_seconds() if verdict.decided and verdict.asked else None
    style = "red" if verdict.outcome == "refused" else "green"
    when = f" {moment(verdict.decided)}, after {duration(took)}"
    return [styled((f"{verdict.outcome} by {one_line(verdict.by)}", style), (when, "dim")), *note]


def reached(span: ToolSpan) -> list[Text]:
    """Return whom the messages of a call go to, and what came of each, as one line; none for other calls. Pure."""
    if not span.recipients:
        return []
    late: Piece = (" until the time was up", "yellow") if span.expired else ""
    pieces: list[Piece] = [(f"to {many(len(span.recipients), 'recipient')}", "dim"), late, (": ", "dim")]
    for number, one in enumerate(span.recipients):
        pieces += [", " if number else "", one.name, (f" {one.state}", STATES.get(one.state, "dim"))]
    return [styled(*pieces)]
