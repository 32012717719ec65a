"""The model server: a process of its own, that looks into the log before it answers."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from callboard import ModelRequest
from callboard.events import ModelError

from ..scenarios import CANCELS, SCENARIOS
from .ledgers import ASKED, LOG, Ledger, noted

READ = ("id", "attempt", "agent", "model", "messages", "summarises")
"""What of a request goes to the server: all that scripts look at."""

EVERY = {scenario.name: scenario for scenario in (*SCENARIOS, *CANCELS)}


def look(log: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Ask the log of another process, or of this one, past the library."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as database:
        return database.execute(sql, parameters).fetchall()


def answer(folder: Path, scenario: str, wanted: dict[str, Any]) -> dict[str, object]:
    """Note the request, with what the log held when it came; return the reply."""
    id, attempt = wanted["id"], wanted["attempt"]
    calls = look(
        folder / LOG,
        "SELECT type, coalesce(json_extract(data, '$.attempt'), 1) FROM events WHERE json_extract(data, '$.id') = ?"
        " AND type IN ('ModelCallStarted', 'ModelCallFinished')",
        id,
    )
    again = any(line["id"] == id for line in noted(folder / ASKED))
    Ledger(folder / ASKED).note(
        id=id,
        attempt=attempt,
        started=("ModelCallStarted", attempt) in calls,
        finished=any(type == "ModelCallFinished" for type, _ in calls),
        messages=wanted["messages"],
    )
    request = ModelRequest(**wanted, tools=(), key="")
    try:
        reply = EVERY[scenario].script(request)
    except ModelError as error:  # a model that never answers
        return {"error": str(error), "kind": error.kind, "retry": error.retry}
    if reply.finish_reason == "fail" and not again:
        return {"busy": True}
    return {"text": reply.text, "uses": list(reply.uses), "finish_reason": reply.finish_reason}


class _Handler(StreamRequestHandler):
    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        reply = answer(Path(asked["folder"]), asked["scenario"], asked["request"])
        self.wfile.write(json.dumps(reply).encode() + b"\n")


class _Server(ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True
    parent = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that were killed."""

    def service_actions(self) -> None:
        """End with the process that started it, however that ends."""
        if os.getppid() != self.parent:
            os._exit(0)


def serve() -> tuple[int, int]:
    """Start a model server in a process of its own; return its port and process id."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.parent = os.getpid()
    port = server.server_address[1]
    process = os.fork()
    if process:
        server.socket.close()
        return port, process
    try:
        server.serve_forever()
    finally:
        os._exit(1)


@contextmanager
def served() -> Generator[int]:
    """Give the port of a model server that runs as long as the context."""
    port, process = serve()
    try:
        yield port
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
