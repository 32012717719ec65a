"""The purse of an open turn: what it may spend, what it spent, and what is set aside for what is under way. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import reduce

from callboard.events import Event
from callboard.events.catalog import (
    Grant,
    Hold,
    LimitKept,
    LimitRaised,
    LimitReached,
    MessageReceived,
    MessageSent,
    ModelAttemptFailed,
    ModelCallDeferred,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
    SendAccepted,
    SendAnswered,
    SendFailed,
    Spent,
    ToolCallRequested,
    TurnResumed,
    TurnStarted,
    TurnTimed,
)
from callboard.events.limits import AMOUNTS

from .states import replace

NOTHING = Spent()

COSTLY = ("timeout", "cut", "malformed", "error")
"""Kinds of failure after which the prompt may have been read and charged."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is set aside for one thing under way, and what it counts as if nobody can say what it came to."""

    all: Spent
    least: Spent = NOTHING


@dataclass(frozen=True)
class Purse:
    """What the open turn may spend.

    Attributes:
        grants: What it was given, and what it may by its own spec; each of them holds.
        first: The same as they were at first, by which a person can raise them.
        held: What is set aside, by the id of the send or of the model call.
        reached: The limit that it came to; None once that was raised.
        kept: What a person said who did not raise it.
    """

    grants: tuple[Grant, ...]
    first: tuple[Grant, ...]
    spent: Spent = NOTHING
    held: dict[str, Held] = field(default_factory=dict[str, Held])
    reached: LimitReached | None = None
    kept: str = ""

    @property
    def ends(self) -> bool:
        """Whether the turn ends with what it has."""
        return self.reached is not None and (not self.reached.asks or bool(self.kept))

    @property
    def waits(self) -> bool:
        """Whether a person is asked, and the turn begins nothing meanwhile."""
        return self.reached is not None and not self.ends

    def allowed(self, name: str) -> Decimal | int | None:
        """Return the most of `name` that all grants allow; None for no limit."""
        return min((most for grant in self.grants if (most := getattr(grant, name)) is not None), default=None)

    def left(self, name: str, *, returning: bool = False) -> Decimal | int | None:
        """Return how much of `name` can still be set aside; with `returning`, if all that is held came back."""
        most = self.allowed(name)
        if most is None:
            return None
        used = getattr(self.spent, name)
        if not returning:
            used += sum(getattr(held.all, name) for held in self.held.values())
        return max(most - used, type(most)(0))

    @property
    def weighs(self) -> bool:
        """Whether a model call has to be weighed before it begins."""
        return any(grant.tokens is not None or grant.usd is not None for grant in self.grants)

    @property
    def until(self) -> datetime | None:
        """When the turn is to end; None without an end."""
        return min((grant.until for grant in self.grants if grant.until is not None), default=None)

    @property
    def untimed(self) -> float | None:
        """Seconds from the beginning of the turn, of a grant that no time was set for yet; None where there is none."""
        return next((grant.seconds for grant in self.grants if grant.seconds and grant.until is None), None)


def opened(turn: MessageReceived, event: TurnStarted) -> Purse | None:
    """Return the purse of a turn that begins; None where nothing is limited."""
    grants = tuple(grant for grant in (turn.grant, event.grant) if grant is not None)
    return Purse(grants, grants) if grants else None


def granted(grant: Grant) -> Spent:
    """Return what is set aside for a message that brings `grant`."""
    return Spent.model_construct(**{name: getattr(grant, name) or getattr(NOTHING, name) for name in AMOUNTS})


def evolve(purse: Purse, event: Event, sends: dict[str, MessageSent], turn: str) -> Purse:
    """Return `purse` after `event`, given the sends that were open before it, and whose it is.

    Work in the background has limits of its own, and may begin while another turn is open.
    """
    match event:
        case MessageSent(id=id, grant=grant) if grant is not None and id.startswith(f"{turn}/"):
            return _holding(purse, id, Held(granted(grant) + _own(event)))
        case SendAnswered(id=id, spent=spent) | SendFailed(id=id, spent=spent) if id in purse.held:
            taken = not isinstance(event, SendFailed) or event.accepted
            return _settled(purse, id, (spent or NOTHING) + (_own(sends[id]) if taken else NOTHING))
        case SendAccepted(id=id) if id in purse.held:  # what was given along with a tell does not come back
            return _settled(purse, id, purse.held[id].all)
        case TurnResumed():  # what was asked when the process ended is settled as if nothing came of it
            cut = [id for id in purse.held if id not in sends]
            return reduce(lambda known, id: _settled(known, id, known.held[id].least), cut, purse)
        case ToolCallRequested():
            return replace(purse, spent=purse.spent + Spent(tool_calls=1))
        case ModelCallRequested():
            return replace(purse, spent=purse.spent + Spent(model_calls=1))
        case ModelCallDeferred():  # it is asked for anew
            return replace(purse, spent=purse.spent + Spent(model_calls=-1))
        case TurnTimed(until=until):
            timed = (_until(one, until) if one.seconds and one.until is None else one for one in purse.grants)
            return replace(purse, grants=tuple(timed))
        case LimitReached():
            return replace(purse, reached=event, kept="")
        case LimitRaised():
            return replace(purse, grants=tuple(_raised(purse)), reached=None)
        case LimitKept(text=text):
            return replace(purse, kept=str(text) or "no")
        case _:
            return _of_model(purse, event)


def _of_model(purse: Purse, event: Event) -> Purse:
    match event:
        case ModelCallStarted(id=id, hold=hold):
            purse = _settled(purse, id, purse.held[id].least) if id in purse.held else purse
            return _holding(purse, id, _held(hold)) if hold is not None else purse
        case ModelAttemptFailed(id=id, kind=kind) if id in purse.held:
            return _settled(purse, id, purse.held[id].least if kind in COSTLY else NOTHING)
        case ModelCallFinished(id=id, usage=usage, usd=usd):
            tokens = usage.input_tokens + usage.output_tokens if usage else 0
            return _settled(purse, id, Spent(tokens=tokens, usd=usd or Decimal(0)))
        case ModelCallFailed(id=id) if id in purse.held:
            return _settled(purse, id, purse.held[id].all)  # it may go on at the provider
        case _:
            return purse


def _own(sent: MessageSent) -> Spent:
    """Return what a message costs besides what it gives along: a turn of an agent."""
    return Spent(turns=1) if sent.recipient.startswith("agent-") else NOTHING


def _held(hold: Hold) -> Held:
    least = Spent(tokens=hold.input, usd=hold.input_usd)
    return Held(least + Spent(tokens=hold.output, usd=hold.output_usd), least)


def _holding(purse: Purse, id: str, held: Held) -> Purse:
    return replace(purse, held={**purse.held, id: held})


def _settled(purse: Purse, id: str, spent: Spent) -> Purse:
    held = {other: one for other, one in purse.held.items() if other != id}
    return replace(purse, held=held, spent=purse.spent + spent)


def _until(grant: Grant, until: datetime) -> Grant:
    return grant.model_copy(update={"until": until})


def _raised(purse: Purse) -> Iterable[Grant]:
    """Return the grants, those that a person is asked about raised by what they were at first, their time set anew."""
    for grant, first in zip(purse.grants, purse.first, strict=True):
        if grant.then != "ask":
            yield grant
            continue
        limited = [name for name in (*AMOUNTS, "hops", "fan_out") if getattr(grant, name) is not None]
        more: dict[str, object] = {name: getattr(grant, name) + getattr(first, name) for name in limited}
        yield grant.model_copy(update=more | ({"until": None} if grant.seconds else {}))
