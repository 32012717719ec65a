"""A board of tasks, as whoever declares it says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import JsonValue
from pydantic_core import to_json

from callboard.events import SpecError
from callboard.projections.board import TaskBoard

from .specs import Block

BOARD_LIMIT = 20_000
"""Characters of a board, unless it says otherwise: about 140 tasks of a line each."""


def Board(  # it reads as the class that it stands for
    label: str = "tasks",
    value: str | Mapping[str, object] | TaskBoard = "",
    *,
    description: str = "",
    limit: int = BOARD_LIMIT,
    owned: bool = False,
    access: str = "write",
    writers: Iterable[str] | None = None,
    locked: bool = False,
    tags: Iterable[str] = (),
    metadata: Mapping[str, JsonValue] | None = None,
) -> Block:
    """Return a block that holds a board of tasks; `value` is JSON, or the same as data, and empty for no tasks.

    Raises:
        SpecError: The value is no board of tasks, or anything that a `Block` refuses.
    """
    try:
        value = value.model_dump(mode="json", exclude_unset=True) if isinstance(value, TaskBoard) else value
        text = value if isinstance(value, str) else to_json(value).decode()
    except (ValueError, TypeError) as error:
        raise SpecError(f"the value of block {label!r} is no JSON: {error}") from None
    return Block(
        label, text, description=description, limit=limit, owned=owned, access=access,
        writers=None if writers is None else tuple(writers), form="board", locked=locked, tags=tags,
        metadata=metadata or {},
    )  # fmt: skip
