"""What groups decided, in the tree of a trace: choices, failures and what followed, load, scaling, background work."""

from __future__ import annotations

from rich.console import Group, RenderableType

from callboard.projections.spans import (
    ChoiceSpan,
    Decision,
    FailureSpan,
    JobSpan,
    LoadSpan,
    ScalingSpan,
    TurnSpan,
)
from callboard.projections.telling import followed
from callboard.scripts.screen import Piece, duration, many, shortened, styled

READ = {"tool": "", "prose": "read from its text", "fallback": "", "rule": ""}
"""How a choice was read, where the line would not say so."""


def cue(span: TurnSpan) -> list[Piece]:
    """Return what is special about a turn that a group gave. Pure."""
    about: list[Piece] = []
    if span.cue.pick:
        about.append((" is asked to choose", "dim"))
    if span.instead_of:
        first, me = span.instead_of.rpartition("/")[2], span.id.rpartition("/")[2]
        about.append((" once more" if first == me else f" instead of {first}", "yellow"))
    if span.cue.apart:
        about.append((" alone with its task", "dim"))
    if span.cue.fresh:
        about.append((" with no history", "dim"))
    if span.cue.since:
        about.append((f" forgetting what was before {span.cue.since.split('/', 1)[0]}", "dim"))
    return about


def decision(span: Decision, *, full: bool) -> RenderableType:
    """Return what a group decided, or looked at. Pure."""
    match span:
        case ChoiceSpan():
            return _choice(span, full=full)
        case FailureSpan():
            then = followed(span.member, span.to, span.then)
            return styled((f"{span.member} failed: ", "red"), (then, "yellow"), (f"  @{span.last}", "dim"))
        case LoadSpan():
            waits = ", ".join(f"{name} {_busy(span, name)}" for name in span.waiting) or "nobody"
            known = waits if span.ended else "not known yet"
            return styled(("load ", "magenta"), (known, "dim"), (f"  @{span.first}-{span.last}", "dim"))
        case ScalingSpan():
            return _scaling(span, full=full)


def _busy(span: LoadSpan, name: str) -> str:
    count = span.waiting[name]
    took = f" ({duration(span.latency[name])} a turn)" if name in span.latency else ""
    return (f"has {count:,} waiting" if count else "idle") + took


def _choice(span: ChoiceSpan, *, full: bool) -> RenderableType:
    facts = " · ".join(filter(None, (f"of {', '.join(span.options)}", span.tool, READ[span.state])))
    about = (f"  {facts}  @{span.last}", "dim")
    chosen = (span.choice, "bold cyan")
    if span.state == "fallback":
        counts: list[Piece] = [", so ", chosen, " counts"] if span.choice else []
        head = styled((f"{span.by or 'nobody'} made no choice", "yellow"), *counts, about)
    else:
        head = styled(span.by or "a rule", " chose ", chosen, about)
    if not span.reason or span.state == "prose":  # which the model call above has just said
        return head
    return Group(head, shortened(span.reason, full=full))


def _scaling(span: ScalingSpan, *, full: bool) -> RenderableType:
    load = [f"{many(span.backlog, 'request')} waiting"]
    if span.latency:
        load.append(f"{duration(span.latency)} a turn")
    head = styled(
        ("scaling ", "magenta"), f"{span.had} to {span.wanted}", (f" {' · '.join(load)}  @{span.last}", "dim")
    )
    who = [f"{', '.join(names)} {verb}" for names, verb in ((span.joined, "joined"), (span.left, "left")) if names]
    lines: list[RenderableType] = [head, *([styled("; ".join(who))] if who else [])]
    if span.reason:
        lines.append(styled(("✗ ", "red")) + shortened(span.reason, full=full))
    return Group(*lines)


def job(span: JobSpan, facts: list[Piece], *, full: bool) -> RenderableType:
    """Return the head of background work. Pure."""
    lines: list[RenderableType] = [styled(("background work of ", "magenta"), (span.member, "bold cyan"), *facts)]
    if span.upto:
        lines.append(styled((f"on items {span.since + 1} to {span.upto} of what was said", "dim")))
    if span.text and not span.steps:
        lines.append(styled(("✗ ", "red")) + shortened(span.text, full=full))
    return Group(*lines)
