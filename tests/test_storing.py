"""What goes from a talk or a block into an archive.

T25 and T26: the three tools of VoiceSleeptime's member; of the checklist 9.4 "Memory maintenance: archive old blocks".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from callboard import Agent, Archive, Block, Group, MemoryStore, Sleeptime, System, VoiceSleeptime
from callboard.actors import shelf, storing
from callboard.actors.commands import Receive
from callboard.actors.directory import Told
from callboard.actors.memory import ARCHIVE_LINES, ArchiveLines, decide, maintenance_specs, mark_of
from callboard.actors.patterns import Pattern
from callboard.actors.testing import Scripted, ScriptedModel, calls
from callboard.events import Text
from callboard.events.catalog import (
    BlockEdited,
    BlockEditRefused,
    MessageReceived,
    MessageSent,
    Part,
    PassageInserted,
    RecipientsChosen,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallRequested,
)
from callboard.events.specs import AgentSpec, BlockSpec
from callboard.projections import AgentState, BlockState, Desk, Growing
from callboard.projections.agent import ToolCall
from callboard.projections.block import Change
from callboard.projections.lines import Moved

from .homes import Echo, home

pytestmark = pytest.mark.anyio

FINISH: tuple[str, dict[str, object]] = ("memory_finish_edits", {})
PLAN = Block("plan", "one\ntwo\nthree\nfour")


@dataclass
class Kept:
    """What a run left: its events, the values of its blocks, and what the night was told."""

    store: MemoryStore
    values: dict[str, str] = field(default_factory=dict[str, str])

    async def all(self, kind: type[Any]) -> list[Any]:
        return [event.data async for event in self.store.read_all() if isinstance(event.data, kind)]

    async def told(self, tool: str) -> list[str]:
        """Return what came of the calls of `tool`."""
        ids = {one.id for one in await self.all(ToolCallRequested) if one.tool == tool}
        return [str(one.text) for one in await self.all(ToolCallFinished | ToolCallFailed) if one.id in ids]  # type: ignore[arg-type]


async def night(
    *uses: tuple[str, dict[str, object]],
    pattern: Pattern | None = None,
    blocks: Sequence[Block] = (PLAN,),
    day: Agent | None = None,
    asked: int = 1,
    end: str = "memory_finish_edits",
) -> Kept:
    """Let the background member of a group call tools, in one step each."""
    says: list[Scripted] = [*(calls(one) for one in uses), calls((end, {}))]
    model = ScriptedModel({"day": [f"A{n}" for n in range(asked)], "night": says})
    kept = Kept(MemoryStore())
    made = day or Agent("day", "You answer.")
    pair = Group("pair", [Agent("night")], pattern or Sleeptime(every=1), manager=made, blocks=blocks)
    async with System.open(kept.store, model=model) as system:
        group = await system.start(pair)
        for n in range(asked):
            await group.ask(f"Q{n}")
        await system.quiet()
        kept.values = {block.label: await system.block(block.label).value() for block in blocks}
    return kept


def lines(first: int, last: int, **more: object) -> tuple[str, dict[str, object]]:
    return ("archive_memory", {"label": "plan", "first": first, "last": last, **more})


# -- lines of a block -------------------------------------------------------------------------------


async def test_lines_of_a_block_become_a_passage_of_the_foreground_and_leave_the_block() -> None:
    kept = await night(lines(2, 3, tags=["old"]))
    [passage] = await kept.all(PassageInserted)
    assert (passage.text, passage.tags, passage.metadata) == ("two\nthree", ("old",), {"block": "plan"})
    assert kept.values == {"plan": "one\nfour"}
    [told] = await kept.told("archive_memory")
    assert told == "stored as p1; the lines left the block: done; the block holds 8 of 5,000 characters now"
    assert [event.stream async for event in kept.store.read_all() if event.data == passage] == ["archive-day"]


async def test_it_goes_to_the_archive_that_the_foreground_names() -> None:
    kept = await night(lines(1, 1), day=Agent("day", archive=Archive("team")))
    [chosen] = await kept.all(RecipientsChosen)
    assert chosen.recipients == ("archive-team", "block-plan")
    assert json.loads(chosen.text) == {"content": "one", "tags": [], "metadata": {"block": "plan"}}


async def test_the_text_is_in_the_log_once() -> None:
    kept = await night(lines(1, 2))
    [passage] = await kept.all(PassageInserted)
    [first, _] = [one for one in await kept.all(MessageSent) if one.kind == "edit"]
    [chosen] = await kept.all(RecipientsChosen)
    assert first.arguments.ref == chosen.text.ref and passage.text.ref == (*chosen.text.ref, "content")


@pytest.mark.parametrize(
    ("use", "why"),
    [
        (lines(3, 2), "there are no lines 3 to 2; the block has 4; nothing was stored"),
        (lines(2, 9), "there are no lines 2 to 9; the block has 4; nothing was stored"),
        (lines(0, 1), "bad arguments: first"),
        (lines(1, 1, tags=[""]), "refused: bad arguments: tags.0"),
        (lines(1, 1, tags=["x" * 65]), "the block was left as it is"),
        (("archive_memory", {"label": "nope", "first": 1, "last": 1}), "there is no memory block 'nope'"),
    ],
)
async def test_what_cannot_be_archived_changes_nothing(use: tuple[str, dict[str, object]], why: str) -> None:
    kept = await night(use)
    [told] = await kept.told("archive_memory")
    assert why in told and kept.values["plan"] == PLAN.value and not await kept.all(PassageInserted)


async def moved(held: BlockState) -> str:
    """Return what is said of a call that finds the block so."""
    wanted = call().wanted
    state = AgentState(spec=AgentSpec(name="night"), desk=Desk(turn=TURN))
    asked = ArchiveLines(label="plan", first=1, last=2)
    found = await shelf.of_block(Held(held), state, ToolCall(wanted, "call_1"), asked)  # type: ignore[arg-type]
    assert isinstance(found, Told) and not found.ok
    return found.text


@dataclass
class Held:
    """A system of one block."""

    block: BlockState

    async def look(self, stream: str) -> BlockState:
        return self.block


async def test_lines_are_looked_up_only_where_they_could_leave() -> None:
    spec = HELD.spec
    assert spec is not None
    assert "is read-only" in await moved(replace(HELD, spec=spec.model_copy(update={"read_only": True})))
    assert "holds data, not lines" in await moved(replace(HELD, spec=spec.model_copy(update={"form": "json"})))
    changed = replace(HELD, changes=Growing([Change(8, "agent-zoe", Moved(0, 0, 1))]))
    assert "zoe changed the block since you read it; it reads:\none" in await moved(changed)


async def test_empty_lines_are_not_stored() -> None:
    kept = await night(lines(2, 3), blocks=[Block("plan", "one\n\n \nfour")])
    assert "lines 2 to 3 are empty" in (await kept.told("archive_memory"))[0]


HELD = BlockState(spec=BlockSpec(name="plan", label="plan"), value="one\ntwo\nthree", events=3, version=1)


def cut(stored: str, first: int = 2, last: int = 2, value: str = HELD.value) -> BlockEdited | BlockEditRefused:
    asked = Text(json.dumps({"label": "plan", "first": first, "last": last, "stored": mark_of(stored)}))
    request = Receive("t/1.1.2/plan", "agent-night", "edit", edit=ARCHIVE_LINES, arguments=asked)
    found = decide(replace(HELD, value=value), request)
    assert isinstance(found, BlockEdited | BlockEditRefused)
    return found


@pytest.mark.parametrize(
    ("stored", "first", "last", "at", "gone"),
    [("one", 1, 1, 0, 4), ("two", 2, 2, 4, 4), ("three", 3, 3, 7, 6), ("one\ntwo\nthree", 1, 3, 0, 13)],
)
def test_lines_leave_with_the_end_that_parts_them_from_the_rest(
    stored: str, first: int, last: int, at: int, gone: int
) -> None:
    found = cut(stored, first, last)
    assert isinstance(found, BlockEdited) and (found.at, found.cut, found.put) == (at, gone, "")
    assert found.size == len(HELD.value) - gone


def test_lines_that_are_not_those_any_more_stay() -> None:
    found = cut("two", value="zero\none\ntwo\nthree")
    assert isinstance(found, BlockEditRefused) and "lines 2 to 2 are not those any more" in found.text


def call(*came: tuple[str, bool], sent: int | None = None) -> ToolCall:
    """Return a call of archive_memory that has got so far."""
    asked = Text(json.dumps({"label": "plan", "first": 1, "last": 2}))
    wanted = ToolCallRequested(
        id="k/pair/1/night/2/1", tool=ARCHIVE_LINES, arguments=asked, effect="send", recipient="block-plan", seen=7
    )
    answers = {n: (Text(text), ok) for n, (text, ok) in enumerate(came, start=1)}
    text = Text(storing.arguments("one\ntwo", [], {}))
    return ToolCall(
        wanted, "call_1", "sending", recipients=("archive-day", "block-plan"), text=text, came=answers,
        sent=len(came) if sent is None else sent,
    )  # fmt: skip


TURN = MessageReceived(id="k/pair/1/night", sender="group-pair", kind="turn", parts=())


def test_first_the_passage_then_the_cut_each_under_an_id_of_its_own() -> None:
    [first] = storing.sends(TURN, call(), 16)
    assert (first.id, first.recipient, first.edit) == (
        "k/pair/1/night/2.1.1/day",
        "archive-day",
        "archival_memory_insert",
    )
    assert storing.sends(TURN, call(sent=1), 16) == []
    [second] = storing.sends(TURN, call(("stored as p12", True)), 16)
    assert (second.id, second.recipient, second.edit, second.seen) == (
        "k/pair/1/night/2.1.2/plan",
        "block-plan",
        ARCHIVE_LINES,
        7,
    )
    assert json.loads(second.arguments)["stored"] == mark_of("one\ntwo")


def test_a_passage_that_was_refused_cuts_nothing() -> None:
    refused = call(("refused: a tag is blank", False))
    assert storing.sends(TURN, refused, 16) == []
    assert storing.result(refused) == ("refused: a tag is blank; the block was left as it is", False)


def test_where_the_block_moved_on_the_result_says_what_was_stored() -> None:
    text, ok = storing.result(call(("stored as p12", True), ("refused: it moved on", False)))
    assert (text, ok) == ("stored as p12, but the block was left as it is: refused: it moved on", False)
    text, ok = storing.result(call(("stored as p12", True)))
    assert text.startswith("stored as p12, but the block was left as it is: it was not tried") and not ok


async def test_the_members_of_sleeptime_have_the_tool_and_the_foreground_has_not() -> None:
    async with home(Echo({"night": calls(FINISH)})) as here:
        pair = Group("pair", [Agent("night")], Sleeptime(every=1), manager=Agent("day"), blocks=[PLAN])
        await (await here.system.start(pair)).ask("Q")
        await here.rest()
    made = here.model.tools
    assert {"archive_memory", "memory_summarise", "memory_finish_edits"} <= made["night"]
    assert "rethink_user_memory" not in made["night"] and "archive_memory" not in made["day"]


def test_what_the_block_is_told_of_the_archive_is_no_argument_of_the_model() -> None:
    [tool] = [tool for tool in maintenance_specs() if tool.name == ARCHIVE_LINES]
    assert list(tool.parameters["properties"]) == ["label", "first", "last", "tags"]  # type: ignore[arg-type]


# -- lines of a talk --------------------------------------------------------------------------------


def store(*chunks: tuple[int, int, str]) -> tuple[str, dict[str, object]]:
    named = [{"start_index": first, "end_index": last, "context": context} for first, last, context in chunks]
    return (storing.STORE, {"chunks": named})


async def voice(*uses: tuple[str, dict[str, object]], human: str = "nobody", day: Agent | None = None) -> Kept:
    """Let the member of VoiceSleeptime work on the first two of four exchanges."""
    blocks = [Block("human", human)] if human else [PLAN]
    end = "finish_rethinking_memory"
    return await night(*uses, pattern=VoiceSleeptime(6, 5), blocks=blocks, asked=4, end=end, day=day)


async def test_lines_are_stored_by_their_numbers_with_their_context() -> None:
    kept = await voice(store((1, 2, "hello"), (4, 4, "bye")))
    passages = await kept.all(PassageInserted)
    assert [one.text for one in passages] == ["hello\n\nuser: Q0\nday: A0", "bye\n\nday: A1"]
    assert await kept.told(storing.STORE) == ["lines 1 to 2: stored as p1\nlines 4 to 4: stored as p2"]
    assert [one.id.rsplit("/", 2)[1] for one in passages] == ["1.1.1", "1.1.2"]


async def test_a_chunk_that_cannot_be_stored_lets_none_be_stored() -> None:
    kept = await voice(store((1, 2, "fine"), (3, 2, "x"), (3, 5, "x"), (9, 12, "x")), store((1, 2, "")), store())
    first, second, third = await kept.told(storing.STORE)
    assert "chunk 2: lines 3 to 2 are out of order" in first
    assert "chunk 3: lines 3 to 5 do not all leave the window; lines 1 to 4 leave" in first
    assert "chunk 4: there are no lines 9 to 12; the last one is 8; nothing was stored" in first
    assert "chunks.0.context" in second and "chunks" in third
    assert not await kept.all(PassageInserted)


async def test_the_block_about_the_user_is_rewritten() -> None:
    kept = await voice(("rethink_user_memory", {"new_memory": "Ann, of Lisbon"}))
    assert kept.values == {"human": "Ann, of Lisbon"}


async def test_another_block_is_rewritten_by_its_label_and_one_that_is_not_shared_is_none() -> None:
    kept = await voice(
        ("rethink_user_memory", {"new_memory": "x"}),
        ("rethink_user_memory", {"new_memory": "done", "label": "plan"}),
        human="",
    )
    refused, fine = await kept.told("rethink_user_memory")
    assert refused == "there is no memory block 'human'; there are: plan" and fine.startswith("done; ")
    assert kept.values == {"plan": "done"}


async def test_a_foreground_with_an_archive_gets_the_passages_there() -> None:
    kept = await voice(store((1, 1, "x")), day=Agent("day", tools=["archival_memory_search"]))
    assert (await kept.all(RecipientsChosen))[0].recipients == ("archive-day",)
    kept = await voice(store((1, 1, "x")), day=Agent("day", archive=Archive("team")))
    assert (await kept.all(RecipientsChosen))[0].recipients == ("archive-team",)


async def test_where_no_lines_are_told_none_are_stored() -> None:
    turn = MessageReceived(id="k/a", sender="user", parts=(Part("user", Text("[1] user: hi")),))
    asked = storing.asked(storing.STORE, json.dumps(store((1, 1, "x"))[1]))
    assert isinstance(asked, storing.Store)
    assert storing.faults_in(turn, asked) == "there are no numbered lines here to store"
