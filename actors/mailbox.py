"""Where commands wait: deliveries in a bounded queue, answers and own results beside them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio

from callboard.events import MailboxFull

from .commands import Cancel, Command, Delivery

CAPACITY = 1_000
"""Deliveries that wait at most in one mailbox."""

WAIT = 30.0
"""Seconds that a delivery waits for room."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A delivery on its way, and what came of handing it over."""

    delivery: Delivery
    ended: anyio.Event = field(default_factory=anyio.Event)
    failure: Exception | None = None

    def end(self, failure: Exception | None = None) -> None:
        """Tell the sender that the delivery is in the recipient's stream, or why not."""
        if not self.ended.is_set():
            self.failure = failure
            self.ended.set()


class Mailbox:
    """Deliveries and results, until the actor takes all that waits."""

    def __init__(self, owner: str, capacity: int = CAPACITY) -> None:
        self._owner, self._capacity = owner, capacity
        self._results: deque[Command] = deque()
        self._waiting: dict[tuple[type[Delivery], str], Waiting] = {}
        self._room = anyio.Event()

    def put(self, result: Command) -> None:
        """Add an answer or an own result; there can be no more of them than were opened."""
        self._results.append(result)

    async def add(self, delivery: Delivery, *, wait: float = WAIT) -> Waiting:
        """Add a delivery, once there is room. The same delivery twice in here is one.

        Raises:
            MailboxFull: There was no room for `wait` seconds.
        """
        key = type(delivery), delivery.id
        with anyio.move_on_after(wait):
            while key not in self._waiting and len(self._waiting) >= self._capacity:
                await self._room.wait()
        if key not in self._waiting and len(self._waiting) >= self._capacity:
            raise MailboxFull(self._owner, self._capacity)
        return self._waiting.setdefault(key, Waiting(delivery))

    def take(self) -> tuple[list[Command], list[Waiting]]:
        """Take out all that waits: results, and deliveries in the order they came, cancels last."""
        results, waiting = list(self._results), list(self._waiting.values())
        self._results.clear()
        self._waiting.clear()
        self._room.set()
        self._room = anyio.Event()
        return results, sorted(waiting, key=lambda one: isinstance(one.delivery, Cancel))


def end_all(waiting: Iterable[Waiting], failure: Exception | None = None) -> None:
    """End every one of `waiting` in the same way; those that ended before stay as they are."""
    for one in waiting:
        one.end(failure)
