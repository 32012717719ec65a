"""The events of a log's own life, all in the stream `system`, to which only the store appends."""

from __future__ import annotations

from .event import Event
from .text import Text

SYSTEM = "system"
"""The stream of these events."""


class LogCreated(Event):
    """The first event of every log; `log_id` is its identity, part of every key that leaves it."""

    log_id: str


class WriterOpened(Event):
    """A process owns the log from here on: it may append as long as this is the newest of its type.

    The version of this event is the epoch of that process.
    """

    owner: str


class WriterClosed(Event):
    """The owner let go of the log; where this is missing, it was killed, or could not write any more."""


class LossAccepted(Event):
    """Somebody opened the log although events were lost or altered, and said why.

    What the chain says of the events before this one is no longer held against the log.

    Attributes:
        expected: Position that the log had come to, as far as that is known; 0 where it is not.
        found: Position up to which it was whole.
    """

    reason: Text
    expected: int
    found: int


class EventRedacted(Event):
    """The texts that an event said first were erased for good.

    Attributes:
        said: SHA-256 of its salt and its content, in hex: what the chain needs of them.
    """

    stream: str
    version: int
    said: str
    reason: Text
