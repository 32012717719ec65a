"""What an agent has heard and said, kept apart by conversation. All pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callboard.events import Text

from .cuts import request_of
from .estimate import tokens_of
from .growing import Growing
from .prompt import RENDERING, Heard, Line, Summed, digest, messages_of
from .states import replace
from .words import name_of

if TYPE_CHECKING:
    from .agent import AgentState

MAIN = "main"
"""The conversation that all have part in who do not name another."""


@dataclass(frozen=True, slots=True)
class Context:
    """The history of one conversation, with its hash as a model reads it, and about how many tokens it has."""

    lines: Growing[Line] = field(default_factory=Growing[Line])
    digest: bytes = b""
    tokens: int = 0

    def plus(self, line: Line, layout: int) -> Context:
        """Return this with `line` at its end."""
        messages = messages_of(line, layout)
        return Context(self.lines.plus(line), digest(self.digest, *messages), self.tokens + tokens_of(messages))

    def less(self, group: str, layout: int) -> Context:
        """Return this without what came of `group`, and without summaries, which may tell of it."""
        mine = (line.turn.split("/")[-3:-2] == [group] or isinstance(line, Summed) for line in self.lines)
        kept = [line for line, is_mine in zip(self.lines, mine, strict=True) if not is_mine]
        return self if len(kept) == len(self.lines) else of(kept, layout)

    def since(self, group: str, request: str, now: str, layout: int) -> Context:
        """Return this without what was heard from `group` before `request`; without all of it where that is `now`."""
        mine = [n for n, line in enumerate(self.lines) if line.turn.split("/")[-3:-2] == [group]]
        said = (n for n in mine if not isinstance(self.lines[n], Summed))  # a summary is of what was before
        first = next((n for n in said if request_of(self.lines[n].turn) == request), len(self.lines))
        if first == len(self.lines) and request != now:
            return self  # what comes before it is gone already
        gone = {n for n in mine if n < first}
        return of((line for n, line in enumerate(self.lines) if n not in gone), layout)


def of(lines: Iterable[Line], layout: int) -> Context:
    """Return a history of `lines`."""
    kept = Growing(lines)
    messages = [message for line in kept for message in messages_of(line, layout)]
    return Context(kept, digest(b"", *messages), tokens_of(messages))


def layout_of(state: AgentState) -> int:
    """Return the number of the layout that the agent's prompts have."""
    return state.spec.rendering if state.spec else RENDERING


def hear(state: AgentState) -> AgentState:
    """Return `state` at the beginning of its open turn: in its conversation, with what the turn says."""
    turn = state.desk.turn
    assert turn is not None
    group = name_of(turn.sender) if turn.sender.startswith("group-") else ""
    state = replace(
        state, step=0, uses=None, failed=None, said=Text(), empty=0, compiled=None, notes=(), reads={},
        ends=(), refused=(), unfit=0, over=0, summed=None, beside=0,
    )  # fmt: skip
    layout = layout_of(state)
    if turn.fresh:  # a group that begins with no history does so in all its conversations
        kept = {name: context.less(group, layout) for name, context in state.others.items()}
        state = within(replace(state, others=kept), _here(state).less(group, layout))
    state = _turned_to(state, turn.conversation)
    if turn.since:
        state = within(state, _here(state).since(group, turn.since, request_of(turn.id), layout))
    if state.spec is not None and state.spec.stateless:
        state = within(state, Context())
    apart = [(part,) for part in turn.parts]  # each a line of its own, so that a part of many can be summed up
    for parts in [turn.parts] if layout == 1 else apart:
        state = with_line(state, Heard(turn.id, turn.kind, parts, group))
    return state


def _turned_to(state: AgentState, conversation: str) -> AgentState:
    if conversation == state.conversation:
        return state
    others = {**state.others, state.conversation: _here(state)}
    context = others.pop(conversation, Context())
    return within(replace(state, conversation=conversation, others=others), context)


def _here(state: AgentState) -> Context:
    return Context(state.lines, state.digest, state.tokens)


def within(state: AgentState, context: Context) -> AgentState:
    """Return `state` with `context` as the conversation that it is in."""
    return replace(state, lines=context.lines, digest=context.digest, tokens=context.tokens)


def with_line(state: AgentState, line: Line) -> AgentState:
    """Return `state` with `line` at the end of the conversation that it is in."""
    return within(state, _here(state).plus(line, layout_of(state)))


def laid_out(state: AgentState, before: int) -> AgentState:
    """Return `state` with its histories in the layout of its spec, where that was `before` until now."""
    layout = layout_of(state)
    if layout == before:
        return state
    others = {name: of(context.lines, layout) for name, context in state.others.items()}
    return within(replace(state, others=others), of(state.lines, layout))


def contexts(state: AgentState) -> dict[str, Growing[Line]]:
    """Return the lines of each conversation by its name, `main` first, others in the order of their names."""
    found = {state.conversation: state.lines, **{name: context.lines for name, context in state.others.items()}}
    names = sorted(found, key=lambda name: (name != MAIN, name))
    return {name: found[name] for name in names if name == MAIN or found[name]}
