"""KurrentDB's rules for an append that is repeated, and its matrix of sequences, on our stores.

Their events have ids, ours keys; their numbers begin at 0, our versions at 1; -1, "no stream", is our
version 0; "any" is every version, since keys are looked up first. The names of sequences are theirs:
`0em1` is event 0 written with expected version -1, `S` and `E` enclose one append.

Two rules of ours are stricter than theirs: a key is never written twice, whatever version is expected,
and a known key with other content is refused, where theirs compare ids alone.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from callboard.events import EventStore, KeyReused, LogError, NewEvent, SQLiteStore, WrongExpectedVersion

from .stores import STREAM, head, keyed, plain, positions, replayed


def events(*numbers: int) -> list[NewEvent]:
    """Return events that are equal where their numbers are."""
    return [keyed(f"r/{n}") for n in numbers]


async def unchanged(store: EventStore, many: int) -> bool:
    """Return whether the stream holds `many` events, and the log no gap."""
    found = await positions(store)
    return len(await replayed(store)) == await head(store) == many and found == list(range(1, len(found) + 1))


# -- their matrix of sequences ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("many", "again", "versions"),
    [
        pytest.param(6, [0], [0], id="0em1_1e0_2e1_3e2_4e3_5e4_0em1_idempotent"),
        pytest.param(6, [0], [0, 1, 6, 99], id="0em1_1e0_2e1_3e2_4e3_4e4_0any_idempotent"),
        pytest.param(1, [0], [0, 1, 99], id="0em1_0any_idempotent"),
        pytest.param(1, [0], [0], id="0em1_0em1_idempotent"),
        pytest.param(3, [1], [0, 1, 2, 3, 99], id="0em1_1e0_2e1_1any_1any_idempotent"),
        pytest.param(2, [0], [0], id="S_0em1_1em1_E_S_0em1_E_idempotent"),
        pytest.param(2, [0], [0, 1, 2, 99], id="S_0em1_1em1_E_S_0any_E_idempotent"),
        pytest.param(2, [1], [1], id="S_0em1_1em1_E_S_1e0_E_idempotent"),
        pytest.param(2, [1], [0, 1, 2, 99], id="S_0em1_1em1_E_S_1any_E_idempotent"),
        # Written again, or refused, there; here known, and so the first one again.
        pytest.param(6, [0], [6], id="0em1_1e0_2e1_3e2_4e3_5e4_0e5_non_idempotent"),
        pytest.param(1, [0], [1], id="0em1_0e0_non_idempotent"),
        pytest.param(6, [0], [7], id="0em1_1e0_2e1_3e2_4e3_5e4_0e6_wev"),
        pytest.param(6, [0], [5], id="0em1_1e0_2e1_3e2_4e3_5e4_0e4_wev"),
    ],
)
async def test_events_that_stand_in_the_stream_are_acknowledged_and_not_written_again(
    store: EventStore, many: int, again: list[int], versions: list[int]
) -> None:
    first = await store.append(STREAM, events(*range(many)), expected_version=0)
    for version in versions:
        repeated = await store.append(STREAM, events(*again), expected_version=version)
        assert repeated == [first[n] for n in again]
    assert await unchanged(store, many)


async def test_the_matrix_holds_where_each_event_was_an_append_of_its_own(store: EventStore) -> None:
    first = [(await store.append(STREAM, events(n), expected_version=n))[0] for n in range(6)]
    assert await store.append(STREAM, events(0, 1, 2), expected_version=0) == first[:3]
    assert await store.append(STREAM, events(4, 5), expected_version=4) == first[4:]
    assert await unchanged(store, 6)


async def test_a_batch_that_stands_there_only_in_part_is_refused(store: EventStore) -> None:
    # S_0em1_1em1_E_S_0em1_1em1_2em1_E_idempotancy_fail
    await store.append(STREAM, events(0, 1), expected_version=0)
    with pytest.raises(KeyReused):
        await store.append(STREAM, events(0, 1, 2), expected_version=0)
    assert await unchanged(store, 2)


# Without a key nobody can know an event again, and the version alone decides: as theirs with new ids.


@pytest.mark.parametrize(("many", "version"), [pytest.param(6, 6, id="0e5"), pytest.param(1, 1, id="0e0")])
async def test_an_event_without_a_key_is_written_again_at_the_right_version(
    store: EventStore, many: int, version: int
) -> None:
    await store.append(STREAM, [plain()] * many, expected_version=0)
    await store.append(STREAM, [plain()], expected_version=version)
    assert await unchanged(store, many + 1)


@pytest.mark.parametrize("version", [pytest.param(7, id="0e6_wev"), pytest.param(5, id="0e4_wev")])
async def test_an_event_without_a_key_is_refused_at_another_version(store: EventStore, version: int) -> None:
    await store.append(STREAM, [plain()] * 6, expected_version=0)
    with pytest.raises(WrongExpectedVersion):
        await store.append(STREAM, [plain()], expected_version=version)
    assert await unchanged(store, 6)


# -- all, none or some are known --------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 2, 4])
async def test_none_known_and_the_stream_at_another_version_is_a_conflict(store: EventStore, version: int) -> None:
    await store.append(STREAM, events(0, 1, 2), expected_version=0)
    with pytest.raises(WrongExpectedVersion) as caught:
        await store.append(STREAM, events(7, 8), expected_version=version)
    assert (caught.value.expected, caught.value.actual) == (version, 3)
    assert await unchanged(store, 3)


@pytest.mark.parametrize("version", [0, 1, 2, 3, 99])
@pytest.mark.parametrize(
    "again",
    [
        pytest.param((2, 3), id="a-new-one-behind"),
        pytest.param((3, 0), id="a-new-one-before"),
        pytest.param((0, 3, 2), id="a-new-one-between"),
        pytest.param((0, 2), id="one-left-out"),
        pytest.param((1, 0), id="in-another-order"),
        pytest.param((0, 0), id="one-twice"),
    ],
)
async def test_what_is_known_in_part_or_otherwise_is_refused_at_any_version(
    store: EventStore, again: tuple[int, ...], version: int
) -> None:
    await store.append(STREAM, events(0, 1, 2), expected_version=0)
    with pytest.raises(KeyReused):
        await store.append(STREAM, events(*again), expected_version=version)
    assert await unchanged(store, 3)


@pytest.mark.parametrize("version", [0, 1, 99])
async def test_a_known_key_with_other_content_is_refused(store: EventStore, version: int) -> None:
    await store.append(STREAM, [keyed("r/0", "one")], expected_version=0)
    with pytest.raises(KeyReused):
        await store.append(STREAM, [keyed("r/0", "other")], expected_version=version)
    assert await unchanged(store, 1)


async def test_the_same_keys_in_another_stream_are_other_events(store: EventStore) -> None:
    await store.append("agent-other", events(0, 1), expected_version=0)
    written = await store.append(STREAM, events(0, 1), expected_version=0)
    assert [event.ref for event in written] == [f"{STREAM}@1", f"{STREAM}@2"]
    assert await unchanged(store, 2)


# -- the second event, the second batch, whenever it comes ------------------------------------------


@pytest.mark.parametrize("later", [1, 60, 700])
async def test_a_batch_is_known_again_however_much_was_written_since(store: EventStore, later: int) -> None:
    first = await store.append(STREAM, events(0, 1), expected_version=0)
    await store.append(STREAM, [plain()] * later, expected_version=2)
    await store.append("agent-other", [plain()] * later, expected_version=0)
    assert await store.append(STREAM, events(0, 1), expected_version=0) == first
    assert await unchanged(store, later + 2)


async def test_a_batch_is_known_again_when_the_log_was_closed_and_opened(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        first = await store.append(STREAM, events(0, 1), expected_version=0)
    for version in (0, 2, 99):
        async with SQLiteStore.open(path) as store:
            assert await store.append(STREAM, events(0, 1), expected_version=version) == first
            assert await unchanged(store, 2)


async def test_of_the_same_append_sent_many_times_at_once_all_are_acknowledged_and_one_is_written(
    store: EventStore,
) -> None:
    outcomes: list[str] = []

    async def send(version: int) -> None:
        written = await store.append(STREAM, events(0, 1), expected_version=version)
        outcomes.append(" ".join(f"{event.ref}:{event.position}" for event in written))

    async with anyio.create_task_group() as group:
        for n in range(40):
            group.start_soon(send, 0 if n == 0 else n % 4)
    assert len(outcomes) == 40 and len(set(outcomes)) == 1
    assert await unchanged(store, 2)


async def test_repeated_and_new_appends_that_wait_together_do_not_disturb_each_other(store: EventStore) -> None:
    outcomes: list[str] = []

    async def send(stream: str, numbers: tuple[int, ...], version: int) -> None:
        try:
            written = await store.append(stream, events(*numbers), expected_version=version)
            outcomes.append(" ".join(event.ref for event in written))
        except LogError as error:
            outcomes.append(type(error).__name__)

    await store.append(STREAM, events(0), expected_version=0)
    async with anyio.create_task_group() as group:
        group.start_soon(send, STREAM, (0,), 1)
        group.start_soon(send, STREAM, (1,), 1)
        group.start_soon(send, STREAM, (0, 1, 2), 2)
        group.start_soon(send, STREAM, (1,), 2)
        group.start_soon(send, "agent-other", (0,), 0)
    wanted = ["agent-other@1", "agent-p@1", "agent-p@2", "agent-p@2", "KeyReused"]
    assert sorted(outcomes) == sorted(wanted)
    assert await unchanged(store, 2)
