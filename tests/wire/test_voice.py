"""A long talk within a short window, over a real wire: T26 with 40 messages of the user."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from callboard import Agent, Block, Group, SQLiteStore, System, VoiceSleeptime
from callboard.actors.openai_model import OpenAIModel
from callboard.events import RecordedEvent
from callboard.events.catalog import JobFinished, JobScheduled, JobStarted, PassageInserted, TurnFinished
from callboard.projections import GroupState
from callboard.scripts import audit
from callboard.scripts.verify import checked

from .wireserver import WireServer

pytestmark = pytest.mark.wire

ASKED, MOST, LEAST = 40, 10, 5
LINE = Group(
    "line",
    [Agent("keeper", "You keep line forty.")],
    VoiceSleeptime(MOST, LEAST),
    manager=Agent("voice", "You are the voice of line forty."),
    blocks=[Block("human")],
)


async def talked(log: Path, wire: WireServer) -> tuple[list[RecordedEvent], GroupState]:
    """Say forty things, one after the other; wait for the background at the end alone."""
    model = OpenAIModel("small-1", base_url=wire.base_url)
    try:
        async with SQLiteStore.open(log) as store, System.open(store, model=model) as system:
            line = await system.start(LINE)
            for n in range(ASKED):
                assert (await line.ask(f"Thing {n:02}.", key=f"k{n}")).text == "Noted."
            await system.quiet()
            return [event async for event in store.read_all()], await line.state()
    finally:
        await model.aclose()


async def test_forty_messages_within_a_window_of_ten(tmp_path: Path, wire: WireServer):
    events, state = await talked(tmp_path / "line.db", wire)
    asked = [entry["body"]["messages"] for entry in wire.journal()]
    heard = [[one for one in said if one["role"] != "system"] for said in asked if "the voice of" in said[0]["content"]]
    assert len(heard) == ASKED
    assert max(map(len, heard)) == MOST + 1 and all("Thing" in said[0]["content"] for said in heard)
    stored = [str(event.data.text) for event in events if isinstance(event.data, PassageInserted)]
    kept = [str(said.text) for said in state.transcript.since(state.cuts["main"])]
    lines = [line for text in stored for line in text.split("\n") if line.startswith(("user: ", "voice: "))]
    assert len(lines) + len(kept) == 2 * ASKED and len(kept) <= MOST
    for n in range(ASKED):
        assert (lines.count(f"user: Thing {n:02}.") + kept.count(f"Thing {n:02}.")) == 1
    log = str(tmp_path / "line.db")
    assert not checked(log).findings.kept and not audit.audited(log).findings


async def test_no_answer_waits_for_the_background(tmp_path: Path, wire: WireServer):
    events, _ = await talked(tmp_path / "line.db", wire)
    where = {(event.type, event.data.id): event.position for event in events}
    jobs = [event.data.id for event in events if isinstance(event.data, JobScheduled)]
    for id in jobs:  # the answer stands behind what it schedules, in the same append
        assert where["TurnFinished", id.rsplit("/", 2)[0]] == where["JobScheduled", id] + 1
    types = Counter(type(event.data) for event in events)
    assert types[JobStarted] == types[JobFinished] == len(jobs) == 9
    answers = [e.position for e in events if isinstance(e.data, TurnFinished) and e.stream == "group-line"]
    first = next(e for e in events if isinstance(e.data, JobStarted))
    ended = next(e.position for e in events if isinstance(e.data, JobFinished))
    assert sum(first.position < at < ended for at in answers) > 3
