"""Ctrl-C and SIGTERM: the first lets what is under way end, the second stops at once. Both lose nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable

import anyio

from callboard.actors.system import GRACE
from callboard.scripts.border import say

GOES_ON = "what was done is in the log, and the same command goes on with what is open"


async def interruptible(work: Callable[[anyio.CancelScope], Awaitable[int]]) -> int:
    """Run `work` and return its exit code, or 128 and the signal that cut it short.

    `work` waits for its answer inside the scope that it is given, which the first signal cancels; what it
    does after that is its orderly end.
    """
    asking, told, code = anyio.CancelScope(), list[int](), 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, asking, told)
        code = await work(asking)
        tasks.cancel_scope.cancel()
    if not told:
        return code
    say(f"interrupted; {GOES_ON}")
    return 128 + told[0]


async def _listen(asking: anyio.CancelScope, told: list[int]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            if told:
                say(f"stopped at once; {GOES_ON}")
                os._exit(128 + number)  # as safe as the kill that it is; a tool in a thread would hold up any other end
            told.append(number)
            say(f"finishing what is under way, {GRACE:.0f} s at most; again to stop at once")
            asking.cancel()
