"""Who speaks next: each pattern is a value with one pure rule over the group's state, which replay can ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from callboard.events import SpecError, Text
from callboard.projections import GroupState


@dataclass(frozen=True, slots=True)
class Speak:
    """Give the word to these members; to nobody, to wait. Each is told all that it has not heard."""

    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finish:
    """End the request with `text` as its answer; with None it has failed. `reason` names what fired."""

    text: Text | None
    reason: str


@runtime_checkable
class Pattern(Protocol):
    """Asked at the request and after each turn, also while others have the word."""

    def next(self, group: GroupState) -> Speak | Finish:
        """Return what comes next. Pure."""
        ...


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Members speak in order, from the first at each request, until `max_turns`; by default once each."""

    max_turns: int | None = None

    def __post_init__(self) -> None:
        if self.max_turns is not None and self.max_turns < 1:
            raise SpecError(f"max_turns is {self.max_turns}, at least 1 is wanted", where="RoundRobin")

    def next(self, group: GroupState) -> Speak | Finish:
        """Return the next in order, or the last answer. Pure."""
        if group.open:
            return Speak()
        if group.assigned < (self.max_turns or len(group.members)):
            return Speak((group.members[group.assigned % len(group.members)],))
        answers = [said.text for said in group.said if not said.failed]
        return Finish(answers[-1] if answers else None, "max_turns")
