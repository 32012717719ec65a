"""Time and chance, as a system is given them: a test gives its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random, SystemRandom

import anyio

LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Digits and letters that are not taken for one another."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Outside:
    """Where a system gets the time, its pauses, and what is drawn.

    Attributes:
        sleep: Waits so many seconds.
    """

    now: Callable[[], datetime] = _now
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    random: Random = field(default_factory=SystemRandom)

    def key(self) -> str:
        """Return a new key of 12 characters, 60 bits."""
        return "".join(self.random.choice(LETTERS) for _ in range(12))
