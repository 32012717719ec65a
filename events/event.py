"""An event before (`Event`, `NewEvent`) and after (`RecordedEvent`) the log holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value that is stored: it cannot change, and knows no fields but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Frozen):
    """A fact, named in the past tense.

    A subclass says what it is to the thing called `id`: `opens="turn"`, `goes_on="turn"` or
    `closes="turn"`; and whether it takes something in from outside its actor, or follows by rule.
    An id is a path (`<key>/<recipient>/<turn>/<recipient>/<step>/<ordinal>`), so no two things of a
    log share one. It is empty where an event is about its actor and not about something begun.
    """

    schema_version: ClassVar[int] = 1
    opens: ClassVar[str] = ""
    goes_on: ClassVar[str] = ""
    closes: ClassVar[str] = ""
    takes_in: ClassVar[bool] = False

    id: str = ""

    def __init_subclass__(cls, *, opens: str = "", goes_on: str = "", closes: str = "", takes_in: bool = False) -> None:
        super().__init_subclass__()
        cls.opens, cls.goes_on, cls.closes, cls.takes_in = opens, goes_on, closes, takes_in

    @property
    def key(self) -> str | None:
        """What makes a second append of this fact the first one again; None where no one repeats it."""
        return None

    @property
    def correlation_id(self) -> str | None:
        """The request from outside that this came of: the first part of its path."""
        return self.id.split("/", 1)[0] or None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event about to be appended, with the event that led to it, as `stream@version`."""

    data: Event
    causation_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as the log holds it.

    Attributes:
        position: Place in the whole log, from 1, dense.
        version: Place in its stream, from 1, dense.
        recorded_at: UTC time of the append.
        chain: Hash over this event and all before it, 16 bytes.
    """

    position: int
    stream: str
    version: int
    recorded_at: datetime
    causation_id: str | None
    chain: bytes
    data: Event

    @property
    def ref(self) -> str:
        """What other events call this one."""
        return f"{self.stream}@{self.version}"

    @property
    def type(self) -> str:
        """The name of its type in the catalogue."""
        return type(self.data).__name__
