"""All members work at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from callboard.events import Text
from callboard.events.catalog import Part
from callboard.projections import GroupState

from .round_robin import checked_count
from .steps import Cue, Finish, Speak
from .tasks import Task, done, due, joined, results


@dataclass(frozen=True, slots=True)
class Parallel:
    """All members get the request at once, or each a task of its own, and the manager, if there is one, merges.

    Tasks are the `tasks` of the request's `params`: `{"writer": "...", ...}`, or a list of
    `{"agent": "writer", "task": "..."}`, in which a member may stand several times. `answer.data["results"]` has one
    result each, in the order of the tasks or of the members.

    Attributes:
        max_concurrency: How many work at once at most.
    """

    max_concurrency: int = 5

    def __post_init__(self) -> None:
        checked_count(self.max_concurrency, "max_concurrency", "Parallel")

    def next(self, group: GroupState) -> Speak | Finish:
        """Return who begins, then the manager, then the answer. Pure."""
        tasks = self.tasks(group)
        if isinstance(tasks, str):
            return Finish(None, "bad_params", why=tasks)
        free = self.max_concurrency - len(group.open)
        if begin := due(group, tasks)[: max(free, 0)]:
            return Speak(tuple(Cue(task.member, task.parts) for task in begin))
        if group.open:
            return Speak()
        merged = [said for said in group.said if said.speaker in group.managers and not said.failed]
        came = [said for said in done(group, tasks) if said is not None]
        if merged or not group.manager or all(said.failed for said in came):
            return Finish(merged[-1].text if merged else joined(came), "end", self.data(group))
        return Speak((Cue(group.manager, note="These are the results. Make one answer of them."),))

    def tasks(self, group: GroupState) -> list[Task] | str:
        """Return what is to be done, or what is wrong with the request's `params`. Pure."""
        wanted = group.params.get("tasks")
        begun = bool(group.turns)  # who leaves later leaves a task undone, which is no fault of the request
        match wanted:
            case None:
                everybody = dict.fromkeys(
                    (*group.members, *(name for name in group.turns if name not in group.managers))
                )
                return [Task(name, group.request) for name in everybody]
            case Mapping():
                pairs = list(cast("Mapping[str, object]", wanted).items())
            case list():
                items = [item if isinstance(item, dict) else {} for item in wanted]
                pairs = [(str(item.get("agent", "")), item.get("task")) for item in items]
            case _:
                pairs = []
        wrong = [
            f"{name!r}: {task!r}"
            for name, task in pairs
            if not (begun or name in group.members) or not (isinstance(task, str) and task)
        ]
        if wrong or not pairs:
            names = ", ".join(group.members)
            return f"`tasks` wants a text for members ({names}); found {'; '.join(wrong)[:300] or repr(wanted)[:300]}"
        asker = group.request[0].speaker if group.request else "user"
        return [Task(name, (Part(asker, Text(str(task))),)) for name, task in pairs]

    def data(self, group: GroupState) -> dict[str, object]:
        """Return one result for each task. Pure."""
        tasks = self.tasks(group)
        return {} if isinstance(tasks, str) else {"results": results(tasks, done(group, tasks))}
