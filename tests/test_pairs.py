"""Lines of two texts are paired as exactly as can be, at a cost that grows with the lines and not with their pairs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from random import Random
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.projections import pairs
from callboard.projections.block import difference
from callboard.projections.pairs import paired

LINES = st.lists(st.sampled_from("abcd"), max_size=12)


def longest(old: list[str], new: list[str]) -> int:
    """Return how many lines both have in one order, by the table that everybody knows."""
    row = [0] * (len(new) + 1)
    for line in old:
        before = row
        row = [0]
        for n, other in enumerate(new):
            row.append(before[n] + 1 if line == other else max(row[n], before[n + 1]))
    return row[-1]


def in_order(old: list[str], new: list[str]) -> bool:
    found = sorted((i, j) for j, i in paired(old, new).items())
    return all(old[i] == new[j] for i, j in found) and all(a < c and b < d for (a, b), (c, d) in pairwise(found))


@settings(max_examples=200)
@given(LINES, LINES)
def test_as_many_lines_are_paired_as_can_be_in_one_order(old: list[str], new: list[str]) -> None:
    assert in_order(old, new)
    assert len(paired(old, new)) == longest(old, new)


@settings(max_examples=100)
@given(LINES, LINES, st.integers(9, 30))
def test_pairs_are_of_equal_lines_in_one_order_however_few_are_compared(
    old: list[str], new: list[str], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MOST_PAIRS": most, "EACH": 0, "MOST_PARTED": 1, "PIECE": 3}.items():
            patch.setattr(pairs, name, value)
        assert in_order(old, new)


@given(LINES, LINES)
def test_a_difference_tells_what_is_taken_away_and_what_is_added(old: list[str], new: list[str]) -> None:
    told = difference("\n".join(old), "\n".join(new))
    gone = [line[1:] for line in told if line[0] == "-"]
    come = [line[1:] for line in told if line[0] == "+"]
    assert sorted([*old, *come]) == sorted([*new, *gone])


def test_a_long_text_with_many_changes_differs_in_these_alone() -> None:
    old = [f"line {n}" if n % 3 else "" for n in range(6_000)]
    new = [f"new {n}" if n % 5 == 1 else line for n, line in enumerate(old)]
    told = difference("\n".join(old), "\n".join(new))
    changed = [n for n in range(6_000) if n % 5 == 1]
    assert [line for line in told if line[0] == "-"] == [f"-{old[n]}" for n in changed]
    assert [line for line in told if line[0] == "+"] == [f"+new {n}" for n in changed]


def statements(work: Callable[[], object]) -> int:
    """Return how many lines of the module `work` runs."""
    ran = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal ran
        ran += event == "line"
        return trace if frame.f_code.co_filename == pairs.__file__ else None

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return ran


CHANGED: dict[str, Callable[[Random, int], str]] = {
    "two words": lambda chance, n: chance.choice("ab"),
    "some words": lambda chance, n: f"w{chance.randrange(40)}",
    "other words": lambda chance, n: f"w{chance.randrange(10**6)}",
    "blank lines": lambda chance, n: f"w{n}" if chance.random() < 0.5 else "",
}


@pytest.mark.parametrize("kind", CHANGED)
def test_twice_as_many_lines_are_compared_at_twice_the_cost(kind: str) -> None:
    costs: list[int] = []
    for many in (1_000, 2_000):
        chance = Random(1)
        old, new = ([CHANGED[kind](chance, n) for n in range(many)] for _ in range(2))
        costs.append(statements(lambda old=old, new=new: paired(old, new)))
    assert costs[1] < 2.6 * costs[0], costs
