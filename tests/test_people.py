"""Calls that wait for a person: in a system, over restarts, with decisions that do not count, and a crash anywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest

from callboard import Agent, Group, MemoryStore, ModelReply, ModelRequest, RoundRobin, System, Tool
from callboard.actors.commands import TakeDecision
from callboard.actors.messaging import TELL
from callboard.actors.people import Awaited
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import (
    AlreadyDecided,
    ApprovalMismatch,
    CallboardError,
    EventStore,
    KeyReused,
    NotWaiting,
    SpecError,
    TextRefused,
)
from callboard.events.codec import MAX_TEXT

from .crash import points
from .people_scenarios import GIVEN_UP, PEOPLE
from .scripted import Scenario

CALL = "k/a/1/1"


ran: list[str] = []


def pay(amount: int = 1) -> str:
    """Pay."""
    ran.append(f"pay {amount}")
    return f"paid {amount}"


def look() -> str:
    """Look."""
    ran.append("look")
    return "seen"


def much(amount: int) -> bool:
    """Return whether a person is asked."""
    if amount < 0:
        raise ValueError("less than nothing")
    return amount > 100


class Caller:
    """An agent's model that wants the same tools once a turn, then says what came of them."""

    def __init__(self, *uses: tuple[str, dict[str, object]]) -> None:
        self.reply = calls(*uses)

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        """Reply."""
        results = [words_in(message) for message in request.messages if message["role"] == "tool"]
        return ModelReply(" | ".join(sorted(results))) if results else self.reply


def agent(asks: bool | Callable[..., bool] = True) -> Agent:
    return Agent("a", tools=[Tool(pay, needs_approval=asks), look, "ask_human"])


async def parked(
    log: EventStore, *uses: tuple[str, dict[str, object]], asks: bool | Callable[..., bool] = True
) -> None:
    """Leave a log in which a turn waits for a person."""
    async with System.open(log, model=Caller(*uses)) as system:
        await (await system.start(agent(asks))).tell("go", key="k")


@pytest.fixture(autouse=True)
def fresh() -> None:
    ran.clear()


async def answer_of(system: System) -> str:
    with anyio.fail_after(10):
        await system.quiet()
        reply = await system.store.find("agent-a", "re:k/a")
    assert reply is not None
    return str(reply.data.text)  # type: ignore[attr-defined]


async def test_other_tools_run_and_the_turn_outlives_a_restart_without_a_task_or_an_attempt() -> None:
    store = MemoryStore()
    await parked(store, ("pay", {}), ("look", {}))
    assert ran == ["look"]
    async with System.open(store, model=Caller(("pay", {}))) as system:
        await system.start(agent())
        with anyio.fail_after(5):
            await system.quiet()
        [one] = await system.waiting()
        assert (one.call, one.kind, one.tool, one.arguments) == (CALL, "approval", "pay", "{}")
        await system.approve(one)
        assert await answer_of(system) == "paid 1 | seen"
    types = [event.type async for event in store.read_all()]
    assert ran == ["look", "pay 1"] and "TurnResumed" not in types


async def test_a_waiting_agent_blocks_no_other() -> None:
    store = MemoryStore()
    await parked(store, ("pay", {}))
    async with System.open(store, model=ScriptedModel({"b": ["here"]})) as system:
        b = await system.start(Agent("b"))
        with anyio.fail_after(5):
            assert (await b.ask("there?")).text == "here"


async def test_two_wait_at_once_and_each_is_decided_by_itself() -> None:
    store = MemoryStore()
    await parked(store, ("pay", {"amount": 1}), ("pay", {"amount": 2}))
    async with System.open(store, model=Caller()) as system:
        await system.start(agent())
        first, second = await system.waiting()
        await system.deny(second, "not twice", by="anna")
        assert [one.call for one in await system.waiting()] == [first.call]
        await system.approve(first)
        assert await answer_of(system) == "paid 1 | refused by anna: not twice"
    assert ran == ["pay 1"]


@pytest.mark.parametrize(
    ("amount", "note"), [(5, None), (500, ""), (-1, "ValueError: less than nothing")], ids=["little", "much", "raises"]
)
async def test_a_function_of_the_arguments_says_whether_a_person_is_asked(amount: int, note: str | None) -> None:
    store = MemoryStore()
    await parked(store, ("pay", {"amount": amount}), asks=much)
    async with System.open(store, model=Caller()) as system:
        assert [one.note for one in await system.waiting()] == ([] if note is None else [note])
    assert ran == ([f"pay {amount}"] if note is None else [])


def maybe(amount: int) -> bool:
    """Return what is neither yes nor no."""
    return "no"  # type: ignore[return-value]


async def test_what_is_neither_yes_nor_no_asks_a_person() -> None:
    store = MemoryStore()
    await parked(store, ("pay", {}), asks=maybe)
    async with System.open(store, model=Caller()) as system:
        [one] = await system.waiting()
    assert "True or False is wanted" in one.note and ran == []


async def test_nobody_is_asked_about_arguments_that_do_not_fit() -> None:
    store = MemoryStore()
    await parked(store, ("pay", {"amount": "many"}))
    async with System.open(store, model=Caller()) as system:
        assert await system.waiting() == [] and "bad arguments: amount" in await answer_of(system)


unnamed: Callable[[int], bool] = lambda amount: True  # noqa: E731 - what is refused


@pytest.mark.parametrize("asks", [unnamed, "yes", look])
def test_what_cannot_say_whether_a_person_is_asked_is_refused(asks: object) -> None:
    with pytest.raises(SpecError, match="needs_approval of tool 'pay'"):
        Tool(pay, needs_approval=asks).spec()  # type: ignore[arg-type]


# -- decisions that do not count --------------------------------------------------------------------


Decision = Callable[[System, Awaited], Awaitable[None]]


async def test_a_decision_given_twice_counts_once_and_another_is_told_what_was_decided() -> None:
    store = MemoryStore()
    await parked(store, ("pay", {}))
    async with System.open(store, model=Caller()) as system:
        await system.start(agent())
        [one] = await system.waiting()
        for _ in range(2):
            await system.approve(one, key="first", by="anna")
        with pytest.raises(AlreadyDecided, match="approved by anna under the key 'first'"):
            await system.deny(one, "no", key="second")
        with pytest.raises(KeyReused):
            await system.deny(one, "no", key="first", by="anna")
        await answer_of(system)
    types = [event.type async for event in store.read_all()]
    assert ran == ["pay 1"] and types.count("ApprovalGiven") == 1 and "ApprovalRefused" not in types


async def test_of_two_decisions_at_the_same_time_one_counts_and_the_other_is_told() -> None:
    store, failures = MemoryStore(), list[CallboardError]()
    await parked(store, ("pay", {}))
    async with System.open(store, model=Caller()) as system, anyio.create_task_group() as tasks:
        await system.start(agent())
        [one] = await system.waiting()

        async def approve(key: str) -> None:
            try:
                await system.approve(one, key=key)
            except AlreadyDecided as error:
                failures.append(error)

        for key in ("x", "y", "z"):
            tasks.start_soon(approve, key)
    assert len(failures) == 2 and ran == ["pay 1"]


async def test_one_key_for_two_calls_at_the_same_time_counts_for_one_of_them() -> None:
    store, failures = MemoryStore(), list[KeyReused]()
    await parked(store, ("pay", {"amount": 1}), ("pay", {"amount": 2}))
    async with System.open(store, model=Caller()) as system, anyio.create_task_group() as tasks:
        await system.start(agent())

        async def approve(one: Awaited) -> None:
            try:
                await system.approve(one, key="x")
            except KeyReused as error:
                failures.append(error)

        for one in await system.waiting():
            tasks.start_soon(approve, one)
    assert len(failures) == 1 and len(ran) == 1


async def test_a_key_that_was_recorded_is_not_taken_in_for_another_call() -> None:
    store = MemoryStore()
    await parked(store, ("pay", {"amount": 1}), ("pay", {"amount": 2}))
    async with System.open(store, model=Caller()) as system:
        await system.start(agent())
        for one in await system.waiting():
            await system.deliver("agent-a", TakeDecision(one.call, "user", "approved", "", "user", "x", one.digest))
        await system.quiet()
        assert len(await system.waiting()) == 1 and len(ran) == 1


async def test_the_longest_reason_there_can_be_is_cut_and_not_rejected() -> None:
    store = MemoryStore()
    await parked(store, ("pay", {}))
    async with System.open(store, model=Caller()) as system:
        await system.start(agent())
        await system.deny(CALL, "x" * MAX_TEXT)
        assert "[cut: " in await answer_of(system)


BAD: tuple[tuple[Decision, type[CallboardError], str], ...] = (
    (lambda s, one: s.approve(replace(one, arguments='{"amount": 9}')), ApprovalMismatch, "look at the arguments"),
    (lambda s, one: s.deny(replace(one, tool="look"), "no"), ApprovalMismatch, "look at the arguments"),
    (lambda s, one: s.approve(replace(one, attempt=2)), ApprovalMismatch, "look at the arguments"),
    (lambda s, one: s.approve("k/a/9/9"), NotWaiting, "is no call of this log"),
    (lambda s, one: s.approve("k/nobody/1/1"), NotWaiting, "is no call of this log"),
    (lambda s, one: s.approve("nonsense"), NotWaiting, "is no call of this log"),
    (lambda s, one: s.answer(one, "this"), NotWaiting, "waits for an approval"),
    (lambda s, one: s.approve("k/a/1/2"), NotWaiting, "waits for an answer"),
    (lambda s, one: s.answer("k/a/1/2", "neither"), TextRefused, "there are 'this', 'that'"),
    (lambda s, one: s.answer("k/a/1/2", " "), TextRefused, "is empty"),
    (lambda s, one: s.deny(one, ""), TextRefused, "is empty"),
    (lambda s, one: s.approve(one, by="policy"), TextRefused, "who decides"),
    (lambda s, one: s.approve(one, key="a/b"), TextRefused, "cannot be a key"),
    (lambda s, one: s.cancel("other"), NotWaiting, "no request of which anything is open"),
)


@pytest.mark.parametrize(("decide", "error", "match"), BAD)
async def test_bad_input_changes_nothing(decide: Decision, error: type[CallboardError], match: str) -> None:
    store = MemoryStore()
    await parked(store, ("pay", {}), ("ask_human", {"question": "which?", "options": ["this", "that"]}))
    async with System.open(store, model=Caller()) as system:
        await system.start(agent())
        one, before = next(one for one in await system.waiting() if one.call == CALL), store.position
        with pytest.raises(error, match=match):
            await decide(system, one)
        assert store.position == before and len(await system.waiting()) == 2


async def test_a_question_shows_its_options_and_the_answer_is_the_result() -> None:
    store = MemoryStore()
    await parked(store, ("ask_human", {"question": "which?", "options": ["this", "that"]}))
    async with System.open(store, model=Caller()) as system:
        await system.start(agent())
        [one] = await system.waiting()
        assert (one.kind, one.question, one.options) == ("question", "which?", ("this", "that"))
        await system.answer(one, "that")
        assert await answer_of(system) == "that"


async def test_a_question_with_an_option_that_nobody_can_give_is_asked_of_nobody() -> None:
    model = Caller(("ask_human", {"question": "which?", "options": ["this", " "]}))
    async with System.open(MemoryStore(), model=model) as system:
        await system.start(agent())
        with anyio.fail_after(10):
            assert "one of the options is blank" in (await system["a"].ask("go")).text


async def test_a_call_in_doubt_that_asks_a_person_is_listed_too() -> None:
    store, scope = MemoryStore(), anyio.CancelScope()

    async def pay() -> str:
        """Pay, while the process ends."""
        scope.cancel()
        await anyio.sleep_forever()
        return "paid"

    clerk = Agent("a", tools=[Tool(pay, in_doubt="ask"), Tool(look, in_doubt="ask")])
    with scope:
        async with System.open(store, model=Caller(("pay", {}))) as system:
            await (await system.start(clerk)).ask("go", key="k")
    async with System.open(store, model=Caller()) as system:
        await system.start(clerk)
        await system.quiet()
        [one] = await system.waiting()
        assert (one.call, one.kind, one.attempt) == (CALL, "doubt", 2)
        with pytest.raises(NotWaiting, match="say what came of it"):
            await system.approve(one)


# -- the end of a request ---------------------------------------------------------------------------


async def test_a_cancelled_turn_waits_for_nobody() -> None:
    async with System.open(MemoryStore(), model=Caller(("pay", {}), ("ask_human", {"question": "?"}))) as system:
        ref = await system.start(agent())
        await ref.tell("go", key="k")
        await system.quiet()
        assert len(await system.waiting()) == 2
        await ref.cancel("k")
        await system.quiet()
        assert await system.waiting() == [] and (await system.pending()).items == {}
    assert ran == []


async def test_a_cancel_ends_all_that_a_request_caused_elsewhere() -> None:
    model = ScriptedModel(
        {
            "m": [calls((TELL, {"message": "note", "other_agent": "a"})), calls(("ask_human", {"question": "?"}))],
            "a": [calls(("pay", {}))],
            "b": ["mine"],
        }
    )
    store = MemoryStore()
    async with System.open(store, model=model) as system:
        await system.start(agent())
        team = await system.start(Group("team", [Agent("m", tools=[TELL, "ask_human"])], RoundRobin(1)))
        await team.tell("go", key="k")
        await system.quiet()
        assert {one.agent for one in await system.waiting()} == {"m", "a"}
        await system.cancel("k")
        await system.quiet()
        assert (await system.pending()).items == {}
        assert (await (await system.start(Agent("b"))).ask("go", key="l")).text == "mine"


# -- a crash anywhere -------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", [*PEOPLE, GIVEN_UP], ids=lambda scenario: scenario.name)
async def test_a_crash_anywhere_loses_no_decision_and_begins_nothing_without_one(scenario: Scenario, big: bool) -> None:
    for seed in (0, 1, 2) if big else (1,):
        counts, found = await points(scenario, seed, twice=60 if big else 5, every=1 if big else 7)
        assert not found, found[0][:3000]
        assert counts["runs"] > 5 and counts["death 1 after append"] > 0
