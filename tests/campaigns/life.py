"""One life of a scenario in a real process, on a real log, with ledgers that outlive it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, cast

import anyio
import structlog

from callboard import ModelReply, ModelRequest, System
from callboard.actors.commands import Receive
from callboard.events import LogError, MemoryStore, ModelError, NewEvent, RecordedEvent, SQLiteStore
from callboard.projections.answer import Answer

from .. import world as worlds
from ..harness import Outcome, breaches, unlike_prompts
from ..scripted import Scenario, beside
from ..world import Life, World
from .ledgers import ACKNOWLEDGED, ANSWERED, ASKED, LOG, RAN, Counted, Ledger, noted
from .server import READ, look

PATIENCE = 30
"""Seconds after which a life counts as stuck."""

CANNOT = 3
"""Exit code of a life that ended with one of the library's own errors about the log."""

IDLE, CHANGING = ("SELECT", "PRAGMA"), ("PRAGMA journal_mode", "PRAGMA wal_checkpoint")
"""Statements that change nothing in the log, but for these."""

END, ERROR = "end", "error"
"""Names of files in the folder of a case: what came of its last life, and the error that ended one."""


@dataclass(frozen=True)
class Place:
    """Where a case takes place; all but the case's own parameters."""

    folder: Path
    scenario: Scenario
    port: int
    seed: int = 0


class RealLife(Life):
    """A life between a real store, a model server and tools with a ledger; killed at its `at`-th point."""

    def __init__(self, place: Place, at: int) -> None:
        self.place, self.lock = place, Lock()
        self.acknowledged = Ledger(place.folder / ACKNOWLEDGED)
        self.answered = Ledger(place.folder / ANSWERED)
        world = World(place.seed, ran=Counted(place.folder / RAN))
        super().__init__(world, cast(MemoryStore, None), place.scenario.script, at)

    def point(self, name: str) -> None:
        """Pass a place where the process may be killed, in any thread; say its name, and die there if it is time."""
        with self.lock:
            self.ticks.append(name)
            if len(self.ticks) == self.at:
                (self.place.folder / "died").write_text(name)
                os.kill(os.getpid(), signal.SIGKILL)

    async def tick(self, what: str, stream: str = "") -> None:
        self.point(f"{what} goes on")

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        await self.world.dawdle(f"{stream}@{expected_version}")
        self.point("append asked")
        try:
            recorded = await self.log.append(stream, events, expected_version=expected_version)
        except LogError as error:
            what = {
                "stream": stream,
                "after": expected_version,
                "types": [type(event.data).__name__ for event in events],
            }
            self.acknowledged.note(failed=type(error).__name__, why=str(error), **what)
            raise
        self.point("append returned")
        for event in recorded:
            facts = {"position": event.position, "version": event.version, "type": event.type}
            self.acknowledged.note(stream=stream, id=event.data.id, **facts)
        self.point("append acknowledged")
        return recorded

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        await self.world.dawdle(request.id)
        wanted = {name: getattr(request, name) for name in READ}
        asked = {"folder": str(self.place.folder), "scenario": self.place.scenario.name, "request": wanted}
        loop = asyncio.get_running_loop()
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, ("127.0.0.1", self.place.port))
            self.point("model asked")
            connection.sendmsg([json.dumps(asked).encode() + b"\n"])  # the one system call of this name, to be found
            said = b""
            while not said.endswith(b"\n"):
                said += await loop.sock_recv(connection, 65_536) or b"{}\n"
        self.point("model answered")
        reply = json.loads(said)
        if "error" in reply:
            raise ModelError(reply["error"], kind=reply["kind"], retry=reply["retry"])
        if "busy" in reply:
            raise ModelError("busy", kind="server", retry=True)
        uses = [(name, arguments) for name, arguments in reply["uses"]]
        return ModelReply(reply["text"], uses, finish_reason=reply["finish_reason"])

    async def use(self, key: str, text: str) -> str:
        call = key.split("/", 1)[1]
        self.point("tool begins")
        sql = "SELECT 1 FROM events WHERE type = 'ToolCallStarted' AND json_extract(data, '$.callkey') = ?"
        with suppress(sqlite3.DatabaseError):  # where the campaign has broken the disk
            if not look(self.place.folder / LOG, sql, key):
                self.acknowledged.note(wrong=f"run before it was recorded: {call}")
        self.world.ran[call] += 1
        self.point("tool ran")
        await self.world.dawdle(call)
        self.point("tool ends")
        return text


def watch_statements(life: RealLife) -> None:
    """Let `life` pass a point before and after each statement that changes the log, in the thread of its connection."""

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:  # type: ignore[override]
            return self._between(sql, lambda: sqlite3.Connection.execute(self, sql, cast(Any, parameters)))

        def executescript(self, sql: str, /) -> sqlite3.Cursor:  # type: ignore[override]
            return self._between("SCHEMA", lambda: sqlite3.Connection.executescript(self, sql))

        def _between(self, sql: str, statement: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
            name = " ".join(sql.split()[:2]).split("(")[0]
            if name.startswith(IDLE) and name not in CHANGING:
                return statement()
            life.point(f"before {name}")
            cursor = statement()
            life.point(f"after {name}")
            return cursor

    connect = sqlite3.connect
    sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=Watched)  # type: ignore[assignment,misc]


async def play(life: RealLife) -> tuple[list[str], dict[str, object]]:
    """Open the log, let what had begun come to its end, and only then ask (again) for everything."""
    scenario, world = life.place.scenario, life.world
    with anyio.fail_after(PATIENCE):
        async with SQLiteStore.open(life.place.folder / LOG, now=world.now) as store:
            life.log = cast(MemoryStore, store)
            worlds.begin(life)
            async with scenario.opened(life, life, life.outside) as system:
                _note_answers(system, life)
                async with beside(scenario, system):
                    await system.quiet()
                    for spec in scenario.specs:
                        await system.start(spec)
                    answers = await scenario.drive(system)
                    await system.quiet()
                streams = {event.stream async for event in store.read_all()} - {"system"}
                return answers, {stream: await system.look(stream) for stream in sorted(streams)}


def _note_answers(system: System, life: RealLife) -> None:
    ask = system.ask

    async def asked(to: str, request: Receive) -> Answer:
        answer = await ask(to, request)
        life.point("answer")
        life.answered.note(id=request.id, text=answer.text)
        life.point("answer acknowledged")
        return answer

    system.ask = asked


async def to_the_end(place: Place, at: int, lives: int, whole: Outcome) -> list[str]:
    """Live, unless killed; then hold what all lives of this case did against the uninterrupted run."""
    life, folder = RealLife(place, at), place.folder
    watch_statements(life)
    answers, live = await play(life)
    for line in noted(folder / ASKED):
        life.world.called[line["id"]] += 1
        life.world.read[line["id"], line["attempt"]] = line["messages"]
    async with SQLiteStore.open(folder / LOG, mode="read") as store:
        events = [event async for event in store.read_all()]
        outcome = Outcome(life.world, cast(MemoryStore, store), events, answers, [[]] * lives, live)
        return [*breaches(outcome, whole, loose=place.scenario.loose), *await unlike_prompts(outcome)]


def live(place: Place, lives: int, whole: Outcome, at: int = 0) -> int:
    """Be one of the `lives` of a case, in a process of its own; return its exit code."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        found = anyio.run(to_the_end, place, at, lives, whole)
    except LogError as error:
        (place.folder / ERROR).write_text(f"{type(error).__name__}: {error}")
        return CANNOT
    (place.folder / END).write_text(json.dumps(found))
    return 0


def ending(place: Place) -> list[str]:
    """Return what was broken, as the life found that came to the end."""
    return json.loads((place.folder / END).read_text())
