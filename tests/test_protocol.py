"""The protocol of sends holds in every state of a small model, and none of its rules can be left out."""

import pytest

from .protocol import RULES, SENDS, Protocol, explore, first_wrong

WRONG = [
    ("one_at_a_time", "out of order"),
    ("sent_again", "no way to a good end"),
    ("cancelled_again", "no way to a good end"),
    ("key_looked_up", "twice: received 0"),
    ("answered_again", "no way to a good end"),
    ("cancel_remembered", "no way to a good end"),
    ("accepted_late", "closed, and not over: tell 0"),
    ("given_back", "no way to a good end"),
    ("asked_again", "no way to a good end"),
    ("closed_by_answer", "closed, and not over: tell 0"),
    ("tell_sent_again", "no way to a good end"),
    ("closed_once", "twice: closed 0"),
]
"""What goes wrong without each rule."""


@pytest.mark.parametrize("kinds", SENDS, ids=" then ".join)
def test_two_sends_are_over_once_and_in_order_wherever_they_are_cut_short(kinds: tuple[str, ...], ci: bool) -> None:
    found = explore(Protocol(kinds), crashes=2 if ci else 1)
    assert not found.wrong, found.path
    assert found.states > 500


@pytest.mark.parametrize(("rule", "wrong"), WRONG)
def test_without_a_rule_something_goes_wrong(rule: str, wrong: str) -> None:
    found = first_wrong(rule, crashes=1)
    assert found is not None and found.wrong == wrong


def test_every_rule_is_left_out_once() -> None:
    assert [rule for rule, _ in WRONG] == list(RULES)
