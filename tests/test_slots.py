"""Slots: how many ask a model at once, and who is next."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from callboard import ModelRequest
from callboard.actors.breaker import Breaker
from callboard.actors.providers import Hand, Providers
from callboard.actors.slots import Provider, Refused, Slot, Slots, Target
from callboard.actors.testing import ScriptedModel
from callboard.events import ModelError, SpecError

REQUEST = ModelRequest("k/a/1", 1, "a", "", [], [], "k")


class Desk:
    """Slots with a clock, and what became of those who waited."""

    def __init__(self, most: int, *, at_once: int | None = None, breaker: Breaker | None = None) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.slots = Slots(most, breaker, lambda: self.time)
        self.provider = Provider(ScriptedModel({}), at_once)
        self.target = Target(self.provider, "")
        self.served: list[str] = []
        self.refused: list[str] = []
        self.had: list[Slot] = []
        self.tasks: TaskGroup | None = None

    async def wait(self, agent: str, target: Target | None = None) -> anyio.CancelScope:
        """Let `agent` wait for a slot, beside others; return what ends that."""
        assert self.tasks is not None
        scope = anyio.CancelScope()
        self.tasks.start_soon(self._wait, agent, target or self.target, scope)
        await settled()
        return scope

    async def _wait(self, agent: str, target: Target, scope: anyio.CancelScope) -> None:
        with scope:
            found = await self.slots.wait(agent, target, "")
            if isinstance(found, Refused):
                self.refused.append(agent)
            else:
                self.served.append(agent)
                self.had.append(found)

    async def give_back(self, *, works: bool | None = None) -> None:
        """Give the oldest slot back."""
        found = "nothing" if works is None else "works" if works else "fails"
        self.had.pop(0).give_back(found, "server")
        await settled()


async def settled() -> None:
    for _ in range(5):
        await checkpoint()


@asynccontextmanager
async def opened(desk: Desk) -> AsyncGenerator[Desk]:
    async with anyio.create_task_group() as desk.tasks:
        yield desk
        desk.tasks.cancel_scope.cancel()


async def test_no_more_than_there_are_slots_ask_at_once() -> None:
    async with opened(Desk(2)) as desk:
        for agent in "abc":
            await desk.wait(agent)
        assert desk.served == ["a", "b"]
        await desk.give_back()
        assert desk.served == ["a", "b", "c"]


async def test_a_chatty_agent_has_one_turn_in_each_round() -> None:
    async with opened(Desk(1)) as desk:
        for agent in ["chatty"] * 4 + ["b", "c"]:
            await desk.wait(agent)
        for _ in range(5):
            await desk.give_back()
        assert desk.served == ["chatty", "chatty", "b", "c", "chatty", "chatty"]


async def test_who_waits_for_a_full_provider_holds_up_nobody_else() -> None:
    async with opened(Desk(3, at_once=1)) as desk:
        other = Target(Provider(ScriptedModel({})), "")
        await desk.wait("a")
        await desk.wait("b")
        await desk.wait("c", other)
        assert desk.served == ["a", "c"]
        assert desk.slots.at_once(desk.target, "") is None
        await desk.give_back()
        assert desk.served == ["a", "c", "b"]


async def test_two_models_of_one_provider_share_its_slots() -> None:
    async with opened(Desk(3, at_once=1)) as desk:
        await desk.wait("a")
        await desk.wait("b", Target(desk.provider, "small"))
        assert desk.served == ["a"]


async def test_who_is_cancelled_while_it_waits_has_no_place_any_more() -> None:
    async with opened(Desk(1)) as desk:
        await desk.wait("a")
        waiting = await desk.wait("b")
        await desk.wait("c")
        waiting.cancel()
        await settled()
        await desk.give_back()
        assert desk.served == ["a", "c"]


async def test_who_is_cancelled_as_its_turn_comes_gives_the_slot_back() -> None:
    async with opened(Desk(1)) as desk:
        await desk.wait("a")
        waiting = await desk.wait("b")
        await desk.wait("c")
        waiting.cancel()
        desk.had.pop().give_back()
        await settled()
        assert desk.served == ["a", "c"]


async def test_a_slot_that_is_given_back_twice_counts_once() -> None:
    async with opened(Desk(1)) as desk:
        await desk.wait("a")
        for agent in "bc":
            await desk.wait(agent)
        slot = desk.had[0]
        await desk.give_back()
        slot.give_back()
        await settled()
        assert desk.served == ["a", "b"]


async def broken() -> Desk:
    """Return slots whose model has just failed too often, with nobody who has one."""
    desk = Desk(5, breaker=Breaker(failures=1, pause=30))
    slot = desk.slots.at_once(desk.target, "")
    assert slot is not None
    slot.give_back("fails", "server")
    return desk


async def test_an_open_circuit_refuses_at_once() -> None:
    async with opened(await broken()) as desk:
        await desk.wait("a")
        assert (desk.served, desk.refused, desk.slots.at_once(desk.target, "")) == ([], ["a"], None)


async def test_after_the_pause_one_tries_and_the_others_wait_for_what_comes_of_it() -> None:
    async with opened(await broken()) as desk:
        desk.time += timedelta(seconds=30)
        for agent in "abc":
            await desk.wait(agent)
        assert (desk.served, desk.refused) == (["a"], [])
        await desk.give_back(works=True)
        assert desk.served == ["a", "b", "c"]


async def test_a_try_that_fails_refuses_who_waits() -> None:
    async with opened(await broken()) as desk:
        desk.time += timedelta(seconds=30)
        for agent in "abc":
            await desk.wait(agent)
        await desk.give_back(works=False)
        assert (desk.served, desk.refused) == (["a"], ["b", "c"])


async def test_a_try_without_an_end_passes_to_the_next() -> None:
    async with opened(await broken()) as desk:
        desk.time += timedelta(seconds=30)
        for agent in "abc":
            await desk.wait(agent)
        await desk.give_back()
        assert (desk.served, desk.refused) == (["a", "b"], [])


@pytest.mark.parametrize("said", ["yes", ModelError("no"), OSError("gone"), KeyboardInterrupt()])
async def test_an_attempt_gives_its_slot_back_whatever_ends_it(said: str | BaseException) -> None:
    def says(_: ModelRequest) -> str:
        if isinstance(said, BaseException):
            raise said
        return said

    desk = Desk(1)
    desk.provider.model = ScriptedModel({"a": [says]})
    slot = desk.slots.at_once(desk.target, "")
    assert slot is not None and desk.slots.at_once(desk.target, "") is None
    with suppress(ModelError, OSError, KeyboardInterrupt):
        await slot.complete(REQUEST, lambda _: None)
    assert desk.slots.at_once(desk.target, "") is not None


def providers(**at_once: int) -> Providers:
    """Return models by name, each with so many slots; `own` is that without a name."""
    models: dict[str, ScriptedModel] = {}
    for name, most in at_once.items():
        models[name] = ScriptedModel({})
        models[name].at_once = most  # type: ignore[attr-defined]
    own = models.pop("own")
    return Providers(own, models, 64, None, lambda: datetime(2026, 1, 1, tzinfo=UTC))


def test_a_name_that_no_model_has_is_the_system_s_own_model_s() -> None:
    known = providers(own=1, local=2)
    slots = [known.at_once(name) for name in ("", "gpt-5", "local", "local", "local")]
    assert [slot is not None for slot in slots] == [True, False, True, True, False]
    assert [slot.target.asked for slot in slots if slot and slot.target] == ["", "", ""]
    assert slots[0] is not None
    slots[0].give_back()
    named = known.at_once("gpt-5")
    assert named is not None and named.target is not None and named.target.asked == "gpt-5"


def test_a_model_by_its_own_name_and_without_one_has_one_circuit() -> None:
    model = ScriptedModel({})
    model.name = "big"  # type: ignore[attr-defined]
    known = Providers(model, {"large": model}, 64, None, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    slots = [known.at_once(name) for name in ("", "big", "large", "small")]
    targets = [slot.target for slot in slots if slot is not None]
    assert targets[0] is targets[1] is targets[2] is not targets[3]


def test_what_a_hand_has_is_given_back_once_it_is_not_wanted() -> None:
    known = providers(own=1)
    hand, other = Hand(known, "a"), Hand(known, "b")
    hand.reach("")
    other.reach("")
    assert (hand.name, other.name) == ("", None)
    hand.reach(None)
    assert hand.name == "", "a call that waits for its pause has its slot already"
    hand.keep(None)
    other.reach("")
    assert (hand.name, other.name) == (None, "")


async def test_of_two_who_wait_for_one_hand_the_second_finds_what_the_first_has() -> None:
    known = providers(own=1)
    hand, other = Hand(known, "a"), Hand(known, "b")
    other.reach("")
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(hand.wait, "")
            await settled()
            other.keep(None)
    assert hand.name == ""


def test_a_hand_that_is_dropped_gives_back_what_no_attempt_uses_and_takes_no_more() -> None:
    known = providers(own=2)
    hand = Hand(known, "a")
    hand.reach("")
    lent = hand.use()
    hand.reach("")
    hand.drop()
    hand.reach("")
    assert lent is not None and lent.target is None
    assert known.at_once("") is not None and known.at_once("") is not None


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_a_number_of_slots_that_cannot_be_is_refused(number: int) -> None:
    with pytest.raises(SpecError, match=f"at_once of the model is {number!r}; a whole number of at least 1 is wanted"):
        providers(own=number)
    with pytest.raises(SpecError, match=f"calls_at_once is {number!r}"):
        Providers(ScriptedModel({}), None, number, None, lambda: datetime.now(UTC))
