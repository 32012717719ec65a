"""Messages of a running tool as rules tested as data: given events, when a command comes, then events."""

from __future__ import annotations

from typing import Any

from callboard.actors import agent as rules
from callboard.actors.commands import Cancel, Command, DropSend, Resume, TakeAnswer, TakeReply, TakeResult, TakeSend
from callboard.actors.messaging import MAX_HOPS
from callboard.actors.rules import cancel as cancel_any
from callboard.actors.rules import take as take_any
from callboard.events import CallEnded, Event, MessageChanged, Text
from callboard.events.catalog import (
    AgentStarted,
    MessageReceived,
    MessageSent,
    ModelCallRequested,
    ModelCallStarted,
    SendCancelling,
    SendFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallResolved,
    ToolCallStarted,
    TurnCancelled,
    TurnFinished,
)
from callboard.events.specs import AgentSpec, ToolSpec
from callboard.projections import AgentState
from callboard.projections.agent import evolve

CALL, FIRST, SECOND = "k/a/1/1", "k/a/1.1.1/b", "k/a/1.1.2/b"


def run(state: AgentState, *commands: Command) -> tuple[AgentState, list[Event]]:
    """Take in commands and follow until nothing more, as a step does."""
    events: list[Event] = []
    for command in commands:
        taken = rules.take(state, command)
        for event in take_any(state.desk, command) if taken is None else taken:
            state = evolve(state, event)
            events.append(event)
    while more := cancel_any(state.desk) or rules.follow(state, "log"):
        for event in more:
            state = evolve(state, event)
        events += more
    return state, events


def running(effect: Any = "read", hops: int = 0) -> AgentState:
    """Return an agent whose tool runs."""
    spec = AgentSpec(name="a", tools=(ToolSpec(name="consult", effect=effect),))
    state = evolve(AgentState(), AgentStarted(spec=spec))
    state = evolve(state, MessageReceived(id="k/a", sender="user", parts=(), hops=hops))
    return run(run(state)[0], TakeReply("k/a/1", "", [("consult", "{}")]))[0]


def sending(id: str = FIRST, text: str = "why?", attempt: int = 1) -> TakeSend:
    return TakeSend(id, "agent-a", "agent-b", "ask", Text(text), attempt)


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def test_a_message_of_a_running_tool_is_opened_in_its_agents_stream() -> None:
    _, events = run(running(hops=3), sending())
    [sent] = events
    assert isinstance(sent, MessageSent) and (sent.id, sent.recipient, sent.hops) == (FIRST, "agent-b", 4)
    assert sent.parts[0][:2] == ("a", "why?")


def test_the_same_number_again_sends_nothing_and_another_text_under_it_is_an_error() -> None:
    state, _ = run(running(), sending())
    assert run(state, sending())[1] == [] == run(state, sending(text="how?"))[1]
    assert rules.reaching.fault(state, sending()) is None
    assert isinstance(rules.reaching.fault(state, sending(text="how?")), MessageChanged)


def test_a_tool_that_runs_again_is_known_to_have_its_answer() -> None:
    state, _ = run(running(), sending(), TakeAnswer(FIRST, "so"))
    state, events = run(state, Resume())
    assert kinds(events)[1:] == [ToolCallStarted] and state.tools[CALL].came == {1: ("so", True)}
    assert run(state, sending(attempt=2))[1] == []


def test_what_an_earlier_attempt_wants_to_send_goes_nowhere() -> None:
    state, _ = run(running(), Resume())
    assert run(state, sending(attempt=1))[1] == []
    assert isinstance(rules.reaching.fault(state, sending(attempt=1)), CallEnded)


def test_a_request_that_was_passed_on_too_often_goes_no_further() -> None:
    state = running(hops=MAX_HOPS)
    assert run(state, sending())[1] == [] and "64 times" in str(rules.reaching.fault(state, sending()))


def test_what_a_tool_leaves_open_is_cancelled_and_no_turn_ends_before_it_is_closed() -> None:
    state, events = run(running(), sending(), TakeResult(CALL, "done"))
    assert kinds(events[1:]) == [ToolCallFinished, SendCancelling, ModelCallRequested, ModelCallStarted]
    state, events = run(state, TakeReply("k/a/2", "said"))
    assert TurnFinished not in kinds(events)
    assert kinds(run(state, TakeAnswer(FIRST, "cancelled", ok=False))[1]) == [SendFailed, TurnFinished]


def test_a_once_tool_that_a_crash_cut_short_is_in_doubt_and_its_message_is_cancelled() -> None:
    state, _ = run(running("once"), sending())
    _, events = run(state, Resume())
    assert kinds(events)[1:4] == [ToolCallInDoubt, ToolCallResolved, SendCancelling]


def test_a_cancelled_turn_cancels_what_its_tool_sent_and_sends_no_more() -> None:
    state, _ = run(running(), sending())
    state, events = run(state, Cancel("k/a", "user"), sending(SECOND))
    assert kinds(events)[1:] == [SendCancelling]
    state, events = run(state, TakeResult(CALL, "late"))
    assert kinds(events) == [ToolCallFinished]
    assert kinds(run(state, TakeAnswer(FIRST, "cancelled", ok=False))[1]) == [SendFailed, TurnCancelled]


def test_a_message_is_taken_back_once() -> None:
    state, _ = run(running(), sending())
    state, events = run(state, DropSend(FIRST))
    assert kinds(events) == [SendCancelling] and run(state, DropSend(FIRST))[1] == []
