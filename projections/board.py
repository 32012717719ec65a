"""A board of tasks: what may stand on it, when a task is late, and who changed each of them last. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, JsonValue, ValidationError
from pydantic_core import PydanticCustomError, from_json

from callboard.events import EventStore, RecordedEvent
from callboard.events.catalog import BlockEdited
from callboard.events.text import ERASED

from .block import BlockState, evolve
from .projection import Projection, replay
from .words import name_of

Status = Literal["not_started", "pending", "in_progress", "blocked", "completed", "cancelled"]
"""Where a task stands."""

DONE = ("completed", "cancelled")
"""Where nothing is to be done any more."""

LONGEST_ID = 100
"""Characters of a task's id."""

MOST = 2_000
"""Characters of faults that are told."""


def moment(value: object) -> date | datetime | None:
    """Return the day or the time that `value` says, None where it is empty. Pure.

    Raises:
        ValueError: It is neither.
    """
    match value:
        case None | "":
            return None
        case date():
            return value
        case str():
            try:
                return date.fromisoformat(value)
            except ValueError:
                return datetime.fromisoformat(value)
        case _:
            raise ValueError(value)


def _when(value: object) -> date | datetime | None:
    try:
        return moment(value)
    except ValueError:
        found, wanted = repr(value)[:120], "2025-04-15 or 2025-04-15T17:00:00Z is wanted"
        raise PydanticCustomError("when", "{value} is no date; {wanted}", {"value": found, "wanted": wanted}) from None


def _id(value: object) -> object:
    if isinstance(value, str) and not (value.isprintable() and 0 < len(value.strip()) <= len(value) <= LONGEST_ID):
        wanted = f"one line of 1 to {LONGEST_ID} characters"
        raise PydanticCustomError("id", "{value} is no id; {wanted}", {"value": repr(value[:120]), "wanted": wanted})
    return value


_When = Annotated[date | datetime | None, BeforeValidator(_when)]
_Said = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]  # type: ignore[reportUnknown]


class Task(BaseModel):
    """A task on a board; what else stands in it is kept.

    Attributes:
        assigned_to: Who has it; empty for nobody.
        due_date: The day by whose end (UTC) it is to be done, or the time.
    """

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, BeforeValidator(_id)]
    description: str
    assigned_to: _Said = ""
    status: Status = "not_started"
    due_date: _When = None
    notes: _Said = ""

    @property
    def due(self) -> datetime | None:
        """When it is late; None where it never is."""
        return deadline(self.due_date) if self.status not in DONE else None


def _told_apart(tasks: list[Task]) -> list[Task]:
    counts = Counter(task.id for task in tasks)
    if twice := [id for id, count in counts.items() if count > 1]:
        raise PydanticCustomError("twice", "{ids} stands there more than once", {"ids": ", ".join(map(repr, twice))})
    return tasks


class TaskBoard(BaseModel):
    """What a board holds; what else stands on it is kept."""

    model_config = ConfigDict(extra="allow")

    active_tasks: Annotated[list[Task], AfterValidator(_told_apart)]
    team_notes: _Said = ""
    last_updated: _When = None


def deadline(due: date | datetime | None) -> datetime | None:
    """Return the time after which something due then is late; a time without a zone is in UTC. Pure."""
    if isinstance(due, datetime):
        return due if due.tzinfo else due.replace(tzinfo=UTC)
    return datetime.combine(due, time.max, UTC) if due else None


def board_faults(value: JsonValue) -> str:
    """Return why `value` is no board of tasks, each fault after its place; empty where it is one. Pure."""
    try:
        TaskBoard.model_validate(value)
    except ValidationError as error:
        found = "; ".join(f"{json_path(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_url=False))
        return found if len(found) <= MOST else f"{found[:MOST]}..."
    return ""


def json_path(parts: Iterable[str | int]) -> str:
    """Return a place in JSON, such as `$.items[0].name`. Pure."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def tasks_in(value: str) -> dict[str, dict[str, JsonValue]]:
    """Return the tasks of a board by id, in order; none where it cannot be read, as after an erasure. Pure."""
    tasks = _read(value).get("active_tasks")
    found = [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
    return {task["id"]: task for task in found if isinstance(task.get("id"), str)}  # type: ignore[misc]


def unreadable(value: str) -> str:
    """Return why the tasks of a board cannot be read; empty where they can. Pure."""
    try:
        from_json(value)
    except ValueError as error:
        return f"it holds no JSON ({error}){', since a text of it was erased' if ERASED in value else ''}"
    return ""


def _read(value: str) -> dict[str, JsonValue]:
    try:
        board: JsonValue = from_json(value)
    except ValueError:
        return {}
    return board if isinstance(board, dict) else {}


def due_of(task: dict[str, JsonValue]) -> datetime | None:
    """Return when a task as it stands on a board is late; None where it never is. Pure."""
    try:
        return None if task.get("status") in DONE else deadline(moment(task.get("due_date")))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Touch:
    """Who changed a task last, as a stream or `user`, empty where it stands as it began; and where.

    Attributes:
        person: The name of the person who did, where one was given.
    """

    by: str
    position: int
    version: int
    at: datetime
    person: str = ""

    @property
    def editor(self) -> str:
        """The name of who did; empty where it stands as it began."""
        return self.person or (name_of(self.by) if self.by else "")


@dataclass(slots=True)
class BoardHistory:
    """A board as it is, with who changed each task last."""

    state: BlockState = field(default_factory=BlockState)
    touched: dict[str, Touch] = field(default_factory=dict[str, Touch])

    @property
    def extra(self) -> dict[str, JsonValue]:
        """What stands on it besides the tasks."""
        board = _read(self.state.value)
        return {key: value for key, value in board.items() if key != "active_tasks"}


def _remember(history: BoardHistory, event: RecordedEvent) -> BoardHistory:
    old, begins = tasks_in(history.state.value), history.state.spec is None
    history.state = evolve(history.state, event.data)
    if begins or isinstance(event.data, BlockEdited):
        by, person = (event.data.to, event.data.by) if isinstance(event.data, BlockEdited) else ("", "")
        touch = Touch(by, event.position, event.version, event.recorded_at, person)
        new = tasks_in(history.state.value)
        history.touched = {id: touch if old.get(id) != task else history.touched[id] for id, task in new.items()}
    return history


board_history: Projection[BoardHistory] = Projection("board_history", BoardHistory, _remember)


def _remember_all(found: dict[str, BoardHistory], event: RecordedEvent) -> dict[str, BoardHistory]:
    if event.stream.startswith("block-"):
        found[event.stream] = _remember(found.get(event.stream) or BoardHistory(), event)
    return found


_all: Projection[dict[str, BoardHistory]] = Projection("boards", dict[str, BoardHistory], _remember_all)


async def boards(store: EventStore, until: int | None = None) -> dict[str, BoardHistory]:
    """Return the boards of a log as they were at a position, by stream, in the order of their beginnings.

    A text may have become a board, so that every block is read.
    """
    found = await replay(store, _all, until=until)
    return {stream: one for stream, one in found.items() if one.state.spec and one.state.spec.form == "board"}
