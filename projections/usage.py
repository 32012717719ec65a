"""What model calls cost, by agent and by request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from callboard.events import RecordedEvent
from callboard.events.catalog import (
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
)

from .projection import Projection
from .words import name_of


@dataclass(slots=True)
class Spent:
    """What was spent so far.

    Attributes:
        calls: Model calls wanted, each counted once however often it was tried.
        failed_attempts: Attempts without a whole reply, those included that the end of a process cut; not those that
            did not go out.
        seconds: Time in which attempts ran; side by side counts twice.
    """

    calls: int = 0
    failed_attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class UsageTable:
    """What was spent, in all and apart. Changed in place by its one fold.

    Attributes:
        running: When the open attempts began, by the id of their call.
    """

    total: Spent = field(default_factory=Spent)
    by_agent: dict[str, Spent] = field(default_factory=dict[str, Spent])
    by_trace: dict[str, Spent] = field(default_factory=dict[str, Spent])
    running: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in."""
        data = event.data
        if "call" not in (data.opens, data.goes_on, data.closes):
            return
        cut = isinstance(data, ModelCallStarted) and data.id in self.running
        began = None if cut else self.running.pop(data.id, None)
        seconds = (event.recorded_at - began).total_seconds() if began else 0.0
        if isinstance(data, ModelCallStarted):
            self.running[data.id] = event.recorded_at
        agent = self.by_agent.setdefault(name_of(event.stream), Spent())
        trace = self.by_trace.setdefault(data.correlation_id or "", Spent())
        for spent in (self.total, agent, trace):
            spent.seconds += max(seconds, 0.0)
            spent.failed_attempts += cut or (isinstance(data, ModelCallFailed) and began is not None)
            _count(spent, event)


def _count(spent: Spent, event: RecordedEvent) -> None:
    match event.data:
        case ModelCallRequested():
            spent.calls += 1
        case ModelAttemptFailed(sent=True):
            spent.failed_attempts += 1
        case ModelCallFinished(usage=usage) if usage is not None:
            spent.input_tokens += usage.input_tokens
            spent.output_tokens += usage.output_tokens
            spent.cached_tokens += usage.cached_tokens
        case _:
            pass


def _evolve(table: UsageTable, event: RecordedEvent) -> UsageTable:
    table.take(event)
    return table


usage: Projection[UsageTable] = Projection("usage", UsageTable, _evolve)
"""Tokens, calls, failed attempts and seconds, in all, by agent and by request."""
