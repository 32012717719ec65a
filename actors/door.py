"""The door for requests from outside: whoever asked waits here for the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from callboard.events import DeliveryFailed, RequestFailed

from .commands import Receive, TakeAnswer

if TYPE_CHECKING:
    from .system import System


class _Waiter:
    def __init__(self, to: str, request: Receive) -> None:
        self.to, self.request = to, request
        self.ended = anyio.Event()
        self.answer: TakeAnswer | None = None
        self.failure: DeliveryFailed | None = None

    def end(self, outcome: TakeAnswer | DeliveryFailed) -> None:
        if isinstance(outcome, TakeAnswer):
            self.answer = outcome
        else:
            self.failure = outcome
        self.ended.set()


class Door:
    """Who waits for the answer to which request. Nothing here outlives the process: the log has the answers."""

    def __init__(self, system: System) -> None:
        """Stand between `system` and those outside."""
        self._system = system
        self._waiters: dict[str, list[_Waiter]] = {}

    async def request(self, to: str, request: Receive) -> str:
        """Send a request; return the words of its answer.

        Raises:
            RequestFailed: It has none; says why.
            DeliveryFailed: It could not be handed over, or whoever had it was stopped.
        """
        waiter = _Waiter(to, request)
        self._waiters.setdefault(request.id, []).append(waiter)
        try:
            await self._system.deliver(to, request, wait=0)
            await waiter.ended.wait()
        finally:
            self._waiters[request.id].remove(waiter)
            if not self._waiters[request.id]:
                del self._waiters[request.id]
        if waiter.answer is None:
            raise waiter.failure or AssertionError("woken without an answer")
        if not waiter.answer.ok:
            raise RequestFailed(waiter.answer.text)
        return waiter.answer.text

    def answer(self, answer: TakeAnswer) -> None:
        """Hand over an answer to all who wait for it."""
        for waiter in self._waiters.get(answer.id, ()):
            waiter.end(answer)

    def send_again(self, to: str) -> None:
        """Deliver again what is waited for from the actor at `to`, which began again."""
        for waiter in self._waiting_for(to):
            self._system.spawn(self._again, waiter)

    async def _again(self, waiter: _Waiter) -> None:
        try:
            await self._system.deliver(waiter.to, waiter.request)
        except DeliveryFailed as error:
            waiter.end(error)

    def fail(self, to: str, error: DeliveryFailed) -> None:
        """Tell all who wait for the actor at `to` that no answer will come."""
        for waiter in self._waiting_for(to):
            waiter.end(error)

    def _waiting_for(self, to: str) -> list[_Waiter]:
        everybody = [waiter for waiters in self._waiters.values() for waiter in waiters]
        return [waiter for waiter in everybody if waiter.to == to and not waiter.ended.is_set()]
