"""A conversation that goes on for years stays within a small window, and its beginning is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from callboard import Agent, OpenAIModel, SQLiteStore, System
from callboard.actors.testing import words_in
from callboard.events.catalog import ModelCallFinished
from callboard.projections.request import rebuilt

from .wireserver import WireServer

pytestmark = pytest.mark.wire

WINDOW = 16_000


async def test_thousands_of_turns_fit_a_small_window_and_the_first_is_found(
    wire: WireServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole = request.config.getoption("--big") or os.environ.get("CALLBOARD_REQUIRE_WIRE") == "1"
    turns = 2_000 if whole else 200
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
        events = [event async for event in store.read_all()]
        last = [event for event in events if event.type == "ModelCallStarted"][-2:]
        before, after = [await rebuilt(store, event.stream, event.version) for event in last]
    finished = [event.data for event in events if isinstance(event.data, ModelCallFinished)]
    counted = [event.usage.input_tokens for event in finished if event.usage]
    assert len(counted) == len(finished) and 0.7 * WINDOW < max(counted) <= WINDOW < 90 * turns
    assert sum(event.summarises > 0 for event in finished) >= turns // 150
    assert sum(event.type == "TurnFinished" for event in events) == turns + 1
    [found] = [words_in(message) for message in after if message["role"] == "tool"]
    assert "Did anybody ever see a purple heron here?" in found
    assert not any("anybody ever see" in words_in(message) for message in before)
