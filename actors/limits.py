"""Limits of what a turn may spend: how they are said, and what comes of them. The rules are pure.

What a turn may spend is given along with each message that it sends, and what is left comes back with the
answer: so those who work side by side never spend more together than was allowed, wherever they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import get_args

from callboard.events import Event, SpecError, Text
from callboard.events.catalog import (
    Grant,
    Hold,
    LimitReached,
    MessageReceived,
    MessageSent,
    ModelCallRequested,
    ModelCallStarted,
    SymptomFound,
    TextReply,
    ToolCallRequested,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.events.limits import AMOUNTS, Then
from callboard.projections import Desk
from callboard.projections.purse import Purse

from .prices import Price, money

LEAST = 16
"""Tokens that a reply must have room for, or the call is not begun."""

CENTS = Decimal("1e-9")
"""Of USD: shares are no finer."""

MOST_OUTPUT = 16_384
"""Tokens that are set aside for one reply at most; a reply of a limited turn has no more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request, or each turn of an agent or a group, may spend with all that it causes; None for no limit.

    Attributes:
        turns: Turns of agents that it asks for.
        model_calls: Each counted once, however often it is tried.
        tokens: Of input and output together.
        usd: By the prices of the system; a model whose price nobody knows is then not asked.
        seconds: From when a request is sent, or a turn begins.
        hops: How often the request is passed on, from one to the next.
        fan_out: To how many at once.
        then: `stop` with what there is, or `ask` a person.
    """

    _: KW_ONLY
    turns: int | None = None
    model_calls: int | None = None
    tool_calls: int | None = None
    tokens: int | None = None
    usd: Decimal | float | str | None = None
    seconds: float | None = None
    hops: int | None = None
    fan_out: int | None = None
    then: Then = "stop"

    def __post_init__(self) -> None:
        for name in ("turns", "model_calls", "tool_calls", "tokens", "hops", "fan_out"):
            self._check(name, isinstance(getattr(self, name), int), "a whole number of 1 or more")
        self._check("seconds", isinstance(self.seconds, int | float), "a number above 0")
        if self.usd is not None:
            object.__setattr__(self, "usd", money(self.usd, "limit usd"))
            self._check("usd", fits=True, wanted="an amount above 0")
        if self.then not in get_args(Then):
            raise SpecError(f"limits have then={self.then!r}; one of {', '.join(get_args(Then))} is wanted")

    def _check(self, name: str, fits: bool, wanted: str) -> None:
        value = getattr(self, name)
        if value is not None and (isinstance(value, bool) or not fits or not 0 < value < float("inf")):
            raise SpecError(f"limit {name} is {value!r}; {wanted} is wanted, or nothing for no limit")

    def grant(self, now: datetime | None = None) -> Grant | None:
        """Return this as data, its time counted from `now`; None where nothing is limited."""
        names = (*AMOUNTS, "seconds", "hops", "fan_out")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        if not given:
            return None
        until = now + timedelta(seconds=self.seconds) if now is not None and self.seconds is not None else None
        return Grant(**given, until=until, then=self.then)


# -- what an actor may begin ------------------------------------------------------------------------


def bound(desk: Desk, events: list[Event], *, own: Grant | None, keeps: bool) -> list[Event]:
    """Return what an actor wants to record as its open turn allows it: as it is, with grants, or why not.

    Args:
        own: What the actor's spec lets each of its turns spend.
        keeps: Whether whoever this is needs a share for itself besides those that it gives.
    """
    if own is not None:
        events = [one.model_copy(update={"grant": own}) if isinstance(one, TurnStarted) else one for one in events]
    purse, turn = desk.purse, desk.turn
    if purse is None or turn is None or not purse.grants:
        return events
    sends = [one for one in events if gives(one, turn)]
    wants = _wanted(events, sends)
    if over := _over(purse, wants, sends):
        return [over_limit(purse, turn, *over)]
    if any(_short(purse, name, need) for name, need in wants.items()):
        if all(not _short(purse, name, need, returning=True) for name, need in wants.items()):
            return []  # what was given to others comes back first
        name = next(name for name, need in wants.items() if _short(purse, name, need, returning=True))
        return [over_limit(purse, turn, name, wants[name], "more wanted" if name == "usd" else "")]
    share = _share(purse, sends, keeps=keeps) if sends else None
    return [_through(purse, turn, one, share if gives(one, turn) else None) for one in events]


def gives(event: Event, turn: MessageReceived) -> bool:
    """Return whether `event` is a message that somebody works on for `turn`."""
    works = isinstance(event, MessageSent) and event.kind in ("ask", "tell", "turn")
    return works and event.id.startswith(f"{turn.id}/")


def _wanted(events: Sequence[Event], sends: Sequence[Event]) -> dict[str, int]:
    """Return the least of each amount that `events` need."""
    calls = sum(isinstance(one, ModelCallRequested) for one in events) + len(sends)
    to_agents = [one for one in sends if isinstance(one, MessageSent) and one.recipient.startswith("agent-")]
    tools = sum(isinstance(one, ToolCallRequested) for one in events)
    return {"turns": len(to_agents), "model_calls": calls, "tool_calls": tools, "tokens": calls, "usd": calls}


def _short(purse: Purse, name: str, need: int, *, returning: bool = False) -> bool:
    left = purse.left(name, returning=returning)
    return left is not None and (need > 0 and left <= 0 if name == "usd" else left < need)


def _over(purse: Purse, wants: dict[str, int], sends: Sequence[Event]) -> tuple[str, int] | None:
    hops = max((one.hops for one in sends if isinstance(one, MessageSent)), default=0)
    for name, found in (("hops", hops), ("fan_out", len(sends))):
        most = purse.allowed(name)
        if most is not None and found > most:
            return name, found
    return None


def over_limit(purse: Purse, turn: MessageReceived, name: str, need: int | Decimal, why: str = "") -> LimitReached:
    """Return the event that `need` more of `name` is wanted than there is."""
    tight = [one for one in purse.grants if _tightest(purse, one, name)]
    said = [f"{_amount(name, most)} allowed"] if (most := purse.allowed(name)) is not None else []
    said += [f"{_amount(name, spent)} spent"] if (spent := getattr(purse.spent, name, None)) is not None else []
    said += [why or f"{_amount(name, need)} wanted"]
    return LimitReached(
        id=turn.id, limit=name, text=Text(", ".join(said)), asks=all(one.then == "ask" for one in tight)
    )


def _tightest(purse: Purse, grant: Grant, name: str) -> bool:
    """Return whether `grant` is one of those that allow the least of `name`; of the time, that end first."""
    if name == "seconds":
        return grant.until is not None and grant.until == purse.until
    return getattr(grant, name) is not None and getattr(grant, name) == purse.allowed(name)


def _amount(name: str, value: object) -> str:
    return f"{value} USD" if name == "usd" else f"{value:,g}" if isinstance(value, float) else f"{value:,}"


def _share(purse: Purse, sends: Sequence[Event], *, keeps: bool) -> Grant:
    """Return what each of `sends` is given: an equal part of what is left."""
    count, parts = len(sends), len(sends) + keeps
    given: dict[str, object] = {}
    for name in AMOUNTS:
        left = purse.left(name)
        if name == "turns" and left is not None:
            left -= _wanted([], sends)["turns"]
        if left is None:
            continue
        if isinstance(left, Decimal):
            given[name] = left if parts == 1 else (left / parts).quantize(CENTS, ROUND_DOWN)
        else:
            given[name] = max(left // parts, min(left // count, 1))
    return Grant(**given, until=purse.until, hops=_whole(purse, "hops"), fan_out=_whole(purse, "fan_out"))  # type: ignore[arg-type]


def _whole(purse: Purse, name: str) -> int | None:
    most = purse.allowed(name)
    return None if most is None else int(most)


def _through(purse: Purse, turn: MessageReceived, event: Event, share: Grant | None) -> Event:
    if share is not None:
        return event.model_copy(update={"grant": share})
    if isinstance(event, TextReply) and event.id == turn.id:
        return event.model_copy(update={"spent": purse.spent})
    return event


# -- model calls ------------------------------------------------------------------------------------


def weighed(
    purse: Purse, turn: MessageReceived, started: ModelCallStarted, tokens: int, price: Price | None
) -> ModelCallStarted | LimitReached:
    """Return the start of an attempt with what is set aside for it, or why there is not enough.

    Args:
        tokens: Of the prompt, about.
        price: Of the model; None where nobody knows it.
    """
    caps: dict[str, int] = {}
    if (left := purse.left("tokens")) is not None:
        caps["tokens"] = int(left) - tokens
    usd = purse.left("usd")
    if usd is not None and price is None:
        return over_limit(purse, turn, "usd", 0, "the price of the model is unknown; give System.open(prices=...)")
    each = (Decimal(price.input) / 1_000_000, Decimal(price.output) / 1_000_000) if price else (Decimal(0), Decimal(0))
    if usd is not None:
        rest = usd - tokens * each[0]
        caps["usd"] = int(rest / each[1]) if each[1] else (MOST_OUTPUT if rest >= 0 else -1)
    name = min(caps, key=lambda one: caps[one])
    output = min(caps[name], MOST_OUTPUT)
    if output < LEAST:
        need = tokens + LEAST
        return over_limit(purse, turn, name, need, f"a call with a prompt of about {tokens:,} tokens does not fit")
    hold = Hold(input=tokens, output=output, input_usd=tokens * each[0], output_usd=output * each[1])
    return started.model_copy(update={"hold": hold})


def words(purse: Purse) -> str:
    """Return which limit was reached, and how."""
    reached = purse.reached
    return f"limit of {reached.limit}: {reached.text}" if reached is not None else ""


def too_many(desk: Desk, recipients: int) -> str:
    """Return why a call may not reach so many; empty where it may."""
    most = desk.purse.allowed("fan_out") if desk.purse is not None else None
    if most is None or recipients <= most:
        return ""
    return f"it would reach {recipients:,}, and the limit of fan_out is {most:,}; reach fewer"


def asks_about(desk: Desk, found: SymptomFound) -> list[Event]:
    """Return what lets the open turn of a request wait for a person, since something in it does not look well."""
    turn, purse = desk.turn, desk.purse
    waits = purse is not None and purse.reached is not None
    if found.then != "ask" or turn is None or turn.correlation_id != found.id or waits:
        return []
    return [LimitReached(id=turn.id, limit=found.kind, text=found.text, asks=True)]


def ended(purse: Purse, turn: MessageReceived, said: Text) -> TurnFinished | TurnFailed:
    """Return the end of a turn that reached a limit: with what was said, or without an answer where nothing was."""
    to = "" if turn.kind == "tell" else turn.sender
    if not said:
        return TurnFailed(id=turn.id, to=to, text=Text(words(purse)))
    return TurnFinished(id=turn.id, to=to, text=said, stop_reason="limit", limit=words(purse))
