"""The recorder test cases of the package `eventsourcing`, as they are, on our stores.

Their classes are run and not copied: `recorder.py` is all that stands between. What of theirs does not
apply, and why, is in `docs/evidence-suites.md`.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import TestCase

from eventsourcing.tests import persistence as theirs

from callboard.events import EventStore, MemoryStore, SQLiteStore

from .recorder import Log, Streams, running


class InMemory(TestCase):
    """Each recorder has a `MemoryStore`."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[EventStore]:
        yield MemoryStore()

    def streams(self) -> Streams:
        return Streams(*self.enterContext(running(self.opened)))

    def log(self) -> Log:
        return Log(*self.enterContext(running(self.opened)))


class InAFile(InMemory):
    """Each recorder has a `SQLiteStore`."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[EventStore]:
        with tempfile.TemporaryDirectory() as folder:
            async with SQLiteStore.open(Path(folder) / "log.db") as store:
                yield store


class TestStreamsInMemory(theirs.AggregateRecorderTestCase, InMemory):
    INITIAL_VERSION = 0

    def create_recorder(self) -> Streams:
        return self.streams()


class TestStreamsInAFile(theirs.AggregateRecorderTestCase, InAFile):
    INITIAL_VERSION = 0

    def create_recorder(self) -> Streams:
        return self.streams()


class TestLogInMemory(theirs.ApplicationRecorderTestCase[Log], InMemory):
    INITIAL_VERSION = 0

    def create_recorder(self) -> Log:
        return self.log()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestLogInAFile(theirs.ApplicationRecorderTestCase[Log], InAFile):
    INITIAL_VERSION = 0

    def create_recorder(self) -> Log:
        return self.log()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleavingInMemory(theirs.NonInterleavingNotificationIDsBaseCase, InMemory):
    def create_recorder(self) -> Log:
        return self.log()


class TestNonInterleavingInAFile(theirs.NonInterleavingNotificationIDsBaseCase, InAFile):
    def create_recorder(self) -> Log:
        return self.log()
