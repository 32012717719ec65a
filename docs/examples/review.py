"""A pattern of one's own: an author writes, reviewers approve or ask for more, the author revises."""

from dataclasses import dataclass

from callboard import Cue, Finish, GroupState, Pick, Speak


@dataclass(frozen=True)
class Review:
    """The first member writes; the others review each draft, until all approve or `rounds` drafts were written."""

    rounds: int = 3

    def next(self, group: GroupState) -> Speak | Pick | Finish:
        """Return what comes next. Pure: the same state gives the same step."""
        if group.open:  # somebody has the word
            return Speak()
        author, *reviewers = group.members
        if not group.turns:
            return Speak((author,))
        draft, votes = group.replies[-1][1], [vote for vote in group.choices if vote.turn > group.numbers[-1]]
        if draft is None or draft.failed:
            return Finish(None, "no_draft")
        late = tuple(name for name in reviewers if name not in [vote.by for vote in votes])
        if late:
            return Pick("review", ("approve", "revise"), "Is this draft good as it is?", by=late, fallback="revise")
        wishes = [f"- {vote.by}: {vote.reason}" for vote in votes if vote.choice == "revise"]
        if not wishes or len(group.turns) == self.rounds:
            reason = "rounds" if wishes else "approved"
            return Finish(draft.text, reason, data={"drafts": len(group.turns), "open": wishes})
        return Speak((Cue(author, note="Revise your draft:\n" + "\n".join(wishes)),))
