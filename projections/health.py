"""How agents and groups fare: what they answered, where they failed, how long they took, and who kept whom waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from callboard.events import RecordedEvent
from callboard.events.catalog import (
    ActorRestarted,
    ApprovalAsked,
    MessageDeadLettered,
    MessageDropped,
    MessageExpired,
    MessageReceived,
    QuestionAsked,
    ToolCallRequested,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)

from .projection import Projection


@dataclass(frozen=True, slots=True)
class Wait:
    """A tool call that waits for a person: for what, and since when."""

    about: Literal["approval", "answer"]
    tool: str
    since: datetime


@dataclass(slots=True)
class Health:
    """How one agent or group fares. Latencies are in seconds, and those of cancelled turns do not count.

    Attributes:
        answered, failed, cancelled: Turns that ended so.
        failures: Turns that failed since the last that was answered.
        last_answered, last_failed: When; None for never.
        waited: From the message to its reply, of all turns that ended; `last_waited` of the last one.
        worked: From the beginning of the work to the reply; `last_worked` of the last one.
        begun: How many of these were begun: a turn can end in the backlog.
        backlog: Messages that wait; `open` is the id of the turn that is worked on.
        restarts: How often it failed itself, and began again from its log.
        awaits: What its calls wait for of people, by their ids, oldest first.
    """

    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    failures: int = 0
    last_answered: datetime | None = None
    last_failed: datetime | None = None
    waited: float = 0.0
    last_waited: float | None = None
    worked: float = 0.0
    last_worked: float | None = None
    begun: int = 0
    backlog: int = 0
    open: str = ""
    restarts: int = 0
    awaits: dict[str, Wait] = field(default_factory=dict[str, "Wait"])

    @property
    def mean_waited(self) -> float | None:
        """Seconds from a message to its reply, on average; None before the first."""
        ended = self.answered + self.failed
        return self.waited / ended if ended else None

    @property
    def mean_worked(self) -> float | None:
        """Seconds from the beginning of the work to the reply, on average; None before the first."""
        return self.worked / self.begun if self.begun else None


@dataclass(slots=True)
class Pair:
    """What one asked of another, and got a reply to.

    Attributes:
        count: Replies, failures with them; `seconds` from the messages to these, in all.
    """

    count: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def mean(self) -> float:
        """Seconds that one took, on average."""
        return self.seconds / self.count if self.count else 0.0


@dataclass(slots=True)
class _Turn:
    """A turn that has not ended: who asked, and when it came and was begun."""

    sender: str
    received: datetime
    started: datetime | None = None


@dataclass(slots=True)
class HealthTable:
    """How all fare, by stream, in the order of their beginnings. Changed in place by its one fold.

    Attributes:
        pairs: By (stream of who asked, or `user`; stream of who was asked).
    """

    actors: dict[str, Health] = field(default_factory=dict[str, Health])
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict[tuple[str, str], Pair])
    _turns: dict[tuple[str, str], _Turn] = field(default_factory=dict[tuple[str, str], _Turn])
    _tools: dict[str, str] = field(default_factory=dict[str, str])

    def of(self, stream: str) -> Health:
        """Return how whoever has `stream` fares."""
        return self.actors.get(stream) or Health()

    def slowest(self, *streams: str) -> list[tuple[str, str]]:
        """Return the pairs that have one of `streams` on each side, or `user` as who asks, by the time in all."""
        found = [pair for pair in self.pairs if pair[1] in streams and pair[0] in (*streams, "user")]
        return sorted(found, key=lambda pair: -self.pairs[pair].seconds)

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in."""
        stream, data, at = event.stream, event.data, event.recorded_at
        if event.type in ("AgentStarted", "GroupStarted"):
            self.actors.setdefault(stream, Health())
        match data:
            case _ if event.data.opens == "tool" or event.data.goes_on == "tool" or event.data.closes == "tool":
                self._call(event)
            case ActorRestarted() if stream in self.actors:
                self.actors[stream].restarts += 1
            case MessageReceived(id=id, sender=sender):
                self._turns[stream, id] = _Turn(sender, at)
                self.actors.setdefault(stream, Health()).backlog += 1
            case TurnStarted(id=id) if turn := self._turns.get((stream, id)):
                turn.started = at
                health = self.actors[stream]
                health.backlog, health.open = health.backlog - 1, id
            case TurnFinished(id=id) | TurnFailed(id=id) | TurnCancelled(id=id) | MessageDeadLettered(id=id):
                if turn := self._turns.pop((stream, id), None):
                    self._end(event, turn, failed=not isinstance(data, TurnFinished))
            case MessageExpired(id=id) | MessageDropped(id=id):  # nobody worked on it, so nobody failed
                if self._turns.pop((stream, id), None):
                    self.actors[stream].backlog -= 1
            case _:
                pass

    def _call(self, event: RecordedEvent) -> None:
        id, awaits = event.data.id, self.actors.setdefault(event.stream, Health()).awaits
        awaits.pop(id, None)
        if isinstance(event.data, ToolCallRequested):
            self._tools[id] = event.data.tool
        if event.data.closes:
            self._tools.pop(id, None)
        elif isinstance(event.data, ApprovalAsked | QuestionAsked):
            about = "approval" if isinstance(event.data, ApprovalAsked) else "answer"
            awaits[id] = Wait(about, self._tools.get(id, ""), event.recorded_at)

    def _end(self, event: RecordedEvent, turn: _Turn, *, failed: bool) -> None:
        health, at = self.actors[event.stream], event.recorded_at
        if turn.started is None:
            health.backlog -= 1
        else:
            health.open = ""
        if isinstance(event.data, TurnCancelled):
            health.cancelled += 1
            return
        if failed:
            health.failed, health.failures, health.last_failed = health.failed + 1, health.failures + 1, at
        else:
            health.answered, health.failures, health.last_answered = health.answered + 1, 0, at
        health.last_waited = _seconds(turn.received, at)
        health.waited += health.last_waited
        if turn.started is not None:
            health.last_worked = _seconds(turn.started, at)
            health.worked, health.begun = health.worked + health.last_worked, health.begun + 1
        pair = self.pairs.setdefault((turn.sender, event.stream), Pair())
        pair.count, pair.failed = pair.count + 1, pair.failed + failed
        pair.seconds += health.last_waited


def _seconds(since: datetime, until: datetime) -> float:
    """Return the time between two events; none where the clock was set back."""
    return max((until - since).total_seconds(), 0.0)


def _evolve(table: HealthTable, event: RecordedEvent) -> HealthTable:
    table.take(event)
    return table


health: Projection[HealthTable] = Projection("health", HealthTable, _evolve)
"""How every agent and group of a log fares, and how long each pair took; over the whole log."""
