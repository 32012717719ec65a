"""What one turn may spend: limits as values, as rules, and as an agent keeps them."""

from collections.abc import Callable
from decimal import Decimal

import anyio
import pytest

from callboard import (
    Agent,
    Limits,
    MemoryStore,
    ModelReply,
    ModelRequest,
    RequestFailed,
    System,
    tool,
)
from callboard.actors import limits as rules
from callboard.actors.outside import Outside
from callboard.events import (
    Event,
    SpecError,
    Text,
)
from callboard.events.catalog import (
    Grant,
    LimitReached,
    MessageReceived,
    MessageSent,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
    Part,
    SendAnswered,
    Spent,
    ToolCallRequested,
    TurnResumed,
    TurnStarted,
    Usage,
)
from callboard.projections import Desk
from callboard.projections.desk import evolve
from callboard.projections.estimate import tokens_in

from .limited import Scripted, asked, brief

pytestmark = pytest.mark.anyio

# -- values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["turns", "model_calls", "tool_calls", "tokens", "usd", "seconds", "hops", "fan_out"])
@pytest.mark.parametrize("value", [0, -1, "x", True, float("nan")])
def test_a_limit_of_zero_or_below_or_of_another_kind_is_refused(name: str, value: object) -> None:
    with pytest.raises(SpecError, match=f"limit {name} is"):
        Limits(**{name: value})  # type: ignore[arg-type]


def test_what_follows_a_limit_is_one_of_two() -> None:
    with pytest.raises(SpecError, match="then='shout'; one of stop, ask is wanted"):
        Limits(turns=1, then="shout")  # type: ignore[arg-type]


def test_no_limits_are_no_grant() -> None:
    assert Limits().grant() is None


def test_limits_are_kept_in_the_spec() -> None:
    spec = Agent("a", limits=Limits(tokens=10, usd="0.10")).spec()
    assert spec.limits == Grant(tokens=10, usd=Decimal("0.10"))


# -- rules, as data ---------------------------------------------------------------------------------


def desk(grant: Grant | None, *events: Event, own: Grant | None = None) -> Desk:
    received = MessageReceived(id="k/g", sender="user", parts=(Part("user", Text("go")),), grant=grant)
    state = Desk()
    for event in (received, TurnStarted(id="k/g", grant=own), *events):
        state = evolve(state, event)
    return state


def sent(n: int, grant: Grant | None = None) -> MessageSent:
    return MessageSent(id=f"k/g/{n}/w{n}", recipient=f"agent-w{n}", kind="turn", grant=grant)


def bound(state: Desk, *events: Event, keeps: bool = False) -> list[Event]:
    return rules.bound(state, list(events), own=None, keeps=keeps)


def grants(events: list[Event]) -> list[Grant | None]:
    return [event.grant for event in events if isinstance(event, MessageSent)]


def test_siblings_get_equal_parts_of_what_is_left() -> None:
    given = grants(bound(desk(Grant(model_calls=10, tokens=900)), sent(1), sent(2), sent(3)))
    assert given == [Grant(model_calls=3, tokens=300)] * 3


def test_who_needs_a_share_keeps_one() -> None:
    assert grants(bound(desk(Grant(tokens=900)), sent(1), sent(2), keeps=True)) == [Grant(tokens=300)] * 2


def test_what_is_given_away_cannot_be_given_again_before_it_comes_back() -> None:
    state = desk(Grant(model_calls=4), sent(1, Grant(model_calls=4)))
    assert bound(state, sent(2)) == []
    state = evolve(state, SendAnswered(id="k/g/1/w1", text=Text("x"), spent=Spent(model_calls=1)))
    assert grants(bound(state, sent(2))) == [Grant(model_calls=3)]


def test_what_was_spent_and_does_not_come_back_is_a_limit_reached() -> None:
    answered = SendAnswered(id="k/g/1/w1", text=Text("x"), spent=Spent())
    [reached] = bound(desk(Grant(turns=1), sent(1, Grant(turns=0)), answered), sent(2))
    assert isinstance(reached, LimitReached)
    assert (reached.limit, reached.text) == ("turns", "1 allowed, 1 spent, 1 wanted")


def test_a_limit_of_ones_own_holds_beside_the_one_that_was_given() -> None:
    state = desk(Grant(tool_calls=5), own=Grant(tool_calls=1))
    wanted = [ToolCallRequested(id=f"k/g/1/{n}", tool="t", arguments=Text("{}"), effect="read") for n in (1, 2)]
    [reached] = bound(state, *wanted)
    assert isinstance(reached, LimitReached) and reached.limit == "tool_calls"


def test_a_person_is_asked_only_where_the_tightest_limit_says_so() -> None:
    asks = desk(Grant(model_calls=9), ModelCallRequested(id="k/g/1"), own=Grant(model_calls=1, then="ask"))
    stops = desk(Grant(model_calls=1), ModelCallRequested(id="k/g/1"), own=Grant(model_calls=1, then="ask"))
    answers = [bound(state, ModelCallRequested(id="k/g/2"))[0] for state in (asks, stops)]
    assert [one.asks for one in answers if isinstance(one, LimitReached)] == [True, False]


def test_a_model_call_that_is_cut_and_begun_again_counts_its_prompt_twice() -> None:
    hold = {"input": 10, "output": 30}
    first = ModelCallStarted.model_validate({"id": "k/g/1", "attempt": 1, "prompt": "", "hold": hold})
    second = first.model_copy(update={"attempt": 2})
    state = desk(Grant(tokens=100), ModelCallRequested(id="k/g/1"), first, second)
    assert state.purse is not None and state.purse.left("tokens") == 50
    state = evolve(state, ModelCallFinished(id="k/g/1", usage=Usage(input_tokens=8, output_tokens=2)))
    assert state.purse is not None and state.purse.left("tokens") == 80


def test_what_a_cut_call_held_is_free_again_when_its_turn_is_resumed() -> None:
    hold = {"input": 10, "output": 90}
    started = ModelCallStarted.model_validate({"id": "k/g/1", "attempt": 1, "prompt": "", "hold": hold})
    state = desk(Grant(tokens=100), ModelCallRequested(id="k/g/1"), started, TurnResumed(id="k/g", attempt=2))
    assert state.purse is not None and state.purse.left("tokens") == 90


# -- one agent --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "calls", "said"),
    [
        (Limits(model_calls=3), 3, "limit of model_calls: 3 allowed, 3 spent, 1 wanted"),
        (Limits(tool_calls=2), 3, "limit of tool_calls: 2 allowed, 2 spent, 1 wanted"),
    ],
)
async def test_a_turn_ends_with_what_it_has_when_it_reaches_a_limit(limits: Limits, calls: int, said: str) -> None:
    answer, requests = await asked(limits)
    assert (answer.text, answer.stop_reason, answer.limit) == (f"step {calls}", "limit", said)
    assert len(requests) == calls


async def test_a_turn_without_a_limit_records_none() -> None:
    answer, _ = await asked(None, reply=brief)
    assert (answer.stop_reason, answer.limit) == ("end", "")


@pytest.mark.parametrize("limits", [Limits(tokens=1_500), Limits(usd="0.0015")])
async def test_tokens_and_money_are_weighed_before_a_call_and_settled_after_it(limits: Limits) -> None:
    answer, requests = await asked(limits)
    assert answer.stop_reason == "limit" and "a call with a prompt of about" in answer.limit
    assert 1 < len(requests) < 10
    assert all(request.hold is not None and request.hold.output <= 1_500 for request in requests)


async def test_a_first_call_that_does_not_fit_fails_with_the_reason() -> None:
    with pytest.raises(RequestFailed, match="limit of tokens: 20 allowed, 0 spent, a call with a prompt of about"):
        await asked(Limits(tokens=20))


async def test_a_model_whose_price_nobody_knows_is_not_asked_where_money_is_limited() -> None:
    model = Scripted(brief)
    async with System.open(MemoryStore(), model=model, prices={}) as system:
        ref = await system.start(Agent("a"))
        with pytest.raises(RequestFailed, match="the price of the model is unknown"):
            await ref.ask("go", limits=Limits(usd=1))
    assert model.asked == []


async def test_what_a_provider_does_not_count_is_estimated() -> None:
    log = MemoryStore()
    async with System.open(log, model=Scripted(lambda _: ModelReply("six words are what is said"))) as system:
        ref = await system.start(Agent("a"))
        await ref.ask("go", limits=Limits(tokens=10_000))
    [used] = [e.data.usage async for e in log.read_all() if isinstance(e.data, ModelCallFinished)]
    assert used is not None and used.estimated and used.output_tokens == tokens_in("six words are what is said")


async def test_the_time_of_a_turn_ends_what_is_under_way() -> None:
    slept = anyio.Event()

    async def sleep(seconds: float) -> None:
        if not slept.is_set():
            slept.set()  # the first who waits is the one for the end of the turn
            return
        await anyio.sleep_forever()

    class Slow(Scripted):
        async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
            await slept.wait()
            await anyio.sleep_forever()
            raise AssertionError

    outside = Outside()
    outside = Outside(outside.now, sleep, outside.random)
    async with System.open(MemoryStore(), model=Slow(brief), outside=outside, grace=0) as system:
        ref = await system.start(Agent("a", limits=Limits(seconds=60)))
        with pytest.raises(RequestFailed, match="limit of seconds: 60 allowed, it was to end by"):
            await ref.ask("go", timeout=10)


async def test_a_time_limit_keeps_nobody_from_leaving() -> None:
    @tool(needs_approval=True)
    async def pay() -> str:
        """Pay."""
        return "paid"

    with anyio.fail_after(5):
        async with System.open(MemoryStore(), model=Scripted(lambda _: ModelReply("", [("pay", "{}")]))) as system:
            await (await system.start(Agent("a", tools=[pay]))).tell("go", limits=Limits(seconds=3_600))
