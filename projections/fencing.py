"""Marks around what others wrote, so that it can pass for nobody else's words, and cuts of what is too long. Pure."""

from __future__ import annotations

import re
from hashlib import blake2b

from .estimate import tokens_in

LEFT_OUT = "[... {:,} characters left out here; the log has the whole]"
"""What stands where a text was cut in a prompt."""

_HEAD = 0.75

_FENCED = re.compile(r"(.*?)<(said|result)-([0-9a-f]{8})>\n(.*)\n</\2-\3>", re.DOTALL)


def fenced(text: str, kind: str) -> str:
    """Return `text` between marks that it does not hold: they are made of its own hash."""
    mark = _mark(text)
    return f"<{kind}-{mark}>\n{text}\n</{kind}-{mark}>"


def _mark(text: str) -> str:
    mark, said = "", text.encode(errors="surrogatepass")
    while not mark or mark in text:
        mark = blake2b(mark.encode() + said, digest_size=4).hexdigest()
    return mark


def unfenced(text: str) -> str:
    """Return what a message of a prompt says, without the marks in it; `writer: ...` stays in one line."""
    found = _FENCED.fullmatch(text)
    if found is None:
        return text
    who, said = found[1].removesuffix("\n"), found[4]
    return f"{who} {said}" if who else said


def set_in(text: str) -> str:
    """Return `text` with all its lines but the first set in, so that none of them can begin as somebody else's."""
    return "\n  ".join(text.splitlines() or [""])


def shortened(text: str, most: int) -> str:
    """Return `text`, if it has at most about `most` tokens; else its beginning and its end, with what is missing."""
    if tokens_in(text) <= most:
        return text
    size = len(text)  # characters that fit, found by halves: a token is no fixed number of them
    low, high = 0, size
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokens_in(_ends(text, middle)) <= most else (low, middle - 1)
    head = int(low * _HEAD)
    return "\n".join((text[:head], LEFT_OUT.format(size - low), text[size - (low - head) :]))


def _ends(text: str, kept: int) -> str:
    head = int(kept * _HEAD)
    return text[:head] + text[len(text) - (kept - head) :]
