"""Faults of the file under a running team: it stops with a clear error, loses nothing, and goes on when all is well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from callboard import Agent, ModelReply, ModelRequest, System
from callboard.events import LogError

Fault = Callable[[], object]


class Faulty:
    """A model that lets a fault happen at its second call; it counts what it was asked."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault, self.asked = fault, list[str]()

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        self.asked.append(request.id)
        if self.fault is not None and request.id.startswith("k2"):
            self.fault()
        return ModelReply(f"reply to {request.id}")


async def talk(path: Path, model: Faulty) -> list[str]:
    async with System.open(path, model=model) as system:
        writer = await system.start(Agent("writer"))
        return [(await writer.ask("Go.", key=key)).text for key in ("k1", "k2", "k3")]


async def test_a_log_that_is_removed_stops_the_team_and_goes_on_when_it_is_back(path: Path) -> None:
    aside = path.with_name("aside.db")

    def removed() -> None:
        for end in ("", "-wal", "-shm"):
            path.with_name(f"log.db{end}").rename(f"{aside}{end}")

    with pytest.raises(LogError, match="removed or replaced"):
        await talk(path, Faulty(removed))
    for end in ("", "-wal", "-shm"):
        if (file := aside.with_name(f"aside.db{end}")).exists():
            file.rename(path.with_name(f"log.db{end}"))
    again = Faulty()
    assert await talk(path, again) == [f"reply to {key}/writer/1" for key in ("k1", "k2", "k3")]
    assert "k1/writer/1" not in again.asked


async def test_a_log_in_whose_place_another_stands_is_not_written_to(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    await talk(other, Faulty())
    with pytest.raises(LogError, match="removed or replaced"):
        await talk(path, Faulty(lambda: other.rename(path)))


async def test_a_lock_that_another_holds_too_long_stops_the_team_and_nothing_is_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callboard.events.connection.BUSY", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        with pytest.raises(LogError, match="locked"):
            await talk(path, Faulty(lambda: other.execute("BEGIN IMMEDIATE")))
        other.execute("ROLLBACK")
    again = Faulty()
    assert len(await talk(path, again)) == 3 and "k1/writer/1" not in again.asked


async def test_a_log_that_becomes_read_only_keeps_what_was_acknowledged(path: Path) -> None:
    answers = await talk(path, Faulty(lambda: path.chmod(0o400)))
    path.chmod(0o600)
    again = Faulty()
    assert await talk(path, again) == answers and again.asked == []
