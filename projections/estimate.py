"""How many tokens a text has, about, where no provider has counted them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic_core import to_json

PER_MESSAGE = 8
"""Tokens that a message costs besides its text."""


def tokens_in(text: str) -> int:
    """Return about how many tokens `text` has, rather too many than too few.

    A token is three characters of ASCII (English prose has four to a token, code and JSON three), one of other
    scripts, and a third of what lies beyond the basic plane, such as emoji.
    """
    ascii = len(text) if text.isascii() else sum(char < "\x80" for char in text)
    beyond = 0 if ascii == len(text) else sum(char > "\uffff" for char in text)
    return -(-ascii // 3) + (len(text) - ascii - beyond) + 3 * beyond


def tokens_of(messages: Iterable[Mapping[str, object]]) -> int:
    """Return about how many tokens a prompt has."""
    return sum(PER_MESSAGE + tokens_in(to_json(message).decode()) for message in messages)
