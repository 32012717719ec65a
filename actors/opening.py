"""What a system needs to open a log, to hand over to who may be parked, and to end with one error."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from os import PathLike
from typing import Any, cast

import anyio

from callboard.events import ActorParked, CallboardError, EventStore

from .actor import Actor
from .providers import Providers


async def opened(log: str | PathLike[str] | EventStore, stack: AsyncExitStack) -> EventStore:
    """Return the store to work on; one in a file is closed with `stack`."""
    if not isinstance(log, str | PathLike):
        return log
    from callboard.events import SQLiteStore  # loads aiosqlite

    return await stack.enter_async_context(SQLiteStore.open(log))


async def unparked(actor: Actor[Any], wait: float) -> None:
    """Wait until the code of `actor` was found.

    Raises:
        ActorParked: It was not within `wait` seconds.
    """
    await actor.current()
    if actor.parked:
        with anyio.move_on_after(wait):
            await actor.unparked.wait()
    if actor.parked:
        raise ActorParked(actor.stream.split("-", 1)[1], actor.parked)


@asynccontextmanager
async def one_error() -> AsyncGenerator[None]:
    """Raise the one error that a group of tasks ended with, and not the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise first(group) from None


@asynccontextmanager
async def closing(providers: Providers) -> AsyncGenerator[None]:
    """Close all models at the end, whatever it is."""
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await providers.aclose()


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error that a group of tasks ended with; the group where they are several of other kinds."""
    found = list(_leaves(group))
    ours = [error for error in found if isinstance(error, CallboardError)]
    return found[0] if len(found) == 1 else ours[0] if ours else group


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            yield error
