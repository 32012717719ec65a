"""What of an agent's history its model is shown: how full the window is, and what leaves it first. All pure.

Calls are never parted from their results, and what is being worked on stays: the request of the open turn, and the
last thing that was said in it.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from callboard.events import Event, Text
from callboard.events.catalog import (
    ContextSummarised,
    ModelAttemptFailed,
    ModelCallDeferred,
    ModelCallFinished,
    ModelCallStarted,
)
from callboard.events.specs import WindowSpec

from .contexts import layout_of, of, within
from .estimate import tokens_of
from .prompt import Heard, Line, Replied, Result, Summed, messages_of
from .remarks import SPEAKER
from .states import replace

if TYPE_CHECKING:
    from .agent import AgentState

TOO_LONG = "context"
"""The class of failure of a provider that finds a prompt too long."""

RESULT, RESULTS = 0.2, 0.5
"""Which part of the window one tool result may fill, and those of one reply together."""

AROUND = 60
"""Tokens that a result has besides its text: its message, its marks, and what says that it was cut."""

SUMMARY = 0.1
"""Which part of the window a summary may fill, and no more than what it takes the place of."""

STAYS = 0.75
"""Which part of the room of a prompt is taken at most after the oldest lines left it, the summary not counted."""

COUNTED = 1_000
"""Tokens that a prompt has at least, by whose count a provider's way of counting is learnt."""

LEAST, MOST = 0.2, 5.0
"""How many tokens a provider counts for one of ours; a count beyond is none, and nothing is learnt of it."""


def weight(state: AgentState, model: str) -> float:
    """Return how many tokens a provider counts where we count one, as its last answer showed."""
    return state.weights.get(model, 1.0)


def room(window: WindowSpec) -> int:
    """Return how many tokens a prompt may have before the oldest lines are summarised."""
    return int(window.tokens * window.at)


def most_of_result(state: AgentState) -> int:
    """Return about how many tokens the prompt shows of a tool's result: what comes of one reply shares what the
    instructions, the tools, the request and the reply itself leave of the window.
    """
    assert state.spec is not None
    window, reply = state.spec.window, next((n for n in reversed(state.lines) if isinstance(n, Replied)), None)
    beside = max(len(reply.uses), 1) if reply else 1
    stays = [line for line in (request(state), reply) if line is not None]
    taken = state.head + sum(tokens_of(messages_of(line, layout_of(state))) for line in stays)
    left = room(window) / weight(state, state.spec.model) - taken
    most = min(window.tokens * RESULT, min(window.tokens * RESULTS, left) / beside - AROUND)
    return max(int(most), 50)


def leaving(state: AgentState, full: int) -> int:
    """Return how many of the oldest lines leave the window, where a prompt would have `full` tokens; 0 for none can."""
    assert state.spec is not None
    window, layout = state.spec.window, layout_of(state)
    ends = _ends(state)
    if not ends:
        return 0
    if window.mode == "all":
        return ends[-1]
    sizes = [tokens_of(messages_of(line, layout)) for line in state.lines]
    scale = weight(state, state.spec.model)
    least = max(window.evict * sum(sizes) * scale, full - STAYS * room(window))
    gone = 0.0
    for n, size in enumerate(sizes, start=1):
        gone += size * scale
        if gone >= least and n in ends:
            return n
    return ends[-1]


def _ends(state: AgentState) -> list[int]:
    """Return after how many lines the history can be parted."""
    lines = state.lines
    last = next((n for n in range(len(lines) - 1, -1, -1) if not isinstance(lines[n], Result)), 0)
    pinned = request(state)
    first = next((n for n, line in enumerate(lines) if not isinstance(line, Summed) and line is not pinned), last)
    return [n for n in range(first + 1, last + 1) if not isinstance(lines[n], Result)]


def request(state: AgentState) -> Line | None:
    """Return the line that the open turn is about: the last that was heard when it began, before what a group or
    callboard noted besides.
    """
    turn = state.desk.turn
    mine: list[Line] = []
    for line in reversed(state.lines):
        if turn is None or line.turn != turn.id or isinstance(line, Summed):
            break
        mine.append(line)
    heard = list(takewhile(lambda line: isinstance(line, Heard), reversed(mine)))
    said = [line for line in heard if isinstance(line, Heard) and not _is_note(line)]
    return said[-1] if said else heard[0] if heard else None


def _is_note(line: Heard) -> bool:
    return all(part.speaker in (line.group, SPEAKER) for part in line.parts)


def evolve(state: AgentState, event: Event) -> AgentState:
    """Return `state` after what `event` says of the window."""
    match event:
        case ModelCallDeferred(tokens=tokens):
            return replace(state, model=None, over=tokens, beside=state.beside + 1)
        case ModelCallStarted(tokens=tokens) if state.model and not state.model.summarises:
            return replace(state, head=max(tokens - state.tokens, 0))
        case ContextSummarised(lines=lines, text=text):
            return _less(state, lines, text)
        case ModelAttemptFailed(kind=kind) if kind == TOO_LONG and event.sent and state.model and state.spec:
            most = int(state.model.tokens * MOST)
            return _learnt(state, state.model.model, min(state.spec.window.tokens, most), state.model.tokens)
        case ModelCallFinished(usage=usage) if usage and not usage.estimated and state.model:
            return _learnt(state, state.model.model, usage.input_tokens, state.model.tokens)
        case _:
            return state


def _learnt(state: AgentState, model: str, counted: int, tokens: int) -> AgentState:
    found = counted / tokens if tokens >= COUNTED else 0.0
    return replace(state, weights={**state.weights, model: found}) if LEAST <= found <= MOST else state


def _less(state: AgentState, count: int, text: Text) -> AgentState:
    """Return `state` with a summary in the place of its first lines; its memory is read anew at the next call."""
    turn, pinned, lines = state.desk.turn, request(state), state.lines
    assert turn is not None and state.spec is not None
    before = next((line.lines - 1 for line in lines[:count] if isinstance(line, Summed)), 0)
    kept = [line for line in lines[:count] if line is pinned]
    gone = sum(tokens_of(messages_of(line, layout_of(state))) for line in lines[:count] if line is not pinned)
    most = min(int(state.spec.window.tokens * SUMMARY), gone)
    summary = Summed(turn.id, text, count - len(kept) + before, most)
    context = of([summary, *kept, *lines[count:]], layout_of(state))
    return replace(within(state, context), over=0, summed=None, compiled=None, notes=())
