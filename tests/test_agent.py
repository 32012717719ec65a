"""The rules of an agent, tested as data: given events, when asked, then events."""

from datetime import UTC, datetime

import pytest

from callboard.actors import agent as rules
from callboard.actors.commands import Begin, Command, Resolve, Resume, TakeAttempt, TakeReply, TakeResult
from callboard.actors.memory import tool_specs
from callboard.events import Event, Text
from callboard.events.catalog import (
    AgentStarted,
    MessageReceived,
    MessageSent,
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallRequested,
    ModelCallStarted,
    Part,
    SendAnswered,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallResolved,
    ToolCallStarted,
    TurnCancelled,
    TurnCancelling,
    TurnFailed,
    TurnFinished,
    TurnResumed,
    TurnStarted,
)
from callboard.events.specs import AgentSpec, BlockUse, ToolSpec
from callboard.projections import AgentState
from callboard.projections.agent import evolve
from callboard.projections.prompt import Shown

TOOLS = (
    ToolSpec(name="look", effect="read"),
    ToolSpec(name="pay"),
    ToolSpec(name="wire", reconcile="m:f"),
    *tool_specs(),
)
PLAN = BlockUse(label="plan", stream="block-plan")
NOTES = BlockUse(label="notes", stream="block-notes", read_only=True)
ASKED = MessageReceived(id="k/a", sender="user", parts=(Part(speaker="user", text=Text("go")),))


def started(*, max_steps: int = 5, blocks: tuple[BlockUse, ...] = ()) -> list[Event]:
    return [AgentStarted(spec=AgentSpec(name="a", tools=TOOLS, blocks=blocks, max_steps=max_steps))]


def given(*events: Event) -> AgentState:
    state = AgentState()
    for event in events:
        state = evolve(state, event)
    return state


def run(state: AgentState, *commands: Command) -> tuple[AgentState, list[Event]]:
    """Take in commands and follow until nothing more, as a step does."""
    events: list[Event] = []
    for command in commands:
        for event in rules.take(state, command) or []:
            state = evolve(state, event)
            events.append(event)
    while more := rules.follow(state, "log"):
        for event in more:
            state = evolve(state, event)
        events += more
    return state, events


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def thinking(*, max_steps: int = 5) -> AgentState:
    """Return an agent whose first model call runs."""
    return run(given(*started(max_steps=max_steps), ASKED))[0]


def wanting(*uses: tuple[str, str]) -> tuple[AgentState, list[Event]]:
    """Return an agent after a reply that wants tools."""
    return run(thinking(), TakeReply("k/a/1", "", uses))


def test_a_plain_turn_waits_for_the_disk_twice() -> None:
    state, events = run(given(*started(), ASKED))
    assert kinds(events) == [TurnStarted, ModelCallRequested, ModelCallStarted]
    _, events = run(state, TakeReply("k/a/1", "hello"))
    assert events[-1] == TurnFinished(id="k/a", to="user", text=Text("hello"))


def test_a_tell_is_answered_to_nobody() -> None:
    told = ASKED.model_copy(update={"kind": "tell"})
    state, _ = run(given(*started(), told))
    assert run(state, TakeReply("k/a/1", "noted"))[1][-1] == TurnFinished(id="k/a", text=Text("noted"))


def test_one_turn_is_open_at_a_time() -> None:
    second = ASKED.model_copy(update={"id": "l/a"})
    state, events = run(given(*started(), ASKED, second))
    assert kinds(events) == [TurnStarted, ModelCallRequested, ModelCallStarted]
    _, events = run(state, TakeReply("k/a/1", "hello"))
    assert [event.id for event in events][-3:] == ["l/a", "l/a/1", "l/a/1"]


def test_a_call_that_reads_blocks_waits_until_they_are_read() -> None:
    state, events = run(given(*started(blocks=(PLAN,)), ASKED))
    assert kinds(events)[-1] is ModelCallRequested
    _, events = run(state, Begin("k/a/1", [Shown("plan", 3, "v")]))
    assert isinstance(events[0], ModelCallStarted) and events[0].blocks == {"plan": 3}


def test_several_tools_of_one_reply_begin_at_once_and_edits_go_out_in_order() -> None:
    state = run(run(given(*started(blocks=(PLAN,)), ASKED))[0], Begin("k/a/1", [Shown("plan", 3, "v")]))[0]
    edit = ("memory_append", '{"label": "plan", "text": "x"}')
    _, events = run(state, TakeReply("k/a/1", "", [("pay", "{}"), edit, edit, ("look", "")]))
    assert kinds(events)[5:] == [ToolCallStarted, MessageSent, MessageSent, ToolCallStarted]
    sent = [event for event in events if isinstance(event, MessageSent)]
    assert [(one.id, one.recipient, one.seen) for one in sent] == [
        ("k/a/1/2", "block-plan", 3),
        ("k/a/1/3", "block-plan", 3),
    ]


def test_at_most_sixteen_tools_run_at_once() -> None:
    state, events = wanting(*[("look", "{}")] * 20)
    assert kinds(events).count(ToolCallStarted) == 16
    _, events = run(state, TakeResult("k/a/1/1", "seen"))
    assert kinds(events) == [ToolCallFinished, ToolCallStarted]


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("fly", "{}", "there is no tool 'fly'; there are: look, pay, wire, memory_append"),
        ("look", "[1]", "a JSON object is wanted, not '[1]'"),
        ("look", '{"a": ', "a JSON object is wanted"),
        ("memory_append", '{"label": "plan"}', "text: Field required"),
        (
            "memory_append",
            '{"label": "plans", "text": "x"}',
            "there is no memory block 'plans'; there are: plan, notes",
        ),
        ("memory_append", '{"label": "notes", "text": "x"}', "'notes' is read-only for you"),
    ],
)
def test_a_call_that_cannot_begin_is_told_why(name: str, arguments: str, why: str) -> None:
    state = run(given(*started(blocks=(PLAN, NOTES)), ASKED))[0]
    state = run(state, Begin("k/a/1", [Shown("plan", 1, ""), Shown("notes", 1, "")]))[0]
    _, events = run(state, TakeReply("k/a/1", "", [(name, arguments)]))
    failed = next(event for event in events if isinstance(event, ToolCallFailed))
    assert why in failed.text and ToolCallStarted not in kinds(events)


def test_the_next_call_waits_for_every_tool() -> None:
    state, _ = wanting(("look", "{}"), ("pay", "{}"))
    state, events = run(state, TakeResult("k/a/1/2", "paid"))
    assert kinds(events) == [ToolCallFinished]
    _, events = run(state, TakeResult("k/a/1/1", "it broke", ok=False))
    assert kinds(events) == [ToolCallFailed, ModelCallRequested, ModelCallStarted]


def test_the_last_step_runs_its_tools_and_ends_with_the_last_text() -> None:
    state, _ = run(thinking(max_steps=1), TakeReply("k/a/1", "so far", [("look", "{}")]))
    _, events = run(state, TakeResult("k/a/1/1", "seen"))
    assert events[-1] == TurnFinished(id="k/a", to="user", text=Text("so far"), stop_reason="max_steps")


def test_an_empty_reply_is_asked_for_once_more() -> None:
    state, events = run(thinking(), TakeReply("k/a/1", ""))
    assert kinds(events)[1:] == [ModelCallRequested, ModelCallStarted]
    _, events = run(state, TakeReply("k/a/2", ""))
    assert events[-1] == TurnFinished(id="k/a", to="user", stop_reason="empty")


def test_a_failed_attempt_waits_and_the_fifth_ends_the_turn() -> None:
    state, due = thinking(), datetime(2026, 1, 1, tzinfo=UTC)
    for attempt in range(1, 5):
        state, events = run(state, TakeAttempt("k/a/1", attempt, "server", "busy", due))
        assert kinds(events) == [ModelAttemptFailed]
        state, events = run(state, Begin("k/a/1", after=attempt))
        assert isinstance(events[0], ModelCallStarted) and events[0].attempt == attempt + 1
    _, events = run(state, TakeAttempt("k/a/1", 5, "server", "busy", due))
    assert kinds(events) == [ModelAttemptFailed, ModelCallFailed, TurnFailed]
    assert events[-1] == TurnFailed(id="k/a", to="user", text=Text("busy"))


def test_what_was_prepared_before_an_attempt_does_not_cut_the_pause_after_it_short() -> None:
    state, _ = run(thinking(), TakeAttempt("k/a/1", 1, "rate_limit", "busy", datetime(2026, 1, 1, tzinfo=UTC)))
    assert rules.take(state, Begin("k/a/1", after=0)) == []
    assert kinds(rules.take(state, Begin("k/a/1", after=1)) or []) == [ModelCallStarted]


def test_a_failure_that_no_attempt_mends_ends_the_turn() -> None:
    _, events = run(thinking(), TakeAttempt("k/a/1", 1, "auth", "wrong key"))
    assert kinds(events) == [ModelAttemptFailed, ModelCallFailed, TurnFailed]


@pytest.mark.parametrize(
    "late",
    [
        TakeReply("k/a/1", "late"),
        TakeAttempt("k/a/1", 1, "cut", ""),
        TakeResult("k/a/1/9", "x"),
        Begin("k/a/1"),
        Resolve("k/a/1/1", "user", "x", "user"),
    ],
)
def test_what_nobody_waits_for_adds_nothing(late: Command) -> None:
    state, _ = wanting(("look", "{}"))
    assert rules.take(state, late) == []


def test_a_reply_to_a_running_call_is_not_begun_again() -> None:
    assert rules.take(thinking(), Begin("k/a/1")) == []


@pytest.mark.parametrize(
    ("tool", "then"),
    [("look", [ToolCallStarted]), ("pay", [ToolCallInDoubt, ToolCallResolved]), ("wire", [ToolCallInDoubt])],
)
def test_a_tool_that_was_cut_short_follows_its_effect(tool: str, then: list[type[Event]]) -> None:
    _, events = run(wanting((tool, "{}"))[0], Resume())
    assert events[0] == TurnResumed(id="k/a", attempt=2)
    assert kinds(events)[1 : len(then) + 1] == then


def test_a_tool_run_again_has_the_same_key() -> None:
    state, events = wanting(("look", "{}"))
    first = next(event for event in events if isinstance(event, ToolCallStarted))
    again = run(state, Resume())[1][1]
    assert isinstance(again, ToolCallStarted)
    assert (again.callkey, again.attempt) == (first.callkey, 2) == ("log/k/a/1/1", 2)


def test_a_doubt_is_closed_by_who_looked() -> None:
    state, _ = run(wanting(("wire", "{}"))[0], Resume())
    _, events = run(state, Resolve("k/a/1/1", "user", "it was done", "reconcile"))
    assert events[0] == ToolCallResolved(id="k/a/1/1", text=Text("it was done"), by="reconcile")
    assert kinds(events)[1:] == [ModelCallRequested, ModelCallStarted]


def test_a_model_call_that_was_cut_short_is_a_new_attempt() -> None:
    _, events = run(thinking(), Resume())
    assert kinds(events) == [TurnResumed, ModelCallStarted]
    assert isinstance(events[1], ModelCallStarted) and events[1].attempt == 2


def test_a_turn_that_only_waits_is_not_resumed() -> None:
    assert rules.take(given(*started()), Resume()) == []
    assert (
        rules.take(
            run(thinking(), TakeAttempt("k/a/1", 1, "server", "", datetime(2026, 1, 1, tzinfo=UTC)))[0], Resume()
        )
        == []
    )


def test_a_cancelled_turn_fails_what_has_not_begun_and_waits_for_what_has() -> None:
    state, _ = wanting(*[("look", "{}")] * 17)
    state, events = run(evolve(state, TurnCancelling(id="k/a")))
    assert kinds(events) == [ToolCallFailed]
    for n in range(1, 17):
        state, events = run(state, TakeResult(f"k/a/1/{n}", "seen"))
    assert events[-1] == TurnCancelled(id="k/a", to="user", text=Text("cancelled"))


def test_a_reply_after_a_cancel_changes_nothing() -> None:
    state, events = run(evolve(thinking(), TurnCancelling(id="k/a")))
    assert kinds(events) == [ModelCallFailed, TurnCancelled]
    assert rules.take(state, TakeReply("k/a/1", "late")) == []


def test_an_answered_edit_closes_its_call() -> None:
    state = run(run(given(*started(blocks=(PLAN,)), ASKED))[0], Begin("k/a/1", [Shown("plan", 3, "v")]))[0]
    state, _ = run(state, TakeReply("k/a/1", "", [("memory_append", '{"label": "plan", "text": "x"}')]))
    _, events = run(evolve(state, SendAnswered(id="k/a/1/1", text=Text("done"))))
    assert events[0] == ToolCallFinished(id="k/a/1/1", text=Text("done"))


def test_a_block_that_others_changed_is_news_and_ones_own_edit_is_not() -> None:
    state = run(run(given(*started(blocks=(PLAN,)), ASKED))[0], Begin("k/a/1", [Shown("plan", 3, "v")]))[0]
    state, _ = run(state, TakeReply("k/a/1", "", [("look", "{}")]))
    state, _ = run(state, TakeResult("k/a/1/1", "seen"))
    first = [Shown("plan", 3, "v")]
    theirs = rules.take(state, Begin("k/a/2", [Shown("plan", 5, "w", others=("agent-b",))], first))
    own = rules.take(state, Begin("k/a/2", [Shown("plan", 5, "w")], first))
    assert [event.news for event in [*(theirs or []), *(own or [])] if isinstance(event, ModelCallStarted)] == [
        ("plan",),
        (),
    ]


def test_the_effect_of_a_call_is_what_was_recorded_when_it_was_wanted() -> None:
    state, events = wanting(("look", "{}"))
    assert [event.effect for event in events if isinstance(event, ToolCallRequested)] == ["read"]
    changed = AgentSpec(name="a", tools=(ToolSpec(name="look", effect="once"),))
    state = evolve(state, AgentStarted(spec=changed))
    assert kinds(run(state, Resume())[1])[:2] == [TurnResumed, ToolCallStarted]
