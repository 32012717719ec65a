"""The cache of a log: never needed, checked before use, deletable at any moment."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from callboard import Agent, MemoryStore, ModelReply, ModelRequest, System
from callboard.actors import snapshots
from callboard.actors.snapshots import PENDING, fingerprint
from callboard.actors.testing import ScriptedModel
from callboard.events import NewEvent, SQLiteStore
from callboard.events.cache import Cache, Entry, FolderCache, MemoryCache, delete, folder_of, sealed, unsealed
from callboard.events.catalog import Spent, TurnStarted
from callboard.projections import AgentState, NotPaired, Open, agent_state, pending, replay
from callboard.projections.snapshots import Checkpoint, encode

from . import harness
from .crash import plans
from .scenarios import SCENARIOS

WRITER = Agent("writer", "You write.")


# -- the medium ---------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "folder"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Cache:
    return MemoryCache() if request.param == "memory" else FolderCache(str(tmp_path / "log.db.cache"))


async def test_an_entry_is_what_was_written_last(cache: Cache) -> None:
    assert await cache.read("a") is None and await cache.all() == []
    for content in (b"one", b"two"):
        await cache.write("a", lambda content=content: content)
    await cache.write("A", lambda: b"three")
    assert (await cache.read("a"), await cache.read("A")) == (b"two", b"three")
    assert sorted(await cache.all()) == [b"three", b"two"]
    await cache.delete("a")
    await cache.delete("a")
    assert await cache.read("a") is None and await cache.all() == [b"three"]


async def test_a_folder_can_be_deleted_between_any_two_writes(path: Path) -> None:
    cache = FolderCache(folder_of(str(path)))
    for _ in range(2):
        await cache.write("a", lambda: b"one")
        assert await cache.read("a") == b"one"
        delete(str(path))
        assert await cache.read("a") is None and not Path(folder_of(str(path))).exists()
    delete(str(path))


def test_deleting_takes_all_that_the_cache_may_be_and_nothing_else(path: Path) -> None:
    others = [path, path.with_name("log.db-wal"), path.with_name("xlog.db.cache"), path.with_name("kept")]
    for file in (*others, path.with_name("log.db.cache-wal")):
        file.write_bytes(b"x")
    path.with_name("log.db.cache").symlink_to(path.with_name("kept"))
    delete(str(path))
    assert sorted(path.parent.iterdir()) == sorted(others)


async def test_a_folder_is_for_the_eyes_of_its_owner_alone(path: Path) -> None:
    folder = Path(folder_of(str(path)))
    await FolderCache(str(folder)).write("a", lambda: b"one")
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (folder, *folder.iterdir())]
    assert modes == [0o700, 0o600]


async def test_a_write_that_fails_leaves_the_entry_before_it_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(folder_of(str(path)))
    cache = FolderCache(str(folder))
    await cache.write("a", lambda: b"one")

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        await cache.write("a", lambda: b"two")
    assert await cache.all() == [b"one"] and len(list(folder.iterdir())) == 1


async def test_a_folder_reads_nothing_through_links_and_pipes(path: Path) -> None:
    folder = Path(folder_of(str(path)))
    cache = FolderCache(str(folder))
    await cache.write("a", lambda: b"one")
    [entry] = folder.iterdir()
    entry.rename(path)
    entry.symlink_to(path)
    assert await cache.read("a") is None
    entry.unlink()
    os.mkfifo(entry)
    with anyio.fail_after(5):
        assert await cache.read("a") is None


async def test_only_who_writes_a_log_has_its_cache(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        assert store.cache is not None
    async with SQLiteStore.open(path, mode="read") as store:
        assert store.cache is None


# -- entries ------------------------------------------------------------------------------------------

ENTRY = Entry("0" * 16, "agent-a", 7, b"c" * 16, "code", b'["refs"]\n{"state": 1}')


def test_an_entry_reads_back_as_it_was_sealed() -> None:
    assert unsealed(sealed(ENTRY)) == ENTRY


@given(st.integers(0, len(sealed(ENTRY)) - 1), st.integers(1, 255))
def test_bytes_that_changed_or_are_missing_are_no_entry(at: int, flip: int) -> None:
    whole = bytearray(sealed(ENTRY))
    assert unsealed(bytes(whole[:at])) is None
    whole[at] ^= flip
    assert unsealed(bytes(whole)) is None


# -- what a system makes of it ------------------------------------------------------------------------


class Echo:
    """A model that says how many messages it read."""

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        return ModelReply(f"read {len(request.messages)}")


async def asked(store: MemoryStore | str | Path, *keys: str) -> AgentState:
    """Ask the writer once for each of `keys`; return its state in memory."""
    async with System.open(store, model=Echo()) as system:
        writer = await system.start(WRITER)
        for key in keys:
            await writer.ask(f"about {key}", key=key)
        assert await system.pending() == await replay(system.store, pending)
        return await system.look("agent-writer")


async def left_by_a_run() -> tuple[MemoryStore, MemoryCache]:
    cache = MemoryCache(every=5)
    store = MemoryStore(cache=cache)
    await asked(store, "k1", "k2", "k3")
    assert cache.entries.keys() == {PENDING, "agent-writer"}
    return store, cache


Change = Callable[[Entry], Entry]

WRONG = AgentState(step=99), Checkpoint((), ("agent-nobody",), Spent())


def change(cache: MemoryCache, how: Change) -> None:
    """Put wrong states into every entry of `cache`, under heads that are made from the right ones by `how`."""
    for name, content in list(cache.entries.items()):
        entry = unsealed(content)
        assert entry is not None
        wrong = encode(WRONG[name == PENDING])
        cache.entries[name] = sealed(how(replace(entry, body=wrong)))


async def test_an_entry_that_fits_is_used_or_the_tests_below_would_show_nothing() -> None:
    store, cache = await left_by_a_run()
    change(cache, CHANGES["nothing"])
    async with System.open(store, model=ScriptedModel({})) as system:
        assert (await system.look("agent-writer")).step == 99
        assert system["nobody"].name == "nobody"


CHANGES: dict[str, Change] = {
    "another log": lambda entry: replace(entry, log_id="another"),
    "another stream": lambda entry: replace(entry, name="agent-another"),
    "older code": lambda entry: replace(entry, code="older"),
    "ahead of the log": lambda entry: replace(entry, place=entry.place + 1_000),
    "another place": lambda entry: replace(entry, place=entry.place - 1),
    "changed log": lambda entry: replace(entry, chain=b"other"),
    "no state": lambda entry: replace(entry, body=b'[[], "hash"]\n[{}]'),
    "nothing": lambda entry: entry,
}
"""By what no longer fits; `nothing` leaves the head right, and the state wrong."""


@pytest.mark.parametrize("what", sorted(CHANGES.keys() - {"nothing"}))
async def test_an_entry_that_does_not_fit_is_ignored_and_written_anew(what: str) -> None:
    store, cache = await left_by_a_run()
    right = dict(cache.entries)
    change(cache, CHANGES[what])
    assert await asked(store) == await replay(store, agent_state, stream="agent-writer")
    assert cache.entries.keys() == right.keys() and all(map(unsealed, cache.entries.values()))
    places = {name: unsealed(content) for name, content in cache.entries.items()}
    assert all(entry is not None and entry.code == fingerprint() for entry in places.values())


async def test_an_entry_of_another_actor_is_not_taken_for_ones_own() -> None:
    cache = MemoryCache(every=5)
    store, streams = MemoryStore(cache=cache), ("agent-one", "agent-two")
    async with System.open(store, model=Echo()) as system:
        for name in ("one", "two"):
            await (await system.start(Agent(name, f"You are {name}."))).ask("go", key=name)
    one, two = (cache.entries[stream] for stream in streams)
    cache.entries |= {streams[0]: two, streams[1]: one}
    async with System.open(store, model=Echo()) as system:
        for stream in streams:
            assert await system.look(stream) == await replay(store, agent_state, stream=stream)


async def test_damaged_bytes_are_said_and_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    store, cache = await left_by_a_run()
    right, said = dict(cache.entries), list[str]()

    def warning(what: str, **_: object) -> None:
        said.append(what)

    monkeypatch.setattr(snapshots.log, "warning", warning, raising=False)
    cache.entries = {name: content[:-3] + b"xxx" for name, content in right.items()}
    assert await asked(store) == await replay(store, agent_state, stream="agent-writer")
    assert said == ["cache entry damaged"] * 2 and cache.entries == right


async def test_a_checkpoint_that_the_rest_of_the_log_speaks_against_is_dropped() -> None:
    store, cache = await left_by_a_run()
    entry = unsealed(cache.entries[PENDING])
    assert entry is not None
    await asked(store, "k4")
    open_already = Open("agent-writer", "turn", "k4/writer", "MessageReceived", 2)
    cache.entries[PENDING] = sealed(replace(entry, body=encode(Checkpoint((open_already,), (), Spent()))))
    assert await asked(store) == await replay(store, agent_state, stream="agent-writer")


async def test_a_log_that_speaks_against_itself_is_not_opened_with_a_checkpoint_either() -> None:
    store, cache = await left_by_a_run()
    await store.append("agent-b", [NewEvent(TurnStarted(id="k/b"))], expected_version=0)
    assert PENDING in cache.entries
    with pytest.raises(NotPaired):
        await asked(store)


async def test_a_text_erased_by_hand_is_never_answered_from_the_cache() -> None:
    store, cache = await left_by_a_run()
    index = next(i for i, row in enumerate(store.rows) if row.content and "about k1" in row.content)
    store.rows[index] = store.rows[index]._replace(content=None, salt=None)
    state = await asked(store)
    whole = await replay(store, agent_state, stream="agent-writer")
    assert state == whole and "about k1" not in repr(state) and cache.entries.keys() == {PENDING, "agent-writer"}


def test_other_code_has_another_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fingerprint.__wrapped__() == fingerprint() != ""
    monkeypatch.setattr(snapshots.projections, "__path__", [*snapshots.projections.__path__, str(tmp_path)])
    found = {fingerprint()}
    for source in ("more = 1", "more = 2"):
        (tmp_path / "more.py").write_text(source)
        found.add(fingerprint.__wrapped__())
    assert len(found) == 3
    monkeypatch.setattr(snapshots.projections, "__path__", [])
    monkeypatch.setattr(snapshots.events, "__path__", [])
    assert fingerprint.__wrapped__() == ""


class Forgetful(MemoryCache):
    """A cache that is deleted at every `often`-th use, and then cannot be written to."""

    def __init__(self, often: int) -> None:
        super().__init__(every=2)
        self.uses, self.often, self.lost = 0, often, 0

    async def read(self, name: str) -> bytes | None:
        self._use()
        return await super().read(name)

    async def write(self, name: str, made: Callable[[], bytes]) -> None:
        await checkpoint()
        if self._use():
            raise OSError("no space left")
        await super().write(name, made)

    def _use(self) -> bool:
        self.uses += 1
        now = self.uses % self.often == 0
        if now:
            self.lost += len(self.entries)
            self.entries.clear()
        return now


@pytest.mark.parametrize("often", [2, 3, 5])
async def test_deleting_the_cache_at_any_time_changes_nothing(often: int, big: bool) -> None:
    lost = 0
    for scenario in SCENARIOS if big else SCENARIOS[4:5]:
        whole = await harness.run(scenario, seed=1)
        for fault, at in plans(whole.ticks[0], 1, twice=5)[:: 1 if big else 13]:
            cache = Forgetful(often)
            outcome = await harness.run(scenario, at, 1, fault, cache)
            assert not harness.breaches(outcome, whole), f"{fault} at {at}"
            lost += cache.lost
    assert lost > 10
