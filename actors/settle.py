"""What people decide in a log that nobody has open: the same rules, without a system around them.

What follows is left to whoever opens the log next.
"""

from __future__ import annotations

from functools import reduce

from callboard.events import Event, EventStore, NewEvent
from callboard.projections import Desk, pending, replay
from callboard.projections.archive import archive_state
from callboard.projections.desk import evolve

from . import archives, cancelling, inbox, letters, people, post, rules
from .agent import take
from .archival import decide as decide_passage
from .commands import Delivery
from .ref import USER


async def settle(store: EventStore, command: inbox.Settle) -> str:
    """Record what `command` says of a call in doubt; return its whole id.

    Raises:
        NotInDoubt: The call is not in doubt, or not any more.
    """
    doubt = inbox.doubt_of(list((await replay(store, pending)).items.values()), command.call)
    await _record(store, doubt.stream, command.model_copy(update={"call": doubt.id}).delivery())
    return doubt.id


async def decide(store: EventStore, command: inbox.Decide) -> None:
    """Record what `command` says of a call that waits; what was recorded before is done.

    Raises:
        NotWaiting, AlreadyDecided, ApprovalMismatch, TextRefused, KeyReused: It does not count; nothing was changed.
    """
    decision = await people.checked(store, people.states_in(store), command)
    if decision is not None:
        await _record(store, await people.home(store, command.call), decision)


async def _record(store: EventStore, stream: str, decision: Delivery) -> None:
    state = await people.states_in(store)(stream)
    said = take(state, decision) if stream.startswith("agent-") else None
    await _append(store, stream, rules.take(state.desk, decision) if said is None else said)


async def cancel(store: EventStore, trace: str, by: str = USER) -> int:
    """Record that `by` wants the request `trace` and all that it caused no more; return at how many places.

    Raises:
        NotWaiting: Nothing of that request is open.
        TextRefused: `by` cannot be a name.
    """
    wanted = cancelling.ends(await replay(store, pending), trace, people.checked_name(by))
    if not wanted:
        raise cancelling.nothing_open(trace)
    places = 0
    for stream, end in wanted:
        if await store.find(stream, f"re:{end.id}") is not None:
            continue  # it was answered, which its sender has not taken in yet
        events = [event.data async for event in store.read_stream(stream)]
        if events:
            said = rules.take(reduce(evolve, events, Desk()), end)
            await _append(store, stream, said)
            places += len(said)
    return places


async def drop(store: EventStore, command: inbox.Drop) -> str:
    """Drop a message that waits; return its whole id.

    Raises:
        NotWaiting, AlreadyDecided, TextRefused: It is not dropped; nothing was changed.
    """
    look = post.desks_in(store)
    wanted = await post.checked(store, await replay(store, pending), look, command)
    if wanted is None:
        return command.letter
    stream, said = wanted
    await _append(store, stream, rules.take(await look(stream), said))
    return said.id


async def keep(store: EventStore, command: inbox.Keep) -> None:
    """Record what comes of a change of an archive; what was recorded before is done.

    Raises:
        NoSuchArchive: There is none.
        KeyReused: The key came before with another change.
    """
    stream, asked = await archives.request_of(store, command)
    if await archives.answered(store, stream, asked) is None:
        await _append(store, stream, [decide_passage(await replay(store, archive_state, stream=stream), asked)])


async def requeue(store: EventStore, command: inbox.Requeue) -> str:
    """Record a dead letter as received again; return its new id.

    Raises:
        NoDeadLetter: It is none.
    """
    stream, again = await letters.delivery_of(store, command)
    if await store.find(stream, again.id) is None:
        await _append(store, stream, rules.take(Desk(), again), again.cause)
    return again.id


async def _append(store: EventStore, stream: str, events: list[Event], cause: str | None = None) -> None:
    version = 0
    async for event in store.read_stream(stream):
        version = event.version
    await store.append(stream, [NewEvent(event, cause) for event in events], expected_version=version)
