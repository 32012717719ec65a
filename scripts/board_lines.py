"""A board of tasks, for people and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import JsonValue
from rich.console import RenderableType
from rich.table import Table

from callboard.projections.board import BoardHistory, Touch, due_of, tasks_in, unreadable
from callboard.projections.shapes import time_shape
from callboard.projections.words import name_of
from callboard.scripts.screen import Piece, many, styled

STYLES = {"completed": "green", "in_progress": "cyan", "blocked": "yellow", "cancelled": "dim"}
"""How a status looks; others are plain."""

Row = dict[str, JsonValue]


def board_shape(history: BoardHistory, now: datetime) -> dict[str, JsonValue]:
    """Return a board as JSON, with what is overdue at `now` and who changed each task last. Pure."""
    tasks: list[JsonValue] = [
        {**task, "overdue": is_late(task, now), "changed": _touch_shape(history.touched[id])}
        for id, task in tasks_in(history.state.value).items()
    ]
    why = unreadable(history.state.value)
    return {**history.extra, "version": history.state.version, "tasks": tasks, **({"unreadable": why} if why else {})}


def label_of(history: BoardHistory) -> str:
    """Return what prompts call a board. Pure."""
    return history.state.spec.label if history.state.spec else ""


def called(stream: str, history: BoardHistory) -> str:
    """Return the name of a board in the log, with what prompts call it where that is something else. Pure."""
    name, label = name_of(stream), label_of(history)
    return name if label in (name, name.partition(".")[2]) else f"{name} (label {label})"


def _touch_shape(touch: Touch) -> dict[str, JsonValue]:
    return {
        "by": touch.editor or None,
        "position": touch.position,
        "version": touch.version,
        "at": time_shape(touch.at),
    }


def is_late(task: Row, now: datetime) -> bool:
    """Return whether a task is overdue at `now`. Pure."""
    due = due_of(task)
    return due is not None and due < now


def board_drawn(name: str, history: BoardHistory, now: datetime) -> list[RenderableType]:
    """Return a board, which is called `name`, as a heading and a table. Pure."""
    if why := unreadable(history.state.value):
        label = label_of(history)
        mend = f"callboard memory show LOG {label}, then memory edit LOG {label} --file PATH"
        return [styled((name, "bold"), (f"  cannot be read: {why}", "red")), styled((f"mend it: {mend}", "dim"))]
    tasks = tasks_in(history.state.value)
    late = sum(is_late(task, now) for task in tasks.values())
    count: Piece = (f", {late} overdue" if late else "", "red")
    retired = ", retired" if history.state.desk.retired else ""
    heading = styled((name, "bold"), f"{retired}  {many(len(tasks), 'task')}", count)
    notes = _said(history.extra, "team_notes")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    for title, most in (("id", 20), ("status", 11), ("who", 16), ("due", 16)):
        table.add_column(title, no_wrap=title == "status", overflow="fold", max_width=most)
    table.add_column("task", ratio=1, min_width=24, overflow="fold")
    for id, task in tasks.items():
        table.add_row(*_cells(task, history.touched[id], late=is_late(task, now)))
    return [heading, *([styled((notes, "dim"))] if notes else []), *([table] if tasks else [])]


def _cells(task: Row, touch: Touch, *, late: bool) -> list[RenderableType]:
    status, due = _said(task, "status") or "not_started", _due(task)
    notes, by = _said(task, "notes"), touch.editor
    changed = f"\n{by} changed it @{touch.position}" if by else ""
    return [
        styled((_said(task, "id"), "bold")),
        styled((status, STYLES.get(status, ""))),
        styled(_said(task, "assigned_to") or "-"),
        styled((f"{due} late" if late else due, "red" if late else "")),
        styled(_said(task, "description"), f"\n{notes}" if notes else "", (changed, "dim")),
    ]


def _due(task: Row) -> str:
    """Return the date of a task as it stands there, or the time, in UTC."""
    said, at = _said(task, "due_date"), due_of({**task, "status": "pending"})
    timed = at is not None and len(said) > 10 and 1 < at.year < 9999  # beyond, it may have no time in UTC
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at is not None and timed else said


def _said(task: Row, key: str) -> str:
    value = task.get(key)
    return "" if value is None else str(value)
