"""The mailbox against a model: whatever comes and is taken, each thing once, in order, and cancels last."""

from __future__ import annotations

from asyncio import Task, gather
from itertools import count
from typing import ClassVar

import anyio
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from callboard.actors.commands import Cancel, Delivery, Receive, Resume
from callboard.actors.mailbox import Mailbox, Waiting
from callboard.events import MailboxFull

from .machines import Stage, run

CAPACITY = 2
IDS = st.sampled_from("abcde")
SENDERS = st.sampled_from(["user", "agent-y"])


class Mail(Stage):
    """A mailbox with room for two requests of each sender."""

    waited: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.mailbox = Mailbox("agent-x", CAPACITY)
        self.inside: list[Delivery] = []
        self.taken: list[Delivery] = []
        self.given: dict[tuple[type[Delivery], str], Waiting] = {}
        self.results: list[Resume] = []
        self.patient: list[Delivery] = []
        self.came: list[Waiting] = []
        self.numbers, self.tasks = count(), list[Task[None]]()

    def known(self, delivery: Delivery) -> bool:
        return any((type(one), one.id) == (type(delivery), delivery.id) for one in self.inside)

    def full(self, delivery: Delivery) -> bool:
        if not isinstance(delivery, Receive):
            return False
        theirs = [one for one in (*self.inside, *self.taken) if isinstance(one, Receive)]
        waits = any(one.sender == delivery.sender for one in self.patient)
        held = sum(one.sender == delivery.sender for one in theirs) >= CAPACITY
        return waits or (held and not self.known(delivery))

    @rule(id=IDS, kind=st.sampled_from([Receive, Cancel]), sender=SENDERS)
    def add(self, id: str, kind: type[Delivery], sender: str) -> None:
        delivery = Receive(f"{id}/{sender}", sender, "ask") if kind is Receive else Cancel(id, sender)
        if self.full(delivery):
            with pytest.raises(MailboxFull, match=f"2 requests of {sender}"):
                self.wait(self.mailbox.add(delivery, wait=0))
            return
        waiting = self.wait(self.mailbox.add(delivery, wait=0))
        if self.known(delivery):
            assert waiting is self.given[type(delivery), delivery.id]  # twice in here is one
        else:
            self.inside.append(delivery)
            self.given[type(delivery), delivery.id] = waiting

    @precondition(lambda self: any(isinstance(one, Receive) for one in self.inside))
    @rule(sender=SENDERS)
    def add_what_is_recorded(self, sender: str) -> None:
        delivery = Receive(f"known{next(self.numbers)}", sender, "ask")
        self.given[Receive, delivery.id] = self.wait(self.mailbox.add(delivery, wait=0, known=True))
        self.inside.append(delivery)

    @rule(id=IDS, sender=SENDERS)
    def add_patiently(self, id: str, sender: str) -> None:
        delivery, begun = Receive(f"{id}{next(self.numbers)}", sender, "ask"), anyio.Event()

        async def wait() -> None:
            begun.set()
            self.came.append(await self.mailbox.add(delivery, wait=1e6))

        if self.full(delivery):
            self.patient.append(delivery)
            self.tasks.append(self.loop.create_task(wait()))
            self.wait(begun.wait())

    @rule()
    def put(self) -> None:
        self.results.append(Resume())
        self.mailbox.put(self.results[-1])

    @rule()
    def take(self) -> None:
        self.taken = []
        enter = list[Delivery]()
        for sender in dict.fromkeys(one.sender for one in self.patient):
            mine = [one for one in self.patient if one.sender == sender]
            held = sum(isinstance(one, Receive) and one.sender == sender for one in self.inside)
            enter += mine[: max(0, CAPACITY - held)]
        self.patient = [one for one in self.patient if one not in enter]
        type(self).waited += len(enter)
        results, waiting = self.mailbox.take()
        assert [id(one) for one in results] == [id(one) for one in self.results]
        expected = sorted([*self.inside, *enter], key=lambda one: isinstance(one, Cancel))
        assert [one.delivery for one in waiting] == expected
        self.wait(self._let_in(len(enter)))
        assert {one.delivery.id for one in self.came} == {one.id for one in enter}  # tasks go on in any order
        self.came.clear()
        self.results, self.taken, self.inside = [], [*self.inside, *enter], []

    async def _let_in(self, count: int) -> None:
        while len(self.came) < count:
            await anyio.lowlevel.checkpoint()

    @invariant()
    def nobody_waits_outside_while_there_is_room(self) -> None:
        for one in self.patient:
            theirs = [other for other in (*self.inside, *self.taken) if isinstance(other, Receive)]
            assert sum(other.sender == one.sender for other in theirs) >= CAPACITY

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.wait(self._over())

    async def _over(self) -> None:
        await gather(*self.tasks, return_exceptions=True)


def test_a_mailbox_gives_out_what_came_once_and_in_order(big: bool) -> None:
    run(Mail, examples=3_000 if big else 150)
    assert Mail.waited > 5
