"""What the detector found in a running system, and what followed."""

from __future__ import annotations

from typing import Literal

from .event import Event
from .text import Text

Kind = Literal[
    "alternation", "same_call", "same_state", "monologue", "starvation", "undoing", "fan_out", "overdue_task"
]
"""Work that goes round and round; the same call, or the same words, again and again; nobody else and nothing
new; somebody whose turn never comes; edits that take each other back; ever more messages; a task that is late."""

Policy = Literal["warn", "tell", "ask", "stop"]
"""What follows: it is recorded; and the agents concerned are told at their next model call; or the one who has most to
do with it waits for a person; or the request ends."""


class SymptomFound(Event, takes_in=True):
    """Something in the request `id` does not look well, and whoever this is has to do with it.

    Attributes:
        symptom: Names it within its log.
        who: Streams of all who have to do with it.
        about: What it is about besides these, such as a tool or a block.
        measured: What was counted; `limit` is the threshold that it came to.
        positions: Where in the log it shows.
        text: A sentence that says so.
    """

    symptom: str
    kind: Kind
    then: Policy
    who: tuple[str, ...]
    about: str = ""
    measured: int
    limit: int
    positions: tuple[int, ...]
    text: Text

    @property
    def key(self) -> str:
        return f"symptom:{self.symptom}"
