"""A memory block as an actor: edits are asks, each decided at the value the block holds."""

from __future__ import annotations

from datetime import datetime

from callboard.events import Event
from callboard.events.catalog import BlockChanged
from callboard.projections import BlockState, block_state
from callboard.projections.block import evolve

from . import rules
from .actor import Actor
from .commands import Command, Configure, Receive, Start
from .memory import decide


def take(state: BlockState, command: Command, now: datetime) -> list[Event] | None:
    """Return what `command` adds to the log of a block; None where any actor would know. Pure.

    Args:
        now: When a board says that it changed.
    """
    match command:
        case Receive():
            return [decide(state, command, now)]
        case Configure(fields=fields, by=by, key=key):
            spec = state.spec.model_copy(update=fields) if state.spec else None
            return [] if spec is None or spec == state.spec else [BlockChanged(spec=spec, by=by, command=key)]
        case Start():
            return None
        case _:
            return rules.take(state.desk, command)


class BlockActor(Actor[BlockState]):
    """Keeps one value. It decides at once, so an edit and its answer are one event."""

    projection = block_state
    evolve = staticmethod(evolve)

    def take(self, state: BlockState, command: Command) -> list[Event]:
        """Return what `command` adds to the log. Pure but for the time, which a board notes."""
        events = take(state, command, self.system.outside.now())
        return super().take(state, command) if events is None else events
