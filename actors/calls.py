"""What an agent does about its model calls, as rules: each attempt, and what came of it. All pure."""

from __future__ import annotations

from collections.abc import Sequence

from callboard.events import Event, Text
from callboard.events.catalog import (
    Hold,
    LimitReached,
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallStarted,
    ToolUse,
)
from callboard.projections import AgentState
from callboard.projections.agent import evolve
from callboard.projections.agent_calls import ModelCall
from callboard.projections.contexts import layout_of
from callboard.projections.prompt import Shown
from callboard.projections.request import Measured, by_version, measured
from callboard.projections.windows import weight

from . import fallbacks, limits, summarising
from .breaker import CIRCUIT_OPEN
from .commands import Begin, Refuse, TakeAttempt, TakeReply
from .rules import as_text

MAX_ATTEMPTS = 5
"""Attempts of one model call, the first counted."""


def take(state: AgentState, command: Begin | Refuse | TakeAttempt | TakeReply) -> list[Event]:
    """Return what `command` adds to the log: nothing where it is not waited for any more."""
    call = state.model
    if call is None or call.id != command.id:
        return []
    match command:
        case Begin():
            return _begun(state, call, command)
        case Refuse():
            return _refused(state, call, command)
        case TakeAttempt(id, attempt, kind, text, retry_at):
            due = retry_at if attempt < MAX_ATTEMPTS else None
            failed = ModelAttemptFailed(id=id, attempt=attempt, kind=kind, text=as_text(text), retry_at=due)
            return [failed] if call.attempt == attempt else []
        case TakeReply():
            return [_finished(call, command)]


def follow(state: AgentState, call: ModelCall, slot: str | None, why: str) -> list[Event]:
    """Return what the open call needs next; nothing while it runs, or waits for its turn.

    Args:
        slot: The model that there is a slot for; None without one.
        why: Why the turn begins nothing any more, if it does not.
    """
    if state.desk.ending or state.desk.spent_up:
        return [ModelCallFailed(id=call.id, text=Text(why))]
    if call.phase == "waiting" and not call.retry:
        return [summarising.found_too_long(state, call) or ModelCallFailed(id=call.id, text=call.failure)]
    assert state.spec is not None
    if slot != fallbacks.asked(state.spec, call):
        return []  # it begins when its turn comes
    weighs = state.desk.purse is not None and state.desk.purse.weighs
    bare = call.summarises or not (state.spec.blocks or state.compiled)
    if call.phase in ("wanted", "stopped") and bare and not weighs:
        started, size = begun(state, call, ())
        return [summarising.judged(state, started, size)]
    return []


def _begun(state: AgentState, call: ModelCall, begin: Begin) -> list[Event]:
    same = begin.uses is None or (state.spec is not None and state.spec.blocks == begin.uses)
    if not same or (call.attempt, fallbacks.wanted(state)) != (begin.after, begin.model) or call.phase == "running":
        return []
    turn = state.desk.turn
    if isinstance(begin.room, str) and turn is not None:
        return [LimitReached(id=turn.id, limit="budget", text=Text(begin.room))]
    started, size = begun(state, call, begin.current, begin.shown)
    event = summarising.judged(state, started, size)
    return [_weighed(state, event, begin) if isinstance(event, ModelCallStarted) else event]


def begun(
    state: AgentState, call: ModelCall, current: Sequence[Shown], shown: Sequence[Shown] = ()
) -> tuple[ModelCallStarted, Measured]:
    """Return the event that begins an attempt with the blocks as they are now, and how large its prompt is.

    Args:
        shown: The blocks as the turn's earlier calls were shown them.
    """
    known = state.compiled
    started = ModelCallStarted(
        id=call.id,
        attempt=call.attempt + 1,
        model=fallbacks.wanted(state) or "",
        blocks={block.label: block.version for block in current},
        news=() if known is None else tuple(b.label for b in current if b.label in known and b.others),
        rendering=layout_of(state),
        renamed={block.label: block.use for block in current if block.use},
        prompt="",
    )
    size = measured(evolve(state, started), by_version((*shown, *current)))
    return started.model_copy(update={"prompt": size.fingerprint, "tokens": size.tokens}), size


def _weighed(state: AgentState, started: ModelCallStarted, begin: Begin) -> Event:
    """Return the start of a call, with what is set aside for it where that is limited."""
    purse, turn, room = state.desk.purse, state.desk.turn, begin.room
    weighs = purse is not None and purse.weighs
    if turn is None or not (weighs or isinstance(room, int)):
        return started
    tokens = _counted(state, started)
    weighed = limits.weighed(purse, turn, started, tokens, begin.price) if purse and weighs else started
    if not isinstance(room, int) or isinstance(weighed, LimitReached):
        return weighed
    hold = weighed.hold or Hold(input=tokens, output=room)
    return weighed.model_copy(update={"hold": hold.model_copy(update={"output": min(hold.output, room)})})


def tokens(state: AgentState, call: ModelCall, current: Sequence[Shown], shown: Sequence[Shown]) -> int:
    """Return about how many tokens the prompt of a call has that would begin now."""
    return _counted(state, begun(state, call, current, shown)[0])


def _counted(state: AgentState, started: ModelCallStarted) -> int:
    """Return about how many tokens a prompt has as its provider counts."""
    return int(started.tokens * weight(state, started.model))


def _refused(state: AgentState, call: ModelCall, refused: Refuse) -> list[Event]:
    """Return the attempt that did not go out; it counts as any other."""
    if (call.id, call.attempt, fallbacks.wanted(state)) != (refused.id, refused.after, refused.model):
        return []
    number = call.attempt + 1
    due = refused.retry_at if number < MAX_ATTEMPTS else None
    return [
        ModelAttemptFailed(
            id=call.id, attempt=number, kind=CIRCUIT_OPEN, text=as_text(refused.text), retry_at=due, sent=False,
            model=refused.model,
        )
    ]  # fmt: skip


def _finished(call: ModelCall, reply: TakeReply) -> ModelCallFinished:
    return ModelCallFinished(
        id=reply.id,
        text=as_text(reply.text),
        uses=tuple(ToolUse(name=name, arguments=as_text(arguments)) for name, arguments in reply.uses),
        usage=reply.usage,
        model=reply.model,
        finish_reason=reply.finish_reason,
        replaced=reply.replaced,
        usd=reply.usd,
        summarises=call.summarises,
    )
