"""What calls of callboard's own tools look up: whom messages go to, and what is found in archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import archival, archives, directory

if TYPE_CHECKING:
    from .system import System


async def look_up(system: System, stream: str, asked: object) -> tuple[str, ...] | directory.Told:
    """Return the streams that the messages of a call by `stream` go to; or what the model is told instead."""
    match asked:
        case archival.Search():
            return await archives.look_up(system, stream, asked)
        case _:
            return await directory.look_up(system, stream, asked)
