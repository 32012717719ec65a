"""Tasks for several members, done at the same time, one at a time each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from callboard.events import Text
from callboard.events.catalog import Part
from callboard.projections import GroupState, Said


@dataclass(frozen=True, slots=True)
class Task:
    """What one member is to do; `parts` is what it hears of it."""

    member: str
    parts: tuple[Part, ...]


def done(group: GroupState, tasks: Sequence[Task]) -> list[Said | None]:
    """Return what came of each task, None where nothing has yet: a member's n-th turn is its n-th task. Pure."""
    came = defaultdict[str, list[Said | None]](list)
    for name, said in group.replies:
        came[name].append(said)
    seen, found = Counter[str](), list[Said | None]()
    for task in tasks:
        turns = came[task.member]
        found.append(turns[seen[task.member]] if seen[task.member] < len(turns) else None)
        seen[task.member] += 1
    return found


def due(group: GroupState, tasks: Sequence[Task]) -> list[Task]:
    """Return the next task of each member that has not the word, in the order of the tasks. Pure."""
    given, seen, found = Counter(group.turns), Counter[str](), list[Task]()
    busy = group.talking | {ended.word.member for ended in group.failed.values()}
    for task in tasks:
        if seen[task.member] == given[task.member] and task.member not in busy:
            found.append(task)
        seen[task.member] += 1
    return [task for task in found if task.member in group.members]


def results(tasks: Sequence[Task], came: Sequence[Said | None]) -> list[dict[str, object]]:
    """Return each task with what came of it, as the data of an answer. Pure."""
    found: list[dict[str, object]] = []
    for task, said in zip(tasks, came, strict=True):
        result: dict[str, object] = {
            "agent": task.member,
            "status": "error" if said is None or said.failed else "success",
        }
        result["error" if said is None or said.failed else "response"] = (
            Text("left the group") if said is None else said.text
        )
        if said is not None and said.speaker != task.member:
            result["done_by"] = said.speaker
        found.append(result)
    return found


def joined(said: Sequence[Said]) -> Text | None:
    """Return what several said as one text, each with its name; None where nobody had an answer. Pure."""
    good = [one for one in said if not one.failed]
    if len(good) == 1:
        return good[0].text
    return Text("\n\n".join(f"{one.speaker}: {one.text}" for one in good)) if good else None
