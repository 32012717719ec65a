"""What a running system tells an agent about its own work, besides what others say to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from callboard.events import Event, Text
from callboard.events.catalog import Part, SymptomFound

from .desk import Desk
from .prompt import Heard

SPEAKER = "callboard"
"""Who speaks in a remark: nobody else has this name."""

ADVICE = Text("Do something else, ask somebody for help, or answer with what you have.")
"""What follows each remark."""

Remark = tuple[str, Text]
"""A request, and what is said of it."""


def noted(remarks: tuple[Remark, ...], event: Event) -> tuple[Remark, ...]:
    """Return what an agent is to be told at its next model call, after `event`."""
    if isinstance(event, SymptomFound) and event.then == "tell":
        return (*remarks, (event.id, event.text))
    return remarks


def spoken(remarks: tuple[Remark, ...], desk: Desk) -> Iterator[Heard]:
    """Yield those remarks that are about the open turn's request, as lines of the history."""
    for trace, text in remarks:
        if desk.turn is not None and desk.turn.correlation_id == trace:
            yield Heard(desk.turn.id, "ask", (Part(SPEAKER, text), Part(SPEAKER, ADVICE)))
