"""Data with texts in it: taken apart so that a text said elsewhere is stored as a reference, and put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from callboard.events import Text
from callboard.events.catalog import Quote


def quoted(data: Mapping[str, object]) -> tuple[dict[str, JsonValue], tuple[Quote, ...]]:
    """Return `data` with null where a `Text` was, and those texts with their places. Pure."""
    quotes: list[Quote] = []
    return cast("dict[str, JsonValue]", _apart(data, "", quotes)), tuple(quotes)


def _apart(value: object, at: str, quotes: list[Quote]) -> object:
    match value:
        case Text():
            quotes.append(Quote(at, value))
            return None
        case Mapping():
            items = cast("Mapping[str, object]", value).items()
            return {key: _apart(one, f"{at}/{_escaped(str(key))}", quotes) for key, one in items}
        case list() | tuple():
            return [_apart(one, f"{at}/{n}", quotes) for n, one in enumerate(cast("Sequence[object]", value))]
        case _:
            return value


def misplaced(data: Mapping[str, JsonValue], quotes: Iterable[Quote]) -> str | None:
    """Return the first place of a text at which `data` has no room for one; None where all have. Pure."""
    for at, _ in quotes:
        node: JsonValue = dict(data)
        for part in at.split("/")[1:]:
            node = _at(node, part.replace("~1", "/").replace("~0", "~"))
        if node is not None:
            return at
    return None


def _at(node: JsonValue, part: str) -> JsonValue:
    """Return what stands at `part` of `node`; where it has no such part, something that is not null."""
    match node:
        case dict():
            return node.get(part, "")
        case list() if part.isascii() and part.isdigit() and int(part[:9]) < len(node):
            return node[int(part)]
        case _:
            return ""


def whole(data: Mapping[str, JsonValue], quotes: Iterable[Quote]) -> dict[str, JsonValue]:
    """Return data with its texts in their places again. Pure."""
    found = dict(data)
    for at, text in quotes:
        *path, last = (part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:])
        node: JsonValue = found
        for part in path:
            node = _copied(node, part)
        if isinstance(node, list):
            node[int(last)] = str(text)
        elif isinstance(node, dict):
            node[last] = str(text)
    return found


def _copied(node: JsonValue, part: str) -> JsonValue:
    """Return what stands at `part` of `node`, copied there, so that it can be changed."""
    if isinstance(node, list):
        node[int(part)] = copy = _copy(node[int(part)])
        return copy
    assert isinstance(node, dict)
    node[part] = copy = _copy(node[part])
    return copy


def _copy(value: JsonValue) -> JsonValue:
    return dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
