"""The trace of groups: choices, failures and what followed, load, scaling, background work."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callboard.projections import fold, pending
from callboard.projections.shapes import span_shape
from callboard.projections.spans import (
    ChoiceSpan,
    FailureSpan,
    JobSpan,
    LoadSpan,
    ModelSpan,
    ScalingSpan,
    Step,
    ToolSpan,
    TurnSpan,
    walk,
)
from callboard.projections.trace import trace_roots
from callboard.scripts.main import main

from .talks import TALKS, talked, write_talk

Show = Callable[..., str]
PLACE = "kind id stream state open first last started ended seconds"


def spans(talk: str, trace: str = "k1") -> list[Step]:
    return [span for root in trace_roots(talked(talk), trace) for span in walk(root)]


def choices(talk: str) -> list[ChoiceSpan]:
    return [span for span in spans(talk) if isinstance(span, ChoiceSpan)]


def failures(talk: str) -> list[tuple[str, int, str, str]]:
    return [(s.member, s.turn, s.then, s.to) for s in spans(talk) if isinstance(s, FailureSpan)]


def turns(talk: str, trace: str = "k1") -> list[TurnSpan]:
    return [span for span in spans(talk, trace) if isinstance(span, TurnSpan) and span.stream != "group-team"]


def test_a_choice_says_who_was_asked_for_what_and_how_it_was_read() -> None:
    found = [(c.by, c.turn, c.options, c.choice, c.state, c.reason) for c in choices("dynamic")]
    assert found == [
        ("boss", 1, ("writer", "critic"), "writer", "tool", "nobody has written yet"),
        ("boss", 3, ("critic",), "critic", "prose", "I think critic should speak."),
        ("boss", 6, ("writer",), "writer", "fallback", "names none"),
    ]


def test_a_choice_by_rule_names_nobody() -> None:
    [made] = choices("route")
    assert (made.by, made.turn, made.choice, made.state, made.reason) == (
        "", 0, "clerk", "rule", "fits best by tags (1)",
    )  # fmt: skip


def test_who_votes_for_nothing_is_shown_with_no_choice() -> None:
    first = [(c.by, c.choice, c.state) for c in choices("consensus")[:3]]
    assert first == [("writer", "tea", "tool"), ("critic", "coffee", "prose"), ("second", "", "fallback")]


def test_a_question_asked_again_is_tied_to_the_first() -> None:
    again = [turn for turn in turns("dynamic") if turn.instead_of]
    assert [(turn.id, turn.instead_of, turn.cue.pick) for turn in again] == [
        ("k1/team/6/boss", "k1/team/5/boss", "choose_next_speaker")
    ]


@pytest.mark.parametrize(
    ("talk", "followed", "tries"),
    [
        ("retry", [("writer", 1, "retry", "writer"), ("critic", 3, "retry", "critic"), ("critic", 4, "skip", "")], 2),
        ("reroute", [("writer", 1, "reroute", "critic")], 1),
        ("standby", [("boss", 1, "standby", "second")], 1),
        ("fail", [("writer", 1, "fail", "")], 0),
    ],
)
def test_a_failure_says_what_followed(talk: str, followed: list[tuple[str, int, str, str]], tries: int) -> None:
    assert failures(talk) == followed
    assert sum(bool(turn.instead_of) for turn in turns(talk)) == tries


def test_a_failure_stands_behind_the_turn_that_failed_and_before_the_next() -> None:
    [root] = trace_roots(talked("reroute"), "k1")
    assert isinstance(root, TurnSpan)
    kinds = [(type(step).__name__, step.state) for step in root.steps]
    assert kinds == [("TurnSpan", "failed"), ("FailureSpan", "reroute"), ("TurnSpan", "answered")]


def test_what_was_delegated_and_handed_off_is_with_the_turn() -> None:
    boss = turns("supervisor")[0]
    assert [(use.name, json.loads(use.arguments)["worker"]) for use in boss.uses] == [
        ("delegate", "writer"), ("delegate", "critic"),
    ]  # fmt: skip
    assert [turn.cue.apart for turn in turns("supervisor")[:3]] == [False, True, True]
    [use] = turns("handoff")[0].uses
    assert (use.name, json.loads(use.arguments)["to"]) == ("hand_off", "critic")


def test_a_job_stands_under_the_request_that_caused_it_with_the_turn_that_did_it() -> None:
    [job] = [span for span in spans("sleeptime", "k2") if isinstance(span, JobSpan)]
    assert (job.id, job.member, job.state, job.since, job.upto) == ("k2/team/2/keeper", "keeper", "finished", 0, 4)
    assert job.note.startswith("You look after the memory of boss")
    [turn] = job.steps
    assert isinstance(turn, TurnSpan) and turn.id == job.id
    called = [step.tool for step in turn.steps if isinstance(step, ToolSpan)]
    assert called == ["memory_append", "memory_finish_edits"]


def test_a_job_that_failed_says_why() -> None:
    [job] = [span for span in spans("sleeptime", "k4") if isinstance(span, JobSpan)]
    assert (job.state, job.text, job.since, job.upto) == ("failed", "no credit", 4, 8)


def test_scaling_and_the_load_it_went_by_are_shown() -> None:
    found = spans("life", "k3")
    [load] = [span for span in found if isinstance(span, LoadSpan)]
    assert (load.state, load.waiting, sorted(load.latency)) == (
        "observed", {"writer": 0, "editor": 0}, ["editor", "writer"],
    )  # fmt: skip
    [scaled] = [span for span in found if isinstance(span, ScalingSpan)]
    assert (scaled.had, scaled.wanted, scaled.joined, scaled.left) == (0, 2, ("hand-1", "hand-2"), ())


def test_what_a_group_sends_for_itself_is_no_request() -> None:
    assert {root.trace for root in trace_roots(talked("life"))} == {"k1", "k2", "k3"}


@pytest.mark.parametrize("talk", TALKS)
def test_spans_are_open_exactly_where_something_is_pending(talk: str) -> None:
    kinds: dict[type, str] = {TurnSpan: "turn", ModelSpan: "call", ToolSpan: "tool", JobSpan: "job"}
    for end in range(0, len(talked(talk)) + 1, 5):
        events = talked(talk)[:end]
        found = [s for top in trace_roots(events) for s in walk(top) if type(s) in kinds and s.open]
        shown = {(kinds[type(s)], s.id) for s in found if (type(s), s.state) != (TurnSpan, "sent")}
        assert shown == {key for key in fold(pending, events).items if key[0] != "send"}, end


@pytest.mark.parametrize("talk", TALKS)
def test_a_span_knows_where_it_begins_and_ends(talk: str) -> None:
    events = {event.position: event for event in talked(talk)}
    for root in trace_roots(talked(talk)):
        for span in walk(root):
            assert events[span.first].data.id == events[span.last].data.id == span.id


def test_the_json_of_these_spans_keeps_its_names() -> None:
    found = [*spans("dynamic"), *spans("life", "k3"), *spans("sleeptime", "k2"), *spans("reroute")]
    names = {type(span).__name__: " ".join(span_shape(span)) for span in found}
    shown = {name: said for name, said in names.items() if name not in ("ModelSpan", "ToolSpan", "EditSpan")}
    assert shown == {
        "TurnSpan": f"{PLACE} asked_by wants asked text stop_reason attempt cue uses data "
        "limits faults cancelled_by steps",
        "ChoiceSpan": f"{PLACE} by turn tool choice reason raw options read",
        "FailureSpan": f"{PLACE} member turn then to text",
        "LoadSpan": f"{PLACE} waiting latency",
        "ScalingSpan": f"{PLACE} had wanted backlog latency reason joined left",
        "JobSpan": f"{PLACE} member note since upto text steps",
    }


def test_the_json_of_a_group_turn_holds_what_its_pattern_gave() -> None:
    shape: dict[str, Any] = span_shape(trace_roots(talked("consensus"), "k1")[0])
    assert (shape["data"]["winner"], shape["data"]["votes"]["second"]) == ("coffee", "coffee")
    assert shape["steps"][0]["cue"] == {"pick": "vote", "instead_of": "", "apart": False, "fresh": False, "since": ""}
    assert {step["kind"] for step in shape["steps"]} == {"turn", "choice"}


# -- on a terminal ----------------------------------------------------------------------------------


@pytest.fixture
def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Show:
    def show(talk: str, trace: str = "k1", columns: int = 100) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        path = tmp_path / f"{talk}.db"
        if not path.exists():
            write_talk(path, talk)
        assert main(["trace", str(path), trace]) == 0
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize(
    ("talk", "trace", "lines"),
    [
        ("dynamic", "k1", [
            "boss is asked to choose ",
            "boss chose writer  of writer, critic · choose_next_speaker  @",
            "boss chose critic  of critic · choose_next_speaker · read from its text  @",
            "boss made no choice, so writer counts  of writer · choose_next_speaker  @",
            "boss is asked to choose once more ",
            "load writer idle, critic idle  @",
            "answered (max_turns)",
        ]),
        ("consensus", "k1", ["choice: tea  reason: it is warm", "second made no choice  of tea, coffee · vote  @"]),
        ("supervisor", "k1", ["worker: writer  task: write of tides", "writer alone with its task "]),
        ("handoff", "k1", ["to: critic  reason: needs an eye  message: look at line 2"]),
        ("route", "k1", ["a rule chose clerk  of poet, clerk · route  @", "fits best by tags (1)"]),
        ("retry", "k1", ["writer failed: writer is asked once more  @", "critic failed: it goes on without critic  @"]),
        ("reroute", "k1", ["critic is asked instead of writer  @", "critic instead of writer "]),
        ("standby", "k1", ["boss failed: second takes the place of boss  @"]),
        ("fail", "k1", ["writer failed: the request fails  @"]),
        ("life", "k3", ["scaling 0 to 2 1 request waiting", "hand-1, hand-2 joined", "writer with no history "]),
        ("sleeptime", "k2", ["background work of keeper ", "on items 1 to 4 of what was said"]),
        ("sleeptime", "k4", ["background work of keeper  failed "]),
        ("voice", "k4", ["background work of keeper ", "on items 1 to 4 of what was said"]),
        ("voice", "k5", ["boss forgetting what was before k3 "]),
    ],
)  # fmt: skip
def test_the_tree_says_so(shown: Show, talk: str, trace: str, lines: list[str]) -> None:
    out = shown(talk, trace)
    assert [line for line in lines if line not in out] == []


@pytest.mark.parametrize("talk", TALKS)
def test_the_tree_fits_a_narrow_terminal(shown: Show, talk: str) -> None:
    assert max(map(len, shown(talk, columns=60).splitlines())) <= 60
