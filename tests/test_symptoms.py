"""The detector: each sickness is found, where it begins, and nothing is found in what is healthy."""

from __future__ import annotations

import re
import sys

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.actors.team import load_team
from callboard.actors.testing import ScriptedModel
from callboard.events import Event, MemoryStore, RecordedEvent, Text
from callboard.events.catalog import (
    BlockEdited,
    BlockStarted,
    MessageReceived,
    MessageSent,
    ModelCallFinished,
    Part,
    ToolCallFinished,
    ToolCallRequested,
    TurnFinished,
    TurnStarted,
)
from callboard.events.specs import BlockSpec
from callboard.events.text import ERASED
from callboard.projections import fold
from callboard.projections.snapshots import decode as recalled
from callboard.projections.snapshots import encode
from callboard.projections.symptoms import KINDS, Detector, Symptom, Thresholds, symptoms
from callboard.projections.symptoms.case import Watched
from callboard.projections.symptoms.detector import watched
from callboard.scripts.run import converse
from callboard.scripts.shipped import NAMES, TEAMS

from .forgeries import healthy
from .harness import run
from .scenarios import CANCELS, SCENARIOS, Scenario
from .shipped import PLAYS
from .sick_scenarios import HEALTHY, SICK
from .symptom_logs import FOLDER, events_of, golden, read, short
from .teams import history, log_of
from .watch_scenarios import WATCHED

EVERY = sorted([*SICK, *HEALTHY])
WELL = [n for n, one in enumerate(SCENARIOS) if one not in WATCHED]
GO = (Part("user", Text("go")),)


def found(*happened: tuple[str, Event], limits: Thresholds | None = None) -> list[str]:
    return short(symptoms(log_of(*happened), limits))


# -- sick and healthy runs --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SICK)
def test_a_sick_log_shows_what_it_is_sick_with_and_nothing_else(name: str) -> None:
    assert short(symptoms(golden(name))) == SICK[name][1]


@pytest.mark.parametrize("name", [*HEALTHY])
def test_a_healthy_log_shows_nothing(name: str) -> None:
    assert not symptoms(golden(name))


@pytest.mark.parametrize("name", EVERY)
def test_a_run_of_today_shows_what_its_kept_log_shows(name: str) -> None:
    events = events_of(SICK[name][0] if name in SICK else HEALTHY[name])
    assert short(symptoms(events)) == short(symptoms(golden(name)))


def test_each_kind_is_met_and_each_log_is_small() -> None:
    assert {one.split()[0] for _, shows in SICK.values() for one in shows} == set(KINDS)
    assert sorted(path.stem for path in FOLDER.iterdir()) == EVERY
    assert all(path.stat().st_size < 500_000 for path in FOLDER.iterdir())


@pytest.mark.parametrize("scenario, deaths", [*((n, ()) for n in WELL), *((n, (11, 4)) for n in WELL[::3])], ids=str)
def test_no_scenario_shows_anything_crashed_or_not(scenario: int, deaths: tuple[int, ...]) -> None:
    detector = Detector()
    assert not [one for event in read(healthy(scenario, *deaths)) for one in detector.take(event)]
    assert not detector.state.cases and not detector.state.queues  # nothing is open, so nothing is remembered


@pytest.mark.parametrize("scenario", [pytest.param(one, id=one.name) for one in CANCELS[::5]])
async def test_what_was_cancelled_shows_nothing_and_is_forgotten(scenario: Scenario) -> None:
    events, detector = (await run(scenario, (7,), 1)).events, Detector()
    assert not [one for event in events for one in detector.take(event)]
    assert not detector.state.cases and not detector.state.queues


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_teams_show_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    store, play = MemoryStore(), PLAYS[name]

    async def talk() -> list[RecordedEvent]:
        model = ScriptedModel(play.script)
        for message in play.messages:
            team = load_team(TEAMS / f"{name}.toml")
            await converse(team, message, model=model, log=store, params=play.params, out=None)
        return [event async for event in store.read_all()]

    assert not symptoms(anyio.run(talk))


def test_one_of_everything_shows_nothing() -> None:
    assert not symptoms(history())


def test_a_sick_run_that_crashes_shows_the_same() -> None:
    for name in ("same_call", "alternation-messages", "undoing"):
        scenario, shows = SICK[name]
        for deaths in ((9,), (17, 6)):
            assert short(symptoms(anyio.run(run, scenario, deaths).events)) == shows


# -- the fold ---------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.sampled_from(EVERY), st.floats(0, 1))
def test_going_on_from_a_snapshot_is_going_on(name: str, where: float) -> None:
    events = golden(name)
    at = int(where * len(events))
    first = Detector()
    before = [one for event in events[:at] for one in first.take(event)]
    state = recalled(Watched, encode(first.state), {})
    assert state == first.state
    second = Detector(state=state)
    after = [one for event in events[at:] for one in second.take(event)]
    assert [*before, *after] == symptoms(events)
    assert second.state == fold(watched, events)


def test_a_symptom_says_where_and_what_in_a_sentence() -> None:
    [one] = symptoms(golden("same_call"))
    assert one.text == "a called search 6 times in one turn, with the same arguments and the same result"
    assert (one.trace, one.streams, one.position, len(one.positions)) == ("k1", ("agent-a",), one.positions[-1], 6)
    types = {event.type for event in golden("same_call") if event.position in one.positions}
    assert types == {"ToolCallFinished"}


@pytest.mark.parametrize("name", SICK)
def test_a_key_names_a_symptom_once_and_holds_no_text(name: str) -> None:
    keys = [one.key for one in symptoms(golden(name))]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z_]+:k1:[0-9a-f]{16}", key) for key in keys)


@pytest.mark.parametrize("name", SICK)
def test_a_threshold_of_zero_switches_a_kind_off(name: str) -> None:
    off = "alternation same_call same_state monologue turns_away waiting undoing messages widening overdue_task".split()
    assert not symptoms(golden(name), Thresholds.model_validate(dict.fromkeys(off, 0)))
    kind = SICK[name][1][0].split()[0]
    names = {"starvation": ("turns_away", "waiting"), "fan_out": ("messages", "widening")}.get(kind, (kind,))
    assert not symptoms(golden(name), Thresholds.model_validate(dict.fromkeys(names, 0)))


def test_a_threshold_moves_where_a_symptom_begins() -> None:
    def first(limits: Thresholds) -> list[Symptom]:
        return symptoms(golden("same_call"), limits)

    assert short(first(Thresholds(same_call=3))) == ["same_call a 3/3"]
    assert short(first(Thresholds(tools={"search": 9}))) == ["same_call a 9/9"]
    assert not first(Thresholds(tools={"search": 0}))


def test_a_tool_that_polls_without_saying_so_is_found() -> None:
    assert short(symptoms(golden("polling"), Thresholds(tools={"poll": 6}))) == ["same_call a 6/6"]


# -- rules as data ----------------------------------------------------------------------------------


def turn(id: str, *inside: Event, sender: str = "user", text: str = "done") -> list[tuple[str, Event]]:
    stream = f"agent-{id.rsplit('/', 1)[1]}"
    events = [MessageReceived(id=id, sender=sender, parts=GO), TurnStarted(id=id), *inside]
    return [(stream, event) for event in (*events, TurnFinished(id=id, text=Text(text)))]


def call(turn: str, n: int, arguments: str, result: str) -> list[Event]:
    id = f"{turn}/{n}/1"
    requested = ToolCallRequested(id=id, tool="look", arguments=Text(arguments), effect="read")
    return [ModelCallFinished(id=f"{turn}/{n}"), requested, ToolCallFinished(id=id, text=Text(result))]


def calls(turn: str, *made: tuple[str, str]) -> list[Event]:
    return [event for n, (said, got) in enumerate(made, start=1) for event in call(turn, n, said, got)]


def test_arguments_are_the_same_in_whatever_order_they_are_written() -> None:
    made = [('{"a":1,"b":2}', "x"), ('{"b": 2, "a": 1}', "x")] * 3
    assert found(*turn("k/a", *calls("k/a", *made))) == ["same_call a 6/6"]
    assert not found(*turn("k/a", *calls("k/a", *made[:5])))


def test_a_call_with_new_results_may_come_four_times_as_often() -> None:
    made = [("{}", f"page {n}") for n in range(24)]
    assert found(*turn("k/a", *calls("k/a", *made))) == ["same_call a 24/24"]
    assert not found(*turn("k/a", *calls("k/a", *made[:23])))


def test_new_results_end_a_monologue_and_the_same_ones_do_not() -> None:
    limits = Thresholds(same_call=0)
    assert not found(*turn("k/a", *calls("k/a", *[("{}", f"{n}") for n in range(40)])), limits=limits)
    assert found(*turn("k/a", *calls("k/a", *[("{}", "x")] * 13)), limits=limits) == ["monologue a 12/12"]


def test_texts_that_were_erased_are_not_the_same_text() -> None:
    made = calls("k/a", *[(ERASED, ERASED)] * 9)
    assert not found(*turn("k/a", *made))
    open_request = ("agent-z", MessageReceived(id="k/z", sender="user", parts=GO))
    turns = [one for n in range(9) for one in turn(f"k/z/{n}/a", sender="agent-z", text=ERASED)]
    assert not found(open_request, *turns)
    said = [one for n in range(9) for one in turn(f"k/z/{n}/a", sender="agent-z")]
    assert found(open_request, *said) == ["same_state a 5/5"]


def test_work_in_between_lets_a_request_go_round_four_times_as_long() -> None:
    def to_and_fro(passes: int, *, work: bool) -> list[str]:
        id, events = "k/a", [("agent-a", MessageReceived(id="k/a", sender="user", parts=GO))]
        happened: list[tuple[str, Event]] = [*events]
        for n in range(passes):
            here, there = f"agent-{'ab'[n % 2]}", f"agent-{'ba'[n % 2]}"
            happened += [(here, event) for event in (calls(id, ("{}", f"result {n}")) if work else [])]
            id = f"{id}/1.2.1/{there[-1]}"
            happened.append((here, MessageSent(id=id, recipient=there, kind="tell")))
            happened.append((there, MessageReceived(id=id, sender=here, kind="tell", parts=GO)))
        return found(*happened, limits=Thresholds(widening=0))

    assert to_and_fro(7, work=False) == ["alternation a,b 4/4"]
    assert not to_and_fro(6, work=False)
    assert not to_and_fro(30, work=True)
    assert to_and_fro(31, work=True) == ["alternation a,b 16/16"]


def edits(*made: tuple[str, int, int, str], requests: int = 1) -> list[tuple[str, Event]]:
    """Return a block with edits, as (agent, at, cut, put), each in the next of so many requests."""
    begun = BlockStarted(spec=BlockSpec(name="plan", label="plan", value=Text("left")))
    landed = [
        BlockEdited(
            id=f"k{n % requests}/{by}/{n}/1", to=f"agent-{by}", verb="memory_replace", at=at, cut=cut, put=Text(put),
            size=0, limit=9,
        )
        for n, (by, at, cut, put) in enumerate(made)
    ]  # fmt: skip
    return [("block-plan", event) for event in (begun, *landed)]


LEFT, RIGHT = ("b", 0, 5, "left"), ("a", 0, 4, "right")


def test_two_who_take_back_each_others_edits_are_found_at_the_third_and_over_many_requests_later() -> None:
    assert found(*edits(RIGHT, LEFT, RIGHT, LEFT)) == ["undoing a,b 3/3"]
    assert not found(*edits(RIGHT, LEFT, RIGHT))
    assert not found(*edits(*[RIGHT, LEFT] * 6, requests=12))
    assert set(found(*edits(*[RIGHT, LEFT] * 7, requests=12))) == {"undoing a,b 12/12", "undoing a,b 13/12"}


def test_one_who_takes_back_ones_own_edits_or_works_off_what_others_note_undoes_nothing() -> None:
    assert not found(*edits(RIGHT, ("a", 0, 5, "left"), RIGHT, ("a", 0, 5, "left"), RIGHT))
    to_do = [edit for n in range(6) for edit in (("a", 4, 0, f" do {n}"), ("b", 4, 5, ""))]
    assert not found(*edits(*to_do))


def test_a_message_that_waits_while_one_request_gets_all_turns_is_found_once() -> None:
    def waiting(turns: int, requests: int = 1) -> list[str]:
        first = [
            ("agent-a", MessageReceived(id=f"k{n % requests}/z/{n}/a", sender="z", parts=GO)) for n in range(turns)
        ]
        other = ("agent-a", MessageReceived(id="other/a", sender="user", parts=GO))
        done = [
            ("agent-a", event)
            for n in range(turns)
            for id in [f"k{n % requests}/z/{n}/a"]
            for event in (TurnStarted(id=id), TurnFinished(id=id, text=Text(f"{n}")))
        ]
        return found(*first, other, *done)

    assert waiting(130) == ["starvation a 100/100"]
    assert not waiting(99)
    assert not waiting(130, requests=2)  # these are many, and none of them keeps the others away


def test_a_request_that_leads_to_too_many_messages_is_found() -> None:
    start = ("agent-a", MessageReceived(id="k/a", sender="user", parts=GO))
    many = [("agent-b", MessageReceived(id=f"k/a/1.1.{n}/b", sender="agent-a", parts=GO)) for n in range(1, 1000)]
    assert found(start, *many) == ["fan_out a 1000/1000"]
    assert not found(start, *many[:-1])
