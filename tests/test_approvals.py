"""Calls that wait for a person, as rules tested as data: given events, when asked, then events."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callboard.actors import agent as rules
from callboard.actors import approvals
from callboard.actors.commands import Cancel, Command, Outcome, Resolve, Resume, TakeDecision, TakeNeed, TakeReply
from callboard.actors.messaging import tool_spec
from callboard.actors.rules import take as take_any
from callboard.events import ApprovalMismatch, Event, Text
from callboard.events.catalog import (
    AgentStarted,
    ApprovalAsked,
    ApprovalGiven,
    ApprovalRefused,
    MessageReceived,
    QuestionAnswered,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRetried,
    ToolCallStarted,
    TurnCancelling,
    TurnResumed,
)
from callboard.events.specs import AgentSpec, ToolSpec
from callboard.projections import AgentState
from callboard.projections.agent import evolve
from callboard.projections.paths import digest_of

TOOLS = (ToolSpec(name="pay", needs_approval=True, in_doubt="ask"), ToolSpec(name="look"), tool_spec("ask_human"))
PAY, CALL = digest_of("pay", "{}", 1), "k/a/1/1"


def run(state: AgentState, *commands: Command) -> tuple[AgentState, list[Event]]:
    """Take in commands and follow until nothing more, as a step does."""
    events: list[Event] = []
    for command in commands:
        taken = rules.take(state, command)
        for event in take_any(state.desk, command) if taken is None else taken:
            state = evolve(state, event)
            events.append(event)
    while more := rules.follow(state, "log"):
        for event in more:
            state = evolve(state, event)
        events += more
    return state, events


def wanting(*uses: tuple[str, str]) -> AgentState:
    """Return an agent after a reply that wants tools."""
    state = evolve(AgentState(), AgentStarted(spec=AgentSpec(name="a", tools=TOOLS)))
    state = evolve(state, MessageReceived(id="k/a", sender="user", parts=()))
    return run(run(state)[0], TakeReply("k/a/1", "", uses))[0]


def asked() -> AgentState:
    """Return an agent that waits for leave to pay."""
    return run(wanting(("pay", "{}")), TakeNeed(CALL, 0, asks=True))[0]


def said(outcome: Outcome, text: str = "", *, digest: str = PAY, key: str = "c") -> TakeDecision:
    return TakeDecision(CALL, "user", outcome, text, "anna", key, digest)


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def test_nothing_begins_before_it_is_known_whether_a_person_is_asked() -> None:
    state = wanting(("pay", "{}"), ("look", "{}"))
    assert [call.phase for call in state.tools.values()] == ["wanted", "running"]


def test_a_person_is_asked_about_the_very_arguments_and_the_attempt() -> None:
    _, events = run(wanting(("pay", "{}")), TakeNeed(CALL, 0, asks=True, note="ValueError: no"))
    assert events == [ApprovalAsked(id=CALL, digest=PAY, text=Text("ValueError: no"))]
    assert len({digest_of("pay", "{}", 1), digest_of("pay", "{ }", 1), digest_of("pay", "{}", 2)} | {PAY}) == 3


def test_a_call_that_nobody_need_be_asked_about_begins_and_that_is_recorded() -> None:
    _, events = run(wanting(("pay", "{}")), TakeNeed(CALL, 0, asks=False))
    assert events[0] == ApprovalGiven(id=CALL, by="policy", digest=PAY) and kinds(events[1:]) == [ToolCallStarted]


def test_an_approved_call_begins_and_its_key_counts_once() -> None:
    _, events = run(asked(), said("approved"))
    assert events[0] == ApprovalGiven(id=CALL, by="anna", command="c", digest=PAY)
    assert kinds(events[1:]) == [ToolCallStarted] and events[0].key == "command:c"


def test_a_refused_call_fails_with_the_reason() -> None:
    _, events = run(asked(), said("refused", "too much"))
    assert events[0] == ApprovalRefused(id=CALL, by="anna", command="c", digest=PAY, text=Text("too much"))
    assert events[1] == ToolCallFailed(id=CALL, text=Text("too much"))


@pytest.mark.parametrize(
    "decision", [said("approved", digest=digest_of("pay", '{"n": 1}', 1)), said("approved", digest="")]
)
def test_an_approval_of_anything_else_adds_nothing(decision: TakeDecision) -> None:
    assert run(asked(), decision)[1] == []
    assert isinstance(approvals.fault(asked().tools[CALL], decision), ApprovalMismatch)


def test_arguments_that_are_not_those_that_were_asked_about_are_never_begun() -> None:
    state, call = asked(), asked().tools[CALL]
    other = call.wanted.model_copy(update={"arguments": Text('{"n": 1}')})
    changed = replace(state, tools={CALL: replace(call, wanted=other)})
    assert run(changed, said("approved"))[1] == []
    approved = replace(state, tools={CALL: replace(call, wanted=other, phase="approved")})
    assert run(approved)[1][0] == ToolCallFailed(id=CALL, text=Text(approvals.OTHER))


def test_a_call_in_doubt_that_runs_again_asks_again() -> None:
    state, _ = run(asked(), said("approved"))
    state, events = run(state, Resume())
    assert kinds(events) == [TurnResumed, ToolCallInDoubt]
    state, events = run(state, Resolve(CALL, "user", None, "user", "again"))
    assert kinds(events) == [ToolCallRetried] and state.tools[CALL].phase == "wanted"
    state, events = run(state, TakeNeed(CALL, 1, asks=True))
    assert events == [ApprovalAsked(id=CALL, digest=digest_of("pay", "{}", 2))]
    assert run(state, said("approved", key="late"))[1] == []


def test_what_was_looked_up_before_an_attempt_does_not_count_for_the_next() -> None:
    state, _ = run(asked(), said("approved"))
    state, _ = run(state, Resume())
    state, _ = run(state, Resolve(CALL, "user", None, "user", "again"))
    assert state.tools[CALL].phase == "wanted" and run(state, TakeNeed(CALL, 0, asks=False))[1] == []


def test_a_cancel_closes_a_call_that_waits() -> None:
    question = run(wanting(("ask_human", '{"question": "which?"}')))[0]
    for state in (asked(), question, wanting(("pay", "{}"))):
        _, events = run(state, Cancel("k/a", "user"))
        assert kinds(events)[:2] == [TurnCancelling, ToolCallFailed]


def test_a_question_is_asked_at_once_and_the_answer_is_the_result() -> None:
    state = wanting(("ask_human", '{"question": "which?"}'))
    assert state.tools[CALL].phase == "question"
    _, events = run(state, said("answered", "this"))
    assert events[0] == QuestionAnswered(id=CALL, by="anna", command="c", text=Text("this"))
    assert events[1] == ToolCallFinished(id=CALL, text=Text("this"))


def test_a_question_without_words_is_refused_for_the_model_to_mend() -> None:
    state = wanting(("ask_human", '{"question": ""}'))
    assert not state.tools
