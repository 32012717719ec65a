"""What every `EventStore` does, run on each."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from callboard.events import (
    AppendRejected,
    EventStore,
    KeyReused,
    MemoryStore,
    NewEvent,
    RecordedEvent,
    Reference,
    SQLiteStore,
    Text,
    WrongExpectedVersion,
)
from callboard.events.catalog import (
    LogCreated,
    MessageReceived,
    ModelCallFinished,
    Part,
    SendAnswered,
    ToolCallFinished,
    ToolUse,
    TurnStarted,
)
from callboard.events.codec import Row, chain

Rows = Callable[[], list[Row]]


@pytest.fixture(params=["memory", "sqlite"])
async def store_and_rows(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[tuple[EventStore, Rows]]:
    if request.param == "memory":
        memory = MemoryStore()
        yield memory, lambda: memory.rows
    else:
        async with SQLiteStore.open(tmp_path / "log.db") as store:
            yield store, lambda: stored(tmp_path / "log.db")


@pytest.fixture
def store(store_and_rows: tuple[EventStore, Rows]) -> EventStore:
    return store_and_rows[0]


@pytest.fixture
def rows(store_and_rows: tuple[EventStore, Rows]) -> Rows:
    return store_and_rows[1]


def stored(path: Path) -> list[Row]:
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return [Row._make(row) for row in reader.execute("SELECT * FROM events ORDER BY position")]
    finally:
        reader.close()


def message(id: str, text: str = "hello") -> NewEvent:
    """A message, which carries its id as its key."""
    return NewEvent(MessageReceived(id=id, sender="user", parts=(Part(speaker="user", text=Text(text)),)))


def started(id: str = "r/a") -> NewEvent:
    """An event without a key."""
    return NewEvent(TurnStarted(id=id))


def said(event: RecordedEvent) -> Text:
    assert isinstance(event.data, MessageReceived)
    return event.data.parts[0].text


async def collected(events: AsyncGenerator[RecordedEvent]) -> list[RecordedEvent]:
    return [event async for event in events]


async def heads(store: EventStore) -> list[str]:
    """All events but those of the log's own life."""
    return [event.ref async for event in store.read_all() if event.stream != "system"]


async def test_the_first_event_is_log_created(store: EventStore) -> None:
    [first] = await collected(store.read_all(until=1))
    assert first.ref == "system@1" and first.position == 1
    assert first.data == LogCreated(log_id=store.log_id)


async def test_versions_count_from_one_in_each_stream_and_positions_in_the_log(store: EventStore) -> None:
    newest = store.position
    first = await store.append("agent-a", [started(), started()], expected_version=0)
    second = await store.append("agent-b", [started()], expected_version=0)
    third = await store.append("agent-a", [started()], expected_version=2)
    written = first + second + third
    assert [event.ref for event in written] == ["agent-a@1", "agent-a@2", "agent-b@1", "agent-a@3"]
    assert [event.position - newest for event in written] == [1, 2, 3, 4]


async def test_the_store_knows_the_position_of_its_newest_event(store: EventStore) -> None:
    *_, newest = await collected(store.read_all())
    assert store.position == newest.position
    await store.append("agent-a", [started(), started()], expected_version=0)
    assert store.position == newest.position + 2


async def test_what_is_read_is_what_append_returned(store: EventStore) -> None:
    answer = NewEvent(SendAnswered(id="r/a/b", text=Text("yes")), causation_id="agent-a@1")
    written = await store.append("agent-a", [message("r/a"), answer], expected_version=0)
    assert await collected(store.read_stream("agent-a")) == written


async def test_append_at_a_stale_version_writes_nothing(store: EventStore) -> None:
    await store.append("agent-a", [started()], expected_version=0)
    with pytest.raises(WrongExpectedVersion) as caught:
        await store.append("agent-a", [started(), started()], expected_version=0)
    assert (caught.value.expected, caught.value.actual) == (0, 1)
    assert await heads(store) == ["agent-a@1"]


async def test_append_ahead_of_the_stream_writes_nothing(store: EventStore) -> None:
    with pytest.raises(WrongExpectedVersion):
        await store.append("agent-a", [started()], expected_version=3)
    assert await heads(store) == []


async def test_one_event_that_cannot_be_stored_keeps_the_others_out(store: EventStore) -> None:
    with pytest.raises(AppendRejected):
        await store.append("agent-a", [message("r/1"), message("r/2", "\ud800")], expected_version=0)
    assert await heads(store) == []


async def test_a_failed_append_leaves_no_gap(store: EventStore) -> None:
    newest = store.position
    with pytest.raises(WrongExpectedVersion):
        await store.append("agent-a", [started()], expected_version=7)
    [event] = await store.append("agent-a", [started()], expected_version=0)
    assert event.position == newest + 1


async def test_appending_nothing_changes_nothing(store: EventStore) -> None:
    assert await store.append("agent-a", [], expected_version=99) == []
    assert await heads(store) == []


@pytest.mark.parametrize("expected_version", [0, 2, 3])
async def test_a_repeated_append_returns_the_first_result(store: EventStore, expected_version: int) -> None:
    first = await store.append("agent-a", [message("r/1"), started()], expected_version=0)
    await store.append("agent-a", [started()], expected_version=2)
    again = await store.append("agent-a", [message("r/1"), started()], expected_version=expected_version)
    assert again == first
    assert len(await heads(store)) == 3


@pytest.mark.parametrize("expected_version", [0, 1])
async def test_a_known_key_with_other_content_is_refused(store: EventStore, expected_version: int) -> None:
    await store.append("agent-a", [message("r/1")], expected_version=0)
    with pytest.raises(KeyReused):
        await store.append("agent-a", [message("r/1", "other")], expected_version=expected_version)
    assert await heads(store) == ["agent-a@1"]


@pytest.mark.parametrize("company", [[started("r/2")], [started(), started()]])
async def test_a_known_key_in_other_company_is_refused(store: EventStore, company: list[NewEvent]) -> None:
    await store.append("agent-a", [started(), message("r/1")], expected_version=0)
    with pytest.raises(KeyReused):
        await store.append("agent-a", [*company, message("r/1")], expected_version=2)
    assert len(await heads(store)) == 2


async def test_one_key_may_stand_in_two_streams(store: EventStore) -> None:
    await store.append("agent-a", [message("r/1")], expected_version=0)
    [event] = await store.append("agent-b", [message("r/1")], expected_version=0)
    assert await store.find("agent-b", "r/1") == event


async def test_find_knows_a_key_in_its_stream_only(store: EventStore) -> None:
    written = await store.append("agent-a", [started(), message("r/1")], expected_version=0)
    assert await store.find("agent-a", "r/1") == written[1]
    assert await store.find("agent-a", "r/2") is None
    assert await store.find("agent-b", "r/1") is None


async def test_read_stream_has_bounds_by_version_and_position(store: EventStore) -> None:
    at = store.position
    for version in range(4):
        await store.append("agent-a", [started()], expected_version=version)
        await store.append("agent-b", [started()], expected_version=version)
    bounds = ({"after": 2}, {"after": 1, "until": 3}, {"until_position": at + 3}, {"until": 0}, {"after": 9})
    found = [[event.version async for event in store.read_stream("agent-a", **bound)] for bound in bounds]
    assert found == [[3, 4], [2, 3], [1, 2], [], []]


async def test_read_all_has_bounds_by_position_and_request(store: EventStore) -> None:
    at = store.position
    await store.append("agent-a", [started("r1/a"), started("r2/a"), started("r1/b")], expected_version=0)
    await store.append("agent-b", [started("r1/c")], expected_version=0)
    reads = (
        store.read_all(after=at + 1, until=at + 3),
        store.read_all(correlation_id="r1"),
        store.read_all(after=at + 1, until=at + 3, correlation_id="r1"),
        store.read_all(correlation_id="r"),
    )
    assert [[e.position - at for e in await collected(read)] for read in reads] == [[2, 3], [1, 3, 4], [3], []]


async def test_more_events_than_a_page_are_read_in_order(store: EventStore) -> None:
    [*_, last] = await store.append("agent-a", [started() for _ in range(1_200)], expected_version=0)
    assert [event.position async for event in store.read_all()] == list(range(1, last.position + 1))
    assert [event.version async for event in store.read_stream("agent-a")] == list(range(1, 1_201))


async def test_a_reader_may_stop_early(store: EventStore) -> None:
    await store.append("agent-a", [started() for _ in range(200)], expected_version=0)
    async with aclosing(store.read_all()) as events:
        async for event in events:
            if event.position == 3:
                break
    [event] = await store.append("agent-a", [started()], expected_version=200)
    assert event.version == 201


async def test_a_subscription_catches_up_and_misses_nothing_that_is_appended_meanwhile(
    store: EventStore,
) -> None:
    async def write(stream: str) -> None:
        for version in range(20):
            await store.append(stream, [started()], expected_version=version)

    await store.append("agent-x", [started()], expected_version=0)
    async with anyio.create_task_group() as group, aclosing(store.subscribe(after=1)) as events:
        newest = store.position
        for n in range(5):
            group.start_soon(write, f"agent-{n}")
        with anyio.fail_after(10):
            for position in range(2, newest + 101):
                assert (await anext(events)).position == position


async def test_a_text_is_stored_once_and_read_everywhere(store: EventStore, rows: Rows) -> None:
    [asked] = await store.append("agent-a", [message("r/1", "a long text")], expected_version=0)
    passed = NewEvent(SendAnswered(id="r/1", text=said(asked)))
    await store.append("agent-b", [passed], expected_version=0)
    [answered] = await collected(store.read_stream("agent-b"))
    assert isinstance(answered.data, SendAnswered) and answered.data.text == "a long text"
    assert answered.data.text.ref == ("agent-a", 1, 0)
    assert [row.content for row in rows() if row.stream != "system"] == ['["a long text"]', None]


async def test_a_text_far_back_is_found_from_another_page(store: EventStore) -> None:
    [asked] = await store.append("agent-a", [message("r/1", "far back")], expected_version=0)
    passed = [NewEvent(SendAnswered(id=f"r/{n}", text=said(asked))) for n in range(120)]
    await store.append("agent-b", passed, expected_version=0)
    read = await collected(store.read_stream("agent-b", after=100))
    assert {event.data.text for event in read if isinstance(event.data, SendAnswered)} == {"far back"}


async def test_an_argument_of_a_tool_call_is_a_reference_into_it(store: EventStore, rows: Rows) -> None:
    use = ToolUse(name="ask", arguments=Text('{"to": "b", "text": "who?"}'))
    await store.append("agent-a", [NewEvent(ModelCallFinished(id="r/c", uses=(use,)))], expected_version=0)
    passed = MessageReceived(id="r/s", sender="agent-a", parts=(Part(speaker="a", text=use.arguments.pick("text")),))
    await store.append("agent-b", [NewEvent(passed)], expected_version=0)
    [event] = await collected(store.read_stream("agent-b"))
    assert said(event) == "who?" and said(event).ref == ("agent-a", 1, 0, "text")
    assert rows()[-1].content is None


async def test_any_text_comes_back_as_it_was(store: EventStore) -> None:
    text = "\0 NUL, 'quotes\" and \\, \r\n\t, \x7f\x1b, \u2028, e\u0301, 👩‍🚀, \U0010ffff"
    await store.append("agent-a", [message("r/1", text)], expected_version=0)
    assert [said(event) async for event in store.read_stream("agent-a")] == [text]


async def test_a_text_of_ten_megabytes_comes_back(store: EventStore) -> None:
    text = "ä" * 5_000_000
    await store.append("agent-a", [message("r/1", text)], expected_version=0)
    assert [said(event) == text async for event in store.read_stream("agent-a")] == [True]


@pytest.mark.parametrize("text", ["x" * (17 * 1024 * 1024), "\ud800"], ids=["17 MiB", "lone surrogate"])
async def test_a_text_that_cannot_be_stored_is_refused(store: EventStore, text: str) -> None:
    with pytest.raises(AppendRejected):
        await store.append("agent-a", [message("r/1", text)], expected_version=0)
    assert await heads(store) == []


@pytest.mark.parametrize("stream", ["agent-\ud800", "agent-\0"])
async def test_a_stream_name_that_cannot_be_stored_is_refused(store: EventStore, stream: str) -> None:
    with pytest.raises(AppendRejected):
        await store.append(stream, [started()], expected_version=0)
    assert await heads(store) == []


async def test_a_text_of_an_append_at_a_stale_version_can_be_said_again(store: EventStore) -> None:
    text = Text("again")
    await store.append("agent-a", [message("r/0", "other")], expected_version=0)
    event = NewEvent(ToolCallFinished(id="r/t", text=text))
    with pytest.raises(WrongExpectedVersion):
        await store.append("agent-a", [event], expected_version=0)
    await store.append("agent-a", [event], expected_version=1)
    *_, read = await collected(store.read_stream("agent-a"))
    assert read.data == event.data and text.ref == ("agent-a", 2, 0)


async def test_a_cancelled_caller_does_not_undo_its_append(store: EventStore) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.append("agent-a", [started(), started()], expected_version=0)
    await store.append("agent-b", [started()], expected_version=0)
    assert await heads(store) == ["agent-a@1", "agent-a@2", "agent-b@1"]


async def test_a_hundred_appenders_at_once_leave_no_gap(store: EventStore) -> None:
    positions, newest = list[int](), store.position

    async def write(stream: str) -> None:
        for version in range(5):
            [event] = await store.append(stream, [started()], expected_version=version)
            positions.append(event.position)

    async with anyio.create_task_group() as group:
        for n in range(100):
            group.start_soon(write, f"agent-{n}")
    assert sorted(positions) == list(range(newest + 1, newest + 501))
    assert [event.position async for event in store.read_all()] == list(range(1, newest + 501))


async def test_of_many_appends_at_one_version_one_is_written(store: EventStore) -> None:
    outcomes: list[bool] = []

    async def write() -> None:
        try:
            await store.append("agent-a", [started()], expected_version=0)
            outcomes.append(True)
        except WrongExpectedVersion:
            outcomes.append(False)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(write)
    assert sum(outcomes) == 1 and len(outcomes) == 10
    assert await heads(store) == ["agent-a@1"]


async def test_the_chain_can_be_computed_from_what_is_stored(store: EventStore, rows: Rows) -> None:
    written = await store.append("agent-a", [message("r/1"), started()], expected_version=0)
    await store.append("agent-b", [message("r/1")], expected_version=0)
    previous = b""
    for row in rows():
        assert row.chain == chain(previous, row)
        previous = row.chain
    assert [event.chain for event in written] == [row.chain for row in rows() if row.stream == "agent-a"]


async def test_texts_are_found_by_their_references(store: EventStore) -> None:
    wanted = ToolUse(name="t", arguments=Text('{"to": "b", "n": 1}'))
    finished = NewEvent(ModelCallFinished(id="r/a/1", text=Text("hello"), uses=(wanted,)))
    await store.append("agent-a", [finished, NewEvent(TurnStarted(id="r/a"))], expected_version=0)
    here: list[Reference] = [("agent-a", 1, 0), ("agent-a", 1, 1), ("agent-a", 1, 1, "to")]
    gone: list[Reference] = [("agent-a", 1, 2), ("agent-a", 1, 1, "from"), ("agent-a", 3, 0), ("agent-b", 1, 0)]
    found = await store.texts([*here, *gone, here[0]])
    assert [found[ref] for ref in here] == ["hello", '{"to": "b", "n": 1}', "b"] and len(found) == 3


async def test_what_would_not_read_back_as_it_was_is_not_written(store: EventStore) -> None:
    before = store.position
    part = Part(speaker="user", text=Text("hello"))
    message = MessageReceived(id="k/a", sender="user", parts=(part,), params={"x": float("nan")})
    with pytest.raises(AppendRejected, match="does not read back as it was written"):
        await store.append("agent-a", [NewEvent(message)], expected_version=0)
    assert store.position == before
