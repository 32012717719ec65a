"""What may be said of a block besides its value, checked: by whoever declares it, and by people later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pydantic import JsonValue
from pydantic_core import from_json

from callboard.events import SpecError

from .storable import storable


def checked_fields(
    what: str,
    *,
    description: str | None = None,
    limit: int | None = None,
    locked: bool | None = None,
    tags: Iterable[str] | None = None,
    metadata: Mapping[str, JsonValue] | None = None,
) -> dict[str, object]:
    """Return those that are given, by the names that a `BlockSpec` has for them; `what` says whose they are.

    Raises:
        SpecError: One cannot be recorded.
    """
    found: dict[str, object] = {}
    if description is not None:
        found["description"] = _text(description, f"the description of {what}")
    if limit is not None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:  # type: ignore[reportUnnecessaryIsInstance]
            raise SpecError(f"{what} has limit {limit!r}; at least 1 character is wanted")
        found["limit"] = limit
    if locked is not None:
        if not isinstance(locked, bool):  # type: ignore[reportUnnecessaryIsInstance]
            raise SpecError(f"{what} has locked {locked!r}; True or False is wanted")
        found["read_only"] = locked
    if tags is not None:
        found["tags"] = _tags(tags, what)
    if metadata is not None:
        found["metadata"] = _json(metadata, what)
    return found


def check_access(what: str, access: object, writers: object) -> None:
    """Check who may edit a block, as whoever declares it says; `what` says which it is.

    Raises:
        SpecError: The access is neither `read` nor `write`, or the writers are no names.
    """
    if access not in ("read", "write"):
        raise SpecError(f"{what} has access {access!r}; 'read' or 'write' is wanted")
    if isinstance(writers, str):
        raise SpecError(f"{what} has the writers {writers!r}; a tuple of names is wanted")


def _text(text: object, what: str) -> str:
    if not isinstance(text, str):
        raise SpecError(f"{what} is {type(text).__name__}, a string is wanted")
    if storable(text)[0] != text:
        raise SpecError(f"{what} holds a NUL character or half of a surrogate pair, or is too long; mend the text")
    return text


def _tags(tags: Iterable[str], what: str) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise SpecError(f"tags of {what} are {tags!r}; a set of strings is wanted")
    found = sorted({_text(tag, f"a tag of {what}") for tag in tags})
    if "" in found:
        raise SpecError(f"a tag of {what} is empty; give it a word")
    return tuple(found)


def _json(metadata: Mapping[str, JsonValue], what: str) -> dict[str, JsonValue]:
    try:
        text = json.dumps(dict(metadata), allow_nan=False)
        found: dict[str, JsonValue] = from_json(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"metadata of {what} are no JSON object: {error}") from None
    _text(text, f"metadata of {what}")
    return found
