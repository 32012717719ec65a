"""What is redacted is gone: for readers, and from every byte of the files."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from random import Random

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.events import (
    LogUnwritable,
    MemoryStore,
    NewEvent,
    RecordedEvent,
    RedactionRefused,
    RedactionUnfinished,
    SQLiteStore,
)
from callboard.events.catalog import EventRedacted, MessageReceived, TurnFinished
from callboard.events.codec import Row, said
from callboard.events.text import ERASED

from .sqlite_files import inject, message, started

Store = MemoryStore | SQLiteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, path: Path) -> AsyncGenerator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        async with SQLiteStore.open(path) as store:
            yield store


def text_of(event: RecordedEvent) -> str:
    assert isinstance(event.data, MessageReceived)
    return event.data.parts[0].text


async def texts(store: Store, stream: str = "agent-a") -> list[str]:
    return [text_of(event) async for event in store.read_stream(stream)]


async def rows(store: Store) -> list[Row]:
    return [row async for page in store.pages() for row in page]


async def three(store: Store) -> list[RecordedEvent]:
    return await store.append("agent-a", [message(f"r/{n}", f"text {n}") for n in range(3)], expected_version=0)


def where(path: Path, text: str) -> list[str]:
    """The files of the log that hold `text`."""
    return [
        file.name for file in sorted(path.parent.rglob("*")) if file.is_file() and text.encode() in file.read_bytes()
    ]


# -- every store -------------------------------------------------------------------------------------


async def test_a_redacted_text_reads_as_erased_wherever_it_went(store: Store) -> None:
    [first, second, _] = await three(store)
    assert isinstance(second.data, MessageReceived)
    passed = NewEvent(TurnFinished(id="r/1", text=second.data.parts[0].text))
    await store.append("agent-b", [passed], expected_version=0)
    await store.redact([first.position, ("agent-a", 2)], reason="asked for")
    assert await texts(store) == [ERASED, ERASED, "text 2"]
    [answer] = [event.data async for event in store.read_stream("agent-b")]
    assert isinstance(answer, TurnFinished) and answer.text == ERASED


async def test_what_only_passes_a_text_on_names_the_event_that_said_it(store: Store) -> None:
    [_, second, _] = await three(store)
    assert isinstance(second.data, MessageReceived)
    passed = NewEvent(TurnFinished(id="r/1", text=second.data.parts[0].text))
    [answer] = await store.append("agent-b", [passed], expected_version=0)
    with pytest.raises(RedactionRefused, match=f"redact the event that said it first: @{second.position}$"):
        await store.redact([answer.position], reason="asked for")


async def test_a_redaction_is_an_event_with_what_the_chain_needs(store: Store) -> None:
    [_, second, _] = await three(store)
    [row] = [row for row in await rows(store) if row.position == second.position]
    [recorded] = await store.redact([second.position], reason="asked for")
    wanted = EventRedacted(stream="agent-a", version=2, said=said(row).hex(), reason="asked for")  # type: ignore[arg-type]
    assert recorded.data == wanted and recorded.position == store.position
    assert [event async for event in store.read_stream("system")][-1] == recorded
    [after] = [row for row in await rows(store) if row.position == second.position]
    assert after == row._replace(content=None, salt=None)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (99, "is not in this log"),
        (0, "is not in this log"),
        (-1, "is not in this log"),
        (("agent-a", 9), "is not in this log"),
        (("agent-a", 0), "is not in this log"),
        (("agent-z", 1), "is not in this log"),
        (("agent-a", 4), "says no text of its own"),
        (1, "says no text of its own"),
        (("agent-a", 1), "was redacted before"),
    ],
)
async def test_what_cannot_be_redacted_is_said_and_changes_nothing(
    store: Store, place: int | tuple[str, int], why: str
) -> None:
    await three(store)
    await store.append("agent-a", [started()], expected_version=3)
    await store.redact([("agent-a", 1)], reason="the first")
    before = await rows(store)
    with pytest.raises(RedactionRefused, match=why):
        await store.redact([("agent-a", 2), place], reason="the second")
    assert await rows(store) == before


async def test_an_event_named_twice_is_redacted_once(store: Store) -> None:
    [first, *_] = await three(store)
    assert len(await store.redact([first.position, ("agent-a", 1)], reason="")) == 1
    assert await store.redact([], reason="nothing") == []


async def test_the_reason_of_a_redaction_can_be_redacted(store: Store) -> None:
    await three(store)
    [one, other] = await store.redact([("agent-a", 1), ("agent-a", 2)], reason="it named Bob")
    await store.redact([one.position], reason="so did that")
    read = [event.data async for event in store.read_stream("system")]
    assert [data.reason for data in read if isinstance(data, EventRedacted)] == [ERASED, ERASED, "so did that"]
    assert other.position == one.position + 1


async def test_rows_come_in_pages_from_any_position(store: Store) -> None:
    await store.append("agent-a", [started() for _ in range(1_200)], expected_version=0)
    pages = [page async for page in store.pages(after=5)]
    assert [row.position for page in pages for row in page] == list(range(6, store.position + 1))
    assert len(pages) > 1


# -- a file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [20, 3_000, 200_000])
async def test_a_redacted_text_is_in_no_byte_of_the_log(path: Path, size: int) -> None:
    secret, cache = "sesame " * (size // 7), path.with_name("log.db.cache")
    cache.mkdir()
    async with SQLiteStore.open(path) as store:
        for n in range(20):
            text = secret if n == 7 else f"text {n} " * 50
            await store.append("agent-a", [message(f"r/{n}", text)], expected_version=n)
        (cache / "one").write_bytes(secret.encode())
        assert where(path, "sesame") == ["log.db-wal", "one"]
        await store.redact([("agent-a", 8)], reason="asked for")
        assert where(path, "sesame") == [] and where(path, "text 8") != []
        assert not cache.exists()
    assert where(path, "sesame") == []
    async with SQLiteStore.open(path) as store:
        assert (await texts(store))[6:8] == ["text 6 " * 50, ERASED]


async def test_freed_space_is_overwritten_whatever_this_sqlite_does_by_default(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, lambda connection, sql: sql.startswith("PRAGMA journal_mode") and careless(connection))
    async with SQLiteStore.open(path) as store:
        await store.append("agent-a", [message("r/1", "sesame " * 1_000), message("r/2")], expected_version=0)
        await store.redact([("agent-a", 1)], reason="asked for")
        assert where(path, "sesame") == []


def careless(connection: sqlite3.Connection) -> None:
    sqlite3.Connection.execute(connection, "PRAGMA secure_delete = OFF")


async def test_a_cache_that_was_filled_meanwhile_goes_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = path.with_name("log.db.cache-wal")
    inject(monkeypatch, lambda _, sql: cache.touch() if sql == "COMMIT" else None)
    async with SQLiteStore.open(path) as store:
        await three(store)
        await store.redact([("agent-a", 1)], reason="asked for")
        assert not cache.exists()


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.1, 0.5, 1.0]))
def test_however_many_are_redacted_in_whatever_order_none_is_left(
    tmp_path_factory: pytest.TempPathFactory, seed: int, share: float
) -> None:
    path, chance = tmp_path_factory.mktemp("log") / "log.db", Random(seed)

    async def run() -> None:
        async with SQLiteStore.open(path) as store:
            sizes = [int(chance.paretovariate(0.8)) % 20_000 for _ in range(120)]
            events = [message(f"r/{n}", f"<secret {n}>" * (size // 9 + 1)) for n, size in enumerate(sizes)]
            for n in range(0, 120, 20):
                await store.append("agent-a", events[n : n + 20], expected_version=n)
            chosen = chance.sample(range(120), int(120 * share))
            for n in range(0, len(chosen), 7):
                await store.redact([("agent-a", number + 1) for number in chosen[n : n + 7]], reason="all")
            found = [file for n in chosen for file in where(path, f"<secret {n}>")]
            assert found == [] and len(where(path, "<secret")) == (share < 1)

    anyio.run(run)


async def test_more_redactions_than_a_statement_holds_are_one_transaction(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        await store.append("agent-a", [message(f"r/{n}", "text") for n in range(1_100)], expected_version=0)
        await store.redact([("agent-a", n) for n in range(1, 1_101)], reason="all")
        assert set(await texts(store)) == {ERASED}
    async with SQLiteStore.open(path):
        pass


async def test_redactions_at_once_and_appends_between_them_all_end(path: Path) -> None:
    refused = list[str]()

    async def redact(version: int) -> None:
        try:
            await store.redact([("agent-a", version)], reason="at once")
        except RedactionRefused as error:
            refused.append(error.why)

    async def append(stream: str) -> None:
        await store.append(stream, [message("r/1")], expected_version=0)

    async with SQLiteStore.open(path) as store:
        await three(store)
        async with anyio.create_task_group() as group:
            for n in range(6):
                group.start_soon(redact, n % 3 + 1)
                group.start_soon(append, f"agent-{n}")
        assert await texts(store) == [ERASED] * 3 and len(refused) == 3
    async with SQLiteStore.open(path) as store:
        assert [event.position async for event in store.read_all()] == list(range(1, store.position + 1))


async def test_a_reader_that_keeps_the_old_text_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callboard.events.connection.BUSY", 0.01)
    async with SQLiteStore.open(path) as store:
        await three(store)
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            with pytest.raises(RedactionUnfinished) as caught:
                await store.redact([("agent-a", 2)], reason="asked for")
        assert caught.value.positions == (4,) and where(path, "text 1") != []
        assert await texts(store) == ["text 0", ERASED, "text 2"]
        await store.append("agent-b", [started()], expected_version=0)
    assert where(path, "text 1") == []


async def test_a_log_open_for_reading_is_not_redacted(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        await three(store)
    async with SQLiteStore.open(path, mode="read") as store:
        with pytest.raises(LogUnwritable):
            await store.redact([("agent-a", 1)], reason="asked for")
