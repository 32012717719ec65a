"""`callboard run` in a process of its own, against a model server that others wrote."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from callboard.events import SQLiteStore
from callboard.events.catalog import ModelCallFinished, ModelCallStarted
from callboard.projections import fold, pending

from .wireserver import WireServer

pytestmark = pytest.mark.wire

TEAM = """
[model]
name = "gpt-5-mini"

[blocks.plan]
value = "Nothing decided yet."
limit = 20000

[agents.writer]
instructions = "You write one short paragraph."
blocks = ["plan"]
tools = ["counting:word_count"]

[agents.critic]
instructions = "You name the weakest sentence, and why."
blocks = ["plan"]

[groups.essay]
members = ["writer", "critic"]
pattern = { kind = "round_robin", max_turns = 4 }
"""

COUNTING = '''
import os, pathlib

def word_count(text: str) -> int:
    """Count words."""
    with pathlib.Path(__file__).with_name("counted").open("a") as file:
        file.write("counted\\n")
    return len(text.split())
'''


@pytest.fixture
def team(tmp_path: Path) -> Path:
    (tmp_path / "counting.py").write_text(COUNTING)
    (tmp_path / "team.toml").write_text(TEAM)
    return tmp_path / "team.toml"


def callboard(team: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "callboard.scripts.main", "run", str(team), *arguments]


def run(team: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(callboard(team, *arguments, "--json"), cwd=team.parent, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_team_remembers_on_the_same_log(team: Path, wire: WireServer) -> None:
    first = run(team, "Write about tides with a plan.")
    assert [turn["speaker"] for turn in first["turns"]] == ["writer", "critic", "writer", "critic"]
    asked = len(wire.journal())
    run(team, "Make it shorter.")
    later = json.dumps([entry["body"]["messages"] for entry in wire.journal()[asked:]])
    assert "Write about tides with a plan." in later and first["turns"][0]["text"] in later
    assert "Say what pulls, then what moves." in later
    assert all(entry["body"]["stream"] for entry in wire.journal())
    assert (team.parent / "counted").read_text() == "counted\n"


def test_a_busy_server_and_a_broken_one_are_asked_again_and_it_is_recorded(team: Path, wire: WireServer) -> None:
    answer = run(team, "Write about tides in a storm.")
    assert not any(turn["error"] for turn in answer["turns"])
    statuses = Counter(entry["response"]["status"] for entry in wire.journal())
    assert statuses[429] == statuses[500] == 1
    with closing(sqlite3.connect(team.parent / "team.db")) as log:
        failed = log.execute(
            "SELECT json_extract(data, '$.kind') FROM events WHERE type = 'ModelAttemptFailed'"
        ).fetchall()
    assert failed == [("rate_limit",), ("server",)]


def events_in(log: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT max(position) FROM events").fetchone()[0] or 0
    except sqlite3.Error:
        return 0


def killed_at(position: int, team: Path, message: str) -> bool:
    """Run the team and kill the process once the log holds `position` events; return whether that came to be."""
    process = subprocess.Popen(
        callboard(team, message), cwd=team.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while process.poll() is None and events_in(team.parent / "team.db") < position:
            assert time.monotonic() < until
            time.sleep(0.001)  # the log of another process tells no other way
        return process.poll() is None
    finally:
        process.kill()
        process.wait()


async def test_kill_9_at_random_moments_repeats_no_recorded_call(team: Path, wire: WireServer, big: bool) -> None:
    chance, kills, before = Random(1), 0, 0
    for n in range(20 if big else 4):
        message, wire_log = f"Write slowly about tides with a plan, part {n}.", team.parent / "team.db"
        before = events_in(wire_log)
        for _ in range(2):
            kills += killed_at(before + chance.randint(5, 75), team, message)
        answer = run(team, message)
        assert len(answer["turns"]) == 4 and not any(turn["error"] for turn in answer["turns"])
    assert kills >= (20 if big else 4)
    async with SQLiteStore.open(team.parent / "team.db", mode="read") as store:
        events = [event async for event in store.read_all()]
        log_id = store.log_id
    assert fold(pending, events).items == {}
    started = Counter(f"{log_id}/{e.data.id}" for e in events if isinstance(e.data, ModelCallStarted))
    finished = Counter(f"{log_id}/{e.data.id}" for e in events if isinstance(e.data, ModelCallFinished))
    asked = Counter(entry["headers"]["idempotency-key"] for entry in wire.journal())
    assert set(finished.values()) == {1}
    assert all(asked[key] <= started[key] for key in asked), asked - started
    assert set(finished) == set(started)
