"""Names and texts of specs: what they may be."""

from __future__ import annotations

import re

from callboard.events import SpecError

from .storable import storable

RESERVED = frozenset({"user", "callboard", "system", "assistant"})
"""Names that would be taken for somebody else in a prompt."""


def checked_name(name: object, what: str) -> str:
    """Return `name`, if an agent, group or block may have it.

    Raises:
        SpecError: It is reserved, or no letter, digit, `_` and `-` of 1 to 64 characters.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise SpecError(
            f"{name!r} cannot be the name of {what}: 1 to 64 letters, digits, '_' or '-' are wanted, "
            "the first a letter or digit"
        )
    if name in RESERVED:
        raise SpecError(f"{name!r} cannot be the name of {what}: it is reserved; take another")
    return name


def checked_text(text: object, what: str) -> str:
    """Return `text`, if the log can hold it.

    Raises:
        SpecError: It is no string, or holds NUL or half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise SpecError(f"{what} is {type(text).__name__}, a string is wanted")
    if storable(text)[0] != text:
        raise SpecError(f"{what} holds a NUL character or half of a surrogate pair, or is too long; mend the text")
    return text
