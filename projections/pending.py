"""What was begun and has not ended, in the whole log: whom to start, what is due, what is in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from callboard.events import CallboardError, Event, RecordedEvent
from callboard.events.catalog import (
    LimitKept,
    LimitRaised,
    LimitReached,
    MessageReceived,
    MessageSent,
    ModelAttemptFailed,
    ModelCallFinished,
    ModelCallStarted,
    Spent,
    TurnCancelling,
    TurnResumed,
)

from .projection import Projection

RUNNING = ("ModelCallStarted", "ToolCallStarted")
"""Events after which an effect runs outside."""


AWAITING = ("ApprovalAsked", "QuestionAsked", "ToolCallInDoubt")
"""Events after which a call may wait for a person; one in doubt does where its tool says so."""


@dataclass(frozen=True, slots=True)
class Open:
    """One thing that is open.

    Attributes:
        kind: `turn`, `send`, `call` or `tool`.
        latest: The type of the last event about it, such as `ToolCallInDoubt`.
        since: Position of the event that opened it.
        recipient: The stream whose answer it waits for; empty where it waits for no actor.
        due: When it goes on by itself; None where no time is set.
        attempt: Of a turn, how often it was taken up.
        asks: Whether a turn that reached a limit asks a person, whatever else was recorded of it since.
    """

    stream: str
    kind: str
    id: str
    latest: str
    since: int
    recipient: str = ""
    due: datetime | None = None
    attempt: int = 1
    asks: bool = False


class NotPaired(CallboardError):
    """A log closes a thing that is not open, or opens one twice."""

    def __init__(self, event: RecordedEvent) -> None:
        super().__init__(f"{event.type} of {event.data.id!r} at {event.ref} does not pair with what is open")
        self.event = event


class Pending:
    """All that is open, by (kind, id), in the order of opening. Changed in place by its one fold.

    Attributes:
        spent: What model calls came to so far, in the whole log.
    """

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Open] = {}
        self.spent = Spent()

    def streams(self) -> list[str]:
        """Return the streams with something open, each once, oldest first."""
        return list(dict.fromkeys(item.stream for item in self.items.values()))

    def awaiting(self) -> list[Open]:
        """Return the calls and turns that may wait for a person, oldest first."""
        return [item for item in self.items.values() if item.latest in AWAITING or item.asks]

    def suspects(self) -> list[str]:
        """Return the streams whose turn was taken up again before and was running when the process ended."""
        running = {item.stream for item in self.items.values() if item.latest in RUNNING}
        again = [item.stream for item in self.items.values() if item.kind == "turn" and item.attempt > 1]
        return [stream for stream in dict.fromkeys(again) if stream in running]

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in.

        Raises:
            NotPaired: It opens what is open, or goes on with or closes what is not.
        """
        data = event.data
        kind = data.opens or data.goes_on or data.closes
        if not kind:
            return
        if kind == "call":
            self._count(data)
        key = (kind, data.id)
        before = self.items.get(key)
        if bool(data.opens) == (before is not None):
            raise NotPaired(event)
        if data.closes:
            del self.items[key]
            return
        recipient = before.recipient if before else getattr(data, "recipient", "")
        since = before.since if before else event.position
        due = data.retry_at if isinstance(data, ModelAttemptFailed) else None
        due = data.expires if isinstance(data, MessageReceived | MessageSent) else due
        attempt = data.attempt if isinstance(data, TurnResumed) else before.attempt if before else 1
        asks = _asks(data, before is not None and before.asks)
        self.items[key] = Open(event.stream, kind, data.id, event.type, since, recipient, due, attempt, asks)

    def _count(self, event: Event) -> None:
        if isinstance(event, ModelCallStarted) and event.attempt == 1:
            self.spent += Spent(model_calls=1)
        elif isinstance(event, ModelCallFinished) and event.usage is not None:
            tokens = event.usage.input_tokens + event.usage.output_tokens
            self.spent += Spent(tokens=tokens, usd=event.usd or Decimal(0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pending) and (self.items, self.spent) == (other.items, other.spent)

    __hash__ = None  # type: ignore[assignment]


def _asks(event: Event, before: bool) -> bool:
    match event:
        case LimitReached(asks=asks):
            return asks
        case LimitRaised() | LimitKept() | TurnCancelling():
            return False
        case _:
            return before


def _evolve(state: Pending, event: RecordedEvent) -> Pending:
    state.take(event)
    return state


pending: Projection[Pending] = Projection("pending", Pending, _evolve)
