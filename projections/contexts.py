"""What an agent has heard and said, kept apart by conversation. All pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from callboard.events import Text

from .growing import Growing
from .prompt import Heard, Line, digest, messages_of
from .words import name_of

if TYPE_CHECKING:
    from .agent import AgentState

MAIN = "main"
"""The conversation that all have part in who do not name another."""


@dataclass(frozen=True, slots=True)
class Context:
    """The history of one conversation, with its hash as a model reads it."""

    lines: Growing[Line] = field(default_factory=Growing[Line])
    digest: bytes = b""

    def plus(self, line: Line) -> Context:
        """Return this with `line` at its end."""
        return Context(self.lines.plus(line), digest(self.digest, *messages_of(line)))

    def less(self, group: str) -> Context:
        """Return this without what was heard from `group` and came of it."""
        kept = [line for line in self.lines if line.turn.split("/")[-3:-2] != [group]]
        if len(kept) == len(self.lines):
            return self
        return Context(Growing(kept), digest(b"", *(message for line in kept for message in messages_of(line))))


def hear(state: AgentState) -> AgentState:
    """Return `state` at the beginning of its open turn: in its conversation, with what the turn says."""
    turn = state.desk.turn
    assert turn is not None
    group = name_of(turn.sender) if turn.sender.startswith("group-") else ""
    state = replace(
        state, step=0, uses=None, failed=None, said=Text(), empty=0, compiled=None, notes=(), reads={},
        ends=(), refused=(), unfit=0,
    )  # fmt: skip
    if turn.fresh:  # a group that begins with no history does so in all its conversations
        kept = {name: context.less(group) for name, context in state.others.items()}
        state = _in(replace(state, others=kept), Context(state.lines, state.digest).less(group))
    return with_line(_turned_to(state, turn.conversation), Heard(turn.id, turn.kind, turn.parts, group))


def _turned_to(state: AgentState, conversation: str) -> AgentState:
    if conversation == state.conversation:
        return state
    others = {**state.others, state.conversation: Context(state.lines, state.digest)}
    context = others.pop(conversation, Context())
    return _in(replace(state, conversation=conversation, others=others), context)


def _in(state: AgentState, context: Context) -> AgentState:
    return replace(state, lines=context.lines, digest=context.digest)


def with_line(state: AgentState, line: Line) -> AgentState:
    """Return `state` with `line` at the end of the conversation that it is in."""
    return _in(state, Context(state.lines, state.digest).plus(line))


def contexts(state: AgentState) -> dict[str, Growing[Line]]:
    """Return the lines of each conversation by its name, `main` first, others in the order of their names."""
    found = {state.conversation: state.lines, **{name: context.lines for name, context in state.others.items()}}
    names = sorted(found, key=lambda name: (name != MAIN, name))
    return {name: found[name] for name in names if name == MAIN or found[name]}
