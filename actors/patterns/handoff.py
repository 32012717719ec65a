"""One member is active, until it passes the talk on."""

from __future__ import annotations

from dataclasses import dataclass

from callboard.events.catalog import ToolUse
from callboard.events.specs import ToolSpec
from callboard.projections import GroupState, Said

from .round_robin import checked_count
from .steps import Cue, Finish, Speak, ending

TOOL = "hand_off"
"""The tool that the talk is passed on with."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """The active member answers, or hands off to another; the next request goes to whoever is active then.

    Attributes:
        first: Who is active at the first request; the first member otherwise.
        max_handoffs: How often the talk is passed on in one request at most.
    """

    first: str = ""
    max_handoffs: int = 10

    def __post_init__(self) -> None:
        checked_count(self.max_handoffs, "max_handoffs", "Handoff", least=0)

    def next(self, group: GroupState) -> Speak | Finish:
        """Return the active member, or its answer. Pure."""
        if group.open:
            return Speak()
        active = self.active(group)
        last = group.replies[-1][1] if group.replies else None
        handoff = _handoff(last) if last is not None else None
        if last is not None and handoff is None:
            text = None if last.failed else last.text
            reason = (
                "end" if len(self._handoffs(group)) < self.max_handoffs or not self.max_handoffs else "max_handoffs"
            )
            return Finish(text, reason, self.data(group))
        if not active:
            return Finish(None, "no_members", why="nobody is a member any more")
        note = ""
        if last is not None and handoff is not None:
            reason, message = (handoff.arguments.pick(key) for key in ("reason", "message"))
            note = f"{last.speaker} hands over to you: {reason}\n{message}"
        left = self.max_handoffs - len(self._handoffs(group))
        tools = (tool(group, active),) if left > 0 and len(group.members) > 1 else ()
        return Speak((Cue(active, note=note, tools=tools),))

    def active(self, group: GroupState) -> str:
        """Return who is active: handed to, or heard, last in this conversation; empty where nobody is left. Pure."""
        for said in reversed(group.talk):
            if not said.turn or said.failed:
                continue
            handoff = _handoff(said)
            name = said.speaker if handoff is None else str(handoff.arguments.pick("to"))
            if name in group.members:
                return name
        return self.first if self.first in group.members else next(iter(group.members), "")

    def _handoffs(self, group: GroupState) -> list[dict[str, object]]:
        found = [(said, _handoff(said)) for said in group.said]
        return [
            {"from": said.speaker, **{key: use.arguments.pick(key) for key in ("to", "reason")}}
            for said, use in found
            if use is not None
        ]

    def data(self, group: GroupState) -> dict[str, object]:
        """Return who is active now, and each handoff of the request. Pure."""
        return {"active": self.active(group), "handoffs": self._handoffs(group)}


def tool(group: GroupState, active: str) -> ToolSpec:
    """Return the tool of the active member: it can hand to all others. Pure."""
    others = [name for name in group.members if name != active]
    about = "; ".join(f"{name}: {group.about(name).description}" for name in others if group.about(name).description)
    properties = {
        "to": {"type": "string", "enum": others, "description": about or "Who goes on."},
        "reason": {"type": "string", "description": "Why."},
        "message": {"type": "string", "description": "What they have to know besides what was said."},
    }
    return ending(TOOL, "Pass the talk on to another member, who goes on in your place.", properties)


def _handoff(said: Said) -> ToolUse | None:
    return next((use for use in reversed(said.uses) if use.name == TOOL), None)
