"""Stores against a model: any appends, repetitions and reads, with the file closed and opened in between."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callboard.events import (
    AppendRejected,
    EventStore,
    KeyReused,
    MemoryStore,
    NewEvent,
    RecordedEvent,
    SQLiteStore,
    Text,
    WrongExpectedVersion,
)
from callboard.events.catalog import LogCreated, MessageReceived, Part, TurnStarted

from .machines import run

STREAMS = st.sampled_from(["agent-a", "agent-b"])
FACTS = st.lists(st.tuples(st.sampled_from(["", "", "k1", "k2", "k3"]), st.sampled_from(["x", "y"])), max_size=3)
Fact = tuple[str, str]
"""A key, or none; and what is said."""


def event(fact: Fact) -> NewEvent:
    key, text = fact
    if not key:
        return NewEvent(TurnStarted(id=text))
    return NewEvent(MessageReceived(id=key, sender="user", parts=(Part("user", Text(text)),)))


def fact(event: RecordedEvent) -> Fact:
    data = event.data
    if isinstance(data, MessageReceived):
        return data.id, str(data.parts[0].text)
    assert isinstance(data, TurnStarted)
    return "", data.id


async def listed(events: AsyncIterator[RecordedEvent]) -> list[RecordedEvent]:
    return [event async for event in events]


class Store(RuleBasedStateMachine):
    """A store in memory; the model is two lists."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.portal = self.stack.enter_context(start_blocking_portal())
        self.streams: dict[str, list[Fact]] = {}
        self.log: list[tuple[str, int]] = []
        self.store: EventStore = self.opened()

    def opened(self) -> EventStore:
        return MemoryStore()

    def first(self, stream: str, facts: Sequence[Fact]) -> list[Fact] | str | None:
        """Return the append that `facts` repeat, None where they are new, or that a key is reused."""
        known = self.streams.get(stream, [])
        for n, (key, _) in enumerate(facts):
            places = [m for m, (other, _) in enumerate(known) if key and other == key]
            if places:
                start = places[0] - n
                same = start >= 0 and known[start : start + len(facts)] == list(facts)
                return list(facts) if same else "reused"
        return None

    @rule(stream=STREAMS, facts=FACTS, off=st.sampled_from([0, 0, 0, -1, 1]))
    def append(self, stream: str, facts: list[Fact], off: int) -> None:
        known = self.streams.setdefault(stream, [])
        first, expected = self.first(stream, facts), max(0, len(known) + off)
        keys = [key for key, _ in facts if key]
        try:
            written = self.portal.call(lambda: self._append(stream, facts, expected))
        except KeyReused:
            assert first == "reused"
        except WrongExpectedVersion as error:
            assert facts and first is None and expected != len(known) and error.actual == len(known)
        except AppendRejected:
            assert first is None and len(set(keys)) < len(keys)
        else:
            assert [fact(event) for event in written] == facts
            if facts and first is None:
                assert expected == len(known) and len(set(keys)) == len(keys)
                known += facts
                self.log += [(stream, len(known) - len(facts) + n) for n in range(1, len(facts) + 1)]

    async def _append(self, stream: str, facts: list[Fact], expected: int) -> list[RecordedEvent]:
        return await self.store.append(stream, [event(fact) for fact in facts], expected_version=expected)

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def append_again(self, data: st.DataObject) -> None:
        stream, version = data.draw(st.sampled_from(self.log))
        last = data.draw(st.integers(version, len(self.streams[stream])))
        again = self.streams[stream][version - 1 : last]
        if any(key for key, _ in again):
            self.append(stream, again, 0)

    @rule(stream=STREAMS, key=st.sampled_from(["k1", "k2", "k3", "k4"]))
    def find(self, stream: str, key: str) -> None:
        found = self.portal.call(self.store.find, stream, key)
        places = [n for n, (other, _) in enumerate(self.streams.get(stream, ()), start=1) if other == key]
        assert (found and found.version) == (places[0] if places else None)

    @rule(stream=STREAMS, after=st.integers(0, 5), until=st.none() | st.integers(0, 8))
    def read_stream(self, stream: str, after: int, until: int | None) -> None:
        events = self.portal.call(lambda: listed(self.store.read_stream(stream, after=after, until=until)))
        assert [fact(event) for event in events] == self.streams.get(stream, [])[after:until]
        assert [event.version for event in events] == list(range(after + 1, after + 1 + len(events)))

    @invariant()
    def all_is_there_in_one_order(self) -> None:
        events = self.portal.call(lambda: listed(self.store.read_all()))
        assert isinstance(events[0].data, LogCreated)
        assert [(event.stream, event.version) for event in events if event.stream != "system"] == self.log
        assert [event.position for event in events] == list(range(1, len(events) + 1))
        assert self.store.position == len(events)

    def teardown(self) -> None:
        self.stack.close()


class File(Store):
    """A store in a file."""

    context: AbstractContextManager[SQLiteStore]

    def opened(self) -> EventStore:
        if not hasattr(self, "path"):
            self.path = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "log.db"
        self.context = self.portal.wrap_async_context_manager(SQLiteStore.open(self.path, durability="process"))
        return self.context.__enter__()

    @rule()
    def open_again(self) -> None:
        self.context.__exit__(None, None, None)
        self.store = self.opened()

    def teardown(self) -> None:
        self.context.__exit__(None, None, None)
        super().teardown()


@pytest.mark.parametrize(("machine", "few", "many"), [(Store, 40, 2_000), (File, 10, 500)])
def test_any_store_is_what_was_appended(machine: type[Store], few: int, many: int, big: bool) -> None:
    run(machine, examples=many if big else few)
