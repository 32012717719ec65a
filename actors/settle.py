"""Settling a call in doubt in a log that nobody has open: the same rule, without a system around it."""

from __future__ import annotations

from callboard.events import EventStore, NewEvent
from callboard.projections import agent_state, pending, replay

from . import inbox
from .agent import take


async def settle(store: EventStore, command: inbox.Settle) -> str:
    """Record what `command` says, and leave what follows to whoever opens the log next; return the whole id.

    Raises:
        NotInDoubt: The call is not in doubt, or not any more.
    """
    doubt = inbox.doubt_of(list((await replay(store, pending)).items.values()), command.call)
    state, version = await replay(store, agent_state, stream=doubt.stream), 0
    async for event in store.read_stream(doubt.stream):
        version = event.version
    decision = command.model_copy(update={"call": doubt.id}).delivery()
    new = [NewEvent(event) for event in take(state, decision) or []]
    await store.append(doubt.stream, new, expected_version=version)
    return doubt.id
