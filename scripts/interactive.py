"""`callboard run --interactive`: a conversation at the terminal, with what waits for a person asked in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from pydantic import JsonValue
from rich.console import Console

from callboard.actors.model import Model
from callboard.actors.ref import Ref
from callboard.actors.team import Team
from callboard.events import EventStore, SQLiteStore
from callboard.scripts.border import FINE, say
from callboard.scripts.serving import system_of
from callboard.scripts.session import Session
from callboard.scripts.signals import GOES_ON
from callboard.scripts.typed_lines import Source


def interactive(
    team: Team,
    *,
    model: Model,
    log: Path | EventStore,
    lines: Source,
    out: Console,
    to: str | None = None,
    first: str = "",
    params: Mapping[str, JsonValue] | None = None,
) -> int:
    """Do what `talk` does, from the start of a loop to its end.

    Ctrl-C cancels the request under way, or else leaves; once it is left, another one stops at once.
    """

    async def work() -> int:
        code = FINE
        send, stops = anyio.create_memory_object_stream[int](8)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen, send)
            code = await talk(team, model=model, log=log, lines=lines, out=out, to=to, first=first, params=params,
                              stops=stops)  # fmt: skip
            tasks.cancel_scope.cancel()
        return code

    return anyio.run(work)


async def _listen(send: MemoryObjectSendStream[int]) -> None:
    with send, anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            try:
                send.send_nowait(number)
            except (anyio.BrokenResourceError, anyio.WouldBlock):  # nobody listens any more
                say(f"stopped at once; {GOES_ON}")
                os._exit(128 + number)  # as safe as a kill; a tool in a thread would hold up any other end


async def talk(
    team: Team,
    *,
    model: Model,
    log: Path | EventStore,
    lines: Source,
    out: Console,
    to: str | None = None,
    first: str = "",
    params: Mapping[str, JsonValue] | None = None,
    stops: MemoryObjectReceiveStream[int] | None = None,
) -> int:
    """Converse with `team` until the input ends; return the exit code.

    Args:
        first: A request that is made before any line is read.
        params: What the group's pattern takes with each request.
        stops: Gives the number of each signal that came.

    Raises:
        SpecError: Nobody is called `to`, or the log holds something else of a name in the team.
        LogError: The log cannot be opened, or not be written.
    """
    recipient = team.recipient(to)
    async with AsyncExitStack() as stack:
        store = log if not isinstance(log, Path) else await stack.enter_async_context(SQLiteStore.open(log))
        system = await stack.enter_async_context(system_of(team, store, model))
        for spec in team.roots:
            await system.start(spec)
        session = Session(system, Ref(recipient.stream, system), lines, out, dict(params or {}))
        return await session.run(first, stops)
