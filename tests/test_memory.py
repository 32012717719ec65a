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


# -- refusals (letta.md 4.1) --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "fields", "field"),
    [
        ("memory_append", {"text": "fine\n  12→ pasted"}, "text"),
        ("memory_insert", {"line": 0, "text": "1→x"}, "text"),
        ("memory_rewrite", {"text": "1→a\n2→b"}, "text"),
        ("memory_replace", {"old": "1→a", "new": "b"}, "old"),
        ("memory_replace", {"old": "a", "new": "1→b"}, "new"),
    ],
)
def test_numbers_of_a_listing_are_refused_unless_the_block_holds_such_lines(
    verb: str, fields: dict[str, object], field: str
) -> None:
    why = refusal(block("a\nb"), request(verb, **fields))
    assert f"`{field}` begins lines with numbers of a listing" in why and "leave out each number and its arrow" in why
    numbered = block("0→ zero\n1→a\na.")
    event = decide(numbered, request(verb, **fields))
    assert isinstance(event, BlockEdited) or "numbers of a listing" not in event.text  # type: ignore[attr-defined]


def test_a_passage_that_is_not_there_is_told_the_line_that_comes_closest() -> None:
    why = refusal(block("The tide is high.\nThe boats are out.\nNobody knows."), request(
        "memory_replace", old="The boats are gone.", new="x"))  # fmt: skip
    assert (
        "'The boats are gone.' does not stand in the block; line 2 comes closest; it reads:\nThe tide is high." in why
    )


@pytest.mark.parametrize("line", [1, 250, 500])
def test_a_refusal_shows_a_long_value_around_the_closest_line_and_is_never_long(line: int) -> None:
    value = "\n".join("wanted here" if n == line else f"line {n} {'x' * (n % 40)}" for n in range(1, 501))
    long = block(value, limit=100_000)
    why = refusal(long, request("memory_replace", old="wanted there", new="x"))
    assert len(why) <= 2_000 and f"line {line} comes closest; of its 500 lines" in why and "\nwanted here" in why
    huge = block("y" * 100_000 + "\nend", limit=200_000)
    for verb, fields in (
        ("memory_replace", {"old": "z" * 9_000, "new": ""}),
        ("memory_rewrite", {"text": "z" * 9_000}),
    ):
        moved = evolve(huge, decide(huge, request("memory_append", by="agent-b", text="t")))
        assert len(refusal(moved, request(verb, seen=1, **fields))) <= 2_000


def test_a_passage_that_stands_in_many_places_is_told_the_first_of_them() -> None:
    why = refusal(block("a\n" * 100_000, limit=10**6), request("memory_replace", old="a", new="b"))
    assert "more than 20 times, in lines 1, 2, 3," in why and why.endswith("and more; give more of the text around it")


def test_the_line_of_an_insert_is_one_of_the_version_that_was_read() -> None:
    state = block("a\nb\nc")
    state = evolve(state, decide(state, request("memory_insert", by="agent-b", line=0, text="one\ntwo")))
    assert after(state, request("memory_insert", line=2, text="x")) == "one\ntwo\na\nb\nx\nc"
    assert after(state, request("memory_insert", seen=2, line=2, text="x")) == "one\ntwo\nx\na\nb\nc"
    assert "had, when you read it, 3, so 0 to 3" in refusal(state, request("memory_insert", line=4, text="x"))
    assert after(state, request("memory_insert", seen=0, line=4, text="x")) == "one\ntwo\na\nb\nx\nc"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"of": 2, "seen": 3}, "the block changed since you read it at version 3"),
        ({"of": 3, "seen": 4}, "the block changed since you read it"),
        ({"of": 4, "seen": 4, "at": 90}, "characters 90 to 90 are not within the 5"),
        ({"of": 4, "seen": 4, "by": "agent-a"}, "only people can undo an edit"),
    ],
)
def test_an_undo_that_does_not_fit_what_the_block_holds_is_refused(fields: dict[str, object], why: str) -> None:
    state = block("a")
    for text in ("b", "nowhere", "c"):
        verb, more = (
            ("memory_replace", {"old": text, "new": ""}) if text == "nowhere" else ("memory_append", {"text": text})
        )
        state = evolve(state, decide(state, request(verb, seen=state.version, **more)))
    assert why in refusal(state, request("undo", **{"by": "user", **fields}))
