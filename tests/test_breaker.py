"""The circuit breaker: a pure rule over what the ends of attempts say."""

from datetime import UTC, datetime, timedelta

import pytest

from callboard.actors.breaker import USUAL, Breaker, Circuit, Evidence, after, evidence
from callboard.events import ModelError, SpecError

START = datetime(2026, 1, 1, tzinfo=UTC)
BREAKER = Breaker(failures=3, window=60, pause=30)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def ended(*said: tuple[float, Evidence], breaker: Breaker | None = BREAKER, circuit: Circuit | None = None) -> Circuit:
    """Return a circuit after attempts that ended at these seconds."""
    circuit = circuit or Circuit()
    for seconds, found in said:
        circuit = after(circuit, breaker, found, "server", at(seconds))
    return circuit


OPEN = ended((0, "fails"), (1, "fails"), (2, "fails"))


def test_failures_in_a_row_open_it() -> None:
    assert not ended((0, "fails"), (1, "fails")).opened(at(2))
    assert OPEN.opened(at(2)) and (OPEN.until, OPEN.why) == (at(32), "server")


def test_one_that_works_begins_the_count_anew() -> None:
    assert not ended((0, "fails"), (1, "fails"), (2, "works"), (3, "fails"), (4, "fails")).opened(at(4))


def test_failures_that_are_far_between_do_not_open_it() -> None:
    assert not ended((0, "fails"), (30, "fails"), (60, "fails")).opened(at(60))
    assert ended((0, "fails"), (30, "fails"), (59, "fails")).opened(at(59))


def test_after_the_pause_it_is_tried() -> None:
    assert (OPEN.opened(at(31.9)), OPEN.trying(at(31.9))) == (True, False)
    assert (OPEN.opened(at(32)), OPEN.trying(at(32))) == (False, True)


def test_a_try_that_fails_opens_it_again_and_one_that_works_closes_it() -> None:
    again = ended((40, "fails"), circuit=OPEN)
    assert again.opened(at(69)) and again.until == at(70)
    assert ended((40, "works"), circuit=OPEN) == Circuit()


def test_what_began_before_it_opened_does_not_make_it_longer() -> None:
    assert ended((20, "fails"), circuit=OPEN) == OPEN


def test_what_says_nothing_changes_nothing() -> None:
    assert ended((3, "nothing"), circuit=OPEN) == OPEN
    assert ended((0, "fails"), (1, "nothing"), (2, "fails"), (3, "fails")).opened(at(3))


def test_without_a_breaker_it_never_opens() -> None:
    said: list[tuple[float, Evidence]] = [(n, "fails") for n in range(100)]
    assert ended(*said, breaker=None) == Circuit()


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (None, "works"),
        (ModelError("busy", kind="server", retry=True), "fails"),
        (ModelError("late", kind="timeout", retry=True), "fails"),
        (ModelError("slow down", kind="rate_limit", retry=True), "nothing"),
        (ModelError("wait for an hour", kind="rate_limit", retry=False), "nothing"),
        (ModelError("wrong key", kind="auth"), "works"),
    ],
)
def test_only_a_failure_that_may_pass_is_the_model_s(error: ModelError | None, found: Evidence) -> None:
    assert evidence(error) == found


def test_the_defaults_are_those_of_the_page() -> None:
    assert (USUAL.failures, USUAL.window, USUAL.pause) == (5, 60.0, 30.0)


@pytest.mark.parametrize("name", ["failures", "window", "pause"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_number_that_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(SpecError, match=f"a breaker has {name} {value}; a finite number above 0 is wanted"):
        Breaker(**{name: value})  # type: ignore[arg-type]
