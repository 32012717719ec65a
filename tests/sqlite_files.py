"""What the tests of the SQLite store share."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from callboard.events import (
    NewEvent,
    SQLiteStore,
    Text,
)
from callboard.events.catalog import MessageReceived, Part, TurnStarted

Fault = Callable[[sqlite3.Connection, str], object]


def message(id: str, text: str = "hello") -> NewEvent:
    return NewEvent(MessageReceived(id=id, sender="user", parts=(Part(speaker="user", text=Text(text)),)))


def started(id: str = "r/a") -> NewEvent:
    return NewEvent(TurnStarted(id=id))


async def heads(store: SQLiteStore) -> list[str]:
    """All events but those of the log's own life."""
    return [event.ref async for event in store.read_all() if event.stream != "system"]


async def made(path: Path, *events: NewEvent) -> None:
    async with SQLiteStore.open(path) as store:
        await store.append("agent-a", events, expected_version=0)


def script(body: str, *arguments: object, run: str = "asyncio.run") -> list[str]:
    """The command that runs `body` inside an async function, with the names that tests use."""
    head = """
        import os, sys, asyncio, anyio, resource
        from callboard.events import *
        from callboard.events.catalog import *
        def started(): return NewEvent(TurnStarted(id="r/a"))
        async def main(path, *rest):
    """
    whole = f"{textwrap.dedent(head)}{textwrap.indent(textwrap.dedent(body), '    ')}\n{run}(main(*sys.argv[1:]))"
    return [sys.executable, "-c", whole, *map(str, arguments)]


def ran(body: str, *arguments: object, run: str = "asyncio.run") -> str:
    """What `body` prints, in a process of its own."""
    done = subprocess.run(script(body, *arguments, run=run), capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def inject(monkeypatch: pytest.MonkeyPatch, fault: Fault, *, late: bool = False) -> None:
    """Call `fault` before (`late`: after) each statement of each connection opened from now on."""

    class Faulty(sqlite3.Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:  # type: ignore[override]
            if not late:
                fault(self, sql)
            cursor = super().execute(sql, parameters)  # type: ignore[arg-type]
            if late:
                fault(self, sql)
            return cursor

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Faulty))  # type: ignore[misc]


async def append_one(store: SQLiteStore, stream: str) -> None:
    await store.append(stream, [started()], expected_version=0)
