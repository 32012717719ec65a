"""What an agent does, as rules: model calls and tools, until the model wants no tool. All pure."""

from __future__ import annotations

from callboard.events import Event, Text
from callboard.events.catalog import (
    Kind,
    MessageDeadLettered,
    MessageReceived,
    MessageSent,
    ModelCallRequested,
    QuestionAsked,
    RecipientsChosen,
    Reply,
    SendCancelling,
    ToolCallExpired,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallResolved,
    ToolCallRetried,
    ToolCallStarted,
    ToolUse,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnResumed,
    TurnStarted,
)
from callboard.events.specs import AgentSpec
from callboard.projections import AgentState, uses
from callboard.projections.agent_calls import ToolCall
from callboard.projections.paths import call_of
from callboard.projections.prompt import is_object

from . import approvals, calls, limits, memory, messaging, outputs, own_tools, reaching, summarising
from .commands import (
    Begin,
    Command,
    DropSend,
    Expire,
    Refuse,
    Resolve,
    Resume,
    TakeAttempt,
    TakeDecision,
    TakeNeed,
    TakeRecipients,
    TakeReply,
    TakeResult,
    TakeSend,
)
from .rules import CANCELLED, as_text, asker, reason
from .schema import faults_in

MAX_TOOLS = 16
"""Tools of one reply that run at once."""

MAX_REFUSED = 2
"""Wrong calls of tools that end a turn, after which it ends as it is."""

IN_DOUBT = (
    "The process stopped while this tool ran, and nobody knows whether it did what it does. "
    "It was not run again. Find out before you call it again."
)
"""What a model is told of a call in doubt that nobody can look up."""

NOTED = "noted"
"""What a model is told of a tool that ends its turn."""

SET_ASIDE = "set aside: each time this was taken up, the process ended"
"""What whoever asked is told of a turn that ends its process."""


def take(state: AgentState, command: Command) -> list[Event] | None:
    """Return what `command` adds to the log; None where any actor would know. Pure."""
    match command:
        case Resume():
            turn = state.desk.turn
            return [TurnResumed(id=turn.id, attempt=state.desk.attempt + 1)] if turn and state.runs else []
        case Begin() | Refuse() | TakeAttempt() | TakeReply():
            return calls.take(state, command)
        case TakeResult(id, text, ok, replaced) if id in state.tools:
            if ok:
                return [ToolCallFinished(id=id, text=as_text(text), replaced=replaced)]
            return [ToolCallFailed(id=id, text=as_text(text))]
        case Resolve(id, _, text, by, key) if id in state.tools and state.tools[id].phase == "in doubt":
            if text is None:
                return [ToolCallRetried(id=id, by=by, command=key)]
            return [ToolCallResolved(id=id, text=as_text(text), by=by, command=key)]
        case TakeNeed(id) | TakeDecision(id) if id in state.tools:
            return approvals.take(state.tools[id], command)
        case TakeSend() | DropSend():
            return reaching.take(state, command)
        case TakeRecipients(id, recipients, due) if id in state.tools and state.tools[id].phase == "wanted":
            reached = 0 if messaging.stores(state.tools[id]) else len(recipients)
            if too_many := limits.too_many(state.desk, reached):
                return [ToolCallFailed(id=id, text=Text(too_many))]
            return [RecipientsChosen(id=id, recipients=recipients, due=due, text=as_text(command.text))]
        case Expire(id) if id in state.tools and state.tools[id].phase == "sending":
            return [ToolCallExpired(id=id)]
        case TakeResult() | TakeRecipients() | Expire() | Resolve():
            return []
        case TakeNeed():
            return []
        case _:
            return None


def follow(state: AgentState, log_id: str, slot: str | None = "") -> list[Event]:
    """Return what `state` calls for next; nothing when it waits. Pure.

    Args:
        slot: The model that there is a slot for, so that a call may begin at once; None without one.
    """
    turn = state.desk.turn
    if turn is None:
        return [TurnStarted(id=state.desk.backlog[0].id)] if state.desk.backlog else []
    assert state.spec is not None
    if cancels := reaching.follow(state):
        return cancels
    if state.desk.paused:
        return []
    if state.uses and not state.desk.spent_up:
        return [_requested(state, turn, n, use) for n, use in enumerate(state.uses, start=1)]
    if state.model:
        return calls.follow(state, state.model, slot, _why_ending(state))
    if state.tools:
        return _go_on_tools(state, log_id)
    events = _next_step(state, state.spec, turn)
    return [] if isinstance(events[0], Reply) and reaching.left(state) else events


def _next_step(state: AgentState, spec: AgentSpec, turn: MessageReceived) -> list[Event]:
    to = asker(turn)
    if state.desk.deadly:
        return [MessageDeadLettered(id=turn.id, to=to, text=Text(SET_ASIDE))]
    if turn.id in state.desk.cancelling:
        return [TurnCancelled(id=turn.id, to=to, text=reason(state.desk, turn.id))]
    if purse := state.desk.spent_up:
        return [limits.ended(purse, turn, state.said)]
    if state.failed is not None:
        return [TurnFailed(id=turn.id, to=to, text=state.failed)]
    if state.ends:
        return [TurnFinished(id=turn.id, to=to, text=state.said, uses=state.ends)]
    if len(state.refused) >= MAX_REFUSED:
        return [TurnFinished(id=turn.id, to=to, text=state.said, uses=state.refused[-1:], stop_reason="refused")]
    if beside := summarising.follow(state, turn):
        return beside
    if state.uses == () and not state.empty:
        return [outputs.judged(state, spec, turn)]
    steps = state.step - state.beside
    if state.unfit > outputs.REPAIRS or (state.unfit and steps >= spec.max_steps):
        return [TurnFinished(id=turn.id, to=to, text=state.said, stop_reason="invalid")]
    if state.empty > 1:
        return [TurnFinished(id=turn.id, to=to, text=state.said, stop_reason="empty")]
    if steps >= spec.max_steps:
        return [TurnFinished(id=turn.id, to=to, text=state.said, stop_reason="max_steps")]
    return [ModelCallRequested(id=f"{turn.id}/{state.step + 1}")]


def _requested(state: AgentState, turn: MessageReceived, n: int, use: ToolUse) -> ToolCallRequested:
    """Return the event that wants a tool, with what it does outside.

    An edit of a block is a send: nothing runs here, so nothing of it can be in doubt.
    """
    assert state.spec is not None
    id = f"{turn.id}/{state.step}/{n}"
    tools = {tool.name: tool for tool in state.abilities}
    effect = tools[use.name].effect if use.name in tools else "read"
    if effect != "send":
        return ToolCallRequested(id=id, tool=use.name, arguments=use.arguments, effect=effect)
    edit = "" if use.name in own_tools.KNOWN else memory.parsed(use.name, use.arguments)
    label = "" if isinstance(edit, str) else edit.label
    stream, seen = uses.edited(state, label)
    stream = stream or own_tools.decider(state.spec, use.name)
    return ToolCallRequested(id=id, tool=use.name, arguments=use.arguments, effect="send", recipient=stream, seen=seen)


def _why_ending(state: AgentState) -> str:
    if state.desk.deadly:
        return SET_ASIDE
    return limits.words(purse) if (purse := state.desk.spent_up) else CANCELLED


def _go_on_tools(state: AgentState, log_id: str) -> list[Event]:
    assert state.spec is not None
    running = sum(call.phase == "running" for call in state.tools.values())
    events: list[Event] = []
    for call in state.tools.values():
        if call.phase in ("sending", "expired"):
            events += _on_messages(state, call)
            continue
        event = _given_up(state, call) if state.desk.ending or state.desk.spent_up else None
        event = event or _go_on(state, call, log_id)
        if isinstance(event, ToolCallStarted):
            running += 1
            if running > MAX_TOOLS:
                continue
        if event is not None:
            events.append(event)
    return events


def _given_up(state: AgentState, call: ToolCall) -> Event | None:
    """Return what ends a call of a turn that begins nothing any more; None where it goes on as any other. Pure."""
    match call.phase:
        case "wanted" | "asked" | "approved" | "question":
            return ToolCallFailed(id=call.id, text=Text(_why_ending(state)))
        case "stopped" if call.wanted.effect != "once":
            return ToolCallFailed(id=call.id, text=Text(_why_ending(state)))
        case "in doubt" if state.desk.deadly:
            return ToolCallResolved(id=call.id, text=Text(IN_DOUBT), by="policy")
        case _:
            return None


def _go_on(state: AgentState, call: ToolCall, log_id: str) -> Event | None:
    """Return what an open call needs next; None while it runs, or others have the word. Pure."""
    wanted = call.wanted
    match call.phase:
        case "wanted" | "approved" if why := problem(state, wanted):
            return ToolCallFailed(id=call.id, text=Text(why))
        case "wanted" if wanted.effect == "ends":
            return ToolCallFinished(id=call.id, text=Text(NOTED))
        case "wanted" if wanted.tool == messaging.ASK_HUMAN:
            return QuestionAsked(id=call.id)
        case "wanted" if own_tools.is_looked_up(wanted.tool):
            return None  # by an effect
        case "wanted" if wanted.effect == "send":
            return _edit(wanted)
        case "wanted" if approvals.need(state, call):
            return None  # whether a person is asked is looked up
        case "approved" if call.about != call.digest:
            return ToolCallFailed(id=call.id, text=Text(approvals.OTHER))
        case "stopped" if wanted.effect == "once":
            return ToolCallInDoubt(id=call.id)
        case "wanted" | "approved" | "stopped":
            return ToolCallStarted(id=call.id, attempt=call.attempt + 1, callkey=f"{log_id}/{call.id}")
        case "in doubt":
            return _by_policy(state, call)
        case "answered":
            return (ToolCallFinished if call.ok else ToolCallFailed)(id=call.id, text=call.text)
        case _:
            return None


def _on_messages(state: AgentState, call: ToolCall) -> list[Event]:
    """Return what a call that sends messages needs next: the next of them, cancels of late ones, or its end."""
    turn = state.desk.turn
    assert turn is not None
    ends = call.phase == "expired" or state.desk.ending
    if not (ends or state.desk.spent_up) and (more := messaging.sends(turn, call)):
        return list(more)
    if len(call.came) < call.sent:
        late = [id for id in state.desk.sends if call_of(id)[0] == call.id and id not in state.desk.cancelling]
        return [SendCancelling(id=id) for id in late] if ends else []
    text, ok = messaging.result(call)
    return [(ToolCallFinished if ok else ToolCallFailed)(id=call.id, text=text)]


def _edit(wanted: ToolCallRequested) -> MessageSent:
    kind: Kind = "edit"
    return MessageSent(
        id=wanted.id, recipient=wanted.recipient, kind=kind, edit=wanted.tool,
        arguments=wanted.arguments, seen=wanted.seen,
    )  # fmt: skip


def _by_policy(state: AgentState, call: ToolCall) -> Event | None:
    """Return what closes a call in doubt; None where a function or a person is asked."""
    tool = next((tool for tool in state.abilities if tool.name == call.wanted.tool), None)
    if tool is not None and (tool.reconcile or tool.in_doubt == "ask"):
        return None
    fails = tool is not None and tool.in_doubt == "fail"
    why = f"{call.wanted.tool}: {IN_DOUBT}" if fails else IN_DOUBT
    return ToolCallResolved(id=call.id, text=Text(why), by="policy", fails_turn=fails)


def problem(state: AgentState, wanted: ToolCallRequested) -> str:
    """Return why a call cannot even begin, for the model to mend; empty where it can. Pure."""
    assert state.spec is not None
    tools = {tool.name: tool for tool in state.abilities}
    if wanted.tool not in tools:
        return f"there is no tool {wanted.tool!r}; " + (f"there are: {', '.join(tools)}" if tools else "there are none")
    if wanted.arguments and not is_object(wanted.arguments):
        return f"bad arguments: a JSON object is wanted, not {str(wanted.arguments)[:200]!r}"
    if wanted.effect == "ends":
        return faults_in(wanted.arguments, tools[wanted.tool].parameters)
    if wanted.effect != "send":
        return ""
    if wanted.tool in messaging.MESSAGING:
        hops = state.desk.turn.hops if state.desk.turn else 0
        if hops >= messaging.MAX_HOPS and wanted.tool not in messaging.TO_NOBODY:
            return f"this request was passed on {hops} times, which is the most; answer it yourself"
        asked = messaging.parsed(wanted.tool, wanted.arguments)
        return asked if isinstance(asked, str) else ""
    if wanted.tool in own_tools.KNOWN:
        return own_tools.problem(state.spec, wanted.tool, wanted.arguments)
    edit = memory.parsed(wanted.tool, wanted.arguments)
    if isinstance(edit, str):
        return edit
    use = uses.use_of(state, edit.label)
    if use is None:
        labels = ", ".join(uses.labels_of(state)) or "none"
        return f"there is no memory block {edit.label[:80]!r}; there are: {labels}"
    return f"the memory block {edit.label!r} is read-only for you" if use.read_only else ""
