"""One agent answers within a short window; another keeps what leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from callboard.events import SpecError
from callboard.events.specs import ToolSpec
from callboard.projections import GroupState, cuts

from .. import storing
from ..memory import rethink_specs
from .steps import Finish, Speak, Work, ending, last_answer

FINISH = "finish_rethinking_memory"
"""The tool that background work ends with."""

LONGEST, SHORTEST = 30, 15
"""Messages that the window holds at most, and to which it is cut, unless a pattern says otherwise."""

LEAST = 5
"""The least that a window can be cut to."""


@dataclass(frozen=True, slots=True)
class VoiceSleeptime:
    """The manager is the foreground and answers at once, with the newest messages of the conversation before it.

    Beyond `max_message_buffer_length` messages of both sides its window is cut to `min_message_buffer_length` at a
    request. What leaves goes to the one member, in the background, with what stays: it stores what is worth it as
    passages in the foreground's archive, by the numbers of the lines, and rewrites the block about the user. Nothing
    of it holds up an answer, and a line that leaves while such work fails comes again with the next.

    Attributes:
        max_message_buffer_length, min_message_buffer_length: Both, the first greater, or none: 30 and 15.
    """

    max_message_buffer_length: int | None = None
    min_message_buffer_length: int | None = None
    needs_manager: ClassVar[bool] = True
    needs_members: ClassVar[int] = 1
    members_write: ClassVar[bool] = True

    def __post_init__(self) -> None:
        most, least = self.max_message_buffer_length, self.min_message_buffer_length
        names = "max_message_buffer_length and min_message_buffer_length"
        if (most is None) != (least is None):
            raise SpecError(f"VoiceSleeptime has one of {names}; give both, or none for {LONGEST} and {SHORTEST}")
        for name, value in (("max_message_buffer_length", most), ("min_message_buffer_length", least)):
            if value is not None and (type(value) is not int or value < LEAST):
                raise SpecError(f"{name} of VoiceSleeptime is {value!r}; a whole number above {LEAST - 1} is wanted")
        if most is not None and least is not None and most <= least:
            raise SpecError(
                f"VoiceSleeptime has max_message_buffer_length {most} and min_message_buffer_length {least}; "
                "the first has to be greater"
            )

    @property
    def window(self) -> tuple[int, int]:
        """How many messages the window holds at most, and to how many it is cut."""
        return self.max_message_buffer_length or LONGEST, self.min_message_buffer_length or SHORTEST

    def next(self, group: GroupState) -> Speak | Finish:
        """Return the foreground, then its answer with the work on what leaves its window. Pure."""
        if group.open:
            return Speak()
        text = last_answer(group)
        if text is None and group.manager:
            return Speak((group.manager,))
        most, least = self.window
        cut = cuts.cut(group, least=least, most=most) if text is not None and group.members else 0
        jobs = (Work(group.members[0], _note(group), _tools(), cut),) if cut else ()
        return Finish(text, "end", jobs=jobs)


def _note(group: GroupState) -> str:
    foreground = group.managers[0]
    return (
        f"You keep the memory of {foreground} in the background; nobody reads your answer. Above is its talk, each "
        f"line with its number. It has just forgotten the lines that are not marked newer: store those worth keeping "
        f"with {storing.STORE}, by their numbers, each chunk with its context. The newer ones it still sees; they "
        f"come again when they leave. Then bring the memory blocks up to date, and end with {FINISH}."
    )


def _tools() -> tuple[ToolSpec, ...]:
    finish = ending(FINISH, "End this work: all worth keeping is kept.", {})
    return (storing.tool_spec(), *rethink_specs(), finish)
