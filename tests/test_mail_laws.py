"""What a log of mail cannot say: verify and the audit name it, and let the rest pass."""

from __future__ import annotations

import anyio

from callboard.events import Event, MemoryStore, NewEvent, Text
from callboard.events.catalog import (
    AgentStarted,
    MessageDropped,
    MessageExpired,
    MessageReceived,
    Part,
    TurnStarted,
)
from callboard.events.specs import AgentSpec

from .gated import START
from .logs import audited, checked, rows_of


def received(id: str, sender: str = "user") -> MessageReceived:
    return MessageReceived(id=id, sender=sender, parts=(Part(sender, Text("hi")),), expires=START)


def found(*events: Event) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return what the audit and our own checks find, as (number of the event, check)."""

    async def rows() -> MemoryStore:
        store = MemoryStore()
        begin = NewEvent(AgentStarted(spec=AgentSpec(name="a")))
        await store.append("agent-a", [begin, *map(NewEvent, events)], expected_version=0)
        return store

    kept = rows_of(anyio.run(rows))
    ours = [(one.position - 2, one.check) for one in checked(kept).findings.kept]
    return [(item["position"] - 2, item["check"]) for item in audited(kept).findings], ours


def first() -> MessageReceived:
    return received("k1/a")


def second() -> MessageReceived:
    return received("k2/a")


def other() -> MessageReceived:
    return received("k3/a", "ben")


def test_another_sender_may_begin_first_and_what_waits_may_be_closed() -> None:
    dropped = MessageDropped(id="k2/a", to="user", by="anna", begun=False)
    assert found(first(), second(), other(), TurnStarted(id="k3/a"), dropped) == ([], [])
    assert found(first(), MessageExpired(id="k1/a", to="user", begun=False)) == ([], [])


def test_what_one_sender_sent_later_does_not_begin_first() -> None:
    assert found(first(), second(), TurnStarted(id="k2/a"))[0] == [(3, "order")]


def test_only_one_is_worked_on_at_a_time() -> None:
    assert found(first(), other(), TurnStarted(id="k1/a"), TurnStarted(id="k3/a"))[0] == [(4, "order")]


def test_what_is_worked_on_neither_expires_nor_is_dropped() -> None:
    for closing in (MessageExpired(id="k1/a", to="user"), MessageDropped(id="k1/a", to="user", by="anna")):
        assert found(first(), TurnStarted(id="k1/a"), closing) == ([(3, "order")], [(3, "pair")])


def test_what_expired_is_not_begun_with() -> None:
    expired = MessageExpired(id="k1/a", to="user")
    assert (3, "pair") in found(first(), expired, TurnStarted(id="k1/a"))[0]
    assert (3, "pair") in found(first(), expired, TurnStarted(id="k1/a"))[1]
