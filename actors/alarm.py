"""Sees that the open turn of an actor ends when its time is up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .commands import TakeTime, TimeUp

if TYPE_CHECKING:
    from .actor import Actor


class Alarm:
    """Sets the timer of the open turn, by what the log says of it."""

    def __init__(self, actor: Actor[Any]) -> None:
        """Set timers for `actor`."""
        self._actor = actor
        self._set: tuple[str, datetime | None] | None = None

    def look(self) -> None:
        """See that the turn that is open now has a timer, for the time that holds for it now."""
        desk, system = self._actor.state.desk, self._actor.system
        purse, turn = desk.purse, desk.turn
        if purse is None or turn is None or purse.reached is not None:
            self._set = None
            return
        wanted = (turn.id, None if purse.untimed is not None else purse.until)
        if wanted == self._set:
            return
        self._set = wanted
        if purse.untimed is not None:
            until = system.outside.now() + timedelta(seconds=purse.untimed)
            self._actor.put(TakeTime(turn.id, until))
        elif purse.until is not None:
            system.timers.at(purse.until, self._actor.stream, TimeUp(turn.id, purse.until))
