"""Tasks on a board: what the tools for them ask for, and the rule that decides each edit. All pure.

A claim is decided by the board at the value that it holds, so that of two who want one task one gets it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, cast

from pydantic import Field, JsonValue

from callboard.events.catalog import BlockEdited
from callboard.projections import BlockState
from callboard.projections.board import DONE, Status, board_faults
from callboard.projections.words import name_of

from .commands import Receive
from .edit import Edit
from .structured import SAME, edited, parsed_json, place_of

NOBODY, NEVER = "nobody", "none"
"""What a task is assigned to that is given back, and the due date of one that has none any more."""

BEGUN = ("in_progress", "blocked")
"""Where a task stands that somebody works on."""

_UNSAID = {"status": "not_started"}
"""What a task without a field stands for; of the others, nothing."""

Due = Annotated[str, Field(description="By when: a day such as 2025-04-15, or a time; none if it does not matter.")]
Id = Annotated[str, Field(min_length=1, description="The id of the task.")]
Row = dict[str, JsonValue]


class Done(NamedTuple):
    """What an edit did to the tasks, in words for who asked; empty where nothing is to be said."""

    note: str = ""


class TaskEdit(Edit):
    """Change a board of tasks."""


class TaskAdd(TaskEdit):
    """Add a task to a board of tasks."""

    description: Annotated[str, Field(min_length=1, description="What is to be done.")]
    id: Annotated[str, Field(description="Its id; without one it is numbered.")] = ""
    assigned_to: Annotated[str, Field(description="Who shall do it; empty for whoever claims it.")] = ""
    due_date: Due = ""
    notes: Annotated[str, Field(description="What else is to be known.")] = ""


class TaskClaim(TaskEdit):
    """Take a task of a board for yourself, and begin with it. Nobody else gets it then."""

    id: Annotated[str, Field(description="The id of the task; empty for the next one that nobody has.")] = ""


class TaskUpdate(TaskEdit):
    """Change a task of a board; what is left empty stays."""

    id: Id
    status: Annotated[Status | None, Field(description="Where it stands now.")] = None
    description: Annotated[str, Field(description="What is to be done, said anew.")] = ""
    due_date: Annotated[str, Field(description=f"By when now; {NEVER!r} for no date any more.")] = ""
    notes: Annotated[str, Field(description="What to note: it is added to the notes as a new line.")] = ""
    assigned_to: Annotated[str, Field(description=f"Who has it now; {NOBODY!r} to give it back.")] = ""


class TaskComplete(TaskEdit):
    """Say that a task of a board is done."""

    id: Id
    result: Annotated[str, Field(description="What came of it: it is added to the notes.")] = ""


TASK_EDITS: dict[str, type[Edit]] = {
    "task_add": TaskAdd,
    "task_claim": TaskClaim,
    "task_update": TaskUpdate,
    "task_complete": TaskComplete,
}
"""The arguments of each edit of a task by the name of its tool."""


def task_edit(state: BlockState, request: Receive, edit: TaskEdit, now: datetime | None) -> BlockEdited | str:
    """Return what comes of an edit of a task at the board as it stands, or why nothing does. Pure."""
    try:
        board = parsed_json(state.value)
    except ValueError as error:
        return f"the block holds no JSON ({error}); rewrite it"
    if found := board_faults(board):
        return f"the block holds no board of tasks; mend it first: {found}"
    assert isinstance(board, dict)
    tasks = cast("list[Row]", board["active_tasks"])
    before = [dict(task) for task in tasks]
    done = _RULES[type(edit)](tasks, edit, request.by or name_of(request.sender))
    if isinstance(done, str):
        return done
    if now is not None and "last_updated" in board and tasks != before:
        board["last_updated"] = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return edited(state, request, board, done.note)


def _add(tasks: list[Row], edit: Any, me: str) -> Done | str:
    id = edit.id or _next_id(tasks)
    if any(task["id"] == id for task in tasks):
        return f"there is a task {id!r} already; update it, or give the new one another id"
    owner = "" if edit.assigned_to == NOBODY else edit.assigned_to
    task: Row = {
        "id": id, "description": edit.description, "assigned_to": owner, "status": "not_started",
        "due_date": edit.due_date, "notes": edit.notes,
    }  # fmt: skip
    optional = ("due_date", "notes")
    tasks.append({key: value for key, value in task.items() if value or key not in optional})
    return Done(f"{id} is on the board")


def _next_id(tasks: list[Row]) -> str:
    numbers = [int(found[1]) for task in tasks if (found := re.fullmatch(r"task-(\d{1,9})", str(task["id"]), re.ASCII))]
    return f"task-{max(numbers, default=0) + 1:03}"


def _claim(tasks: list[Row], edit: Any, me: str) -> Done | str:
    task = _found(tasks, edit.id) if edit.id else _free(tasks, me)
    if isinstance(task, str):
        return task
    id, status, owner = task["id"], task.get("status", "not_started"), task.get("assigned_to")
    if status in DONE:
        return f"{id} is {status}; claim another, or update its status first"
    if owner and owner != me:
        return f"{owner} has {id} ({status}); claim another"
    if owner and status in BEGUN:
        return f"{id} is yours already ({status}); go on with it"
    task["assigned_to"] = me
    task["status"] = status if status in BEGUN else "in_progress"
    return Done(f"{id} is yours: {task['description']}")


def _free(tasks: list[Row], me: str) -> Row | str:
    """Return the next task that nobody has."""
    waiting = [task for task in tasks if task.get("status", "not_started") in ("not_started", "pending")]
    found = next((task for task in waiting if not task.get("assigned_to")), None)
    mine = ", ".join(
        str(task["id"]) for task in tasks if task.get("assigned_to") == me and task.get("status") not in DONE
    )
    return found or "there is no task that nobody has" + (f"; yours: {mine}" if mine else "")


def _found(tasks: list[Row], id: str) -> Row | str:
    place = place_of([str(task["id"]) for task in tasks], id)
    return place if isinstance(place, str) else tasks[place]


def _update(tasks: list[Row], edit: Any, me: str) -> Done | str:
    task = _found(tasks, edit.id)
    if isinstance(task, str):
        return task
    owner = task.get("assigned_to")
    if edit.assigned_to == me and owner and owner != me:
        return f"{owner} has {edit.id}; it is not yours to take: whoever gave it can assign it to you"
    changes: Row = {"status": edit.status, "description": edit.description, "due_date": edit.due_date}
    changes["assigned_to"] = edit.assigned_to
    if edit.notes:
        changes["notes"] = _noted(task, edit.notes)
    changes = {key: value for key, value in changes.items() if value}
    if not changes:
        return "nothing is said that shall change; give a status, description, due_date, notes or assigned_to"
    if edit.assigned_to == NOBODY:
        changes["assigned_to"] = ""
        if edit.status is None and task.get("status") == "in_progress":
            changes["status"] = "pending"
    if edit.due_date == NEVER:
        changes["due_date"] = None
    if all((task.get(key) or _UNSAID.get(key)) == (value or None) for key, value in changes.items()):
        return SAME
    task.update(changes)
    return Done()


def _complete(tasks: list[Row], edit: Any, me: str) -> Done | str:
    task = _found(tasks, edit.id)
    if isinstance(task, str):
        return task
    if task.get("status") in DONE:
        return f"{edit.id} is {task['status']} already"
    task["status"] = "completed"
    if edit.result:
        task["notes"] = _noted(task, edit.result)
    return Done()


def _noted(task: Row, words: str) -> str:
    return f"{task['notes']}\n{words}" if task.get("notes") else words


_RULES: dict[type[Edit], Callable[[list[Row], Any, str], Done | str]] = {
    TaskAdd: _add,
    TaskClaim: _claim,
    TaskUpdate: _update,
    TaskComplete: _complete,
}
"""What each edit does to the tasks, or why it does nothing."""
