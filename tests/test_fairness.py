"""A chatty sender keeps nobody else waiting: neither before the mailbox, nor for a turn."""

from __future__ import annotations

from collections import Counter, defaultdict

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard import Agent, MemoryStore, System
from callboard.actors.commands import Receive
from callboard.actors.mailbox import Mailbox
from callboard.events import MailboxFull, Text
from callboard.events.catalog import MessageDropped, MessageReceived, Part, TurnStarted
from callboard.projections import Desk
from callboard.projections.desk import evolve

from .gated import Gated, seen


def message(sender: str, n: int) -> MessageReceived:
    return MessageReceived(id=f"{sender}{n}/a", sender=sender, parts=(Part(sender, Text("hi")),))


def order(*steps: str) -> list[str]:
    """Return in which order messages begin; a step is a sender, or `!` for a turn that begins."""
    desk, begun, numbers = Desk(), list[str](), Counter[str]()
    for step in (*steps, *"!" * len(steps)):
        if step != "!":
            numbers[step] += 1
            desk = evolve(desk, message(step, numbers[step]))
        elif desk.backlog:
            begun.append(desk.backlog[0].id.split("/")[0])
            desk = evolve(desk, TurnStarted(id=desk.backlog[0].id))
    return begun


@pytest.mark.parametrize(
    ("steps", "begun"),
    [
        ("aaab", "a1 b1 a2 a3"),
        ("aaa!b", "a1 a2 b1 a3"),
        ("aaabb", "a1 b1 a2 b2 a3"),
        ("aaa!b!b!b", "a1 a2 b1 a3 b2 b3"),
        ("abcabc", "a1 b1 c1 a2 b2 c2"),
        ("aaabbc", "a1 b1 c1 a2 b2 a3"),
        ("acbbc!!a", "a1 c1 b1 c2 a2 b2"),
    ],
)
def test_senders_take_turns(steps: str, begun: str) -> None:
    assert order(*steps) == begun.split()


@settings(max_examples=200)
@given(st.lists(st.sampled_from("abcd!"), max_size=40))
def test_each_sender_keeps_its_order_and_is_passed_by_once_for_each_message_of_its_own(steps: list[str]) -> None:
    desk, sent, begun = Desk(), Counter[str](), Counter[str]()
    passed, ahead = defaultdict[str, Counter[str]](Counter), dict[str, int]()
    for step in (*steps, *"!" * len(steps)):
        if step != "!":
            sent[step] += 1
            new = message(step, sent[step])
            ahead[new.id] = sum(one.sender == step for one in desk.backlog)
            desk = evolve(desk, new)
        elif desk.backlog:
            first, *rest = desk.backlog
            begun[first.sender] += 1
            assert first.id == f"{first.sender}{begun[first.sender]}/a"  # in the order sent
            desk = evolve(desk, TurnStarted(id=first.id))
            for one in rest:
                passed[one.id][first.sender] += 1
    assert not desk.backlog and begun == sent
    for id, before in ahead.items():
        assert all(count <= before + 1 for sender, count in passed[id].items() if not id.startswith(sender))


@settings(max_examples=100)
@given(st.lists(st.sampled_from("abcd!x"), max_size=40))
def test_the_backlog_is_always_in_turns(steps: list[str]) -> None:
    desk, sent = Desk(), Counter[str]()
    for step in steps:
        if step == "x" and desk.backlog:
            desk = evolve(desk, MessageDropped(id=desk.backlog[len(desk.backlog) // 2].id, by="user"))
        elif step == "!" and desk.backlog:
            desk = evolve(desk, TurnStarted(id=desk.backlog[0].id))
        elif step not in "!x":
            sent[step] += 1
            desk = evolve(desk, message(step, sent[step]))
        rounds = Counter[str]()
        numbers = list[int]()
        for one in desk.backlog:
            numbers.append(rounds[one.sender])
            rounds[one.sender] += 1
        assert numbers == sorted(numbers)


def test_what_is_dropped_leaves_the_order_of_turns_as_it_is() -> None:
    desk = Desk()
    for sender, n in (("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2)):
        desk = evolve(desk, message(sender, n))
    desk = evolve(desk, MessageDropped(id="b1/a", by="user"))
    assert [one.id for one in desk.backlog] == ["a1/a", "b2/a", "a2/a", "a3/a"]


def test_an_older_log_in_which_the_oldest_began_first_is_read_as_it_is() -> None:
    desk = Desk()
    for sender, n in (("a", 1), ("a", 2), ("b", 1)):
        desk = evolve(desk, message(sender, n))
    for id, left in (("a1/a", ["b1/a", "a2/a"]), ("a2/a", ["b1/a"]), ("b1/a", [])):
        desk = evolve(desk, TurnStarted(id=id))
        assert (desk.turn and desk.turn.id, [one.id for one in desk.backlog]) == (id, left)


def test_an_only_message_waits_for_one_of_each_sender_however_much_they_send() -> None:
    desk = Desk()
    for sender in ("chatty", "wordy"):
        for n in range(300):
            desk = evolve(desk, message(sender, n))
    desk = evolve(desk, message("quiet", 1))
    assert [one.sender for one in desk.backlog[:3]] == ["chatty", "wordy", "quiet"]
    for n in range(300, 310):
        desk = evolve(desk, message("wordy", n))
    assert desk.backlog[2].sender == "quiet"


async def test_one_sender_with_a_full_mailbox_keeps_no_other_out() -> None:
    backlog = tuple(message("chatty", n) for n in range(999))
    box = Mailbox("agent-a", backlog=lambda: backlog)
    await box.add(Receive("c1/a", "chatty", "tell"))
    with pytest.raises(MailboxFull, match="the mailbox of agent-a holds 1,000 requests of chatty"):
        await box.add(Receive("c2/a", "chatty", "tell"), wait=0)
    await box.add(Receive("q1/a", "quiet", "tell"), wait=0)
    assert [one.delivery.sender for one in box.take()[1]] == ["chatty", "quiet"]


async def test_those_before_a_full_mailbox_are_let_in_in_their_order_when_there_is_room() -> None:
    backlog, came = [tuple(message("chatty", n) for n in range(2))], list[str]()
    box = Mailbox("agent-a", 2, lambda: backlog[0])

    async def add(id: str) -> None:
        await box.add(Receive(id, "chatty", "tell"))
        came.append(id)

    async with anyio.create_task_group() as tasks:
        for id in ("c1/a", "c2/a", "c3/a"):
            tasks.start_soon(add, id)
        await anyio.wait_all_tasks_blocked()
        assert not box.take()[1] and not came
        backlog[0] = ()
        assert [one.delivery.id for one in box.take()[1]] == ["c1/a", "c2/a"]
        assert [one.delivery.id for one in box.take()[1]] == ["c3/a"]  # those two are recorded by now
        await anyio.wait_all_tasks_blocked()
    assert came == ["c1/a", "c2/a", "c3/a"]


async def test_a_chatty_sender_does_not_keep_another_from_its_turn() -> None:
    model, store = Gated("a"), MemoryStore()
    with anyio.fail_after(20):
        async with System.open(store, model=model) as system:
            a = await system.start(Agent("a"))
            await a.tell("first", key="u0")
            await model.begun.wait()
            for n in range(1, 31):
                await a.tell(f"chat {n}", key=f"u{n}")
            parts = (Part("group-g", Text("one word?")),)
            await system.deliver("agent-a", Receive("g1/g/1/a", "group-g", "tell", parts))
            model.gate.set()
    said = [line.rsplit(": ", 1)[-1] for line in model.heard("a")]
    assert said[:4] == ["first", "chat 1", "one word?", "chat 2"] and said[-1] == "chat 30"


async def test_a_full_mailbox_makes_its_sender_wait_then_fails_and_records_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, store = Gated("a"), MemoryStore()
    real = Mailbox.add

    async def impatient(box: Mailbox, delivery: Receive, *, wait: float = 0.01, known: bool = False) -> object:
        return await real(box, delivery, wait=wait, known=known)

    async with System.open(store, model=model) as system:
        a = await system.start(Agent("a"))
        system.actor("agent-a")._mailbox._capacity = 2  # type: ignore[reportPrivateUsage]
        await a.tell("first", key="u0")
        await model.begun.wait()
        await a.tell("one", key="u1")
        await a.tell("two", key="u2")
        monkeypatch.setattr(Mailbox, "add", impatient)
        with pytest.raises(MailboxFull, match="holds 2 requests of user"):
            await a.tell("three", key="u3")
        await a.tell("two", key="u2")  # it is recorded: to say it again needs no room
        await a.cancel("u1")  # nor does a cancel
        await a.tell("three", key="u3")
        model.gate.set()
    await seen(store, "TurnFinished", 3)
    assert await store.find("agent-a", "u3/a") is not None
    assert [line.rsplit(": ", 1)[-1] for line in model.heard("a")] == ["first", "two", "three"]
