"""Actors that fail are begun again from their log, with growing pauses; one that fails too often is stopped.

What a failed actor had taken in is in its stream, so beginning again is folding that. An error of the log itself is
no failure of an actor: it ends the whole system.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from callboard.events import ActorStopped

from .storable import storable

if TYPE_CHECKING:
    from datetime import datetime

    from .actor import Actor
    from .system import System

log = structlog.get_logger()

INTENSITY, WINDOW = 8, timedelta(seconds=60)
"""Failures of one actor within this time that are answered by beginning again; the next one stops it."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before an actor begins again; they double with each failure within the window."""


class Supervisor:
    """Decides what follows when an actor fails.

    Attributes:
        stopped: Why each actor that failed too often was stopped, by its stream.
    """

    def __init__(self, system: System) -> None:
        """Watch over the actors of `system`."""
        self._system = system
        self._failures: dict[str, list[datetime]] = defaultdict(list)
        self.stopped: dict[str, str] = {}

    def failed(self, actor: Actor[Any], error: Exception) -> None:
        """Begin `actor` again after a pause, or stop it and tell whoever waits for it."""
        stream, why = actor.stream, storable(f"{type(error).__name__}: {error}")[0]
        if not self._system.lives(actor):
            log.warning("an actor that was replaced failed", actor=stream, why=why)
            return
        now = self._system.outside.now()
        recent = [at for at in self._failures[stream] if now - at < WINDOW]
        self._failures[stream] = [*recent, now]
        failures = len(recent) + 1
        if failures > INTENSITY:
            self._stop(actor, f"it failed {failures} times within {WINDOW.seconds} s, the last time with {why}")
            return
        pause = min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)
        log.warning("actor restarts", actor=stream, why=why, failures=failures, seconds=pause, exc_info=error)
        again = self._system.restart(stream, held=True)
        again.failure = (why, failures)
        self._system.spawn(self._release, again, pause)

    async def _release(self, actor: Actor[Any], pause: float) -> None:
        await self._system.outside.sleep(pause)
        if actor.held is not None:
            actor.held.set()
            actor.held = None
        actor.wake()

    def _stop(self, actor: Actor[Any], why: str) -> None:
        log.error("actor stopped", actor=actor.stream, why=why)
        self.stopped[actor.stream] = why
        actor.stop()
        self._system.fail_all(actor.stream, ActorStopped(actor.stream.split("-", 1)[1], why))

    def check(self, stream: str) -> None:
        """Raise if the actor at `stream` was stopped.

        Raises:
            ActorStopped: It failed too often.
        """
        if stream in self.stopped:
            raise ActorStopped(stream.split("-", 1)[1], self.stopped[stream])

    def pardon(self, stream: str) -> None:
        """Let the actor at `stream` begin anew, if it was stopped."""
        if self.stopped.pop(stream, None) is not None:
            self._failures.pop(stream, None)
            self._system.restart(stream)
