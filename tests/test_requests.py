"""A request to a model stays what it was when it was recorded, also that of a call that was given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio

from callboard import Agent, MemoryStore, ModelReply, ModelRequest, RequestFailed, System
from callboard.actors.model import Message
from callboard.projections.request import rebuilt


class Late:
    """A model whose first call never ends, and looks at its request when the second one has come."""

    def __init__(self) -> None:
        self.requests = list[Sequence[Message]]()
        self.came = anyio.Event()

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        self.requests.append(request.messages)
        self.came.set()
        if len(self.requests) == 1:
            await anyio.sleep_forever()
        return ModelReply("well")


async def test_the_request_of_a_cancelled_call_does_not_grow_with_the_next_turn() -> None:
    store, model = MemoryStore(), Late()
    with anyio.fail_after(10):
        async with System.open(store, model=model, grace=0) as system:
            ref = await system.start(Agent("a"))

            async def ask() -> None:
                with suppress(RequestFailed):
                    await ref.ask("first", key="k1")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await model.came.wait()
                await ref.cancel("k1")
            await ref.ask("second", key="k2")
    started = [event async for event in store.read_all() if event.type == "ModelCallStarted"]
    assert [await rebuilt(store, e.stream, e.version) for e in started] == [list(one) for one in model.requests]
