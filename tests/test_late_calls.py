"""Model calls that go on when their turn is over."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from callboard import MemoryStore, ModelReply, ModelRequest, RequestFailed, System
from callboard.actors.testing import words_in
from callboard.projections.prompt import MARKS

from .scripted import agent


class Slow:
    """A model that looks at its first request only when it is told to."""

    def __init__(self) -> None:
        self.asked, self.look = anyio.Event(), anyio.Event()
        self.first: list[str] = []

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        if not self.asked.is_set():
            self.asked.set()
            with anyio.CancelScope(shield=True):  # a model that cannot be broken off
                await self.look.wait()
            self.first = [words_in(message) for message in request.messages]
        return ModelReply("Yes.")


async def test_a_call_that_was_given_up_does_not_read_what_came_later() -> None:
    model = Slow()
    async with System.open(MemoryStore(), model=model) as system:
        await system.start(agent("a"))

        async def give_up() -> None:
            try:
                await system["a"].ask("first", key="k1")
            except RequestFailed:
                return
            raise AssertionError("it was cancelled")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(give_up)
            await model.asked.wait()
            await system["a"].cancel("k1")
        assert (await system["a"].ask("second", key="k2")).text == "Yes."
        model.look.set()
        await system.quiet()
    assert model.first == [f"You are a.\n\n{MARKS}", "user: first"]
