"""A manager plans, gives each worker its task, and makes one answer of what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from callboard.events.catalog import Part
from callboard.events.specs import ToolSpec
from callboard.projections import GroupState, Said

from .round_robin import checked_count
from .steps import Cue, Finish, Speak, ending
from .tasks import Task, done, due, joined, results

DELEGATE, BROADCAST = "delegate", "send_message_to_all_agents_in_group"
"""The tools that a supervisor gives tasks with."""


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The manager delegates, several tasks at once if it likes, and answers when it has what it needs.

    Attributes:
        max_rounds: How often the manager has the word at most; the last time it can only answer.
        results: When it has the word again: when all its tasks are done, or as soon as one is.
    """

    max_rounds: int = 10
    results: Literal["together", "as_they_come"] = "together"
    needs_manager: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checked_count(self.max_rounds, "max_rounds", "Supervisor", least=2)

    def next(self, group: GroupState) -> Speak | Finish:
        """Return tasks to give, the manager's next word, or its answer. Pure."""
        manager, tasks = group.manager, self.tasks(group)
        if not manager:
            return self._without(group)
        if begin := due(group, tasks):
            return Speak(tuple(Cue(task.member, task.parts) for task in begin))
        talks = bool(group.talking & set(group.managers))
        if talks or (group.open and (self.results == "together" or not group.unheard(manager))):
            return Speak()
        words = [said for said in group.said if said.speaker in group.managers and not said.failed]
        last = words[-1] if words else None
        if last is not None and not last.uses and not group.open and not _results_since(group, last):
            return Finish(last.text, "end" if len(words) < self.max_rounds else "max_rounds", self.data(group))
        if len(words) >= self.max_rounds and last is not None:
            return Speak() if group.open else Finish(last.text, "max_rounds", self.data(group))
        return Speak((self._cue(group, manager, len(words), tasks),))

    def _cue(self, group: GroupState, manager: str, rounds: int, tasks: list[Task]) -> Cue:
        gone = sorted({task.member for task in tasks} - set(group.members))
        left = f"{', '.join(gone)} left the group. " if gone else ""
        if rounds + 1 >= self.max_rounds or not group.members:
            return Cue(manager, note=f"{left}Give the whole answer now; nothing more can be delegated.")
        if rounds:
            note = f"{left}These are the results so far. Delegate what is missing, or give the whole answer."
            return Cue(manager, note=note, tools=tools(group))
        about = [f"- {name}: {group.about(name).description or 'a worker'}" for name in group.members]
        note = (
            f"You lead this group. Plan, then give each worker its own task with {DELEGATE}, several in one reply if "
            f"they do not depend on each other, or one text to all with {BROADCAST}. "
            "Whoever asked sees only your answer.\n"
        )
        return Cue(manager, note=note + "\n".join(about), tools=tools(group))

    def _without(self, group: GroupState) -> Speak | Finish:
        """Return what happens without a manager: what was done is the answer; if nothing was, all are asked."""
        if not group.members and not group.open:
            workers = [said for said in group.said if said.speaker not in group.managers]
            return Finish(joined(workers), "no_members", self.data(group), why="nobody is a member any more")
        if not group.turns or set(group.turns) <= set(group.managers):
            return Speak(tuple(Cue(name, group.request) for name in group.members))
        if group.open:
            return Speak()
        workers = [said for said in group.said if said.speaker not in group.managers]
        return Finish(joined(workers), "manager_failed", self.data(group))

    def tasks(self, group: GroupState) -> list[Task]:
        """Return the tasks that the manager has given, in order. Pure."""
        found: list[Task] = []
        for said in group.said:
            for use in said.uses if said.speaker in group.managers else ():
                if use.name == DELEGATE:
                    task = Part(speaker=said.speaker, text=use.arguments.pick("task"))
                    found.append(Task(str(use.arguments.pick("worker")), (task,)))
                elif use.name == BROADCAST:
                    part = Part(speaker=said.speaker, text=use.arguments.pick("message"))
                    found += [Task(name, (part,)) for name in group.members]
        return found

    def data(self, group: GroupState) -> dict[str, object]:
        """Return the plan and the results. Pure."""
        tasks = self.tasks(group)
        plan = [{"agent": task.member, "task": task.parts[0].text} for task in tasks]
        return {"plan": plan, "results": results(tasks, done(group, tasks))}


def tools(group: GroupState) -> tuple[ToolSpec, ...]:
    """Return the tools of a supervisor. Pure."""
    worker = {"type": "string", "enum": list(group.members), "description": "Who does it."}
    task = {"type": "string", "description": "All that the worker has to know; it hears nothing else."}
    message = {"type": "string", "description": "What every worker hears."}
    return (
        ending(DELEGATE, "Give one worker a task of its own.", {"worker": worker, "task": task}),
        ending(BROADCAST, "Give all workers the same text.", {"message": message}),
    )


def _results_since(group: GroupState, last: Said) -> bool:
    said = group.said
    return any(one.speaker not in group.managers for one in said[said.index(last) + 1 :])
