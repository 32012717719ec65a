"""Which agents have a block, and what they call it (T30, T31): given, taken and renamed by people."""

from __future__ import annotations

import pytest

from callboard import Agent, Block, MemoryStore, ModelReply, System
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import NoSuchBlock, SpecError

from .block_homes import APPEND, as_folded, prompt
from .homes import Echo, home

pytestmark = pytest.mark.anyio


# -- rename -----------------------------------------------------------------------------------------


async def test_a_renamed_block_has_its_new_label_in_the_prompt_and_for_the_tools_of_all_who_have_it() -> None:
    async with home() as here:
        plan = Block("plan", "nothing yet")
        for name in ("a", "b"):
            await here.system.start(Agent(name, blocks=[plan, Block("notes")]))
        assert '<block label="plan"' in await prompt(here, "a")
        await here.system.block("plan").rename("schedule")
        for name in ("a", "b"):
            read = await prompt(here, name)
            assert '<block label="schedule"' in read and '<block label="plan"' not in read
        start = [e async for e in here.store.read_stream("agent-a") if e.type == "ModelCallStarted"][-1].data
        assert start.renamed == {"schedule": "plan"} and start.blocks == {"schedule": 2, "notes": 1}  # type: ignore[attr-defined]
        await as_folded(here)


async def test_tools_edit_a_renamed_block_by_its_label_and_the_version_that_was_read_counts() -> None:
    edit = calls(("memory_rewrite", {"label": "schedule", "text": "new"}))
    wrong = calls(("memory_append", {"label": "timetable", "text": "x"}))
    model = ScriptedModel({"a": [wrong, edit, "done"]})
    async with System.open(MemoryStore(), model=model) as system:
        await system.start(Agent("a", blocks=[Block("plan", "old"), Block("notes")]))
        await system.block("plan").append("more")
        await system.block("plan").rename("schedule")
        await system["a"].ask("go")
        told = [words_in(request.messages[-1]) for request in model.requests[1:]]
        assert told[0] == "there is no memory block 'timetable'; there are: schedule, notes"
        assert await system.block("plan").value() == "new"


async def test_a_block_keeps_its_label_through_a_turn_that_it_is_renamed_in() -> None:
    async with home(Echo({"a": APPEND})) as here:
        await here.system.start(Agent("a", blocks=[Block("plan", "old")], max_steps=3))
        plan, held = here.system.block("plan"), here.model

        async def complete(request: object, say: object) -> ModelReply:
            if len(held.requests) == 1:
                await plan.rename("schedule")
            return await Echo.complete(held, request, say)  # type: ignore[arg-type]

        held.complete = complete  # type: ignore[method-assign]
        await here.system["a"].ask("go")
        assert all('label="plan"' in read and "schedule" not in read for read in held.prompts["a"])
        assert await plan.value() == "old\nx\nx\nx"
        held.says = {}
        assert 'label="schedule"' in await prompt(here, "a")


async def test_a_label_that_another_block_of_somebody_has_is_no_new_name() -> None:
    async with home() as here:
        await here.system.start(Agent("a", blocks=[Block("plan"), Block("notes")]))
        await here.system.start(Block("free"))
        with pytest.raises(SpecError, match=r"'a' has 'plan' and another block 'notes' \(block-notes\)"):
            await here.system.block("plan").rename("notes")
        await here.system.block("free").rename("notes")  # nobody has both
        with pytest.raises(SpecError, match="'a' has a block 'notes'"):
            await here.system["a"].attach("free")


async def test_of_two_blocks_that_would_have_one_label_each_has_that_which_its_agent_gave_it() -> None:
    async with home() as here:
        await here.system.start(Agent("b", blocks=[Block("plan", "ours")]))
        await here.system.block("plan").rename("notes")
        await here.system.start(Agent("a", blocks=[Block("plan", "ours"), Block("notes", "mine")]))
        read = await prompt(here, "a")
        assert '<block label="plan"' in read and '<block label="notes"' in read
        assert '<block label="notes"' in await prompt(here, "b")


# -- attach and detach ------------------------------------------------------------------------------


async def test_a_person_gives_an_agent_a_block_with_the_tools_for_it_and_takes_it_away() -> None:
    async with home() as here:
        writer = await here.system.start(Agent("w"))
        await here.system.start(Block("plan", "tides"))
        await writer.attach("plan")
        await writer.attach("plan")  # twice is once
        assert "tides" in await prompt(here, "w") and "memory_append" in here.model.tools["w"]
        await writer.detach("plan")
        assert "tides" not in await prompt(here, "w") and "memory_append" not in here.model.tools["w"]
        assert await here.system.block("plan").value() == "tides"
        types = [e.type async for e in here.store.read_stream("agent-w") if e.type.startswith("Block")]
        assert types == ["BlockAttached", "BlockDetached"]
        await as_folded(here)


async def test_a_block_that_is_attached_to_read_brings_no_tools() -> None:
    async with home() as here:
        writer = await here.system.start(Agent("w"))
        await writer.attach(Block("plan", "tides"), read_only=True)
        await writer.attach(Block("rules", "be kind").read_only())
        assert 'access="read-only"' in await prompt(here, "w") and not here.model.tools["w"]
        with pytest.raises(SpecError, match="with other access; detach it first"):
            await writer.attach("plan")


async def test_a_second_block_of_a_label_that_an_agent_has_is_refused() -> None:
    async with home() as here:
        writer = await here.system.start(Agent("w", blocks=[Block("plan", owned=True)]))
        with pytest.raises(SpecError, match=r"'w' has a block 'plan' \(block-w\.plan\); detach that one, or rename"):
            await writer.attach(Block("plan", "shared"))
        assert "block-plan" not in here.system.streams()
        await here.system.block("w.plan").rename("mine")
        with pytest.raises(SpecError, match="'w' has a block 'plan'"):
            await writer.attach(Block("plan", "shared"))


async def test_what_an_agent_does_not_have_is_not_taken_from_it() -> None:
    async with home() as here:
        writer = await here.system.start(Agent("w", blocks=[Block("plan")]))
        with pytest.raises(SpecError, match="'w' has no block 'rules'; it has: plan"):
            await writer.detach("rules")
        with pytest.raises(NoSuchBlock, match="there is no block 'rules' in this log; there are: block-plan"):
            await writer.attach("rules")


async def test_a_block_of_the_agents_own_spec_stays_away_until_a_person_gives_it_back() -> None:
    async with home() as here:
        spec = Agent("w", blocks=[Block("plan", "tides"), Block("notes")])
        writer = await here.system.start(spec)
        await writer.detach("plan")
        await here.system.start(spec)
        assert await here.blocks("w") == {"w": ["notes"]}
        await here.system.start(Agent("w", "Be brief.", blocks=[Block("plan", "tides"), Block("notes")]))
        assert await here.blocks("w") == {"w": ["notes"]}
        await writer.attach("plan")
        assert await here.blocks("w") == {"w": ["plan", "notes"]}
        await as_folded(here)


async def test_a_person_takes_away_what_a_group_gave_and_a_label_finds_it_after_a_rename() -> None:
    async with home() as here:
        await here.group("a", "b", blocks=[Block("plan")])
        await here.rest()
        await here.system.block("plan").rename("schedule")
        await here.system["a"].detach("schedule")
        assert await here.blocks("a", "b") == {"a": [], "b": ["plan"]}
        await as_folded(here)


async def test_a_group_shares_a_block_that_there_is() -> None:
    async with home() as here:
        group = await here.group("a", "b")
        notes = await here.system.start(Block("notes", "tides"))
        await group.attach(notes, read_only=True)
        assert await here.blocks("a", "b") == {"a": ["notes"], "b": ["notes"]}
        assert 'access="read-only"' in await prompt(here, "a")
