"""What went wrong in the field with Marten's event store, by issue, on our stores.

There a number is drawn from a sequence first and the event seen later, so that numbers can be lost
and readers can run past an event. Here one writer gives numbers where it commits, and a reader sees
positions in the order of commits: these tests hold that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from callboard.events import (
    AppendRejected,
    EventStore,
    KeyReused,
    LogError,
    NewEvent,
    SQLiteStore,
    WrongExpectedVersion,
)

from .stores import STREAM, head, is_dense, keyed, plain, positions, replayed, saying

# -- an append of zero events (#5539) ---------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 2, 3, 99])
async def test_an_append_of_no_events_changes_nothing_and_the_stream_goes_on(store: EventStore, version: int) -> None:
    await store.append(STREAM, [plain(), plain()], expected_version=0)
    before = store.position, await head(store)
    assert await store.append(STREAM, [], expected_version=version) == []
    assert (store.position, await head(store)) == before
    [event] = await store.append(STREAM, [plain()], expected_version=2)
    assert event.version == 3 and await is_dense(store)


async def test_an_append_of_no_events_does_not_begin_a_stream(store: EventStore) -> None:
    assert await store.append(STREAM, [], expected_version=0) == []
    assert await head(store) == 0 and await replayed(store) == []


async def test_appends_of_no_events_among_others_take_no_version(store: EventStore) -> None:
    async with anyio.create_task_group() as group:
        for version in range(30):
            for events in ([], [plain()], []):
                group.start_soon(lambda e, v: store.append(STREAM, e, expected_version=v), events, version)
    assert await head(store) == 30 and await is_dense(store)


# -- a failed append leaves no gap (#3595, #4765, #5454) --------------------------------------------

FAILURES = [
    pytest.param(lambda: [plain()], 0, WrongExpectedVersion, id="version-behind"),
    pytest.param(lambda: [plain()], 9, WrongExpectedVersion, id="version-ahead"),
    pytest.param(lambda: [plain()] * 700, 9, WrongExpectedVersion, id="many-ahead"),
    pytest.param(lambda: [plain(), keyed("r/1", "other")], 2, KeyReused, id="key-known"),
    pytest.param(lambda: [keyed("r/2"), keyed("r/2")], 2, AppendRejected, id="key-twice"),
    pytest.param(lambda: [*[plain()] * 700, keyed("r/2"), keyed("r/2")], 2, AppendRejected, id="key-twice-late"),
    pytest.param(lambda: [plain(), saying("\ud800")], 2, AppendRejected, id="cannot-be-stored"),
    pytest.param(lambda: [plain(), saying("x" * 17_000_000)], 2, AppendRejected, id="too-long"),
]


@pytest.mark.parametrize(("events", "version", "error"), FAILURES)
async def test_a_failed_append_leaves_no_gap_and_nothing_of_itself(
    store: EventStore, events: Callable[[], list[NewEvent]], version: int, error: type[LogError]
) -> None:
    await store.append(STREAM, [keyed("r/1"), plain()], expected_version=0)
    last = store.position
    for _ in range(3):
        with pytest.raises(error):
            await store.append(STREAM, events(), expected_version=version)
    assert store.position == last and await head(store) == 2
    [event] = await store.append(STREAM, [keyed("r/2")], expected_version=2)
    assert (event.position, event.version) == (last + 1, 3)
    assert await is_dense(store)


async def test_a_stream_whose_first_append_fails_at_its_end_was_never_begun(store: EventStore) -> None:  # 5454
    for last in (saying("\ud800"), keyed("r/1")):
        with pytest.raises(AppendRejected):
            await store.append(STREAM, [keyed("r/1"), plain(), last], expected_version=0)
    assert await head(store) == 0 and await is_dense(store)
    [event] = await store.append(STREAM, [keyed("r/1")], expected_version=0)
    assert event.version == 1 and await is_dense(store)


@pytest.mark.parametrize("many", [1, 20])
async def test_the_losers_of_a_race_leave_no_gap(store: EventStore, many: int) -> None:  # 4765
    outcomes: list[bool] = []

    async def race() -> None:
        try:
            await store.append(STREAM, [plain()] * many, expected_version=0)
            outcomes.append(True)
        except WrongExpectedVersion:
            outcomes.append(False)

    before = store.position
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(race)
    assert sorted(outcomes) == [False] * 7 + [True]
    assert await head(store) == many and store.position == before + many
    assert await is_dense(store)


@pytest.mark.parametrize("version", [1, 3])
async def test_the_version_is_checked_on_a_stream_that_is_empty(store: EventStore, version: int) -> None:  # 2864
    with pytest.raises(WrongExpectedVersion) as caught:
        await store.append(STREAM, [plain()], expected_version=version)
    assert caught.value.actual == 0 and await head(store) == 0


# -- no reader runs past an event (#1629, #4953, #4964) ---------------------------------------------

WRITERS, APPENDS = 12, 15


async def imported(store: EventStore) -> None:
    """Write to many streams at once, large and small, with failures, cancelled callers and empty appends."""

    async def write(n: int) -> None:
        version = 0
        for turn in range(APPENDS):
            size = 200_000 if (n + turn) % 11 == 0 else 10
            with anyio.CancelScope() as scope:
                if (n + turn) % 4 == 0:
                    scope.cancel()
                await store.append(f"agent-{n}", [saying("x" * size), plain()], expected_version=version)
            version = await head(store, f"agent-{n}")
            await store.append(f"agent-{n}", [], expected_version=version)
            with pytest.raises(AppendRejected):
                await store.append(f"agent-{n}", [plain(), saying("\ud800")], expected_version=version)
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for n in range(WRITERS):
                group.start_soon(write, n)


async def test_a_subscription_passes_no_event_while_many_write(store: EventStore) -> None:
    seen: list[int] = []

    async def follow() -> None:
        async with aclosing(store.subscribe()) as events:
            async for event in events:
                seen.append(event.position)
                if event.stream == "agent-last":
                    return

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await imported(store)
            await store.append("agent-last", [plain()], expected_version=0)
    assert seen == await positions(store) and await is_dense(store)
    assert len(seen) > WRITERS * APPENDS


async def test_whoever_reads_meanwhile_finds_all_up_to_the_newest_position(store: EventStore) -> None:
    ended = anyio.Event()
    looks: list[tuple[int, list[int]]] = []

    async def look() -> None:
        while not ended.is_set():
            newest = store.position
            looks.append((newest, [event.position async for event in store.read_all(until=newest)]))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(look)
        await imported(store)
        ended.set()
    assert len({newest for newest, _ in looks}) > 1
    assert all(found == list(range(1, newest + 1)) for newest, found in looks)


async def test_a_reader_of_its_own_connection_finds_no_gap_while_many_write(path: Path) -> None:
    ended = anyio.Event()
    looks: list[list[int]] = []

    async def look() -> None:
        async with SQLiteStore.open(path, mode="read") as reader:
            while not ended.is_set():
                looks.append(await positions(reader))

    async with SQLiteStore.open(path) as store, anyio.create_task_group() as group:
        group.start_soon(look)
        await imported(store)
        ended.set()
    assert len({len(found) for found in looks}) > 1
    assert all(found == list(range(1, len(found) + 1)) for found in looks)
