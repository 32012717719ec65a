"""Which blocks an agent has, and what its prompts call them. All pure.

An agent has a block under the label of its use of it. Where the block was renamed since, prompts and tools call it
by the label that it has now; the stream and its name in the log stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from callboard.events.catalog import BlockAttached, BlockDetached, ModelCallStarted
from callboard.events.specs import BlockUse, ToolSpec

from .block import BlockState
from .states import replace
from .words import tools_in

if TYPE_CHECKING:
    from .agent import AgentState

PEOPLE = "user"
"""Who attaches and detaches a block where no group does."""


def attached(state: AgentState, event: BlockAttached) -> AgentState:
    """Return `state` with a block that a group or a person gave; a person brings back what people took away."""
    by, use = event.by, event.use
    away = tuple(stream for stream in state.away if by != PEOPLE or stream != use.stream)
    given = (*_less(state, by, use.label), (by, use))
    return effective(replace(state, attached=given, came=_more(state.came, tools_in(event.tools)), away=away))


def detached(state: AgentState, event: BlockDetached) -> AgentState:
    """Return `state` without a block; what a person takes away stays away, whoever else gives it."""
    by, use = event.by, event.use
    state = replace(state, attached=_less(state, by, use.label))
    others = [*(state.declared.blocks if state.declared else ()), *(other for _, other in state.attached)]
    if by == PEOPLE and use.stream not in state.away and use.stream in [other.stream for other in others]:
        state = replace(state, away=(*state.away, use.stream))
    return effective(state)


def _more(came: tuple[ToolSpec, ...], tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
    return tuple({tool.name: tool for tool in (*came, *tools)}.values())


def _less(state: AgentState, by: str, label: str) -> tuple[tuple[str, BlockUse], ...]:
    return tuple((giver, use) for giver, use in state.attached if (giver, use.label) != (by, label))


def effective(state: AgentState) -> AgentState:
    """Return `state` with the spec that comes of what was declared, and of what groups and people gave and took."""
    spec = state.declared
    if spec is None:
        return state
    blocks = {use.label: use for use in spec.blocks if use.stream not in state.away}
    for by, use in state.attached:
        own = blocks.get(use.label)
        upgrades = own is not None and own.stream == use.stream and (own.read_only or by == PEOPLE)
        if use.stream not in state.away and (own is None or upgrades):
            blocks[use.label] = use
    names = {tool.name for tool in spec.tools}
    edits = state.attached and any(not use.read_only for use in blocks.values())
    came = tuple(tool for tool in state.came if tool.name not in names) if edits else ()
    changed = spec.model_copy(update={"blocks": tuple(blocks.values()), "tools": (*spec.tools, *came)})
    return replace(state, spec=changed if state.attached or state.away else spec)


def named(state: AgentState, blocks: Mapping[str, BlockState]) -> dict[str, BlockUse]:
    """Return what the next prompt calls each block, given all as they are now, by stream; retired ones are left out.

    Within a turn a block keeps its label, and a label its block. Where two would have the same one, each has that
    of its use.
    """
    uses = [use for use in state.spec.blocks if not blocks[use.stream].desk.retired] if state.spec else []
    told, found = _told(state), dict[str, BlockUse]()
    labels = [told.get(use.stream) or _label(blocks[use.stream], use) for use in uses]
    for n, use in enumerate(uses):
        label = labels[n]
        if use.stream not in told:
            others = {*labels[:n], *labels[n + 1 :], *(other.label for other in uses if other is not use)}
            label = use.label if label in others else label
            if label in state.reads:
                continue  # in this turn it is another block's, which the agent has no more
        found[label] = use
    return found


def _told(state: AgentState) -> dict[str, str]:
    """Return what the prompts of the open turn call each block that they show, by stream."""
    return {use.stream: label for label, use in state.reads.items()}


def _label(block: BlockState, use: BlockUse) -> str:
    return block.spec.label if block.spec is not None else use.label


def read(state: AgentState, started: ModelCallStarted) -> dict[str, BlockUse]:
    """Return the blocks of the open turn's prompts, with those of a call that begins."""
    return reads(state, {label: started.renamed.get(label, label) for label in started.blocks})


def reads(state: AgentState, shown: Mapping[str, str]) -> dict[str, BlockUse]:
    """Return the blocks of the open turn's prompts, with those `shown` now, given the labels of their uses."""
    uses = {use.label: use for use in state.spec.blocks} if state.spec else {}
    return {**state.reads, **{label: uses[own] for label, own in shown.items() if own in uses}}


def use_of(state: AgentState, label: str) -> BlockUse | None:
    """Return the block that the agent means by `label`; None where it has no such block now."""
    uses = state.spec.blocks if state.spec else ()
    if label in state.reads:
        return next((use for use in uses if use.stream == state.reads[label].stream), None)
    return next((use for use in uses if use.label == label), None)


def edited(state: AgentState, label: str) -> tuple[str, int]:
    """Return the stream of the block that an edit of `label` goes to, and the version that the agent read of it."""
    use = use_of(state, label)
    if use is None:
        return "", state.seen.get(label, 0)
    return use.stream, state.seen.get(_told(state).get(use.stream, label), 0)


def labels_of(state: AgentState) -> list[str]:
    """Return what the agent calls the blocks that it has."""
    told = _told(state)
    return [told.get(use.stream, use.label) for use in state.spec.blocks] if state.spec else []
