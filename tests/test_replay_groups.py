"""Groups in `callboard replay` and in conversations: what they decided, in its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callboard.events import Text
from callboard.events.catalog import ActorRestarted
from callboard.projections import fold
from callboard.projections.conversation import Utterance, group_conversation, request_conversation
from callboard.scripts.main import main

from .talks import talked, write_talk
from .teams import log_of

Run = Callable[..., str]


@pytest.fixture
def replay(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "100")

    def run(talk: str, *words: str) -> str:
        path = tmp_path / f"{talk}.db"
        if not path.exists():
            write_talk(path, talk)
        assert main(["replay", str(path), *words]) == 0
        return capsys.readouterr().out

    return run


def until(talk: str, type: str, n: int = 0, *, more: int = 0) -> tuple[str, str]:
    """Return the option that stops at the n-th event of a type, or some after it; a file has one event more."""
    found = [event.position for event in talked(talk) if event.type == type]
    return "--until", str(found[n] + 1 + more)


def state(replay: Run, talk: str, *words: str) -> dict[str, Any]:
    return json.loads(replay(talk, *words, "--json"))["groups"]["team"]


# -- the state ---------------------------------------------------------------------------------------


def test_who_is_to_choose_is_shown_with_the_options(replay: Run) -> None:
    words = until("dynamic", "LoadObserved", more=1)
    shown = state(replay, "dynamic", *words)
    assert shown["phase"] == "choosing speaker"
    assert shown["choosing"] == [
        {"turn": 1, "by": "boss", "tool": "choose_next_speaker", "options": ["writer", "critic"]}
    ]
    assert "boss is to choose  of writer, critic · choose_next_speaker · turn 1" in replay("dynamic", *words)


def test_choices_of_the_open_request_are_shown(replay: Run) -> None:
    words = until("dynamic", "ChoiceMade")
    [made] = state(replay, "dynamic", *words)["choices"]
    assert (made["by"], made["choice"], made["read"], made["reason"]) == (
        "boss", "writer", "tool", "nobody has written yet",
    )  # fmt: skip
    assert "boss chose writer (choose_next_speaker)" in replay("dynamic", *words)
    assert state(replay, "dynamic")["choices"] == []


def test_who_manages_who_stands_by_and_who_is_down_are_shown(replay: Run) -> None:
    words = until("standby", "MemberFailed", more=1)
    shown = state(replay, "standby", *words)
    assert (shown["manager"], shown["managers"], shown["failed_in_this_request"]) == (
        "second", ["boss", "second"], ["boss"],
    )  # fmt: skip
    out = replay("standby", *words)
    assert "managed by boss; second stands by; now second" in out
    assert "failed in this request: boss" in out
    assert "turn 2, instead of turn 1" in out


def test_jobs_are_shown_from_their_scheduling_to_their_end(replay: Run) -> None:
    def shown(type: str) -> list[str]:
        found = state(replay, "sleeptime", *until("sleeptime", type))["jobs"]
        return [f"{job['member']} {job['state']} {job['since']}-{job['upto']}" for job in found]

    assert shown("JobScheduled") == ["keeper scheduled 0-0"]
    assert shown("JobStarted") == ["keeper running 0-4"]
    assert shown("JobFinished") == []
    out = replay("sleeptime", *until("sleeptime", "JobStarted"))
    assert "background work of keeper running k2/team/2/keeper" in out
    assert "background work  k2/team/2/keeper" in out


def test_members_blocks_and_scaling_are_those_of_that_position(replay: Run) -> None:
    before = state(replay, "life", *until("life", "TurnFinished", 2))
    assert (before["members"], before["joined"], before["left"]) == (["writer", "critic"], [], [])
    before_it = until("life", "BlockUnshared", more=-1)
    middle = state(replay, "life", *before_it)
    assert (middle["members"], middle["joined"], middle["left"]) == (["writer", "editor"], ["editor"], ["critic"])
    out = replay("life", *before_it)
    assert "RoundRobin of writer, editor; editor joined, critic left" in out
    assert "shares plan written by all" in out
    assert "shares plan" not in replay("life", *until("life", "BlockUnshared"))
    assert "scales hand from 2 to 3, as one_each says" in replay("life")


def test_the_phase_comes_with_turns_and_the_last_request(replay: Run) -> None:
    assert "terminated · 8 turns · 3 requests answered · last k3/team" in replay("life")
    shown = state(replay, "life")
    assert (shown["phase"], shown["turns"], shown["answered"], shown["last_answered"]) == (
        "terminated", 8, 3, "k3/team",
    )  # fmt: skip


def test_a_member_that_was_retired_with_scaling_says_so(replay: Run) -> None:
    agents = json.loads(replay("shrunk", "--json"))["agents"]
    assert [name for name, one in agents.items() if one["desk"]["retired"]] == ["hand-1", "hand-2"]
    out = replay("shrunk")
    assert [line.split() for line in out.splitlines() if line.endswith(" retired")] == [
        ["hand-1", "retired"], ["hand-2", "retired"],
    ]  # fmt: skip


def test_what_was_passed_on_stands_in_the_transcript(replay: Run) -> None:
    out = replay("supervisor", *until("supervisor", "SendAnswered"))
    assert "boss  delegate  worker: writer  task: write of tides" in out
    said = state(replay, "supervisor")["transcript"][1]
    assert (said["speaker"], [use["name"] for use in said["uses"]]) == ("boss", ["delegate", "delegate"])


# -- the talk ----------------------------------------------------------------------------------------


def talk(name: str) -> list[Utterance]:
    return fold(group_conversation, [event for event in talked(name) if event.stream == "group-team"]).lines


def lines(name: str) -> list[tuple[str, str, str, str]]:
    return [(line.kind, line.speaker, line.to, line.text) for line in talk(name)]


def test_choices_stand_between_the_words() -> None:
    assert lines("dynamic") == [
        ("said", "user", "team", "tides"),
        ("choice", "boss", "writer", "nobody has written yet"),
        ("said", "writer", "team", "A draft."),
        ("choice", "boss", "critic", "I think critic should speak."),
        ("said", "critic", "team", "Weak."),
        ("note", "team", "team", "boss made no choice of writer, so writer counts (names none)"),
        ("said", "writer", "team", "A third."),
    ]


def test_a_choice_by_rule_is_the_groups_own() -> None:
    assert ("choice", "team", "clerk", "fits best by tags (1)") in lines("route")


def test_what_a_member_passes_on_is_a_tool_call() -> None:
    assert [line[:3] for line in lines("handoff")][:3] == [
        ("said", "user", "team"), ("tool call", "writer", "hand_off"), ("said", "critic", "team"),
    ]  # fmt: skip


def test_background_work_is_told_of_and_its_words_are_no_part_of_the_talk() -> None:
    told = [line for line in lines("sleeptime") if line[0] != "said"]
    assert [text for *_, text in told] == [
        "keeper is to work in the background",
        "the background work of keeper is done",
        "keeper is to work in the background",
        "the background work of keeper failed: no credit",
    ]
    assert {line[1] for line in lines("sleeptime")} == {"user", "boss", "team"}


def test_joining_leaving_sharing_and_reset_stand_where_they_happened() -> None:
    told = [text for kind, _, _, text in lines("life") if kind == "note" or text in ("moon", "sun")]
    assert told == [
        "editor joined",
        "the block plan is shared, written by all",
        "critic left",
        "moon",
        "the block plan is shared no more",
        "what follows begins with no history",
        "it scales hand now",
        "sun",
        "2 members by its rule, before 0; hand-1, hand-2 joined",
        "it takes nothing up any more",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("retry", ["writer is asked once more", "critic is asked once more", "it goes on without critic"]),
        ("reroute", ["critic is asked instead of writer"]),
        ("standby", ["second takes the place of boss"]),
        ("fail", ["the request fails"]),
    ],
)
def test_what_followed_a_failure_is_told(name: str, told: list[str]) -> None:
    assert [line.text for line in talk(name) if line.kind == "note"] == told


def test_a_group_that_began_again_says_why() -> None:
    again = ActorRestarted(text=Text("KeyError: 'c'"), failures=2)
    [line] = fold(group_conversation, log_of(("group-g", again))).lines
    assert (line.kind, line.text) == (
        "note",
        "it began again from its log, having failed 2 times of late: KeyError: 'c'",
    )


def test_a_request_has_the_choices_made_for_it() -> None:
    events = [event for event in talked("standby") if event.data.correlation_id == "k1"]
    found = [(line.kind, line.speaker, line.to) for line in fold(request_conversation, events).lines]
    assert found.index(("note", "team", "team")) < found.index(("choice", "second", "critic"))


def test_a_group_alone_shows_its_talk_with_positions(replay: Run) -> None:
    out = replay("dynamic", "--stream", "team")
    _, made = until("dynamic", "ChoiceMade")
    assert f"@{made}  boss    chose writer: nobody has written yet" in out
    shown = json.loads(replay("dynamic", "--stream", "team", "--json"))["talk"]
    assert [(line["kind"], line["speaker"], line["to"]) for line in shown[:2]] == [
        ("said", "user", "team"), ("choice", "boss", "writer"),
    ]  # fmt: skip


def test_an_agent_alone_has_no_talk(replay: Run) -> None:
    assert "talk" not in json.loads(replay("dynamic", "--stream", "boss", "--json"))
