"""`callboard trace LOG --findings`: what the detector finds in a log, for people and as JSON."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from rich.console import RenderableType
from rich.table import Table

from callboard.events import EventStore
from callboard.projections.symptoms import Detector, Symptom, Thresholds
from callboard.scripts.screen import many, print_json, show, styled

SHOWN = 6
"""Positions that a line shows of one symptom; JSON has all that there are."""


async def found_in(
    store: EventStore, thresholds: Thresholds, trace: str = "", *, now: datetime | None = None
) -> list[Symptom]:
    """Return what the log shows, of one request or of all; with `now` also what is late by then."""
    detector, found = Detector(thresholds), list[Symptom]()
    async for event in store.read_all():
        found += [one for one in detector.take(event) if not trace or one.trace == trace]
    return found if trace or now is None else [*found, *detector.end(now)]


def show_symptoms(found: list[Symptom], *, as_json: bool = False) -> None:
    """Print symptoms: as a table, or as JSON, an object a line."""
    if as_json:
        for one in found:
            print_json(shape(one), indent=None)
    elif found:
        requests = len({one.trace for one in found})
        show(listing(found), styled((f"{many(len(found), 'finding')} in {many(requests, 'request')}", "bold")))
    else:
        show(styled(("no findings", "green")))


def shape(one: Symptom) -> dict[str, JsonValue]:
    """Return a symptom as JSON. Pure."""
    return {
        "kind": one.kind,
        "trace": one.trace,
        "who": list(one.who),
        "about": one.about,
        "measured": one.measured,
        "threshold": one.limit,
        "text": one.text,
        "positions": list(one.positions),
        "key": one.key,
    }


def listing(found: list[Symptom]) -> RenderableType:
    """Return symptoms as a table, in the order of the log. Pure."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("request", no_wrap=True, overflow="ellipsis", max_width=14)
    table.add_column("counted", justify="right", no_wrap=True)
    table.add_column("found", ratio=1, min_width=24, overflow="fold")
    for one in found:
        left = len(one.positions) - SHOWN
        places = " ".join(f"@{position}" for position in one.positions[-SHOWN:])
        table.add_row(
            styled((one.kind, "yellow")),
            styled(one.trace),
            f"{one.measured:,} of {one.limit:,}",
            styled(one.text, (f"\n{'... ' if left > 0 else ''}{places}", "cyan")),
        )
    return table
