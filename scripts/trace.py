"""`callboard trace`: what came of a request."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from callboard.actors.thresholds import load_thresholds
from callboard.events import EventStore, RecordedEvent, SQLiteStore
from callboard.events.catalog import BlockEdited, BlockEditRefused
from callboard.projections import replay
from callboard.projections.shapes import span_shape, summary_shape
from callboard.projections.spans import Root, summary
from callboard.projections.symptoms import Thresholds
from callboard.projections.trace import trace_roots, traces
from callboard.scripts.border import FINE, FOUND, BadUse
from callboard.scripts.main import main
from callboard.scripts.screen import print_json, show, styled
from callboard.scripts.symptom_lines import found_in, show_symptoms
from callboard.scripts.tree import listing, tree

CANDIDATES = 10
"""Traces that an error names."""


async def trace(
    log: str,
    request: Annotated[str, Parameter(name="trace", show_default=False)] = "",
    /,
    *,
    full: Annotated[bool, Parameter(negative="")] = False,
    findings: Annotated[bool, Parameter(negative="")] = False,
    thresholds: str = "",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Show the requests of a log, what came of one, or where agents go round in circles.

    Positions stand after @; `callboard replay LOG --until POSITION` shows the state there.
    With --findings, the exit code is 1 if there are any.

    Parameters
    ----------
    log
        The log: a file.
    request
        Which request: its trace, or a beginning of it that no other has. Without it, all are listed.
    full
        Show long texts whole.
    findings
        Show loops, starvation and runaway requests instead.
    thresholds
        A TOML file that says from where on something is a finding.
    as_json
        Print JSON; of findings, an object a line.
    """
    if thresholds and not findings:
        raise BadUse("--thresholds is for --findings; say both")
    limits = load_thresholds(thresholds) if thresholds else Thresholds()
    async with SQLiteStore.open(log, mode="read") as store:
        if findings:
            one = (await requested(store, request))[0].trace if request else ""
            found = await found_in(store, limits, one, now=datetime.now(UTC))
            show_symptoms(found, as_json=as_json)
            return FOUND if found else FINE
        if request:
            _show(await requested(store, request), full=full, as_json=as_json)
            return 0
        roots = [summary(root) for root in (await replay(store, traces)).roots]
    if as_json:
        print_json({"requests": [summary_shape(item) for item in roots]})
    else:
        show(listing(roots) if roots else styled(("nothing was asked in this log yet", "dim")))
    return 0


def _show(roots: list[Root], *, full: bool, as_json: bool) -> None:
    if as_json:
        print_json({"trace": roots[0].trace, "roots": [span_shape(root) for root in roots]})
        return
    show(*(tree(root, full=full) for root in roots))


async def requested(store: EventStore, request: str) -> list[Root]:
    """Return what was asked under the trace that `request` is, begins, or is an id of.

    Raises:
        BadUse: There is none, or more than one.
    """
    wanted = request.split("/", 1)[0]
    if roots := trace_roots(await _events(store, wanted), wanted):
        return roots
    everything = (await replay(store, traces)).roots
    known = list(dict.fromkeys(root.trace for root in everything))
    fitting = [name for name in known if name.startswith(wanted)] if wanted else []
    if len(fitting) == 1:
        return [root for root in everything if root.trace == fitting[0]]
    if fitting:
        raise BadUse(f"{len(fitting)} traces begin with {wanted!r}: {_some(fitting)}; say more of the one you mean")
    raise BadUse(f"no trace begins with {wanted!r}; " + (f"there are {_some(known)}" if known else "there are none"))


async def _events(store: EventStore, trace: str) -> list[RecordedEvent]:
    """Return all events of a request, with those of its blocks up to its edits, in the order of the log."""
    found = {event.position: event async for event in store.read_all(correlation_id=trace)}
    blocks: dict[str, int] = {}
    for event in found.values():
        if isinstance(event.data, BlockEdited | BlockEditRefused):
            blocks[event.stream] = event.version
    for stream, version in blocks.items():
        async for event in store.read_stream(stream, until=version):
            found.setdefault(event.position, event)
    return [found[position] for position in sorted(found)]


def _some(names: list[str]) -> str:
    left = len(names) - CANDIDATES
    return ", ".join(names[-CANDIDATES:]) + (f" and {left} older" if left > 0 else "")


if __name__ == "__main__":
    sys.exit(main(["trace", *sys.argv[1:]]))
