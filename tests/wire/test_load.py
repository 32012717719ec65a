"""Models that fail, and others that are asked instead, against a model server that others wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from callboard import Agent, Breaker, MemoryStore, OpenAIModel, System
from callboard.events.catalog import ModelAttemptFailed, ModelCallStarted

from .wireserver import WireServer

pytestmark = pytest.mark.wire

TEAM = """
[model]
name = "crowded-1"
at_once = 4

[models.steady]
name = "steady-1"

[agents.writer]
instructions = "You answer under load."
fallback = { rate_limit = "broken-1", any = "steady" }
"""


def callboard(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "callboard.scripts.main", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)  # less than the crowded one wants
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def test_a_crowded_model_and_a_broken_one_give_way_to_a_third_and_the_trace_shows_it(
    tmp_path: Path, wire: WireServer
) -> None:
    (tmp_path / "team.toml").write_text(TEAM)
    answer = json.loads(callboard(tmp_path, "run", "team.toml", "go", "--json"))
    assert answer["text"] == "The steady one answers."
    asked = [(entry["body"]["model"], entry["response"]["status"]) for entry in wire.journal()]
    assert asked == [("crowded-1", 429), ("broken-1", 500), ("steady-1", 200)]
    told = callboard(tmp_path, "trace", "team.db", answer["trace"])
    assert "attempt 1 rate_limit" in told and "attempt 2 broken-1 server" in told
    assert "model call 1 steady as steady-1" in told
    callboard(tmp_path, "verify", "team.db")


async def test_a_broken_model_is_not_asked_while_its_circuit_is_open(wire: WireServer) -> None:
    store, broken = MemoryStore(), OpenAIModel("broken-1", base_url=wire.base_url)
    async with System.open(store, model=broken, breaker=Breaker(failures=1)) as system:
        agent = await system.start(Agent("writer", "You answer under load.", fallback="steady-1"))
        for text in ("go", "on", "and on"):
            assert (await agent.ask(text)).text == "The steady one answers."
    asked = [entry["body"]["model"] for entry in wire.journal()]
    assert asked == ["broken-1", "steady-1", "steady-1", "steady-1"]
    events = [event.data async for event in store.read_all()]
    assert [event.model for event in events if isinstance(event, ModelCallStarted)] == ["", *["steady-1"] * 3]
    failed = [event.kind for event in events if isinstance(event, ModelAttemptFailed)]
    assert failed == ["server", "circuit_open", "circuit_open"]
