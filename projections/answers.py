"""What the answer to a refused edit shows of a block: the editor is told how it reads now. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

AGAINST = "(- yours, + now)"
"""What the first line of an answer says whose other lines are a difference."""

_CUT = re.compile(r" \[[0-9,]+ characters in all\]$")


def quoted_in(answer: str, value: str) -> Iterator[tuple[int, int]]:
    """Yield the parts of `value` that `answer` shows, as (from, up to): lines, and beginnings of those that it cut."""
    why, *lines = answer.split("\n")
    if AGAINST in why:
        lines = [line[1:] for line in lines if line[:1] in ("+", " ")]
    whole, begun = set(lines), [line[: found.start()] for line in lines if (found := _CUT.search(line))]
    start = end = at = 0
    for line in value.split("\n") if lines else ():
        size = len(line) if line in whole else _begun(line, begun)
        if size and at == end + 1:  # it goes on where the last one ended
            end = at + size
        elif size:
            if start < end:
                yield start, end
            start, end = at, at + size
        at += len(line) + 1
    if start < end:
        yield start, end


def _begun(line: str, beginnings: list[str]) -> int:
    return max((len(one) for one in beginnings if line.startswith(one)), default=0) if beginnings else 0
