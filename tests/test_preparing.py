"""What an agent prepares for a model call, and what happens to that while it waits for the only slot."""

from __future__ import annotations

import anyio

from callboard import Agent, Block, MemoryStore, ModelReply, ModelRequest, System, tool
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import ModelError
from callboard.projections.request import rebuilt

from .gated import Gated, Hands, seen

PLAN, NOTES = Block("plan", "one"), Block("notes", "two")


class Narrow(Gated):
    """One that takes a single attempt at a time."""

    at_once = 1


async def asked(system: System, name: str, key: str) -> None:
    await system[name].ask("go", key=key)


async def test_a_block_given_while_a_call_waits_for_the_only_slot_holds_up_no_later_call() -> None:
    model, store = Gated("busy"), MemoryStore()
    with anyio.fail_after(10):
        async with System.open(store, model=model, calls_at_once=1) as system, anyio.create_task_group() as tasks:
            for one in (Agent("busy"), Agent("a", blocks=[PLAN]), Agent("c", blocks=[PLAN]), NOTES):
                await system.start(one)
            tasks.start_soon(asked, system, "busy", "k1")
            await model.begun.wait()
            for key in ("k2", "k3"):
                tasks.start_soon(asked, system, "a", key)
            await seen(store, "ModelCallRequested", 2)
            await system["a"].attach("notes")
            tasks.start_soon(asked, system, "c", "k4")
            await seen(store, "ModelCallRequested", 3)
            model.gate.set()
    assert [request.agent for request in model.requests].count("a") == 2


async def test_a_call_that_is_cancelled_while_it_waits_for_the_only_slot_holds_up_no_later_call() -> None:
    model, store = Gated("busy"), MemoryStore()
    with anyio.fail_after(10):
        async with System.open(store, model=model, calls_at_once=1) as system, anyio.create_task_group() as tasks:
            for one in (Agent("busy"), Agent("a", blocks=[PLAN])):
                await system.start(one)
            tasks.start_soon(asked, system, "busy", "k1")
            await model.begun.wait()
            await system["a"].tell("never mind", key="k2")
            await seen(store, "ModelCallRequested", 2)
            await system.cancel("k2")
            tasks.start_soon(asked, system, "a", "k3")
            await seen(store, "ModelCallRequested", 3)
            model.gate.set()
    assert [request.id for request in model.requests] == ["k1/busy/1", "k3/a/1"]


async def test_who_is_given_another_model_while_it_waits_for_a_slot_asks_that_one_at_once() -> None:
    slow, quick, store = Narrow("busy"), Gated(), MemoryStore()
    with anyio.fail_after(10):
        async with (
            System.open(store, model=slow, models={"quick": quick}) as system,
            anyio.create_task_group() as tasks,
        ):
            for one in (Agent("busy"), Agent("a", blocks=[PLAN])):
                await system.start(one)
            tasks.start_soon(asked, system, "busy", "k1")
            await slow.begun.wait()
            await system["a"].tell("go", key="k2")
            await seen(store, "ModelCallRequested", 2)
            await system.start(Agent("a", blocks=[PLAN], model="quick"))
            await seen(store, "ModelCallFinished")
            assert [request.id for request in quick.requests] == ["k2/a/1"]
            slow.gate.set()


class Failing:
    """One that fails at the first attempt."""

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        """Reply."""
        if request.attempt == 1:
            raise ModelError("overloaded: 4711", kind="server", retry=True)
        return ModelReply("done")


async def test_a_call_is_tried_again_though_why_it_failed_was_erased_meanwhile() -> None:
    hands, store = Hands(), MemoryStore()
    with anyio.fail_after(10):
        async with System.open(store, model=Failing(), outside=hands.outside) as system:
            await system.start(Agent("a"))
            await system["a"].tell("go")
            await seen(store, "ModelAttemptFailed")
            await system.redact([store.position], reason="a secret")
            await system.look("agent-a")
            hands.move(60)
            await seen(store, "TurnFinished")


async def test_a_block_that_is_only_to_be_read_from_now_on_is_shown_as_that() -> None:
    begun, gate = anyio.Event(), anyio.Event()

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        begun.set()
        await gate.wait()
        return "seen"

    edits = calls(("memory_append", {"label": "plan", "text": "more"}), ("look", {}))
    model, store = ScriptedModel({"a": [edits, "done"]}), MemoryStore()
    async with System.open(store, model=model) as system, anyio.create_task_group() as tasks:
        a = await system.start(Agent("a", tools=[look], blocks=[PLAN]))
        tasks.start_soon(asked, system, "a", "k1")
        await begun.wait()
        await a.detach("plan")
        await a.attach("plan", read_only=True)
        gate.set()
    starts = [event async for event in store.read_stream("agent-a") if event.type == "ModelCallStarted"]
    read = [await rebuilt(store, event.stream, event.version) for event in starts]
    assert read == [list(request.messages) for request in model.requests]
    assert ["read-only" in str(messages[0]) for messages in read] == [False, True]
