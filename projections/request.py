"""The whole request of a model call, made from an agent's state, and made again from the log. Pure but for the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from callboard.events import CallboardError, EventStore
from callboard.events.catalog import ModelCallStarted
from callboard.events.specs import ToolSpec

from .agent import AgentState, evolve
from .block import BlockState
from .block import evolve as evolve_block
from .contexts import layout_of
from .estimate import tokens_of
from .prompt import RENDERING, Message, Shown, digest, messages_of, news_message, system_message, tool_schema
from .summaries import asked

Blocks = Mapping[tuple[str, int], Shown]
"""Blocks by (label, version)."""


class CannotRebuild(CallboardError):
    """A request that cannot be made again from the log; says why."""


def by_version(shown: Iterable[Shown]) -> Blocks:
    """Return blocks by (label, version). Pure."""
    return {(block.label, block.version): block for block in shown}


def wanted(state: AgentState) -> list[tuple[str, int]]:
    """Return the (label, version) of every block in the prompt of the open turn. Pure."""
    compiled = list((state.compiled or {}).items())
    return compiled + [item for note in state.notes for item in note.blocks.items()]


def head(state: AgentState, blocks: Blocks) -> Message:
    """Return the system message of the open turn. Pure."""
    assert state.spec is not None
    return system_message(state.spec, [blocks[item] for item in (state.compiled or {}).items()])


def messages(state: AgentState, blocks: Blocks) -> list[Message]:
    """Return the whole prompt, in the state after the call has started: the system message, then the history. Pure."""
    if state.model is not None and state.model.summarises:
        return asked(state, state.model.summarises)
    found, start, layout = [head(state, blocks)], 0, layout_of(state)
    for note in state.notes:
        for line in state.lines[start : note.at]:
            found += messages_of(line, layout)
        found += [news_message(blocks[item]) for item in note.blocks.items()]
        start = note.at
    for line in state.lines.since(start):
        found += messages_of(line, layout)
    return found


def tools(state: AgentState) -> tuple[ToolSpec, ...]:
    """Return the tools that the open model call is offered. Pure."""
    return () if state.model is not None and state.model.summarises else state.abilities


@dataclass(frozen=True, slots=True)
class Measured:
    """A request, measured at a cost that does not grow with the history.

    Attributes:
        fingerprint: Its hash, 16 hex digits.
        head, tools, history: About how many tokens the system message, the tools and all else have.
    """

    fingerprint: str
    head: int
    tools: int
    history: int

    @property
    def tokens(self) -> int:
        """About how many tokens it has."""
        return self.head + self.tools + self.history


def measured(state: AgentState, blocks: Blocks) -> Measured:
    """Return the measures of the request, in the state after the call has started. Pure."""
    assert state.spec is not None
    if state.model is not None and state.model.summarises:
        task, text = asked(state, state.model.summarises)
        return Measured(digest(b"", task, text).hex(), tokens_of([task]), 0, tokens_of([text]))
    top, offered = head(state, blocks), [tool_schema(tool) for tool in state.abilities]
    notes = [news_message(blocks[item]) for note in state.notes for item in note.blocks.items()]
    places: Message = {"notes": [note.at for note in state.notes], "lines": len(state.lines)}
    hashed = digest(state.digest, top, *offered, *notes, places).hex()
    return Measured(hashed, tokens_of([top]), tokens_of(offered), state.tokens + tokens_of(notes))


def fingerprint(state: AgentState, blocks: Blocks) -> str:
    """Return a hash of the request, 16 hex digits. Pure."""
    return measured(state, blocks).fingerprint


def shown(state: BlockState, label: str, *, me: str, seen: int | None, read_only: bool, use: str = "") -> Shown:
    """Return a block as the agent whose stream is `me` is shown it; `seen` is the version that it saw last. Pure.

    Args:
        use: The label of its use of the block, where that may be another.
    """
    assert state.spec is not None
    others = () if seen is None else state.others_since(seen, me)
    spec = state.spec
    locked = read_only or spec.read_only
    own = "" if use == label else use
    return Shown(label, state.version, state.value, spec.description, spec.limit, locked, others, own)


async def rebuilt(store: EventStore, stream: str, version: int) -> list[Message]:
    """Return the prompt that the `ModelCallStarted` at `stream@version` sent, from the log alone.

    Raises:
        CannotRebuild: It is no such event, its rendering is unknown, or the hash differs.
    """
    state, started = AgentState(), None
    async for event in store.read_stream(stream, until=version):
        state, started = evolve(state, event.data), event.data
    if not isinstance(started, ModelCallStarted):
        raise CannotRebuild(f"{stream}@{version} is not the start of a model call")
    if fault := unknown_layout(state, started):
        raise CannotRebuild(f"{stream}@{version} {fault}")
    blocks: dict[tuple[str, int], Shown] = {}
    for label, at in wanted(state):
        use = state.reads[label]
        block = await block_at(store, use.stream, at)
        blocks[label, at] = shown(block, label, me=stream, seen=None, read_only=use.read_only)
    if fingerprint(state, blocks) != started.prompt:
        raise CannotRebuild(f"what {stream}@{version} sent reads differently now: a text was erased or changed")
    return messages(state, blocks)


def unknown_layout(state: AgentState, started: ModelCallStarted) -> str:
    """Return why the layout of a call cannot be made again; empty where it can. Pure."""
    if not 1 <= started.rendering <= RENDERING:
        return f"has rendering {started.rendering}, known are 1 to {RENDERING}"
    known = layout_of(state)
    return "" if started.rendering == known else f"has rendering {started.rendering}, its agent was given {known}"


async def block_at(store: EventStore, stream: str, version: int) -> BlockState:
    """Return the block at `stream` as it was at `version`."""
    state = BlockState()
    async for event in store.read_stream(stream, until=version):
        state = evolve_block(state, event.data)
    return state
