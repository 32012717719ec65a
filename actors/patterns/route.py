"""One member is chosen without a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from callboard.projections import GroupState

from ..code import address_of, load
from .steps import Choose, Finish, Observe, Speak

TOOL = "route"
"""What the recorded choice is called."""

SHORT = 4
"""Words with fewer letters say nothing about what a description is about."""


@dataclass(frozen=True, slots=True)
class Route:
    """The member that fits the request best answers it; of several that fit as well, the least busy.

    Attributes:
        by: What fits: `tags` that stand in the request as whole words; words that the `description` shares with
            it; or a pure function, or its address as `module:name`, from the group's state to a number for each
            name, of which none or zero does not fit.
        default: Who answers where nobody fits; the least busy otherwise.
    """

    by: str | Callable[[GroupState], Mapping[str, float]] = "tags"
    default: str = ""

    def __post_init__(self) -> None:
        if callable(self.by):
            object.__setattr__(self, "by", address_of(self.by))
        if self.by not in ("tags", "description"):
            _function(cast(str, self.by))

    def next(self, group: GroupState) -> Speak | Choose | Observe | Finish:
        """Return whom the request is for, or the answer. Pure."""
        if group.open:
            return Speak()
        if group.replies:
            said = group.replies[-1][1]
            return Finish(None if said is None or said.failed else said.text, "end", self.data(group))
        if group.chosen in group.members:
            return Speak((group.chosen,))
        if not group.members:
            return Finish(None, "no_members", why="nobody is a member any more")
        if group.observed != group.assigned:
            return Observe()
        choice, reason = self._choose(group)
        return Choose(TOOL, group.members, choice, reason)

    def _choose(self, group: GroupState) -> tuple[str, str]:
        fits = self._fits(group)
        best = max((fits.get(name, 0.0) for name in group.members), default=0.0)
        names = [name for name in group.members if best > 0 and fits.get(name, 0.0) == best]
        if not names and self.default in group.members:
            return self.default, f"nobody fits by {self.by}; the default"
        busy = group.waiting
        order = names or list(group.members)
        chosen = min(order, key=lambda name: (busy.get(name, 0), order.index(name)))
        why = f"fits best by {self.by} ({best:g})" if names else f"nobody fits by {self.by}"
        others = f"; least busy of {', '.join(order)}" if len(order) > 1 else ""
        return chosen, f"{why}{others}"

    def _fits(self, group: GroupState) -> Mapping[str, float]:
        if self.by not in ("tags", "description"):
            return _function(cast(str, self.by))(group)
        words = _words(" ".join(part.text for part in group.request))
        found: dict[str, float] = {}
        for name in group.members:
            use = group.about(name)
            if self.by == "tags":
                found[name] = sum(all(word in words for word in _words(tag)) for tag in use.tags if tag)
            else:
                found[name] = len({word for word in _words(use.description) & words if len(word) >= SHORT})
        return found

    def data(self, group: GroupState) -> dict[str, object]:
        """Return who was chosen, and why. Pure."""
        made = group.choices[-1] if group.choices else None
        return {"agent": made.choice, "reason": made.reason} if made else {}


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


@lru_cache(maxsize=64)
def _function(address: str) -> Callable[[GroupState], Mapping[str, float]]:
    return load(address)
