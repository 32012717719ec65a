"""What an editor is told of an edit that did not land: precise, and never longer than a page. All pure."""

from __future__ import annotations

import re
from difflib import get_close_matches

from callboard.projections.answers import AGAINST
from callboard.projections.block import difference

MOST = 2_000
"""Characters of a refusal."""

_SHOWN, _LINE, _LOOKED = 1_400, 300, 2_000
"""Characters of a value that are shown, of a line of it, and lines that are compared with what was not found."""

PASTED = re.compile(r"^[^\S\n]*\d+→", re.MULTILINE)
"""How a line begins that was copied from a listing with numbers."""


def cut(text: str, most: int) -> str:
    """Return `text`, or as much of it as fits, marked so."""
    if len(text) <= most:
        return text
    left = f" [{len(text):,} characters in all]"
    return text[: max(0, most - len(left))] + left


def quoted(text: str) -> str:
    """Return the beginning of `text` in quotation marks."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def pasted(value: str, **texts: str) -> str:
    """Return why texts cannot be meant that begin lines with numbers of a listing; empty where they can."""
    for name, text in texts.items():
        if (found := PASTED.search(text)) and not PASTED.search(value):  # a block may be long
            number = found[0].strip()
            return (
                f"`{name}` begins lines with numbers of a listing, such as {number!r}, which are no part of the block; "
                "leave out each number and its arrow"
            )
    return ""


def missing(value: str, old: str) -> str:
    """Return that `old` does not stand in `value`, and what comes closest."""
    line = closest(value, old)
    near = f"; line {line} comes closest" if line else ""
    return f"{quoted(old)} does not stand in the block{near}; {reading(value, line)}"


def several(value: str, old: str, places: list[int]) -> str:
    """Return that `old` stands in `value` at more than one of `places`, and in which lines."""
    lines = ", ".join(str(value.count("\n", 0, place) + 1) for place in places[:FOUND])
    many = f"{len(places)}" if len(places) <= FOUND else f"more than {FOUND}"
    more = "" if len(places) <= FOUND else " and more"
    return f"{quoted(old)} stands in it {many} times, in lines {lines}{more}; give more of the text around it"


FOUND = 20
"""Places of a text that are named."""


def places(value: str, old: str) -> list[int]:
    """Return where `old` stands in `value`, also where it overlaps itself; no more than one that is not named."""
    found, start = list[int](), value.find(old)
    while start >= 0 and len(found) <= FOUND:
        found.append(start)
        start = value.find(old, start + 1)
    return found


def closest(value: str, old: str) -> int:
    """Return the number of the line of `value` that the first words of `old` come closest to; 0 where none is close."""
    wanted = next((line for line in old.split("\n") if line.strip()), "")[:_LINE]
    lines = [line[:_LINE] for line in value.split("\n", _LOOKED)[:_LOOKED]]
    near = get_close_matches(wanted, lines, n=1) if wanted and len(lines) > 1 else []
    return lines.index(near[0]) + 1 if near else 0


def reading(value: str, line: int = 0) -> str:
    """Return what a block reads; of a long value the part around `line`, or the beginning."""
    if len(value) <= _SHOWN:
        return f"it reads:\n{value}"
    lines = value.split("\n")
    first = last = max(line - 1, 0)
    room = _SHOWN - len(cut(lines[first], _LINE))
    while room > 0 and (first > 0 or last < len(lines) - 1):
        if first > 0 and (last == len(lines) - 1 or first > line - (last - line) - 2):
            first -= 1
            room -= len(cut(lines[first], _LINE)) + 1
        elif last < len(lines) - 1:
            last += 1
            room -= len(cut(lines[last], _LINE)) + 1
    shown = "\n".join(cut(one, _LINE) for one in lines[first : last + 1])
    return f"of its {len(lines):,} lines, {first + 1} to {last + 1} read:\n{shown}"


def against(mine: str, now: str) -> str:
    """Return how a value differs from what somebody wanted in its place; of long ones, around the first difference."""
    old, new = mine.split("\n"), now.split("\n")
    first = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, first - 1)
    texts = ("\n".join(cut(one, _LINE) for one in lines[start : start + 40]) for lines in (old, new))
    from_line = f", from line {start + 1}" if start else ""
    return f"What stands in it now, against your text {AGAINST}{from_line}:\n" + "\n".join(difference(*texts))
