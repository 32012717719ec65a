"""What survives a crash (the log, and the world outside), and what dies with it (`Life`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import anyio
from anyio.lowlevel import checkpoint

from callboard import ModelReply, ModelRequest, System, Tool, ToolContext, tool
from callboard.actors.messaging import PATIENCE
from callboard.actors.outside import Outside
from callboard.actors.providers import CALLS_AT_ONCE
from callboard.events import MemoryStore, ModelError, NewEvent, OutcomeUnknown, RecordedEvent, Reference, catalog
from callboard.events.cache import Cache

Script = Callable[[ModelRequest], ModelReply]


@dataclass
class World:
    """The outside: it counts what was done to it, and never forgets.

    Attributes:
        ran: How often each tool call was run, by its key without the log's identity.
        called: How often each model call was asked, by its id.
        read: What each attempt of a model call read, as (id, attempt).
        replied: The calls whose model failed once already, where the script wants that.
        asking: Model calls in flight; `most` of them, where somebody says so.
    """

    seed: int = 0
    ran: Counter[str] = field(default_factory=Counter[str])
    called: Counter[str] = field(default_factory=Counter[str])
    read: dict[tuple[str, int], list[object]] = field(default_factory=dict[tuple[str, int], list[object]])
    wrong: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    async def dawdle(self, id: str) -> None:
        """Take a while, the same one each time for the same seed and id."""
        for _ in range(Random(f"{self.seed}/{id}").randrange(12) if self.seed else 0):
            await checkpoint()

    def now(self) -> datetime:
        """Return the time, which goes on only while somebody sleeps."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once; but nobody here waits so long that patience would end."""
        if seconds >= PATIENCE / 2:
            await anyio.sleep_forever()
        self.seconds += max(seconds, 0)
        await checkpoint()


@dataclass
class Life:
    """One run of the process, with a fault at its `at`-th tick: an append, or an effect done outside.

    Attributes:
        fault: `die`; or `lost` and `late`: the store cannot say whether it wrote, and did not or did;
            or `restart` and `neighbour`: the actor that appended, or any, is let go, and begins again.
        asking: Model calls in flight, which are never more than `slots`.
    """

    world: World
    log: MemoryStore
    script: Script
    at: int
    fault: str = "die"
    system: System | None = None
    driven: bool = False
    asking: int = 0
    slots: int = CALLS_AT_ONCE
    ticks: list[str] = field(default_factory=list[str])
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    @property
    def outside(self) -> Outside:
        return Outside(self.world.now, self.world.sleep, Random(self.world.seed))

    async def tick(self, what: str, stream: str = "") -> None:
        """Count one thing done, and let the fault happen if it is its time."""
        if self.scope.cancel_called:
            await anyio.sleep_forever()  # the dead do nothing, whatever their `finally` says
        self.ticks.append(what)
        if len(self.ticks) != self.at:
            return
        if self.fault == "die":
            self.scope.cancel()
            await anyio.sleep_forever()
        if self.fault in ("restart", "neighbour") and self.system and self.driven:
            streams = sorted({row.stream for row in self.log.rows} - {"system"})
            other = Random(f"{self.world.seed}/{self.at}").choice(streams)
            self.system.restart(stream if stream and self.fault == "restart" else other)

    # -- the store ------------------------------------------------------------------------------

    @property
    def log_id(self) -> str:
        return self.log.log_id

    @property
    def position(self) -> int:
        return self.log.position

    @property
    def cache(self) -> Cache:
        return self.log.cache

    async def texts(self, references: Collection[Reference]) -> dict[Reference, str]:
        return await self.log.texts(references)

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        if self.scope.cancel_called:
            await anyio.sleep_forever()
        await checkpoint()
        await self.world.dawdle(f"{stream}@{expected_version}")
        here = len(self.ticks) + 1 == self.at
        if here and self.fault == "lost":
            self.ticks.append("append")
            raise OutcomeUnknown(stream, "a fault was wanted")
        recorded = await self.log.append(stream, events, expected_version=expected_version)
        await self.tick("append", stream)
        await checkpoint()
        if here and self.fault == "late":
            raise OutcomeUnknown(stream, "a fault was wanted")
        return recorded

    async def find(self, stream: str, key: str) -> RecordedEvent | None:
        return await self.log.find(stream, key)

    def read_stream(
        self, stream: str, *, after: int = 0, until: int | None = None, until_position: int | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        return self.log.read_stream(stream, after=after, until=until, until_position=until_position)

    def read_all(
        self, *, after: int = 0, until: int | None = None, correlation_id: str | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        return self.log.read_all(after=after, until=until, correlation_id=correlation_id)

    def subscribe(self, *, after: int = 0) -> AsyncGenerator[RecordedEvent]:
        return self.log.subscribe(after=after)

    # -- the model ------------------------------------------------------------------------------

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        self.asking += 1
        if self.asking > self.slots:
            self.world.wrong.append(f"{self.asking} calls in flight, with {self.slots} slots: {request.id}")
        try:
            return await self.reply(request)
        finally:
            self.asking -= 1

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Reply as the script says, or fail."""
        self.world.called[request.id] += 1
        self.world.read[request.id, request.attempt] = list(request.messages)
        await self._check_recorded(request)
        await self.world.dawdle(request.id)
        await self.tick("model")
        reply = self.script(request)
        if reply.finish_reason == "fail" and self.world.called[request.id] == 1:
            raise ModelError("busy", kind="server", retry=True)
        return reply

    async def _check_recorded(self, request: ModelRequest) -> None:
        stream = f"agent-{request.agent}"
        events = [event.data async for event in self.log.read_stream(stream) if event.data.id == request.id]
        if any(isinstance(event, catalog.ModelCallFinished) for event in events):
            self.world.wrong.append(f"issued again: {request.id}")
        attempts = [(event.attempt, event.model) for event in events if isinstance(event, catalog.ModelCallStarted)]
        if (request.attempt, request.model) not in attempts:
            self.world.wrong.append(f"issued before it was recorded: {request.id}, attempt {request.attempt}")

    # -- tools ----------------------------------------------------------------------------------

    async def use(self, key: str, text: str) -> str:
        """Do something outside, under `key`."""
        call = key.split("/", 1)[1]
        self.world.ran[call] += 1
        started = [e.data async for e in self.log.read_all() if isinstance(e.data, catalog.ToolCallStarted)]
        if key not in {event.callkey for event in started}:
            self.world.wrong.append(f"run before it was recorded: {call}")
        await self.world.dawdle(call)
        await self.tick("tool")
        return text


_lives: list[Life] = []


def begin(new: Life) -> None:
    """Make `new` the life that runs; tools are plain functions, and find the world through it."""
    _lives[:] = [new]


def life() -> Life:
    """Return the life that runs."""
    return _lives[0]


async def done(key: str) -> str:
    """Look whether the payment was made, make it if not, and say so."""
    ran = life().world.ran
    call = key.split("/", 1)[1]
    ran[call] = ran[call] or 1
    return "paid"


@tool(effect="read")
async def search(query: str, context: ToolContext) -> str:
    """Find something."""
    return await life().use(context.key, f"found {query}")


@tool(effect="idempotent")
async def publish(text: str, context: ToolContext) -> str:
    """Publish a text."""
    return await life().use(context.key, f"published {text}")


@tool
async def pay(context: ToolContext) -> str:
    """Pay, once."""
    return await life().use(context.key, "paid")


@tool(effect="once", reconcile=done)
async def wire(context: ToolContext) -> str:
    """Pay, once; whether it happened can be looked up."""
    return await life().use(context.key, "paid")


TOOLS: dict[str, Tool] = {one.name: one for one in (search, publish, pay, wire)}
