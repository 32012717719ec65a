"""Agents that talk among themselves, over a real wire and in processes that are killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from callboard.events import RecordedEvent, SQLiteStore
from callboard.events.catalog import ModelCallFinished, SendFailed
from callboard.projections import fold, pending
from callboard.scripts import audit
from callboard.scripts.verify import checked

from .test_run import events_in
from .wireserver import WireServer

pytestmark = pytest.mark.wire

ASK, BROADCAST = "send_message_to_agent_and_wait_for_reply", "send_message_to_agents_matching_all_tags"

RING = "\n".join(f'[agents.ring-{one}]\ninstructions = "You are ring-{one}."\ntools = ["{ASK}"]\n' for one in "abc")

CREW = f'[agents.herald]\ninstructions = "You are the herald."\ntools = ["{BROADCAST}"]\n' + "".join(
    f'[agents.hand-{n}]\ninstructions = "You are a {"deserter" if n % 15 == 0 else "hand"}."\ntags = ["crew"]\n'
    for n in range(300)
)

NAMES = [f"miner-{n}" for n in range(10)]
MINE = "".join(f'[agents.{name}]\ninstructions = "You are a miner."\ntools = ["mine:dig"]\n' for name in NAMES) + (
    f"[groups.mine]\nmembers = {json.dumps(NAMES)}\npattern = {{ kind = 'parallel', max_concurrency = 10 }}\n"
    "limits = { model_calls = 40, tokens = 100000 }\n"
)
DIG = '''
from callboard import tool

@tool(effect="read")
def dig(shaft: str) -> str:
    """Dig."""
    return "rock"
'''


@dataclass(frozen=True)
class Talk:
    """A team, whom it is said to, and how many events a whole run has, about; it is killed at some of these."""

    team: str
    to: str
    events: int


TALKS = {"ring": Talk(RING, "ring-a", 45), "crew": Talk(CREW, "herald", 2_600), "mine": Talk(MINE, "mine", 450)}


def began(folder: Path, talk: Talk) -> subprocess.Popen[bytes]:
    (folder / "team.toml").write_text(f'[model]\nname = "gpt-5-mini"\n{talk.team}')
    (folder / "mine.py").write_text(DIG)
    words = ["run", "team.toml", "Begin.", "--to", talk.to, "--key", "k", "--json"]
    program = [sys.executable, "-m", "callboard.scripts.main", *words]
    return subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


async def lived(folder: Path, talk: Talk, until: int = 1_000_000) -> bytes | None:
    """Let a process work until its log holds so many events; return what it printed, or nothing if it was killed."""
    process, deadline, log = began(folder, talk), time.monotonic() + 120, folder / "team.db"
    try:
        while process.poll() is None and (until == 1_000_000 or events_in(log) < until):
            assert time.monotonic() < deadline
            await anyio.sleep(0.002)  # the log of another process tells no other way
        alive = process.poll() is None
    finally:
        process.kill()
        said, failed = process.communicate()
    assert alive or process.returncode in (0, 1), failed
    return None if alive else said


async def whole(folder: Path, talk: Talk) -> tuple[dict[str, object], list[RecordedEvent]]:
    """Run a team to its end; return the answer and the log, in which nothing is wrong."""
    said = await lived(folder, talk)
    log = folder / "team.db"
    assert said is not None and not checked(str(log)).findings.kept and not audit.audited(str(log)).findings
    async with SQLiteStore.open(log, mode="read") as store:
        found = [event async for event in store.read_all()]
    assert fold(pending, found).items == {}
    return json.loads(said), found


def kept(name: str, answer: dict[str, object], found: list[RecordedEvent]) -> None:
    """Check what must hold of a talk, however often its process was killed."""
    types = Counter(event.type for event in found)
    if name == "ring":
        assert answer["text"] == "We know the tides."
        [closed] = [str(event.data.text) for event in found if isinstance(event.data, SendFailed)]
        assert "ring-c waits for ring-a waits for ring-b waits for ring-c" in closed
    elif name == "crew":
        assert answer["text"] == "All were called."
        failed = [event for event in found if isinstance(event.data, SendFailed)]
        assert (types["RecipientsChosen"], types["SendAnswered"], len(failed)) == (1, 280, 20)
        assert types["MessageReceived"] == 301
    else:
        used = [event.data.usage for event in found if isinstance(event.data, ModelCallFinished)]
        assert types["ModelCallRequested"] == 40  # four for each of ten
        assert sum(one.input_tokens + one.output_tokens for one in used if one) <= 100_000
        assert types["LimitReached"] == 10 and answer["stop_reason"] == "end"


@pytest.mark.parametrize("name", TALKS)
async def test_a_talk_over_the_wire_comes_to_its_end(name: str, tmp_path: Path, wire: WireServer) -> None:
    kept(name, *await whole(tmp_path, TALKS[name]))


@pytest.mark.parametrize("name", TALKS)
async def test_a_talk_that_is_killed_comes_to_the_same_end(
    name: str, tmp_path: Path, wire: WireServer, ci: bool, big: bool
) -> None:
    talk = TALKS[name]
    step = 1 if big else max(1, talk.events // (6 if ci else 1))
    for at in range(max(step // 2, 1), talk.events, step):
        folder = tmp_path / f"at{at}"
        folder.mkdir()
        await lived(folder, talk, until=at)
        kept(name, *await whole(folder, talk))
