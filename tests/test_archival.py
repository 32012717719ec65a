"""Changes of archives: rules tested as data. Re-expresses the failures of `research` 4.1 for archival memory."""

import json
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.actors.archival import DELETE, INSERT, MAX_METADATA, UPDATE, decide
from callboard.actors.commands import Receive
from callboard.events import Event, Text
from callboard.events.catalog import ArchiveStarted, PassageDeleted, PassageInserted, PassageRefused, PassageUpdated
from callboard.events.specs import ArchiveSpec
from callboard.projections.archive import ArchiveState, Spot, digest_of, evolve
from callboard.projections.snapshots import decode, encode

EMPTY = evolve(ArchiveState(), ArchiveStarted(spec=ArchiveSpec(name="team")))


def asks(verb: str, **fields: object) -> Receive:
    """Return the request for a change, whose arguments a model wrote."""
    return Receive("k/1", "agent-a", "edit", edit=verb, arguments=Text(json.dumps(fields), ("agent-a", 1, 0)))


def made(state: ArchiveState, *requests: Receive) -> list[Event]:
    """Return what comes of `requests`, one after the other."""
    events: list[Event] = []
    for request in requests:
        events.append(decide(state, request))
        state = evolve(state, events[-1])
    return events


def holding(*texts: str) -> ArchiveState:
    return reduce(evolve, made(EMPTY, *(asks(INSERT, content=text) for text in texts)), EMPTY)


def refusal(state: ArchiveState, request: Receive) -> str:
    event = decide(state, request)
    assert isinstance(event, PassageRefused) and event.arguments == request.arguments, event
    assert evolve(state, event).passages == state.passages
    return event.text


def test_passages_are_numbered_and_refer_to_where_they_were_said() -> None:
    first, second = made(EMPTY, asks(INSERT, content="one", tags=["x", "y", "x"]), asks(INSERT, content="two"))
    assert isinstance(first, PassageInserted) and isinstance(second, PassageInserted)
    assert (first.n, first.text, first.tags, first.words) == (1, "one", ("x", "y"), "stored as p1")
    assert first.text.ref == ("agent-a", 1, 0, "content") and second.n == 2


def test_a_duplicate_is_stored_and_named_but_for_case_and_blanks() -> None:
    event = decide(holding("other", "The  tide\nturns"), asks(INSERT, content="the TIDE turns "))
    assert isinstance(event, PassageInserted) and (event.n, event.same, event.same_at) == (3, 2, 3)
    assert event.words == "stored as p3; the same text stands as p2"


def test_what_was_deleted_or_says_another_thing_now_is_no_duplicate() -> None:
    state = holding("a", "b", "a")
    deleted, updated = made(state, asks(DELETE, id="p3"), asks(UPDATE, id="p1", content="c"))
    assert evolve(state, deleted).same("a") == Spot(1, 2)
    assert reduce(evolve, (deleted, updated), state).same("a") is None


def test_an_update_keeps_the_tags_unless_it_brings_others_and_is_no_duplicate_of_itself() -> None:
    state = reduce(evolve, made(EMPTY, asks(INSERT, content="a", tags=["x"])), EMPTY)
    kept, other = made(state, asks(UPDATE, id="p1", content="A"), asks(UPDATE, id="p1", content="b", tags=[]))
    assert isinstance(kept, PassageUpdated) and (kept.tags, kept.same, kept.words) == (("x",), 0, "p1 is updated")
    assert isinstance(other, PassageUpdated) and other.tags == ()
    assert reduce(evolve, (kept, other), state).passages[1].version == 4


def test_what_is_deleted_is_neither_updated_nor_deleted_again() -> None:
    state = holding("a", "b")
    deleted = decide(state, asks(DELETE, id="p1"))
    assert isinstance(deleted, PassageDeleted) and deleted.words == "p1 is deleted"
    state = evolve(state, deleted)
    assert state.standing == 1 and len(state.passages) == 2
    assert refusal(state, asks(DELETE, id="p1")) == "refused: p1 was deleted"
    assert refusal(state, asks(UPDATE, id="p1", content="x")) == "refused: p1 was deleted"
    [again] = made(state, asks(INSERT, content="a"))
    assert isinstance(again, PassageInserted) and (again.n, again.same) == (3, 0)


@pytest.mark.parametrize(
    "id", ["", "1", "p0", "p01", "P1", "p1 ", "p-1", "p\u0661", "p1.0", "x" * 100_000, "p" + "9" * 30]
)
def test_an_id_that_is_none_is_refused_with_those_that_there_are(id: str) -> None:
    why = refusal(holding("a", "b"), asks(DELETE, id=id))
    assert why.endswith(" is no id of a passage; this archive has p1 to p2") and len(why) < 120


def test_a_passage_that_is_not_there_is_refused() -> None:
    assert refusal(holding("a"), asks(DELETE, id="p7")) == "refused: there is no passage p7; this archive has p1 to p1"
    assert "holds no passages yet" in refusal(EMPTY, asks(UPDATE, id="p1", content="x"))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"content": ""}, "the passage is empty"),
        ({"content": " \n\t"}, "the passage is empty"),
        ({"content": "a\0b"}, "NUL character"),
        ({"content": "a", "tags": [""]}, "at least 1 character"),
        ({"content": "a", "tags": [" "]}, "a tag is blank"),
        ({"content": "a", "tags": ["x\0"]}, "a tag is blank, or holds a NUL"),
        ({"content": "a", "tags": ["x" * 65]}, "tags.0: String should have at most 64 characters"),
        ({"content": "a", "tags": [str(n) for n in range(10_000)]}, "at most 100 items"),
        ({"content": "a", "tags": [1]}, "valid string"),
        ({"content": "a", "tags": "x"}, "a valid array"),
        ({"content": "a", "metadata": [1]}, "an object"),
        ({"content": "a", "metadata": {"x": "\0"}}, "the metadata hold a NUL"),
        ({"content": "a", "metadata": {"x": float("inf")}}, "a number that JSON cannot say"),
        ({"content": "a", "metadata": {"x": "y" * MAX_METADATA}}, "16,384 are the most"),
        ({"content": 1}, "valid string"),
        ({}, "Field required"),
        ({"content": "a", "text": "b"}, "Extra inputs"),
    ],
)
def test_a_passage_that_cannot_be_stored_is_refused(fields: dict[str, object], why: str) -> None:
    assert why in refusal(EMPTY, asks(INSERT, **fields))


def test_what_no_archive_knows_is_refused() -> None:
    assert "an archive knows no memory_append" in refusal(EMPTY, asks("memory_append", content="a"))
    assert "an archive knows no messages" in refusal(EMPTY, asks("", content="a"))


def test_a_refusal_of_what_no_event_could_hold_leaves_it_out() -> None:
    event = decide(EMPTY, Receive("k/1", "user", "edit", edit=INSERT, arguments=Text("x" * (2**24 + 1))))
    assert isinstance(event, PassageRefused) and event.arguments == ""


WORDS = st.sampled_from(["a", "A", " b", "b", "c", "[erased]"])
PASSAGES = st.integers(1, 6).map("p{}".format)


def inserts(text: str) -> Receive:
    return asks(INSERT, content=text)


def updates(id: str, text: str) -> Receive:
    return asks(UPDATE, id=id, content=text)


def deletes(id: str) -> Receive:
    return asks(DELETE, id=id)


CHANGES = st.one_of(st.builds(inserts, WORDS), st.builds(updates, PASSAGES, WORDS), st.builds(deletes, PASSAGES))


@given(st.lists(CHANGES, max_size=25))
def test_a_duplicate_is_named_exactly_where_another_passage_says_the_same(requests: list[Receive]) -> None:
    texts, state = dict[int, str](), EMPTY
    for request in requests:
        event = decide(state, request)
        state = evolve(state, event)
        if isinstance(event, PassageInserted | PassageUpdated):
            others = {n for n, text in texts.items() if n != event.n and digest_of(text) == digest_of(event.text) != ""}
            assert (event.same in others) if others else not event.same
            texts[event.n] = event.text
        elif isinstance(event, PassageDeleted):
            del texts[event.n]
    assert {n for n in state.passages if state.stands(n)} == set(texts) and state.standing == len(texts)
    assert decode(ArchiveState, encode(state), {}) == state
