"""How a running tool reaches others: the effect behind `ToolContext.ask` and `tell`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import anyio
from pydantic import BaseModel

from callboard.events import CallEnded, DeliveryFailed, RequestFailed, Text
from callboard.projections.paths import message_id
from callboard.projections.words import name_of

from . import reaching
from .commands import DropSend, TakeSend
from .ref import checked_message
from .rules import CANCELLED, RETIRED

if TYPE_CHECKING:
    from .agent_actor import AgentActor


class Reach:
    """The messages of one attempt of a tool call, numbered in the order that the tool asks for them.

    Attributes:
        waits: How many of its messages the tool waits for now.
    """

    def __init__(self, actor: AgentActor, call: str, attempt: int, cause: str) -> None:
        """Stand between a tool that runs and the agent that called it."""
        self._actor, self._call, self._attempt, self._cause = actor, call, attempt, cause
        self._numbered = 0
        self._ended = False
        self.waits = 0

    def close(self) -> None:
        """Wait for nothing any more: the call has ended."""
        self._ended = True
        self._actor.sends_ended.notify()

    async def send(
        self, kind: Literal["ask", "tell"], name: str, text: str | BaseModel, timeout: float | None = None
    ) -> str:
        """Send a message, or find the one that went out under its number; return what came of it.

        Raises:
            RequestFailed: There is no answer.
            DeliveryFailed: It was not sent.
            TextRefused: The text cannot be taken in.
            MessageChanged: The tool asks another thing than before the process stopped.
            CallEnded: The call has ended.
            TimeoutError: There was no answer in time.
        """
        self._numbered += 1
        n, said = self._numbered, checked_message(text)
        recipient = self._recipient(name)
        id = message_id(self._call, n, name)
        command = TakeSend(id, self._actor.stream, recipient, kind, Text(said), self._attempt, cause=self._cause)
        with self._waiting():  # also for a look at whoever is asked: it may be held back until we are at rest
            await self._sent(n, command)
            with anyio.move_on_after(timeout) as wait:
                await self._closed(id)
        if wait.cancelled_caught:
            self._actor.put(DropSend(id, cause=self._cause))
            raise TimeoutError(f"{name} gave no reply in {timeout:g} seconds, and was told to stop")
        return self._outcome(n, name, timeout)

    def _recipient(self, name: str) -> str:
        stream = self._actor.system[name].address
        if stream == self._actor.stream:
            raise DeliveryFailed(f"{name!r} is the agent that calls this tool; do it here, or reach somebody else")
        return stream

    async def _sent(self, n: int, command: TakeSend) -> None:
        """See that the message is in our own stream."""
        if fault := reaching.fault(self._actor.state, command):
            raise fault
        if n not in self._said():
            await self._check(command.recipient)
            await self._actor.system.deliver(self._actor.stream, command)
        known = self._said().get(n)
        if known is None or not reaching.is_of(known, command):  # the call ended, or its turn, before it was taken in
            raise reaching.fault(self._actor.state, command) or CallEnded(self._call)

    async def _check(self, recipient: str) -> None:
        """See that somebody is there: of a message that wants no answer nobody would ever say so."""
        state = await self._actor.system.look(recipient)
        if state.desk.retired:
            raise DeliveryFailed(f"{name_of(recipient)} {RETIRED}; reach somebody else")

    @contextmanager
    def _waiting(self) -> Generator[None]:
        self.waits += 1
        self._actor.rests()
        try:
            yield
        finally:
            self.waits -= 1

    async def _closed(self, id: str) -> None:
        while id in self._actor.state.desk.sends and not self._ended:
            await self._actor.sends_ended.next().wait()

    def _said(self) -> dict[int, str]:
        call = self._actor.state.tools.get(self._call)
        return call.said if call else {}

    def _outcome(self, n: int, name: str, timeout: float | None) -> str:
        call = self._actor.state.tools.get(self._call)
        if self._ended or call is None:
            raise CallEnded(self._call)
        text, ok = call.came[n]
        if ok:
            return str(text)
        if timeout is not None and text == CANCELLED and not self._actor.state.desk.ending:
            raise TimeoutError(f"{name} gave no reply in {timeout:g} seconds before, and was told to stop")
        raise RequestFailed(f"{name}: {text}")
