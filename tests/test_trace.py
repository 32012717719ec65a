"""The trace: a tree of spans, from events alone."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from callboard.events import Text
from callboard.events.catalog import (
    BlockEdited,
    BlockStarted,
    MessageReceived,
    MessageRefused,
    MessageSent,
    ModelCallRequested,
    ModelCallStarted,
    Part,
    SendFailed,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallResolved,
    ToolCallStarted,
    TurnResumed,
    TurnStarted,
)
from callboard.events.specs import BlockSpec
from callboard.projections import block_history, fold, pending
from callboard.projections.block import difference
from callboard.projections.shapes import span_shape
from callboard.projections.spans import EditSpan, ModelSpan, Root, Step, ToolSpan, TurnSpan, summary, walk
from callboard.projections.trace import trace_roots

from .teams import history, log_of


def root(trace: str) -> Root:
    return trace_roots(history(), trace)[0]


def spans(trace: str) -> list[Step]:
    return list(walk(root(trace)))


def tools(trace: str) -> dict[str, ToolSpan]:
    return {span.id: span for span in spans(trace) if isinstance(span, ToolSpan)}


def started(id: str, stream: str = "agent-a") -> list[tuple[str, MessageReceived | TurnStarted]]:
    part = Part(speaker="user", text=Text("go"))
    return [(stream, MessageReceived(id=id, sender="user", parts=(part,))), (stream, TurnStarted(id=id))]


def test_what_was_asked_from_outside_is_a_root() -> None:
    assert [r.id for r in trace_roots(history())] == [
        "tides/team", "hand/plan", "hand2/plan", "shorter/team", "hello/critic",
    ]  # fmt: skip


def test_turns_of_a_group_in_a_group_nest() -> None:
    top = root("tides")
    assert isinstance(top, TurnSpan)
    desk = top.steps[0]
    assert isinstance(desk, TurnSpan)
    assert (desk.stream, desk.asked_by) == ("group-desk", "group-team")
    turns = [step.stream for step in desk.steps if isinstance(step, TurnSpan)]
    assert turns == ["agent-writer", "agent-critic"]
    assert top.text == "Edited."


def test_a_failed_turn_says_why_and_by_whom_it_was_asked() -> None:
    [critic] = [s for s in spans("tides") if isinstance(s, TurnSpan) and s.stream == "agent-critic"]
    assert (critic.state, critic.text, critic.asked_by) == ("failed", "bad key", "group-desk")


def test_a_model_call_keeps_its_failed_attempts() -> None:
    call = next(span for span in spans("tides") if isinstance(span, ModelSpan))
    assert [(a.number, a.failure, a.text) for a in call.attempts] == [(1, "rate_limit", "slow down"), (2, "", "")]
    assert (call.model, call.usage and call.usage.input_tokens, call.state) == ("m-1", 1200, "finished")
    assert call.seconds == 2


def test_tools_that_ran_side_by_side_stand_in_the_order_of_the_reply() -> None:
    called = [span for span in tools("tides").values() if "writer" in span.id]
    assert [(span.tool, span.state) for span in called] == [
        ("memory_append", "finished"), ("count", "finished"), ("broken", "failed"),
    ]  # fmt: skip
    assert called[1].text == "3"
    assert called[2].text == "ValueError: no luck"


def test_an_edit_stands_under_the_call_that_asked_for_it() -> None:
    call = tools("tides")["tides/team/1/desk/1/writer/1/1"]
    [edit] = call.steps
    assert isinstance(edit, EditSpan)
    assert (edit.stream, edit.version, edit.diff) == ("block-plan", 2, (" Second line.", "+tides"))


def test_a_refused_edit_says_why() -> None:
    [edit] = tools("tides")["tides/team/2/editor/1/1"].steps
    assert isinstance(edit, EditSpan)
    assert (edit.state, edit.diff) == ("refused", ())
    assert edit.text.startswith("refused: 'not there' does not stand in the block")


def test_an_edit_from_outside_is_a_root_of_its_own() -> None:
    edit = root("hand")
    assert isinstance(edit, EditSpan)
    assert (edit.asked_by, edit.verb, edit.put, edit.open) == ("user", "memory_append", "by hand", False)


def test_the_edits_of_a_trace_are_those_of_the_block() -> None:
    events = [event for event in history() if event.stream == "block-plan"]
    steps = fold(block_history, events).versions
    known = {v.call: difference(old.value, v.value) for old, v in pairwise(steps) if v.call}
    assert known == {v.call: v.diff for v in steps if v.call}
    traced = {s.id: s.diff for top in trace_roots(history()) for s in walk(top) if isinstance(s, EditSpan)}
    assert traced == known


def test_one_request_with_its_blocks_gives_the_same_tree_as_the_whole_log() -> None:
    events = [e for e in history() if e.data.correlation_id == "shorter" or e.stream == "block-plan"]
    assert trace_roots(events, "shorter") == trace_roots(history(), "shorter")


def test_an_edit_for_a_request_that_is_not_read_is_no_root() -> None:
    events = [event for event in history() if event.stream == "block-plan"]
    assert [span.id for span in trace_roots(events)] == ["hand/plan", "hand2/plan"]


def test_spans_are_open_exactly_where_something_is_pending() -> None:
    kinds: dict[type, str] = {TurnSpan: "turn", ModelSpan: "call", ToolSpan: "tool"}
    for end in range(len(history()) + 1):
        events = history()[:end]
        found = [s for top in trace_roots(events) for s in walk(top) if type(s) in kinds]
        shown = {
            (kinds[type(span)], span.id)
            for span in found
            if span.open and (type(span), span.state) != (TurnSpan, "sent")
        }
        assert shown == {key for key in fold(pending, events).items if key[0] != "send"}, end


def test_a_span_knows_where_it_begins_and_ends() -> None:
    events = {event.position: event for event in history()}
    for span in spans("tides"):
        assert events[span.first].data.id == events[span.last].data.id == span.id


def test_a_call_in_doubt_says_who_resolved_it() -> None:
    call = [
        ToolCallRequested(id="k/a/1/1", tool="pay", arguments=Text("{}"), effect="once"),
        ToolCallStarted(id="k/a/1/1", attempt=1, callkey="x"),
        ToolCallInDoubt(id="k/a/1/1"),
        ToolCallResolved(id="k/a/1/1", text=Text("paid"), by="user"),
    ]
    [top] = trace_roots(log_of(*started("k/a"), *(("agent-a", event) for event in call)))
    [span] = [step for step in walk(top) if isinstance(step, ToolSpan)]
    assert (span.state, span.in_doubt, span.resolved_by, span.text) == ("resolved", True, "user", "paid")


def test_an_attempt_that_a_stop_cut_is_marked() -> None:
    call = [
        ModelCallRequested(id="k/a/1"),
        ModelCallStarted(id="k/a/1", attempt=1, prompt=""),
        TurnResumed(id="k/a", attempt=2),
        ModelCallStarted(id="k/a/1", attempt=2, prompt=""),
    ]
    [top] = trace_roots(log_of(*started("k/a"), *(("agent-a", event) for event in call)))
    [span] = [step for step in walk(top) if isinstance(step, ModelSpan)]
    assert [attempt.failure for attempt in span.attempts] == ["stopped", ""]
    assert isinstance(top, TurnSpan) and top.attempt == 2


def test_a_message_that_reached_nobody_is_a_failed_turn() -> None:
    sent = MessageSent(id="k/g/1/a", recipient="agent-a", kind="turn")
    lost = SendFailed(id="k/g/1/a", text=Text("nobody there"), accepted=False)
    [top] = trace_roots(log_of(*started("k/g", "group-g"), ("group-g", sent), ("group-g", lost)))
    assert isinstance(top, TurnSpan)
    [member] = top.steps
    assert isinstance(member, TurnSpan)
    assert (member.state, member.text, member.open) == ("failed", "nobody there", False)


def test_a_request_that_was_cancelled_before_it_came_is_a_root() -> None:
    [top] = trace_roots(log_of(("agent-a", MessageRefused(id="k/a", to="user", text=Text("cancelled")))))
    assert summary(top).state == "cancelled"


def test_what_a_tool_asks_of_others_stands_under_its_call() -> None:
    call = ToolCallRequested(id="k/a/1/1", tool="ask", arguments=Text("{}"), effect="send")
    sent = MessageSent(id="k/a/1/1", recipient="agent-b", kind="ask")
    got = MessageReceived(id="k/a/1/1", sender="agent-a", parts=())
    step = ModelCallRequested(id="k/a/1/1/1")
    happened = (("agent-a", call), ("agent-a", sent), ("agent-b", got), ("agent-b", step))
    [top] = trace_roots(log_of(*started("k/a"), *happened))
    assert [(type(s).__name__, s.id) for s in walk(top)][1:] == [
        ("ToolSpan", "k/a/1/1"), ("TurnSpan", "k/a/1/1"), ("ModelSpan", "k/a/1/1/1"),
    ]  # fmt: skip


values = st.text("ab \n", max_size=12)


@given(values, values, values, values, st.data())
def test_a_difference_tells_every_line_that_changed(
    old: str, before: str, put: str, after: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(old)))
    cut = data.draw(st.integers(0, len(old) - at))
    new = old[:at] + before + put + after + old[at + cut :]
    edit = BlockEdited(
        id="k/b", to="user", verb="v", at=at, cut=cut, before=before, put=Text(put), after=after, size=0, limit=0
    )
    begun = BlockStarted(spec=BlockSpec(name="b", label="b", value=Text(old)))
    [span] = trace_roots(log_of(("block-b", begun), ("block-b", edit)))
    assert isinstance(span, EditSpan)
    changed = Counter(old.splitlines())
    changed.update(line[1:] for line in span.diff if line[0] == "+")
    changed.subtract(line[1:] for line in span.diff if line[0] == "-")
    assert +changed == Counter(new.splitlines())


def test_a_summary_counts_what_the_request_led_to() -> None:
    line = summary(root("tides"))
    assert (line.trace, line.to, line.text, line.state) == ("tides", "group-team", "Write about tides.", "answered")
    assert (line.turns, line.usage.input_tokens, line.seconds) == (3, 2400, 2)
    assert line.first < line.last <= summary(root("hand")).first


def test_the_json_of_a_span_keeps_its_names() -> None:
    place = "kind id stream state open first last started ended seconds"
    names = {str(s.__class__.__name__): " ".join(span_shape(s)) for s in spans("tides")}
    assert names == {
        "TurnSpan": f"{place} asked_by wants asked text stop_reason attempt cue uses data limits faults cancelled_by "
        "steps",
        "ModelSpan": f"{place} model attempts usage text uses finish_reason blocks prompt summarises",
        "ToolSpan": f"{place} tool arguments effect text attempts in_doubt resolved_by "
        "verdicts recipients expired steps",
        "EditSpan": f"{place} asked_by verb version put diff text",
        "FailureSpan": f"{place} member turn then to text",
    }


def test_times_in_json_are_utc_and_what_is_open_has_no_end() -> None:
    shape = span_shape(trace_roots(log_of(*started("k/a")))[0])
    assert (shape["started"], shape["ended"], shape["open"]) == ("2026-01-01T00:00:01.000000Z", None, True)
