"""Which part of a long text to show of what a search has found. All pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from callboard.events.tokens import folded, words_of

CUT = "…"
"""Stands where something is left out."""

_folded = lru_cache(maxsize=10_000)(folded)


def marks(text: str, query: str) -> list[tuple[int, int]]:
    """Return where words of `query`, or such that begin like them, stand in `text`: first and last character + 1."""
    parts = [_pattern(word) for word in words_of(query)]
    if not parts:
        return []
    plain, places = _plain(text)
    found = (match.span() for match in re.finditer("|".join(parts), plain, re.IGNORECASE))
    return [(places[first], max(places[end - 1] + 1, places[end])) for first, end in found]


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """Return `text` as it is searched, and where in `text` each of its characters stands, and the end."""
    if text.isascii():
        return text, range(len(text) + 1)
    parts = [_folded(character) for character in text]
    places = [n for n, part in enumerate(parts) for _ in part]
    return "".join(parts), [*places, len(text)]


def _pattern(word: str) -> str:
    if word.startswith("symbol") and word[6:].isdigit():
        return re.escape(chr(int(word[6:])))
    if not word.isascii() and " " in word:
        return re.escape(word.replace(" ", ""))
    kept = len(word) - (3 if len(word) > 5 else 1 if len(word) > 3 else 0)
    if not word.isalpha():
        return rf"(?<!\w){re.escape(word)}(?!\w)"
    return rf"\b{re.escape(word[:kept])}\w{{0,{len(word) - kept + 3 if kept < len(word) else 0}}}\b"


def excerpt(text: str, query: str, width: int) -> str:
    """Return at most `width` characters of `text` around the first word of `query` in it, or its beginning."""
    if len(text) <= width:
        return text
    found = marks(text, query)
    first = found[0][0] if found else 0
    room = width - 2 * len(CUT)
    begin = max(0, min(first - room // 4, len(text) - room))
    end = begin + room
    return f"{CUT if begin else ''}{text[begin:end]}{CUT if end < len(text) else ''}"
