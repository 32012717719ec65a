"""An agent as an actor: the effects that its rules call for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio

from callboard.events import CallboardError, Event, RecordedEvent
from callboard.events.catalog import (
    AgentChanged,
    BlockAttached,
    BlockDetached,
    LimitRaised,
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallRequested,
    ModelCallStarted,
    RecipientsChosen,
    SendAccepted,
    SendAnswered,
    SendFailed,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallRetried,
    ToolCallStarted,
    TurnResumed,
    TurnStarted,
)
from callboard.events.store import Signal
from callboard.projections import AgentState, agent_state
from callboard.projections.agent import evolve
from callboard.projections.agent_calls import ToolCall
from callboard.projections.words import name_of

from . import agent as rules
from . import approvals, directory, looking, own_tools
from .actor import Actor
from .calling import Calling
from .commands import (
    Begin,
    Command,
    Expire,
    Resolve,
    TakeNeed,
    TakeRecipients,
    TakeResult,
)
from .mailbox import Waiting
from .others import words_of
from .reach import Reach
from .storable import storable
from .tool import Tool, ToolContext, ToolFailed, as_result, as_tool, run

if TYPE_CHECKING:
    from .system import System


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
        self._timers: dict[str, anyio.CancelScope] = {}
        self._calling = Calling(self)
        self._reaches: dict[str, Reach] = {}
        self.sends_ended = Signal()

    # -- rules ----------------------------------------------------------------------------------

    def take(self, state: AgentState, command: Command) -> list[Event]:
        """Return what `command` adds to the log. Pure."""
        events = rules.take(state, command)
        return super().take(state, command) if events is None else events

    def follow(self, state: AgentState) -> list[Event]:
        """Return what `state` calls for next. Pure."""
        return rules.follow(state, self.system.store.log_id, self._calling.slot)

    async def _step(self, results: list[Command], waiting: list[Waiting]) -> None:
        """Decide with a slot in hand where one is free, so that a call can begin in the append that wants it."""
        results = self._calling.standing(results)
        self._calling.reach()
        await super()._step(results, waiting)
        self._calling.keep(offered=any(isinstance(one, Begin) for one in results))

    async def _fold(self) -> None:
        await super()._fold()
        await self._calling.read_again()

    def stop(self) -> None:
        """End its effects, and give back slots, too."""
        super().stop()
        self._calling.drop()

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
        """Return whether a model call is open, or a tool runs that does not just wait for somebody else."""
        running = [call.id for call in self.state.tools.values() if call.phase == "running"]
        waits = [id for id in running if id in self._reaches and self._reaches[id].waits]
        return self.state.model is not None or len(waits) < len(running)

    def rests(self) -> None:
        """Take note that a tool begins to wait for somebody else: whoever waits for this agent alone looks again."""
        self._ran.notify()

    # -- effects --------------------------------------------------------------------------------

    def react(self, event: RecordedEvent) -> None:
        """Begin the effects that a recorded event calls for."""
        match event.data:
            case TurnStarted():
                self._calling.turn_started()
            case ModelCallRequested() | ModelAttemptFailed() | TurnResumed() | LimitRaised():
                self._calling.prepare(event.ref)
            case AgentChanged() | BlockAttached() | BlockDetached():  # what was prepared has the blocks of before
                self._calling.prepare(event.ref)
                self._prepare_tools(event.ref)
                super().react(event)
            case ModelCallStarted() as started:
                self._calling.start(started, event.ref)
            case ToolCallStarted(id=id, callkey=key):
                self._start_tool(id, key, event.ref)
            case ToolCallInDoubt(id=id):
                self._start_reconcile(id)
            case ToolCallRequested(id=id) | ToolCallRetried(id=id) if id in self.state.tools:
                self._prepare_tool(self.state.tools[id], event.ref)
            case RecipientsChosen(id=id, due=due) if id in self.state.tools and due is not None:
                self.spawn(self._expire, id, due, event.ref)
            case SendAccepted() | SendAnswered() | SendFailed():
                self.sends_ended.notify()
            case ModelCallFailed(id=id):
                self._calling.given_up(id)
            case ToolCallFinished(id=id) | ToolCallFailed(id=id) if id in self._timers:
                self._timers[id].cancel()
            case _:
                super().react(event)

    def take_up(self) -> None:
        """Begin again what leaves no trace of having begun: reading blocks, pauses, questions about doubts."""
        self._calling.prepare(f"{self.stream}@{self.version}")
        cause = f"{self.stream}@{self.version}"
        self._prepare_tools(cause)
        for call in self.state.tools.values():
            if call.phase == "in doubt":
                self._start_reconcile(call.id)
            elif call.phase == "sending" and call.due is not None:
                self.spawn(self._expire, call.id, call.due, cause)

    def _start_tool(self, id: str, key: str, cause: str) -> None:
        call, spec = self.state.tools.get(id), self.state.spec
        if call is not None and call.phase == "running" and spec is not None:
            reach = self._reaches[id] = Reach(self, id, call.attempt, cause)
            context = ToolContext(key, spec.name, id.split("/", 1)[0], reach)
            self.spawn(self._run_tool, id, call.wanted.tool, str(call.wanted.arguments), context, reach, cause)

    async def _run_tool(
        self, id: str, name: str, arguments: str, context: ToolContext, reach: Reach, cause: str
    ) -> None:
        try:
            text, ok = await self._tools[name].call(arguments, context), True
        except ToolFailed as failure:
            text, ok = str(failure), False
        except Exception as error:  # a border to others' code
            text, ok = words_of(error), False
        finally:
            reach.close()
            self._reaches.pop(id, None)
        text, replaced = storable(text)
        self.put(TakeResult(id, text, ok, replaced, cause=cause))

    def _prepare_tools(self, cause: str) -> None:
        for call in self.state.tools.values():
            self._prepare_tool(call, cause)

    def _prepare_tool(self, call: ToolCall, cause: str) -> None:
        """Look up what has to be known before a call begins: whom it is for, or whether a person is asked."""
        if call.phase != "wanted" or call.id in self._preparing:
            return
        if own_tools.is_looked_up(call.wanted.tool):
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
        """Find out whom the messages of a call go to, or what a call of callboard's own tools asks for."""
        asked = own_tools.parsed(call.wanted.tool, call.wanted.arguments)
        if isinstance(asked, str):
            return  # it was refused
        found = await looking.look_up(self.system, self.stream, call, asked)
        if isinstance(found, directory.Told):
            self.put(TakeResult(call.id, found.text, found.ok, cause=cause))
        else:
            spec = next(tool for tool in self.state.abilities if tool.name == call.wanted.tool)
            due = self.system.outside.now() + timedelta(seconds=spec.timeout) if spec.timeout else None
            self.put(TakeRecipients(call.id, found.streams, due, found.text, cause=cause))

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
