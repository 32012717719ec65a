"""Actors whose code cannot be found wait for it, and say so."""

import anyio
import pytest

from callboard import Agent, MemoryStore, ModelReply, System
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import ActorParked, NewEvent, Text
from callboard.events.catalog import AgentStarted, GroupStarted, MessageReceived, Part
from callboard.events.specs import AgentSpec, GroupSpec, MemberUse, PatternSpec, ToolSpec

PARTS = (Part("user", Text("Go.")),)


async def log_of(*events: tuple[str, object]) -> MemoryStore:
    store = MemoryStore()
    versions: dict[str, int] = {}
    for stream, event in events:
        await store.append(stream, [NewEvent(event)], expected_version=versions.get(stream, 0))  # type: ignore[arg-type]
        versions[stream] = versions.get(stream, 0) + 1
    return store


def spec() -> AgentSpec:
    return AgentSpec(name="writer", tools=(ToolSpec(name="count", code="no_such_module:count"),))


async def test_a_parked_actor_is_named_and_whoever_asks_is_told() -> None:
    store = await log_of(("agent-writer", AgentStarted(spec=spec())))
    async with System.open(store, model=ScriptedModel({})) as system:
        await system.look("agent-writer")
        assert "no_such_module:count" in system.parked()["agent-writer"]
        writer = system["writer"]
        with pytest.raises(ActorParked, match="is parked: the code"):
            await writer.ask("Go.")


async def test_open_work_of_a_parked_actor_goes_on_when_it_is_started() -> None:
    asked = MessageReceived(id="k/writer", sender="user", parts=PARTS)
    store = await log_of(("agent-writer", AgentStarted(spec=spec())), ("agent-writer", asked))

    def count(text: str) -> int:
        return len(text)

    model = ScriptedModel({"writer": [calls(("count", {"text": "abc"})), "Three."]})
    async with System.open(store, model=model) as system:
        writer = await system.start(Agent("writer", tools=[count]))
        assert (await writer.ask("Go.", key="k")).text == "Three."
        assert system.parked() == {}


async def test_a_group_whose_pattern_is_gone_is_parked() -> None:
    pattern = PatternSpec(code="no_such_module:Pattern")
    store = await log_of(
        ("group-g", GroupStarted(spec=GroupSpec(name="g", members=(MemberUse(stream="agent-a"),), pattern=pattern)))
    )
    async with System.open(store, model=ScriptedModel({})) as system:
        await system.look("group-g")
        assert "no_such_module" in system.parked()["group-g"]


async def test_a_member_that_is_parked_makes_its_group_wait_until_it_is_started() -> None:
    group = GroupSpec(
        name="g",
        members=(MemberUse(stream="agent-writer"),),
        pattern=PatternSpec(code="callboard.actors.patterns:RoundRobin"),
    )
    store = await log_of(("agent-writer", AgentStarted(spec=spec())), ("group-g", GroupStarted(spec=group)))
    model = ScriptedModel({"writer": [ModelReply("Here.")]})
    async with System.open(store, model=model) as system, anyio.create_task_group() as tasks:
        essay = system["g"]

        async def ask() -> None:
            assert (await essay.ask("Go.")).text == "Here."

        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        await system.start(Agent("writer"))
