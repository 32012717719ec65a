"""Texts as words that can be searched: the same for what is kept and for what is asked. All pure.

SQLite's tokenizer finds words between blanks and signs. So each character of scripts that are written without
blanks, and each symbol, is set apart before it gets there.
"""

from __future__ import annotations

import re
from itertools import pairwise
from unicodedata import category, normalize

TOKENIZER = "porter unicode61 categories 'L* N* Co Mn Mc'"
"""What SQLite makes words with: letters and numbers, and the vowel signs that belong to them."""

LONGEST_QUERY = 10_000
"""Characters of a query."""

MOST_WORDS = 256
"""Different words of a query that count; what comes after them does not."""

_HAN = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u3096\u30a1-\u30ff\u3105-\u312f"
    "\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003fffd"
)
_MARKS = re.compile(
    "[\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe00-\ufe0f\ufe20-\ufe2f"
    "\U000e0100-\U000e01ef]"
)
"""Accents, the points of Hebrew and Arabic, and what only says how a character looks: a word is one without them.

Vowel signs of Indian scripts are none of these: they make another word.
"""

_UNSPACED = re.compile(f"[{_HAN}]")
_RUN = re.compile(f"([{_HAN}]+)")
_SIGN = re.compile(r"[^\w\s\x00-\x7f]")
_WORD = re.compile(r"\w*\d[\w.,:/-]*|[^\s!-&(-/:-@\[-`{-~]+")


def spaced(text: str) -> str:
    """Return `text` with a blank around each character that is a word of its own."""
    if text.isascii():
        return text
    return _UNSPACED.sub(r" \g<0> ", _named(text))


def matching(query: str) -> str:
    """Return the FTS5 expression that finds any of the words of `query`; empty where it holds none.

    Nothing in `query` is an operator: each of its words is quoted.
    """
    return " OR ".join(f'"{word}"' for word in words_of(query))


def words_of(query: str) -> list[str]:
    """Return the words of `query`, each once: words, numbers with the signs in them, symbols by their number, and
    each two neighbours in a script without blanks.
    """
    found: dict[str, None] = {}
    for n, part in enumerate(_RUN.split(_named(query))):
        for phrase in _pairs(part) if n % 2 else _WORD.findall(part):
            word = phrase.strip("'.,:/-")
            if any(map(str.isalnum, word)):
                found[word] = None
            if len(found) == MOST_WORDS:
                return list(found)
    return list(found)


def _pairs(run: str) -> list[str]:
    return [f"{one} {next}" for one, next in pairwise(run)] or [run]


def _named(text: str) -> str:
    """Return `text` as it is searched, with a word for each symbol."""
    return _SIGN.sub(_name, folded(text.encode(errors="replace").decode()).replace("\0", " "))


def folded(text: str) -> str:
    """Return `text` in one of the ways in which Unicode can write it, without regard to case and accents."""
    return normalize("NFC", _MARKS.sub("", normalize("NFKD", text).casefold()))


def _name(sign: re.Match[str]) -> str:
    kind = category(sign[0])
    return f" symbol{ord(sign[0])} " if kind[0] == "S" and kind != "Sk" else sign[0]
