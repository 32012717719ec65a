"""The life of blocks in people's hands (T34, T35, T37-T40): in a system, and over its log again."""

from __future__ import annotations

import json

import pytest

from callboard import Agent, Block, MemoryStore, ModelReply, RequestFailed, System
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import NewEvent, NoSuchBlock, NoSuchVersion, SpecError, Text, TextRefused
from callboard.events.catalog import BlockEdited, BlockRetired, BlockStarted
from callboard.events.specs import BlockSpec

from .block_homes import APPEND, as_folded, prompt
from .forgeries import head_of
from .homes import Echo, home
from .logs import checked, rows_of

pytestmark = pytest.mark.anyio

# -- tags, metadata, limits -------------------------------------------------------------------------


async def test_blocks_are_found_by_all_of_some_tags_by_any_and_by_words() -> None:
    async with home() as here:
        await here.system.start(Block("plan", tags={"team", "now"}, description="What is next"))
        await here.system.start(Block("rules", tags=["team"]))
        await here.system.start(Block("notes"))

        async def names(**wanted: object) -> list[str]:
            return [block.name for block in await here.system.blocks(**wanted)]  # type: ignore[arg-type]

        assert await names() == ["notes", "plan", "rules"]
        assert await names(match_all=["team", "now"]) == ["plan"]
        assert await names(match_all=["team", "team"]) == ["plan", "rules"]
        assert await names(match_some=["now", "never"]) == ["plan"]
        assert await names(match_all=["never"]) == []
        assert await names(text="NEXT") == ["plan"]


async def test_tags_and_metadata_alone_leave_the_version_that_prompts_show() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "a"))
        await plan.configure(tags=["x"], metadata={"owner": {"name": "Ana"}})
        state = await here.system.look("block-plan")
        assert (state.version, state.events, state.spec.tags) == (1, 2, ("x",))
        await plan.configure(description="What is next")
        assert (await here.system.look("block-plan")).version == 3
        await plan.configure(description="What is next")  # as it is
        assert (await here.system.look("block-plan")).events == 3
        await as_folded(here)


async def test_a_lower_limit_lets_the_value_stand_and_not_grow() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "123456", limit=10))
        await plan.configure(limit=3)
        assert await plan.value() == "123456"
        with pytest.raises(RequestFailed, match=r"would hold 8 characters, 5 over its limit of 3"):
            await plan.append("7")
        await plan.rewrite("12345")
        assert (await plan.spec()).limit == 3


async def test_starting_the_same_spec_again_changes_nothing_that_people_changed() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "a", limit=10))
        await plan.configure(limit=20, tags=["x"])
        await plan.rename("schedule")
        before = (await here.system.look("block-plan")).events
        await here.system.start(Block("plan", "a", limit=10))
        assert (await here.system.look("block-plan")).events == before
        await here.system.start(Block("plan", "b", limit=10, description="new"))
        spec = await plan.spec()
        assert (spec.label, spec.limit, spec.tags, spec.description) == ("schedule", 20, ("x",), "new")
        await as_folded(here)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"limit": 0}, "has limit 0; at least 1"),
        ({"limit": "9"}, "has limit '9'"),
        ({"tags": "team"}, "tags of block 'plan' are 'team'; a set of strings"),
        ({"tags": [""]}, "a tag of block 'plan' is empty"),
        ({"tags": [5]}, "a tag of block 'plan' is int"),
        ({"metadata": {"a": float("nan")}}, "no JSON object"),
        ({"metadata": {"a": object()}}, "no JSON object"),
        ({"metadata": {"a": "\ud800"}}, "no JSON object"),
        ({"description": "a\0b"}, "holds a NUL"),
        ({"locked": 1}, "True or False is wanted"),
    ],
)
async def test_what_a_block_cannot_be_is_refused_when_declared_and_when_changed(
    fields: dict[str, object], why: str
) -> None:
    with pytest.raises(SpecError, match=why):
        Block("plan", **fields)  # type: ignore[arg-type]
    async with home() as here:
        plan = await here.system.start(Block("plan"))
        with pytest.raises(SpecError, match=why):
            await plan.configure(**fields)  # type: ignore[arg-type]
        assert (await here.system.look("block-plan")).events == 1


@pytest.mark.parametrize("label", ['say "hi"', "a/b", "a\nb", "x" * 1_000, "", " plan", "<block>", "user", 5])
async def test_labels_that_cannot_be_are_refused(label: str) -> None:
    with pytest.raises(SpecError, match="cannot be the name of a block"):
        Block(label)
    async with home() as here:
        plan = await here.system.start(Block("plan"))
        with pytest.raises(SpecError, match="cannot be the name of a block"):
            await plan.rename(label)


# -- locked -----------------------------------------------------------------------------------------


async def test_a_locked_block_is_edited_by_people_and_not_by_agents() -> None:
    model = ScriptedModel({"a": [calls(("memory_append", {"label": "plan", "text": "x"})), "done"] * 2})
    async with System.open(MemoryStore(), model=model) as system:
        await system.start(Agent("a", blocks=[Block("plan", "one", locked=True)]))
        await system["a"].ask("go")
        told = words_in(model.requests[1].messages[-1])
        assert told == "refused: 'plan' is read-only for agents; a person can edit it"
        assert 'access="read-only"' in words_in(model.requests[0].messages[0])
        assert (await system.block("plan").append("two")).startswith("done")
        await system.block("plan").configure(locked=False)
        await system["a"].ask("go")
        assert await system.block("plan").value() == "one\ntwo\nx"


# -- retire -----------------------------------------------------------------------------------------


async def test_a_retired_block_takes_no_edits_and_stands_in_no_prompt_and_keeps_its_history() -> None:
    async with home(Echo({"a": APPEND})) as here:
        await here.system.start(Agent("a", blocks=[Block("plan", "tides"), Block("notes")], max_steps=2))
        plan = here.system.block("plan")
        await plan.append("more")
        await plan.retire(by="Ana")
        await plan.retire()  # twice is once
        assert "tides" not in await prompt(here, "a")
        with pytest.raises(RequestFailed, match="'plan' is retired"):
            await plan.append("x")
        history = await plan.history()
        assert [(v.verb, v.editor) for v in history.versions if not v.refused][-1] == ("retire", "Ana")
        refused = {v.refused for v in history.versions if v.by == "agent-a"}
        assert refused == {"refused: the memory block 'plan' is retired"}
        assert [block.name for block in await here.system.blocks()] == ["notes"]
        with pytest.raises(SpecError, match="is retired; start it to bring it back"):
            await here.system["a"].attach("plan")
        await as_folded(here)


async def test_a_retired_block_comes_back_with_what_it_held_when_it_is_started_by_itself() -> None:
    async with home() as here:
        spec = Agent("a", blocks=[Block("plan", "tides")])
        await here.system.start(spec)
        plan = here.system.block("plan")
        await plan.append("more")
        await plan.retire()
        await here.system.start(spec)
        assert "tides" not in await prompt(here, "a")
        await here.system.start(Block("plan", "other"))
        assert await plan.value() == "tides\nmore" and "more" in await prompt(here, "a")
        await as_folded(here)


async def test_an_end_that_comes_again_under_its_key_ends_no_block_that_came_back() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "tides"))
        for _ in range(2):
            await plan.retire(key="end")
            await here.system.start(Block("plan"))
        assert await plan.append("more")
        await as_folded(here)


async def test_the_end_of_an_agent_touches_no_block() -> None:
    async with home() as here:
        plan = Block("plan", "tides")
        for name in ("a", "b"):
            await here.system.start(Agent(name, blocks=[plan, Block("own", "mine", owned=True)]))
        before = (await here.system.look("block-plan")).events
        await here.system["a"].retire()
        assert (await here.system.look("block-plan")).events == before
        assert "tides" in await prompt(here, "b")
        assert await here.system.block("a.own").value() == "mine"


# -- what was ---------------------------------------------------------------------------------------


async def test_a_block_tells_what_it_held_at_any_version_and_position() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "one"))
        await plan.append("two", by="Ana")
        with pytest.raises(RequestFailed):
            await plan.replace("three", "3")
        await plan.append("four")
        events = [event async for event in here.store.read_stream("block-plan")]
        assert [await plan.at(version=event.version) for event in events] == [
            "one", "one\ntwo", "one\ntwo", "one\ntwo\nfour",
        ]  # fmt: skip
        assert [await plan.at(position=e.position) for e in events] == [
            await plan.at(version=e.version) for e in events
        ]
        assert await plan.difference(1, 2) == (" one", "+two")
        assert await plan.difference(2) == (" two", "+four")
        assert [v.editor for v in (await plan.history()).versions] == ["", "Ana", "user", "user"]
        with pytest.raises(NoSuchVersion, match="has no version 5; it has 1 to 4"):
            await plan.at(version=5)
        with pytest.raises(NoSuchVersion, match="began at position"):
            await plan.at(position=1)
        with pytest.raises(SpecError, match="either a version or a position"):
            await plan.at()


async def test_undo_and_redo_are_edits_and_end_clearly_at_either_end() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "one"))
        with pytest.raises(RequestFailed, match="there is nothing to undo"):
            await plan.undo()
        with pytest.raises(RequestFailed, match="there is nothing to redo"):
            await plan.redo()
        await plan.append("two")
        assert (await plan.undo(by="Ana", key="u1")).startswith("done")
        assert await plan.undo(by="Ana", key="u1") == await plan.undo(by="Ana", key="u1")  # a key counts once
        assert await plan.value() == "one"
        await plan.redo()
        assert await plan.value() == "one\ntwo"
        with pytest.raises(RequestFailed, match="there is nothing to redo: the newest edit is no undo"):
            await plan.redo()
        steps = [(v.verb, v.of, v.diff) for v in (await plan.history()).versions if v.of]
        assert steps == [("undo", 4, (" one", "-two")), ("redo", 4, (" one", "+two"))]
        await as_folded(here)


async def test_an_agent_neither_undoes_nor_sees_what_was_undone() -> None:
    undo = ModelReply("", [("undo", json.dumps({"label": "plan", "of": 2}))])
    async with home(Echo({"a": undo})) as here:
        await here.system.start(Agent("a", blocks=[Block("plan", "one")], max_steps=2))
        await here.system.block("plan").append("two")
        await here.system.block("plan").undo()
        read = await prompt(here, "a")
        assert "two" not in read and "there is no tool 'undo'" in read


# -- what cannot be stored --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_what_cannot_be_stored_is_refused_from_people_and_changes_nothing(text: str) -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "one"))
        for edit in (plan.append(text), plan.replace(text, "x"), plan.insert(0, text), plan.rewrite(text)):
            with pytest.raises(TextRefused, match="NUL character or half of a surrogate pair"):
                await edit
        with pytest.raises(TextRefused, match="cannot be the name"):
            await plan.append("x", by=text)
        assert (await here.system.look("block-plan")).events == 1


async def test_ten_megabytes_are_held_where_the_limit_lets_them_and_refusals_stay_short() -> None:
    async with home() as here:
        big = await here.system.start(Block("big", limit=11_000_000))
        await big.append("tide " * 2_000_000)
        assert len(await big.value()) == 10_000_000
        with pytest.raises(RequestFailed) as refused:
            await big.replace("nowhere " * 1_000, "")
        assert len(refused.value.text) <= 2_000
        small = await here.system.start(Block("small"))
        with pytest.raises(RequestFailed, match="10,000,000 characters, 9,995,000 over its limit of 5,000"):
            await small.append("tide " * 2_000_000)


async def test_a_block_that_nobody_started_is_named_with_those_that_there_are() -> None:
    async with home() as here:
        await here.system.start(Block("plan"))
        nobody = here.system.block("nobody")
        for wrong in (nobody.value(), nobody.append("x"), nobody.undo(), nobody.rename("x"), nobody.configure(limit=5)):
            with pytest.raises(NoSuchBlock, match=r"there is no block 'nobody' in this log; there are: block-plan"):
                await wrong


async def test_verify_finds_an_edit_of_a_block_that_is_retired() -> None:
    store, spec = MemoryStore(), BlockSpec(name="plan", label="plan", limit=9)
    edit = BlockEdited(id="e/plan", to="user", verb="memory_append", at=0, put=Text("x"), size=1, limit=9)
    events = [NewEvent(BlockStarted(spec=spec)), NewEvent(BlockRetired(id="r/plan")), NewEvent(edit)]
    await store.append("block-plan", events, expected_version=0)
    rows = rows_of(store)
    found = checked(rows, head_of(rows)).findings.kept
    assert [(one.position, one.check, one.found) for one in found] == [
        (rows[-1].position, "group", "'e/plan' is edited")
    ]
