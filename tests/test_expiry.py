"""A message expires while it waits: nobody works on it, whoever asked is told, and it is a dead letter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from callboard import Agent, Answer, MemoryStore, RequestFailed, System
from callboard.actors import letters, rules
from callboard.actors.commands import MessageDue, Receive, TakeAnswer
from callboard.actors.courier import Courier
from callboard.actors.inbox import Requeue
from callboard.actors.ref import checked_expiry
from callboard.actors.timers import overdue
from callboard.events import Text, TextRefused
from callboard.events.catalog import (
    MessageExpired,
    MessageReceived,
    MessageSent,
    Part,
    SendFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.projections import Desk, fold, pending
from callboard.projections import desk as desks

from .gated import START, Gated, Hands, seen, types
from .teams import log_of

PARTS = (Part("user", Text("hi")),)
ASKED = MessageReceived(id="k/a", sender="user", parts=PARTS, expires=START)


def desk(*events: MessageReceived) -> Desk:
    state = Desk()
    for event in events:
        state = desks.evolve(state, event)
    return state


# -- rules as data ------------------------------------------------------------------------------------


def test_what_waits_is_closed_when_it_is_due_and_its_asker_is_told() -> None:
    [expired] = rules.take(desk(ASKED), MessageDue("k/a"))
    assert isinstance(expired, MessageExpired) and (expired.to, expired.begun) == ("user", False)
    assert expired.text == "a did not begin with it before it expired"
    assert desks.evolve(desk(ASKED), expired) == Desk()


def test_a_tell_that_expires_answers_nobody() -> None:
    [expired] = rules.take(desk(ASKED.model_copy(update={"kind": "tell"})), MessageDue("k/a"))
    assert isinstance(expired, MessageExpired) and not expired.to


def test_what_is_worked_on_or_has_ended_is_not_touched() -> None:
    working = replace(Desk(), turn=ASKED)
    assert rules.take(working, MessageDue("k/a")) == rules.take(Desk(), MessageDue("k/a")) == []


def test_only_what_has_a_time_that_is_up_is_overdue() -> None:
    early = Receive("k/b", "user", "ask", PARTS, expires=START - timedelta(seconds=1))
    late, never = replace(early, id="k/c", expires=START + timedelta(microseconds=1)), replace(early, expires=None)
    assert overdue([ASKED, early, late, never], START) == [MessageDue("k/a"), MessageDue("k/b")]


@pytest.mark.parametrize("expires", [0, -1, float("nan"), float("inf"), True, "soon", datetime(2026, 1, 1), 1e300])
def test_an_expiry_that_is_none_is_refused(expires: object) -> None:
    with pytest.raises(TextRefused, match="seconds above zero, or a datetime with a time zone"):
        checked_expiry(expires, START)


def test_an_expiry_is_recorded_in_utc_from_seconds_or_a_time() -> None:
    assert checked_expiry(1.5, START) == START + timedelta(seconds=1.5)
    assert checked_expiry(START.astimezone(), START) == START and checked_expiry(None, START) is None


def test_pending_knows_when_a_message_is_due_until_it_is_worked_on() -> None:

    waits = fold(pending, log_of(("agent-a", ASKED)))
    begun = fold(pending, log_of(("agent-a", ASKED), ("agent-a", TurnStarted(id="k/a"))))
    assert [item.due for item in (*waits.items.values(), *begun.items.values())] == [START, None]


# -- whole systems ------------------------------------------------------------------------------------


async def test_a_message_that_waits_too_long_fails_and_the_one_worked_on_does_not() -> None:
    model, hands, store = Gated("a"), Hands(), MemoryStore()
    failed: list[RequestFailed] = []

    async def brief() -> None:
        try:
            await system["a"].ask("quick", key="k2", expires=60)
        except RequestFailed as error:
            failed.append(error)

    with anyio.fail_after(10):
        async with System.open(store, model=model, outside=hands.outside) as system:
            await system.start(Agent("a"))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: system["a"].tell("go", key="k1", expires=60))
                await model.begun.wait()
                tasks.start_soon(brief)
                await seen(store, "MessageReceived", 2)
                hands.move(60)
                await seen(store, "MessageExpired")
                model.gate.set()
    assert failed[0].text == "a did not begin with it before it expired"
    assert isinstance(failed[0].answer, Answer) and failed[0].answer.stop_reason == "expired"
    assert await types(store, "k1/a") == ["MessageReceived", "TurnStarted", "TurnFinished"]
    assert await types(store, "k2/a") == ["MessageReceived", "MessageExpired"] and model.heard("a") == [
        "user (no reply is awaited): go"
    ]


async def test_what_is_overdue_when_the_log_is_opened_expires_once_and_before_it_begins() -> None:
    model, hands, store = Gated("a"), Hands(), MemoryStore()
    async with System.open(store, model=model, outside=hands.outside, grace=0) as system:
        await system.start(Agent("a"))
        await system["a"].tell("go", key="k1")
        await system["a"].tell("quick", key="k2", expires=60)
        await system["a"].tell("slow", key="k3", expires=600)
    hands.move(60)
    model.gate.set()
    for _ in range(2):
        async with System.open(store, model=model, outside=hands.outside) as system:
            await system.quiet()
    assert await types(store, "k2/a") == ["MessageReceived", "MessageExpired"]
    assert await types(store, "k3/a") == ["MessageReceived", "TurnStarted", "TurnFinished"]


async def test_what_was_armed_before_a_restart_expires_after_it() -> None:
    model, hands, store = Gated("a"), Hands(), MemoryStore()
    async with System.open(store, model=model, outside=hands.outside, grace=0) as system:
        await system.start(Agent("a"))
        await system["a"].tell("go", key="k1")
        await system["a"].tell("quick", key="k2", expires=60)
    with anyio.fail_after(10):
        async with System.open(store, model=model, outside=hands.outside, grace=0):
            await seen(store, "ModelCallStarted", 2)  # the turn was taken up, and nothing but the time wakes the agent
            hands.move(60)
            await seen(store, "MessageExpired")
    assert await types(store, "k2/a") == ["MessageReceived", "MessageExpired"]


async def test_a_message_that_arrives_too_late_is_recorded_and_not_worked_on() -> None:
    store = MemoryStore()
    async with System.open(store, model=Gated()) as system:
        a = await system.start(Agent("a"))
        for _ in range(2):  # the same again is answered from the log
            with pytest.raises(RequestFailed, match="before it expired"):
                await a.ask("late", key="k1", expires=datetime(2020, 1, 1, tzinfo=UTC))
    assert await types(store, "k1/a") == ["MessageReceived", "MessageExpired"]


async def test_waiting_for_an_expiry_holds_nobody_up_who_leaves() -> None:
    hands, store, model = Hands(), MemoryStore(), Gated()
    with anyio.fail_after(5):
        async with System.open(store, model=model, outside=hands.outside) as system:
            await (await system.start(Agent("a"))).ask("go", expires=3_600)


async def test_an_expired_message_is_a_dead_letter_and_can_be_put_back() -> None:
    store = MemoryStore()
    async with System.open(store, model=Gated()) as system:
        a = await system.start(Agent("a"))
        await a.tell("late", key="k1", conversation="x", expires=datetime(2020, 1, 1, tzinfo=UTC))
        await seen(store, "MessageExpired")
        [letter] = await letters.dead_letters(store)
        assert letter.how == "expired"
        await system.deliver(*await letters.delivery_of(store, Requeue(key="again", letter="k1/a")))
        await system.quiet()
    again = await store.find("agent-a", "again/a")
    assert again is not None and isinstance(again.data, MessageReceived)
    assert (again.data.conversation, again.data.expires) == ("x", None)
    assert await types(store, "again/a") == ["MessageReceived", "TurnStarted", "TurnFinished"]


async def test_a_send_carries_its_expiry_and_is_told_that_it_did_not_arrive_in_time() -> None:
    model, store = Gated(), MemoryStore()
    sent = MessageSent(id="k/b/1/1.1.1/a", recipient="agent-a", kind="ask", parts=PARTS, expires=START)
    async with System.open(store, model=model) as system:
        for name in "ab":
            await system.start(Agent(name))
        Courier(system.actor("agent-b"), "agent-a").post(sent, None)
        await seen(store, "MessageExpired")
        await system.quiet()
    received = await store.find("agent-a", sent.id)
    assert received is not None and isinstance(received.data, MessageReceived) and received.data.expires == START
    assert not model.requests


def test_an_asker_that_is_an_agent_learns_that_its_message_was_not_heard() -> None:
    sent = MessageSent(id="k/b/1/1.1.1/a", recipient="agent-a", kind="ask", parts=PARTS)
    [failed] = rules.take(desks.evolve(Desk(), sent), TakeAnswer(sent.id, "too late", ok=False, accepted=False))
    assert isinstance(failed, SendFailed) and not failed.accepted


def test_the_answer_to_a_message_in_time_is_no_expiry() -> None:
    assert TurnFinished(id="k/a").ok and not MessageExpired(id="k/a").ok
