"""What blocks the event loop is found and named: each step of an async tool is timed, and one thread looks on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from types import FrameType, coroutine
from typing import Any

import structlog

log = structlog.get_logger()

LIMIT = 1.0
"""Seconds that an async tool may keep the loop to itself before it is named."""


@dataclass(slots=True)
class Step:
    """A piece of a tool that runs on the loop now, between two places where it waits."""

    tool: str
    since: float
    told: bool = False


class LoopWatch:
    """Knows which tool runs on which loop right now, by the loop's thread.

    Nothing is recorded of it: a warning in the program's own log says which tool to mend.
    """

    def __init__(self, limit: float = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        """Name what takes longer than `limit` seconds on the `clock`."""
        self._limit, self._clock = limit, clock
        self._steps: dict[int, Step] = {}
        self._under_way = 0
        self._work = threading.Event()
        self._thread: threading.Thread | None = None

    async def run(self, tool: str, work: Coroutine[Any, Any, object]) -> object:
        """Run a coroutine of the tool called `tool` under watch; return its result."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._look_on, name="callboard watch", daemon=True)
            self._thread.start()
        self._under_way += 1
        self._work.set()
        try:
            return await self._stepped(tool, work)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._work.clear()

    @coroutine
    def _stepped(self, tool: str, work: Coroutine[Any, Any, object]) -> Generator[object, object, object]:
        given: object = None
        thrown: BaseException | None = None
        while True:
            step = Step(tool, self._clock())
            self._steps[threading.get_ident()] = step
            try:
                asked = work.send(given) if thrown is None else work.throw(thrown)
            except StopIteration as ended:
                return ended.value
            finally:
                del self._steps[threading.get_ident()]
                self._ended(step)
            try:
                given, thrown = (yield asked), None
            except BaseException as error:  # what comes from outside goes on to the tool
                given, thrown = None, error

    def _ended(self, step: Step) -> None:
        took = self._clock() - step.since
        if took > self._limit:
            log.warning("a tool blocked the loop", tool=step.tool, seconds=round(took, 3), advice=ADVICE)

    def look(self) -> None:
        """Name every tool that keeps its loop too long by now, once, with the line that it is at."""
        for thread, step in list(self._steps.items()):
            took = self._clock() - step.since
            if took > self._limit and not step.told:
                step.told = True
                where = _place(sys._current_frames().get(thread))  # type: ignore[reportPrivateUsage]
                log.warning("a tool blocks the loop", tool=step.tool, seconds=round(took, 3), at=where, advice=ADVICE)

    def _look_on(self) -> None:
        while True:
            self._work.wait()
            time.sleep(self._limit / 2)
            self.look()


ADVICE = "nothing else goes on meanwhile: make it a plain function, which runs in a thread, or await"
"""What to do about a tool that blocks the loop."""


def _place(frame: FrameType | None) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""


LOOP_WATCH = LoopWatch()
"""The one of this process."""
