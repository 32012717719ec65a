"""Edits of blocks: rules tested as data."""

import json
from dataclasses import replace

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard import Block, System
from callboard.actors.commands import Cancel, Receive
from callboard.actors.memory import decide
from callboard.actors.testing import ScriptedModel
from callboard.events import MemoryStore, Text
from callboard.events.catalog import BlockChanged, BlockEdited, BlockEditRefused, BlockStarted
from callboard.events.specs import BlockSpec
from callboard.projections import BlockState
from callboard.projections.block import evolve


def block(value: str, *, limit: int = 100) -> BlockState:
    return evolve(BlockState(), BlockStarted(spec=BlockSpec(name="plan", label="plan", value=Text(value), limit=limit)))


def request(verb: str, **fields: object) -> Receive:
    """Return the request for an edit; `by` and `seen` are about who asks, the other fields are its arguments."""
    sender, seen = str(fields.pop("by", "agent-a")), fields.pop("seen", 1)
    assert isinstance(seen, int)
    written = Text(json.dumps({"label": "plan", **fields}), ("agent-a", 1, 0))
    return Receive("k/1", sender, "edit", edit=verb, arguments=written, seen=seen)


def after(state: BlockState, wanted: Receive) -> str:
    event = decide(state, wanted)
    assert isinstance(event, BlockEdited), event
    new = evolve(state, event)
    assert len(new.value) == event.size
    return new.value


def refusal(state: BlockState, wanted: Receive) -> str:
    event = decide(state, wanted)
    assert isinstance(event, BlockEditRefused), event
    assert evolve(state, event).value == state.value
    return event.text


@pytest.mark.parametrize(("value", "new"), [("", "x"), ("a", "a\nx"), ("a\n", "a\nx")])
def test_append_adds_whole_lines(value: str, new: str) -> None:
    assert after(block(value), request("memory_append", text="x")) == new


def test_replace_needs_exactly_one_match() -> None:
    assert after(block("one two"), request("memory_replace", old="two", new="2")) == "one 2"
    assert "does not stand in the block; it reads:\none two" in refusal(
        block("one two"), request("memory_replace", old="x", new="")
    )
    twice = refusal(block("a\nb\na"), request("memory_replace", old="a", new="c"))
    assert "2 times, in lines 1, 3" in twice


def test_overlapping_matches_are_several() -> None:
    assert "2 times" in refusal(block("aaa"), request("memory_replace", old="aa", new="b"))


@pytest.mark.parametrize(
    ("value", "line", "new"),
    [
        ("a\nb", 0, "x\na\nb"),
        ("a\nb", 1, "a\nx\nb"),
        ("a\nb", 2, "a\nb\nx"),
        ("a\nb", -1, "a\nb\nx"),
        ("", 0, "x"),
        ("a\n", -1, "a\nx"),
    ],
)
def test_insert_puts_lines_after_a_line(value: str, line: int, new: str) -> None:
    assert after(block(value), request("memory_insert", line=line, text="x")) == new


def test_insert_beyond_the_end_says_what_can_be_given() -> None:
    assert "the block has 2, so 0 to 2" in refusal(block("a\nb"), request("memory_insert", line=3, text="x"))
    assert "greater than or equal to -1" in refusal(block("a"), request("memory_insert", line=-2, text="x"))


def test_a_rewrite_of_text_that_moved_on_is_refused_with_the_difference() -> None:
    state = block("old")
    state = evolve(state, decide(state, request("memory_append", by="agent-b", text="theirs")))
    why = refusal(state, request("memory_rewrite", seen=1, text="old\nmine"))
    assert "b changed the block since you read it" in why and "-mine" in why and "+theirs" in why
    assert after(state, request("memory_rewrite", seen=2, text="mine")) == "mine"


def test_ones_own_edits_do_not_stand_against_a_rewrite() -> None:
    state = block("old")
    state = evolve(state, decide(state, request("memory_append", text="mine")))
    assert after(state, request("memory_rewrite", seen=1, text="new")) == "new"


def test_an_edit_over_the_limit_says_by_how_much() -> None:
    why = refusal(block("12345", limit=10), request("memory_append", text="123456"))
    assert "would hold 12 characters, 2 over its limit of 10" in why


def test_a_block_over_a_lowered_limit_may_shrink() -> None:
    spec = BlockSpec(name="plan", label="plan", limit=3)
    state = evolve(block("123456"), BlockChanged(spec=spec))
    assert after(state, request("memory_replace", old="6", new="")) == "12345"
    assert "over its limit" in refusal(state, request("memory_append", text="7"))


@pytest.mark.parametrize(
    ("verb", "arguments", "why"),
    [
        ("memory_append", {}, "text: Field required"),
        ("memory_append", {"text": 5}, "text: Input should be a valid string"),
        ("memory_append", {"text": "x", "more": 1}, "more: Extra inputs"),
        ("memory_replace", {"old": "", "new": "x"}, "old: String should have at least 1"),
        ("memory_eat", {}, "a block knows no memory_eat"),
        ("", {}, "a block knows no messages"),
    ],
)
def test_bad_arguments_are_refused_by_name(verb: str, arguments: dict[str, object], why: str) -> None:
    assert why in refusal(block("a"), request(verb, **arguments))


@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.sampled_from(["memory_append", "memory_insert", "memory_rewrite"]), st.text(max_size=9))),
)
def test_every_edit_that_lands_is_found_in_the_value(value: str, edits: list[tuple[str, str]]) -> None:
    state = block(value, limit=10_000)
    for verb, text in edits:
        extra: dict[str, object] = {"line": -1} if verb == "memory_insert" else {}
        new = evolve(state, decide(state, request(verb, seen=state.version, text=text, **extra)))
        assert text in new.value
        assert verb == "memory_rewrite" or new.value.startswith(state.value)
        state = new


async def test_a_cancel_that_comes_at_once_with_its_edit_finds_it_done() -> None:
    store = MemoryStore()
    async with System.open(store, model=ScriptedModel({})) as system:
        await system.start(Block("plan"))
        edit = replace(request("memory_append", text="x"), arguments=Text('{"label": "plan", "text": "x"}'))
        async with anyio.create_task_group() as tasks:
            for delivery in (edit, Cancel(edit.id, edit.sender)):
                tasks.start_soon(system.deliver, "block-plan", delivery)
    assert [event.type async for event in store.read_stream("block-plan")] == ["BlockStarted", "BlockEdited"]
