"""Limits of what a turn may spend, what it spent, and the events of a limit that is reached."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from .event import Event, Frozen
from .text import Text

Then = Literal["stop", "ask"]
"""What follows when a limit is reached: the turn ends with what it has, or it waits for a person."""

AMOUNTS = ("turns", "model_calls", "tool_calls", "tokens", "usd")
"""What is spent, and so is given along with a message and comes back with its answer."""


class Spent(Frozen):
    """What a turn and all that it caused elsewhere came to.

    Attributes:
        turns: Turns of agents that it asked for.
        model_calls: Each counted once, however often it was tried.
        tokens: Of input and output together.
        usd: As far as prices were known.
    """

    turns: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)

    def __add__(self, other: Spent) -> Spent:
        sums = {name: getattr(self, name) + getattr(other, name) for name in AMOUNTS}
        return Spent.model_construct(**sums)


class Grant(Frozen):
    """What a turn may spend, with all that it causes elsewhere; None where there is no limit.

    Attributes:
        seconds: How long it may take, where it says so itself; `until` is the same as a time.
        hops: How often a request may be passed on, from one to the next.
        fan_out: To how many at once.
    """

    turns: int | None = None
    model_calls: int | None = None
    tool_calls: int | None = None
    tokens: int | None = None
    usd: Decimal | None = None
    seconds: float | None = None
    until: datetime | None = None
    hops: int | None = None
    fan_out: int | None = None
    then: Then = "stop"


class Hold(Frozen):
    """What is set aside for an attempt of a model call: tokens, and what they cost in USD where that is limited.

    Attributes:
        input: Tokens of the prompt, estimated.
        output: Tokens that the reply may have at most.
    """

    input: int
    output: int
    input_usd: Decimal = Decimal(0)
    output_usd: Decimal = Decimal(0)


class TurnTimed(Event, goes_on="turn", takes_in=True):
    """The turn is to end by `until`."""

    until: datetime


class LimitReached(Event, goes_on="turn", takes_in=True):
    """The turn begins nothing any more, since it would go beyond a limit.

    Attributes:
        limit: Which one.
        text: How much was allowed, and what was wanted.
        asks: Whether a person is asked; else the turn ends with what it has.
    """

    limit: str
    text: Text
    asks: bool = False


class LimitDecided(Event):
    """What a person says of a turn that reached a limit.

    Attributes:
        by: Who says so.
        command: The key of this very decision, from outside.
    """

    by: str
    command: str

    @property
    def key(self) -> str | None:
        return f"command:{self.command}"


class LimitRaised(LimitDecided, goes_on="turn", takes_in=True):
    """The turn may spend as much again as it was allowed first, and take as long again."""


class LimitKept(LimitDecided, goes_on="turn", takes_in=True):
    """The turn ends with what it has; `text` says why."""

    text: Text
