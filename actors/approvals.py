"""What a person decides of a tool call: whether it may begin, or the answer to a question. Rules, and one look-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import anyio

from callboard.events import ApprovalMismatch, CallboardError, Event, NotWaiting, TextRefused
from callboard.events.calls import POLICY, Decision
from callboard.events.catalog import ApprovalAsked, ApprovalGiven, ApprovalRefused, QuestionAnswered
from callboard.events.specs import ToolSpec
from callboard.projections import AgentState
from callboard.projections.agent_calls import ToolCall

from . import messaging
from .commands import Command, TakeDecision, TakeNeed
from .rules import as_text
from .tool import Tool, run

Asks = Callable[..., bool | Awaitable[bool]]
"""Says of a tool's arguments, given by name, whether a person is asked before the call begins."""

Kind = Literal["approval", "question", "doubt"]
"""What a call waits for: leave to begin; an answer; or word of what came of it."""

OTHER = "its arguments are not those that were approved, so it was not begun"
"""What a model is told of a call whose approval is for something else."""


def spec_of(state: AgentState, call: ToolCall) -> ToolSpec | None:
    """Return the tool that `call` is of, as the agent has it now. Pure."""
    return next((tool for tool in state.abilities if tool.name == call.wanted.tool), None)


def need(state: AgentState, call: ToolCall) -> bool:
    """Return whether a person may have to be asked before `call` begins. Pure."""
    spec = spec_of(state, call)
    return spec is not None and spec.needs_approval is not False


def kind_of(state: AgentState, call: ToolCall) -> Kind | None:
    """Return what `call` awaits of a person; None where it awaits nothing. Pure."""
    match call.phase:
        case "asked":
            return "approval"
        case "question":
            return "question"
        case "in doubt":
            spec = spec_of(state, call)
            return "doubt" if spec is not None and spec.in_doubt == "ask" and not spec.reconcile else None
        case _:
            return None


def question_of(call: ToolCall) -> messaging.AskHuman | None:
    """Return what `call` asks a person; None where it is no question, or its text is gone. Pure."""
    if call.wanted.tool != messaging.ASK_HUMAN:
        return None
    asked = messaging.parsed(call.wanted.tool, call.wanted.arguments)
    return asked if isinstance(asked, messaging.AskHuman) else None


def take(call: ToolCall, command: Command) -> list[Event]:
    """Return what `command` adds to the log of the agent that has `call` open. Pure."""
    match command:
        case TakeNeed(id, after, asks, note) if (call.phase, call.attempt) == ("wanted", after):
            if asks:
                return [ApprovalAsked(id=id, digest=call.digest, text=as_text(note))]
            return [ApprovalGiven(id=id, by=POLICY, digest=call.digest)]
        case TakeDecision() if fault(call, command) is None:
            return [decided(command)]
        case _:
            return []


def decided(decision: TakeDecision) -> Decision:
    """Return the event that a decision is. Pure."""
    id, text, by, key, digest = decision.id, decision.text, decision.by, decision.key, decision.digest
    match decision.outcome:
        case "approved":
            return ApprovalGiven(id=id, by=by, command=key, digest=digest)
        case "refused":
            return ApprovalRefused(id=id, by=by, command=key, digest=digest, text=as_text(text))
        case "answered":
            return QuestionAnswered(id=id, by=by, command=key, text=as_text(text))


def fault(call: ToolCall, decision: TakeDecision) -> CallboardError | None:
    """Return why `decision` does not count for `call` as it is; None where it does. Pure."""
    if call.phase == "in doubt":
        return NotWaiting(call.id, "is in doubt: say what came of it, with `callboard log resolve` or `System.settle`")
    if call.phase != ("question" if decision.outcome == "answered" else "asked"):
        wanted = {"question": "an answer", "asked": "an approval"}.get(call.phase, "no person")
        return NotWaiting(call.id, f"waits for {wanted}; nothing was changed")
    if decision.outcome != "answered":
        same = decision.digest == call.about == call.digest
        return None if same else ApprovalMismatch(call.id, found=decision.digest, wanted=call.digest)
    asked = question_of(call)
    if asked is not None and asked.options and decision.text not in asked.options:
        options = ", ".join(map(repr, asked.options))
        return TextRefused(f"{decision.text!r} is none of the options of {call.id!r}; there are {options}")
    return None


async def weigh(tool: Tool, asks: Asks | None, arguments: str) -> tuple[bool, str]:
    """Return whether a person is asked before a call of `tool` begins, and why nobody else could decide, if so.

    Raises:
        ToolFailed: The arguments do not fit the tool.
    """
    values = tool.values(arguments)
    if asks is None:
        return True, ""
    try:
        with anyio.fail_after(tool.timeout):
            answer = await run(asks, **values)
    except (Exception, SystemExit) as error:  # a border to others' code
        return True, f"{type(error).__name__}: {error}"
    if isinstance(answer, bool):
        return answer, ""
    return True, f"it returned {type(answer).__name__}, and True or False is wanted"
