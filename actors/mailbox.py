"""Where commands wait: requests in a bounded queue, all else beside them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import anyio

from callboard.events import KeyReused, MailboxFull
from callboard.events.catalog import MessageReceived
from callboard.projections.uses import PEOPLE

from .commands import Cancel, Command, Configure, Delivery, Receive, Start

CAPACITY = 1_000
"""Requests of one sender that wait at most at one actor, what is recorded as waiting counted."""

WAIT = 30.0
"""Seconds that a request waits for room."""


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


@dataclass(slots=True, eq=False)
class _Outside:
    """A request before a full mailbox, until it is let in."""

    waiting: Waiting
    let_in: anyio.Event = field(default_factory=anyio.Event)


class Mailbox:
    """Deliveries and results, until the actor takes all that waits.

    Each sender has room of its own, so that nobody is kept out by what another sends.
    """

    def __init__(
        self, owner: str, capacity: float = CAPACITY, backlog: Callable[[], tuple[MessageReceived, ...]] = tuple
    ) -> None:
        """Make the mailbox of `owner`; `backlog` gives what is recorded as waiting."""
        self._owner, self._capacity, self._backlog = owner, capacity, backlog
        self._results: deque[Command] = deque()
        self._waiting: dict[tuple[object, ...], Waiting] = {}
        self._outside: dict[str, deque[_Outside]] = {}
        self._inside = Counter[str]()
        self._recorded: tuple[tuple[MessageReceived, ...], Counter[str]] = (), Counter()

    def put(self, result: Command) -> None:
        """Add an answer or an own result; there can be no more of them than were opened."""
        self._results.append(result)

    def full(self, delivery: Delivery) -> bool:
        """Return whether there is no room for `delivery` now. Only requests need any."""
        if not isinstance(delivery, Receive) or _place(delivery) in self._waiting:
            return False
        backlog = self._backlog()
        if backlog is not self._recorded[0]:
            self._recorded = backlog, Counter(message.sender for message in backlog)
        return self._inside[delivery.sender] + self._recorded[1][delivery.sender] >= self._capacity

    async def add(self, delivery: Delivery, *, wait: float = WAIT, known: bool = False) -> Waiting:
        """Add a delivery, once there is room; one that is `known` needs none. The same delivery twice in here is one.

        One of somebody outside that says something else under a key of one in here has failed at once.

        Raises:
            MailboxFull: There was no room for `wait` seconds.
        """
        line = self._outside.get(delivery.sender)
        if known or not (self.full(delivery) or (line and isinstance(delivery, Receive))):
            return self._entered(Waiting(delivery))
        line = self._outside.setdefault(delivery.sender, deque())
        one = _Outside(Waiting(delivery))
        line.append(one)
        try:
            with anyio.move_on_after(wait):
                await one.let_in.wait()
        finally:
            if not one.let_in.is_set():
                line.remove(one)
        if not one.let_in.is_set():
            raise MailboxFull(self._owner, delivery.sender, int(self._capacity))
        return one.waiting

    def _entered(self, waiting: Waiting) -> Waiting:
        delivery = waiting.delivery
        known = self._waiting.setdefault(_place(delivery), waiting)
        if known is not waiting and _asked(known.delivery) != _asked(delivery):
            waiting.end(KeyReused(self._owner, delivery.id))
            return waiting
        if known is waiting and isinstance(delivery, Receive):
            self._inside[delivery.sender] += 1
        return known

    def _let_in(self) -> None:
        for sender, line in list(self._outside.items()):
            while line and not self.full(line[0].waiting.delivery):
                one = line.popleft()
                one.waiting = self._entered(one.waiting)
                one.let_in.set()
            if not line:
                del self._outside[sender]

    def take(self) -> tuple[list[Command], list[Waiting]]:
        """Take out all that waits: results, and deliveries in the order they came, cancels last.

        What was taken before is recorded by now, or will not be.
        """
        self._inside = Counter(one.delivery.sender for one in self._waiting.values() if _is_request(one))
        self._let_in()
        results, waiting = list(self._results), list(self._waiting.values())
        self._results.clear()
        self._waiting.clear()
        return results, sorted(waiting, key=lambda one: isinstance(one.delivery, Cancel))

    def close(self) -> list[Waiting]:
        """Let all in, and take out the deliveries: nobody will work on them here."""
        self._capacity = float("inf")
        return self.take()[1]


def _place(delivery: Delivery) -> tuple[object, ...]:
    """Return what two deliveries share that are one; who is started twice with other specs is changed, in order."""
    spec = delivery.started.model_dump_json() if isinstance(delivery, Start) else ""
    return type(delivery), delivery.id, spec


def _asked(delivery: Delivery) -> tuple[object, ...]:
    """Return what somebody outside wants under a key; nothing of what an actor sends, which is the same each time."""
    match delivery:
        case Receive(sender=sender) as said if sender == PEOPLE:
            return said.kind, said.parts, said.params, said.conversation, said.edit, said.arguments, said.by
        case Configure(fields=fields, by=by):
            return fields, by
        case _:
            return ()


def _is_request(waiting: Waiting) -> bool:
    return isinstance(waiting.delivery, Receive)


def end_all(waiting: Iterable[Waiting], failure: Exception | None = None) -> None:
    """End every one of `waiting` in the same way; those that ended before stay as they are."""
    for one in waiting:
        one.end(failure)
