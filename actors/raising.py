"""What a person decides of a turn that reached a limit: whether it may go on. All pure."""

from __future__ import annotations

from callboard.events import ApprovalMismatch, CallboardError, Event, NotWaiting, Text
from callboard.events.catalog import LimitKept, LimitRaised, LimitReached
from callboard.projections import Desk
from callboard.projections.paths import digest_of

from .commands import TakeDecision

ENDING = "/limit"
"""What is put behind the id of a turn to name the decision about its limit."""


def turn_of(call: str) -> str:
    """Return the id of the turn whose limit `call` names; empty where it names something else."""
    return call.removesuffix(ENDING) if call.endswith(ENDING) and call.count("/") > 1 else ""


def digest(reached: LimitReached) -> str:
    """Return the hash that a decision about `reached` is bound to."""
    return digest_of(reached.limit, str(reached.text), 1)


def fault(desk: Desk, decision: TakeDecision) -> CallboardError | None:
    """Return why `decision` does not count; None where it does."""
    purse = desk.purse
    waits = desk.turn is not None and desk.turn.id == turn_of(decision.id) and purse is not None and purse.waits
    if not waits or purse is None or purse.reached is None:
        return NotWaiting(decision.id, "waits for no person; nothing was changed")
    if decision.outcome == "answered":
        return NotWaiting(decision.id, "waits for an approval, not for an answer; nothing was changed")
    wanted = digest(purse.reached)
    return None if decision.digest == wanted else ApprovalMismatch(decision.id, found=decision.digest, wanted=wanted)


def take(desk: Desk, decision: TakeDecision) -> list[Event]:
    """Return what `decision` adds to the log of whoever works on the turn."""
    return [decided(decision)] if fault(desk, decision) is None else []


def decided(decision: TakeDecision) -> LimitRaised | LimitKept:
    """Return the event that a decision is."""
    id, by, key = turn_of(decision.id), decision.by, decision.key
    if decision.outcome == "approved":
        return LimitRaised(id=id, by=by, command=key)
    return LimitKept(id=id, by=by, command=key, text=Text(decision.text))
