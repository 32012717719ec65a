"""What verify finds of limits: logs in which somebody spent more than it had, or says so wrongly."""

import json
from collections.abc import Callable

import anyio
import pytest

from callboard.events.codec import Row
from callboard.projections.findings import Finding

from .forgeries import Rows, at, with_data
from .harness import run
from .limit_scenarios import LIMITED
from .logs import checked, rechained, rows_of


def log(scenario: int) -> Rows:
    return rows_of(anyio.run(run, LIMITED[scenario]).log)


def forged(rows: Rows, i: int, change: Callable[[dict[str, object]], dict[str, object]]) -> list[Finding]:
    """Return what is found when the data of one row is changed."""
    row: Row = with_data(rows[i], **change(json.loads(rows[i].data)))
    return checked(rechained([*rows[:i], row, *rows[i + 1 :]])).findings.kept


@pytest.mark.parametrize("scenario", range(len(LIMITED)), ids=[one.name for one in LIMITED])
def test_nothing_is_found_where_limits_are_kept(scenario: int) -> None:
    assert checked(log(scenario)).findings.kept == []


def test_a_message_that_gives_away_more_than_there_is_is_found() -> None:
    rows = log(0)
    found = forged(rows, at(rows, "MessageSent"), lambda data: {"grant": {"model_calls": 9, "tool_calls": 1}})
    assert found[0].check == "limit" and "model_calls spent or given away" in found[0].found


def test_a_message_that_brings_more_than_its_sender_gave_is_found() -> None:
    rows = log(0)
    found = forged(rows, at(rows, "MessageReceived", 1), lambda data: {"grant": {"model_calls": 9}})
    assert [one.check for one in found][:1] == ["limit"] and "the grant" in found[0].found


def test_an_answer_that_says_wrongly_what_was_spent_is_found() -> None:
    rows = log(0)
    found = forged(rows, at(rows, "TurnFinished"), lambda data: {"spent": {"model_calls": 1}})
    assert found[0].check == "limit" and "spent" in found[0].found


def test_a_turn_that_goes_on_beyond_its_limit_is_found() -> None:
    rows = log(1)
    found = forged(rows, at(rows, "MessageReceived"), lambda data: {"grant": {"turns": 2}})
    assert "limit" in {one.check for one in found}
