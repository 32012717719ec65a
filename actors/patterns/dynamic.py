"""A manager chooses who speaks next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from callboard.projections import GroupState
from callboard.projections.answer import SPEAKER

from .round_robin import checked_count
from .steps import Finish, Observe, Pick, Speak, last_answer


@dataclass(frozen=True, slots=True)
class Dynamic:
    """The manager picks each speaker, until `max_turns`; by default as many turns as there are members.

    The last speaker is not offered, unless nobody else is there. Where no choice can be read, whoever spoke
    least speaks. The talk also ends when somebody says the group's `until`, which is `DONE!` by default.
    """

    max_turns: int | None = None
    until: ClassVar[str] = "DONE!"
    needs_manager: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checked_count(self.max_turns, "max_turns", "Dynamic")

    def next(self, group: GroupState) -> Speak | Pick | Observe | Finish:
        """Return who was picked, or who can be. Pure."""
        if group.open:
            return Speak()
        if not group.members:
            return Finish(last_answer(group), "no_members", why="nobody is a member any more")
        if len(group.turns) >= (self.max_turns or len(group.members)):
            return Finish(last_answer(group), "max_turns")
        if group.chosen in group.members:
            return Speak((group.chosen,))
        if group.observed != group.assigned:
            return Observe()
        last = group.turns[-1:]
        options = tuple(name for name in group.members if name not in last) or group.members
        least = min(options, key=lambda name: (group.turns.count(name), options.index(name)))
        return Pick(SPEAKER, options, question(group, options), fallback=least)


def question(group: GroupState, options: tuple[str, ...]) -> str:
    """Return what the manager is asked: who there is, how busy, and how to end the talk. Pure."""
    lines = ["Choose who speaks next. Do not answer in their place."]
    for name in options:
        about = group.about(name).description
        waits = group.waiting.get(name, 0)
        busy = f"{waits} requests wait for it" if waits > 1 else "1 request waits for it" if waits else "idle"
        times = group.turns.count(name)
        spoke = f"spoke {times} time{'s' if times > 1 else ''}" if times else "has not spoken"
        lines.append(f"- {name}{f': {about}' if about else ''} ({spoke}, {busy})")
    until = group.spec.until if group.spec else None
    if until is not None and until.kind == "mention":
        lines.append(f"If the talk is over, say {until.text} instead.")
    return "\n".join(lines)
