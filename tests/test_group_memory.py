"""Memory that a group shares, and groups that work beside and inside each other."""

from __future__ import annotations

import json

import anyio
import pytest

from callboard import (
    Agent,
    Block,
    Consensus,
    Debate,
    Dynamic,
    Group,
    GroupRef,
    Handoff,
    MemoryStore,
    ModelReply,
    Parallel,
    Pipeline,
    RoundRobin,
    Route,
    Sleeptime,
    Supervisor,
    System,
    tool,
)
from callboard.actors.patterns import Pattern
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import ModelError
from callboard.projections.request import rebuilt

from .harness import open_in, states, unlike
from .homes import Echo, home

pytestmark = pytest.mark.anyio


# -- shared memory ------------------------------------------------------------------------------------


async def test_a_block_reaches_all_at_once_the_manager_those_who_join_and_the_members_of_a_member_group() -> None:
    async with home() as here:
        inner = Group("inner", [Agent("d")])
        group = await here.system.start(
            Group("g", [Agent("a"), inner], Debate(), manager=Agent("boss"), blocks=[Block("plan", "none")])
        )
        await group.add(Agent("late"))
        await here.system.group("inner").add(Agent("e"))
        who = ("a", "boss", "late", "d", "e")
        assert await here.blocks(*who) == {name: ["plan"] for name in who}
        await here.system.block("plan").rewrite("tides at six")
        await group.ask("go")
        assert all("tides at six" in here.model.prompts[name][-1] for name in who)


async def test_a_block_that_is_detached_is_taken_from_all_and_one_that_left_has_it_no_more() -> None:
    async with home() as here:
        group = await here.group("a", "b", "c", blocks=[Block("plan", "none")])
        await group.attach(Block("notes", "none"))
        await group.remove("c")
        assert await here.blocks("a", "b", "c") == {"a": ["plan", "notes"], "b": ["plan", "notes"], "c": []}
        await group.detach("plan")
        assert await here.blocks("a", "b", "c") == {"a": ["notes"], "b": ["notes"], "c": []}
        assert await here.system.block("plan").value() == "none"


async def test_a_block_on_two_groups_stays_while_one_of_them_gives_it() -> None:
    async with home() as here:
        plan, shared = Block("plan", "none"), Agent("shared")
        one = await here.system.start(Group("one", [shared, Agent("a")], blocks=[plan]))
        await here.system.start(Group("two", [shared, Agent("b")], blocks=[plan]))
        await one.detach("plan")
        assert await here.blocks("shared", "a", "b") == {"shared": ["plan"], "a": [], "b": ["plan"]}


async def test_only_those_who_may_write_a_block_get_the_tools_and_others_read_it() -> None:
    async with home() as here:
        group = await here.group("a", "b", blocks=[Block("plan", "none").written_by("a")])
        await group.ask("go")
        assert "memory_append" in here.model.tools["a"] and "memory_append" not in here.model.tools["b"]
        assert "none" in here.model.prompts["b"][-1]
        await group.attach(Block("notes", "none").read_only())
        await here.rest()
        spec = (await here.agent("a")).spec
        assert spec and {use.label: use.read_only for use in spec.blocks} == {"plan": False, "notes": True}


async def test_in_the_background_those_who_join_write_and_the_foreground_reads_what_is_attached() -> None:
    async with home() as here:
        group = await here.group("night", pattern=Sleeptime(), manager=Agent("day"), blocks=[Block("plan", "none")])
        await group.add(Agent("late"))
        await group.attach(Block("notes", "none"))
        await here.rest()
        for name, reads in (("night", False), ("late", False), ("day", True)):
            spec = (await here.agent(name)).spec
            assert spec and {use.label: use.read_only for use in spec.blocks} == {"plan": reads, "notes": reads}, name


async def test_a_block_is_there_before_the_first_request_also_for_who_is_asked_alone() -> None:
    async with home() as here:
        await here.group("a", blocks=[Block("plan", "tides at six")])
        assert await here.blocks("a") == {"a": ["plan"]}
        await here.system["a"].ask("when?")
        assert "tides at six" in here.model.prompts["a"][-1]


# -- groups together ----------------------------------------------------------------------------------


async def test_two_groups_with_a_member_in_common_work_at_once_and_mix_nothing() -> None:
    async with home() as here, anyio.create_task_group() as tasks:
        shared = Agent("shared")
        one = await here.system.start(Group("one", [shared, Agent("a")]))
        two = await here.system.start(Group("two", [shared, Agent("b")]))
        for n in range(3):
            tasks.start_soon(one.ask, f"tides {n}")
            tasks.start_soon(two.ask, f"moons {n}")
        await here.rest()
    assert len(here.model.prompts["shared"]) == 6
    assert "moons" not in here.model.prompts["a"][-1] and "tides" not in here.model.prompts["b"][-1]


def use(name: str, **arguments: str) -> ModelReply:
    return ModelReply("", [(name, json.dumps(arguments))])


INSIDE: list[tuple[Pattern, dict[str, ModelReply | str | Exception]]] = [
    (RoundRobin(), {}),
    (Dynamic(max_turns=1), {"boss": "inner, I think"}),
    (Supervisor(max_rounds=2), {"boss": use("send_message_to_all_agents_in_group", message="go")}),
    (Sleeptime(every=1), {}),
    (Pipeline(), {}),
    (Parallel(), {}),
    (Handoff("inner"), {}),
    (Consensus(["x", "y"]), {"e": "x it is", "a": "x"}),
    (Debate(), {}),
    (Route(default="inner"), {}),
]


@pytest.mark.parametrize(("pattern", "says"), INSIDE, ids=[type(pattern).__name__ for pattern, _ in INSIDE])
async def test_a_group_is_a_member_under_every_pattern(
    pattern: Pattern, says: dict[str, ModelReply | str | Exception]
) -> None:
    async with home(Echo(says)) as here:
        inner = Group("inner", [Agent("d"), Agent("e")])
        group = await here.system.start(
            Group("g", [Agent("a"), inner], pattern, manager=Agent("boss"), blocks=[Block("plan", "none")])
        )
        await group.ask("go")
        await here.rest()
        events = [event async for event in here.store.read_all()]
        assert here.model.prompts["e"] and "none" in here.model.prompts["e"][-1]
        assert not unlike(events) and all(not open_in(state) for state in states(events).values())


async def test_a_manager_that_failed_is_asked_first_again_at_the_next_request() -> None:
    failing = Echo({"boss": ModelError("no key", kind="auth"), "vice": "a, please"})
    async with home(failing) as here:
        group = await here.group("a", pattern=Dynamic(), manager=Agent("boss"), standby=[Agent("vice")])
        for _ in range(2):
            assert (await group.ask("go")).text == "a spoke"
        assert [request.agent for request in failing.requests] == ["boss", "vice", "a"] * 2


async def test_a_block_that_is_taken_away_in_the_middle_of_a_turn_stays_in_that_turns_prompts_as_it_was() -> None:
    @tool(effect="read")
    async def part() -> str:
        """Take the block away."""
        await taken[0].detach("plan")
        await anyio.wait_all_tasks_blocked()
        return "gone"

    taken: list[GroupRef] = []
    script = {"w": [calls(("part", {})), calls(("memory_append", {"label": "plan", "text": "x"})), "done"]}
    store, model = MemoryStore(), ScriptedModel(script)
    group = Group("g", [Agent("w", tools=[part])], RoundRobin(), blocks=[Block("plan", "tides")])
    async with System.open(store, model=model) as system:
        taken.append(await system.start(group))
        assert (await taken[0].ask("go")).text == "done"
    prompts = [str(request.messages[0]["content"]) for request in model.requests]
    assert all("tides" in prompt for prompt in prompts)
    assert "there is no tool 'memory_append'" in str(model.requests[2].messages[-1]["content"])
    starts = [event async for event in store.read_stream("agent-w") if event.type == "ModelCallStarted"]
    assert [(await rebuilt(store, "agent-w", event.version))[0]["content"] for event in starts] == prompts
