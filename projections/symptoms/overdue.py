"""Tasks on a board that are late: the times of the log's own events say so, and at its end whoever looks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from callboard.events import RecordedEvent
from callboard.events.catalog import (
    AgentChanged,
    AgentStarted,
    BlockAttached,
    BlockChanged,
    BlockEdited,
    BlockRetired,
    BlockStarted,
)
from callboard.events.specs import BlockUse
from callboard.projections.block import spliced
from callboard.projections.board import due_of, tasks_in
from callboard.projections.words import name_of

from .case import Due, Shared, TaskList
from .symptom import Symptom, Thresholds, mark

DAY = timedelta(days=1)
OWN = "callboard:"
"""How the ids of a group's own messages begin: they belong to no request."""


def noted(boards: dict[str, TaskList], blocks: Mapping[str, Shared], event: RecordedEvent) -> None:
    """Take in what `event` says of a board: that there is one, what stands on it, or who has it.

    One that comes back holds what it held; a text that is a board from now on is read as it stands.
    """
    match event.data:
        case BlockStarted(spec=spec) if event.stream in boards:
            boards[event.stream].retired = False
        case BlockStarted(spec=spec) if spec.form == "board":
            _begun(boards, event, str(spec.value))
        case BlockChanged(spec=spec) if spec.form == "board" and event.stream not in boards and event.stream in blocks:
            _begun(boards, event, blocks[event.stream].value)
        case BlockRetired() if event.stream in boards:
            boards[event.stream].retired = True
        case BlockEdited() as edit if event.stream in boards:
            board = boards[event.stream]
            board.value = spliced(board.value, edit)
            _read(board, edit.to, event.position)
        case AgentStarted(spec=spec) | AgentChanged(spec=spec):
            _held(boards, event.stream, spec.blocks)
        case BlockAttached(use=use):
            _held(boards, event.stream, (use,))
        case _:
            pass


def _begun(boards: dict[str, TaskList], event: RecordedEvent, value: str) -> None:
    boards[event.stream] = board = TaskList(value)
    _read(board, "", event.position)


def _held(boards: dict[str, TaskList], stream: str, uses: tuple[BlockUse, ...]) -> None:
    for use in uses:
        board = boards.get(use.stream)
        if board is not None and stream not in board.holders:
            board.holders.append(stream)


def _read(board: TaskList, by: str, position: int) -> None:
    """Note which tasks of a board are open and have a date; what is known of one that stays as it is is kept."""
    before, board.tasks = board.tasks, {}
    for id, task in tasks_in(board.value).items():
        due, looks = due_of(task), mark(*(f"{key}={task[key]}" for key in sorted(task)))
        if due is None:
            continue
        owner, status, said = (
            str(task.get("assigned_to") or ""),
            str(task.get("status") or "not_started"),
            str(task["due_date"]),
        )
        known = before.get(id)
        if known is None or known.looks != looks:
            told = known is not None and known.told and (known.said, known.owner) == (said, owner)
            known = Due(due, said, owner, status, by, position, looks, told=told)
        board.tasks[id] = known
    waiting = [task.due for task in board.tasks.values() if not task.told]
    board.next = min(waiting, default=None)


def late(
    boards: dict[str, TaskList], now: datetime, limits: Thresholds, event: RecordedEvent | None = None
) -> Iterator[Symptom]:
    """Yield each task that is late by `now`, once; `event` is what happened then, if anything did.

    What a running system finds it records for an agent in a request, so that an event of none shows nothing yet.
    """
    trace = (event.data.correlation_id or "") if event is not None else ""
    if not limits.overdue_task or (event is not None and (not trace or trace.startswith(OWN))):
        return
    for stream, board in boards.items():
        if board.retired or board.next is None or board.next >= now:
            continue
        for id, task in board.tasks.items():
            days = -((task.due - now) // DAY)
            if task.told or task.due >= now or days < limits.overdue_task or (event is not None and not board.holders):
                continue
            task.told = True
            yield _symptom(stream, board, id, task, trace, days, limits, event)
        waiting = [task.due for task in board.tasks.values() if not task.told]
        board.next = min(waiting, default=None)


def _symptom(
    stream: str, board: TaskList, id: str, task: Due, trace: str, days: int, limits: Thresholds,
    event: RecordedEvent | None,
) -> Symptom:  # fmt: skip
    owner, name = f"agent-{task.owner}", name_of(stream)
    concerned = [one for one in (owner, task.by) if one in board.holders] or board.holders[:1] or [stream]
    who = task.owner if task.owner.isprintable() else repr(task.owner)  # a sentence of callboard's own stays one
    has = f"{who} has it" if who else "nobody has it"
    text = f"the task {id} on the board {name} was due {task.said} and is {task.status}; {has}"
    positions = (task.position,) if event is None else (task.position, event.position)
    about = f"{name}/{id}"
    return Symptom("overdue_task", trace, (concerned[0],), about, positions, text, days, limits.overdue_task)
