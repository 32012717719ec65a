"""Which lines of one text are which of another: equal, and in the same order. The cost is bounded, whatever they hold.

Lines at both ends are paired first. What is between is compared by its pairs of equal lines, of which as many as can
be in one order are found (Hunt and Szymanski, 1977): so the least that can be is told as changed. Where lines stand
there again and again, the pairs of the others part it into gaps, and each gap is compared by itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

MOST_PAIRS, EACH = 20_000, 8
"""Pairs of equal lines up to which all are compared: so many, and so many more for each line."""

MOST_PARTED, PIECE = 4, 100
"""How often a gap is parted into gaps by its pairs; and into pieces of how many lines it is cut then."""

Pair = tuple[int, int]
"""The index of a line in the old text, and in the new."""

_Gap = tuple[int, int, int, int, int]
"""Lines without a partner: from and to in the old text, from and to in the new; and how often it was parted."""

_Chain = tuple[int, int, "_Chain | None"]
"""A pair of lines, and those that follow it."""


def paired(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Return which line of `old` a line of `new` is, by their indexes; a line that is new is not in it. Pure."""
    found: dict[int, int] = {}
    gaps: list[_Gap] = [(0, len(old), 0, len(new), 0)]
    while gaps:
        gap = _between_ends(old, new, gaps.pop(), found)
        pairs, is_whole = _compared(old, new, gap)
        found.update((j, i) for i, j in pairs)
        if not is_whole:
            gaps += _parts(gap, pairs)
    return found


def _between_ends(old: Sequence[str], new: Sequence[str], gap: _Gap, found: dict[int, int]) -> _Gap:
    """Return `gap` less the lines that are equal at its ends, which are put into `found`."""
    start, end, begin, stop, parted = gap
    while start < end and begin < stop and old[start] == new[begin]:
        found[begin] = start
        start, begin = start + 1, begin + 1
    while start < end and begin < stop and old[end - 1] == new[stop - 1]:
        end, stop = end - 1, stop - 1
        found[stop] = end
    return start, end, begin, stop, parted


def _compared(old: Sequence[str], new: Sequence[str], gap: _Gap) -> tuple[list[Pair], bool]:
    """Return pairs of lines in one order, and whether that is all; of many lines, the pairs of those that stand seldom.

    A gap that was parted often enough and is long still has none.
    """
    start, end, begin, stop, parted = gap
    if parted >= MOST_PARTED and (end - start) * (stop - begin) > MOST_PAIRS:
        return [], False
    places: dict[str, list[int]] = {}
    for j in range(begin, stop):
        places.setdefault(new[j], []).append(j)
    often = Counter(line for line in old[start:end] if line in places)
    room = MOST_PAIRS + EACH * (end - start + stop - begin)
    seldom = set[str]()
    for line in sorted(often, key=lambda line: often[line] * len(places[line])):
        room -= often[line] * len(places[line])
        if room < 0:
            break
        seldom.add(line)
    pairs = ((i, j) for i in reversed(range(start, end)) if old[i] in seldom for j in places[old[i]])
    return _in_order(pairs), len(seldom) == len(often)


def _in_order(pairs: Iterator[Pair]) -> list[Pair]:
    """Return as many of `pairs` as can be in one order; they come last line first, those of one line first to last."""
    longest, begins = list[_Chain](), list[int]()
    for i, j in pairs:
        at = bisect_left(begins, -j)
        chain = (i, j, longest[at - 1] if at else None)
        longest[at : at + 1], begins[at : at + 1] = [chain], [-j]
    found, chain = list[Pair](), longest[-1] if longest else None
    while chain is not None:
        found.append((chain[0], chain[1]))
        chain = chain[2]
    return found


def _parts(gap: _Gap, pairs: Sequence[Pair]) -> Iterator[_Gap]:
    """Yield what is between the pairs of a gap; without any, its pieces, each a like part of both texts."""
    start, end, begin, stop, parted = gap
    if pairs:
        for i, j in pairs:
            yield start, i, begin, j, parted + 1
            start, begin = i + 1, j + 1
        yield start, end, begin, stop, parted + 1
        return
    old, new = end - start, stop - begin
    many = -(-max(old, new) // PIECE)
    for n in range(many):
        yield (
            start + old * n // many, start + old * (n + 1) // many,
            begin + new * n // many, begin + new * (n + 1) // many, MOST_PARTED,
        )  # fmt: skip
