"""A conversation that goes on for years stays within a small window, and its beginning is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard import Agent, OpenAIModel, SQLiteStore, System
from callboard.events.catalog import ModelCallFinished, ModelCallStarted, TurnFinished

from .wireserver import WireServer

pytestmark = pytest.mark.wire

WINDOW = 16_000


async def test_thousands_of_turns_fit_a_small_window_and_the_first_is_found(
    wire: WireServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    turns = 2_000 if request.config.getoption("--big") else 200
    log = tmp_path / "years.db"
    talker = Agent("chronicler", "You talk for years.", tools=["conversation_search"], window=WINDOW)
    async with System.open(log, model=OpenAIModel("old-1", base_url=wire.base_url)) as system:
        ref = await system.start(talker)
        await ref.ask("Did anybody ever see a purple heron here?")
        for n in range(1, turns):
            await ref.ask(f"And what happened in the year {1200 + n}?")
        answer = await ref.ask("find the heron")
    assert answer.text == "It was in the first question."
    async with SQLiteStore.open(log, mode="read") as store:
        events = [event.data async for event in store.read_all()]
    started = [event for event in events if isinstance(event, ModelCallStarted)]
    assert max(event.tokens for event in started) <= 0.9 * WINDOW < 40 * turns
    finished = [event for event in events if isinstance(event, ModelCallFinished)]
    assert sum(event.summarises > 0 for event in finished) >= turns // 150
    assert sum(isinstance(event, TurnFinished) for event in events) == turns + 1
    sent = [entry["body"]["messages"] for entry in wire.journal()]
    sizes = [sum(len(str(message["content"])) for message in messages) for messages in sent]
    assert max(sizes) < 4 * WINDOW
    [found] = [message["content"] for message in sent[-1] if message["role"] == "tool"]
    assert "Did anybody ever see a purple heron here?" in found
    assert not any("anybody ever see" in str(message["content"]) for message in sent[-2])
