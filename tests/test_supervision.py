"""Actors that fail begin again from their log; one that fails too often is stopped, and whoever waits is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
from anyio.lowlevel import checkpoint

from callboard import Agent, Group, MemoryStore, RecordedEvent, RoundRobin, System
from callboard.actors.agent_actor import AgentActor
from callboard.actors.calling import Calling
from callboard.actors.outside import Outside
from callboard.actors.supervision import INTENSITY
from callboard.actors.testing import ScriptedModel
from callboard.events import ActorStopped, LogError
from callboard.events.catalog import ActorRestarted


class Clock:
    """Pauses that take no time, and are written down."""

    def __init__(self) -> None:
        self.time, self.pauses = datetime(2026, 1, 1, tzinfo=UTC), list[float]()

    def outside(self) -> Outside:
        return Outside(now=lambda: self.time, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += timedelta(seconds=seconds)
        await checkpoint()


def failing(monkeypatch: pytest.MonkeyPatch, times: int, name: str = "writer") -> None:
    """Let the agent called `name` fail so many times when it reacts to a turn."""
    react, left = AgentActor.react, [times]

    def reacts(self: AgentActor, event: RecordedEvent) -> None:
        if self.stream == f"agent-{name}" and event.type == "TurnStarted" and left[0]:
            left[0] -= 1
            raise ZeroDivisionError("a fault of ours")
        react(self, event)

    monkeypatch.setattr(AgentActor, "react", reacts)


async def restarts(store: MemoryStore) -> list[ActorRestarted]:
    return [event.data async for event in store.read_all() if isinstance(event.data, ActorRestarted)]


async def test_an_actor_that_fails_begins_again_and_its_request_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, 1)
    store, model = MemoryStore(), ScriptedModel({"writer": ["tides rise"]})
    async with System.open(store, model=model, outside=Clock().outside()) as system:
        writer = await system.start(Agent("writer", "You write."))
        assert (await writer.ask("tides")).text == "tides rise"
    [restarted] = await restarts(store)
    assert restarted.failures == 1 and restarted.text == "ZeroDivisionError: a fault of ours"


async def test_pauses_grow_and_at_last_the_actor_is_stopped_and_the_asker_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AgentActor, "follow", lambda self, state: 1 / 0 if state.desk.backlog else [])  # pyright: ignore
    clock = Clock()
    async with System.open(MemoryStore(), model=ScriptedModel({}), outside=clock.outside()) as system:
        writer = await system.start(Agent("writer", "You write."))
        with pytest.raises(ActorStopped, match=f"failed {INTENSITY + 1} times within 60 s, .* ZeroDivisionError"):
            await writer.ask("tides")
        with pytest.raises(ActorStopped, match="mend the cause"):
            await writer.ask("again")
    assert clock.pauses[:3] == [0.1, 0.2, 0.4] and len(clock.pauses) == INTENSITY and clock.pauses[-1] == 5.0


async def test_a_group_goes_on_without_a_member_that_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = AgentActor.follow
    monkeypatch.setattr(
        AgentActor,
        "follow",
        lambda self, state: 1 / 0 if state.desk.turn and state.spec.name == "a" else follow(self, state),  # pyright: ignore
    )
    async with System.open(
        MemoryStore(), model=ScriptedModel({"b": ["I am here"]}), outside=Clock().outside()
    ) as system:
        team = await system.start(Group("team", [Agent("a"), Agent("b")], RoundRobin()))
        answer = await team.ask("who is there?")
    assert answer.text == "I am here" and "a is stopped" in answer.turns[0].error


async def test_start_brings_back_an_actor_that_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, INTENSITY + 1)
    spec = Agent("writer", "You write.")
    async with System.open(
        MemoryStore(), model=ScriptedModel({"writer": ["back"]}), outside=Clock().outside()
    ) as system:
        writer = await system.start(spec)
        monkeypatch.setattr(AgentActor, "take_up", lambda self: 1 / 0 if self.state.desk.turn else None)  # pyright: ignore
        with pytest.raises(ActorStopped):
            await writer.ask("tides", key="k")
        monkeypatch.undo()
        await system.start(spec)
        assert (await writer.ask("tides", key="k")).text == "back"


async def test_an_effect_that_fails_is_the_failure_of_its_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare, left = Calling._prepare, [1]  # pyright: ignore[reportPrivateUsage]

    async def fails(self: Calling, *args: object) -> None:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError("in an effect")
        await prepare(self, *args)  # pyright: ignore

    monkeypatch.setattr(Calling, "_prepare", fails)
    store = MemoryStore()
    model = ScriptedModel({"writer": ["well"]})
    async with System.open(store, model=model, outside=Clock().outside()) as system:
        writer = await system.start(Agent("writer", "You write.", persona="calm"))
        assert (await writer.ask("tides")).text == "well"
    assert [one.text for one in await restarts(store)] == ["ZeroDivisionError: in an effect"]


class Broken(MemoryStore):
    """A store that cannot be read."""

    def read_stream(self, stream: str, **where: object) -> AsyncGenerator[RecordedEvent]:  # type: ignore[override]
        raise LogError("the log is broken")


async def test_an_error_of_the_log_is_no_failure_of_an_actor_and_ends_the_system() -> None:
    with pytest.raises(LogError, match="the log is broken"):
        async with System.open(Broken(), model=ScriptedModel({}), outside=Clock().outside()) as system:
            await system.start(Agent("writer", "You write."))
