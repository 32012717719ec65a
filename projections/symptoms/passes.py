"""How a request goes from one to the next: round and round, or to ever more. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callboard.projections.words import name_of

from .case import LONGEST, Case, Hop
from .symptom import Symptom, Thresholds, latest

LONGEST_ROUND = 8
"""Passes of the longest round that is found."""


def passed(chain: Sequence[Hop], *hops: Hop) -> list[Hop]:
    """Return `chain` with what it came to since. Pure."""
    return [*chain, *hops][-LONGEST:]


def alternation(chain: Sequence[Hop], trace: str, limits: Thresholds, about: str = "") -> Iterator[Symptom]:
    """Yield that the end of `chain` goes round and round, if it does too often. Pure."""
    if not limits.alternation or len(chain) < 2 * limits.alternation:
        return
    for period in range(2, LONGEST_ROUND + 1):
        streams = [hop.stream for hop in chain[-period:]]
        if len(set(streams)) < period:
            continue  # a round meets each of its own once; what is shorter was looked at before
        length = _periodic(chain, period)
        quiet = min(length, _quiet(chain)) // period
        limit = limits.alternation if quiet >= limits.alternation else limits.alternation * limits.with_news
        count = quiet if quiet >= limits.alternation else length // period
        if count < limit:
            continue
        who = _first_first(streams)
        work = "nothing new done" if count == quiet else "whatever was done"
        names = [name_of(stream) for stream in who]
        text = f"the request went round {count} times by {' -> '.join([*names, names[0]])}, {work} in these rounds"
        positions = latest([hop.position for hop in chain[-length:]])
        yield Symptom("alternation", trace, tuple(who), about, positions, text, count, limit)
        return


def _periodic(chain: Sequence[Hop], period: int) -> int:
    """Return how many hops at the end repeat with `period`. Pure."""
    length = period
    while length < len(chain) and chain[-length - 1].stream == chain[-length - 1 + period].stream:
        length += 1
    return length


def _quiet(chain: Sequence[Hop]) -> int:
    """Return how many hops at the end have nothing new between them. Pure."""
    length = 1
    while length < len(chain) and not chain[-length].news:
        length += 1
    return length


def _first_first(streams: Sequence[str]) -> list[str]:
    """Return a round as it is told: the same wherever in it one is. Pure."""
    at = streams.index(min(streams))
    return [*streams[at:], *streams[:at]]


def fan_out(case: Case, trace: str, id: str, position: int, limits: Thresholds) -> Iterator[Symptom]:
    """Count a message, and yield that a request leads to too many, or to more with each step, if it does."""
    case.messages.add(position)
    level = max((id.count("/") - 1) // 2, 0)
    case.levels += [0] * (level + 1 - len(case.levels))
    case.levels[level] += 1
    root, streams = name_of(case.root), (case.root,)
    positions, count = latest(case.messages.positions), case.messages.count
    if limits.messages and count >= limits.messages:
        text = f"the request to {root} led to {count:,} messages and turns"
        yield Symptom("fan_out", trace, streams, "messages", positions, text, count, limits.messages)
    steps = _widening(case.levels[: level + 1])
    if limits.widening and steps >= limits.widening:
        wide = ", ".join(f"{n:,}" for n in case.levels[level - steps : level + 1])
        text = f"the request to {root} leads to twice as many messages with each step: {wide}"
        yield Symptom("fan_out", trace, streams, "widening", positions, text, steps, limits.widening)


def _widening(levels: Sequence[int]) -> int:
    """Return how many steps at the end are at least twice as wide as the one before. Pure."""
    steps = 0
    while steps + 1 < len(levels) and 0 < 2 * levels[-steps - 2] <= levels[-steps - 1]:
        steps += 1
    return steps
