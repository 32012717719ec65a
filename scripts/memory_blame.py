"""`callboard memory blame` and `callboard memory impact`: who wrote what of a block, and what that led to."""

from __future__ import annotations

import re
from typing import Annotated

from cyclopts import Parameter
from rich.console import RenderableType

from callboard.events import EventStore, SQLiteStore
from callboard.projections.blame import Blame, BlamedLine
from callboard.projections.blame_shapes import impact_shape, line_shape, origin_shape
from callboard.projections.impact import impact_of
from callboard.projections.labels import block_stream
from callboard.projections.provenance import Origin, Origins, begun
from callboard.projections.shapes import Shape
from callboard.projections.words import name_of
from callboard.scripts.blame_lines import chain, days, impact_tree, lines_table, origin_tree, parts_line
from callboard.scripts.border import FINE, BadUse
from callboard.scripts.screen import many, print_json, show, styled

AsJson = Annotated[bool, Parameter(name="--json", negative="")]
Flag = Annotated[bool, Parameter(negative="")]

CHAINS = 20
"""Versions whose origin is told below the lines."""


async def blame(
    log: str,
    label: str,
    /,
    *,
    at: int | None = None,
    line: int | None = None,
    version: int | None = None,
    full: Flag = False,
    as_json: AsJson = False,
) -> int:
    """Show who wrote each line of a memory block, and where that comes from, down to the request from outside.

    A version with + wrote the newest part of a line that others began; --line shows all of them.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name, or its label.
    at
        The block as it was at this position of the log; by default as it is now.
    line
        The whole origin of this line: the tool call, the model call, and what that had read.
    version
        The whole origin of this version, also of one whose text is gone.
    full
        Show long texts whole, all origins, and all that the model calls had read.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        stream, at, end = await block_stream(store, label), _checked(store, at), store.position
        state = await begun(store, stream, at=at)
        wanted = _wanted(state, line, version)
        told = wanted if as_json or full or line or version else wanted[:CHAINS]
        origins = await Origins(store).of(stream, [state.one(number) for number in told])
    lines = [] if version else [one for one in state.lines() if line in (None, one.number)]
    if as_json:
        print_json(_shape(name_of(stream), state, lines, origins, position=end if at is None else at, full=full))
        return FINE
    show(_head(name_of(stream), state, lines), *([lines_table(lines, state.written, full=full)] if lines else []))
    if line or version or full:
        parts = [parts_line(one) for one in lines if line and len(one.parts) > 1]
        show(*parts, styled(""), *(origin_tree(origin, full=full) for origin in origins.values()))
    else:
        show(styled(""), *(chain(origin) for origin in origins.values()), *_hints(len(wanted) - CHAINS, lines))
    return FINE


def _hints(more: int, lines: list[BlamedLine]) -> list[RenderableType]:
    hints = [f"… {many(more, 'more version')}; --full tells of all"] if more > 0 else []
    hints += ["the whole origin of a line: callboard memory blame LOG LABEL --line N"] if lines else []
    return [styled((hint, "dim")) for hint in hints]


def _head(name: str, state: Blame, lines: list[BlamedLine]) -> RenderableType:
    facts = [f"version {state.version}", many(len(state.lines()), "line") if state.value else "empty"]
    facts += [many(len(state.value), "character"), days(state.written[one.version] for one in lines)]
    return styled((name, "bold green"), (f"  {' · '.join(filter(None, facts))}", "dim"))


def _shape(
    name: str, state: Blame, lines: list[BlamedLine], origins: dict[int, Origin], *, position: int, full: bool
) -> Shape:
    return {
        "block": name,
        "label": state.spec.label if state.spec else None,
        "version": state.version,
        "position": position,
        "characters": len(state.value),
        "lines": [line_shape(line) for line in lines],
        "origins": {str(version): origin_shape(origin, full=full) for version, origin in origins.items()},
    }


def _wanted(state: Blame, line: int | None, version: int | None) -> list[int]:
    """Return the versions whose origin is wanted: of one line, that one, or of all that wrote a part of the value."""
    if line is not None and version is not None:
        raise BadUse("both --line and --version are given; say one of them")
    if version is not None:
        return [state.one(version).version]
    if line is None:
        return sorted({number for number, _ in state.spans()} or {state.version})
    state.line(line)
    one = state.lines()[line - 1]
    return sorted({one.version, *(number for number, _ in one.parts)}, reverse=True)


def _checked(store: EventStore, at: int | None) -> int | None:
    if at is not None and not 1 <= at <= store.position:
        raise BadUse(f"there is no position {at}; this log has positions 1 to {store.position}")
    return at


async def impact(
    log: str,
    label: str,
    text: Annotated[str, Parameter(name="what", show_default=False)] = "",
    /,
    *,
    version: int | None = None,
    line: int | None = None,
    at: int | None = None,
    follow: Flag = False,
    full: Flag = False,
    as_json: AsJson = False,
) -> int:
    """Show which model calls had a text of a memory block in their prompt, and what they did.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name, or its label.
    text
        What is looked for: `v12` for all that version 12 wrote, `l3` for line 3; or say --version or --line.
    version
        The version whose text is looked for.
    line
        The line that is looked for, whoever wrote its parts.
    at
        The position of the log at which the line had this number; by default now.
    follow
        Show also what the edits that these calls made led to in turn, each version once.
    full
        Show long texts whole, and all calls.
    as_json
        Print JSON.
    """
    version, line = _meant(text, version, line)
    async with SQLiteStore.open(log, mode="read") as store:
        stream, at = await block_stream(store, label), _checked(store, at)
        found = await impact_of(store, stream, version=version, line=line, at=at, follow=follow)
    if as_json:
        print_json(impact_shape(found))
    else:
        show(*(impact_tree(one, full=full) for one in (found, *found.followed)))
    return FINE


def _meant(text: str, version: int | None, line: int | None) -> tuple[int | None, int | None]:
    """Return the version or the line that is looked for.

    Raises:
        BadUse: It is neither, or more than one.
    """
    given = [one for one in (text or None, version, line) if one is not None]
    if len(given) != 1:
        raise BadUse("say one of v12 (a version), l3 (a line), --version 12, --line 3")
    if not text:
        return version, line
    found = re.fullmatch(r"([vl])([0-9]{1,9})", text)
    if found is None:
        both = f"; v{text} is a version, l{text} a line" if re.fullmatch("[0-9]{1,9}", text) else ""
        raise BadUse(f"{text!r} is neither a version, such as v12, nor a line, such as l3{both}")
    number = int(found[2])
    return (number, None) if found[1] == "v" else (None, number)
