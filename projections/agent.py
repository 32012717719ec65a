"""The state of an agent: its history, its open calls, and what the last reply still wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

from callboard.events import Event, Text
from callboard.events.catalog import (
    AgentChanged,
    AgentStarted,
    ApprovalAsked,
    ApprovalGiven,
    ApprovalRefused,
    BlockAttached,
    BlockDetached,
    MessageSent,
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
    OutputRefused,
    Part,
    QuestionAnswered,
    QuestionAsked,
    RecipientsChosen,
    SendAccepted,
    SendAnswered,
    SendFailed,
    ToolCallExpired,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallResolved,
    ToolCallRetried,
    ToolCallStarted,
    ToolUse,
    TurnResumed,
    TurnStarted,
)
from callboard.events.specs import AgentSpec, BlockUse, ToolSpec

from . import desk as desks
from . import uses, windows
from .agent_calls import ModelCall, Note, ToolCall
from .contexts import Context, hear, laid_out, layout_of, with_line
from .desk import Desk
from .growing import Growing
from .paths import call_of, digest_in
from .projection import Projection
from .prompt import Heard, Line, Replied, Result
from .remarks import Remark, noted, spoken
from .states import replace
from .words import tools_in

DELIVERED = "delivered; it cannot be lost any more"
"""What a model is told of a message that wants no reply."""


@dataclass(frozen=True)
class AgentState:
    """State of one agent.

    Attributes:
        spec: The agent as it is now.
        declared: As it was last started; groups may have given it blocks since.
        attached: The blocks that groups and people gave it, as (stream of the group or `user`, block), with `came`,
            the tools for them; `away` are the streams of those that people took, whoever else gives them.
        conversation: The one that the last turn was in; `others` holds the rest by name.
        lines: All it heard, said and got back there, oldest first.
        digest: Hash of `lines` as a model reads them; `tokens` says about how many tokens they have.
        step: Model calls wanted in this turn.
        model: The open model call.
        tools: The open tool calls by id, in the order that the model named them.
        uses: What the last reply of this turn wants; None before a reply, and once it is asked for.
        named: Tool uses so far, which names them.
        said: The last text of this turn.
        empty: Empty replies in a row.
        failed: Why the turn has no answer.
        compiled: The blocks that stand in this turn's system message, as {label: version}; None before its first call.
        seen: The blocks as the last call was shown them, as {label: version}.
        notes: What was told of blocks since then.
        reads: The blocks of this turn's prompts, by label, also those that it has no more.
        ends: Tools of the turn alone that were called: they end it.
        refused: Calls of such tools that were wrong, the last one as it was written.
        unfit: Answers of this turn that did not fit the agent's schema.
        remarks: What the next model call is told besides.
        over: About how many tokens the prompt would have had that is too large; 0 where none is.
        summed: What a summary says, and of how many lines, until they have left the window.
        beside: Steps of this turn that were no words of the agent's own.
        weights: How many tokens each model counts where we count one, as its answers showed.
        head: About how many tokens its last prompt had besides the history.
    """

    spec: AgentSpec | None = None
    declared: AgentSpec | None = None
    attached: tuple[tuple[str, BlockUse], ...] = ()
    came: tuple[ToolSpec, ...] = ()
    away: tuple[str, ...] = ()
    desk: Desk = Desk()
    conversation: str = "main"
    others: dict[str, Context] = field(default_factory=dict[str, Context])
    lines: Growing[Line] = field(default_factory=Growing[Line])
    digest: bytes = b""
    step: int = 0
    model: ModelCall | None = None
    tools: dict[str, ToolCall] = field(default_factory=dict[str, ToolCall])
    uses: tuple[ToolUse, ...] | None = None
    named: int = 0
    said: Text = Text()
    empty: int = 0
    failed: Text | None = None
    compiled: dict[str, int] | None = None
    seen: dict[str, int] = field(default_factory=dict[str, int])
    notes: tuple[Note, ...] = ()
    reads: dict[str, BlockUse] = field(default_factory=dict[str, BlockUse])
    ends: tuple[ToolUse, ...] = ()
    refused: tuple[ToolUse, ...] = ()
    unfit: int = 0
    remarks: tuple[Remark, ...] = ()
    tokens: int = 0
    over: int = 0
    summed: tuple[int, Text] | None = None
    beside: int = 0
    weights: dict[str, float] = field(default_factory=dict[str, float])
    head: int = 0

    @property
    def abilities(self) -> tuple[ToolSpec, ...]:
        """The tools that it has now: those of the turn alone first, which hide others of their name."""
        brought = tools_in(self.desk.turn.tools) if self.desk.turn else ()
        if not brought:
            return self.spec.tools if self.spec else ()
        names = {tool.name for tool in brought}
        return (*brought, *(tool for tool in (self.spec.tools if self.spec else ()) if tool.name not in names))

    @property
    def runs(self) -> bool:
        """Whether an effect runs outside."""
        phases = [call.phase for call in self.tools.values()]
        return "running" in phases or (self.model is not None and self.model.phase == "running")


def evolve(state: AgentState, event: Event) -> AgentState:
    """Return `state` after `event`. Pure."""
    state = replace(state, desk=desks.evolve(state.desk, event), remarks=noted(state.remarks, event))
    state = windows.evolve(state, event)
    match event:
        case AgentStarted(spec=spec) | AgentChanged(spec=spec):
            return laid_out(uses.effective(replace(state, declared=spec)), layout_of(state))
        case BlockAttached():
            return uses.attached(state, event)
        case BlockDetached():
            return uses.detached(state, event)
        case TurnStarted():
            return hear(state)
        case TurnResumed():
            tools = {id: _stopped_tool(call) for id, call in state.tools.items()}
            model = state.model
            if model and model.phase == "running":
                model = replace(model, phase="stopped")
            return replace(state, tools=tools, model=model)
        case _:
            return _of_tool(_of_model(state, event), event)


def _of_model(state: AgentState, event: Event) -> AgentState:
    match event:
        case ModelCallRequested(id=id, summarises=count) if count:
            beside = state.beside + 1
            return replace(state, model=ModelCall(id, summarises=count), step=state.step + 1, beside=beside)
        case ModelCallRequested(id=id):
            state = reduce(with_line, spoken(state.remarks, state.desk), state)
            return replace(state, model=ModelCall(id), step=state.step + 1, uses=None, remarks=())
        case ModelCallStarted(id=id, attempt=attempt, model=model):
            call = replace(state.model or ModelCall(id), phase="running", attempt=attempt, due=None, model=model)
            started = replace(state, model=replace(call, retry=True, kind="", tokens=event.tokens))
            return started if call.summarises else _shown(started, event)
        case ModelAttemptFailed(id=id, attempt=attempt, text=text, retry_at=due, kind=kind):
            call = state.model or ModelCall(id)
            asked = call.model if event.sent else event.model
            failed = replace(call, phase="waiting", attempt=attempt, due=due, failure=text, model=asked, kind=kind)
            return replace(state, model=replace(failed, retry=due is not None))
        case ModelCallFinished(text=text, summarises=count) if count:
            return replace(state, model=None, summed=(count, text if text.strip() else Text()))
        case ModelCallFinished(text=text, uses=uses):
            return _reply(replace(state, model=None), text, uses)
        case ModelCallFailed() if state.model and state.model.summarises:
            return replace(state, model=None, summed=(state.model.summarises, Text()))
        case ModelCallFailed(text=text):
            return replace(state, model=None, failed=text)
        case OutputRefused(id=id, text=text):
            state = replace(state, unfit=state.unfit + 1, uses=None)
            return with_line(state, Heard(id, "ask", (Part("callboard", text),)))
        case _:
            return state


def _shown(state: AgentState, started: ModelCallStarted) -> AgentState:
    compiled, notes = state.compiled, state.notes
    news = {label: started.blocks[label] for label in started.news}
    if compiled is None:
        compiled = started.blocks
    else:
        fresh = {label: version for label, version in started.blocks.items() if label not in compiled}
        compiled = {**compiled, **fresh}
        notes = (*notes, Note(len(state.lines), news)) if news else notes
    return replace(state, compiled=compiled, notes=notes, seen=started.blocks, reads=uses.read(state, started))


def _reply(state: AgentState, text: Text, uses: tuple[ToolUse, ...]) -> AgentState:
    if not text and not uses:
        return replace(state, uses=(), empty=state.empty + 1)
    assert state.desk.turn is not None
    named = tuple((f"call_{n}", use.name, use.arguments) for n, use in enumerate(uses, start=state.named + 1))
    state = with_line(state, Replied(state.desk.turn.id, text, named))
    return replace(state, uses=uses, said=text or state.said, empty=0)


def _of_tool(state: AgentState, event: Event) -> AgentState:
    match event:
        case ToolCallRequested():
            named = state.named + 1
            call = ToolCall(event, f"call_{named}")
            return _with_tool(replace(state, uses=None, named=named), call)
        case ToolCallStarted(id=id, attempt=attempt):
            return _with_tool(state, replace(state.tools[id], phase="running", attempt=attempt))
        case ToolCallInDoubt(id=id):
            return _with_tool(state, replace(state.tools[id], phase="in doubt"))
        case ToolCallRetried(id=id):
            return _with_tool(state, replace(state.tools[id], phase="wanted", about=""))
        case ToolCallResolved(id=id, text=text, fails_turn=True):
            return replace(_without_tool(state, id, text), failed=text)
        case RecipientsChosen(id=id, recipients=streams, due=due, text=text):
            return _with_tool(state, replace(state.tools[id], phase="sending", recipients=streams, due=due, text=text))
        case ToolCallExpired(id=id):
            return _with_tool(state, replace(state.tools[id], phase="expired"))
        case MessageSent(id=id) if id in state.tools:
            return _with_tool(state, replace(state.tools[id], phase="sent"))
        case MessageSent(id=id) | SendAccepted(id=id) | SendAnswered(id=id) | SendFailed(id=id) if (
            id not in state.tools
        ):
            return _of_message(state, event, id)
        case SendAccepted(id=id) if id in state.tools:
            return _with_tool(state, replace(state.tools[id], phase="answered", text=Text("sent")))
        case SendAnswered(id=id, text=text) | SendFailed(id=id, text=text) if id in state.tools:
            ok = isinstance(event, SendAnswered)
            return _with_tool(state, replace(state.tools[id], phase="answered", text=text, ok=ok))
        case ToolCallFinished(id=id, text=text) | ToolCallFailed(id=id, text=text) | ToolCallResolved(id=id, text=text):
            return _without_tool(_ending(state, event, id), id, text)
        case _:
            return _of_person(state, event)


def _of_person(state: AgentState, event: Event) -> AgentState:
    match event:
        case ApprovalAsked(id=id, digest=digest, text=text):
            return _with_tool(state, replace(state.tools[id], phase="asked", about=digest, text=text))
        case ApprovalGiven(id=id, digest=digest):
            return _with_tool(state, replace(state.tools[id], phase="approved", about=digest, text=Text()))
        case QuestionAsked(id=id):
            return _with_tool(state, replace(state.tools[id], phase="question"))
        case ApprovalRefused(id=id, text=text) | QuestionAnswered(id=id, text=text):
            ok = isinstance(event, QuestionAnswered)
            return _with_tool(state, replace(state.tools[id], phase="answered", text=text, ok=ok))
        case _:
            return state


def _of_message(state: AgentState, event: Event, id: str) -> AgentState:
    call = state.tools.get(call_of(id)[0])
    if call is None:
        return state
    if isinstance(event, MessageSent):
        said = {} if call.wanted.effect == "send" else {**call.said, call_of(id)[1]: digest_in(event)}
        return _with_tool(state, replace(call, sent=call.sent + 1, said=said))
    text = event.text if isinstance(event, SendAnswered | SendFailed) else Text(DELIVERED)
    came = {**call.came, call_of(id)[1]: (text, not isinstance(event, SendFailed))}
    return _with_tool(state, replace(call, came=came))


def _ending(state: AgentState, event: Event, id: str) -> AgentState:
    wanted = state.tools[id].wanted
    use = ToolUse(name=wanted.tool, arguments=wanted.arguments)
    if wanted.effect != "ends":
        return state
    if isinstance(event, ToolCallFinished):
        return replace(state, ends=(*state.ends, use))
    return replace(state, refused=(*state.refused, use))


def _stopped_tool(call: ToolCall) -> ToolCall:
    return replace(call, phase="stopped") if call.phase == "running" else call


def _with_tool(state: AgentState, call: ToolCall) -> AgentState:
    return replace(state, tools={**state.tools, call.id: call})


def _without_tool(state: AgentState, id: str, text: Text) -> AgentState:
    call = state.tools[id]
    tools = {other: open for other, open in state.tools.items() if other != id}
    turn = state.desk.turn
    assert turn is not None
    return with_line(replace(state, tools=tools), Result(turn.id, call.name, text, windows.most_of_result(state)))


agent_state: Projection[AgentState] = Projection("agent", AgentState, lambda state, event: evolve(state, event.data))
