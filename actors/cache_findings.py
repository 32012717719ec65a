"""Whether what the cache of a log holds is what the log itself gives."""

from __future__ import annotations

from callboard.events import EventStore
from callboard.events.cache import Entry, FolderCache, folder_of, unsealed
from callboard.projections import Pending
from callboard.projections.snapshots import Checkpoint, decode, references

from .index_findings import index_findings
from .snapshots import PENDING, event_at, fingerprint
from .system import KINDS


async def cache_findings(log_path: str, store: EventStore) -> list[str]:
    """Return what is wrong with each entry of the cache of `log_path`; nothing where it equals a rebuild.

    Entries of another log, and those of other code, are never used, and so are not looked into.
    """
    found: list[str] = []
    for content in await FolderCache(folder_of(log_path)).all():
        entry = unsealed(content)
        if entry is None:
            found.append("an entry of the cache is damaged")
        elif (entry.log_id, entry.code) == (store.log_id, fingerprint()) and (why := await _wrong(entry, store)):
            found.append(f"{entry.name} at {entry.place} in the cache {why}")
    return [*found, *await index_findings(log_path, store)]


async def _wrong(entry: Entry, store: EventStore) -> str:
    at = await event_at(store, entry.name, entry.place)
    if at is None:
        return "is ahead of the log"
    if at.chain != entry.chain:
        return "was made of other events than the log holds"
    if entry.name == PENDING:
        return _compared(decode(Checkpoint, entry.body, {}), await _checkpoint(store, entry.place))
    projection = KINDS[entry.name.split("-", 1)[0]].projection
    state: object = projection.initial()
    async for event in store.read_stream(entry.name, until=entry.place):
        state = projection.evolve(state, event)
    return _compared(decode(type(state), entry.body, await store.texts(references(entry.body))), state)


def _compared(known: object, state: object) -> str:
    if known is None:
        return "was made of other texts than the log holds"
    return "" if known == state else "is not what a fold of the log gives"


async def _checkpoint(store: EventStore, position: int) -> Checkpoint:
    left, streams = Pending(), dict[str, None]()
    async for event in store.read_all(until=position):
        left.take(event)
        streams[event.stream] = None
    return Checkpoint.of(left, streams)
