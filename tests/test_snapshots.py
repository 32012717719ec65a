"""States as bytes and back; and that a state from a snapshot is the state from the log, everywhere."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from callboard.actors.system import KINDS
from callboard.events import MemoryStore, NewEvent, RecordedEvent, Reference, Text
from callboard.events.cache import unsealed
from callboard.events.catalog import BlockEdited, MessageReceived, MessageSent, Part, Spent, TurnFinished, TurnStarted
from callboard.events.specs import Until
from callboard.projections import AgentState, BlockState, GroupState, Growing, Pending, agent_state, replay
from callboard.projections.pending import Open
from callboard.projections.prompt import Heard, Replied, Result
from callboard.projections.snapshots import Checkpoint, decode, encode, references

from .harness import run
from .scenarios import SCENARIOS
from .teams import LONG, history

STATES = [AgentState, GroupState, BlockState, Checkpoint]


def exactly(value: object) -> object:
    """Return `value` with the type of every part of it, and the place of every text."""
    match value:
        case Text():
            return "Text", str(value), value.ref
        case BaseModel():
            return type(value).__name__, exactly(dict(value))
        case Growing():
            return "Growing", exactly(list(typing.cast(Iterable[object], value)))
        case dict():
            items = typing.cast(Mapping[object, object], value).items()
            return "dict", [(exactly(k), exactly(v)) for k, v in items]
        case frozenset():
            return "frozenset", sorted(map(repr, typing.cast(Iterable[object], value)))
        case tuple() | list():
            return str(type(typing.cast(object, value))), [
                exactly(item) for item in typing.cast(Iterable[object], value)
            ]
        case _ if is_dataclass(value):
            return type(value).__name__, [exactly(getattr(value, field.name)) for field in fields(value)]
        case _:
            return value


def again(state: object) -> object:
    """Return `state` written down and read back from a log that holds its texts."""
    body = encode(state)
    texts = {ref: text for ref, text in said_in(state)}
    assert set(references(body)) == set(texts)
    return decode(type(state), body, texts)


def said_in(value: object) -> Iterable[tuple[Reference, str]]:
    match value:
        case Text():
            if value.ref is not None:
                yield value.ref, str(value)
        case BaseModel():
            yield from said_in(dict(value))
        case dict():
            yield from said_in(list(typing.cast(Mapping[object, object], value).values()))
        case tuple() | list() | Growing():
            for item in typing.cast(Iterable[object], value):
                yield from said_in(item)
        case _ if is_dataclass(value):
            yield from said_in([getattr(value, field.name) for field in fields(value)])
        case _:
            pass


# -- any state there can be ---------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
JSON: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=3,
)
PLACES = st.tuples(st.sampled_from(["agent-a", "group-g"]), st.integers(1, 9), st.integers(0, 3))


@st.composite
def text(draw: st.DrawFn) -> Text:
    """A text that is not in the log, or one that is; one place holds one text."""
    place = draw(st.none() | PLACES | st.tuples(PLACES, st.just("key")).map(lambda pair: (*pair[0], pair[1])))
    return Text(draw(WORDS)) if place is None else Text(f"said at {place}", place)


def values(kind: typing.Any) -> st.SearchStrategy[typing.Any]:
    """Return a strategy for all that a field annotated with `kind` may hold."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Text:
        return text()
    if kind is str:
        return WORDS
    if kind == JsonValue:
        return JSON
    if origin is Growing:
        return st.lists(values(arguments[0]), max_size=3).map(Growing)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values, arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        most = 1 if arguments[0] is Until else 2  # conditions within conditions would grow without end
        return st.lists(values(arguments[0]), max_size=most).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=2)
    return plain(kind)


@cache
def plain(kind: typing.Any) -> st.SearchStrategy[typing.Any]:
    if kind is datetime:
        return st.datetimes(timezones=st.just(UTC))
    if kind is Decimal:
        return st.decimals(0, 10**6, places=6)
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    names: typing.Any = getattr(kind, "model_fields", None) or getattr(kind, "__dataclass_fields__", None)
    names = names or getattr(kind, "_fields", None)
    if names is None:
        return st.integers(-(2**53), 2**53) if kind is int else st.from_type(kind)
    hints: dict[str, object] = typing.get_type_hints(kind)
    return st.deferred(lambda: st.builds(kind, **{name: values(hints[name]) for name in names}))


@pytest.mark.parametrize("kind", STATES, ids=lambda kind: kind.__name__)
def test_any_state_reads_back_as_it_was(kind: type) -> None:
    @settings(max_examples=40)
    @given(values(kind))
    def check(state: object) -> None:
        read = again(state)
        assert read == state and exactly(read) == exactly(state)

    check()


def test_lines_of_every_kind_stay_of_their_kind() -> None:
    part = ("user", Text("hi"), False)
    lines = [Heard("t", "ask", (part,), "g"), Replied("t", Text("x")), Result("t", "call_1", Text("x"))]  # type: ignore[list-item]
    read = again(AgentState(lines=Growing(lines), digest=b"\xff\0"))
    assert isinstance(read, AgentState)
    assert [type(line) for line in read.lines] == [Heard, Replied, Result] and read.digest == b"\xff\0"


# -- states there were --------------------------------------------------------------------------------


@cache
def logs() -> tuple[tuple[str, tuple[RecordedEvent, ...], dict[str, bytes]], ...]:
    """Return, for each scenario and the team of the views, all events, and what the cache held at the end."""

    async def every() -> list[tuple[str, tuple[RecordedEvent, ...], dict[str, bytes]]]:
        outcomes = [(scenario.name, await run(scenario, seed=1)) for scenario in SCENARIOS]
        return [(name, tuple(outcome.events), outcome.log.cache.entries) for name, outcome in outcomes]  # type: ignore[attr-defined]

    return (*anyio.run(every), ("team", history(), {}))


def streams() -> Iterable[tuple[str, list[RecordedEvent]]]:
    for name, events, _ in logs():
        for stream in sorted({event.stream for event in events} - {"system"}):
            yield f"{name}: {stream}", [event for event in events if event.stream == stream]


def test_state_from_a_snapshot_and_the_rest_is_the_state_from_the_whole_at_any_version_of_every_stream(
    ci: bool,
) -> None:
    """At every version in a CI run, else at some of each."""
    seen = 0
    for where, events in streams():
        projection = KINDS[events[0].stream.split("-")[0]].projection
        whole = [projection.initial()]
        for event in events:
            whole.append(projection.evolve(whole[-1], event))
        for version, before in list(enumerate(whole))[:: 1 if ci else 13]:
            state = again(before)
            assert exactly(state) == exactly(before), f"{where}@{version}"
            for event in events[version:]:
                state = projection.evolve(state, event)
            assert state == whole[-1], f"{where}@{version} and the rest"
            seen += 1
    assert seen > (600 if ci else 100)


def test_what_is_pending_from_a_checkpoint_and_the_rest_is_that_of_the_whole_log_at_every_position() -> None:
    for name, events, _ in logs():
        whole, checkpoints = Pending(), list[bytes]()
        for event in events:
            whole.take(event)
            checkpoints.append(encode(Checkpoint.of(whole, ())))
        for position, body in enumerate(checkpoints[::7]):
            checkpoint = decode(Checkpoint, body, {})
            assert checkpoint is not None
            left = checkpoint.pending()
            for event in events[position * 7 + 1 :]:
                left.take(event)
            assert list(left.items.items()) == list(whole.items.items()), f"{name} from {position * 7 + 1}"


def test_what_a_running_system_keeps_is_byte_for_byte_what_a_fold_of_its_log_gives() -> None:
    kept = 0
    for name, events, entries in logs():
        for content in entries.values():
            entry = unsealed(content)
            assert entry is not None
            if entry.name == "pending":
                continue
            projection = KINDS[entry.name.split("-")[0]].projection
            state: object = projection.initial()
            for event in [event for event in events if event.stream == entry.name][: entry.place]:
                state = projection.evolve(state, event)
            assert entry.body == encode(state), f"{name}: {entry.name}@{entry.place}"
            kept += 1
    assert kept > 20


def test_a_checkpoint_holds_all_that_pending_holds() -> None:
    assert vars(Pending()).keys() == {"items", "spent"}  # whatever joins it must join Checkpoint
    assert (
        again(Checkpoint((Open("agent-a", "turn", "k/a", "TurnStarted", 3),), ("system", "agent-a"), Spent(tokens=1)))
        is not None
    )


async def test_a_message_sent_again_from_a_snapshot_names_the_event_that_sent_it() -> None:
    """The cause is no part of a state: it is looked up in the log for what is open."""
    scenario, again = SCENARIOS[1], 0
    whole = await run(scenario, seed=1)
    for at in range(1, len(whole.ticks[0]), 3):
        outcome = await run(scenario, (at,), 1)
        sent = {event.data.id: event.ref for event in outcome.events if isinstance(event.data, MessageSent)}
        for event in outcome.events:
            if isinstance(event.data, MessageReceived | BlockEdited) and event.data.id in sent:
                assert event.causation_id == sent[event.data.id], f"{event.ref}, death at {at}"
                again += 1
    assert again > 50


# -- size, and changes of the log -----------------------------------------------------------------------


async def agent_that_heard(*said: str) -> tuple[MemoryStore, AgentState]:
    store, version = MemoryStore(), 0
    for n, words in enumerate(said):
        id = f"k{n}/a"
        received = MessageReceived(id=id, sender="user", parts=(Part("user", Text(words)),))
        turn = [received, TurnStarted(id=id), TurnFinished(id=id, text=Text(words))]
        version += len(await store.append("agent-a", [NewEvent(e) for e in turn], expected_version=version))
    return store, await replay(store, agent_state, stream="agent-a")


async def test_a_snapshot_holds_no_texts() -> None:
    _, state = await agent_that_heard(*[LONG] * 100)
    body = encode(state)
    assert b"Tides" not in body and len(body) < 100 * 150 and len(LONG) * 100 > 10 * len(body)


async def test_texts_of_a_log_that_was_changed_make_no_state() -> None:
    store, state = await agent_that_heard("one", "two")
    body = encode(state)
    texts = await store.texts(references(body))
    assert decode(AgentState, body, texts) == state
    ref = references(body)[0]
    assert decode(AgentState, body, {**texts, ref: "[erased]"}) is None
    assert decode(AgentState, body, {r: t for r, t in texts.items() if r != ref}) is None
    assert decode(GroupState, body, texts) is None
