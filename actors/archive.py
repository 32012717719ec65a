"""An archive as an actor: changes are asks, each decided by what the archive holds."""

from __future__ import annotations

from callboard.events import Event, KeyReused, RecordedEvent
from callboard.events.catalog import PassageInserted, PassageUpdated
from callboard.projections.archive import ArchiveState, archive_state, evolve

from .actor import Actor
from .archival import decide
from .archives import answered, told
from .commands import Command, Receive, TakeAnswer
from .mailbox import Waiting
from .starting import USER


class ArchiveActor(Actor[ArchiveState]):
    """Keeps passages. It decides at once, so a change and its answer are one event."""

    projection = archive_state
    evolve = staticmethod(evolve)

    def take(self, state: ArchiveState, command: Command) -> list[Event]:
        """Return what `command` adds to the log. Pure."""
        return [decide(state, command)] if isinstance(command, Receive) else super().take(state, command)

    async def _is_new(self, one: Waiting) -> bool:
        """Return whether a delivery is to be taken in; a key of a person's holds for one change alone."""
        asked = one.delivery
        if isinstance(asked, Receive) and asked.sender == USER:
            try:
                await answered(self.system.store, self.stream, asked)
            except KeyReused as error:
                one.end(error)
                return False
        return await super()._is_new(one)

    def react(self, event: RecordedEvent) -> None:
        """Answer what was asked; where the same text stands already, since when is looked up first."""
        data = event.data
        if isinstance(data, PassageInserted | PassageUpdated) and data.same and data.to:
            self.system.spawn(self._answer, event, data)  # also where this actor is being replaced
        else:
            super().react(event)

    async def _answer(self, event: RecordedEvent, data: PassageInserted | PassageUpdated) -> None:
        words = await told(self.system.store, event.stream, data)
        self.system.give_back(data.to, TakeAnswer(data.id, words, cause=event.ref))
