"""Two actors that write to each other's mailbox, with restarts, crashes and cancels anywhere."""

from __future__ import annotations

import itertools
from asyncio import Task
from dataclasses import dataclass, replace
from random import Random

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from callboard import System
from callboard.actors import system as systems
from callboard.actors.actor import Actor
from callboard.actors.commands import Command
from callboard.actors.outside import Outside
from callboard.actors.rules import asker
from callboard.actors.testing import ScriptedModel
from callboard.events import Event, MemoryStore, NewEvent, RecordedEvent, Text
from callboard.events.catalog import (
    MessageReceived,
    MessageRefused,
    MessageSent,
    Part,
    SendAccepted,
    SendAnswered,
    SendCancelling,
    SendFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.projections import Desk, Projection
from callboard.projections import desk as desks

from .loop import SeededLoop
from .machines import Stage, run
from .simulation import settled


@dataclass(frozen=True)
class Talk:
    """The state of both: they have nothing but a desk."""

    spec: str = "always"
    desk: Desk = Desk()


@dataclass(frozen=True, slots=True)
class Say(Command):
    """Open a send."""

    event: MessageSent


@dataclass(frozen=True, slots=True)
class Unsay(Command):
    """Cancel a send."""

    id: str


def evolve(state: Talk, event: Event) -> Talk:
    return replace(state, desk=desks.evolve(state.desk, event))


class Talker(Actor[Talk]):
    """Sends what it is told to, and answers all it gets."""

    projection = Projection("talk", Talk, lambda state, event: evolve(state, event.data))
    evolve = staticmethod(evolve)

    def take(self, state: Talk, command: Command) -> list[Event]:
        match command:
            case Say(event):
                return [event]
            case Unsay(id):
                return [SendCancelling(id=id)] if id in state.desk.sends.keys() - state.desk.cancelling else []
            case _:
                return super().take(state, command)

    def follow(self, state: Talk) -> list[Event]:
        if state.desk.turn is not None:
            turn = state.desk.turn
            return [TurnFinished(id=turn.id, to=asker(turn), text=Text(f"re {turn.id}"))]
        return [TurnStarted(id=state.desk.backlog[0].id)] if state.desk.backlog else []


class Sends(Stage):
    """A sends to B; A and B begin again, and the process dies, at any time."""

    log: MemoryStore
    life: Task[None]
    scope: anyio.CancelScope
    system: System

    @initialize(seed=st.integers(0, 1_000_000))
    def begin(self, seed: int) -> None:
        self.loop = SeededLoop(seed)
        self.log, self.ids = MemoryStore(), itertools.count(1)
        began = NewEvent(MessageRefused(id="k0/b", text=Text("B is there")))
        self.wait(self.log.append("talk-b", [began], expected_version=0))
        self.open()

    def open(self) -> None:
        opened = anyio.Event()

        async def live() -> None:
            with anyio.CancelScope() as self.scope:
                outside = Outside(random=Random(1))
                async with System.open(self.log, model=ScriptedModel({}), outside=outside, grace=0) as self.system:
                    opened.set()
                    await anyio.sleep_forever()

        self.life = self.loop.create_task(live())
        self.wait(opened.wait())

    @rule(kind=st.sampled_from(["tell", "ask"]))
    def say(self, kind: str) -> None:
        id = f"k{next(self.ids)}/b"
        parts = (Part("a", Text(f"say {id}")),)
        sent = MessageSent(id=id, recipient="talk-b", kind="tell" if kind == "tell" else "ask", parts=parts)
        self.wait(self._put(Say(sent)))

    @precondition(lambda self: any(event.type == "MessageSent" for event in self.events()))
    @rule(data=st.data())
    def unsay(self, data: st.DataObject) -> None:
        sent = [event.data for event in self.events() if isinstance(event.data, MessageSent)]
        self.wait(self._put(Unsay(data.draw(st.sampled_from([one.id for one in sent])))))

    async def _put(self, command: Command) -> None:
        self.system.actor("talk-a").put(command)

    @rule(stream=st.sampled_from(["talk-a", "talk-b"]))
    def restart(self, stream: str) -> None:
        async def restart() -> None:
            self.system.restart(stream)

        self.wait(restart())

    @rule()
    def crash(self) -> None:
        self.wait(self._die())
        self.open()

    async def _die(self) -> None:
        self.scope.cancel()
        await self.life

    @rule(steps=st.integers(1, 25))
    def go_on(self, steps: int) -> None:
        async def go_on() -> None:
            for _ in range(steps):
                await checkpoint()

        self.wait(go_on())

    def events(self) -> list[RecordedEvent]:
        return SeededLoop(0).run_until_complete(_all(self.log)) if hasattr(self, "log") else []

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        self.wait(self._settle())
        self.wait(self._die())
        check([event.data for event in self.events()])

    async def _settle(self) -> None:
        with anyio.fail_after(1_000):
            await self.system.quiet()  # what was said last is recorded by now
            await settled(self.system)


async def _all(log: MemoryStore) -> list[RecordedEvent]:
    return [event async for event in log.read_all()]


def check(events: list[Event]) -> None:
    """Check that each send was taken in once, in order, and answered; those that were cancelled may be refused."""
    sent = {event.id: event for event in events if isinstance(event, MessageSent)}
    received = [event.id for event in events if isinstance(event, MessageReceived)]
    cancelled = {event.id for event in events if isinstance(event, SendCancelling)}
    assert received == [id for id in sent if id in received]
    assert set(sent) - set(received) <= cancelled
    closed = [event for event in events if isinstance(event, SendAccepted | SendAnswered | SendFailed)]
    assert sorted(event.id for event in closed) == sorted(sent)
    for event in closed:
        assert not isinstance(event, SendAccepted) or sent[event.id].kind == "tell"
        assert not isinstance(event, SendAnswered) or (sent[event.id].kind == "ask" and event.text == f"re {event.id}")
        assert not isinstance(event, SendFailed) or event.id in cancelled


def test_each_send_is_taken_in_once_and_in_order(big: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(systems.KINDS, "talk", Talker)
    run(Sends, examples=3_000 if big else 60, steps=40)
