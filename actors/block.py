"""A memory block as an actor: edits are asks, each decided at the value the block holds."""

from __future__ import annotations

from callboard.events import Event
from callboard.projections import BlockState, block_state
from callboard.projections.block import evolve

from .actor import Actor
from .commands import Command, Receive
from .memory import decide


class BlockActor(Actor[BlockState]):
    """Keeps one value. It decides at once, so an edit and its answer are one event."""

    projection = block_state
    evolve = staticmethod(evolve)

    def take(self, state: BlockState, command: Command) -> list[Event]:
        """Return what `command` adds to the log. Pure but for the time, which a board notes."""
        if isinstance(command, Receive):
            return [decide(state, command, self.system.outside.now())]
        return super().take(state, command)
