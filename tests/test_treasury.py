"""A budget: what model calls may ever cost in one log, whoever asks."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest

from callboard import (
    Agent,
    Answer,
    Group,
    Limits,
    MemoryStore,
    ModelReply,
    ModelRequest,
    Parallel,
    Price,
    RequestFailed,
    System,
)
from callboard.events import SpecError
from callboard.events.catalog import LimitReached, ModelCallStarted

from .limited import USED, Scripted, brief, busy, look

pytestmark = pytest.mark.anyio

PRICES = {"m": Price(1, 2)}


async def test_all_requests_together_make_no_more_calls_than_the_budget_has() -> None:
    model = Scripted(busy)
    system = System.open(MemoryStore(), model=model, budget=Limits(model_calls=3))
    with anyio.fail_after(10):  # what is held for good would be waited for
        first, second = await spent(system)
    assert len(model.asked) == 3
    assert (first.text, second.text, second.limit) == (
        "step 2",
        "step 1",
        "limit of budget: 3 model calls allowed, 3 made",
    )


async def spent(opened: AbstractAsyncContextManager[System]) -> tuple[Answer, Answer]:
    """Return two answers that use up the budget."""
    async with opened as system:
        a, b = await system.start(Agent("a", tools=[look])), await system.start(Agent("b", tools=[look]))
        first = await a.ask("go", limits=Limits(model_calls=2))
        second = await b.ask("go")
        with pytest.raises(RequestFailed, match="limit of budget: 3 model calls allowed, 3 made"):
            await a.ask("again")
    return first, second


@pytest.mark.parametrize("budget", [Limits(tokens=4_000), Limits(usd="0.004")])
async def test_siblings_never_spend_more_together_than_the_budget_has(budget: Limits) -> None:
    model, log = Scripted(busy), MemoryStore()
    group = Group("team", [Agent(f"w{n}", tools=[look]) for n in range(6)], Parallel(max_concurrency=6))
    async with System.open(log, model=model, prices=PRICES, budget=budget) as system:
        await (await system.start(group)).ask("go")
        spent = (await system.pending()).spent
    assert len(model.asked) > 6 and spent.tokens == 150 * len(model.asked)
    most = budget.tokens if budget.tokens is not None else 4_000
    assert spent.tokens <= most
    reached = [event.data async for event in log.read_all() if isinstance(event.data, LimitReached)]
    assert len(reached) == 6 and {one.limit for one in reached} == {"budget"}


async def test_what_was_spent_before_counts_when_a_log_is_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        async with System.open(tmp_path / "team.db", model=Scripted(brief), budget=Limits(model_calls=3)) as system:
            a = await system.start(Agent("a"))
            await a.ask("go")
    async with System.open(tmp_path / "team.db", model=Scripted(brief), budget=Limits(model_calls=3)) as system:
        a = system["a"]
        await a.ask("go")
        with pytest.raises(RequestFailed, match="3 model calls allowed, 3 made"):
            await a.ask("go")
    async with System.open(tmp_path / "team.db", model=Scripted(brief), budget=Limits(model_calls=9)) as system:
        assert (await system["a"].ask("go")).text == "a is done"  # a higher budget holds from now on


async def test_a_reply_has_no_more_room_than_the_budget_leaves() -> None:
    log = MemoryStore()
    async with System.open(log, model=Scripted(brief), budget=Limits(tokens=1_000)) as system:
        a = await system.start(Agent("a"))
        await a.ask("go", limits=Limits(tokens=100_000))
    [hold] = [event.data.hold async for event in log.read_all() if isinstance(event.data, ModelCallStarted)]
    assert hold is not None and hold.input + hold.output == 1_000


async def test_a_call_waits_for_what_others_hold_and_may_give_back() -> None:
    asked, answer = anyio.Event(), anyio.Event()

    class Slow(Scripted):
        async def complete(self, request: ModelRequest, say: object) -> ModelReply:
            self.asked.append(request)
            asked.set()
            await answer.wait()
            return brief(request)

    model = Slow(brief)
    async with System.open(MemoryStore(), model=model, budget=Limits(tokens=1_000)) as system:
        a, b = await system.start(Agent("a")), await system.start(Agent("b"))
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(a.ask, "go")
                await asked.wait()
                tasks.start_soon(b.ask, "go")
                await anyio.wait_all_tasks_blocked()
                assert len(model.asked) == 1
                answer.set()
    assert len(model.asked) == 2


async def test_a_call_that_is_cancelled_gives_back_what_it_held() -> None:
    class Stuck(Scripted):
        async def complete(self, request: ModelRequest, say: object) -> ModelReply:
            if request.agent == "a":
                await anyio.sleep_forever()
            return brief(request)

    async with System.open(MemoryStore(), model=Stuck(brief), budget=Limits(tokens=1_000)) as system:
        a, b = await system.start(Agent("a")), await system.start(Agent("b"))
        trace = await a.tell("go")
        await anyio.wait_all_tasks_blocked()
        await system.cancel(trace)
        assert (await b.ask("go", timeout=10)).text == "b is done"


async def test_a_model_without_a_price_is_not_asked_where_money_is_limited() -> None:
    async with System.open(MemoryStore(), model=Scripted(brief), prices={}, budget=Limits(usd=1)) as system:
        a = await system.start(Agent("a"))
        with pytest.raises(RequestFailed, match="limit of budget: the price of the model is unknown"):
            await a.ask("go")


@pytest.mark.parametrize("wrong", [Limits(turns=1), Limits(tokens=1, seconds=2), Limits(tokens=1, then="ask")])
async def test_a_budget_limits_what_model_calls_cost_and_nothing_else(wrong: Limits) -> None:
    with pytest.raises(SpecError, match="a budget limits model_calls, tokens, usd, and not"):
        async with System.open(MemoryStore(), model=Scripted(brief), budget=wrong):
            pass


async def test_prices_of_what_was_spent_are_in_the_log() -> None:
    async with System.open(MemoryStore(), model=Scripted(brief), prices=PRICES) as system:
        await (await system.start(Agent("a"))).ask("go")
        spent = (await system.pending()).spent
    assert (spent.model_calls, spent.tokens, spent.usd) == (1, 150, PRICES["m"].cost(USED))
