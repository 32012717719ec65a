"""How agents and groups fare, folded from their events."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callboard.events import Event, Text
from callboard.events.catalog import (
    ActorRestarted,
    AgentStarted,
    MessageDeadLettered,
    MessageReceived,
    Part,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.events.specs import AgentSpec
from callboard.projections import fold
from callboard.projections.health import Health, HealthTable, Pair, health
from callboard.projections.health_shapes import health_shape
from callboard.projections.shapes import time_shape

from .talks import TALKS, talked
from .teams import log_of

A = "agent-a"


def asked(id: str, sender: str = "user") -> Event:
    return MessageReceived(id=id, sender=sender, parts=(Part(speaker="user", text=Text("go")),))


def table(*events: Event) -> HealthTable:
    return fold(health, log_of(*((A, event) for event in events)))


def of_a(*events: Event) -> Health:
    return table(*events).of(A)


def test_a_turn_that_was_answered_counts_with_its_time() -> None:
    one = of_a(asked("k/a"), TurnStarted(id="k/a"), TurnFinished(id="k/a", text=Text("done")))
    assert (one.answered, one.failed, one.failures, one.backlog, one.open) == (1, 0, 0, 0, "")
    assert time_shape(one.last_answered) == "2026-01-01T00:00:03.000000Z"
    assert (one.mean_waited, one.mean_worked, one.last_waited, one.last_worked) == (2, 1, 2, 1)


def failed(id: str) -> list[Event]:
    return [asked(id), TurnStarted(id=id), TurnFailed(id=id, text=Text("no"))]


def test_failures_in_a_row_begin_anew_with_an_answer() -> None:
    twice = [*failed("k/a"), *failed("l/a")]
    one = of_a(*twice)
    assert (one.failed, one.failures, one.last_answered) == (2, 2, None)
    one = of_a(*twice, asked("m/a"), TurnStarted(id="m/a"), TurnFinished(id="m/a"))
    assert (one.answered, one.failed, one.failures) == (1, 2, 0)
    assert time_shape(one.last_failed) == "2026-01-01T00:00:06.000000Z"


def test_what_was_set_aside_has_failed() -> None:
    one = of_a(asked("k/a"), TurnStarted(id="k/a"), MessageDeadLettered(id="k/a", text=Text("set aside")))
    assert (one.failed, one.failures) == (1, 1)


def test_a_turn_that_was_cancelled_is_neither_and_has_no_time() -> None:
    one = of_a(asked("k/a"), TurnStarted(id="k/a"), TurnCancelled(id="k/a", text=Text("cancelled")))
    assert (one.answered, one.failed, one.cancelled, one.mean_waited) == (0, 0, 1, None)


def test_beginning_again_is_counted_and_is_no_failed_turn() -> None:
    began = AgentStarted(spec=AgentSpec(name="a"))
    one = of_a(began, *(ActorRestarted(text=Text("KeyError"), failures=n) for n in (1, 2)))
    assert (one.restarts, one.failed, one.failures) == (2, 0, 0)


def test_what_waits_is_in_the_backlog_until_it_is_begun_or_given_up() -> None:
    both = [asked("k/a"), asked("l/a")]
    assert (of_a(*both).backlog, of_a(*both).open) == (2, "")
    begun = [*both, TurnStarted(id="k/a")]
    assert (of_a(*begun).backlog, of_a(*begun).open) == (1, "k/a")
    assert of_a(*begun, TurnCancelled(id="l/a", text=Text("cancelled"))).backlog == 0


def test_the_mean_is_that_of_all_turns_and_the_last_that_of_the_last() -> None:
    quick = [asked("k/a"), TurnStarted(id="k/a"), TurnFinished(id="k/a")]
    slow = [asked("l/a"), AgentStarted(spec=AgentSpec(name="a")), TurnStarted(id="l/a"), TurnFinished(id="l/a")]
    one = of_a(*quick, *slow)
    assert (one.mean_waited, one.last_waited, one.mean_worked) == (2.5, 3, 1)


def test_a_turn_that_failed_in_the_backlog_was_waited_for_and_not_worked_on() -> None:
    one = of_a(asked("k/a"), TurnFailed(id="k/a", text=Text("is retired")))
    assert (one.mean_waited, one.mean_worked, one.backlog) == (1, None, 0)


def test_a_pair_adds_up_what_one_waited_for_another() -> None:
    found = table(*failed("k/a"), asked("l/g/1/a", "group-g"), TurnStarted(id="l/g/1/a"), TurnFinished(id="l/g/1/a"))
    assert found.pairs == {("user", A): Pair(1, 1, 2.0), ("group-g", A): Pair(1, 0, 2.0)}


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    events = log_of((A, asked("k/a")), (A, TurnStarted(id="k/a")), (A, TurnFinished(id="k/a")))
    late = events[2].recorded_at - timedelta(hours=1)
    one = fold(health, [*events[:2], replace(events[2], recorded_at=late)]).of(A)
    assert (one.last_waited, one.last_worked) == (0, 0)


def test_the_pair_that_took_longest_in_all_comes_first() -> None:
    found = fold(health, talked("supervisor"))
    streams = ("group-team", "agent-boss", "agent-writer", "agent-critic")
    pairs = found.slowest(*streams)
    times = [found.pairs[pair].seconds for pair in pairs]
    assert pairs[0] == ("user", "group-team") and times == sorted(times, reverse=True)
    assert found.pairs["group-team", "agent-boss"].count == 3


def test_pairs_with_strangers_are_left_out() -> None:
    found = fold(health, talked("supervisor"))
    assert found.slowest("agent-boss", "agent-writer") == []


@pytest.mark.parametrize("talk", TALKS)
def test_every_turn_of_a_talk_is_counted_once(talk: str) -> None:
    found, events = fold(health, talked(talk)), talked(talk)
    ended = sum(one.answered + one.failed + one.cancelled for one in found.actors.values())
    assert ended == sum(event.data.closes == "turn" for event in events) > 0
    assert all((one.backlog, one.open) == (0, "") for one in found.actors.values())
    assert sum(pair.count for pair in found.pairs.values()) == ended


def test_the_json_keeps_its_names() -> None:
    shape = health_shape(of_a(asked("k/a"), TurnStarted(id="k/a")))
    assert shape == {
        "answered": 0,
        "failed": 0,
        "cancelled": 0,
        "failures_in_a_row": 0,
        "last_answered": None,
        "last_failed": None,
        "mean_seconds": None,
        "last_seconds": None,
        "mean_work_seconds": None,
        "last_work_seconds": None,
        "restarts": 0,
        "backlog": 0,
        "open": "k/a",
        "awaits_people": [],
    }
