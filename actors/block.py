"""A memory block as an actor: edits are asks, each decided at the value the block holds."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from pydantic_core import from_json

from callboard.events import Event, EventStore, KeyReused
from callboard.events.catalog import BlockChanged, BlockEdited, BlockEditRefused
from callboard.events.specs import Form
from callboard.events.text import ERASED
from callboard.projections import BlockState, block_state
from callboard.projections.block import evolve
from callboard.projections.uses import PEOPLE

from . import rules, undoing
from .actor import Actor
from .commands import Alter, Command, Configure, Delivery, Receive, Start
from .mailbox import Waiting
from .memory import PUTS, decide


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


async def done(store: EventStore, stream: str, asked: Delivery, form: Form) -> bool:
    """Return whether the block at `stream` did before, under the same key, what a person asks for.

    Raises:
        KeyReused: Something else was done under it.
    """
    match asked:
        case Receive(sender=sender) if sender == PEOPLE:
            key = f"re:{asked.id}"
        case Alter(event=event) if event.key:
            key = event.key
        case Configure():
            key = f"command:{asked.key}"
        case _:
            return False
    known = await store.find(stream, key)
    if known is not None and not is_of(known.data, asked, form):
        raise KeyReused(stream, key)
    return known is not None


def is_of(event: Event, asked: Delivery, form: Form) -> bool:
    """Return whether `event` came of what was asked of a block, not of something else under its key. Pure.

    Of an edit of JSON that landed, and of an undo, the log does not hold what was asked: there its kind counts alone.
    """
    match asked, event:
        case Receive(), BlockEdited(put=put) if _alike(event, asked):
            verb = event.verb if form == "text" else ""
            gone = asked.arguments == ERASED or put == ERASED
            return gone or verb not in PUTS or put == from_json(asked.arguments).get(PUTS[verb])
        case Receive(arguments=wanted), BlockEditRefused(arguments=arguments) if _alike(event, asked):
            known = ERASED in (arguments, wanted) or not arguments or event.verb in undoing.VERBS
            return known or _unlabelled(arguments) == _unlabelled(wanted)
        case Configure(fields=fields), BlockChanged(spec=spec):
            return all(getattr(spec, name) == value for name, value in fields.items())
        case Alter(event=wanted), _:
            return type(event) is type(wanted)
        case _:
            return False


def _alike(event: BlockEdited | BlockEditRefused, asked: Receive) -> bool:
    return (event.verb, event.by) == (asked.edit, asked.by)


def _unlabelled(arguments: str) -> dict[str, JsonValue]:
    """Return the arguments of an edit less the label, which may have changed since."""
    return {**from_json(arguments), "label": ""}


class BlockActor(Actor[BlockState]):
    """Keeps one value. It decides at once, so an edit and its answer are one event."""

    projection = block_state
    evolve = staticmethod(evolve)

    async def _is_new(self, one: Waiting) -> bool:
        """Return whether a delivery is to be taken in; a key of a person's holds for one change alone."""
        try:
            await done(
                self.system.store, self.stream, one.delivery, self.state.spec.form if self.state.spec else "text"
            )
        except KeyReused as error:
            one.end(error)
            return False
        return await super()._is_new(one)

    def take(self, state: BlockState, command: Command) -> list[Event]:
        """Return what `command` adds to the log. Pure but for the time, which a board notes."""
        events = take(state, command, self.system.outside.now())
        return super().take(state, command) if events is None else events
