"""What every actor does: take in, follow, append once, and only then react.

A step is three pure rules and one append. `take(state, command)` says what a command adds to the
log; `follow(state)` what the state then calls for, again and again until nothing more; `evolve`
folds both. So the state an append leaves behind never has anything left to decide.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Awaitable, Callable
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import anyio
import structlog

from callboard.events import Event, KeyReused, LogError, NewEvent, OutcomeUnknown, RecordedEvent, Undelivered
from callboard.events.catalog import MessageReceived, MessageSent, Reply, SendCancelling, TurnFinished
from callboard.events.store import Signal
from callboard.projections import Desk, Projection

from . import limits, rules
from .alarm import Alarm
from .commands import (
    Alter,
    Cancel,
    Command,
    Configure,
    Delivery,
    Receive,
    Resolve,
    Restarted,
    Resume,
    Start,
    TakeAnswer,
    TakeDecision,
)
from .courier import ANSWERED, Courier
from .mailbox import Mailbox, Waiting, end_all
from .timers import overdue

if TYPE_CHECKING:
    from .system import System

log = structlog.get_logger()


class State(Protocol):
    """What the state of every kind of actor has."""

    @property
    def spec(self) -> Any: ...
    @property
    def desk(self) -> Desk: ...


S = TypeVar("S", bound=State)


class Actor(ABC, Generic[S]):
    """An object with a mailbox and a stream that only it appends to; a task only while mail waits."""

    projection: ClassVar[Projection[Any]]
    evolve: ClassVar[Callable[[Any, Event], Any]]
    keeps: ClassVar[bool] = False

    def __init__(self, stream: str, system: System) -> None:
        """Make the actor of `stream`; it reads its stream when mail comes, and `before` has ended."""
        self.stream = stream
        self.system = system
        self.state: S = self.projection.initial()
        self.version = 0
        self.parked = ""
        self.before: Actor[S] | None = None
        self.unparked = anyio.Event()
        self.held: anyio.Event | None = None
        self.failure: tuple[str, int] | None = None
        self.out = set[str]()
        self._mailbox = Mailbox(stream, backlog=lambda: self.state.desk.backlog)
        self._alarm = Alarm(self)
        self._couriers: dict[str, Courier] = {}
        self._scopes = dict[anyio.CancelScope, None]()  # in the order of their beginning
        self._ran = Signal()
        self._loaded = self._draining = self._stopped = False
        self._erasures = self._folded = 0
        self._idle = anyio.Event()

    # -- mail -----------------------------------------------------------------------------------

    def put(self, result: Command) -> None:
        """Hand over an answer or a result, and see that it is handled."""
        self._mailbox.put(result)
        self.wake()

    async def deliver(self, delivery: Delivery) -> None:
        """Hand over a delivery; return when it is in the stream.

        Raises:
            Undelivered: The actor stopped first.
            MailboxFull: There was no room.
            KeyReused: A message of this id came before, with other content.
        """
        known = self._mailbox.full(delivery) and await self.system.store.find(self.stream, delivery.id) is not None
        waiting = await self._mailbox.add(delivery, known=known)
        if self._stopped:
            waiting.end(Undelivered(f"{self.stream} stopped"))
        self.wake()
        await waiting.ended.wait()
        if waiting.failure:
            raise waiting.failure

    def wake(self) -> None:
        """See that a task handles what waits; without one, an idle actor costs nothing."""
        if not self._draining and not self._stopped:
            self._draining, self._idle = True, anyio.Event()
            self.system.spawn(self._drain)  # in no scope of ours: an append under way is not cut off

    def hold(self) -> None:
        """Begin nothing before `release`: this is a suspect, to be tried alone."""
        self.held = anyio.Event()

    async def release(self) -> None:
        """Begin, and return when no effect runs here any more."""
        if self.held is not None:
            self.held.set()
            self.held = None
        self.wake()
        while self._draining or (self.busy() and not self._stopped):
            await self._ran.next().wait()

    def busy(self) -> bool:
        """Return whether a call is under way outside."""
        return False

    def spawn(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run an effect of this actor. Nobody here waits for it: its result comes as a command."""
        self.system.spawn(self._run, work, *args)

    async def _run(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        with anyio.CancelScope() as scope:
            self._scopes[scope] = None
            if not self._stopped:
                try:
                    await work(*args)
                except LogError:
                    raise
                except Exception as error:
                    self.system.supervisor.failed(self, error)
        self._scopes.pop(scope, None)
        self._ran.notify()

    def stop(self) -> None:
        """End its effects, and give back what it has not accepted, so that senders try again.

        A step under way comes to its end: nobody could tell whether its append did.
        """
        self._stopped = True
        if self.held is not None:
            self.held.set()
        for scope in self._scopes:
            scope.cancel()
        end_all(self._mailbox.close(), Undelivered(f"{self.stream} stopped"))

    def send_again(self, recipient: str) -> None:
        """Send what is open to `recipient` once more: it began again, and may owe us an answer."""
        for id, sent in self.state.desk.sends.items():
            if sent.recipient == recipient:
                self._send(id, sent, None)

    def waits_for(self) -> list[str]:
        """Return the streams whose answers the open turn waits for, as far as its messages went out."""
        desk = self.state.desk
        if desk.turn is None:
            return []
        mine = [sent for id, sent in desk.sends.items() if id.startswith(f"{desk.turn.id}/") and id in self.out]
        return [sent.recipient for sent in mine if sent.kind in ("ask", "turn")]

    async def current(self) -> S:
        """Return the state, as far as the log holds it.

        Raises:
            Undelivered: The actor stopped first; ask the next one of its name.
        """
        if not self._loaded or self._folded < self._erasures:
            self.wake()
            await self._idle.wait()
        if not self._loaded:
            raise Undelivered(f"{self.stream} stopped")
        return self.state

    async def ended(self) -> None:
        """Wait until no step is under way."""
        while self._draining:
            await self._idle.wait()

    async def _drain(self) -> None:
        try:
            if self.held is not None:
                await self.held.wait()
            if not self._loaded:
                await self._load()
            while not self._stopped:
                if self._folded < self._erasures:
                    await self._fold()
                results, waiting = self._mailbox.take()
                if not results and not waiting:
                    break
                try:
                    await self._step(results, waiting)
                finally:  # whatever was not accepted by now was not accepted
                    end_all(waiting, Undelivered(self.stream))
        except LogError:
            raise
        except Exception as error:
            self.system.supervisor.failed(self, error)
        finally:
            self._draining = False
            self._idle.set()
            self._ran.notify()

    def fold_again(self) -> None:
        """See that the state is folded anew before the next step: texts were erased. What runs goes on."""
        self._erasures += 1
        if self._loaded:
            self.wake()

    async def _fold(self) -> None:
        erasures, state = self._erasures, self.projection.initial()
        async for event in self.system.store.read_stream(self.stream, until=self.version):
            state = type(self).evolve(state, event.data)
        self.state, self._folded = state, erasures

    async def _load(self) -> None:
        """Fold the stream, take up what a stop cut short, and send again what is still open."""
        if self.before is not None:
            await self.before.ended()
            self.before = None
        self.state, self.version, causes = await self.system.snapshots.load(self.stream, self.state)
        async for event in self.system.store.read_stream(self.stream, after=self.version):
            self.state, self.version = type(self).evolve(self.state, event.data), event.version
            if event.data.opens == "send":
                causes[event.data.id] = event.ref
        sends = self.state.desk.sends.items()  # what did not arrive is looked at like any before it goes out
        self.out |= {id for id, sent in sends if await self.system.store.find(sent.recipient, id) is not None}
        if self._stopped:
            return
        self._loaded = True
        if self.state.spec is None:
            return
        self._bind()
        self.system.timers.set(self.stream, self.state.desk.backlog)
        if not self.parked:
            await self._take_up(causes)

    async def _take_up(self, causes: dict[str, str]) -> None:
        for id, sent in self.state.desk.sends.items():
            self._send(id, sent, causes.get(id))
        self.take_up()
        restarted, self.failure = self.failure, None
        await self._step([*([Restarted(*restarted)] if restarted else []), Resume()], [])

    # -- one step -------------------------------------------------------------------------------

    async def _step(self, results: list[Command], waiting: list[Waiting]) -> None:
        """Decide on all that waited, in one append; then react to what was recorded."""
        fresh = [one.delivery for one in waiting if await self._is_new(one)]
        late = overdue((*self.state.desk.backlog, *fresh), self.system.outside.now())
        state, new = self.state, list[NewEvent]()
        for command in (*results, *fresh, *late):
            if isinstance(command, Cancel) and rules.answers(new, command.id):
                continue  # it came in one step with an edit, which is done
            if isinstance(command, Configure | Resolve | TakeDecision) and rules.keyed(new, f"command:{command.key}"):
                continue  # its key came in one step with another decision, which counts
            for event in self.take(state, command):
                state = type(self).evolve(state, event)
                new.append(NewEvent(event, command.cause))
        while events := self._follow(state):
            cause = f"{self.stream}@{self.version + len(new)}"
            for event in events:
                state = type(self).evolve(state, event)
                new.append(NewEvent(event, cause))
        recorded = await self._append(new)
        if recorded and recorded[0].data is not new[0].data:  # found in the log: what stands there counts
            state = reduce(type(self).evolve, (event.data for event in recorded), self.state)
        self.state, self.version = state, self.version + len(recorded)
        self.system.snapshots.grown(self.stream, self.version, state)
        end_all(waiting)
        was_parked = self.parked
        if any(isinstance(delivery, Start | Alter) for delivery in fresh):
            self._bind()
        self._alarm.look()
        for event in recorded:
            self.react(event)
        if was_parked and not self.parked:
            await self._take_up({})

    def _bind(self) -> None:
        self.parked = self.bind()
        if self.parked:
            log.warning("actor parked", actor=self.stream, why=self.parked)
        else:
            self.unparked.set()
            self.unparked = anyio.Event()

    def _follow(self, state: S) -> list[Event]:
        if state.spec is None or self.parked:
            return []
        events = rules.cancel(state.desk) or self.follow(state)
        return limits.bound(state.desk, events, own=getattr(state.spec, "limits", None), keeps=self.keeps)

    async def _append(self, new: list[NewEvent]) -> list[RecordedEvent]:
        """Append, and look where the store cannot say: past our version stands our append or nothing."""
        store, recorded = self.system.store, list[RecordedEvent]()
        while new and not recorded:
            try:
                recorded = await store.append(self.stream, new, expected_version=self.version)
                look = self.system.erased  # a text that was on its way may be gone
            except OutcomeUnknown as error:
                log.warning("append outcome unknown", actor=self.stream, error=error.why)
                look = True
            if look:
                recorded = [event async for event in store.read_stream(self.stream, after=self.version)]
        return recorded

    async def _is_new(self, one: Waiting) -> bool:
        """Return whether a delivery is to be taken in; one with an answer is answered from the log."""
        delivery, store = one.delivery, self.system.store
        if isinstance(delivery, Configure | Resolve | TakeDecision) and delivery.key:
            return await store.find(self.stream, f"command:{delivery.key}") is None
        if isinstance(delivery, Alter) and delivery.event.key:
            return await store.find(self.stream, delivery.event.key) is None
        if not isinstance(delivery, Receive | Cancel):
            return True
        received = await store.find(self.stream, delivery.id)
        if received and isinstance(delivery, Receive) and not rules.same(received.data, delivery):
            one.end(KeyReused(self.stream, delivery.id))
            return False
        answered = await store.find(self.stream, f"re:{delivery.id}")
        if answered:
            self.react(answered)
        return not answered and (not received or isinstance(delivery, Cancel))

    # -- the rules of a kind of actor -------------------------------------------------------------

    def take(self, state: S, command: Command) -> list[Event]:
        """Return what `command` adds to the log. Pure. What is no longer waited for adds nothing."""
        match command:
            case Start(started=started, changed=changed):
                if state.spec is None or state.desk.retired:
                    return [started]
                known = getattr(state, "declared", state.spec)
                return [] if known == getattr(changed, "spec", None) else [changed]
            case _:
                return rules.take(state.desk, command)

    def follow(self, state: S) -> list[Event]:
        """Return what `state` calls for next; nothing when it waits. Pure."""
        return []

    def bind(self) -> str:
        """Find the code that the spec names; return why it cannot be found, or nothing."""
        return ""

    def take_up(self) -> None:
        """Begin again the effects that leave no trace of having begun."""

    def react(self, event: RecordedEvent) -> None:
        """Begin the effects that a recorded event calls for. Their results come as commands."""
        match event.data:
            case MessageSent() as sent:
                self._post(sent, event.ref)
            case MessageReceived() as message:
                self.system.timers.set(self.stream, [message])
            case SendCancelling(id=id) if id in self.state.desk.sends:
                self.spawn(self._cancel, self.state.desk.sends[id].recipient, id)
            case TurnFinished(id=id, to=to, text=text, stop_reason=reason, uses=uses, spent=spent) if to:
                answer = TakeAnswer(id, text, stop_reason=reason, uses=uses, spent=spent, cause=event.ref)
                self.system.give_back(to, answer)
            case Reply(id=id, to=to) as reply if to:
                begun, spent = getattr(reply, "begun", True), getattr(reply, "spent", None)
                answer = TakeAnswer(id, reply.words, reply.ok, accepted=begun, spent=spent, cause=event.ref)
                self.system.give_back(to, answer)
            case _:
                pass

    def _send(self, id: str, sent: MessageSent, cause: str | None) -> None:
        cancelling = id in self.state.desk.cancelling
        if cancelling:
            self.spawn(self._cancel, sent.recipient, id)
        if not cancelling or sent.kind not in ANSWERED:  # a tell that arrived has no answer to its cancel
            self._post(sent, cause)

    def _post(self, sent: MessageSent, cause: str | None) -> None:
        courier = self._couriers.get(sent.recipient) or Courier(self, sent.recipient)
        self._couriers[sent.recipient] = courier
        courier.post(sent, cause)

    async def _cancel(self, recipient: str, id: str) -> None:
        await self.system.deliver(recipient, Cancel(id, self.stream))
