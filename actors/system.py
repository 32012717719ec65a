"""The system: who lives here, how mail finds them, and the door for requests from outside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from os import PathLike
from typing import Any, overload

import anyio
import structlog
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from callboard.events import (
    ActorStopped,
    CallboardError,
    EventStore,
    NoSuchActor,
    RequestFailed,
    Undelivered,
)
from callboard.projections import GroupState, Pending
from callboard.projections.answer import Answer, answer_of
from callboard.projections.words import name_of

from . import broadcasts, directory, inbox, opening, owner, starting
from .actor import Actor
from .agent_actor import AgentActor
from .archive import ArchiveActor
from .archive_spec import Archive
from .archives import Archives
from .block import BlockActor
from .block_ref import BlockRef
from .blocks import Blocks
from .breaker import USUAL, Breaker
from .code import Code
from .commands import Delivery, Receive, Start, TakeAnswer
from .door import Door
from .group_actor import GroupActor
from .group_ref import GroupRef
from .limits import Limits
from .mailbox import WAIT
from .model import Model
from .outside import Outside
from .people import People
from .post import Post
from .prices import Price, Prices
from .providers import CALLS_AT_ONCE, Providers
from .ref import USER, Ref
from .search import Embedder, Index
from .searches import Searches
from .snapshots import Snapshots
from .specs import Agent, Block, Group
from .streaming import Deltas
from .supervision import Supervisor
from .timers import Timers
from .treasury import Treasury
from .watch import Watch, Watching

log = structlog.get_logger()

KINDS: dict[str, type[Actor[Any]]] = dict(agent=AgentActor, group=GroupActor, block=BlockActor, archive=ArchiveActor)
"""Which actor works on a stream, by the first word of its name."""

GRACE = 30.0
"""Seconds that leaving a system waits for work that can go on."""


class System(People, Post, Archives, Searches, Blocks):
    """Actors over one log. An address is the name of a stream; an actor is made when mail comes."""

    def __init__(
        self, store: EventStore, providers: Providers, tasks: TaskGroup, outside: Outside, watch: Watch | None = None
    ) -> None:
        self.store, self.providers, self.outside = store, providers, outside
        self.code, self.deltas, self.snapshots = Code(), Deltas(), Snapshots(store)
        self.supervisor, self.timers = Supervisor(self), Timers(self)
        self.prices, self.limits, self.treasury = Prices(), Limits(), Treasury(self, None)
        self.index, self._tasks, self._watching = Index(store), tasks, Watching(self, watch)
        self._actors: dict[str, Actor[Any]] = {}
        self._door = Door(self)
        self._started = set[str]()
        self._busy, self.erased = 0, False
        self._quiet = anyio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        log: str | PathLike[str] | EventStore,
        *,
        model: Model,
        models: Mapping[str, Model] | None = None,
        calls_at_once: int = CALLS_AT_ONCE,
        breaker: Breaker | None = USUAL,
        outside: Outside | None = None,
        prices: Mapping[str, Price] | None = None,
        limits: Limits | None = None,
        budget: Limits | None = None,
        grace: float = GRACE,
        watch: Watch | None = None,
        embedder: Embedder | None = None,
        embed_messages: bool = False,
    ) -> AsyncGenerator[System]:
        """Open a log, a file or a store, and take up all that is open in it, from recorded specs alone.

        `models` are asked by the names that agents call them by, `model` is for all other names. At most
        `calls_at_once` model calls are in flight; `breaker` says when a model that fails is not asked any more.
        Leaving waits, at most `grace` seconds, for what can go on without the outside; leaving by an
        exception waits for nothing. What is cut off goes on when the log is opened again.
        With `watch`, loops and starvation are found while they happen; see `Watch`.

        Args:
            prices: USD by the name of the model; None for those of genai-prices, where it is installed.
            limits: What each request from outside may spend that brings no limits of its own.
            budget: What model calls may ever cost in this log, in all: `model_calls`, `tokens`, `usd`.
            embedder: Searches passages by meaning, too, and messages with `embed_messages`; see `docs/search.md`.

        Raises:
            LogError: The log cannot be opened.
            SpecError: A number of slots is below 1, one of `models` has no name, or an embedder finds no numpy.
        """
        outside = outside or Outside()
        providers = Providers(model, models, calls_at_once, breaker, outside.now)
        async with AsyncExitStack() as stack:
            store = await opening.opened(log, stack)
            index = await stack.enter_async_context(Index.open(store, embedder, embed_messages=embed_messages))
            async with opening.closing(providers), opening.one_error(), anyio.create_task_group() as tasks:
                system = cls(store, providers, tasks, outside, watch)
                system.prices, system.limits = Prices(prices), limits or Limits()
                system.treasury, system.index = Treasury(system, budget), index
                await system._take_up()
                yield system
                await system._leave(grace)

    async def _leave(self, grace: float) -> None:
        """Wait for what can go on without the outside, and no longer than `grace` seconds; then end all tasks."""
        with anyio.move_on_after(grace):
            await self.quiet()
            await self.snapshots.close((a.stream, a.version, a.state) for a in self._actors.values())
        self._tasks.cancel_scope.cancel()

    async def _take_up(self) -> None:
        left, self._started = await self.snapshots.open()
        if (path := getattr(self.store, "path", "")) and isinstance(path, str):
            self._tasks.start_soon(owner.watch, self, inbox.folder_of(path))
        self._tasks.start_soon(self.snapshots.run)
        self._tasks.start_soon(self.timers.run)
        self._tasks.start_soon(self._watching.run)
        suspects = left.suspects()
        for stream in suspects:
            self.actor(stream).hold()
        for stream in left.streams():
            self.actor(stream).wake()
        if suspects:
            log.warning("turns that were running when the process ended are tried alone", actors=suspects)
            self.spawn(self._try_alone, suspects)

    async def _try_alone(self, suspects: list[str]) -> None:
        for stream in suspects:
            await self.actor(stream).release()

    async def pending(self) -> Pending:
        """Return all that was begun and has not ended."""
        return await self.snapshots.pending()

    def parked(self) -> dict[str, str]:
        """Return why each actor that waits for `start` does so, by its stream."""
        return {stream: actor.parked for stream, actor in self._actors.items() if actor.parked}

    # -- tasks ----------------------------------------------------------------------------------

    def spawn(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a task of this system; leaving waits for it."""
        self._busy += 1
        self._tasks.start_soon(self._run, work, *args)

    async def _run(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        try:
            await work(*args)
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()
                self._quiet = anyio.Event()

    async def redact(self, positions: Sequence[int], *, reason: str) -> None:
        """Erase the texts said first in the events at `positions` for good, here and in the log.

        Raises:
            LogError: The log cannot do that, or an event says no text, or was redacted before.
        """
        await owner.redact(self, positions, reason)

    async def settle(self, command: inbox.Settle) -> None:
        """Take up what somebody says of a call in doubt; return when it is recorded. Twice is once.

        Raises:
            NotInDoubt: The call is not in doubt, or not any more.
        """
        await owner.settle(self, command)

    async def quiet(self) -> None:
        """Wait until nothing goes on by itself."""
        while self._busy or self._watching.behind:
            await (self._quiet.wait() if self._busy else self._watching.moved())

    # -- who lives here -------------------------------------------------------------------------

    def actor(self, stream: str) -> Actor[Any]:
        """Return the actor at `stream`, as an object; it reads its stream when mail comes."""
        if stream not in self._actors:
            self._actors[stream] = KINDS[stream.split("-", 1)[0]](stream, self)
        return self._actors[stream]

    async def look(self, stream: str) -> Any:
        """Return the state of the actor at `stream`, as the log holds it."""
        while True:
            self.supervisor.check(stream)
            try:
                return await self.actor(stream).current()
            except Undelivered:  # it stopped; the next of its name reads the same stream
                await checkpoint()

    def streams(self, *, met: bool = False) -> list[str]:
        """Return the streams of all that was ever started; with `met`, of those in memory now."""
        return list(self._actors) if met else sorted(self._started)

    def restart(self, stream: str, *, held: bool = False) -> Actor[Any]:
        """Let go of the actor at `stream` and begin again from its log: at once, or once it is released."""
        before = self._actors.pop(stream, None)
        if before is not None:
            before.stop()
        actor = self.actor(stream)
        actor.before = before
        if held:
            actor.hold()
        actor.wake()
        for other in list(self._actors.values()):
            other.send_again(stream)
        self._door.send_again(stream)
        return actor

    def lives(self, actor: Actor[Any]) -> bool:
        """Return whether `actor` is the one at its stream, and was not replaced."""
        return self._actors.get(actor.stream) is actor

    def fail_all(self, stream: str, error: ActorStopped) -> None:
        """Tell whoever waits for the actor at `stream` that no answer will come."""
        for other in list(self._actors.values()):
            for id, sent in other.state.desk.sends.items():
                if sent.recipient == stream:
                    other.put(TakeAnswer(id, str(error), ok=False))
        self._door.fail(stream, error)

    @overload
    async def start(self, spec: Group) -> GroupRef: ...
    @overload
    async def start(self, spec: Block) -> BlockRef: ...
    @overload
    async def start(self, spec: Agent | Group | Archive) -> Ref: ...
    @overload
    async def start(self, spec: Agent | Group | Block | Archive) -> Ref | BlockRef: ...
    async def start(self, spec: Agent | Group | Block | Archive) -> Ref | BlockRef:
        """Start an agent, a block, an archive, or a group with all that it needs; return its address.

        Twice is once: a spec is compared with that of the last start, and a change of it is recorded and
        holds from the next model call or choice. A block's first value is never compared.

        Raises:
            SpecError: The name belongs to something else, or a group would change its kind of pattern.
        """
        stream = await starting.start(self, spec)
        if isinstance(spec, Block):
            return BlockRef(stream, self)
        return GroupRef(stream, self) if isinstance(spec, Group) else Ref(stream, self)

    def __getitem__(self, name: str) -> Ref:
        """Return the address of the agent or group called `name`.

        Raises:
            NoSuchActor: Nobody of that name was ever started in this log.
        """
        for stream in (f"agent-{name}", f"group-{name}"):
            if stream in self._started:
                return GroupRef(stream, self) if stream.startswith("group-") else Ref(stream, self)
        raise NoSuchActor(name, ", ".join(self._names("agent-", "group-")))

    def group(self, name: str) -> GroupRef:
        """Return the address of the group called `name`.

        Raises:
            NoSuchActor: No group of that name was ever started in this log.
        """
        if f"group-{name}" not in self._started:
            raise NoSuchActor(name, ", ".join(self._names("group-")))
        return GroupRef(f"group-{name}", self)

    async def groups(self, *, kind: str = "", tag: str = "", member: str = "") -> list[GroupRef]:
        """Return the groups that are not retired, by name.

        Args:
            kind: Only those with this pattern: `round_robin`, `RoundRobin`, or the address of a class.
            tag: Only those with a member that has this tag.
            member: Only those that have this member, or manager.
        """
        found: list[GroupRef] = []
        for name in self._names("group-"):
            state: GroupState = await self.look(f"group-{name}")
            if not state.desk.retired and state.fits(kind=kind, tag=tag, member=member):
                found.append(GroupRef(f"group-{name}", self))
        return found

    async def find(self, *, match_all: Sequence[str] = (), match_some: Sequence[str] = (), text: str = "") -> list[Ref]:
        """Return the agents and groups that are not retired and fit, by name.

        Args:
            match_all: Tags that they all have.
            match_some: Tags of which they have at least one.
            text: What stands in their name or description, in any case.
        """
        found = await directory.matching(self, match_all=match_all, match_some=match_some, text=text)
        return [self[name_of(entry.stream)] for entry in found]

    async def broadcast(
        self, text: str, to: Iterable[Ref], *, key: str | None = None, timeout: float | None = None, at_once: int = 16
    ) -> dict[str, Answer | CallboardError | TimeoutError]:
        """Ask many the same, so many at once; return the answer of each by its name, or why it has none."""
        return await broadcasts.broadcast(to, text, key=key, timeout=timeout, at_once=at_once)

    def _names(self, *kinds: str) -> list[str]:
        return sorted(stream.split("-", 1)[1] for stream in self._started if stream.startswith(kinds))

    # -- mail -----------------------------------------------------------------------------------

    async def deliver(self, to: str, delivery: Delivery, *, wait: float = WAIT) -> None:
        """Hand `delivery` over; return when it is in the stream of `to`.

        Raises:
            NoSuchActor: Nothing of that address was ever started.
            ActorParked: Its code was not found within `wait` seconds.
            ActorStopped: It failed too often.
            MailboxFull: It had no room.
            KeyReused: A message of this id came before, with other content.
        """
        if not isinstance(delivery, Start) and to not in self._started:
            raise NoSuchActor(to.split("-", 1)[-1])
        if isinstance(delivery, Start):
            self.supervisor.pardon(to)
        while True:
            self.supervisor.check(to)
            actor = self.actor(to)
            try:
                if not isinstance(delivery, Start):
                    await opening.unparked(actor, wait)
                await actor.deliver(delivery)
            except Undelivered:  # it stopped; the next of its name reads the same stream
                await checkpoint()
            else:
                self._started.add(to)
                return

    def give_back(self, to: str, answer: TakeAnswer) -> None:
        """Hand an answer over. If it is lost, its asker asks again and gets it from the log."""
        if to != USER:
            self.actor(to).put(answer)
            return
        self._door.answer(answer)

    async def request(self, to: str, request: Receive) -> str:
        """Send a request from outside; return the words of its answer.

        Raises:
            RequestFailed: It has none; says why.
        """
        return await self._door.request(to, request)

    async def ask(self, to: str, request: Receive) -> Answer:
        """Send a request from outside; return its whole answer, made from the log.

        Raises:
            RequestFailed: It has none; its `.answer` has turns, usage and trace.
        """
        failure = None
        try:
            await self.request(to, request)
        except RequestFailed as error:
            failure = error
        trace = request.id.split("/", 1)[0]
        events = [event async for event in self.store.read_all(correlation_id=trace)]
        answer = answer_of(events, request.id)
        if failure is not None:
            raise RequestFailed(failure.text, answer)
        assert answer is not None
        return answer
