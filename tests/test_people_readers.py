"""What waits for a person, who decided and whom messages reached, as the readers of a log show it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from callboard import Agent, Group, MemoryStore, RoundRobin, System, Tool
from callboard.actors.messaging import BROADCAST
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import Event, EventStore, RecordedEvent, SQLiteStore, Text
from callboard.events.catalog import (
    ApprovalAsked,
    ApprovalGiven,
    MessageReceived,
    RecipientsChosen,
    ToolCallFailed,
    ToolCallRequested,
    TurnCancelling,
    TurnStarted,
)
from callboard.projections import agent_state, fold, replay
from callboard.projections.conversation import agent_conversation
from callboard.projections.health import health
from callboard.projections.health_shapes import health_shape
from callboard.projections.shapes import agent_shape, span_shape
from callboard.projections.spans import ToolSpan, TurnSpan, summary, walk
from callboard.projections.trace import trace_roots, traces
from callboard.scripts.main import main

from .teams import log_of

Run = Callable[..., Awaitable[str]]
CALL = "k/team/1/a/1/1"


def pay(amount: int) -> str:
    """Pay."""
    return "paid"


def much(amount: int) -> bool:
    """Return whether a person is asked."""
    if amount < 0:
        raise ValueError("less than nothing")
    return amount > 100


TEAM = Group("team", [Agent("a", tools=[Tool(pay, needs_approval=much), "ask_human"])], RoundRobin(max_turns=1))
USES = [
    ("pay", {"amount": 500}),
    ("pay", {"amount": 5}),
    ("pay", {"amount": -1}),
    ("ask_human", {"question": "left or right?", "options": ["left", "right"]}),
]


async def parked(log: EventStore) -> None:
    """Leave a team of which one call was decided by rule, and three wait for a person."""
    async with System.open(log, model=ScriptedModel({"a": [calls(*USES)]})) as system:
        await system.start(TEAM)
        await system["team"].tell("go", key="k")
        await system.quiet()


async def decided(log: EventStore) -> None:
    """Let people decide all that waits."""
    async with System.open(log, model=ScriptedModel({"a": ["done"]})) as system:
        first, third, fourth = sorted(await system.waiting(), key=lambda one: one.call)
        await system.approve(first, by="anna")
        await system.deny(third, "never", by="bert")
        await system.answer(fourth, "left")
        await system.quiet()


async def tools(log: EventStore) -> list[ToolSpan]:
    [root] = (await replay(log, traces)).roots
    return [span for span in walk(root) if isinstance(span, ToolSpan)]


@pytest.fixture
async def log(path: Path) -> str:
    async with SQLiteStore.open(path) as store:
        await parked(store)
    return str(path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "160")

    async def run(*argv: str) -> str:
        assert await anyio.to_thread.run_sync(main, argv) == 0
        return capsys.readouterr().out

    return run


async def test_a_span_says_what_it_waits_for_and_since_when() -> None:
    store = MemoryStore()
    await parked(store)
    spans = await tools(store)
    assert [span.state for span in spans] == [
        "waits for approval", "finished", "waits for approval", "waits for an answer",
    ]  # fmt: skip
    [asked] = spans[2].verdicts
    assert (asked.about, asked.note, asked.outcome) == ("approval", "ValueError: less than nothing", "")
    assert asked.asked is not None and asked.asked >= spans[2].started
    [root] = (await replay(store, traces)).roots
    assert (summary(root).state, summary(root).awaiting) == ("open", 3)


async def test_a_span_says_who_decided_what_and_when() -> None:
    store = MemoryStore()
    await parked(store)
    await decided(store)
    spans = await tools(store)
    assert [span.state for span in spans] == ["finished", "finished", "refused", "finished"]
    said = [(verdict.outcome, verdict.by, verdict.asked is None) for span in spans for verdict in span.verdicts]
    assert said == [
        ("approved", "anna", False), ("approved", "policy", True), ("refused", "bert", False),
        ("answered", "user", False),
    ]  # fmt: skip
    [verdict] = spans[0].verdicts
    assert verdict.asked and verdict.decided and verdict.decided >= verdict.asked


def happened(*data: Event) -> list[RecordedEvent]:
    begun = MessageReceived(id="k/a", sender="user", parts=()), TurnStarted(id="k/a")
    wanted = ToolCallRequested(id="k/a/1/1", tool="pay", arguments=Text("{}"), effect="once")
    return log_of(*(("agent-a", event) for event in (*begun, wanted, *data)))


def test_an_attempt_that_asks_again_is_a_verdict_of_its_own() -> None:
    asked, given = ApprovalAsked(id="k/a/1/1", digest="d"), ApprovalGiven(id="k/a/1/1", by="x", command="c", digest="d")
    [root] = trace_roots(happened(asked, given, asked))
    call = next(span for span in walk(root) if isinstance(span, ToolSpan))
    assert [verdict.outcome for verdict in call.verdicts] == ["approved", ""] and call.state == "waits for approval"


def test_a_call_that_is_cancelled_while_it_waits_has_failed_and_was_not_refused() -> None:
    ended = ApprovalAsked(id="k/a/1/1", digest="d"), ToolCallFailed(id="k/a/1/1", text=Text("cancelled"))
    [root] = trace_roots(happened(*ended))
    call = next(span for span in walk(root) if isinstance(span, ToolSpan))
    assert (call.state, call.verdicts[0].outcome) == ("failed", "")
    shape = span_shape(call)
    assert shape["verdicts"] == [
        {"about": "approval", "asked": "2026-01-01T00:00:04.000000Z", "note": "", "outcome": None, "by": "",
         "decided": None, "text": ""}
    ]  # fmt: skip


async def test_the_tree_shows_who_is_waited_for_and_who_decided(log: str, run: Run) -> None:
    shown = await run("trace", log, "k")
    assert "pay  open: waits for approval" in shown and "waits for a person's leave since 2" in shown
    assert "needed no approval, by the tool's own rule" in shown
    assert "asked since ValueError: less than nothing" in shown
    assert "waits for a person's answer since 2" in shown
    assert "open, waits for a person" in await run("trace", log)
    async with SQLiteStore.open(log) as store:
        await decided(store)
    shown = await run("trace", log, "k")
    assert "approved by anna 2" in shown and "refused by bert 2" in shown and "answered by user 2" in shown
    assert "✗ refused by bert: never" in shown


async def test_replay_shows_the_calls_that_wait_with_their_arguments(log: str, run: Run) -> None:
    shown = await run("replay", log)
    assert f'tool pay waits for approval {CALL} {{"amount":500}}' in shown.replace('": ', '":')
    assert "waits for an answer" in shown and "waits for a person" in shown
    found = json.loads(await run("replay", log, "--json"))["agents"]["a"]["tool_calls"]
    assert [(call["phase"], call["awaits"]) for call in found] == [
        ("asked", "approval"), ("asked", "approval"), ("question", "answer"),
    ]  # fmt: skip
    assert found[1]["note"] == "ValueError: less than nothing"


async def test_the_state_of_an_agent_names_what_a_call_awaits(log: str) -> None:
    async with SQLiteStore.open(log, mode="read") as store:
        shape = agent_shape(await replay(store, agent_state, stream="agent-a"))
    assert [call["awaits"] for call in shape["tool_calls"]] == ["approval", "approval", "answer"]  # type: ignore


async def test_a_group_says_who_of_it_waits_for_a_person(log: str, run: Run) -> None:
    shown = await run("group", log, "team")
    assert "who waits for a person" in shown and f"waits for approval   pay        {CALL}" in shown
    [_, a] = json.loads(await run("group", log, "team", "--json"))["health"]
    assert sorted((wait["for"], wait["tool"]) for wait in a["awaits_people"]) == [
        ("answer", "ask_human"), ("approval", "pay"), ("approval", "pay"),
    ]  # fmt: skip
    async with SQLiteStore.open(log) as store:
        await decided(store)
        assert health_shape((await replay(store, health)).of("agent-a"))["awaits_people"] == []
    assert "who waits for a person" not in await run("group", log, "team")


async def test_a_conversation_tells_what_people_decided() -> None:
    store = MemoryStore()
    await parked(store)
    await decided(store)
    events = [event async for event in store.read_stream("agent-a")]
    notes = [line.text for line in fold(agent_conversation, events).lines if line.kind == "note"]
    assert sorted(notes) == sorted(
        ["pay waits for approval", "pay needs no approval, by its own rule", "anna approved pay",
         "pay waits for approval, since ValueError: less than nothing", "bert refused pay",
         "ask_human waits for an answer", "user answered ask_human"]
    )  # fmt: skip


# -- who cancelled ----------------------------------------------------------------------------------


async def test_a_cancel_says_who_wanted_it_in_the_log_and_in_the_tree(log: str, run: Run) -> None:
    async with SQLiteStore.open(log) as store, System.open(store, model=ScriptedModel({})) as system:
        await system.cancel("k", by="anna")
        await system.quiet()
        found = [event.data async for event in store.read_all() if isinstance(event.data, TurnCancelling)]
    assert {one.by for one in found} == {"anna"} and len(found) == 2
    shown = await run("trace", log, "k")
    assert "a cancelled by anna" in shown and "team was told cancelled by anna" in shown


async def test_members_are_cancelled_by_their_group_where_somebody_cancels_that() -> None:
    store = MemoryStore()
    await parked(store)
    async with System.open(store, model=ScriptedModel({})) as system:
        await system["team"].cancel("k")
        await system.quiet()
    said = [event.data.by async for event in store.read_all() if isinstance(event.data, TurnCancelling)]
    assert said == ["user", "group-team"]


async def test_a_cancel_by_another_process_is_recorded_with_its_name(log: str, run: Run) -> None:
    await run("people", "cancel", log, "k", "--by", "anna")
    async with SQLiteStore.open(log, mode="read") as store:
        said = [event.data.by async for event in store.read_all() if isinstance(event.data, TurnCancelling)]
    assert said == ["anna", "anna"]


async def test_a_cancel_in_the_name_of_a_rule_is_refused(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await anyio.to_thread.run_sync(main, ["people", "cancel", log, "k", "--by", "policy"]) == 2
    assert "cannot be the name of who decides" in capsys.readouterr().err


# -- whom messages reach ----------------------------------------------------------------------------


async def test_a_call_that_sends_messages_says_what_came_of_each_and_holds_their_turns(path: Path, run: Run) -> None:
    use = (BROADCAST, {"message": "how far?", "match_all": ["worker"]})
    model = ScriptedModel({"lead": [calls(use), "done"], "v": ["half"], "w": [ValueError("no luck")]})  # type: ignore
    workers = [Agent(name, tags={"worker"}) for name in ("v", "w")]
    async with SQLiteStore.open(path) as store, System.open(store, model=model) as system:
        for spec in (Agent("lead", tools=[BROADCAST]), *workers):
            await system.start(spec)
        await system["lead"].ask("report", key="k")
        [call] = await tools(store)
    assert [(one.name, one.state) for one in call.recipients] == [("v", "answered"), ("w", "failed")]
    assert [step.stream for step in call.steps if isinstance(step, TurnSpan)] == ["agent-v", "agent-w"]
    assert "to 2 recipients: v answered, w failed" in await run("trace", str(path), "k")
    async with SQLiteStore.open(path, mode="read") as store:
        [chosen] = [event.position async for event in store.read_all() if isinstance(event.data, RecipientsChosen)]
        notes = [line.text for line in (await replay(store, agent_conversation, stream="agent-lead")).lines]
    shown = await run("replay", str(path), "--until", str(chosen))
    assert f"tool {BROADCAST} sending to v, w; 0 of 2 came, until 2" in shown
    assert f"{BROADCAST} goes to v, w" in notes
