"""What a search may be bound to, as people and models write it: checked before the index is asked."""

from __future__ import annotations

from collections.abc import Collection

from callboard.events import TextRefused

from .storable import WRONG

MOST = 1_000
"""Hits of one search."""

ROLES = ("user", "assistant", "tool")
"""Roles that a message may have."""

MODES = ("any", "all")
"""Whether a passage needs any of some tags, or all."""


def checked_words(values: object, what: str, among: Collection[str] = ()) -> tuple[str, ...]:
    """Return `values`, if they are strings that can be looked for, and of those `among` which they must be. Pure.

    Raises:
        TextRefused: It is one string, or something else; or one of them is no string, or none of those.
    """
    if isinstance(values, str):
        raise TextRefused(f"{what} are {values[:80]!r}, which is a string; a list is wanted, such as [{values[:80]!r}]")
    if not isinstance(values, Collection):
        raise TextRefused(f"{what} are {values!r}; a list of strings is wanted")
    found = list[str]()
    for one in values:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(one, str) or WRONG.search(one):
            raise TextRefused(f"one of the {what} is {one!r}; a string without NUL and half surrogate pairs is wanted")
        if among and one not in among:
            raise TextRefused(f"one of the {what} is {one[:80]!r}; there are {', '.join(among)}")
        found.append(one)
    return tuple(found)


def needs_every(mode: object) -> bool:
    """Return whether all tags are wanted, not any. Pure.

    Raises:
        TextRefused: It is no mode.
    """
    if mode not in MODES:
        raise TextRefused(f"tag_match_mode is {mode!r}; {' or '.join(MODES)} is wanted")
    return mode == "all"


def checked_limit(limit: object) -> int:
    """Return `limit`, if it can be that of a search. Pure.

    Raises:
        TextRefused: It is no whole number from 1 to `MOST`.
    """
    if not isinstance(limit, int) or not 1 <= limit <= MOST:
        raise TextRefused(f"limit is {limit!r}; a whole number from 1 to {MOST:,} is wanted")
    return limit
