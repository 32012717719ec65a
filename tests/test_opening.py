"""What opening a log costs, what a team leaves for the next opening, and whether that is right."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from callboard import Agent, MemoryStore, ModelReply, ModelRequest, System
from callboard.actors.cache_findings import cache_findings
from callboard.actors.snapshots import PENDING
from callboard.events import NewEvent, RecordedEvent, Reference, SQLiteStore, Text
from callboard.events.cache import MemoryCache, delete, folder_of, unsealed
from callboard.events.catalog import AgentStarted, Event, MessageReceived, Part, TurnFinished, TurnStarted
from callboard.events.specs import AgentSpec
from callboard.projections import agent_state, pending, replay
from callboard.projections.snapshots import Checkpoint, encode

from .test_cache import CHANGES, WRITER, Echo, asked, change

# -- what opening costs -------------------------------------------------------------------------------


class Counting:
    """A store that counts the events and texts read from it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store, self.read = store, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def texts(self, references: Collection[Reference]) -> dict[Reference, str]:
        found = await self._store.texts(references)
        self.read += len(found)
        return found

    async def read_stream(
        self, stream: str, *, after: int = 0, until: int | None = None, until_position: int | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        async for event in self._store.read_stream(stream, after=after, until=until, until_position=until_position):
            self.read += 1
            yield event

    async def read_all(
        self, *, after: int = 0, until: int | None = None, correlation_id: str | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        async for event in self._store.read_all(after=after, until=until, correlation_id=correlation_id):
            self.read += 1
            yield event


async def filled(store: MemoryStore, turns: int) -> None:
    """Give each of 50 agents its share of `turns`, of three events each."""
    for n in range(50):
        name, spec = f"a{n}", AgentSpec(name=f"a{n}")
        happened: list[Event] = [AgentStarted(spec=spec)]
        for k in range(turns // 50):
            id = f"k{n}x{k}/{name}"
            received = MessageReceived(id=id, sender="user", parts=(Part("user", Text("hi")),))
            happened += [received, TurnStarted(id=id), TurnFinished(id=id, to="user", text=Text("ho"))]
        await store.append(f"agent-{name}", [NewEvent(event) for event in happened], expected_version=0)


class Silent:
    """A model that never answers."""

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        await anyio.sleep_forever()
        raise AssertionError


async def test_opening_a_long_log_reads_what_is_pending_and_not_what_has_happened(big: bool) -> None:
    store = MemoryStore()
    await filled(store, 16_700 if big else 2_000)
    async with System.open(store, model=Silent(), grace=0.01) as system:  # leaves the checkpoint
        await system.snapshots.close([])
        for n in range(3):
            await system[f"a{n}"].tell("go on", key=f"open{n}")
    counting = Counting(store)
    async with System.open(counting, model=Silent(), grace=0) as system:  # type: ignore[arg-type]
        read = counting.read
        assert len((await system.pending()).items) == 6  # three turns, each with a model call
        for n in range(3):
            assert (await system.look(f"agent-a{n}")).desk.turn
    assert store.position > (50_000 if big else 6_000) and read < 20
    store.cache = MemoryCache()
    counting = Counting(store)
    async with System.open(counting, model=Silent(), grace=0):  # type: ignore[arg-type]
        assert counting.read >= store.position - 3


async def test_an_actor_takes_its_snapshot_and_reads_the_rest_of_its_stream() -> None:
    cache = MemoryCache(every=100)
    store = MemoryStore(cache=cache)
    await filled(store, 50 * 50)
    async with System.open(store, model=Echo()) as system:
        await system.look("agent-a7")
    assert cache.entries.keys() == {PENDING, "agent-a7"}
    async with System.open(store, model=Echo()) as system:
        await system["a7"].tell("and?", key="more")  # five events, too few for another snapshot
    entry = unsealed(cache.entries["agent-a7"])
    assert entry is not None and entry.place == 151
    counting = Counting(store)
    async with System.open(counting, model=Echo()) as system:  # type: ignore[arg-type]
        before = counting.read
        state = await system.look("agent-a7")
        assert counting.read - before == 50 + 1 + 6  # texts, the event that the snapshot is checked against, the rest
        assert state == await replay(store, agent_state, stream="agent-a7")


# -- when it is written -------------------------------------------------------------------------------


class Watched(MemoryCache):
    """A cache that says when something is written."""

    def __init__(self, every: int) -> None:
        super().__init__(every=every)
        self.written: dict[str, anyio.Event] = {PENDING: anyio.Event(), "agent-writer": anyio.Event()}

    async def write(self, name: str, made: Callable[[], bytes]) -> None:
        await super().write(name, made)
        self.written.setdefault(name, anyio.Event()).set()


async def test_a_running_team_leaves_snapshots_and_checkpoints_beside_its_work() -> None:
    cache = Watched(every=20)
    store = MemoryStore(cache=cache)
    async with System.open(store, model=Echo()) as system:
        writer = await system.start(WRITER)
        for n in range(30):
            await writer.ask("go", key=f"k{n}")
        with anyio.fail_after(5):
            for written in cache.written.values():
                await written.wait()
        places = {name: entry.place for name, content in cache.entries.items() if (entry := unsealed(content))}
        assert places["agent-writer"] > 130 and places[PENDING] > 80
    assert await cache_like(store) == []


async def test_many_who_say_little_leave_a_checkpoint_too() -> None:
    cache = Watched(every=20)
    async with System.open(MemoryStore(cache=cache), model=Echo()) as system:
        for n in range(20):
            await (await system.start(Agent(f"a{n}", "You speak once."))).ask("go", key=f"k{n}")
        with anyio.fail_after(5):
            await cache.written[PENDING].wait()
        assert cache.entries.keys() == {PENDING}


async def cache_like(store: MemoryStore) -> list[str]:
    """Return the entries that are not what the log gives at their place."""
    wrong: list[str] = []
    for content in await store.cache.all():
        entry = unsealed(content)
        assert entry is not None
        if entry.name == PENDING:
            left = await replay(store, pending, until=entry.place)
            streams = dict.fromkeys([event.stream async for event in store.read_all(until=entry.place)])
            state: object = Checkpoint.of(left, streams)
        else:
            events = [event async for event in store.read_stream(entry.name, until=entry.place)]
            state = agent_state.initial()
            for event in events:
                state = agent_state.evolve(state, event)  # type: ignore[arg-type]
        wrong += [entry.name] if entry.body != encode(state) else []
    return wrong


class Redacting(MemoryStore):
    """A store in which texts are said to be erased when `redacted` is set."""

    redacted = False

    async def read_all(
        self, *, after: int = 0, until: int | None = None, correlation_id: str | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        async for event in super().read_all(after=after, until=until, correlation_id=correlation_id):
            yield event
        if self.redacted and until is None and after < self.position + 1:
            yield replace(event_redacted(), position=self.position + 1)


def event_redacted() -> RecordedEvent:
    kind = type("EventRedacted", (Event,), {})
    return RecordedEvent(0, "system", 0, datetime.now(UTC), None, b"", kind())


class Slow(MemoryCache):
    """A cache during whose writing something happens to the store."""

    store: Redacting | None = None
    writes = 0

    async def write(self, name: str, made: Callable[[], bytes]) -> None:
        await super().write(name, made)
        self.writes += 1
        if self.store is not None:
            self.store.redacted = True


@pytest.mark.parametrize("when", ["before", "meanwhile", "never"])
async def test_states_from_before_a_redaction_are_not_written_after_it(when: str) -> None:
    cache = Slow(every=5)
    store = Redacting(cache=cache)
    async with System.open(store, model=Echo()) as system:
        writer = await system.start(WRITER)
        await writer.ask("go", key="k")
        cache.entries.clear()
        cache.writes = 0
        cache.store = store if when == "meanwhile" else None
        store.redacted = when == "before"
    assert cache.entries.keys() == ({PENDING, "agent-writer"} if when == "never" else set())
    assert cache.writes == {"before": 0, "meanwhile": 1, "never": 2}[when]


async def test_a_short_run_leaves_no_cache_behind(path: Path) -> None:
    await asked(path, "k1")
    assert not Path(folder_of(str(path))).exists()


async def test_a_team_works_where_no_cache_can_be(path: Path) -> None:
    in_the_way = Path(folder_of(str(path)))
    in_the_way.write_text("mine")
    keys = [f"k{n}" for n in range(15)]
    state = await asked(path, *keys)
    assert len(state.lines) == 30 and in_the_way.read_text() == "mine"


async def test_a_file_keeps_its_cache_beside_it_and_answers_the_same_without(path: Path) -> None:
    keys = [f"k{n}" for n in range(15)]
    first = await asked(path, *keys)
    assert len(list(Path(folder_of(str(path))).iterdir())) == 2
    assert await asked(path, *keys) == first
    delete(str(path))
    assert await asked(path, *keys) == first


async def test_the_folder_may_go_while_the_team_runs(path: Path) -> None:
    async with System.open(path, model=Echo()) as system:
        writer = await system.start(WRITER)
        for n in range(30):
            await writer.ask("go", key=f"k{n}")
            if n % 10 == 5:
                await system.snapshots.close([("agent-writer", 10 + n, await system.look("agent-writer"))])
                delete(str(path))
    async with SQLiteStore.open(path, mode="read") as store:
        assert await cache_findings(str(path), store) == []
        assert (await replay(store, pending)).items == {}


# -- verify -------------------------------------------------------------------------------------------


async def findings(path: Path) -> list[str]:
    async with SQLiteStore.open(path, mode="read") as store:
        return await cache_findings(str(path), store)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nothing", "is not what a fold of the log gives"),
        ("no state", "was made of other texts than the log holds"),
        ("ahead of the log", "is ahead of the log"),
        ("changed log", "was made of other events than the log holds"),
        ("another log", None),
        ("older code", None),
    ],
)
async def test_entries_are_compared_with_what_the_log_gives(path: Path, what: str, said: str | None) -> None:
    await asked(path, *[f"k{n}" for n in range(15)])
    assert await findings(path) == []
    for file in Path(folder_of(str(path))).iterdir():
        entry = unsealed(file.read_bytes())
        assert entry is not None
        cache = MemoryCache()
        cache.entries = {entry.name: file.read_bytes()}
        change(cache, CHANGES[what])
        file.write_bytes(cache.entries[entry.name])
    found = await findings(path)
    assert len(found) == (2 if said else 0) and all(said in one for one in found if said)


async def test_damaged_entries_are_found(path: Path) -> None:
    await asked(path, *[f"k{n}" for n in range(15)])
    for file in Path(folder_of(str(path))).iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    assert await findings(path) == ["an entry of the cache is damaged"] * 2
