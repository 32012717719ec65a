"""What is due when: one task for all of a system, which keeps nobody from leaving it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

import anyio

from callboard.events.catalog import MessageReceived

from .commands import Command, Delivery, MessageDue, Receive

if TYPE_CHECKING:
    from .system import System


def overdue(messages: Iterable[MessageReceived | Delivery], now: datetime) -> list[MessageDue]:
    """Return what is to be noted of those of `messages` whose time is up. Pure."""
    limited = [one for one in messages if isinstance(one, MessageReceived | Receive) and one.expires is not None]
    return [MessageDue(one.id) for one in limited if one.expires is not None and one.expires <= now]


class Timers:
    """Tells actors what is due. Nothing here outlives the process: what is due, and when, is in the log."""

    def __init__(self, system: System) -> None:
        """Keep the time for `system`."""
        self._system = system
        self._due: list[tuple[datetime, int, str, Command]] = []
        self._numbers = count()
        self._news = anyio.Event()

    def set(self, stream: str, messages: Iterable[MessageReceived]) -> None:
        """See that the actor at `stream` is told when `messages` expire; those that never do are left out."""
        for message in messages:
            if message.expires is not None:
                self.at(message.expires, stream, MessageDue(message.id))

    def at(self, due: datetime, stream: str, command: Command) -> None:
        """Hand `command` to the actor at `stream` when it is due; it is for its rules to say if that is still so."""
        heappush(self._due, (due, next(self._numbers), stream, command))
        self._news.set()

    async def run(self) -> None:
        """Tell each actor what is due, for as long as this runs."""
        while True:
            self._news = anyio.Event()
            if await self._waited():
                _, _, stream, command = heappop(self._due)
                self._system.actor(stream).put(command)

    async def _waited(self) -> bool:
        """Wait until the first is due; return False where there is news before that."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._until_news, tasks.cancel_scope)
            if self._due:
                pause = (self._due[0][0] - self._system.outside.now()).total_seconds()
                await self._system.outside.sleep(max(pause, 0.0))
                tasks.cancel_scope.cancel()
                return not self._news.is_set()
        return False

    async def _until_news(self, scope: anyio.CancelScope) -> None:
        await self._news.wait()
        scope.cancel()
