"""An actor that begins again while it is at work."""

from collections.abc import Sequence

import anyio

from callboard import Agent, Block, System
from callboard.actors.block import BlockActor
from callboard.actors.commands import Cancel, Receive
from callboard.actors.testing import ScriptedModel
from callboard.events import EventStore, MemoryStore, NewEvent, RecordedEvent, Text


class SlowStore(MemoryStore):
    """A store whose appends wait, and come to their end whatever becomes of their caller, as those of a file do."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False
        self.arrived, self.go_on = anyio.Event(), anyio.Event()

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        if self.slow and stream == "agent-a":
            self.slow = False
            self.arrived.set()
            with anyio.CancelScope(shield=True):
                await self.go_on.wait()
                return await super().append(stream, events, expected_version=expected_version)
        return await super().append(stream, events, expected_version=expected_version)


async def test_an_actor_that_begins_again_waits_for_the_append_of_the_one_before() -> None:
    store = SlowStore()
    async with System.open(store, model=ScriptedModel({"a": ["one"]})) as system:
        a = await system.start(Agent("a", "You are a."))
        store.slow = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(a.tell, "hello")
            await store.arrived.wait()
            system.restart("agent-a")
            store.go_on.set()
        await system.quiet()
        assert not (await system.pending()).items


async def test_who_looks_at_an_actor_that_stopped_before_it_began_gets_the_next_one() -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        await system.start(Block("plan", "x"))

        async def stop() -> None:
            system.restart("block-plan")

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(system.look, "block-plan")
                tasks.start_soon(stop)
                system.restart("block-plan")  # its task is made now, and runs after these two


async def test_an_edit_and_its_cancel_in_one_step_are_one_event() -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        await system.start(Block("plan", "x"))
        edit = Receive("k/plan", "user", "edit", edit="memory_append", arguments=Text('{"label":"plan","text":"y"}'))
        block = BlockActor("block-plan", system)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(block.deliver, edit)
            tasks.start_soon(block.deliver, Cancel("k/plan", "user"))
        assert await kinds(system.store, "block-plan") == ["BlockStarted", "BlockEdited"]


async def kinds(store: EventStore, stream: str) -> list[str]:
    return [event.type async for event in store.read_stream(stream)]
