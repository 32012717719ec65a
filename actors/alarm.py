"""Ends the open turn of an actor when its time is up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio

from .commands import TakeTime, TimeUp

if TYPE_CHECKING:
    from .actor import Actor


class Alarm:
    """Sleeps until the open turn is to end, as the log says; nothing of it outlives the turn or the process."""

    def __init__(self, actor: Actor[Any]) -> None:
        """Wake `actor`."""
        self._actor = actor
        self._set: tuple[str, datetime | None, bool] | None = None
        self._scope = anyio.CancelScope()

    def look(self) -> None:
        """Sleep for the turn that is open now, until the time that holds for it now."""
        desk = self._actor.state.desk
        purse, turn = desk.purse, desk.turn
        untimed = purse.untimed if purse is not None else None
        wanted = (turn.id, purse.until, untimed is None) if turn and purse and purse.reached is None else None
        if wanted == self._set:
            return
        self._scope.cancel()
        self._set = wanted
        if turn is None or purse is None or wanted is None:
            return
        if untimed is not None:
            until = self._actor.system.outside.now() + timedelta(seconds=untimed)
            self._actor.put(TakeTime(turn.id, until))
        elif purse.until is not None:
            self._scope = anyio.CancelScope()
            self._actor.spawn(self._sleep, turn.id, purse.until, self._scope)

    async def _sleep(self, id: str, until: datetime, scope: anyio.CancelScope) -> None:
        with scope:
            wait = (until - self._actor.system.outside.now()).total_seconds()
            await self._actor.system.outside.sleep(max(wait, 0.0))
            self._actor.put(TimeUp(id, until))
