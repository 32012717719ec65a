"""What the suites share: each store in turn."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from callboard.events import EventStore, MemoryStore, SQLiteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, path: Path) -> AsyncGenerator[EventStore]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        async with SQLiteStore.open(path) as store:
            yield store
