"""What a projection is: a first state and a pure `evolve`; and how a log is folded into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from callboard.events import EventStore, RecordedEvent

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Projection(Generic[S]):
    """A state of the log, as a fold.

    `evolve` must be pure: it reads no clock, file or network, and makes nothing at random. Live
    actors and replay run the same one, so what a replay shows is what the actor had.

    Attributes:
        initial: Makes the state before the first event; a new one each time, so that a view may
            change the state it is given instead of copying it.
    """

    name: str
    initial: Callable[[], S]
    evolve: Callable[[S, RecordedEvent], S]


def fold(projection: Projection[S], events: Iterable[RecordedEvent]) -> S:
    """Return the state after `events`."""
    state = projection.initial()
    for event in events:
        state = projection.evolve(state, event)
    return state


async def replay(
    store: EventStore, projection: Projection[S], *, stream: str | None = None, until: int | None = None
) -> S:
    """Return the state that `projection` makes of `stream`, or of the whole log.

    Runs no model and no tool.

    Args:
        until: Last position of the log to fold; None folds all.
    """
    events = store.read_all(until=until) if stream is None else store.read_stream(stream, until_position=until)
    state = projection.initial()
    async for event in events:
        state = projection.evolve(state, event)
    return state
