"""Who wrote what of a block: a fold, tested as data; re-expresses what of T37 and T38 is about who edited what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.actors.commands import Receive
from callboard.actors.memory import decide
from callboard.actors.structured import canonical
from callboard.events import Event, RecordedEvent, Text
from callboard.events.catalog import BlockChanged, BlockEdited, BlockEditRefused, BlockStarted
from callboard.events.specs import BlockSpec, Form
from callboard.events.text import ERASED
from callboard.projections import BlockState, fold
from callboard.projections.blame import Blame, NotInBlock, blame
from callboard.projections.block import evolve, spliced
from callboard.projections.presence import LINE, Presence
from callboard.projections.runs import Runs, kept

from .teams import log_of

BLOCK = "block-plan"


def spec(value: str, form: Form = "text") -> BlockSpec:
    return BlockSpec(name="plan", label="plan", value=Text(value), limit=10**6, form=form)


@dataclass
class Life:
    """A block that is edited as its actor does it; version 1 is the first value."""

    first: str = ""
    form: Form = "text"
    events: list[Event] = field(default_factory=list[Event])
    state: BlockState = field(default_factory=BlockState)
    values: dict[int, str] = field(default_factory=dict[int, str])

    def __post_init__(self) -> None:
        self.add(BlockStarted(spec=spec(self.first, self.form)))

    def add(self, event: Event) -> None:
        self.events.append(event)
        self.state = evolve(self.state, event)
        self.values[self.state.events] = self.state.value

    def ask(self, verb: str, **fields: object) -> Life:
        arguments = Text(json.dumps({"label": "plan", **fields}))
        asked = Receive("k/plan", "agent-a", "edit", edit=verb, arguments=arguments, seen=self.state.version)
        self.add(decide(self.state, asked))
        return self

    def again(self, verb: str, of: int, wanted: str) -> Life:
        """Undo or redo as a splice of what differs, in the middle of the value or all of it."""
        now, at = self.state.value, 0
        while at < min(len(now), len(wanted)) and now[at] == wanted[at]:
            at += 1
        put, cut = Text(wanted[at:]), len(now) - at
        self.add(BlockEdited(id="k/plan", verb=verb, at=at, cut=cut, put=put, size=len(wanted), limit=9, of=of))
        return self

    def erase(self, version: int) -> None:
        event = self.events[version - 1]
        gone = {"put": Text(ERASED)} if isinstance(event, BlockEdited) else {"spec": spec(ERASED)}
        self.events[version - 1] = event.model_copy(update=gone)

    @property
    def recorded(self) -> list[RecordedEvent]:
        return log_of(*((BLOCK, event) for event in self.events))

    def blame(self, upto: int | None = None) -> Blame:
        return fold(blame, self.recorded[:upto])

    @property
    def versions(self) -> list[tuple[str, int]]:
        return [(line.text, line.version) for line in self.blame().lines()]


def test_the_first_value_is_blamed_on_the_start_and_each_line_on_its_append() -> None:
    life = Life("a\nb").ask("memory_append", text="c").ask("memory_append", text="d\ne")
    assert life.versions == [("a", 1), ("b", 1), ("c", 2), ("d", 3), ("e", 3)]


def test_a_line_with_a_replaced_word_has_parts_and_the_newest_counts() -> None:
    life = Life("go left now").ask("memory_replace", old="left", new="right")
    [line] = life.blame().lines()
    assert (line.version, line.parts) == (2, ((1, 3), (2, 5), (1, 4)))


def test_a_rewrite_keeps_who_wrote_the_lines_that_are_equal_and_in_order() -> None:
    life = Life("a\nb\nc").ask("memory_append", text="d").ask("memory_rewrite", text="new\na\nc\nd\nend")
    assert life.versions == [("new", 3), ("a", 1), ("c", 1), ("d", 2), ("end", 3)]


def test_lines_are_kept_behind_a_new_one_of_any_length() -> None:
    for first in ("", "a", "cat", "cats", "cats!"):
        life = Life("cat\ndog\ncow").ask("memory_rewrite", text=f"{first}\ndog\ncow\nend")
        assert [version for _, version in life.versions][1:3] == [1, 1], first
    assert Life("x\n").ask("memory_rewrite", text="\nx\nend").versions == [("", 2), ("x", 1), ("end", 2)]


def test_a_last_line_without_its_newline_is_kept_when_lines_follow() -> None:
    assert Life("a\nb").ask("memory_rewrite", text="a\nb\nc").versions == [("a", 1), ("b", 1), ("c", 2)]


def test_lines_that_moved_are_not_kept_in_both_places() -> None:
    life = Life("a\nb").ask("memory_rewrite", text="b\na")
    assert sorted(version for _, version in life.versions) == [1, 2]


def test_a_summary_is_blamed_on_its_own_version_and_what_is_around_stays() -> None:
    life = Life("a\nb\nc\nd").ask("memory_summarise", first=2, last=3, text="b and c")
    assert life.versions == [("a", 1), ("b and c", 2), ("d", 1)]


def test_fields_of_compact_json_are_blamed_alone() -> None:
    before = canonical({"tasks": [{"id": f"t{n}", "status": "open"} for n in range(3)]})
    after = before.replace('"t0", "status": "open"', '"t0", "status": "done"')
    after = after.replace('"t2", "status": "open"', '"t2", "status": "done"')  # one splice reaches from task to task
    life = Life(before, "json").ask("memory_rewrite", text=after)
    assert "t2" not in life.blame().wrote(2) and life.blame().wrote(2).count("done") == 2
    assert "t2" in Life(before).ask("memory_rewrite", text=after).blame().wrote(2)


def test_of_a_long_passage_lines_that_stay_in_order_keep_who_wrote_them() -> None:
    old = [f"line {n}" for n in range(400)]
    new = [f"new {n}" if n % 2 else line for n, line in enumerate(old)]
    life = Life("\n".join(old)).ask("memory_rewrite", text="\n".join(new))
    assert [version for _, version in life.versions] == [1, 2] * 200


def test_undo_restores_who_wrote_what_and_redo_brings_it_back() -> None:
    life = Life("a\nb").ask("memory_append", text="c").ask("memory_rewrite", text="x\nb\ny")
    before, after = life.blame(2).spans(), life.blame(3).spans()
    life.again("undo", 3, life.values[2])
    assert life.blame().spans() == before and life.blame().version == 4
    life.again("redo", 3, life.values[3])
    assert life.blame().spans() == after
    life.again("undo", 3, life.values[2]).again("undo", 2, life.values[1])
    assert life.blame().spans() == [(1, 3)]


@pytest.mark.parametrize("erased", [(2,), (4,), (2, 4), (1,)])
def test_an_undo_restores_who_wrote_what_also_where_a_text_was_erased(erased: tuple[int, ...]) -> None:
    life = Life("first").ask("memory_append", text="a secret").ask("memory_rewrite", text="all new")
    life.again("undo", 3, life.values[2]).ask("memory_append", text="end")
    whole = life.blame().spans()
    for version in erased:
        life.erase(version)
    assert life.blame().spans() == whole == [(1, 5), (2, 9), (5, 4)]


def test_an_edit_by_a_person_has_their_name_as_the_history_has_it() -> None:
    edit = BlockEdited(id="k", to="user", verb="v", at=0, put=Text("x"), size=1, limit=9)
    for by, editor in (("Ada", "Ada"), ("user", "user"), ("", "user")):
        found = fold(blame, log_of((BLOCK, BlockStarted(spec=spec(""))), (BLOCK, edit.model_copy(update={"by": by}))))
        assert (found.written[2].editor, found.written[2].by, found.written[1].editor) == (editor, "user", "")


def test_an_undo_that_brings_back_something_else_is_an_edit_of_its_own() -> None:
    life = Life("a").ask("memory_rewrite", text="b").again("undo", 2, "c")
    assert life.versions == [("c", 3)]


def test_an_undo_of_a_version_that_nobody_knows_is_an_edit_of_its_own() -> None:
    assert Life("a").again("undo", 7, "b").versions == [("b", 2)]


def test_refused_edits_and_changes_of_the_spec_blame_nobody() -> None:
    life = Life("a").ask("memory_replace", old="x", new="y")
    life.add(BlockChanged(spec=spec("other")))
    assert isinstance(life.events[1], BlockEditRefused) and life.versions == [("a", 1)]
    assert life.ask("memory_append", text="b").versions == [("a", 1), ("b", 4)]


def test_a_blank_line_is_blamed_on_who_ended_it() -> None:
    life = Life("a").ask("memory_append", text="\nb")
    assert [(line.text, line.version, line.parts) for line in life.blame().lines()] == [
        ("a", 1, ((1, 1),)), ("", 2, ()), ("b", 2, ((2, 1),)),
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["", "\n", "\n\n", "🌊", "a\n🌊\n", "a\r\nb", "\u2028x"])
def test_lines_are_those_that_the_memory_tools_count(value: str) -> None:
    lines = [line.text for line in Life(value).blame().lines()]
    assert lines == (value.removesuffix("\n").split("\n") if value else [])


def test_a_line_or_a_version_that_is_not_there_says_which_are() -> None:
    found = Life("a\nb").blame()
    with pytest.raises(NotInBlock, match="no line 3; the block has 2"):
        found.line(3)
    with pytest.raises(NotInBlock, match=r"no edit made version 9; there are 1$"):
        found.one(9)
    with pytest.raises(NotInBlock, match="the block is empty"):
        Life("").blame().line(1)


def test_a_block_that_comes_back_holds_what_it_held_and_blames_who_wrote_it() -> None:
    life = Life("a").ask("memory_append", text="b")
    life.add(BlockStarted(spec=spec("a")))
    assert life.versions == [("a", 1), ("b", 2)] and life.blame().value == life.state.value == "a\nb"
    assert life.ask("memory_append", text="c").versions == [("a", 1), ("b", 2), ("c", 4)]


def test_a_block_that_a_person_renamed_keeps_its_label_when_it_is_declared_anew() -> None:
    life = Life("a")
    life.add(BlockChanged(spec=spec("a").model_copy(update={"label": "goals"}), by="Ada"))
    life.add(BlockChanged(spec=spec("a").model_copy(update={"limit": 99})))
    found = life.blame().spec
    assert found is not None and (found.label, found.limit) == ("goals", 99)


def test_a_splice_past_the_end_as_an_erased_text_leaves_it_loses_no_character() -> None:
    edits = [BlockEdited(id="k", verb="v", at=50, cut=9, put=Text("x"), size=0, limit=0)]
    found = fold(blame, log_of((BLOCK, BlockStarted(spec=spec("abc"))), *((BLOCK, edit) for edit in edits)))
    assert (found.value, found.spans()) == ("abcx", [(1, 3), (2, 1)])


# -- for all edits ----------------------------------------------------------------------------------

texts = st.text(st.sampled_from("ab \n🌊"), max_size=8)
edits = st.one_of(
    st.tuples(st.just("memory_append"), st.fixed_dictionaries({"text": texts})),
    st.tuples(st.just("memory_rewrite"), st.fixed_dictionaries({"text": texts})),
    st.tuples(st.just("memory_insert"), st.fixed_dictionaries({"line": st.integers(-1, 4), "text": texts})),
    st.tuples(st.just("memory_replace"), st.fixed_dictionaries({"old": texts.filter(bool), "new": texts})),
    st.tuples(
        st.just("memory_summarise"),
        st.fixed_dictionaries({"first": st.integers(1, 3), "last": st.integers(1, 4), "text": texts}),
    ),
    st.tuples(st.sampled_from(["undo", "redo"]), st.fixed_dictionaries({})),
)


def lived(first: str, wanted: Sequence[tuple[str, dict[str, object]]]) -> tuple[Life, dict[int, list[tuple[int, int]]]]:
    """Return a life of these edits, with who wrote what after each as undo and redo must restore it."""
    life, done, undone = Life(first), list[tuple[int, int]](), list[tuple[int, int]]()
    spans = {1: life.blame().spans()}
    for verb, fields in wanted:
        before = life.state.version
        if verb == "undo" and done:
            undone.append(done.pop())
            life.again(verb, undone[-1][1], life.values[undone[-1][0]])
            spans[life.state.version] = spans[undone[-1][0]]
        elif verb == "redo" and undone:
            done.append(undone.pop())
            life.again(verb, done[-1][1], life.values[done[-1][1]])
            spans[life.state.version] = spans[done[-1][1]]
        elif verb not in ("undo", "redo") and life.ask(verb, **fields).state.version != before:
            done, undone = [*done, (before, life.state.version)], []
            spans[life.state.version] = life.blame().spans()
    return life, spans


@settings(max_examples=150)
@given(texts, st.lists(edits, max_size=8))
def test_blame_accounts_for_every_character_and_undo_restores(
    first: str, wanted: list[tuple[str, dict[str, object]]]
) -> None:
    life, spans = lived(first, wanted)
    for count in range(1, len(life.events) + 1):
        found = life.blame(count)
        assert found.value == life.values[count]
        assert sum(size for _, size in found.spans()) == len(found.value)
        assert found.spans() == spans.get(count, spans[found.version])
        assert all(sum(size for _, size in line.parts) == len(line.text) for line in found.lines())
        assert "\n".join(line.text for line in found.lines()) == found.value.removesuffix("\n")
        at = 0
        for version, size in found.spans():
            assert version in found.written and at + size <= len(found.value)
            at += size


@settings(max_examples=100)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=12))
def test_each_appended_line_is_blamed_on_its_append(wanted: list[tuple[bool, int]]) -> None:
    life = Life()
    for n, (appends, line) in enumerate(wanted):
        if appends:
            life.ask("memory_append", text=f"line {n}")
        else:
            life.ask("memory_insert", line=min(line, len(life.blame().lines())), text=f"line {n}")
    for line in life.blame().lines():
        assert str(life.events[line.version - 1].put) == line.text  # type: ignore[attr-defined]


@settings(max_examples=150)
@given(texts, texts, st.sampled_from(["\n", "\n ab"]))
def test_what_is_kept_stood_there_once_in_the_same_order(old: str, new: str, between: str) -> None:
    at, last = 0, 0
    for start, length in kept(old, new, between):
        if start >= 0:
            assert old[start : start + length] == new[at : at + length] and start >= last
            last = start + length
        at += length
    assert at == len(new)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10), st.integers(0, 6)), max_size=20))
def test_runs_are_a_list_of_numbers_that_is_cut_and_put(changes: list[tuple[int, int, int]]) -> None:
    runs, model, number = Runs(), list[int](), 0
    for at, cut, put in changes:
        at = min(at, len(model))
        model[at : at + cut] = range(number, number + put)
        runs.splice(at, cut, [(number, put)] if put else [])
        number += put
        found = runs.between(0, runs.size)
        assert [n for first, length in found for n in range(first, first + length)] == model
        assert runs.between(1, 4) == Runs(runs.between(1, 4)).between(0, 3)
        assert all(a + n != b for (a, n), (b, _) in pairwise(found))


# -- when a text stood there ------------------------------------------------------------------------


def presence(life: Life, line: Sequence[tuple[int, int]] = ()) -> Presence:
    found = Presence(line)
    for event in life.recorded:
        found.take(event)
    return found


def test_a_text_is_there_from_its_edit_until_it_is_gone_and_again_after_an_undo() -> None:
    life = Life("a").ask("memory_append", text="b").ask("memory_rewrite", text="c")
    life.again("undo", 3, life.values[2])
    found = presence(life)
    assert [found.times(version) for version in (1, 2, 3)] == [[(1, 3), (4, None)], [(2, 3), (4, None)], [(3, 4)]]


def test_a_text_of_blanks_is_never_there() -> None:
    assert presence(Life("a").ask("memory_append", text="  \n ")).times(2) == []


@pytest.mark.parametrize("erased", [(), (1,), (2,), (1, 2)])
def test_what_is_left_of_an_erased_text_is_there_until_all_of_it_is_gone(erased: tuple[int, ...]) -> None:
    life = Life("the head of it").ask("memory_append", text="a long tail")
    life.ask("memory_replace", old="the head", new="x").ask("memory_replace", old="a long", new="y")
    life.ask("memory_rewrite", text="new")
    for version in erased:
        life.erase(version)
    found = presence(life)
    assert [found.times(version) for version in (1, 2, 3)] == [[(1, 5)], [(2, 5)], [(3, 5)]]


def test_a_line_is_looked_for_apart_from_the_rest_of_its_version() -> None:
    life = Life("poison\nwater").ask("memory_replace", old="poison\n", new="")
    line = life.blame(1).line(1)
    found = presence(life, line)
    assert (found.times(LINE), found.times(1)) == ([(1, 2)], [(1, None)])


@settings(max_examples=100)
@given(texts, st.lists(edits, max_size=8))
def test_a_text_is_there_when_the_blame_says_so(first: str, wanted: list[tuple[str, dict[str, object]]]) -> None:
    life, _ = lived(first, wanted)
    found = presence(life)
    for count in range(1, len(life.events) + 1):
        then, standing, at = life.blame(count), set[int](), 0
        for version, size in then.spans():
            standing |= {version} if then.value[at : at + size].strip() else set()
            at += size
        for version in then.written:
            times = [start <= count and (end is None or count < end) for start, end in found.times(version)]
            assert any(times) == (version in standing)


def test_the_fold_makes_the_value_that_the_block_has() -> None:
    edit = BlockEdited(id="k", verb="v", at=1, cut=1, before="<", put=Text("x"), after=">", size=0, limit=0)
    found = fold(blame, log_of((BLOCK, BlockStarted(spec=spec("abc"))), (BLOCK, edit)))
    assert found.value == spliced("abc", edit) == "a<x>c"
