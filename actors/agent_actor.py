"""An agent as an actor: the effects that its rules call for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio

from callboard.events import CallboardError, Event, ModelError, RecordedEvent
from callboard.events.catalog import (
    AgentChanged,
    BlockAttached,
    BlockDetached,
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallRequested,
    ModelCallStarted,
    RecipientsChosen,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallRetried,
    ToolCallStarted,
    TurnResumed,
    TurnStarted,
    Usage,
)
from callboard.projections import AgentState, agent_state
from callboard.projections import request as requests
from callboard.projections.agent import ModelCall, ToolCall, evolve
from callboard.projections.estimate import tokens_in
from callboard.projections.prompt import Message, Shown, messages_of
from callboard.projections.words import name_of

from . import agent as rules
from . import approvals, directory, fallbacks, messaging
from .actor import Actor
from .breaker import CIRCUIT_OPEN
from .commands import (
    Begin,
    Command,
    Expire,
    Refuse,
    Resolve,
    TakeAttempt,
    TakeNeed,
    TakeRecipients,
    TakeReply,
    TakeResult,
)
from .mailbox import Waiting
from .model import ModelReply, ModelRequest
from .providers import Hand
from .slots import Refused, Slot
from .storable import storable, storable_arguments
from .tool import Tool, ToolContext, ToolFailed, as_result, as_tool, run

if TYPE_CHECKING:
    from .system import System

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second attempt of a model call; it doubles up to the longest, where the provider names none."""


class AgentActor(Actor[AgentState]):
    """Works on one turn at a time."""

    projection = agent_state
    keeps = True
    evolve = staticmethod(evolve)

    def __init__(self, stream: str, system: System) -> None:
        """Make the agent of `stream`."""
        super().__init__(stream, system)
        self._tools: dict[str, Tool] = {}
        self._asks: dict[str, approvals.Asks] = {}
        self._preparing = set[str]()
        self._shown: dict[tuple[str, int], Shown] = {}
        self._messages: list[Message] = []
        self._rendered = 0
        self._timers: dict[str, anyio.CancelScope] = {}
        self._hand = Hand(system.providers, stream)

    # -- rules ----------------------------------------------------------------------------------

    def take(self, state: AgentState, command: Command) -> list[Event]:
        """Return what `command` adds to the log. Pure."""
        events = rules.take(state, command)
        return super().take(state, command) if events is None else events

    def follow(self, state: AgentState) -> list[Event]:
        """Return what `state` calls for next. Pure."""
        return rules.follow(state, self.system.store.log_id, self._hand.name)

    async def _step(self, results: list[Command], waiting: list[Waiting]) -> None:
        """Decide with a slot in hand where one is free, so that a call can begin in the append that wants it."""
        self._hand.reach(fallbacks.likely(self.state))
        await super()._step(results, waiting)
        self._hand.keep(fallbacks.wanted(self.state))

    def stop(self) -> None:
        """End its effects, and give back slots, too."""
        super().stop()
        self._hand.drop()

    def bind(self) -> str:
        """Find the functions of the tools that the spec names."""
        assert self.state.spec is not None
        try:
            self._tools = {
                spec.name: as_tool(self.system.code.find(spec.code)) for spec in self.state.spec.tools if spec.code
            }
            self._asks = {
                spec.name: self.system.code.find(spec.needs_approval)
                for spec in self.state.spec.tools
                if isinstance(spec.needs_approval, str)
            }
        except CallboardError as error:
            return str(error)
        return ""

    def busy(self) -> bool:
        """Return whether a model call is open, or a tool runs."""
        return self.state.model is not None or self.state.runs

    # -- effects --------------------------------------------------------------------------------

    def react(self, event: RecordedEvent) -> None:
        """Begin the effects that a recorded event calls for."""
        match event.data:
            case TurnStarted():
                self._shown.clear()
                if self.state.desk.turn and self.state.desk.turn.fresh:
                    self._rendered = 0
            case ModelCallRequested() | ModelAttemptFailed() | TurnResumed():
                self._prepare_model_call(event.ref)
            case AgentChanged() | BlockAttached() | BlockDetached():  # what was prepared has the blocks of before
                self._prepare_model_call(event.ref)
                self._prepare_tools(event.ref)
                super().react(event)
            case ModelCallStarted() as started:
                self._start_model_call(started, event.ref)
            case ToolCallStarted(id=id, callkey=key):
                self._start_tool(id, key, event.ref)
            case ToolCallInDoubt(id=id):
                self._start_reconcile(id)
            case ToolCallRequested(id=id) | ToolCallRetried(id=id) if id in self.state.tools:
                self._prepare_tool(self.state.tools[id], event.ref)
            case RecipientsChosen(id=id, due=due) if id in self.state.tools:
                self.spawn(self._expire, id, due, event.ref)
            case ToolCallFinished(id=id) | ToolCallFailed(id=id) | ModelCallFailed(id=id) if id in self._timers:
                self._timers[id].cancel()
            case _:
                super().react(event)

    def take_up(self) -> None:
        """Begin again what leaves no trace of having begun: reading blocks, pauses, questions about doubts."""
        self._prepare_model_call(f"{self.stream}@{self.version}")
        cause = f"{self.stream}@{self.version}"
        self._prepare_tools(cause)
        for call in self.state.tools.values():
            if call.phase == "in doubt":
                self._start_reconcile(call.id)
            elif call.phase == "sending" and call.due is not None:
                self.spawn(self._expire, call.id, call.due, cause)

    def _prepare_model_call(self, cause: str) -> None:
        """See that the open model call begins, once its pause is over and the blocks are read."""
        call = self.state.model
        if call is not None and call.phase in ("wanted", "stopped", "waiting"):
            self.spawn(self._prepare, call, cause)

    async def _prepare(self, call: ModelCall, cause: str) -> None:
        if call.due is not None:
            pause = (call.due - self.system.outside.now()).total_seconds()
            await self.system.outside.sleep(max(0.0, pause))
        model = fallbacks.wanted(self.state)
        if self.state.model != call or model is None:
            return  # it goes on without this, or no more
        refused = await self._hand.wait(model)
        state = self.state
        if state.model != call or fallbacks.wanted(state) != model:
            self._hand.keep(fallbacks.wanted(state))
            return
        if refused is not None:
            self.put(self._refuse(call, model, refused, cause))
            return
        assert state.spec is not None
        uses, current = state.spec.blocks, list[Shown]()
        for use in uses:
            block = await self.system.look(use.stream)
            seen = state.seen.get(use.label)
            current.append(requests.shown(block, use.label, me=self.stream, seen=seen, read_only=use.read_only))
        shown = [await self._block(label, version) for label, version in requests.wanted(state)]
        self._shown |= requests.by_version((*shown, *current))
        price = self.system.prices.of(self.system.providers.name_of(model))
        self.put(Begin(call.id, current, shown, call.attempt, uses, model, price, cause=cause))

    def _refuse(self, call: ModelCall, model: str, refused: Refused, cause: str) -> Refuse:
        """Say that an attempt does not go out; another model is asked at once, this one when it may be."""
        assert self.state.spec is not None
        other = fallbacks.after(self.state.spec, model, CIRCUIT_OPEN)
        due = refused.until if other is None else self.system.outside.now()
        until = f"{refused.until:%H:%M:%S} UTC"
        text = f"{model or 'the model'} keeps failing ({refused.why}); it is not asked before {until}"
        return Refuse(call.id, call.attempt, model, text, due, cause=cause)

    async def _block(self, label: str, version: int) -> Shown:
        """Return a block as an earlier call of this turn was shown it."""
        known = self._shown.get((label, version))
        if known is not None:
            return known
        use = self.state.reads[label]
        block = await requests.block_at(self.system.store, use.stream, version)
        return requests.shown(block, label, me=self.stream, seen=None, read_only=use.read_only)

    def _start_model_call(self, started: ModelCallStarted, cause: str) -> None:
        call, spec, id, attempt = self.state.model, self.state.spec, started.id, started.attempt
        if call is None or (call.id, call.attempt, call.phase) != (id, attempt, "running") or spec is None:
            return  # it was cancelled in the same append
        slot = self._hand.use()
        assert slot is not None or self._stopped, "an attempt began without a slot"
        if slot is None:
            return
        key = f"{self.system.store.log_id}/{id}"
        prompt, tools = self._prompt(), self.state.abilities
        request = ModelRequest(id, attempt, spec.name, call.model, prompt, tools, key, started.hold)
        self.spawn(self._call_model, request, slot, cause)

    def _prompt(self) -> Sequence[Message]:
        """Return the whole prompt; what was rendered for the call before is used again."""
        state = self.state
        if state.notes or self._rendered > len(state.lines):
            self._rendered = 0
            return requests.messages(state, self._shown)
        if not self._rendered:
            self._messages = [{}]
        for line in state.lines.since(self._rendered):
            self._messages += messages_of(line)
        self._rendered = len(state.lines)
        self._messages[0] = requests.head(state, self._shown)
        return self._messages

    async def _call_model(self, request: ModelRequest, slot: Slot, cause: str) -> None:
        """Make an attempt, for as long as the call is open."""
        with anyio.CancelScope() as scope:
            self._timers[request.id] = scope
            self.put(await self._attempt(request, slot, cause))
        if self._timers.get(request.id) is scope:
            del self._timers[request.id]

    async def _attempt(self, request: ModelRequest, slot: Slot, cause: str) -> Command:
        try:
            reply = await slot.complete(request, self.system.deltas.sayer(request))
        except ModelError as failure:
            due = self._retry_at(request, failure)
            text = storable(str(failure))[0]
            return TakeAttempt(request.id, request.attempt, failure.kind, text, due, cause=cause)
        return _taken(request, reply, self.system, cause)

    def _retry_at(self, request: ModelRequest, failure: ModelError) -> datetime | None:
        """Return when the next attempt is due: of another model at once, of the same one after a pause."""
        spec = self.state.spec
        if spec is not None and fallbacks.after(spec, request.model, failure.kind) is not None:
            return self.system.outside.now()
        if not failure.retry:
            return None
        pause = failure.retry_after
        if pause is None:
            longest = min(FIRST_PAUSE * 2 ** (request.attempt - 1), LONGEST_PAUSE)
            pause = longest * (0.5 + self.system.outside.random.random() / 2)
        return self.system.outside.now() + timedelta(seconds=pause)

    def _start_tool(self, id: str, key: str, cause: str) -> None:
        call, spec = self.state.tools.get(id), self.state.spec
        if call is not None and call.phase == "running" and spec is not None:
            context = ToolContext(key, spec.name, id.split("/", 1)[0])
            self.spawn(self._run_tool, id, call.wanted.tool, str(call.wanted.arguments), context, cause)

    async def _run_tool(self, id: str, name: str, arguments: str, context: ToolContext, cause: str) -> None:
        try:
            text, ok = await self._tools[name].call(arguments, context), True
        except ToolFailed as failure:
            text, ok = str(failure), False
        except (Exception, SystemExit) as error:  # a border to others' code
            text, ok = f"{type(error).__name__}: {error}", False
        text, replaced = storable(text)
        self.put(TakeResult(id, text, ok, replaced, cause=cause))

    def _prepare_tools(self, cause: str) -> None:
        for call in self.state.tools.values():
            self._prepare_tool(call, cause)

    def _prepare_tool(self, call: ToolCall, cause: str) -> None:
        """Look up what has to be known before a call begins: whom it is for, or whether a person is asked."""
        if call.phase != "wanted" or call.id in self._preparing:
            return
        if call.wanted.tool in messaging.MESSAGING:
            work = self._look_up
        elif approvals.need(self.state, call):
            work = self._weigh
        else:
            return
        self._preparing.add(call.id)
        self.spawn(self._prepared, work, call, cause)

    async def _prepared(self, work: Callable[[ToolCall, str], Awaitable[None]], call: ToolCall, cause: str) -> None:
        try:
            await work(call, cause)
        finally:
            self._preparing.discard(call.id)

    async def _weigh(self, call: ToolCall, cause: str) -> None:
        """Find out whether a person is asked before the call begins; bad arguments are asked of nobody."""
        name, arguments = call.wanted.tool, str(call.wanted.arguments)
        try:
            asks, note = await approvals.weigh(self._tools[name], self._asks.get(name), arguments)
        except ToolFailed as failure:
            self.put(TakeResult(call.id, storable(str(failure))[0], ok=False, cause=cause))
        else:
            self.put(TakeNeed(call.id, call.attempt, asks, storable(note)[0], cause=cause))

    async def _look_up(self, call: ToolCall, cause: str) -> None:
        """Find out whom the messages of a call go to, or who is there."""
        asked = messaging.parsed(call.wanted.tool, call.wanted.arguments)
        if isinstance(asked, str):
            return  # it was refused
        found = await directory.look_up(self.system, self.stream, asked)
        if isinstance(found, directory.Told):
            self.put(TakeResult(call.id, found.text, found.ok, cause=cause))
        else:
            spec = next(tool for tool in self.state.abilities if tool.name == call.wanted.tool)
            due = self.system.outside.now() + timedelta(seconds=spec.timeout)
            self.put(TakeRecipients(call.id, found, due, cause=cause))

    async def _expire(self, id: str, due: datetime, cause: str) -> None:
        """Wait no longer than until `due`, nor than the call is open."""
        wait = (due - self.system.outside.now()).total_seconds()
        with anyio.CancelScope() as scope:
            self._timers[id] = scope
            await self.system.outside.sleep(max(wait, 0.0))
            self.put(Expire(id, cause=cause))
        del self._timers[id]

    def _start_reconcile(self, id: str) -> None:
        call = self.state.tools.get(id)
        tool = self._tools.get(call.wanted.tool) if call else None
        if call is not None and tool is not None and tool.reconcile is not None:
            self.spawn(self._reconcile, id, tool, f"{self.system.store.log_id}/{id}")

    async def _reconcile(self, id: str, tool: Tool, key: str) -> None:
        assert tool.reconcile is not None
        try:
            text = as_result(await run(tool.reconcile, key))
        except Exception as error:  # a border to others' code
            text = f"{rules.IN_DOUBT} Asking what came of it failed: {type(error).__name__}: {error}"
        decision = Resolve(id, name_of(self.stream), storable(text)[0], "reconcile")
        await self.system.deliver(self.stream, decision)


def _taken(request: ModelRequest, reply: ModelReply, system: System, cause: str) -> TakeReply:
    """Return `reply` as a command, with what cannot be stored replaced."""
    text, replaced = storable(reply.text)
    uses: list[tuple[str, str]] = []
    for name, arguments in reply.uses:
        clean, n = storable_arguments(arguments)
        uses.append((storable(name)[0], clean))
        replaced += n
    usage, model, reason = reply.usage, storable(reply.model)[0], storable(reply.finish_reason)[0]
    if usage is None and request.hold is not None:
        said = tokens_in(text) + sum(tokens_in(name + arguments) for name, arguments in uses)
        usage = Usage(input_tokens=request.hold.input, output_tokens=said, estimated=True)
    usd = system.prices.cost(system.providers.name_of(request.model), usage) if usage is not None else None
    return TakeReply(request.id, text, uses, usage, model, reason, replaced, usd, cause=cause)
