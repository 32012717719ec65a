"""`callboard memory board`: the tasks on the boards of a log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from callboard.events import SQLiteStore
from callboard.projections.board import BoardHistory, boards
from callboard.projections.words import name_of
from callboard.scripts.board_lines import board_drawn, board_shape, called, label_of
from callboard.scripts.border import FINE, BadUse
from callboard.scripts.replay import checked
from callboard.scripts.screen import print_json, show, styled


async def board(
    log: str,
    label: str = "",
    /,
    *,
    at: int | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Show the tasks on a board: where each stands, who has it, by when, and who changed it last.

    Parameters
    ----------
    log
        The log: a file.
    label
        The board: its name in the log, or the label that it has; without it, all that are not retired are shown.
    at
        A position: the board as it was then, and what was overdue then.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        until = checked(at, store.position) if at is not None else None
        found = await boards(store, until)
        now = datetime.now(UTC)
        async for event in store.read_all(after=(until or 1) - 1, until=until or 1):
            now = event.recorded_at if until is not None else now
    wanted = _wanted(found, label)
    if as_json:
        print_json({"boards": {name_of(stream): board_shape(one, now) for stream, one in wanted.items()}})
    elif wanted:
        show(*(part for stream, one in wanted.items() for part in board_drawn(called(stream, one), one, now)))
    else:
        show(styled(("this log has no boards of tasks", "dim")))
    return FINE


def _wanted(found: dict[str, BoardHistory], label: str) -> dict[str, BoardHistory]:
    if not label:
        return {stream: one for stream, one in found.items() if not one.state.desk.retired}
    wanted = {stream: one for stream, one in found.items() if label in (stream, name_of(stream), label_of(one))}
    wanted = {label: found[label]} if label in found else wanted
    if len(wanted) == 1:
        return wanted
    if wanted:
        raise BadUse(f"{label!r} names {len(wanted)} boards of tasks: {', '.join(wanted)}; say which of these")
    known = ", ".join(called(stream, one) for stream, one in found.items()) or "none"
    raise BadUse(f"there is no board of tasks {label!r}; there are: {known}")
