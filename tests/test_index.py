"""The search index: it equals a rebuild, is one of its log or none, and survives whatever happens to its file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from callboard.actors import search
from callboard.actors.cache_findings import cache_findings
from callboard.actors.search import Index
from callboard.events import EventStore, MemoryStore, SQLiteStore, Text, index_file
from callboard.events.cache import folder_of
from callboard.events.catalog import (
    MessageDropped,
    MessageReceived,
    ModelCallFinished,
    ModelCallRequested,
    PassageDeleted,
    PassageInserted,
    PassageUpdated,
    ToolCallFinished,
    ToolCallRequested,
    TurnFinished,
)
from callboard.events.event import Event
from callboard.events.index_file import file_of

from . import harness
from .scenarios import SCENARIOS
from .shelves import Clock, deleted, dumped, heard, holding, inserted, keep, said, stocked, updated

LINES = ["The tide is high at noon.", "Low water at six.", "Boats leave with the tide."]


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, path: Path) -> AsyncGenerator[EventStore]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        async with SQLiteStore.open(path) as store:
            yield store


@pytest.fixture
async def log(path: Path) -> AsyncGenerator[SQLiteStore]:
    async with SQLiteStore.open(path) as store:
        await stocked(store, LINES)
        yield store


async def found(store: EventStore, query: str) -> list[str]:
    async with Index.open(store) as index:
        return said(await index.search(query))


# -- what is in it ------------------------------------------------------------------------------------


async def test_an_agent_is_found_with_what_it_heard_said_and_got_back(store: EventStore) -> None:
    call, tool = "k/a/1", "k/a/1/1"
    await keep(
        store, "agent-a", *heard("k/a", "a tide table", "anna"),
        ModelCallRequested(id=call), ModelCallFinished(id=call, text=Text("the tide is high")),
        ToolCallRequested(id=tool, tool="look", arguments=Text("{}"), effect="read"),
        ToolCallFinished(id=tool, text=Text("tide: 4 m")),
        ToolCallRequested(id="k/a/1/2", tool="conversation_search", arguments=Text("{}"), effect="send"),
        ToolCallFinished(id="k/a/1/2", text=Text("tide, found")),
    )  # fmt: skip
    async with Index.open(store) as index:
        hits = await index.search("tide", owners=["agent-a"])
        known = {(hit.role, hit.speaker, hit.text, hit.conversation, hit.stream, hit.version) for hit in hits}
        assert known == {
            ("user", "user", "a tide table", "anna", "agent-a", 1),
            ("assistant", "a", "the tide is high", "anna", "agent-a", 4),
            ("tool", "look", "tide: 4 m", "anna", "agent-a", 6),
        }
        assert await index.search("tide", owners=["agent-b"]) == []


async def test_what_is_open_is_known_after_a_restart(store: EventStore) -> None:
    await keep(store, "agent-a", *heard("k/a", "a question", "anna"))
    async with Index.open(store) as index:
        await index.refresh()
    await keep(store, "agent-a", ModelCallRequested(id="k/a/1"), ModelCallFinished(id="k/a/1", text=Text("an answer")))
    async with Index.open(store) as index:
        [hit] = await index.search("answer")
        assert hit.conversation == "anna"
        await keep(store, "agent-a", TurnFinished(id="k/a", text=Text("an answer")))
        assert (await dumped(index))[2] == []


async def test_what_waits_is_heard_when_its_turn_begins_and_what_is_dropped_never_is(store: EventStore) -> None:
    received, begun = heard("k/a", "high water")
    other = heard("l/a", "low water")[0]
    await keep(store, "agent-a", received, other)
    async with Index.open(store) as index:
        assert said(await index.search("water")) == []
        assert set(said(await index.search("water", unheard=True))) == {"high water", "low water"}
        await keep(store, "agent-a", MessageDropped(id="l/a", by="anna", text=Text("dropped")), begun)
        assert said(await index.search("water")) == ["high water"]
        assert said(await index.search("water", without="k/a")) == []


async def test_a_passage_is_what_it_says_now_until_it_is_deleted(store: EventStore) -> None:
    await stocked(store, LINES)
    async with Index.open(store) as index:
        await keep(store, "archive-team", updated(1, "The ebb is low.", "sea"), updated(2, "x"), updated(2, "y y"))
        assert said(await index.search("noon")) == []
        [hit] = await index.search("ebb", kinds=["passage"])
        assert (hit.number, hit.tags, hit.speaker, hit.owner_stream) == (1, ("sea",), "a", "archive-team")
        assert said(await index.search("x")) == [] and said(await index.search("y")) == ["y y"]
        await keep(store, "archive-team", deleted(1), deleted(3))
        assert said(await index.search("ebb tide")) == []


async def test_all_bounds_hold_before_the_limit_does() -> None:
    clock = Clock()
    store = MemoryStore(now=clock)
    await stocked(store, [])
    for day in range(1, 21):
        clock.time = clock.time.replace(day=day)
        tags = ("odd", "old") if day % 2 else ("even",)
        await keep(store, "archive-team", inserted(day, f"water on day {day}", *tags))
    index = Index(store)
    for bounds, days in [
        ({"end": "2026-11-02"}, [2, 1]),
        ({"start": "2026-11-19"}, [20, 19]),
        ({"start": "2026-11-03T12:00", "end": "2026-11-04T11:59Z"}, [3]),
        ({"start": "2026-11-03T13:00+01:00", "end": "2026-11-03T12:00"}, [3]),
        ({"tags": ["odd", "old"], "tag_match_mode": "all", "end": "2026-11-04"}, [3, 1]),
        ({"tags": ["odd", "even"], "tag_match_mode": "all"}, []),
        ({"tags": ["old", "even"], "end": "2026-11-03"}, [3, 2, 1]),
        ({"roles": ["user"]}, []),
        ({"kinds": ["message"]}, []),
        ({"limit": 2}, [20, 19]),
    ]:
        for query in ("water", ""):
            hits = await index.search(query, **{"limit": 3, **bounds})  # type: ignore[arg-type]
            assert [hit.number for hit in hits] == days[:3], (query, bounds)


async def test_a_text_that_many_heard_is_one_hit_where_it_stood_first(store: EventStore) -> None:
    await keep(store, "agent-a", ModelCallRequested(id="k/a/1"), *heard("k/a", "go")[:0])
    text = Text("the tide turns")
    await keep(store, "agent-a", ModelCallFinished(id="k/a/1", text=text))
    received = heard("k/b", "-")[0]
    assert isinstance(received, MessageReceived)
    part = received.parts[0]._replace(speaker="a", text=text)
    await keep(store, "agent-b", received.model_copy(update={"parts": (part,)}), heard("k/b", "-")[1])
    async with Index.open(store) as index:
        [hit] = await index.search("tide")
        [other] = await index.search("tide", owners=["agent-b"])
    assert (hit.owner_stream, other.owner_stream, other.role) == ("agent-a", "agent-b", "user")


# -- it equals a rebuild ------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS[::5], ids=lambda scenario: scenario.name)
async def test_built_bit_by_bit_it_equals_a_rebuild(
    scenario: harness.Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = await harness.run(scenario)
    monkeypatch.setattr(search, "PAGE", 3)
    bits, whole = Index(outcome.log), Index(outcome.log)
    for position in range(0, len(outcome.events), 7):
        await bits.rebuilt(position)
    monkeypatch.setattr(search, "PAGE", 500)
    assert await dumped(bits) == await dumped(whole)


CHANGES = st.lists(
    st.one_of(
        st.builds(updated, st.integers(1, 4), st.sampled_from(LINES)),
        st.builds(deleted, st.integers(1, 4)),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(CHANGES, st.integers(1, 5))
def test_whatever_becomes_of_passages_one_that_stands_is_found_and_no_other(changes: list[Event], page: int) -> None:
    async def check() -> None:
        store = MemoryStore()
        first = [inserted(n, LINES[0]) for n in range(1, 5)]
        events = [event.model_copy(update={"id": f"{n}/team"}) for n, event in enumerate([*first, *changes])]
        await stocked(store, [])
        index, standing = Index(store), dict[int, str]()
        for number, event in enumerate(events):
            await keep(store, "archive-team", event)
            match event:
                case PassageInserted(n=n, text=text) | PassageUpdated(n=n, text=text):
                    standing[n] = str(text)
                case PassageDeleted(n=n):
                    standing.pop(n, None)
                case _:
                    pass
            if number % page == 0:
                await index.refresh()
        found = {hit.number: hit.text for hit in await index.search("", limit=100)}
        assert found == standing and await dumped(index) == await dumped(Index(store))

    anyio.run(check)


# -- it is one of its log, or none ----------------------------------------------------------------------


async def test_an_index_of_another_log_another_layout_or_another_past_is_built_again(log: SQLiteStore) -> None:
    assert await found(log, "noon") == [LINES[0]]
    for change in (
        "UPDATE about SET log_id = 'other'",
        "UPDATE about SET layout = layout + 1",
        "UPDATE about SET chain = x'00'",
        "UPDATE about SET position = position + 100",
        "DELETE FROM about",
        "DROP TABLE about",
        "DROP TABLE texts",
        "DROP TABLE words",
    ):
        with closing(sqlite3.connect(file_of(log.path))) as database:
            database.execute("UPDATE places SET state = 2")
            database.execute(change)
            database.commit()
        assert await found(log, "noon") == [LINES[0]], change
        async with Index.open(log) as index:
            assert await dumped(index) == await dumped(Index(log, in_memory=True)), change


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5_000])


def garble(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4_096:] = os.urandom(len(content) - 4_096)
    file.write_bytes(content)


def replace(file: Path) -> None:
    file.unlink()
    file.write_text("not a database, and longer than a header of one " * 50)


def mistake(file: Path) -> None:
    file.unlink()
    file.mkdir()


def empty(file: Path) -> None:
    file.write_bytes(b"")


DAMAGE: list[Callable[[Path], None]] = [cut, garble, replace, mistake, Path.unlink, empty]


@pytest.mark.parametrize("damage", DAMAGE, ids=["cut", "garbled", "no database", "a folder", "deleted", "empty"])
@pytest.mark.parametrize("running", [True, False])
async def test_damage_of_the_file_changes_nothing(
    log: SQLiteStore, damage: Callable[[Path], None], running: bool
) -> None:
    file = Path(file_of(log.path))
    async with Index.open(log) as index:
        assert len(await index.search("tide")) == 2
        if running:
            damage(file)
            await keep(log, "archive-team", inserted(4, "one more tide"))
            assert len(await index.search("tide")) == 3
    if not running:
        damage(file)
        assert len(await found(log, "tide")) == 2


async def test_the_folder_of_the_cache_can_vanish_at_any_time(log: SQLiteStore) -> None:
    async with Index.open(log) as index:
        for _ in range(2):
            assert len(await index.search("tide")) == 2
            for file in Path(folder_of(log.path)).iterdir():
                file.unlink()
            Path(folder_of(log.path)).rmdir()


async def test_where_nothing_can_be_written_it_is_kept_in_memory(log: SQLiteStore) -> None:
    Path(folder_of(log.path)).write_text("in the way")
    assert len(await found(log, "tide")) == 2
    async with Index.open(log) as index:
        assert len(await index.search("tide")) == 2
        await keep(log, "archive-team", inserted(4, "one more tide"))
        assert len(await index.search("tide")) == 3


async def test_where_the_disk_is_full_it_is_kept_in_memory_and_that_is_said_once(
    log: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_file, "SETTINGS", (*index_file.SETTINGS, "max_page_count = 30"))
    async with Index.open(log) as index:
        with capture_logs() as lines:
            for n in range(4, 8):
                await keep(log, "archive-team", inserted(n, " ".join(f"word{n}{at}" for at in range(5_000))))
                hits = said(await index.search(f"word{n}77 noon"))
                assert LINES[0] in hits and len(hits) == 2
    assert [line["event"] for line in lines] == ["search index kept in memory"] and "full" in lines[0]["why"]


async def test_it_is_for_the_eyes_of_its_owner_alone(log: SQLiteStore) -> None:
    await found(log, "tide")
    file = Path(file_of(log.path))
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_two_that_bring_it_up_at_once_add_each_event_once(
    log: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE", 2)
    await keep(log, "archive-team", *(inserted(n, f"tide number {n}") for n in range(4, 40)))
    async with SQLiteStore.open(log.path, mode="read") as reader, Index.open(log) as one, Index.open(reader) as other:
        async with anyio.create_task_group() as tasks:
            for index in (one, other, one, other):
                tasks.start_soon(index.search, "tide")
        assert await dumped(one) == await dumped(other) == await dumped(Index(log, in_memory=True))


async def test_closing_brings_up_an_index_that_exists_and_makes_none(log: SQLiteStore) -> None:
    async with Index.open(log):
        pass
    assert not Path(file_of(log.path)).exists()
    await found(log, "tide")
    async with Index.open(log):
        await keep(log, "archive-team", inserted(4, "one more tide"))
    with closing(sqlite3.connect(file_of(log.path))) as database:
        assert database.execute("SELECT position FROM about").fetchall() == [(log.position,)]


# -- erasure ------------------------------------------------------------------------------------------


async def test_a_redacted_text_is_in_no_file_of_the_cache_and_is_not_found(log: SQLiteStore) -> None:
    folder = Path(folder_of(log.path))
    await keep(log, "archive-team", inserted(4, "the secret xylophone"), inserted(5, "the public xylophone"))
    async with Index.open(log) as index:
        assert len(await index.search("secret")) == 1
        position = log.position - 1
        assert holding(folder, ["secret"])
        await log.redact([position], reason="private")
        assert not holding(folder, ["secret"])
        assert await index.search("secret") == [] and said(await index.search("xylophone")) == ["the public xylophone"]
        assert not holding(folder, ["secret"]) and holding(folder, ["public"])
    assert not holding(folder, ["secret"])


async def test_an_index_that_was_built_before_an_erasure_is_built_again(log: SQLiteStore, tmp_path: Path) -> None:
    await keep(log, "archive-team", inserted(4, "the secret xylophone"))
    await found(log, "secret")
    old = Path(file_of(log.path)).read_bytes()
    await log.redact([log.position], reason="private")
    Path(folder_of(log.path)).mkdir(exist_ok=True)
    Path(file_of(log.path)).write_bytes(old)
    assert await found(log, "secret") == [] and not holding(Path(folder_of(log.path)), ["secret"])


async def test_in_memory_an_erasure_begins_anew_too() -> None:
    store = MemoryStore()
    await stocked(store, LINES)
    index = Index(store)
    assert len(await index.search("noon")) == 1
    await store.redact([3], reason="private")
    assert await index.search("noon") == [] and (await dumped(index)) == (await dumped(Index(store)))


# -- verify -------------------------------------------------------------------------------------------


async def test_verify_finds_an_index_that_is_not_what_the_log_gives(log: SQLiteStore) -> None:
    await found(log, "tide")
    assert await cache_findings(log.path, log) == []
    with closing(sqlite3.connect(file_of(log.path))) as database:
        database.execute("UPDATE places SET state = 2 WHERE number = 1")
        database.commit()
    assert await cache_findings(log.path, log) == ["the search index is not what the log gives"]
    garble(Path(file_of(log.path)))
    [finding] = await cache_findings(log.path, log)
    assert "damaged" in finding
