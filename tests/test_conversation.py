"""Conversations: in reading order, each line with its place in the log."""

from callboard.events import Text
from callboard.events.catalog import MessageReceived, ModelCallStarted, Part
from callboard.projections import fold
from callboard.projections.conversation import (
    Utterance,
    agent_conversation,
    group_conversation,
    request_conversation,
)
from callboard.projections.shapes import utterance_shape

from .teams import LONG, LOUD, history, log_of


def of_agent(name: str) -> list[Utterance]:
    return fold(agent_conversation, [e for e in history() if e.stream == f"agent-{name}"]).lines


def of_group(name: str) -> list[Utterance]:
    return fold(group_conversation, [e for e in history() if e.stream == f"group-{name}"]).lines


def of_request(trace: str) -> list[Utterance]:
    return fold(request_conversation, [e for e in history() if e.data.correlation_id == trace]).lines


def told(lines: list[Utterance]) -> list[tuple[str, str, str, str]]:
    return [(line.kind, line.speaker, line.to, line.text) for line in lines]


def test_an_agent_hears_speaks_calls_and_gets_back() -> None:
    assert told(of_agent("writer"))[:5] == [
        ("said", "user", "writer", "Write about tides."),
        ("said", "writer", "desk", "I look first."),
        ("tool call", "writer", "memory_append", '{"label":"plan","text":"tides"}'),
        ("tool call", "writer", "count", '{"text":"a b c"}'),
        ("tool call", "writer", "broken", '{"text":"x"}'),
    ]


def test_what_tools_gave_is_in_the_order_in_which_it_came() -> None:
    lines = [line for line in of_agent("writer") if line.to == "writer" and line.kind != "said"]
    assert {(line.kind, line.speaker) for line in lines} >= {("result", "count"), ("failure", "broken")}
    assert [line.position for line in lines] == sorted(line.position for line in lines)


def test_the_failure_of_another_is_heard_as_one() -> None:
    assert ("failure", "critic", "writer", "bad key") in told(of_agent("writer"))


def test_an_agent_that_failed_has_said_so_to_who_asked() -> None:
    assert told(of_agent("critic"))[2] == ("failure", "critic", "desk", "bad key")


def test_an_answer_is_not_said_twice() -> None:
    assert [line.text for line in of_agent("writer") if line.speaker == "writer"].count(LOUD) == 1


def test_a_message_is_heard_when_work_on_it_begins() -> None:
    asked = MessageReceived(id="k/a", sender="user", parts=(Part(speaker="user", text=Text("go")),))
    assert fold(agent_conversation, log_of(("agent-a", asked))).lines == []


def test_an_agent_is_told_of_blocks_that_others_changed() -> None:
    news = ModelCallStarted(id="k/a/2", attempt=1, blocks={"plan": 4}, news=("plan",), prompt="")
    [line] = fold(agent_conversation, log_of(("agent-a", news))).lines
    assert (line.kind, line.speaker, line.text) == ("edit", "plan", "changed by others, version 4 now")


def test_a_group_keeps_requests_words_and_failures() -> None:
    assert told(of_group("desk"))[:3] == [
        ("said", "user", "desk", "Write about tides."),
        ("said", "writer", "desk", LOUD),
        ("failure", "critic", "desk", "bad key"),
    ]


def test_a_group_within_speaks_as_a_member() -> None:
    assert [line.speaker for line in of_group("team")] == ["user", "desk", "editor", "user", "desk", "editor"]


def test_a_request_has_its_own_words_once_and_not_those_of_earlier_ones() -> None:
    assert [(line.speaker, line.to, line.text) for line in of_request("shorter")] == [
        ("user", "team", "Make it shorter, please."),
        ("writer", "desk", LONG),
        ("critic", "desk", "Weak: rise."),
        ("editor", "team", "Final."),
    ]


def test_a_request_has_the_edits_of_blocks_and_their_refusals() -> None:
    lines = told(of_request("tides"))
    assert ("edit", "writer", "plan", "tides") in lines
    [refused] = [line for line in lines if line[0] == "failure" and line[1] == "plan"]
    assert refused[2] == "editor"
    assert not [line for line in lines if line[0] == "failure" and line[1] == "memory_replace"]


def test_positions_rise() -> None:
    positions = [line.position for line in of_request("tides")]
    assert positions == sorted(positions)


def test_a_text_that_was_passed_on_refers_to_where_it_was_said() -> None:
    heard = of_agent("critic")[1]
    assert (heard.text, heard.ref) == (LOUD, ("agent-writer", heard.ref and heard.ref[1], 0))


def test_the_json_of_a_line_keeps_its_names() -> None:
    assert list(utterance_shape(of_agent("writer")[2])) == "position at kind speaker to text ref".split()
    assert utterance_shape(of_agent("writer")[2])["kind"] == "tool_call"
