"""What a turn may spend: limits as values, as rules, and as they are kept between those that work on one request."""

from collections.abc import Callable
from decimal import Decimal
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
    RoundRobin,
    Sleeptime,
    System,
    tool,
)
from callboard.actors import limits as rules
from callboard.actors.messaging import ASK, BROADCAST_ALL, TELL
from callboard.actors.outside import Outside
from callboard.actors.prices import Prices
from callboard.actors.team import load_team
from callboard.events import (
    AlreadyDecided,
    ApprovalMismatch,
    Event,
    NotWaiting,
    SpecError,
    SQLiteStore,
    TeamFileError,
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
    TurnStarted,
    Usage,
)
from callboard.projections import Desk
from callboard.projections.desk import evolve
from callboard.projections.estimate import tokens_in

from .limit_scenarios import LIMITED
from .scripted import script

pytestmark = pytest.mark.anyio

USED = Usage(input_tokens=100, output_tokens=50)
LOOK = ("look", "{}")


@tool(effect="read")
async def look() -> str:
    """Look."""
    return "seen"


class Scripted:
    """Says what a function of the request says; remembers all requests."""

    name = "m"

    def __init__(self, reply: Callable[[ModelRequest], ModelReply]) -> None:
        self.reply, self.asked = reply, list[ModelRequest]()

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        self.asked.append(request)
        return self.reply(request)


def busy(request: ModelRequest) -> ModelReply:
    """Look again and again."""
    return ModelReply(f"step {request.id.rsplit('/', 1)[-1]}", [LOOK], USED)


def brief(request: ModelRequest) -> ModelReply:
    return ModelReply(f"{request.agent} is done", usage=USED)


async def asked(
    limits: Limits | None, spec: Agent | Group | None = None, reply: Callable[[ModelRequest], ModelReply] = busy
) -> tuple[Answer, list[ModelRequest]]:
    model = Scripted(reply)
    async with System.open(MemoryStore(), model=model, prices={"m": Price(1, 2)}) as system:
        ref = await system.start(spec or Agent("a", tools=[look]))
        return await ref.ask("go", limits=limits), model.asked


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
            await ref.ask("go")


# -- several ----------------------------------------------------------------------------------------


async def test_ten_parallel_workers_never_spend_more_than_their_group_may() -> None:
    workers = [Agent(f"w{n}", tools=[look]) for n in range(10)]
    group = Group("team", workers, Parallel(max_concurrency=10))
    answer, requests = await asked(Limits(model_calls=25), group)
    assert len(requests) == 20  # two each: a third for half of them would not be equal
    assert len(answer.turns) == 10 and answer.stop_reason == "end"


async def test_too_little_for_all_of_them_is_told_before_one_begins() -> None:
    group = Group("team", [Agent(f"w{n}") for n in range(10)], Parallel(max_concurrency=10))
    with pytest.raises(RequestFailed, match="limit of model_calls: 9 allowed, 0 spent, 10 wanted"):
        await asked(Limits(model_calls=9), group, brief)


async def test_a_group_that_reaches_a_limit_answers_with_the_last_word() -> None:
    group = Group("talk", [Agent("a"), Agent("b")], RoundRobin(max_turns=10))
    answer, _ = await asked(Limits(turns=3), group, brief)
    assert (answer.text, answer.stop_reason, len(answer.turns)) == ("a is done", "limit", 3)


async def test_what_an_agent_asks_of_another_comes_out_of_its_own_purse() -> None:
    def reply(request: ModelRequest) -> ModelReply:
        if request.agent == "a" and request.messages[-1]["role"] == "user":
            return ModelReply("", [(ASK, '{"message": "help", "other_agent": "b"}')], USED)
        return busy(request) if request.agent == "b" else brief(request)

    model, log = Scripted(reply), MemoryStore()
    async with System.open(log, model=model) as system:
        await system.start(Agent("b", tools=[look]))
        a = await system.start(Agent("a", tools=[ASK]))
        answer = await a.ask("go", limits=Limits(model_calls=9))
    assert answer.text == "a is done"
    assert [request.agent for request in model.asked] == ["a", "b", "b", "b", "b", "a"]  # half of eight


async def test_what_is_given_along_with_a_tell_does_not_come_back() -> None:
    uses = script({"a": [(TELL, {"message": "do", "other_agent": "b"})]})
    model = Scripted(uses)
    async with System.open(MemoryStore(), model=model) as system:
        await system.start(Agent("b"))
        a = await system.start(Agent("a", tools=[TELL]))
        with pytest.raises(RequestFailed, match="2 allowed, 2 spent"):
            await a.ask("go", limits=Limits(model_calls=2))


async def test_a_broadcast_to_more_than_the_limit_is_told_to_the_model() -> None:
    uses = script({"a": [(BROADCAST_ALL, {"message": "do", "tags": ["w"]})]})
    log = MemoryStore()
    async with System.open(log, model=Scripted(uses)) as system:
        for n in range(3):
            await system.start(Agent(f"w{n}", tags={"w"}))
        a = await system.start(Agent("a", tools=[BROADCAST_ALL]))
        await a.ask("go", limits=Limits(fan_out=2))
    failed = [str(e.data.text) async for e in log.read_all() if e.type == "ToolCallFailed"]  # type: ignore[union-attr]
    assert failed == ["it would reach 3, and the limit of fan_out is 2; reach fewer"]


async def test_hops_are_limited() -> None:
    ring = {f"a{n}": [(ASK, {"message": "on", "other_agent": f"a{n + 1}"})] for n in range(5)}
    model = Scripted(script(ring))
    async with System.open(MemoryStore(), model=model) as system:
        for n in range(6):
            await system.start(Agent(f"a{n}", tools=[ASK]))
        await system["a0"].ask("go", limits=Limits(hops=2))
    assert {request.agent for request in model.asked} == {"a0", "a1", "a2"}


async def test_background_work_has_the_limits_of_its_group() -> None:
    group = Group(
        "g", [Agent("sleeper", tools=[look])], Sleeptime(every=1), manager=Agent("m"), limits=Limits(model_calls=2)
    )
    model, log = (
        Scripted(lambda request: busy(request) if request.agent == "sleeper" else brief(request)),
        MemoryStore(),
    )
    async with System.open(log, model=model) as system:
        await (await system.start(group)).ask("go")
        await system.quiet()
    assert [request.agent for request in model.asked] == ["m", "sleeper", "sleeper"]


async def test_a_system_limits_each_request_that_brings_no_limits() -> None:
    model = Scripted(busy)
    async with System.open(MemoryStore(), model=model, limits=Limits(model_calls=2)) as system:
        ref = await system.start(Agent("a", tools=[look]))
        first, second = await ref.ask("go"), await ref.ask("go", limits=Limits(model_calls=1))
    assert (first.text, second.text) == ("step 2", "step 1")


# -- a person decides -------------------------------------------------------------------------------


async def test_a_person_raises_a_limit_and_keeps_the_next(tmp_path: Path) -> None:
    log = tmp_path / "team.db"
    async with System.open(log, model=Scripted(busy)) as system:
        await (await system.start(Agent("a", tools=[look]))).tell(
            "go", key="k", limits=Limits(tool_calls=2, then="ask")
        )
        await system.quiet()
        [waits] = await system.waiting()
    assert (waits.call, waits.kind, waits.tool) == ("k/a/limit", "limit", "tool_calls")
    async with System.open(log, model=Scripted(busy)) as system:  # it outlives the process
        await system.approve(waits, key="yes")
        await system.approve(waits, key="yes")  # twice is once
        await system.quiet()
        [again] = await system.waiting()
        assert again.arguments == "4 allowed, 4 spent, 1 wanted"
        with pytest.raises(ApprovalMismatch):
            await system.approve(waits, key="old")
        await system.deny(again, "enough")
        await system.quiet()
        assert await system.waiting() == []
        with pytest.raises(AlreadyDecided, match="kept by user"):
            await system.deny(again, "enough")
        with pytest.raises(NotWaiting):
            await system.approve("k2/a/limit")
    async with SQLiteStore.open(log, mode="read") as store:
        types = [event.type async for event in store.read_all() if event.type.startswith("Limit")]
    assert types == ["LimitReached", "LimitRaised", "LimitReached", "LimitKept"]


async def test_a_group_that_waits_for_a_person_is_cancelled_like_any_other() -> None:
    group = Group("talk", [Agent("a"), Agent("b")], RoundRobin(max_turns=10), limits=Limits(turns=1, then="ask"))
    async with System.open(MemoryStore(), model=Scripted(brief)) as system:
        talk = await system.start(group)
        trace = await talk.tell("go")
        await system.quiet()
        assert [one.agent for one in await system.waiting()] == ["talk"]
        await talk.cancel(trace)
        await system.quiet()
        assert (await system.pending()).items == {}


# -- prices and estimates ---------------------------------------------------------------------------


def test_a_price_counts_what_the_provider_had_read_before_apart() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)
    assert Price("1", "10", cached="0.1").cost(usage) == Decimal("1.64")
    assert Price("1", "10").cost(usage) == Decimal("2.0")


@pytest.mark.parametrize("name", ["m", "m-2025-08-07", "m-20250807", "m-latest"])
def test_a_name_with_a_date_has_the_price_of_the_plain_one(name: str) -> None:
    assert Prices({"m": Price(1, 2)}).of(name) == Price(1, 2)


@pytest.mark.parametrize("name", ["m-mini", "n", "m-2025", ""])
def test_another_name_has_no_price(name: str) -> None:
    assert Prices({"m": Price(1, 2)}).of(name) is None


def test_prices_are_looked_up_where_the_package_for_them_is_installed() -> None:
    pytest.importorskip("genai_prices")
    price = Prices().of("gpt-5-mini-2025-08-07")
    assert price is not None and price.cost(Usage(input_tokens=1_000_000)) > 0
    assert Prices().of("no such model") is None


@pytest.mark.parametrize("price", [-1, "x", float("inf"), True])
def test_a_price_is_an_amount(price: object) -> None:
    with pytest.raises(SpecError, match="an amount in USD of 0 or more is wanted"):
        Price(price, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abc", 1), ("abcd", 2), ("日本", 2), ("🙂🙂", 6)])
def test_tokens_are_estimated_by_script(text: str, tokens: int) -> None:
    assert tokens_in(text) == tokens


def test_a_team_file_says_limits_and_prices(tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    file.write_text(
        "[prices.m]\ninput = 1\noutput = 2.5\n[agents.a]\nlimits = { tokens = 9, usd = 0.5 }\n"
        "[groups.g]\nmembers = ['a']\nlimits = { turns = 3, then = 'ask' }\n"
    )
    team = load_team(file)
    assert team.prices == {"m": Price(1.0, 2.5)}
    assert team.agents["a"].limits == Limits(tokens=9, usd=0.5)
    assert team.groups["g"].limits == Limits(turns=3, then="ask")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("limits = { tokens = 0 }", "1 or more is wanted, found 0"),
        ("limits = { usd = 0 }", "more than 0 is wanted, found 0"),
        ("limits = { token = 5 }", "did you mean 'tokens'?"),
        ("limits = 5", "a table is wanted, found 5"),
    ],
)
def test_wrong_limits_in_a_team_file_are_told(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "team.toml"
    file.write_text(f"[agents.a]\n{line}\n")
    with pytest.raises(TeamFileError) as failure:
        load_team(file)
    assert said in str(failure.value)


def test_scenarios_of_limits_run_in_every_campaign() -> None:
    assert len(LIMITED) == 4
