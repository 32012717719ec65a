"""The characters of a text by their numbers, as runs: cut, put, and compared. A number is given once, for good."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from .pairs import paired

Run = tuple[int, int]
"""Characters that were written one after the other: the number of the first, and how many."""


class Runs:
    """Which characters stand where. Neighbours that were written one after the other are one run."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._firsts: list[int] = []
        self._lengths: list[int] = []
        self._ends: list[int] | None = None  # where each run ends, once somebody asked
        self.size = 0
        self.splice(0, 0, list(runs))

    def __iter__(self) -> Iterable[Run]:  # type: ignore[override]
        return iter(zip(self._firsts, self._lengths, strict=True))

    def between(self, start: int, end: int) -> tuple[Run, ...]:
        """Return the runs of the characters from `start` to `end`, the last not included."""
        found, at = list[Run](), 0
        if start >= end:
            return ()
        ends = self._places()
        index = bisect_right(ends, start)
        while index < len(ends) and (at := ends[index] - self._lengths[index]) < end:
            skipped = max(start - at, 0)
            found.append((self._firsts[index] + skipped, min(ends[index], end) - at - skipped))
            index += 1
        return tuple(found)

    def splice(self, at: int, cut: int, put: Sequence[Run]) -> None:
        """Put the runs `put` in the place of `cut` characters at `at`."""
        first = self._cut(at)
        last = self._cut(at + cut) if cut else first
        gone = sum(self._lengths[first:last])
        self._firsts[first:last] = [run[0] for run in put]
        self._lengths[first:last] = [run[1] for run in put]
        self.size += sum(run[1] for run in put) - gone
        self._ends = None
        for index in range(first + len(put), first - 1, -1):
            self._join(index)

    def _places(self) -> list[int]:
        if self._ends is None:
            self._ends = list(accumulate(self._lengths))
        return self._ends

    def _cut(self, at: int) -> int:
        """Return the index of the run that begins at character `at`; one that goes across is cut in two."""
        if at >= self.size:
            return len(self._lengths)
        ends = self._places()
        index = bisect_right(ends, at)
        if left := at - (ends[index] - self._lengths[index]):
            ends.insert(index, at)
            self._firsts.insert(index + 1, self._firsts[index] + left)
            self._lengths.insert(index + 1, self._lengths[index] - left)
            self._lengths[index] = left
            return index + 1
        return index

    def _join(self, index: int) -> None:
        if not 0 < index < len(self._lengths):
            return
        if self._firsts[index - 1] + self._lengths[index - 1] == self._firsts[index]:
            self._lengths[index - 1] += self._lengths[index]
            del self._firsts[index], self._lengths[index]


Segment = tuple[int, int]
"""A part of a new text: where in the old text it stood, -1 where it did not; and its length."""


def kept(old: str, new: str, between: str = "\n") -> list[Segment]:
    """Return what of `new` stood in `old`: lines that are equal, and stand in the same order. Pure.

    Args:
        between: The characters that part one line from the next.
    """
    before, after = re.split(f"([{re.escape(between)}])", old), re.split(f"([{re.escape(between)}])", new)
    starts = [0, *accumulate(map(len, before))]
    partners = paired(before[::2], after[::2])
    found: list[Segment] = []
    for n, word in enumerate(after):
        partner = partners.get(n // 2)
        index = -1 if partner is None else 2 * partner + n % 2
        same = 0 <= index < len(before) and before[index] == word
        _add(found, starts[index] if same else -1, len(word))
    return found


def _add(found: list[Segment], start: int, length: int) -> None:
    if not length:
        return
    at, size = found[-1] if found else (-1, 0)
    if found and (start < 0 if at < 0 else start == at + size):
        found[-1] = at, size + length
    else:
        found.append((start, length))
