"""The lines of a block's value, and where each is after edits. All pure.

A value without a last newline counts as if it ended with one. A place between lines is the number of lines before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Moved(NamedTuple):
    """What an edit did to lines: after the first `line` of them, `gone` gave way to `came`."""

    line: int
    gone: int
    came: int


def count(value: str) -> int:
    """Return how many lines `value` has."""
    return value.count("\n") + (not value.endswith("\n")) if value else 0


def moved(value: str, at: int, cut: int, put: str) -> Moved:
    """Return what it does to the lines of `value` that `put` takes the place of `cut` characters at `at`.

    A line that stays as it is, character by character, is not among those gone, but where its text is written anew
    between others that change.
    """
    at, end = min(at, len(value)), min(at + cut, len(value))  # of a text that was erased, less is there
    if at < end and put:  # what is written as it stood does not change
        same = common(value[at:end], put)
        at, put = at + same, put[same:]
        same = common(value[at:end][::-1], put[::-1])
        end, put = end - same, put[: len(put) - same]
    first = value.count("\n", 0, at)
    if at == end and not put:
        return Moved(first, 0, 0)
    before, old, rest = _begins_line(value, at), value[at:end], value[end : end + 1]
    within, is_open = old.count("\n"), _is_open(value[-1:])
    last = first + within
    if not before and (old or rest)[:1] in ("", "\n") and (put or rest)[:1] in ("", "\n"):
        first += 1  # the line before goes on no further, as it did not
    if (rest or is_open) and not (_begins_line(value, end) and (put.endswith("\n") if put else before)):
        last += 1
    gone = max(0, last - first)
    tail = value[-1:] if rest else put[-1:] or value[max(at - 1, 0) : at]
    return Moved(first, gone, gone + put.count("\n") - within + _is_open(tail) - is_open)


def _begins_line(value: str, at: int) -> bool:
    """Return whether a line begins at `at`."""
    return at == 0 or value[at - 1] == "\n"


def _is_open(tail: str) -> bool:
    """Return whether a line goes on at the end of a value that ends with `tail`."""
    return tail not in ("", "\n")


def common(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if one[least:middle] == other[least:middle] else (least, middle - 1)
    return least


def carried(place: int, edits: Iterable[Moved]) -> int:
    """Return where the place between lines is after `edits`, oldest first.

    What was inserted at it comes before it; of lines that gave way to others, it comes after those.
    """
    for line, gone, came in edits:
        if place >= line + gone and (place > line or not gone):
            place += came - gone
        elif place > line:
            place = line + came
    return place
