"""How a group grows and shrinks: a pure rule over its load decides how many members of one spec there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from callboard.events import Event
from callboard.events.catalog import GroupScaled, MessageReceived
from callboard.events.specs import MemberUse, Scaling
from callboard.projections import GroupState


@dataclass(frozen=True, slots=True)
class Load:
    """What a rule decides by.

    Attributes:
        backlog: Requests that wait for the group, the one it begins included, and for its members.
        members: How many there are now of those that the rule is about.
        latency: Seconds that its members took for a turn of late, on average; 0 before the first.
    """

    backlog: int
    members: int
    latency: float


Rule = Callable[[Load], int]
"""From the load to the number of members wanted. Pure."""


def one_each(load: Load) -> int:
    """Return one member for each request that waits. Pure."""
    return load.backlog


def decide(state: GroupState, turn: MessageReceived, rule: Rule) -> list[Event]:
    """Return the decision for this request, with who comes and who goes. Pure."""
    scaling = state.scaling
    assert scaling is not None
    made = made_here(state, scaling)
    load = load_of(state, len(made))
    reason, number = "", len(made)
    try:
        number = int(rule(load))
    except Exception as error:  # a border to others' code
        reason = f"the rule raised {type(error).__name__}: {error}"
    number = min(max(number, scaling.least), scaling.most)
    return [
        GroupScaled(
            id=turn.id, had=len(made), wanted=number, backlog=load.backlog, latency=load.latency,
            joined=_joined(scaling, made, number), left=tuple(made[number:]), reason=reason,
        )
    ]  # fmt: skip


def load_of(state: GroupState, members: int) -> Load:
    """Return the load as it was last observed. Pure."""
    waits = len(state.desk.backlog) + 1 + sum(state.waiting.get(name, 0) for name in state.members)
    took = [state.latency[name] for name in state.members if name in state.latency]
    return Load(waits, members, sum(took) / len(took) if took else 0.0)


def made_here(state: GroupState, scaling: Scaling) -> list[str]:
    """Return the members that were made from the template, the busiest and oldest first. Pure."""
    of_it = re.compile(rf"{re.escape(scaling.template.name)}-[1-9]\d*")
    made = [name for name in state.members if of_it.fullmatch(name)]
    return sorted(made, key=lambda name: (name not in state.talking, int(name.rsplit("-", 1)[1])))


def _joined(scaling: Scaling, made: list[str], number: int) -> tuple[MemberUse, ...]:
    template, found, n = scaling.template, list[MemberUse](), 1
    while len(made) + len(found) < number:
        name = f"{template.name}-{n}"
        if name not in made:
            use = MemberUse(stream=f"agent-{name}", description=template.description, tags=template.tags)
            found.append(use)
        n += 1
    return tuple(found)
