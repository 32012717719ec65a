"""Usage: tokens, calls, failed attempts and seconds, by agent and by request."""

from callboard.events import Event, Text
from callboard.events.catalog import (
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
    Usage,
)
from callboard.projections import fold
from callboard.projections.shapes import usage_table_shape
from callboard.projections.usage import UsageTable, usage

from .teams import history, log_of


def table(*events: Event) -> UsageTable:
    return fold(usage, log_of(*(("agent-a", event) for event in events)))


def begun(attempt: int = 1) -> ModelCallStarted:
    return ModelCallStarted(id="k/a/1", attempt=attempt, prompt="")


def test_tokens_are_counted_by_agent_and_by_request() -> None:
    spent = fold(usage, history())
    assert spent.by_agent["writer"].input_tokens == 2400
    assert spent.by_trace["tides"].output_tokens == 80
    assert spent.total.input_tokens == 2400


def test_calls_are_counted_once_however_often_they_are_tried() -> None:
    spent = fold(usage, history())
    assert (spent.by_agent["writer"].calls, spent.by_agent["writer"].failed_attempts) == (3, 1)


def test_parts_add_up_to_the_whole() -> None:
    spent = fold(usage, history())
    for parts in (spent.by_agent, spent.by_trace):
        assert sum(part.calls for part in parts.values()) == spent.total.calls
        assert sum(part.failed_attempts for part in parts.values()) == spent.total.failed_attempts


def test_seconds_are_those_of_attempts_without_the_pauses() -> None:
    failed = ModelAttemptFailed(id="k/a/1", attempt=1, kind="timeout", text=Text("late"))
    pause = ModelCallRequested(id="k/a/2")
    spent = table(ModelCallRequested(id="k/a/1"), begun(), failed, pause, begun(2), ModelCallFinished(id="k/a/1"))
    assert spent.total.seconds == 2


def test_an_attempt_that_a_stop_cut_has_failed_and_its_time_is_not_known() -> None:
    spent = table(ModelCallRequested(id="k/a/1"), begun(1), begun(2), ModelCallFinished(id="k/a/1"))
    assert (spent.total.failed_attempts, spent.total.seconds) == (1, 1)


def test_an_attempt_that_was_cancelled_has_failed() -> None:
    spent = table(ModelCallRequested(id="k/a/1"), begun(), ModelCallFailed(id="k/a/1", text=Text("cancelled")))
    assert spent.total.failed_attempts == 1


def test_a_call_given_up_after_its_last_attempt_counts_no_other() -> None:
    failed = ModelAttemptFailed(id="k/a/1", attempt=1, kind="auth", text=Text("no"))
    end = ModelCallFailed(id="k/a/1", text=Text("no"))
    assert table(ModelCallRequested(id="k/a/1"), begun(), failed, end).total.failed_attempts == 1


def test_the_json_keeps_its_names() -> None:
    reply = ModelCallFinished(id="k/a/1", usage=Usage(input_tokens=3, output_tokens=2, cached_tokens=1))
    shape = usage_table_shape(table(ModelCallRequested(id="k/a/1"), begun(), reply))
    spent = {
        "calls": 1,
        "failed_attempts": 0,
        "input_tokens": 3,
        "output_tokens": 2,
        "cached_tokens": 1,
        "seconds": 1.0,
    }
    assert shape == {"total": spent, "by_agent": {"a": spent}, "by_trace": {"k": spent}}
