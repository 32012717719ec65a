"""Blocks that hold JSON: one layout, a schema that every edit fits, and edits of items. Re-expresses T34 of Letta's."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue, RootModel

from callboard import Agent, Block, MemoryStore, RequestFailed, System
from callboard.actors.commands import Receive
from callboard.actors.memory import decide
from callboard.actors.structured import LAID_OUT, canonical, parsed_json, splice
from callboard.actors.testing import ScriptedModel
from callboard.events import SpecError, Text
from callboard.events.catalog import BlockEdited, BlockEditRefused, BlockStarted
from callboard.projections import BlockState
from callboard.projections.block import evolve


class Fact(BaseModel):
    id: int
    text: str
    sure: bool = False
    seen: date | None = None


class Facts(BaseModel):
    facts: list[Fact] = []
    mood: Literal["calm", "rough"] = "calm"
    at: datetime | None = None


class Strict(BaseModel):
    must: int


ALL = '{"facts": [{"id": 1, "text": "tides"}, {"id": 2, "text": "moon"}], "mood": "calm"}'


def holding(value: str = ALL, *, schema: type[BaseModel] | None = Facts, limit: int = 5_000) -> BlockState:
    """Return a block that holds `value`."""
    spec = Block("facts", value, schema=schema, form="json", limit=limit).spec()
    return evolve(BlockState(), BlockStarted(spec=spec))


def wanted(verb: str, *, by: str = "agent-a", **fields: JsonValue) -> Receive:
    written = Text(json.dumps({"label": "facts", **fields}), ("agent-a", 1, 0))
    return Receive("k/1", by, "edit", edit=verb, arguments=written, seen=1)


def after(state: BlockState, request: Receive) -> BlockState:
    event = decide(state, request)
    assert isinstance(event, BlockEdited), event
    new = evolve(state, event)
    assert len(new.value) == event.size and canonical(parsed_json(new.value)) == new.value
    return new


def refusal(state: BlockState, request: Receive) -> str:
    event = decide(state, request)
    assert isinstance(event, BlockEditRefused), event
    assert evolve(state, event).value == state.value
    return event.text


# -- the layout ---------------------------------------------------------------------------------------


def test_a_line_is_an_item() -> None:
    value: JsonValue = {"b": [{"x": [1, {"é": None}]}, 2], "a": {"deep": [1, 2]}, "none": [], "s": "a\nb\u2028c\x85"}
    assert canonical(value).split("\n") == [
        "{",
        ' "b": [',
        '  {"x": [1, {"é": null}]},',
        "  2",
        " ],",
        ' "a": {"deep": [1, 2]},',
        ' "none": [],',
        ' "s": "a\\nb\\u2028c\\u0085"',
        "}",
    ]
    assert canonical([{"n": 1}, [2]]) == '[\n {"n": 1},\n [2]\n]'
    assert (canonical([]), canonical({})) == ("[]", "{}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
VALUES = st.lists(JSON, max_size=5) | st.dictionaries(st.text(), JSON, max_size=5)


@settings(max_examples=60)
@given(VALUES)
def test_the_layout_says_the_same_and_is_its_own(value: JsonValue) -> None:
    laid = canonical(value)
    assert parsed_json(laid) == value
    assert canonical(parsed_json(laid)) == laid


@settings(max_examples=60)
@given(VALUES, VALUES)
def test_a_splice_makes_the_new_value_of_the_old(old: JsonValue, new: JsonValue) -> None:
    one, other = canonical(old), canonical(new)
    at, cut, put = splice(one, other)
    assert one[:at] + put + one[at + cut :] == other
    assert splice(one, one) == (len(one), 0, "")


def test_a_splice_leaves_the_lines_of_others_alone() -> None:
    items: list[JsonValue] = [{"id": "task-1"}, {"id": "task-2"}, {"id": "task-3"}]
    one, two = canonical(items), canonical([items[0], {"id": "task-15"}, *items[1:]])
    at, cut, put = splice(one, two)
    assert (at, cut, put) == (one.index(' {"id": "task-2"'), 0, ' {"id": "task-15"},\n')
    at, cut, put = splice(one, canonical([*items, 4]))
    assert (cut, put) == (0, ",\n 4")


# -- what must hold -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "schema", "why"),
    [
        ("{", Facts, "is no JSON: EOF while parsing"),
        ('{"mood": NaN}', Facts, "is no JSON"),
        ('{"n": 1e400}', {"type": "object"}, "is no JSON"),
        ('{"mood": "wild"}', Facts, "does not fit its schema: $.mood: 'wild' is not one of ['calm', 'rough']"),
        ('{"facts": [{"id": "x", "text": ""}]}', Facts, "$.facts[0].id: 'x' is not of type 'integer'"),
        ('{"facts": [{"id": 1, "text": "", "seen": "soon"}]}', Facts, "$.facts[0].seen"),
        ('{"at": "noon"}', Facts, "$.at"),
        ("", Strict, "$: 'must' is a required property"),
        ("[1, 2]", Facts, "$: [1, 2] is not of type 'object'"),
        ("5", {"minimum": 1}, "$: 5 is neither an object nor a list"),
        ("{}", {"type": "strange"}, "is no JSON schema"),
        ("{}", {"type": "string"}, "has type 'string'; an object or a list is wanted"),
        ("{}", {"$ref": "https://x.test/y"}, "refers to 'https://x.test/y', which is not in it"),
        ("{}", {}, "a pydantic class or a JSON schema is wanted"),
        ("{}", 5, "is 5; a pydantic class or a JSON schema is wanted"),
        ("{}", {"type": {1, 2}}, "is no JSON"),
    ],
)
def test_a_block_that_does_not_fit_cannot_be_declared(value: str, schema: object, why: str) -> None:
    with pytest.raises(SpecError) as raised:
        Block("facts", value, schema=schema)  # type: ignore[arg-type]
    assert why in str(raised.value)


def test_a_form_that_there_is_not_is_refused_and_a_board_has_no_schema_of_another() -> None:
    with pytest.raises(SpecError, match="one of text, json, board is wanted"):
        Block("x", form="yaml")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="a schema of its own"):
        Block("x", schema=Facts, form="board")


def test_a_block_without_a_value_begins_with_what_its_schema_has() -> None:
    assert json.loads(Block("x", schema=Facts).value) == {"facts": [], "mood": "calm", "at": None}
    assert Block("x", schema=RootModel[list[Fact]]).value == "[]"
    assert Block("x", form="json").value == "{}"
    spec = Block("x", schema=Facts).spec()
    assert (spec.form, spec.schema_code) == ("json", "tests.test_structured:Facts")


def test_a_value_of_ten_megabytes_is_refused_by_its_size_and_quickly() -> None:
    big = f"[{'1,' * 5_000_000}1]"
    with pytest.raises(SpecError, match="characters, its limit is 5,000"):
        Block("x", big, form="json")
    why = refusal(holding(), wanted("memory_rewrite", text=big))
    assert "would hold 10,000,003 characters" in why
    loose = json.dumps(["x"] * 1_500, indent=9)
    assert len(loose) < 8 * 5_000
    assert "over its limit of 5,000" in refusal(holding("[]", schema=None), wanted("memory_rewrite", text=loose))


@pytest.mark.parametrize(
    ("verb", "fields", "why"),
    [
        (
            "memory_replace",
            {"old": '"calm"', "new": '"wild"'},
            "would not fit its schema: $.mood: 'wild' is not one of",
        ),
        ("memory_replace", {"old": '"calm"', "new": "calm"}, "would hold no JSON (expected value at line 6"),
        ("memory_rewrite", {"text": "[]"}, "$: [] is not of type 'object'"),
        ("memory_rewrite", {"text": '{"mood": NaN}'}, "would hold no JSON"),
        ("memory_rewrite", {"text": ALL}, "that would change nothing"),
        (
            "memory_append",
            {"text": "x"},
            "memory_append is not for a block that holds JSON; use memory_item_add, memory_",
        ),
        ("memory_insert", {"line": 1, "text": "x"}, "memory_insert is not for"),
        ("task_add", {"description": "x"}, "task_add is not for a block that holds JSON"),
        ("memory_item_add", {"item": {"id": "x"}}, "$.facts[2]: 'text' is a required property"),
        ("memory_item_add", {"item": {"id": 2, "text": ""}}, "'2' stands there already"),
        ("memory_item_add", {"item": 1, "list": "no"}, "there is no list 'no' in the block; there are: facts"),
        ("memory_item_update", {"id": 3, "changes": {"sure": True}}, "there is no '3'; there are: 1, 2"),
        ("memory_item_update", {"id": 1, "changes": {"id": 2}}, "'2' stands there already"),
        ("memory_item_update", {"id": 1, "changes": {}}, "changes: Dictionary should have at least 1"),
        ("memory_item_update", {"id": 1, "changes": {"text": "tides"}}, "that would change nothing"),
        ("memory_item_remove", {"id": '1"\n'}, "there is no '1\"\\n'"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused_and_changes_nothing(verb: str, fields: dict[str, Any], why: str) -> None:
    assert why in refusal(holding(), wanted(verb, **fields))


def test_infinity_in_an_item_is_refused() -> None:
    request = Receive("k/1", "agent-a", "edit", edit="memory_item_add", arguments=Text('{"label":"x","item":Infinity}'))
    assert "that is no JSON" in refusal(holding("[]", schema=None), request)


def test_what_is_laid_out_otherwise_is_laid_out_anew_and_the_answer_says_so() -> None:
    state = holding()
    event = decide(state, wanted("memory_rewrite", text=ALL.replace("calm", "rough")))
    assert isinstance(event, BlockEdited)
    assert event.words == f"done: {LAID_OUT}; the block holds {event.size:,} of 5,000 characters now"
    assert (event.cut, event.put) == (4, "rough"[:1] + "ough") and evolve(state, event).value.count("\n") == 6
    event = decide(state, wanted("memory_replace", old="calm", new="rough"))
    assert isinstance(event, BlockEdited)
    assert not event.note and event.put.ref == ("agent-a", 1, 0, "new")  # said once, and erased with that


def test_a_block_over_its_limit_says_by_how_much() -> None:
    state = holding(limit=100)
    assert "over its limit of 100" in refusal(state, wanted("memory_item_add", item={"id": 3, "text": "x" * 99}))


# -- items --------------------------------------------------------------------------------------------


def test_two_who_update_fields_of_one_item_both_land() -> None:
    state = after(holding(), wanted("memory_item_update", id=1, changes={"text": "ebb"}))
    state = after(state, wanted("memory_item_update", by="agent-b", id=1, changes={"sure": True}))
    assert json.loads(state.value)["facts"][0] == {"id": 1, "text": "ebb", "sure": True}
    state = after(state, wanted("memory_item_remove", id="2"))
    state = after(state, wanted("memory_item_add", item={"id": 3, "text": "wind"}))
    assert [one["id"] for one in json.loads(state.value)["facts"]] == [1, 3]


def test_items_without_ids_go_by_their_number_and_lists_by_name() -> None:
    state = holding('{"a": ["x", "y"], "b": []}', schema=None)
    assert "say which list is meant; there are: a, b" in refusal(state, wanted("memory_item_add", item="z"))
    state = after(state, wanted("memory_item_add", list="b", item="z"))
    state = after(state, wanted("memory_item_remove", list="a", id=1))
    assert json.loads(state.value) == {"a": ["y"], "b": ["z"]}
    assert "'1' is \"y\" and has no fields" in refusal(
        state, wanted("memory_item_update", list="a", id=1, changes={"n": 1})
    )
    alone = after(holding("[[1]]", schema=None), wanted("memory_item_add", item=2))
    assert json.loads(alone.value) == [[1], 2]
    assert "leave `list` out" in refusal(alone, wanted("memory_item_add", list="a", item=1))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["add", "update", "remove"]), st.integers(1, 4), st.text(max_size=5))))
def test_every_value_fits_whatever_is_done(edits: list[tuple[str, int, str]]) -> None:
    state, model = holding(), {1: "tides", 2: "moon"}
    for what, id, text in edits:
        fields: dict[str, Any] = {"item": {"id": id, "text": text}} if what == "add" else {"id": id}
        fields |= {"changes": {"text": text}} if what == "update" else {}
        event = decide(state, wanted(f"memory_item_{what}", **fields))
        fine = id not in model if what == "add" else id in model and (what == "remove" or model[id] != text)
        assert isinstance(event, BlockEdited) == fine
        state = evolve(state, event)
        if fine and what == "remove":
            del model[id]
        elif fine:
            model[id] = text
        assert {fact.id: fact.text for fact in Facts.model_validate_json(state.value).facts} == model


# -- agents and people --------------------------------------------------------------------------------


def test_an_agent_has_the_tools_that_its_blocks_are_for() -> None:
    facts, plan = Block("facts", schema=Facts), Block("plan")
    items = ["memory_item_add", "memory_item_update", "memory_item_remove"]
    plain = ["memory_append", "memory_replace", "memory_insert", "memory_rewrite"]
    assert [tool.name for tool in Agent("a", blocks=[facts]).spec().tools] == [
        "memory_replace",
        "memory_rewrite",
        *items,
    ]
    assert [tool.name for tool in Agent("a", blocks=[facts, plan]).spec().tools] == [*plain, *items]
    assert [tool.name for tool in Agent("a", blocks=[facts.read_only(), plan]).spec().tools] == plain


@pytest.mark.anyio
async def test_people_edit_items_and_a_schema_that_the_value_does_not_fit_any_more_is_refused() -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        await system.start(Block("facts", ALL, schema=Facts))
        block = system.block("facts")
        await block.edit("memory_item_add", item={"id": 3, "text": "wind"}, key="e1")
        assert await block.edit("memory_item_add", item={"id": 3, "text": "wind"}, key="e1")  # the same edit again
        data = await block.data()
        assert isinstance(data, dict) and data["mood"] == "calm"
        with pytest.raises(RequestFailed, match="is not one of"):
            await block.replace("calm", "wild")
        with pytest.raises(SpecError, match=r"holds what does not fit its new schema: \$: 'must' is a required"):
            await system.start(Agent("a", blocks=[Block("facts", '{"must": 1}', schema=Strict)]))
        assert "agent-a" not in system.streams()
        await system.start(Block("facts", ALL, form="json"))  # a looser one fits
