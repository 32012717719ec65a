"""What a terminal shows of a request."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

from rich.console import Console

from callboard.actors.streaming import TextDelta
from callboard.events import Event, RecordedEvent, Text
from callboard.events.catalog import (
    ApprovalAsked,
    ApprovalGiven,
    ChoiceMade,
    ModelCallFinished,
    ModelCallStarted,
    QuestionAnswered,
    QuestionAsked,
    ToolCallFinished,
    ToolCallRequested,
    TurnCancelled,
    TurnCancelling,
)
from callboard.scripts.transcript import Transcript, Words

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
A, B = "t/g/1/a/1", "t/g/2/b/1"


def said(id: str, text: str) -> RecordedEvent:
    return event(id, ModelCallFinished(id=id, text=Text(text)))


def event(id: str, data: Event) -> RecordedEvent:
    return RecordedEvent(1, f"agent-{id.split('/')[3]}", 1, NOON, None, b"", data)


def piece(id: str, text: str) -> TextDelta:
    return TextDelta(id.split("/")[3], id, 1, text)


def shown(*items: RecordedEvent | TextDelta, answer: str = "") -> str:
    screen = io.StringIO()
    transcript = Transcript(Console(file=screen, force_terminal=True, width=60))
    for item in items:
        transcript.show(item)
    transcript.end("g", answer)
    return re.sub("\x1b[^m]*m", "", screen.getvalue())


def wrapped(width: int, *pieces: str) -> list[str]:
    screen = io.StringIO()
    words = Words(Console(file=screen, width=width), "  ")
    for one in pieces:
        words.add(one)
    words.end()
    return screen.getvalue().split("\n")


def test_who_speaks_meanwhile_is_shown_when_the_first_has_ended():
    mixed = [piece(A, "one "), piece(B, "three "), piece(A, "two"), said(B, "three four"), said(A, "one two")]
    assert shown(*mixed) == "a\n  one two\n\nb\n  three four\n"


def test_pieces_that_came_while_another_spoke_are_not_lost():
    mixed = [piece(A, "one "), piece(B, "three "), said(A, "one "), piece(B, "four"), said(B, "three four")]
    assert shown(*mixed) == "a\n  one\n\nb\n  three four\n"


def test_where_pieces_were_lost_on_the_way_the_whole_is_shown_once_more():
    assert shown(piece(A, "one "), piece(A, "three"), said(A, "one two three")) == ("a\n  one three\n  one two three\n")


def test_an_answer_that_nobody_said_last_is_shown_at_the_end():
    assert shown(said(A, "one"), answer="one") == "a\n  one\n"
    assert shown(said(A, "one"), answer="two") == "a\n  one\n\ng\n  two\n"


def test_a_result_stands_behind_its_call_and_below_where_another_call_came_between():
    calls = [
        event(A, ToolCallRequested(id=f"{A}/{n}", tool=f"t{n}", arguments=Text("{}"), effect="read")) for n in (1, 2)
    ]
    ends = [event(A, ToolCallFinished(id=f"{A}/{n}", text=Text(f"r{n}"))) for n in (1, 2)]
    assert shown(calls[0], ends[0], calls[1], ends[1]) == "a\n  ▸ t1() → r1\n  ▸ t2() → r2\n"
    assert shown(*calls, *ends) == "a\n  ▸ t1()\n  ▸ t2()\n  = t1 → r1\n  = t2 → r2\n"


def test_words_are_wrapped_however_the_pieces_are_cut():
    whole = wrapped(20, "one two three four five six")
    assert whole == ["  one two three", "  four five six", ""]
    assert wrapped(20, *"one two three four five six") == whole


def test_what_has_no_room_in_a_line_is_cut_by_columns():
    assert wrapped(10, "ab " + "x" * 15) == ["  ab", "  xxxxxxx", "  xxxxxxx", "  x", ""]
    assert wrapped(11, "潮の満ち引き") == ["  潮の満ち", "  引き", ""]


def test_lines_and_their_indents_stay():
    assert wrapped(40, "a\n\n  - b\n", "\tc") == ["  a", "", "    - b", "      c", ""]


def began(id: str) -> RecordedEvent:
    return event(id, ModelCallStarted(id=id, attempt=1, prompt=""))


def test_of_several_that_begin_at_once_the_first_is_named_and_the_others_when_they_speak():
    assert shown(began(A), began(B), said(A, "one"), said(B, "two")) == "a\n  one\n\nb\n  two\n"


def test_who_begins_after_the_others_have_ended_is_named_at_once():
    assert shown(began(A), said(A, "one"), began(B)) == "a\n  one\n\nb\n"


def ended_with(id: str, tool: str, arguments: str) -> list[RecordedEvent]:
    call = f"{id}/1"
    wanted = ToolCallRequested(id=call, tool=tool, arguments=Text(arguments), effect="ends")
    return [event(id, wanted), event(id, ToolCallFinished(id=call, text=Text("noted")))]


def test_what_ended_a_turn_is_shown_in_words():
    task = '{"worker": "b", "task": "Count."}'
    handed = '{"to": "b", "reason": "money", "message": "March."}'
    assert shown(*ended_with(A, "delegate", task)) == "a\n  → delegate b: Count.\n"
    assert shown(*ended_with(A, "hand_off", handed)) == "a\n  → hand_off b: money; March.\n"
    assert shown(*ended_with(A, "leave", '{"why": "x"}')) == 'a\n  → leave {"why": "x"}\n'
    assert shown(*ended_with(A, "delegate", "[erased]")) == "a\n  → delegate [erased]\n"


def test_a_choice_is_shown_once_as_it_was_read():
    made = ChoiceMade(
        id="t/g", turn=1, by="a", tool="vote", options=("x", "y"), choice="x", read="tool", reason=Text("ok")
    )
    group = RecordedEvent(1, "group-g", 1, NOON, None, b"", made)
    assert shown(*ended_with(A, "vote", '{"choice": "x"}'), group) == "a\n  → vote x: ok\n"


# -- people -----------------------------------------------------------------------------------------

PAY, ASK = "t/g/1/a/1/1", "t/g/1/a/1/2"


def wanted(id: str, tool: str, arguments: str) -> RecordedEvent:
    return event(id, ToolCallRequested(id=id, tool=tool, arguments=Text(arguments), effect="once"))


def piped(*items: RecordedEvent, asks: bool = False) -> list[str]:
    screen = io.StringIO()
    transcript = Transcript(Console(file=screen, width=200), asks=asks)
    for item in items:
        transcript.show(item)
    return screen.getvalue().splitlines()


def test_what_waits_for_a_person_is_said_with_the_command_that_decides():
    asked = wanted(PAY, "pay", '{"n": 7}'), event(PAY, ApprovalAsked(id=PAY, digest="d"))
    question = (
        wanted(ASK, "ask_human", '{"question": "which?", "options": ["x", "y"]}'),
        event(ASK, QuestionAsked(id=ASK)),
    )
    assert piped(*asked, *question) == [
        "a:",
        f"[person] pay(n=7) waits for a person: callboard people approve LOG {PAY}, or deny LOG {PAY} REASON",
        f"[person] which? (x | y) - a person is asked: callboard people answer LOG {ASK} TEXT",
    ]
    assert piped(*asked, *question, asks=True) == ["a:"]


def test_who_decided_is_said_and_a_rule_is_not():
    given = ApprovalGiven(id=PAY, by="anna", command="c", digest="d"), ApprovalGiven(id=PAY, by="policy", digest="d")
    answered = QuestionAnswered(id=ASK, by="bert", command="c", text=Text("x"))
    shown = piped(wanted(PAY, "pay", "{}"), *(event(PAY, one) for one in given), event(ASK, answered))
    assert shown == ["a:", "[note] pay() was approved by anna", "[note] answered by bert"]


def test_a_turn_that_was_cancelled_says_by_whom():
    id = "t/g/1/a"
    cancelled = TurnCancelled(id=id, to="user", text=Text("cancelled"))
    assert piped(event(id, TurnCancelling(id=id, by="anna")), event(id, cancelled)) == [
        "a:",
        "[failed] cancelled by anna",
    ]
