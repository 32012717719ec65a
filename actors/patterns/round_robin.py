"""Members speak in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass

from callboard.events import SpecError
from callboard.projections import GroupState

from .steps import Finish, Speak, last_answer


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Members speak in order, from the first at each request, until `max_turns`; by default once each."""

    max_turns: int | None = None

    def __post_init__(self) -> None:
        checked_count(self.max_turns, "max_turns", "RoundRobin")

    def next(self, group: GroupState) -> Speak | Finish:
        """Return the next in order, or the last answer. Pure."""
        if group.open:
            return Speak()
        if not group.members:
            return Finish(last_answer(group), "no_members", why="nobody is a member any more")
        left = set(group.members) - set(group.turns)
        if len(group.turns) < self.max_turns if self.max_turns else left:
            return Speak((self._next(group),))
        return Finish(last_answer(group), "max_turns")

    def _next(self, group: GroupState) -> str:
        """Return who comes after the last speaker that is still a member. Pure."""
        last = next((name for name in reversed(group.turns) if name in group.members), None)
        return group.members[0 if last is None else (group.members.index(last) + 1) % len(group.members)]


def checked_count(count: int | None, what: str, where: str, least: int = 1) -> None:
    """Check a number of turns or rounds that a pattern was given.

    Raises:
        SpecError: It is below `least`.
    """
    if count is not None and count < least:
        raise SpecError(f"{what} is {count}, at least {least} is wanted", where=where)
