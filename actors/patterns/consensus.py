"""Members vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from callboard.events import SpecError, Text
from callboard.projections import GroupState
from callboard.projections.words import Choice

from .round_robin import checked_count
from .steps import Finish, Pick, Speak

TOOL, BREAK = "vote", "break_tie"
"""The tools that members vote with, and a manager breaks a tie with."""


@dataclass(frozen=True, slots=True)
class Consensus:
    """All vote at once for one of the options; in later rounds each sees the votes and reasons of the others.

    Attributes:
        options: What can be voted for, unless the request's `params` have `options`.
        quorum: Votes that decide; by default more than half of the members.
        max_rounds: Rounds of voting until the quorum is given up.
        tie: What then decides between the options with most votes: the manager, the first of them, or nothing.
    """

    options: Sequence[str] = ()
    quorum: int | None = None
    max_rounds: int = 1
    tie: Literal["manager", "first", "none"] = "none"

    def __post_init__(self) -> None:
        checked_count(self.quorum, "quorum", "Consensus")
        checked_count(self.max_rounds, "max_rounds", "Consensus")
        if isinstance(self.options, str):
            raise SpecError(f"options are {self.options!r}; a list of texts is wanted", where="Consensus")
        if self.options and len(set(self.options)) < max(2, len(self.options)):
            raise SpecError(
                f"options are {list(self.options)!r}; two or more different ones are wanted", where="Consensus"
            )

    @property
    def needs_manager(self) -> bool:
        """Whether a manager breaks ties."""
        return self.tie == "manager"

    def next(self, group: GroupState) -> Speak | Pick | Finish:
        """Return the next vote, or what it came to. Pure."""
        if group.open:
            return Speak()
        options = self.all_options(group)
        if isinstance(options, str):
            return Finish(None, "bad_params", why=options)
        if not group.members:
            return Finish(None, "no_members", why="nobody is a member any more")
        cast_by = Counter(vote.by for vote in group.choices if vote.tool == TOOL)
        rounds = min(cast_by[name] for name in group.members)
        late = tuple(name for name in group.members if cast_by[name] == rounds)
        if len(late) < len(group.members) or not rounds:
            return Pick(TOOL, options, self._question(group, rounds), by=late)
        top = self._top(group, options)
        if len(top) == 1 and self._counts(group)[top[0]] >= self._quorum(group):
            return self._end(group, top[0], "quorum")
        if rounds < self.max_rounds:
            return Pick(TOOL, options, self._question(group, rounds), by=group.members)
        return self._break(group, options, top)

    def _break(self, group: GroupState, options: tuple[str, ...], top: tuple[str, ...]) -> Pick | Finish:
        broken = next((one for one in group.choices if one.tool == BREAK), None)
        if broken is not None:
            return self._end(group, broken.choice, "fallback" if broken.read == "fallback" else "manager")
        if self.tie == "manager":
            asked = f"The members did not reach {self._quorum(group)} votes.\n{self._votes_text(group)}\nDecide."
            return Pick(BREAK, top or options, asked, fallback=(top or options)[0])
        if self.tie == "first" and top:
            return self._end(group, top[0], "first")
        return self._end(group, "", "no_quorum")

    def _end(self, group: GroupState, winner: str, reason: str) -> Finish:
        why = f"no option has {self._quorum(group)} votes: {dict(self._counts(group)) or 'nobody voted'}"
        return Finish(Text(winner or why), reason, {**self.data(group), "winner": winner or None})

    def all_options(self, group: GroupState) -> tuple[str, ...] | str:
        """Return what can be voted for, or what is wrong with it. Pure."""
        given = group.params.get("options", list(self.options))
        texts = (
            [one for one in cast("list[object]", given) if isinstance(one, str) and one]
            if isinstance(given, list)
            else []
        )
        if not isinstance(given, list) or len(texts) != len(given) or len(set(texts)) < max(2, len(texts)):
            return f"`options` wants two or more different texts, in the pattern or in params; found {given!r}"[:400]
        return tuple(texts)

    def _question(self, group: GroupState, rounds: int) -> str:
        if not rounds:
            return "Vote for one of the options, with your reason."
        return f"No option has {self._quorum(group)} votes yet. You all voted:\n{self._votes_text(group)}\nVote again."

    def _votes_text(self, group: GroupState) -> str:
        votes = self._votes(group)
        return "\n".join(f"- {by}: {vote.choice or 'abstained'} ({vote.reason})" for by, vote in votes.items())

    def _votes(self, group: GroupState) -> dict[str, Choice]:
        """Return the last vote of each member that is one now. Pure."""
        last = {vote.by: vote for vote in group.choices if vote.tool == TOOL}
        return {name: last[name] for name in group.members if name in last}

    def _counts(self, group: GroupState) -> Counter[str]:
        return Counter(vote.choice for vote in self._votes(group).values() if vote.choice)

    def _top(self, group: GroupState, options: tuple[str, ...]) -> tuple[str, ...]:
        counts = self._counts(group)
        most = max(counts.values(), default=0)
        return tuple(option for option in options if most and counts[option] == most)

    def _quorum(self, group: GroupState) -> int:
        return self.quorum or len(group.members) // 2 + 1

    def data(self, group: GroupState) -> dict[str, object]:
        """Return votes, reasons, counts, and whether all voted the same. Pure."""
        votes, counts = self._votes(group), self._counts(group)
        abstained = [name for name in group.members if not (name in votes and votes[name].choice)]
        return {
            "votes": {name: vote.choice for name, vote in votes.items() if vote.choice},
            "reasons": {name: vote.reason for name, vote in votes.items() if vote.choice},
            "counts": dict(counts),
            "winner": None,
            "unanimous": len(counts) == 1 and not abstained,
            "abstained": abstained,
        }
