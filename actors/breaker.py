"""When a model that keeps failing is not asked: a circuit breaker, after Michael Nygard's "Release It!". All pure.

Ours, since the known libraries read a clock of their own, and whole systems here run on a clock that is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from callboard.events import ModelError, SpecError

FAILURES, WINDOW, PAUSE = 5, 60.0, 30.0
"""Failures in a row, the seconds within which they come, and the seconds for which a model is not asked then."""

CIRCUIT_OPEN = "circuit_open"
"""The class of failure of an attempt that did not go out."""

Evidence = Literal["works", "fails", "nothing"]
"""What the end of an attempt says of the model."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a model is taken to be out of order.

    Attributes:
        failures: So many attempts in a row that failed open the circuit.
        window: Within so many seconds.
        pause: Seconds for which it is not asked then; after them one attempt tries it.
    """

    failures: int = FAILURES
    window: float = WINDOW
    pause: float = PAUSE

    def __post_init__(self) -> None:
        for name, least in (("failures", 1), ("window", 0), ("pause", 0)):
            value: float = getattr(self, name)
            if not least <= value < float("inf") or value <= 0:
                raise SpecError(f"a breaker has {name} {value}; a finite number above 0 is wanted")


USUAL = Breaker()


@dataclass(frozen=True, slots=True)
class Circuit:
    """How a model fared of late.

    Attributes:
        failed: When attempts failed since the last that did not, within the window.
        until: Until when it is not asked; None while the circuit is closed.
        why: What the last attempt failed with.
    """

    failed: tuple[datetime, ...] = ()
    until: datetime | None = None
    why: str = ""

    def opened(self, now: datetime) -> bool:
        """Return whether nobody may ask. Pure."""
        return self.until is not None and now < self.until

    def trying(self, now: datetime) -> bool:
        """Return whether one attempt may ask, to see whether the model works again. Pure."""
        return self.until is not None and now >= self.until


def evidence(error: ModelError | None) -> Evidence:
    """Return what the end of an attempt says of the model. Pure.

    What fails for good (a wrong key, a bad request) was answered, and so was what is told to wait: a rate limit is
    the pace of whoever asks, and says nothing of the model.
    """
    if error is not None and error.kind == "rate_limit":
        return "nothing"
    return "fails" if error is not None and error.retry else "works"


def after(circuit: Circuit, breaker: Breaker | None, found: Evidence, why: str, now: datetime) -> Circuit:
    """Return `circuit` after an attempt has ended; without a breaker it stays closed. Pure."""
    if breaker is None or found == "nothing" or (found == "fails" and circuit.opened(now)):
        return circuit  # what began before it opened says nothing new
    if found == "works":
        return Circuit()
    recent = tuple(at for at in circuit.failed if now - at < timedelta(seconds=breaker.window))
    if circuit.trying(now) or len(recent) + 1 >= breaker.failures:
        return Circuit((), now + timedelta(seconds=breaker.pause), why)
    return Circuit((*recent, now), None, why)
