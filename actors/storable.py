"""Texts from models and tools made such that the log can hold them: an outcome is never rejected."""

from __future__ import annotations

import json
import re

from pydantic_core import from_json, to_json

from callboard.events.codec import MAX_TEXT

MARK = "\ufffd"
"""Stands for a character that cannot be stored."""

WRONG = re.compile("[\0\ud800-\udfff]+")
"""Characters that cannot be stored."""

LONGEST_NAME = 64
"""Characters of a tool's name; what a model calls otherwise is cut."""

NO_NAME = re.compile("[^A-Za-z0-9_-]")
"""Characters that no tool's name has, and that providers refuse when they are sent back."""


def storable(text: str) -> tuple[str, int]:
    """Return `text` with NUL and lone surrogates replaced, cut to what an event holds; and how many were.

    Costs no more than what is kept, however long the text is. Pure.
    """
    if text.isascii() and "\0" not in text and len(text) <= MAX_TEXT:
        return text, 0
    kept = text[:MAX_TEXT]
    replaced = sum(map(len, WRONG.findall(kept)))
    clean = WRONG.sub(lambda found: MARK * len(found[0]), kept) if replaced else kept
    data = clean.encode()
    if len(text) > MAX_TEXT or len(data) > MAX_TEXT:
        cut = f"\n[cut: {len(text):,} characters in all]"
        clean = data[: MAX_TEXT - len(cut)].decode(errors="ignore") + cut
    return clean, replaced


def storable_name(name: str) -> tuple[str, int]:
    """Return the name of a tool that a model wants in characters that names have; and how many were replaced. Pure.

    So it can be sent back, and stands in prompts as a name, whatever the model wrote.
    """
    return NO_NAME.subn("_", name[:LONGEST_NAME])


def storable_arguments(arguments: str) -> tuple[str, int]:
    """Return a tool's JSON arguments made storable, also in what is escaped there; and how many characters were
    replaced. What is not JSON stays as it was written. Pure."""
    text, replaced = storable(arguments)
    if "\\u" not in text:
        return text, replaced
    try:
        if "\\u0000" not in text and from_json(text) is not None:
            return text, replaced
    except ValueError:
        pass
    try:
        value, n = _clean(json.loads(text))
    except (ValueError, RecursionError):
        return text, replaced
    return to_json(value).decode(), replaced + n


def _clean(value: object) -> tuple[object, int]:
    match value:
        case str():
            return storable(value)
        case list():
            pairs = [_clean(item) for item in value]  # type: ignore[reportUnknownVariableType]
            return [item for item, _ in pairs], sum(n for _, n in pairs)
        case dict():
            fields = [(storable(str(k)), _clean(v)) for k, v in value.items()]  # type: ignore[reportUnknown]
            total = sum(key[1] + item[1] for key, item in fields)
            return {key[0]: item[0] for key, item in fields}, total
        case _:
            return value, 0
