"""The end of a whole request: what is cancelled, wherever it is."""

from __future__ import annotations

from typing import Protocol

from callboard.events import CallboardError, NotWaiting
from callboard.projections import Pending

from .commands import Cancel, Delivery
from .mailbox import WAIT
from .ref import USER


class Host(Protocol):
    """What a system has that this needs."""

    async def pending(self) -> Pending:
        """Return all that is open."""
        ...

    async def deliver(self, to: str, delivery: Delivery, *, wait: float = WAIT) -> None:
        """Hand `delivery` over; return when it is in the stream of `to`."""
        ...


async def cancel(host: Host, trace: str, by: str, why: str = "") -> None:
    """End the request `trace` and all that it caused, at the word of `by`; return when it is recorded everywhere.

    Raises:
        NotWaiting: Nothing of that request is open.
        DeliveryFailed: Somebody who works on it could not be told; all others were.
    """
    told, failure = set[tuple[str, str]](), None
    while wanted := [one for one in ends(await host.pending(), trace, by, why) if (one[0], one[1].id) not in told]:
        for stream, end in wanted:  # what is under way meanwhile may open more
            told.add((stream, end.id))
            try:
                await host.deliver(stream, end)
            except CallboardError as error:
                failure = failure or error
    if failure is not None:
        raise failure
    if not told:
        raise nothing_open(trace)


def ends(pending: Pending, trace: str, by: str = USER, why: str = "") -> list[tuple[str, Cancel]]:
    """Return what ends all that is open of the request `trace`, each with the stream that it goes to. Pure."""
    mine = [item for item in pending.items.values() if item.id.split("/", 1)[0] == trace]
    turns = [(item.stream, Cancel(item.id, USER, by, why)) for item in mine if item.kind == "turn"]
    sends = [(item.recipient, Cancel(item.id, item.stream, by, why)) for item in mine if item.kind == "send"]
    return turns + [one for one in sends if not one[0].startswith(("block-", "archive-"))]


def nothing_open(trace: str) -> NotWaiting:
    """Return the error that nothing of the request `trace` is open. Pure."""
    return NotWaiting(trace, "names no request of which anything is open; `callboard trace LOG` lists requests")
