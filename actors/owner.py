"""What the owner of a log does at the word of others: what people and other processes want of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import structlog

from callboard.events import CallboardError, LogError, RequestFailed

from . import archives, cancelling, editing, inbox, letters, people, post

if TYPE_CHECKING:
    from .system import System

log = structlog.get_logger()


async def watch(system: System, folder: Path) -> None:
    """Take up the commands that other processes put into `folder`, each once, for as long as this runs."""
    while True:
        for file in inbox.waiting(folder):
            try:
                await obey(system, inbox.read(file))
            except CallboardError as error:
                log.warning("command refused", file=file.name, why=str(error))
                if not isinstance(error, RequestFailed):  # that one stands in the log, under the key
                    inbox.refuse(file, str(error))
            file.unlink(missing_ok=True)
        await anyio.sleep(inbox.POLL)


async def obey(system: System, command: inbox.AnyRequest) -> None:
    """Do what `command` says."""
    if isinstance(command, inbox.Settle):
        await settle(system, command)
    elif isinstance(command, inbox.Requeue):
        await system.deliver(*await letters.delivery_of(system.store, command))
    elif isinstance(command, inbox.Drop):
        await post.drop(system, command)
    elif isinstance(command, inbox.Decide):
        await people.decide(system, command)
    elif isinstance(command, inbox.Keep):
        await archives.keep(system, command)
    elif isinstance(command, inbox.End):
        await cancelling.cancel(system, command.trace, people.checked_name(command.by))
    elif isinstance(command, inbox.Edit):
        await editing.edit(system, command)
    else:
        await redact(system, command.positions, command.reason)


async def settle(system: System, command: inbox.Settle) -> None:
    """Record what is said of a call in doubt; what was recorded before is done.

    Raises:
        NotInDoubt: The call is not in doubt, or not any more.
    """
    items = list((await system.pending()).items.values())
    streams = [item.stream for item in items if item.id == command.call] or system.streams()
    for stream in streams:
        if await system.store.find(stream, f"command:{command.key}"):
            return
    await system.deliver(inbox.doubt_of(items, command.call).stream, command.delivery())


async def redact(system: System, positions: Sequence[int], reason: str) -> None:
    """Erase the texts said first in the events at `positions`, in the log and in what is held in memory.

    Raises:
        LogError: The log cannot do that, or an event says no text, or was redacted before.
    """
    erase = getattr(system.store, "redact", None)
    if erase is None:
        raise LogError("this store erases nothing; only a log in a file does")
    try:
        await erase(positions, reason=reason)
    finally:  # also where their bytes are still in a file
        system.erased = True
        for stream in system.streams(met=True):
            system.actor(stream).fold_again()
