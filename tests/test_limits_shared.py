"""Limits that several share who work on one request, and a person who raises one."""

from pathlib import Path

import pytest

from callboard import (
    Agent,
    Block,
    Group,
    Limits,
    MemoryStore,
    ModelReply,
    ModelRequest,
    Parallel,
    RequestFailed,
    RoundRobin,
    Sleeptime,
    System,
    ToolContext,
    tool,
)
from callboard.actors.messaging import ASK, BROADCAST_ALL, TELL
from callboard.actors.testing import ScriptedModel
from callboard.events import (
    AlreadyDecided,
    ApprovalMismatch,
    Event,
    NotWaiting,
    SQLiteStore,
    Text,
)
from callboard.events.catalog import (
    Grant,
    LimitKept,
    LimitRaised,
    LimitReached,
    MessageReceived,
    MessageSent,
    ToolCallFailed,
    TurnCancelling,
    TurnFinished,
    TurnResumed,
    TurnStarted,
)
from callboard.projections.pending import Pending

from .limited import USED, Scripted, asked, brief, busy, look
from .logs import checked, rows_of
from .scripted import script
from .teams import log_of

pytestmark = pytest.mark.anyio

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


async def test_background_work_that_begins_while_the_next_request_is_open_costs_that_nothing() -> None:
    limits, model, log = Limits(model_calls=2), Scripted(brief), MemoryStore()
    group = Group("g", [Agent("s1"), Agent("s2")], Sleeptime(every=1), manager=Agent("m"), limits=limits)
    async with System.open(log, model=model) as system:
        ref = await system.start(group)
        for key in ("k1", "k2", "k3"):
            await ref.tell("go", key=key)
        await system.quiet()
    assert checked(rows_of(log)).findings.kept == []
    ended = [event.data async for event in log.read_stream("group-g") if isinstance(event.data, TurnFinished)]
    assert [one.spent.model_calls for one in ended if one.spent] == [1, 1, 1]


async def test_a_system_limits_each_request_that_brings_no_limits() -> None:
    model = Scripted(busy)
    async with System.open(MemoryStore(), model=model, limits=Limits(model_calls=2)) as system:
        ref = await system.start(Agent("a", tools=[look]))
        first, second = await ref.ask("go"), await ref.ask("go", limits=Limits(model_calls=1))
    assert (first.text, second.text) == ("step 2", "step 1")


# -- a person decides -------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [[], [Block("plan", "one")]], ids=["no block", "a block"])
async def test_a_call_that_a_limit_kept_back_begins_once_a_person_raises_it(blocks: list[Block]) -> None:
    model = ScriptedModel({"a": ["done"]})
    async with System.open(MemoryStore(), model=model) as system:
        a = await system.start(Agent("a", blocks=blocks, limits=Limits(tokens=300, then="ask")))
        await a.tell("go " * 300, key="k")
        await system.quiet()
        raised = 0
        while (found := await system.waiting()) and raised < 9:
            await system.approve(found[0])
            await system.quiet()
            raised += 1
        assert 1 <= raised < 9 and (await system.pending()).items == {} and len(model.requests) == 1


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


async def test_a_person_lets_a_group_reach_more_at_once() -> None:
    group = Group("team", [Agent(f"w{n}") for n in range(4)], Parallel(), limits=Limits(fan_out=2, then="ask"))
    async with System.open(MemoryStore(), model=Scripted(brief)) as system:
        trace = await (await system.start(group)).tell("go", key="k")
        await system.quiet()
        await system.approve(f"{trace}/team/limit")
        await system.quiet()
        assert await system.waiting() == [] and (await system.pending()).items == {}


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


def test_a_turn_that_asks_a_person_waits_whatever_is_recorded_of_it_until_somebody_decides() -> None:
    begun: list[Event] = [
        MessageReceived(id="k/g", sender="user", kind="ask", parts=(), params={}),
        TurnStarted(id="k/g"),
        LimitReached(id="k/g", limit="turns", text=Text("1 turn"), asks=True),
        TurnResumed(id="k/g", attempt=2),
    ]
    decided: list[tuple[Event, list[str]]] = [
        (LimitRaised(id="k/g", by="Ana", command="c"), []),
        (LimitKept(id="k/g", by="Ana", command="c", text=Text("no")), []),
        (TurnCancelling(id="k/g"), []),
        (TurnResumed(id="k/g", attempt=3), ["k/g"]),
    ]
    for last, waits in decided:
        pending = Pending()
        for event in log_of(*(("group-g", event) for event in begun)):
            pending.take(event)
        assert [one.id for one in pending.awaiting()] == ["k/g"]
        pending.take(log_of(*(("group-g", event) for event in (*begun, last)))[-1])
        assert [one.id for one in pending.awaiting()] == waits


async def test_what_a_tool_asks_of_another_agent_comes_out_of_the_same_purse() -> None:
    @tool(effect="read")
    async def consult(context: ToolContext) -> str:
        """Ask b twice."""
        answers = [await context.ask("b", f"part {n}") for n in (1, 2)]
        return "; ".join(answers)

    model = Scripted(script({"a": [("consult", {})], "b": [("look", {})]}))
    log = MemoryStore()
    async with System.open(log, model=model) as system:
        await system.start(Agent("b", tools=[look]))
        a = await system.start(Agent("a", tools=[consult]))
        await a.ask("go", limits=Limits(model_calls=7))
    given = [e.data.grant async for e in log.read_all() if isinstance(e.data, MessageSent)]
    assert given == [Grant(model_calls=3), Grant(model_calls=2)]


async def test_a_tool_is_told_that_a_limit_keeps_it_from_asking() -> None:
    @tool(effect="read")
    async def consult(context: ToolContext) -> str:
        """Ask b."""
        return await context.ask("b", "help")

    log = MemoryStore()
    async with System.open(log, model=Scripted(script({"a": [("consult", {})]}))) as system:
        await system.start(Agent("b"))
        a = await system.start(Agent("a", tools=[consult]))
        await a.ask("go", limits=Limits(hops=1, model_calls=5))
        with pytest.raises(RequestFailed, match="limit of model_calls"):
            await a.ask("go", limits=Limits(model_calls=1))
    failed = [str(e.data.text) async for e in log.read_all() if isinstance(e.data, ToolCallFailed)]
    assert len(failed) == 1 and "nothing was sent: limit of model_calls: 1 allowed" in failed[0]
