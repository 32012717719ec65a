"""When an agent's history grows too large for its model: the oldest part is summed up, and leaves. All pure."""

from __future__ import annotations

from callboard.events import Event, Text
from callboard.events.catalog import (
    ContextSummarised,
    MessageReceived,
    ModelCallDeferred,
    ModelCallFailed,
    ModelCallRequested,
    ModelCallStarted,
)
from callboard.projections import AgentState
from callboard.projections.agent_calls import ModelCall
from callboard.projections.request import Measured
from callboard.projections.windows import TOO_LONG, leaving, room, weight


def follow(state: AgentState, turn: MessageReceived) -> list[Event]:
    """Return what comes before the next call: a summary is wanted, or takes the place of what it sums up."""
    if state.summed is not None:
        lines, text = state.summed
        return [ContextSummarised(id=turn.id, lines=lines, text=text)]
    lines = leaving(state, state.over) if state.over else 0
    return [ModelCallRequested(id=f"{turn.id}/{state.step + 1}", summarises=lines)] if lines else []


def judged(state: AgentState, started: ModelCallStarted, measured: Measured) -> Event:
    """Return the start of a call; or what ends the call where its prompt is too large."""
    assert state.spec is not None
    window, scale = state.spec.window, weight(state, started.model)
    tokens = int(measured.tokens * scale)
    if tokens <= room(window) or (state.model is not None and state.model.summarises):
        return started
    if leaving(state, tokens):
        return ModelCallDeferred(id=started.id, tokens=tokens, window=window.tokens)
    if tokens <= window.tokens:
        return started
    head, tools, history = (int(part * scale) for part in (measured.head, measured.tools, measured.history))
    why = (
        f"the prompt alone has about {tokens:,} tokens, and the model takes in {window.tokens:,}: instructions and "
        f"memory have {head:,}, tools {tools:,}, what is being worked on {history:,}; shorten them, or give the agent "
        "a model with a larger window"
    )
    return ModelCallFailed(id=started.id, text=Text(why))


def found_too_long(state: AgentState, call: ModelCall) -> Event | None:
    """Return what ends a call whose prompt the provider found too long; None where there is nothing to sum up."""
    assert state.spec is not None
    if call.kind != TOO_LONG or call.summarises:
        return None
    tokens = max(int(call.tokens * weight(state, call.model)), 1)
    if not leaving(state, tokens):
        return None
    return ModelCallDeferred(id=call.id, tokens=tokens, window=state.spec.window.tokens)
