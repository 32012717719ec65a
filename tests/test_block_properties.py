"""Blocks under any edits: none is lost, places between lines are carried, what was can be brought back (T37, T38)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import reduce
from typing import SupportsIndex

from hypothesis import example, given
from hypothesis import strategies as st

from callboard.actors import undoing
from callboard.actors.commands import Receive
from callboard.actors.memory import decide
from callboard.events import Event, Text
from callboard.events.catalog import BlockEdited, BlockEditRefused, BlockStarted
from callboard.events.specs import BlockSpec
from callboard.projections import BlockState
from callboard.projections.block import evolve
from callboard.projections.lines import carried, count, moved

TEXT = st.text("ab\n", max_size=6)
AGENTS = st.sampled_from(["agent-a", "agent-b", "agent-c"])
EDIT = st.one_of(
    st.tuples(st.just("memory_append"), st.fixed_dictionaries({"text": TEXT})),
    st.tuples(st.just("memory_insert"), st.fixed_dictionaries({"line": st.integers(-1, 4), "text": TEXT})),
    st.tuples(st.just("memory_replace"), st.fixed_dictionaries({"old": TEXT.filter(bool), "new": TEXT})),
    st.tuples(st.just("memory_rewrite"), st.fixed_dictionaries({"text": TEXT})),
)


@dataclass
class Log:
    """The stream of one block, as edits make it."""

    events: list[Event] = field(default_factory=list[Event])
    state: BlockState = field(default_factory=BlockState)
    values: list[str] = field(default_factory=list[str])

    @staticmethod
    def of(value: str) -> Log:
        log = Log()
        log.take(BlockStarted(spec=BlockSpec(name="p", label="p", value=Text(value), limit=10_000)))
        return log

    def take(self, event: Event) -> None:
        self.events.append(event)
        self.state = evolve(self.state, event)
        self.values.append(self.state.value)

    def ask(self, sender: str, verb: str, seen: int, **fields: object) -> BlockEdited | BlockEditRefused:
        said = Text(json.dumps({"label": "p", **fields}))
        id = f"k{len(self.events)}/p"
        event = decide(self.state, Receive(id, sender, "edit", edit=verb, arguments=said, seen=seen))
        assert isinstance(event, BlockEdited | BlockEditRefused)
        self.take(event)
        return event

    def bring_back(self, verb: str) -> BlockEdited | BlockEditRefused:
        """Undo or redo as a person does: by the values that the history holds."""
        of = undoing.about(self.state, verb)
        before, after = (self.values[of - 2], self.values[of - 1]) if of else (self.state.value, self.state.value)
        fields = undoing.wanted(self.state, verb, before, after)
        return self.ask("user", verb, self.state.version, **fields)


# -- lines ------------------------------------------------------------------------------------------


@st.composite
def splices(draw: st.DrawFn) -> tuple[str, int, int, str]:
    value = draw(st.text("ab\n", max_size=9))
    at = draw(st.integers(0, len(value)))
    return value, at, draw(st.integers(0, len(value) - at)), draw(TEXT)


def lines_of(value: str) -> list[str]:
    return value.removesuffix("\n").split("\n") if value else []


@given(splices())
def test_the_lines_before_and_after_those_that_an_edit_moves_stay_as_they_are(
    splice: tuple[str, int, int, str],
) -> None:
    value, at, cut, put = splice
    line, gone, came = moved(*splice)
    old, new = lines_of(value), lines_of(value[:at] + put + value[at + cut :])
    assert count(value) == len(old) and line + gone <= len(old)
    assert old[:line] == new[:line] and old[line + gone :] == new[line + came :]
    assert len(new) == len(old) - gone + came


@given(TEXT, st.data())
def test_a_whole_line_that_comes_takes_none_away(value: str, data: st.DataObject) -> None:
    log, line = Log.of(value), data.draw(st.integers(0, len(lines_of(value))))
    log.ask("agent-a", "memory_insert", 1, line=line, text="x")
    assert log.state.changes[-1].moved == (line, 0, 1)


def numbered(log: Log, ids: list[int], edit: BlockEdited) -> list[int]:
    """Return the ids of the characters of a value after `edit`; each that it puts there has a new one."""
    put = len(edit.before) + len(edit.put) + len(edit.after)
    new = range(1_000 * len(log.events), 1_000 * len(log.events) + put)
    return [*ids[: edit.at], *new, *ids[edit.at + edit.cut :]]


@given(st.text("ab\n", max_size=9), st.lists(st.tuples(AGENTS, EDIT), max_size=5), st.integers(0, 9))
@example("\na", [("agent-a", ("memory_replace", {"old": "\n", "new": "a"}))], 1)
def test_after_a_line_that_was_read_is_the_same_place_whatever_was_edited_since(
    value: str, edits: list[tuple[str, tuple[str, dict[str, object]]]], line: int
) -> None:
    log, read, ids = Log.of(value), lines_of(value), list(range(len(value)))
    line %= len(read) + 1
    ends = len("\n".join(read[:line]))  # the character that ends the line read, and the first of the next one
    starts, parted = ends + 1 if line else 0, line < len(read)
    for sender, (verb, fields) in edits:
        edit = log.ask(sender, verb, log.state.version, **fields)
        ids = numbered(log, ids, edit) if isinstance(edit, BlockEdited) else ids
        if parted := parted and starts in ids:  # two lines that became one have no place between them
            at = ids.index(starts)
            parted = at == 0 or log.state.value[at - 1] == "\n"
    before = log.state.value
    edit = log.ask("agent-c", "memory_insert", 1, line=line, text="X")
    assert isinstance(edit, BlockEdited), edit.text
    place = before.count("\n", 0, edit.at) + (edit.before == "\n")
    if line and ends in ids:
        assert before.count("\n", 0, ids.index(ends)) < place
    if parted:
        assert before.count("\n", 0, ids.index(starts)) >= place


def test_a_place_among_lines_that_are_gone_is_after_those_that_came_for_them() -> None:
    assert [carried(place, [moved("a\nb\nc\nd", 2, 3, "x")]) for place in range(5)] == [0, 1, 2, 2, 3]
    assert carried(1, [moved("a\nb", 2, 0, "x\n"), moved("a\nx\nb", 0, 0, "y\n")]) == 3


# -- edits ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(AGENTS, st.booleans(), st.sampled_from(["append", "insert"])), max_size=12))
def test_no_line_that_was_added_is_lost_however_old_what_its_author_read(
    edits: list[tuple[str, bool, str]],
) -> None:
    log, seen = Log.of("first"), dict[str, int]()
    for n, (sender, looks, verb) in enumerate(edits):
        if looks or sender not in seen:
            seen[sender] = log.state.version
        fields: dict[str, object] = {"line": 0} if verb == "insert" else {}
        log.ask(sender, f"memory_{verb}", seen[sender], text=f"line {n}", **fields)
    lines = log.state.value.split("\n")
    assert sorted(lines) == sorted(["first", *(f"line {n}" for n in range(len(edits)))])


@given(TEXT, st.lists(st.one_of(EDIT, st.just(("undo", {})), st.just(("redo", {}))), max_size=10))
def test_undo_and_redo_walk_through_what_was_and_any_other_edit_cuts_off_what_was_undone(
    value: str, edits: list[tuple[str, dict[str, object]]]
) -> None:
    log, past, future = Log.of(value), list[str](), list[str]()
    for verb, fields in edits:
        before = log.state.value
        if verb in undoing.VERBS:
            here, there = (past, future) if verb == "undo" else (future, past)
            landed = log.bring_back(verb)
            assert isinstance(landed, BlockEdited) == bool(here)
            if here:
                there.append(before)
                assert log.state.value == here.pop()
        elif isinstance(log.ask("agent-a", verb, log.state.version, **fields), BlockEdited):
            past.append(before)
            future.clear()
    assert reduce(evolve, log.events, BlockState()) == log.state


@given(TEXT, st.lists(EDIT, min_size=1, max_size=5))
def test_redo_of_undo_is_identity(value: str, edits: list[tuple[str, dict[str, object]]]) -> None:
    log = Log.of(value)
    landed = [log.ask("agent-a", verb, log.state.version, **fields) for verb, fields in edits]
    done = sum(isinstance(one, BlockEdited) for one in landed)
    held = log.state.value
    for verb in ("undo", "redo"):
        for _ in range(done):
            assert isinstance(log.bring_back(verb), BlockEdited)
        assert log.state.value == (value if verb == "undo" else held)
        assert isinstance(log.bring_back(verb), BlockEditRefused)


class Looked(str):
    """A value that counts how many of its characters were looked at for line ends."""

    looked = 0

    def count(self, sub: str, start: SupportsIndex | None = None, end: SupportsIndex | None = None, /) -> int:
        self.looked += len(self[start:end])
        return super().count(sub, start, end)


def test_what_an_edit_did_to_lines_is_told_by_one_look_at_what_stands_before_it() -> None:
    value = Looked("line\n" * 1_000)
    assert moved(value, 2_500, 5, "one\ntwo\n") == (500, 1, 2)
    assert value.looked == 2_500
