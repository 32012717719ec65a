"""One agent answers; others look after its memory in the background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from callboard.events.specs import ToolSpec
from callboard.projections import GroupState

from ..memory import maintenance_specs
from .round_robin import checked_count
from .steps import Finish, Speak, Work, ending, last_answer

FINISH = "memory_finish_edits"
"""The tool that background work ends with."""


@dataclass(frozen=True, slots=True)
class Sleeptime:
    """The manager is the foreground and answers at once. After every n-th answer the members get what was said.

    What was said is all since the last work that they finished: the words of both sides, and tool calls with
    their arguments. They edit the blocks of the group, which the foreground only reads.

    Attributes:
        every: After how many answers; None after each.
    """

    every: int | None = 5
    needs_manager: ClassVar[bool] = True
    members_write: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checked_count(self.every, "every", "Sleeptime")

    def next(self, group: GroupState) -> Speak | Finish:
        """Return the foreground, then its answer with the work that follows. Pure."""
        if group.open:
            return Speak()
        text = last_answer(group)
        if text is None and group.manager:
            return Speak((group.manager,))
        due = text is not None and (group.answered + 1) % (self.every or 1) == 0
        jobs = tuple(Work(name, _note(group), _tools(group)) for name in group.members) if due else ()
        return Finish(text, "end", jobs=jobs)


def _note(group: GroupState) -> str:
    return (
        f"You look after the memory of {group.managers[0]} in the background. Above is what was said since you last "
        f"finished; 'user' and '{group.managers[0]}' in it are not you, and nobody reads your answer. Bring the memory "
        f"blocks up to date, then call {FINISH}."
    )


def _tools(group: GroupState) -> tuple[ToolSpec, ...]:
    finish = ending(FINISH, "End this work: the memory blocks are up to date.", {})
    return (*maintenance_specs(), finish)
