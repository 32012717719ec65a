"""`callboard memory show`, `history` and `diff`: what a block holds, held, and who changed it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue
from rich.console import Group, RenderableType

from callboard.actors.block_ref import version_at
from callboard.actors.library import Library
from callboard.events import SQLiteStore
from callboard.projections import BlockHistory, BlockVersion, block_history, replay
from callboard.projections.block import difference
from callboard.projections.shapes import time_shape, version_shape
from callboard.projections.words import name_of
from callboard.scripts.border import FINE
from callboard.scripts.screen import columns, harmless, moment, print_json, shortened, show, styled

AsJson = Annotated[bool, Parameter(name="--json", negative="")]

COLOURS = {"+": "green", "-": "red"}


async def show_value(log: str, label: str, /, *, at: int | None = None, as_json: AsJson = False) -> int:
    """Print what a block holds, or held.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name in the log, or the label that it has now.
    at
        The position of the log that is meant; the end, if it is left out.
    as_json
        Print JSON.
    """
    name, history, end = await _history(log, label)
    found = version_at(history, name, position=at, end=end) if at is not None else history.versions[-1]
    if as_json:
        print_json({"block": name, "label": _label(history), "value": found.value, **_place(found)})
    elif found.value:
        print(harmless(found.value))  # no line of it is folded
    else:
        show(styled(("(empty)", "dim")))
    return FINE


async def show_history(log: str, label: str, /, *, as_json: AsJson = False) -> int:
    """List every version of a block, with who made it and what changed, and every edit that was refused.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name in the log, or the label that it has now.
    as_json
        Print JSON.
    """
    name, history, _ = await _history(log, label)
    if as_json:
        print_json({"block": name, "label": _label(history), "history": [version_shape(v) for v in history.versions]})
    else:
        show(columns(*(_line(version) for version in history.versions)))
    return FINE


async def diff(log: str, label: str, a: int, b: int | None = None, /, *, as_json: AsJson = False) -> int:
    """Print the lines that differ between two versions of a block.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name in the log, or the label that it has now.
    a
        The older version; `callboard memory history` lists them.
    b
        The newer version; the one that there is now, if it is left out.
    as_json
        Print JSON.
    """
    name, history, _ = await _history(log, label)
    upto = history.state.events if b is None else b
    old, new = (version_at(history, name, version=version).value for version in (a, upto))
    lines = difference(old, new)
    if as_json:
        print_json({"block": name, "from": a, "to": upto, "diff": list(lines)})
    elif lines:
        show(_lines(lines))
    else:
        show(styled(("they are the same", "dim")))
    return FINE


async def _history(log: str, label: str) -> tuple[str, BlockHistory, int]:
    async with SQLiteStore.open(log, mode="read") as store:
        stream = await (await Library.in_store(store)).named(label)
        return name_of(stream), await replay(store, block_history, stream=stream), store.position


def _label(history: BlockHistory) -> str:
    return history.state.spec.label if history.state.spec else ""


def _place(version: BlockVersion) -> dict[str, JsonValue]:
    return {"position": version.position, "version": version.version, "at": time_shape(version.at)}


def _line(version: BlockVersion) -> tuple[RenderableType, ...]:
    of = f" of version {version.of}" if version.of else ""
    by = f" by {version.editor}" if version.editor else ""
    what = styled((f"{version.verb}{of}", "bold"), by)
    place = styled((f"@{version.position}", "dim"), f" version {version.version}")
    when = styled((moment(version.at), "dim"))
    told = styled(("✗ ", "red")) + shortened(version.refused) if version.refused else _lines(version.diff)
    return place, when, what, told


def _lines(lines: tuple[str, ...]) -> RenderableType:
    return Group(*(styled((line, COLOURS.get(line[:1], "dim"))) for line in lines))
