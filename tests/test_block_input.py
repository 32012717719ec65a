"""What people and models say of blocks by mistake: an answer that says why, nothing lost, and no block that stops."""

from __future__ import annotations

import json
from asyncio import gather
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from callboard import Agent, Block, Board, RequestFailed, System
from callboard.actors import editing, inbox
from callboard.actors.block_ref import BlockRef
from callboard.actors.schema import faults_of
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import KeyReused, NoSuchBlock, NoSuchVersion, SpecError, SQLiteStore, TextRefused
from callboard.projections.block import difference
from callboard.scripts.main import main

from .homes import home

pytestmark = pytest.mark.anyio

# -- versions and positions -------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [9, -1])
async def test_a_version_that_there_is_not_cannot_have_been_read(seen: int) -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "one"))
        await plan.append("two", by="Ana")
        why = f"no version {seen} that you can have read; it has 1 to"
        for edit in (plan.rewrite("all new", seen=seen, by="Bob"), plan.insert(1, "x", seen=seen, by="Bob")):
            with pytest.raises(RequestFailed, match=why):
                await edit
        assert await plan.value() == "one\ntwo"


async def test_there_is_no_value_past_the_end_of_the_log() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "one"))
        end = here.system.store.position
        assert await plan.at(position=end) == "one"
        with pytest.raises(NoSuchVersion, match=rf"no value at position {end + 1}; the log has positions 1 to {end}"):
            await plan.at(position=end + 1)


async def test_a_block_that_nobody_started_has_no_history() -> None:
    async with home() as here:
        await here.system.start(Block("plan"))
        nobody = here.system.block("nobody")
        for wrong in (nobody.history(), nobody.at(version=1), nobody.difference(1)):
            with pytest.raises(NoSuchBlock, match="there is no block 'nobody'"):
                await wrong


async def test_the_command_line_shows_no_value_past_the_end_of_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with System.open(tmp_path / "team.db", model=ScriptedModel({})) as system:
        await system.start(Block("plan", "one"))
    words = ["memory", "show", str(tmp_path / "team.db"), "plan", "--at", "99"]
    assert await anyio.to_thread.run_sync(main, words) == 2
    assert "the log has positions 1 to" in capsys.readouterr().err


# -- differences ------------------------------------------------------------------------------------

DIFFERENCES = [
    ("a\r\nb", "a\nb", ("-a\r", "+a", " b")),
    ("a", "a\n", (" a", "+")),
    ("a\n", "a", (" a", "-")),
    ("", "\n", ("+",)),
    ("a\x0cb\u2028c", "a\nb", ("-a\x0cb\u2028c", "+a", "+b")),
    ("a\n---\nb", "a\nb", (" a", "----", " b")),
    ("a", "a\n-- b\n++ c", (" a", "+-- b", "+++ c")),
    ("@@ x", "@@ y", ("-@@ x", "+@@ y")),
    ("a", "a", ()),
]


@pytest.mark.parametrize(("old", "new", "told"), DIFFERENCES)
def test_a_difference_shows_every_line_that_differs_whatever_it_begins_or_ends_with(
    old: str, new: str, told: tuple[str, ...]
) -> None:
    assert difference(old, new) == told


async def test_the_history_shows_what_is_written_into_an_empty_line_as_the_difference_does() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "a\n\nb\nc"))
        await plan.replace("a\n\nb", "a\nx\nb")
        await plan.replace("b\n", "b\n\n")
        versions = (await plan.history()).versions
        found = [difference(old.value, new.value) for old, new in pairwise(versions)]
        assert [one.diff for one in versions[1:]] == found == [(" a", "-", "+x", " b"), (" b", "+", " c")]


# -- people and tasks -------------------------------------------------------------------------------


async def test_of_two_people_who_claim_one_task_one_has_it_by_name() -> None:
    async with home() as here:
        tasks = await here.system.start(Board(value={"active_tasks": [{"id": "t1", "description": "map"}]}))
        await tasks.edit("task_claim", id="t1", by="Ana")
        with pytest.raises(RequestFailed, match=r"Ana has t1 \(in_progress\); claim another"):
            await tasks.edit("task_claim", id="t1", by="Bob")
        with pytest.raises(RequestFailed, match="it is not yours to take"):
            await tasks.edit("task_update", id="t1", assigned_to="Bob", by="Bob")
        [task] = json.loads(await tasks.value())["active_tasks"]
        assert task["assigned_to"] == "Ana"


async def test_a_board_says_which_person_changed_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with System.open(tmp_path / "team.db", model=ScriptedModel({})) as system:
        tasks = await system.start(Board(value={"active_tasks": [{"id": "t1", "description": "map"}]}))
        await tasks.edit("task_update", id="t1", status="pending", by="Ana")
    words = ["memory", "board", str(tmp_path / "team.db")]
    assert await anyio.to_thread.run_sync(main, words) == 0
    assert "Ana changed it @" in capsys.readouterr().out
    assert await anyio.to_thread.run_sync(main, [*words, "--json"]) == 0
    [task] = json.loads(capsys.readouterr().out)["boards"]["tasks"]["tasks"]
    assert task["changed"]["by"] == "Ana"


# -- JSON -------------------------------------------------------------------------------------------

HALVES: JsonValue = {"type": "object", "properties": {"a": {"multipleOf": 0.5}}}
HUGE = f'{{"a": 1{"0" * 400}}}'


def test_a_number_that_a_schema_cannot_check_is_a_fault() -> None:
    assert "a number in it cannot be checked" in faults_of(json.loads(HUGE), HALVES)  # type: ignore[arg-type]


async def test_an_edit_that_a_schema_cannot_check_is_refused_and_the_block_goes_on(tmp_path: Path) -> None:
    label = {"label": "facts"}
    model = ScriptedModel({"a": [calls(("memory_rewrite", {**label, "text": HUGE})), "Too much."]})
    async with System.open(tmp_path / "team.db", model=model) as system:
        await system.start(Agent("a", blocks=[Block("facts", schema=HALVES)]))  # type: ignore[arg-type]
        with anyio.fail_after(5):
            assert (await system["a"].ask("go")).text == "Too much."
            await system.block("facts").rewrite('{"a": 1.5}')
        refused = (await system.block("facts").history()).versions[1].refused
        assert "a number in it cannot be checked by the schema" in refused


class Named(BaseModel):
    model_config = ConfigDict(extra="forbid")
    my_list: list[int] = Field(default=[], alias="myList")


def test_a_block_begins_with_the_names_that_its_schema_has() -> None:
    assert Block("facts", schema=Named).value == '{\n "myList": []\n}'


@pytest.mark.parametrize("item", [{"a": ["\ud800"]}, {"\ud800": 1}, {"a": "\0"}, {"a": object()}])
async def test_what_no_log_can_hold_is_refused_however_deep_it_stands(item: JsonValue) -> None:
    async with home() as here:
        facts = await here.system.start(Block("facts", schema={"type": "array"}))
        with pytest.raises(TextRefused):
            await facts.edit("memory_item_add", item=item)
        assert len((await facts.history()).versions) == 1


# -- keys -------------------------------------------------------------------------------------------

Asking = Callable[[BlockRef], Awaitable[object]]

OTHERS: list[Asking] = [
    lambda plan: plan.append("two", key="k"),
    lambda plan: plan.append("one", key="k", by="Ana"),
    lambda plan: plan.insert(-1, "one", key="k"),
    lambda plan: plan.undo(key="k"),
    lambda plan: plan.retire(key="k"),
    lambda plan: plan.rename("other", key="r"),
    lambda plan: plan.replace("here", "x", key="f"),
    lambda plan: plan.append("x", key="u"),
]


@pytest.mark.parametrize("other", OTHERS)
async def test_a_key_that_comes_again_with_another_edit_is_no_success(other: Asking) -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan"))
        for _ in range(2):  # the same again is the first one
            await plan.append("one", key="k")
            await plan.rename("schedule", key="r")
            await plan.undo(key="u")
            with pytest.raises(RequestFailed, match="'nowhere' does not stand"):
                await plan.replace("nowhere", "x", key="f")
        before = (await here.system.look("block-plan")).events
        with pytest.raises(KeyReused):
            await other(plan)
        assert (await here.system.look("block-plan")).events == before and (await plan.spec()).label == "schedule"


AT_ONCE: dict[str, tuple[Asking, Asking]] = {
    "another text": (lambda plan: plan.append("one", key="k"), lambda plan: plan.append("two", key="k")),
    "another person": (lambda plan: plan.append("one", key="k"), lambda plan: plan.append("one", key="k", by="Ana")),
    "another label": (lambda plan: plan.rename("first", key="k"), lambda plan: plan.rename("second", key="k")),
}


@pytest.mark.parametrize(("one", "other"), AT_ONCE.values(), ids=AT_ONCE)
async def test_of_two_changes_under_one_key_in_the_same_instant_one_is_made(one: Asking, other: Asking) -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan"))
        first, second, same = await gather(one(plan), other(plan), one(plan), return_exceptions=True)
        assert isinstance(second, KeyReused) and first == same and not isinstance(first, Exception)
        assert (await here.system.look("block-plan")).events == 2


async def test_a_key_counts_for_one_edit_also_in_a_log_that_nobody_has_open(tmp_path: Path) -> None:
    async with System.open(tmp_path / "team.db", model=ScriptedModel({})) as system:
        plan = await system.start(Block("plan"))
        await plan.append("one", key="k")
    async with SQLiteStore.open(tmp_path / "team.db") as store:
        again = inbox.Edit(key="k", block="plan", verb="memory_append", fields={"text": "one"})
        assert (await editing.edit_alone(store, again)).startswith("done")
        with pytest.raises(KeyReused):
            await editing.edit_alone(store, again.model_copy(update={"fields": {"text": "two"}}))


# -- who may edit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"), [({"access": "reed"}, "'read' or 'write' is wanted"), ({"writers": "boss"}, "a tuple of names")]
)
def test_access_that_is_misspelt_is_no_leave_to_write(wrong: dict[str, str], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        Block("plan", **wrong)  # type: ignore[arg-type]


# -- sizes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['"' * 10_000_000, "\n" * 10_000_000])
async def test_ten_million_characters_are_refused_and_the_system_goes_on(text: str, tmp_path: Path) -> None:
    async with System.open(tmp_path / "team.db", model=ScriptedModel({})) as system:
        plan = await system.start(Block("plan", "one"))
        for _ in range(2):
            with pytest.raises(RequestFailed, match="would hold 10,000,000 characters, 9,995,000 over its limit"):
                await plan.rewrite(text, key="k")
        assert await plan.append("two") == "done; the block holds 7 of 5,000 characters now"


async def test_what_no_event_can_hold_is_not_brought_back_and_the_system_goes_on() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", limit=90_000_000))
        await plan.append("x" * 9_000_000)
        await plan.append("y" * 9_000_000)
        await plan.rewrite("z")
        with pytest.raises(RequestFailed, match="a text of more than 16,777,216 bytes; edit less at a time"):
            await plan.undo()
        await plan.append("z")
        assert await plan.value() == "z\nz"


async def test_a_task_that_is_given_to_nobody_can_be_claimed() -> None:
    async with home() as here:
        tasks = await here.system.start(Board())
        await tasks.edit("task_add", description="map", assigned_to="nobody")
        assert "task-001 is yours" in await tasks.edit("task_claim", by="Ana")


async def test_a_listing_pasted_as_the_memory_of_the_user_is_refused() -> None:
    async with home() as here:
        human = await here.system.start(Block("human"))
        with pytest.raises(RequestFailed, match="numbers of a listing, such as '1→'"):
            await human.edit("rethink_user_memory", new_memory="1→ likes tides")
