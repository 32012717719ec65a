"""A system in memory with a model that says the same again and again, to watch groups live."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.lowlevel import checkpoint

from callboard import Agent, Group, GroupRef, MemoryStore, ModelReply, ModelRequest, RoundRobin, System
from callboard.actors.patterns import Pattern
from callboard.actors.testing import words_in
from callboard.projections import AgentState


@dataclass
class Echo:
    """A model that says `<agent> spoke`, unless `says` has something else; `hold` makes it wait."""

    says: Mapping[str, ModelReply | str | Exception] = field(default_factory=dict[str, ModelReply | str | Exception])
    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])
    hold: anyio.Event | None = None

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        self.requests.append(request)
        read = "\n".join(words_in(message) for message in request.messages)
        self.prompts.setdefault(request.agent, []).append(read)
        self.tools[request.agent] = {tool.name for tool in request.tools}
        if self.hold is not None:
            await self.hold.wait()
        await checkpoint()
        said = self.says.get(request.agent, f"{request.agent} spoke")
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, ModelReply) else ModelReply(said)

    prompts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    tools: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


@dataclass
class Home:
    """A system with its log and its model."""

    system: System
    store: MemoryStore
    model: Echo

    async def group(self, *members: str, pattern: Pattern | None = None, **more: object) -> GroupRef:
        """Start the group `g`."""
        agents = [Agent(name) for name in members]
        return await self.system.start(Group("g", agents, pattern or RoundRobin(), **more))  # type: ignore[arg-type]

    async def rest(self) -> None:
        """Wait until nothing is open and nothing runs."""
        while (await self.system.pending()).items:
            await checkpoint()
        await self.system.quiet()

    async def agent(self, name: str) -> AgentState:
        return await self.system.look(f"agent-{name}")

    async def blocks(self, *names: str) -> dict[str, list[str]]:
        """Return the labels of the blocks that each agent has now."""
        await self.rest()
        found: dict[str, list[str]] = {}
        for name in names:
            spec = (await self.agent(name)).spec
            found[name] = [use.label for use in spec.blocks] if spec else []
        return found


@asynccontextmanager
async def home(model: Echo | None = None) -> AsyncGenerator[Home]:
    store, model = MemoryStore(), model or Echo()
    async with System.open(store, model=model) as system:
        yield Home(system, store, model)
