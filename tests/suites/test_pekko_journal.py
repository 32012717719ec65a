"""The cases of Pekko's persistence kits that apply to a store of ours, re-expressed, with their numbers.

J: `JournalSpec`, P: `JournalPerfSpec`, S: `SnapshotStoreSpec`, R: `ReplayFilterSpec`, counted in the order
of each file. As there, a stream holds five events, the last two of one append. Theirs end each replay
with the highest sequence number; ours are asked for the version of the stream (`head`).

We never delete. What comes nearest is to erase the texts of events: where their cases delete, ours erase,
and the events themselves must go on to be replayed. `docs/evidence-suites.md` lists what does not apply.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import monotonic

import anyio
import pytest

from callboard.events import AppendRejected, EventStore, MemoryStore, NewEvent, RecordedEvent, SQLiteStore
from callboard.events.catalog import AgentStarted, MessageReceived, ModelCallFinished, Part, ToolUse, Usage
from callboard.events.codec import Row, chain
from callboard.events.specs import AgentSpec
from callboard.events.text import ERASED, Text

from .stores import STREAM, Bounds, head, keyed, plain, positions, replayed, said, saying


@pytest.fixture
async def journal(store: EventStore) -> EventStore:
    """A store with five events in the stream of the suite, and as many in another."""
    for stream in (STREAM, "agent-other"):
        for version in range(3):
            await store.append(stream, [saying(f"a-{version + 1}")], expected_version=version)
        await store.append(stream, [saying("a-4"), saying("a-5")], expected_version=3)
    return store


def erase(store: EventStore, path: Path, until: int) -> None:
    """Erase the texts of the stream up to version `until`."""
    if isinstance(store, MemoryStore):
        for i, row in enumerate(store.rows):
            if row.stream == STREAM and row.version <= until:
                store.rows[i] = row._replace(content=None, salt=None)
        return
    with closing(sqlite3.connect(path)) as database, database:
        sql = "UPDATE events SET content = NULL, salt = NULL WHERE stream = ? AND version <= ?"
        database.execute(sql, (STREAM, until))


# -- replay within bounds ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "versions"),
    [
        pytest.param(Bounds(), [1, 2, 3, 4, 5], id="J1-all"),
        pytest.param(Bounds(after=2), [3, 4, 5], id="J2-lower"),
        pytest.param(Bounds(until=3), [1, 2, 3], id="J3-upper"),
        pytest.param(Bounds(most=3), [1, 2, 3], id="J4-count"),
        pytest.param(Bounds(after=1, until=3), [2, 3], id="J5-lower-and-upper"),
        pytest.param(Bounds(after=1, until=5, most=2), [2, 3], id="J6-lower-upper-and-count"),
        pytest.param(Bounds(after=1, until=2), [2], id="J7-lower-is-upper"),
        pytest.param(Bounds(after=1, until=4, most=1), [2], id="J8-count-of-one"),
        pytest.param(Bounds(after=1, until=4, most=0), [], id="J9-count-of-none"),
        pytest.param(Bounds(after=2, until=2), [], id="J10-lower-above-upper"),
        pytest.param(Bounds(after=3, until=1), [], id="J10-lower-far-above-upper"),
    ],
)
async def test_a_replay_gives_what_is_within_its_bounds_and_leaves_the_head(
    journal: EventStore, bounds: Bounds, versions: list[int]
) -> None:
    found = await replayed(journal, bounds=bounds)
    assert [(event.version, said(event)) for event in found] == [(n, f"a-{n}") for n in versions]
    assert await head(journal) == 5


async def test_a_stream_that_nobody_wrote_to_is_empty_and_at_version_0(journal: EventStore) -> None:  # J11
    assert await replayed(journal, "agent-nobody") == []
    assert await head(journal, "agent-nobody") == 0


# -- erased where theirs delete ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "bounds"),
    [
        pytest.param(3, Bounds(), id="J12-not-replayed"),
        pytest.param(3, Bounds(), id="J13-head-after-a-prefix"),
        pytest.param(5, Bounds(), id="J14-head-after-everything"),
        pytest.param(3, Bounds(after=2), id="J15-lower-is-the-last-erased"),
        pytest.param(3, Bounds(until=2), id="J16-upper-is-inside"),
        pytest.param(3, Bounds(until=3), id="J17-upper-is-the-last-erased"),
        pytest.param(3, Bounds(after=3), id="J18-lower-is-the-first-that-stands"),
        pytest.param(3, Bounds(after=1, until=4), id="J22-a-window-across"),
    ],
)
async def test_erased_texts_are_not_replayed_and_the_events_and_the_head_stay(
    journal: EventStore, path: Path, until: int, bounds: Bounds
) -> None:
    whole = await replayed(journal, bounds=bounds)
    erase(journal, path, until)
    found = await replayed(journal, bounds=bounds)
    assert [said(e) for e in found] == [ERASED if e.version <= until else f"a-{e.version}" for e in whole]
    assert [(e.position, e.ref, e.chain) for e in found] == [(e.position, e.ref, e.chain) for e in whole]
    assert await head(journal) == 5


async def test_after_everything_was_erased_numbering_goes_on(journal: EventStore, path: Path) -> None:  # J14
    erase(journal, path, 5)
    [event] = await journal.append(STREAM, [saying("a-6")], expected_version=5)
    assert event.version == 6 and [said(e) for e in await replayed(journal, bounds=Bounds(after=4))] == [ERASED, "a-6"]


async def test_an_erased_prefix_of_one_stream_leaves_another_whole(journal: EventStore, path: Path) -> None:  # J12
    erase(journal, path, 5)
    assert [said(e) for e in await replayed(journal, "agent-other")] == [f"a-{n}" for n in range(1, 6)]


# -- what cannot be stored, and what comes back -----------------------------------------------------

CANNOT_BE_STORED = "\ud800"


async def test_of_three_appends_at_once_the_one_that_cannot_be_stored_is_rejected_alone(
    journal: EventStore,
) -> None:  # J19
    outcomes: list[str] = []

    async def write(text: str, expected_version: int) -> None:
        try:
            [event] = await journal.append(STREAM, [saying(text)], expected_version=expected_version)
            outcomes.append(event.ref)
        except AppendRejected:
            outcomes.append(f"{text!r} rejected")

    async with anyio.create_task_group() as group:
        for text, version in (("b-6", 5), (CANNOT_BE_STORED, 6), ("b-8", 6)):
            group.start_soon(write, text, version)
    assert sorted(outcomes) == [r"'\ud800' rejected", f"{STREAM}@6", f"{STREAM}@7"]
    assert [said(e) for e in await replayed(journal, bounds=Bounds(after=5))] == ["b-6", "b-8"]


async def test_of_one_append_of_three_none_is_stored_where_one_cannot_be(journal: EventStore) -> None:  # J19
    before = await positions(journal)
    with pytest.raises(AppendRejected):
        await journal.append(STREAM, [saying("b-6"), saying(CANNOT_BE_STORED), saying("b-8")], expected_version=5)
    assert await head(journal) == 5 and await positions(journal) == before


async def test_an_event_made_of_values_comes_back_equal_to_itself(journal: EventStore) -> None:  # J20
    spec = AgentSpec(name="p", instructions=Text("Ünïcode, \0 and 👩‍🚀"), description="d", tags=("b", "a"))
    uses = (ToolUse(name="t", arguments=Text('{"a": [1, {"b": null}]}')),)
    finished = ModelCallFinished(id="r/p/1", text=Text("t"), uses=uses, usage=Usage(input_tokens=1), model="m")
    received = MessageReceived(id="r/p", sender="user", parts=(Part("u", Text("t"), True),), params={"a": [1.5, None]})
    wanted = [AgentStarted(spec=spec), finished, received]
    written = await journal.append(STREAM, [NewEvent(data) for data in wanted], expected_version=5)
    found = await replayed(journal, bounds=Bounds(after=5))
    assert [event.data for event in found] == wanted and found == written


async def test_the_cause_the_request_and_the_time_of_an_event_come_back(journal: EventStore) -> None:  # J21
    data = keyed("r7/p").data
    before = datetime.now(UTC) - timedelta(seconds=1)
    written = await journal.append(STREAM, [NewEvent(data, causation_id="agent-other@4")], expected_version=5)
    assert await replayed(journal, bounds=Bounds(after=5)) == written
    assert written[0].causation_id == "agent-other@4" and before < written[0].recorded_at <= datetime.now(UTC)
    assert [e.ref async for e in journal.read_all(correlation_id="r7")] == [f"{STREAM}@6"]


async def test_a_text_of_ten_megabytes_comes_back(journal: EventStore) -> None:  # S11; theirs has 10,000 bytes
    text = "0123456789" * 1_000_000
    await journal.append(STREAM, [saying(text)], expected_version=5)
    assert said((await replayed(journal, bounds=Bounds(after=5)))[0]) == text


# -- in bulk: their bound is 10 s for 10,000 events -------------------------------------------------


@pytest.fixture
def rounds(big: bool) -> tuple[int, int]:
    """How many events, and how often."""
    return (10_000, 10) if big else (500, 2)


async def persisted(store: EventStore, many: int, *, at_once: int) -> float:
    """Append `many` events at the end of the stream, `at_once` in flight; return the seconds it took."""
    first, began = await head(store), monotonic()

    async def write(n: int) -> None:
        await store.append(STREAM, [saying(str(n))], expected_version=n)

    for start in range(first, first + many, at_once):
        async with anyio.create_task_group() as group:
            for n in range(start, start + at_once):
                group.start_soon(write, n)
    return monotonic() - began


async def test_many_events_are_persisted_many_at_once_within_ten_seconds(
    store: EventStore, rounds: tuple[int, int]
) -> None:  # P1
    many, times = rounds
    took = [await persisted(store, many, at_once=250) for _ in range(times)]
    assert [said(event) for event in await replayed(store)] == [str(n) for n in range(many * times)]
    assert max(took) < 10, took


def bare(path: Path, many: int) -> float:
    """Return the seconds that SQLite alone takes for as many commits, each with its wait for the disk."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for setting in ("journal_mode = WAL", "synchronous = FULL"):
            database.execute(f"PRAGMA {setting}")
        database.execute("CREATE TABLE IF NOT EXISTS facts (position INTEGER PRIMARY KEY, fact TEXT)")
        began = monotonic()
        for n in range(many):
            database.execute("INSERT INTO facts (fact) VALUES (?)", (str(n),))
        return monotonic() - began


async def test_many_events_are_persisted_one_by_one_as_fast_as_the_disk_allows(
    store: EventStore, path: Path, rounds: tuple[int, int]
) -> None:  # P2, on a file with a bound of our own: theirs supposes a disk that is fast enough
    many, times = rounds
    ours, alone = list[float](), list[float]()
    for _ in range(times):
        if isinstance(store, SQLiteStore):
            alone.append(bare(path.with_name("bare.db"), many))
        ours.append(await persisted(store, many, at_once=1))
    print(f"P2, {many:,} events, seconds: {ours}; SQLite alone: {alone}")
    assert [said(event) for event in await replayed(store)] == [str(n) for n in range(many * times)]
    assert sum(ours) < max(10 * times, 8 * sum(alone))


async def test_many_events_are_recovered_in_order_within_ten_seconds(
    store: EventStore, rounds: tuple[int, int]
) -> None:  # P3
    many, times = rounds
    await store.append(STREAM, [saying(str(n)) for n in range(many)], expected_version=0)
    for _ in range(times):
        began = monotonic()
        assert [said(event) for event in await replayed(store)] == [str(n) for n in range(many)]
        assert monotonic() - began < 10


# -- two writers: their filter repairs, we keep it from being written -------------------------------


async def by_a_writer(path: Path, expected_version: int, many: int) -> list[RecordedEvent]:
    async with SQLiteStore.open(path) as store:
        return await store.append(STREAM, [plain()] * many, expected_version=expected_version)


def forged(path: Path, version: int, previous: bytes) -> int:
    """Write as an old writer would that heard of no newer one: at `version`, after `previous`; return where."""
    with closing(sqlite3.connect(path)) as database, database:
        [[position]] = database.execute("SELECT max(position) + 1 FROM events")
        facts = ("TurnStarted", 1, '{"id":"r/p"}', None, None, None, "r", None, 0)
        row = Row(position, STREAM, version, *facts, b"")
        row = row._replace(chain=chain(previous, row))
        database.execute(f"INSERT INTO events VALUES ({','.join('?' * len(row))})", row)
        return position


def first_break(path: Path) -> int | None:
    """Return the position of the first event that does not follow on the one before it."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        previous = b""
        for row in map(Row._make, database.execute("SELECT * FROM events ORDER BY position")):
            if row.chain != chain(previous, row):
                return row.position
            previous = row.chain
    return None


@pytest.mark.parametrize("writers", [pytest.param(1, id="R1-one"), pytest.param(5, id="R3-a-clean-switch")])
async def test_what_writers_wrote_one_after_another_is_replayed_whole(path: Path, writers: int) -> None:
    written = [event for n in range(writers) for event in await by_a_writer(path, 3 * n, 3)]
    async with SQLiteStore.open(path, mode="read") as store:
        assert await replayed(store) == written
    assert first_break(path) is None


async def test_a_switch_of_writers_in_the_middle_of_a_page_loses_and_doubles_nothing(path: Path) -> None:  # R7
    bounds = (0, 49, 50, 51, 99, 551, 1_200)
    for start, end in pairwise(bounds):
        await by_a_writer(path, start, end - start)
    async with SQLiteStore.open(path, mode="read") as store:
        assert [event.version for event in await replayed(store)] == list(range(1, 1_201))


@pytest.mark.parametrize("version", [pytest.param(3, id="R4-R8"), pytest.param(1, id="R5-R9")])
async def test_a_number_that_another_writer_took_cannot_be_written_again(path: Path, version: int) -> None:
    written = await by_a_writer(path, 0, 2) + await by_a_writer(path, 2, 2)
    with pytest.raises(sqlite3.IntegrityError):
        forged(path, version, written[1].chain)
    async with SQLiteStore.open(path, mode="read") as store:
        assert await replayed(store) == written


@pytest.mark.parametrize("late", [pytest.param(1, id="R5-R9"), pytest.param(3, id="R6-several")])
async def test_what_old_writers_add_late_breaks_the_chain_where_it_stands(path: Path, late: int) -> None:
    old = await by_a_writer(path, 0, 2)
    await by_a_writer(path, 2, 2)
    places = [forged(path, 5 + n, old[-1].chain) for n in range(late)]
    assert first_break(path) == places[0]
