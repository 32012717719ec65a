"""A model that is held up until a test lets it go on, and a clock that a test sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio

from callboard import MemoryStore, ModelReply, ModelRequest
from callboard.actors.outside import Outside
from callboard.actors.testing import words_in

START = datetime(2026, 1, 1, tzinfo=UTC)


class Gated:
    """Answers with the last line that it read; of those in `held` only once `gate` is set."""

    def __init__(self, *held: str) -> None:
        self.held, self.gate = held, anyio.Event()
        self.requests: list[ModelRequest] = []
        self.read: list[tuple[str, list[str]]] = []
        self.begun = anyio.Event()

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        self.requests.append(request)
        self.read.append((request.agent, [words_in(line) for line in request.messages[1:]]))
        if request.agent in self.held:
            self.begun.set()
            await self.gate.wait()
        return ModelReply(f"re {request.messages[-1]['content']}")

    def heard(self, agent: str) -> list[str]:
        """Return the last line of each request of an agent, in order."""
        return [lines[-1] for name, lines in self.read if name == agent]

    @property
    def prompts(self) -> list[list[str]]:
        """Return the history of each request, in order."""
        return [lines for _, lines in self.read]


class Hands:
    """A clock that stands still until it is moved; who sleeps wakes when its time has come."""

    def __init__(self) -> None:
        self.time, self.moved = START, anyio.Event()

    @property
    def outside(self) -> Outside:
        return Outside(now=lambda: self.time, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        until = self.time + timedelta(seconds=seconds)
        while self.time < until:
            await self.moved.wait()

    def move(self, seconds: float) -> None:
        """Let so much time pass."""
        self.time += timedelta(seconds=seconds)
        self.moved.set()
        self.moved = anyio.Event()


async def types(store: MemoryStore, id: str) -> list[str]:
    """Return the types of the events about `id`."""
    return [event.type async for event in store.read_all() if event.data.id == id]


async def seen(store: MemoryStore, type: str, count: int = 1) -> None:
    """Wait until the log has so many events of a type."""
    with anyio.fail_after(10):
        async for event in store.subscribe():
            count -= event.type == type
            if not count:
                return
