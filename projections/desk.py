"""What lies on any actor's desk: the turn it works on, the backlog, and the sends it has open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from callboard.events import Event, Text
from callboard.events.catalog import (
    AgentRetired,
    AgentStarted,
    BlockRetired,
    BlockStarted,
    GroupRetired,
    GroupStarted,
    LimitReached,
    MessageDeadLettered,
    MessageDropped,
    MessageExpired,
    MessageReceived,
    MessageSent,
    SendAccepted,
    SendAnswered,
    SendCancelling,
    SendFailed,
    TurnCancelled,
    TurnCancelling,
    TurnFailed,
    TurnFinished,
    TurnResumed,
    TurnStarted,
)

from . import purse as purses
from .purse import Purse
from .states import replace

MAX_TAKES = 4
"""How often a turn that ends its process is taken up before it is set aside."""


@dataclass(frozen=True)
class Desk:
    """The mailbox as a fold. At most one turn is open; the rest is backlog.

    Attributes:
        attempt: How often the open turn was taken up; 1 when no stop cut it short.
        backlog: What waits, in the order of turns: senders take turns, and what one sent stays in the order sent.
        cancelling: The turns and sends of these that are no longer wanted.
        sends: Open sends by id, in the order of opening.
        reasons: Why turns of these are no longer wanted, where somebody said so.
        retired: Whether whoever this is takes nothing up any more.
        purse: What the open turn may spend; None where nothing is limited.
    """

    turn: MessageReceived | None = None
    attempt: int = 1
    backlog: tuple[MessageReceived, ...] = ()
    cancelling: frozenset[str] = frozenset()
    sends: dict[str, MessageSent] = field(default_factory=dict[str, MessageSent])
    reasons: dict[str, Text] = field(default_factory=dict[str, Text])
    retired: bool = False
    purse: Purse | None = None

    @property
    def deadly(self) -> bool:
        """Whether the open turn has ended its process each time that it was taken up."""
        return self.turn is not None and self.attempt > MAX_TAKES

    @property
    def late(self) -> bool:
        """Whether the time of the open turn is up, so that what is under way is stopped."""
        reached = self.spent_up.reached if self.spent_up is not None else None
        return reached is not None and reached.limit == "seconds"

    @property
    def ending(self) -> bool:
        """Whether the open turn begins nothing any more: nobody wants it, nobody can do it, or its time is up."""
        return self.turn is not None and (self.turn.id in self.cancelling or self.deadly or self.late)

    @property
    def spent_up(self) -> Purse | None:
        """The purse of the open turn where it ends with what it has, since it reached a limit; else None."""
        return self.purse if self.purse is not None and self.purse.ends else None

    @property
    def paused(self) -> bool:
        """Whether the open turn begins nothing before a person has decided on its limit."""
        return self.purse is not None and self.purse.waits and not self.ending

    def holds(self, id: str) -> bool:
        """Return whether the message `id` is here and not answered yet."""
        waits = self.turn is not None and self.turn.id == id
        return waits or any(message.id == id for message in self.backlog)


def evolve(desk: Desk, event: Event) -> Desk:
    """Return `desk` after `event`. Pure."""
    if desk.purse is not None and desk.turn is not None:
        desk = replace(desk, purse=purses.evolve(desk.purse, event, desk.sends, desk.turn.id))
    match event:
        case LimitReached() if desk.purse is None:
            return replace(desk, purse=Purse((), (), reached=event))
        case MessageReceived():
            return replace(desk, backlog=_queued(desk.backlog, event))
        case TurnStarted(id=id):
            [turn] = [message for message in desk.backlog if message.id == id]
            rest = tuple(message for message in desk.backlog if message is not turn)
            if turn is not desk.backlog[0]:  # an older log has another order
                others = (message.sender for message in desk.backlog if message.sender != turn.sender)
                rest = _in_turns(rest, (*others, turn.sender))
            return replace(desk, turn=turn, attempt=1, backlog=rest, purse=purses.opened(turn, event))
        case TurnResumed(attempt=attempt):
            return replace(desk, attempt=attempt)
        case TurnCancelling(id=id, text=text) if text:
            return replace(desk, cancelling=desk.cancelling | {id}, reasons={**desk.reasons, id: text})
        case TurnCancelling(id=id) | SendCancelling(id=id):
            return replace(desk, cancelling=desk.cancelling | {id})
        case TurnFinished(id=id) | TurnFailed(id=id) | TurnCancelled(id=id) | MessageDeadLettered(id=id):
            return _without_turn(desk, id)
        case MessageExpired(id=id) | MessageDropped(id=id):
            return _without_turn(desk, id)
        case MessageSent():
            return replace(desk, sends={**desk.sends, event.id: event})
        case SendAccepted(id=id) | SendAnswered(id=id) | SendFailed(id=id):
            sends = {i: send for i, send in desk.sends.items() if i != id}
            return replace(desk, sends=sends, cancelling=desk.cancelling - {id})
        case AgentRetired() | GroupRetired() | BlockRetired():
            return replace(desk, retired=True)
        case AgentStarted() | GroupStarted() | BlockStarted():
            return replace(desk, retired=False)
        case _:
            return desk


def _queued(backlog: tuple[MessageReceived, ...], message: MessageReceived) -> tuple[MessageReceived, ...]:
    """Return `backlog`, which is in turns, with `message` where its turn comes."""
    before = Counter(one.sender for one in backlog)
    seats = {sender: seat for seat, sender in enumerate(before)}
    mine, place = (before[message.sender], seats.get(message.sender, len(seats))), len(backlog)
    while place:
        sender = backlog[place - 1].sender
        before[sender] -= 1
        if (before[sender], seats[sender]) < mine:
            break
        place -= 1
    return (*backlog[:place], message, *backlog[place:])


def _in_turns(backlog: Iterable[MessageReceived], senders: Iterable[str]) -> tuple[MessageReceived, ...]:
    """Return `backlog` such that `senders` take turns in their order: the first of each, then the second of each.

    So before a message with n of its sender before it there are at most n + 1 of any other, however much they send.
    """
    seats = {sender: seat for seat, sender in enumerate(dict.fromkeys(senders))}
    rounds, placed = Counter[str](), list[tuple[int, int, MessageReceived]]()
    for one in backlog:
        placed.append((rounds[one.sender], seats[one.sender], one))
        rounds[one.sender] += 1
    return tuple(one for _, _, one in sorted(placed, key=lambda place: place[:2]))


def _without_turn(desk: Desk, id: str) -> Desk:
    cancelling = desk.cancelling - {id}
    if id in desk.reasons:
        desk = replace(desk, reasons={other: why for other, why in desk.reasons.items() if other != id})
    if desk.turn and desk.turn.id == id:
        return replace(desk, turn=None, attempt=1, cancelling=cancelling, purse=None)
    left = (message for message in desk.backlog if message.id != id)
    backlog = _in_turns(left, (message.sender for message in desk.backlog))
    return replace(desk, backlog=backlog, cancelling=cancelling)
