"""An event loop whose order is drawn from a seed, and whose time passes only when nothing else can be done."""

from __future__ import annotations

import asyncio
import heapq
from asyncio.events import _set_running_loop  # type: ignore[reportPrivateUsage]  # there for those who write loops
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from functools import partial
from hashlib import blake2b
from random import Random
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

SPREAD = 16
"""Callbacks that may overtake one that is ready."""

RUSH, SLOW = 0.02, 1.0
"""How often a timer fires although there is other work, as on a slow machine, and how many seconds early at most."""


class Stuck(Exception):
    """Nothing is ready and nothing is due, or there is no end to it."""


class _Work(NamedTuple):
    """A callback. What orders it depends on the task that asked for it, never on where an object lies in memory."""

    when: float
    task: int
    number: int
    handle: asyncio.Handle
    work: Callable[[], object]


_task: ContextVar[int] = ContextVar("_task", default=0)


class SeededLoop(asyncio.AbstractEventLoop):
    """Runs the callbacks that are ready in an order that the seed gives; has no threads and no files.

    Args:
        time: Seconds that the clock shows at the beginning.
        most: Callbacks after which `Stuck` is raised.
    """

    def __init__(self, seed: object, *, time: float = 0.0, most: int = 300_000) -> None:
        self._seed, self._chance = seed, Random(f"loop {seed}")
        self._time, self._steps, self._most = time, 0, most
        self._ready: list[_Work] = []
        self._timers: list[_Work] = []
        self._tasks, self._numbers = 0, Counter[int]()
        self._running = self._closed = False
        self.failures: list[dict[str, Any]] = []

    # -- what waits -------------------------------------------------------------------------------

    def time(self) -> float:
        return self._time

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        context = context or copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        self._soon(*self._numbered(context), handle, partial(context.run, callback, *args))
        return handle

    def _numbered(self, context: Context) -> tuple[int, int]:
        task = context.get(_task, 0)
        self._numbers[task] += 1
        return task, self._numbers[task]

    def _soon(self, task: int, number: int, handle: asyncio.Handle, work: Callable[[], object]) -> None:
        drawn = int.from_bytes(blake2b(f"{self._seed} {task} {number}".encode(), digest_size=4).digest()) / 2**32
        heapq.heappush(self._ready, _Work(self._steps + SPREAD * drawn, task, number, handle, work))

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._time + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        context = context or copy_context()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        work = partial(context.run, callback, *args)
        heapq.heappush(self._timers, _Work(when, *self._numbered(context), handle, work))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass  # it is left out when its time comes

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        context = context or copy_context()
        self._tasks += 1
        context.run(_task.set, self._tasks)
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def get_task_factory(self) -> None:
        return None

    # -- running ----------------------------------------------------------------------------------

    def run_forever(self) -> None:
        self._running = True
        _set_running_loop(self)
        try:
            while self._running:
                self._run_one()
        finally:
            self._running = False
            _set_running_loop(None)

    def run_until_complete(self, future: Any) -> Any:
        task = asyncio.ensure_future(future, loop=self)
        task.add_done_callback(self._stop)
        while not task.done():  # one that was cut off before may still say stop
            self.run_forever()
        return task.result()

    def _stop(self, _: object) -> None:
        self.stop()

    def _run_one(self) -> None:
        while self._timers and self._timers[0].handle.cancelled():
            heapq.heappop(self._timers)
        if self._timers and (not self._ready or self._rushes()):
            due = heapq.heappop(self._timers)
            self._time = max(self._time, due.when)
            self._soon(*due[1:])
        self._steps += 1
        if not self._ready or self._steps > self._most:
            self._most *= 2  # for whoever cleans up
            raise Stuck("there is no end to it" if self._ready else "nothing is ready, and nothing is due")
        next = heapq.heappop(self._ready)
        if not next.handle.cancelled():
            next.work()

    def _rushes(self) -> bool:
        return self._timers[0].when < self._time + SLOW and self._chance.random() < RUSH

    def stop(self) -> None:
        self._running = False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    async def shutdown_asyncgens(self) -> None:
        pass

    async def shutdown_default_executor(self) -> None:
        pass

    # -- what went wrong ----------------------------------------------------------------------------

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context)

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        pass
