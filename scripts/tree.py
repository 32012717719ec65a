"""A trace on a terminal: the listing of requests, and one request as a tree."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from callboard.events.catalog import Part, Usage
from callboard.projections.spans import (
    Attempt,
    EditSpan,
    JobSpan,
    ModelSpan,
    Root,
    Span,
    Step,
    Summary,
    ToolSpan,
    TurnSpan,
    summary,
)
from callboard.projections.words import name_of
from callboard.scripts.screen import Piece, arguments, duration, many, moment, one_line, shortened, styled
from callboard.scripts.tree_groups import cue, decision, job
from callboard.scripts.tree_people import reached, said

COLOURS = {
    "answered": "green",
    "edited": "green",
    "failed": "bold red",
    "refused": "bold red",
    "in doubt": "bold red",
    "cancelled": "yellow",
    "expired": "yellow",
    "dropped": "yellow",
    "resolved": "yellow",
}
"""The style of a state; what is open has its own."""

OPEN = "bold yellow"


def listing(found: Iterable[Summary]) -> Table:
    """Return the requests of a log, a line each. Pure."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    for title in ("trace", "to", "state"):
        table.add_column(title, no_wrap=True)
    for title in ("turns", "tokens", "time"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("positions", no_wrap=True)
    table.add_column("said", no_wrap=True, overflow="ellipsis", ratio=1, min_width=10)
    for item in found:
        tokens = item.usage.input_tokens + item.usage.output_tokens
        table.add_row(
            styled(item.trace),
            styled(name_of(item.to)),
            _state(item),
            f"{item.turns:,}",
            f"{tokens:,}" if tokens else "",
            duration(item.seconds),
            styled((f"{item.first}-{item.last}", "dim")),
            styled(one_line(item.text, 200)),
        )
    return table


def _state(item: Summary) -> Text:
    waits = ", waits for a person" if item.awaiting else ""
    return styled((f"{item.state}{waits}", OPEN if item.state == "open" else COLOURS.get(item.state, "")))


def tree(root: Root, *, full: bool) -> RenderableType:
    """Return a request as a tree, long texts shortened unless `full`. Pure."""
    line = summary(root)
    facts = [moment(root.started), many(line.turns, "turn"), _tokens(line.usage)]
    head = styled(("trace ", "dim"), (root.trace, "bold"), (f"  {' · '.join(filter(None, facts))}", "dim"))
    grown = Tree(_label(root, full=full), guide_style="dim")
    _grow(grown, root, full=full)
    return Group(head, grown)


def _grow(tree: Tree, span: Step, *, full: bool) -> None:
    if not isinstance(span, TurnSpan | ToolSpan | JobSpan):
        return
    for fault in span.faults if isinstance(span, TurnSpan) else ():
        tree.add(styled(("✗ ", "red")) + shortened(fault, full=full))
    for limit in span.limits if isinstance(span, TurnSpan) else ():
        tree.add(styled(("limit ", "yellow")) + shortened(limit, full=full))
    for step in span.steps:
        _grow(tree.add(_label(step, full=full)), step, full=full)
    if isinstance(span, TurnSpan) and (end := _end(span, full=full)) is not None:
        tree.add(end)


def _label(span: Step, *, full: bool) -> RenderableType:
    match span:
        case TurnSpan():
            return _turn(span, full=full)
        case ModelSpan():
            return _model_call(span, full=full)
        case ToolSpan():
            return _tool_call(span, full=full)
        case EditSpan():
            return _edit(span, full=full)
        case JobSpan():
            return job(span, _facts(span, "finished"), full=full)
        case _:
            return decision(span, full=full)


def _turn(span: TurnSpan, *, full: bool) -> RenderableType:
    told = " was told" if span.kind == "tell" else ""
    again = (f" taken up {span.attempt} times", "yellow") if span.attempt > 1 else ""
    stopped = (f" cancelled by {name_of(span.cancelled_by)}", "yellow") if span.cancelled_by else ""
    who = styled((name_of(span.stream), "bold cyan"), told, *cue(span), again, stopped, *_facts(span, "answered"))
    if span.kind != "turn":
        return Group(who, *(styled((f"{p.speaker}: ", "cyan")) + shortened(p.text, full=full) for p in span.asked))
    shown = span.asked if full or len(span.asked) < 4 else span.asked[-2:]
    more = [styled((f"… {len(span.asked) - len(shown)} before", "dim"))] if len(shown) < len(span.asked) else []
    return Group(who, *more, *map(_heard, shown))


def _heard(part: Part) -> Text:
    """Return a line of what a member was told: its whole text stands where it was said."""
    verb = " did not answer" if part.failed else ""
    line = styled((f"{part.speaker}{verb}: {one_line(part.text, 300)}", "dim"))
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _end(span: TurnSpan, *, full: bool) -> RenderableType | None:
    """Return how a turn ended, where its last model call has not just said it."""
    calls = [step for step in span.steps if isinstance(step, ModelSpan)]
    said = bool(calls) and calls[-1].text == span.text
    if span.open or (said and span.stop_reason in ("", "end")):
        return None
    head = styled(
        (span.state, COLOURS.get(span.state, "")),
        (f" ({span.stop_reason})" if span.stop_reason not in ("", "end") else "", "dim"),
    )
    return head if said or not span.text else Group(head, shortened(span.text, full=full))


def _model_call(span: ModelSpan, *, full: bool) -> RenderableType:
    asked = span.attempts[-1].model if span.attempts else ""
    names = " as ".join(dict.fromkeys(filter(None, (asked, span.model))))
    facts = filter(None, (names, _tokens(span.usage)))
    what = f"summary of {many(span.summarises, 'line')}, " if span.summarises else ""
    head = styled(
        (f"{what}model call {span.id.rpartition('/')[2]}", "magenta"),
        (f" {' · '.join(facts)}".rstrip(), "dim"),
        *_facts(span, "finished"),
    )
    lines: list[RenderableType] = [_failed(a) + shortened(a.text, full=full) for a in span.attempts if a.failure]
    told = bool(span.attempts) and span.attempts[-1].text == span.text
    if span.text and not told:
        lines.append(shortened(span.text, full=full))
    return Group(head, *lines)


def _failed(attempt: Attempt) -> Text:
    model = (f"{attempt.model} ", "dim") if attempt.model else ""
    return styled(("✗ ", "red"), f"attempt {attempt.number} ", model, (f"{attempt.failure} ", "red"))


def _tool_call(span: ToolSpan, *, full: bool) -> RenderableType:
    pieces: list[Piece] = [(span.tool, "blue")]
    if span.attempts > 1:
        pieces.append((f" {span.attempts} attempts", "yellow"))
    if span.in_doubt:
        pieces.append((" was in doubt" if span.ended else "", "yellow"))
    if span.resolved_by:
        pieces.append((f", resolved by {span.resolved_by}", "yellow"))
    head = styled(*pieces, *_facts(span, "finished"))
    if span.effect == "ends" and span.state == "finished":
        how = arguments(span.arguments, full=full)
        return Group(head, how) if how else head
    lines: list[RenderableType] = [head]
    if span.arguments:
        lines.append(shortened(span.arguments, full=full, style="dim"))
    lines += [*said(span.verdicts, full=full), *reached(span)]
    if span.text and not any(isinstance(step, EditSpan) for step in span.steps):
        mark = styled(("✗ ", "red")) if span.state in ("failed", "refused") else styled(("→ ", "dim"))
        lines.append(mark + shortened(span.text, full=full))
    return Group(*lines)


def _edit(span: EditSpan, *, full: bool) -> RenderableType:
    by = (f" {span.verb} by {name_of(span.asked_by)}", "") if "-" not in span.asked_by else ""
    version = (f" version {span.version}", "dim") if span.state == "edited" else ""
    what = "archive " if span.stream.startswith("archive-") else "block "
    head = styled((what, "dim"), (name_of(span.stream), "bold green"), by, version, *_facts(span, ""))
    lines: list[RenderableType] = [head]
    if span.text:
        lines.append(styled(("✗ ", "red")) + shortened(span.text.removeprefix("refused: "), full=full))
    shown = span.diff if full or len(span.diff) <= 12 else span.diff[:10]
    colours = {"+": "green", "-": "red"}
    lines += [styled((line, colours.get(line[:1], "dim"))) for line in shown]
    if len(shown) < len(span.diff):
        lines.append(styled((f"… {len(span.diff) - len(shown):,} more lines", "dim")))
    return Group(*lines)


def _facts(span: Span, usual: str) -> list[Piece]:
    """Return the state, unless it is the `usual` one, then time and positions."""
    facts: list[Piece] = []
    if span.open:
        facts.append((f"  open: {span.state}" if span.state != "open" else "  open", OPEN))
    elif span.state != usual:
        facts.append((f"  {span.state}", COLOURS.get(span.state, "")))
    if isinstance(span, EditSpan):
        return [*facts, (f"  @{span.last}", "dim")]
    took = f"  {duration(span.seconds)}" if span.seconds is not None else ""
    return [*facts, (f"{took}  @{span.first}-{span.last}", "dim")]


def _tokens(usage: Usage | None) -> str:
    if usage is None or not (usage.input_tokens or usage.output_tokens):
        return ""
    return f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"
