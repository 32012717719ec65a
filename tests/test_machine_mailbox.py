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


class Mail(Stage):
    """A mailbox with room for two."""

    waited: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.mailbox = Mailbox("agent-x", CAPACITY)
        self.inside: list[tuple[type[Delivery], str]] = []
        self.given: dict[tuple[type[Delivery], str], Waiting] = {}
        self.results: list[Resume] = []
        self.patient, self.came = 0, list[Waiting]()
        self.numbers, self.tasks = count(), list[Task[None]]()

    def full(self, delivery: Delivery) -> bool:
        return (type(delivery), delivery.id) not in self.inside and len(self.inside) >= CAPACITY

    @rule(id=IDS, kind=st.sampled_from([Receive, Cancel]))
    def add(self, id: str, kind: type[Delivery]) -> None:
        delivery = Receive(id, "user", "ask") if kind is Receive else Cancel(id, "user")
        if self.full(delivery):
            with pytest.raises(MailboxFull):
                self.wait(self.mailbox.add(delivery, wait=0))
            return
        waiting = self.wait(self.mailbox.add(delivery, wait=0))
        key = type(delivery), id
        if key in self.inside:
            assert waiting is self.given[key]  # twice in here is one
        else:
            self.inside.append(key)
            self.given[key] = waiting

    @precondition(lambda self: len(self.inside) == CAPACITY)
    @rule(id=IDS)
    def add_patiently(self, id: str) -> None:
        delivery = Receive(f"{id}{next(self.numbers)}", "user", "ask")

        async def wait() -> None:
            self.came.append(await self.mailbox.add(delivery, wait=1e6))

        if self.full(delivery):
            self.patient += 1
            self.tasks.append(self.loop.create_task(wait()))
            self.wait(anyio.lowlevel.checkpoint())

    @rule()
    def put(self) -> None:
        self.results.append(Resume())
        self.mailbox.put(self.results[-1])

    @rule()
    def take(self) -> None:
        results, waiting = self.mailbox.take()
        assert [id(one) for one in results] == [id(one) for one in self.results]
        keys = [(type(one.delivery), one.delivery.id) for one in waiting]
        assert keys == sorted(self.inside, key=lambda key: key[0] is Cancel)
        assert all(self.given[key] is one for key, one in zip(keys, waiting, strict=True))
        self.results, self.inside = [], []
        self.wait(self._let_in())

    async def _let_in(self) -> None:
        for _ in range(60):
            await anyio.lowlevel.checkpoint()
        type(self).waited += self.patient
        assert len(self.came) == min(CAPACITY, self.patient)
        for waiting in self.came:
            self.inside.append((Receive, waiting.delivery.id))
            self.given[self.inside[-1]] = waiting
        self.patient -= len(self.came)
        self.came.clear()

    @invariant()
    def there_is_never_more_than_fits(self) -> None:
        assert len(self.inside) <= CAPACITY

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.wait(self._over())

    async def _over(self) -> None:
        await gather(*self.tasks, return_exceptions=True)


def test_a_mailbox_gives_out_what_came_once_and_in_order(big: bool) -> None:
    run(Mail, examples=3_000 if big else 150)
    assert Mail.waited > 10
