"""What a scenario of the campaigns is: specs, a scripted model that is a pure function, and a client."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypedDict

import anyio

from callboard import Agent, Archive, Block, Finish, Group, ModelReply, ModelRequest, Speak, System
from callboard.actors.breaker import Breaker
from callboard.actors.model import Model
from callboard.actors.outside import Outside
from callboard.actors.testing import words_in
from callboard.actors.watch import Watch
from callboard.events import EventStore, Text
from callboard.projections import GroupState

from .world import Script


class Options(TypedDict, total=False):
    """Of `System.open`."""

    calls_at_once: int
    breaker: Breaker | None


@dataclass(frozen=True)
class Scenario:
    """`drive` is a client that asks for everything again after each crash, under the same keys.

    Attributes:
        person: Decides, all the while, what waits for a person.
        options: What the system is opened with besides.
        watch: What is done about loops while it runs.
        loose: Whether it is a race that may end in several ways, so that only what holds of any log is checked.
    """

    name: str
    specs: tuple[Agent | Group | Block | Archive, ...]
    script: Script
    drive: Callable[[System], Awaitable[list[str]]]
    loose: bool = False
    person: Callable[[System], Coroutine[None, None, None]] | None = None
    options: Options = field(default_factory=Options)
    watch: Watch | None = None

    def opened(self, store: EventStore, model: Model, outside: Outside) -> AbstractAsyncContextManager[System]:
        """Return a system on `store`, opened as this scenario wants it."""
        return System.open(store, model=model, outside=outside, watch=self.watch, **self.options)


@asynccontextmanager
async def beside(scenario: Scenario, system: System) -> AsyncGenerator[None]:
    """Let the person of `scenario`, if there is one, decide all that waits meanwhile."""
    async with anyio.create_task_group() as tasks:
        if scenario.person is not None:
            tasks.start_soon(scenario.person, system)
        yield
        tasks.cancel_scope.cancel()


Wants = Mapping[str, Sequence[tuple[str, Mapping[str, object]]]]


def script(wants: Wants, *, failing: tuple[str, ...] = ()) -> Script:
    """Return a model that uses the tools of its agent once a turn, then says what it heard."""

    def reply(request: ModelRequest) -> ModelReply:
        if request.summarises:
            return ModelReply(f"{request.agent} heard {request.summarises} lines")
        lines = [message for message in request.messages if not words_in(message).startswith("callboard:")]
        last = max(i for i, message in enumerate(lines) if message["role"] == "user")
        reason = "fail" if request.agent in failing else "stop"
        if last == len(lines) - 1 and (uses := wants.get(request.agent)):
            calls = [(name, json.dumps(arguments)) for name, arguments in uses]
            return ModelReply("", calls, finish_reason=reason)
        heard = words_in(lines[last]).splitlines()[-1][:60]
        return ModelReply(f"{request.agent} on ({heard})", finish_reason=reason)

    return reply


@dataclass(frozen=True)
class Everyone:
    """A user's own pattern: all speak at once; the answer is what all said, in the order of the members."""

    def next(self, group: GroupState) -> Speak | Finish:
        """Return all members, then their answers. Pure."""
        if not group.assigned:
            return Speak(group.members)
        said = sorted(group.said, key=lambda said: said.turn)
        return Finish(Text("\n".join(f"{one.speaker}: {one.text}" for one in said)), "all")


def asking(name: str) -> Callable[[System], Awaitable[list[str]]]:
    """Return a client with one request."""

    async def drive(system: System) -> list[str]:
        return [(await system[name].ask("go", key="k1")).text]

    return drive


def agent(name: str, *tools: object, blocks: tuple[Block, ...] = ()) -> Agent:
    return Agent(name, f"You are {name}.", tools=tools, blocks=blocks)  # type: ignore[arg-type]
