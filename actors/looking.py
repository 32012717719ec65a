"""What calls of callboard's own tools look up: whom messages go to, what is found in archives, and what goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard.projections.agent import ToolCall

from . import archival, archives, directory, memory, messaging, shelf, storing
from .directory import Told
from .shelf import Found

if TYPE_CHECKING:
    from .system import System


async def look_up(system: System, stream: str, call: ToolCall, asked: object) -> Found | Told:
    """Return where what the call of `stream` sends goes to; or what the model is told instead."""
    match asked:
        case archival.Search():
            return await archives.look_up(system, stream, asked)
        case storing.Store():
            return await shelf.of_talk(system, await system.look(stream), asked)
        case memory.ArchiveLines():
            return await shelf.of_block(system, await system.look(stream), call, asked)
        case messaging.Share():
            return await shelf.to_share(system, await system.look(stream), asked)
        case _:
            found = await directory.look_up(system, stream, asked)
            return found if isinstance(found, Told) else Found(found)
