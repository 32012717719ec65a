"""Members state their views and answer each other; a mediator proposes a compromise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from callboard.projections import GroupState

from .round_robin import checked_count
from .steps import Cue, Finish, Speak, last_answer


@dataclass(frozen=True, slots=True)
class Debate:
    """All state a view, without hearing the others; then they answer each other in turn; then the manager mediates.

    Attributes:
        rounds: How often each answers the others.
    """

    rounds: int = 1
    needs_manager: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checked_count(self.rounds, "rounds", "Debate", least=0)

    def next(self, group: GroupState) -> Speak | Finish:
        """Return who speaks next, or the compromise. Pure."""
        if group.open:
            return Speak()
        if not group.members:
            return Finish(last_answer(group), "no_members", self.data(group), why="nobody is a member any more")
        if not group.turns:
            return Speak(tuple(Cue(name, note="State your view, and why.") for name in group.members))
        for answers in range(self.rounds):
            for name in group.members:
                if group.turns.count(name) <= 1 + answers:
                    return Speak((Cue(name, note="Answer the others: where do you agree, and where not?"),))
        if group.manager and not set(group.turns) & set(group.managers):
            return Speak((Cue(group.manager, note="You mediate. Propose a compromise that each side can accept."),))
        return Finish(last_answer(group), "end", self.data(group))

    def data(self, group: GroupState) -> dict[str, object]:
        """Return what each side said, in order. Pure."""
        return {"views": [{"agent": said.speaker, "text": said.text} for said in group.said if not said.failed]}
