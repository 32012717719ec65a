"""Archives from outside: the address of one, and what is looked up in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal, Protocol

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json

from callboard.events import (
    CallboardError,
    EventStore,
    KeyReused,
    NoSuchArchive,
    RecordedEvent,
    RequestFailed,
    Text,
    TextRefused,
)
from callboard.events.catalog import PassageInserted, PassageUpdated, Reply
from callboard.projections.archive import ArchiveState
from callboard.projections.passages import Passage, stored, updated
from callboard.projections.words import name_of

from .archival import DELETE, INSERT, UPDATE, Search, is_of
from .bounds import checked_words
from .commands import Receive
from .dates import span
from .directory import Told
from .inbox import Keep
from .outside import Outside
from .ref import USER, checked_key, checked_message, checked_params
from .search import Hit, Index, checked_query
from .storable import WRONG, storable


class Host(Protocol):
    """What a system has that this needs."""

    store: EventStore
    outside: Outside

    @property
    def index(self) -> Index:
        """What searches its log."""
        ...

    async def look(self, stream: str) -> Any:
        """Return the state of the actor at `stream`."""
        ...

    def streams(self, *, met: bool = False) -> list[str]:
        """Return the streams of all that was ever started."""
        ...

    async def request(self, to: str, request: Receive) -> str:
        """Send a request from outside; return the words of its answer."""
        ...


class Archives:
    """The part of a system that archives are reached through."""

    def archive(self: Host, name: str) -> ArchiveRef:
        """Return the address of the archive called `name`."""
        return ArchiveRef(f"archive-{name}", self)

    def archive_at(self: Host, stream: str) -> ArchiveRef:
        """Return the address of the archive at `stream`, or of that of the agent at `stream`."""
        return ArchiveRef(stream, self)


async def look_up(system: Host, stream: str, asked: Search) -> Told:
    """Return what the agent at `stream` is told of a search in its archive: a JSON object a line."""
    archive = (await system.look(stream)).spec.archive
    try:
        found = await searched(system, archive, asked)
    except CallboardError as error:
        return Told(storable(f"the search failed: {error}")[0], ok=False)
    note = getattr(found, "note", "")  # what a search could not do, and did otherwise
    return Told(storable("\n".join([*map(_line, found), *([note] if note else [])]) or "[]")[0])


def _line(one: Hit) -> str:
    at = one.at.astimezone(UTC).isoformat(timespec="seconds")
    fields = {"id": f"p{one.number}", "timestamp": at, "content": one.text, "tags": one.tags}
    return to_json({**fields, "relevance": one.relevance}).decode()


async def searched(system: Host, archive: str, asked: Search) -> Sequence[Hit]:
    """Return what `asked` finds in the stream `archive`, best first; nothing where it names no words.

    Raises:
        LogError: The log cannot be searched.
        TextRefused: `start` or `end` is no date, or another bound cannot be.
    """
    span(asked.start, asked.end)
    if not checked_query(asked.query).strip():
        return []
    return await system.index.search(
        asked.query, owners=(archive,), kinds=("passage",), tags=asked.tags, tag_match_mode=asked.tag_match_mode,
        start=asked.start, end=asked.end, limit=asked.top_k,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArchiveRef:
    """The address of an archive: of its own stream, or of the agent whose archive it is."""

    address: str
    system: Host

    async def insert(
        self,
        text: str,
        *,
        tags: Collection[str] = (),
        metadata: Mapping[str, JsonValue] | None = None,
        key: str | None = None,
    ) -> str:
        """Store a passage; return what the archive answers, such as `stored as p12`.

        With a `key` that came before, the answer of the first time; nothing is stored again.

        Raises:
            RequestFailed: It was refused; says why.
            TextRefused: The text, the tags, the metadata or the key cannot be taken in.
            NoSuchArchive: There is no such archive.
        """
        known = checked_params(metadata)
        fields = {"content": checked_message(text), "tags": checked_words(tags, "tags"), "metadata": known}
        return await self._change(INSERT, fields, key)

    async def update(self, id: str, text: str, *, tags: Collection[str] | None = None, key: str | None = None) -> str:
        """Give the passage called `id` another text, and other tags unless they are None; else as `insert`."""
        fields = {
            "id": id,
            "content": checked_message(text),
            "tags": None if tags is None else checked_words(tags, "tags"),
        }
        return await self._change(UPDATE, fields, key)

    async def delete(self, id: str, *, key: str | None = None) -> str:
        """Delete the passage called `id`: it is found no more. Else as `insert`."""
        return await self._change(DELETE, {"id": id}, key)

    async def search(
        self,
        query: str,
        *,
        tags: Collection[str] = (),
        tag_match_mode: Literal["any", "all"] = "any",
        start: str = "",
        end: str = "",
        limit: int = 5,
    ) -> Sequence[Hit]:
        """Return the passages that say something like `query`, best first; none for a blank query.

        Args:
            tags: Tags of which a passage needs any, or all as `tag_match_mode` says.
            start, end: ISO dates between which its text was stored; a date alone is the whole day.

        Raises:
            TextRefused: A date is none.
            LogError: The log cannot be searched.
        """
        asked = Search.model_construct(
            query=query, tags=tags, tag_match_mode=tag_match_mode, top_k=limit, start=start, end=end
        )
        return await searched(self.system, await self.stream(), asked)

    async def passages(self, *, after: int = 0, limit: int = 100) -> list[Passage]:
        """Return passages that are not deleted, by number, from that past `after` on, `limit` of them at most."""
        stream = await self.stream()
        state: ArchiveState = await self.system.look(stream)
        found: list[Passage] = []
        for n in range(max(after, 0) + 1, len(state.passages) + 1):
            if len(found) >= limit:
                break
            if state.stands(n):
                found.append(await passage(self.system.store, stream, state, n))
        return found

    async def stream(self) -> str:
        """Return the stream of the archive.

        Raises:
            NoSuchArchive: There is none.
        """
        address = self.address
        if not address.startswith("archive-"):
            address = (await self.system.look(self.address)).spec.archive
        if address not in self.system.streams():
            known = [name_of(stream) for stream in self.system.streams() if stream.startswith("archive-")]
            raise NoSuchArchive(name_of(address or self.address), ", ".join(known))
        return address

    async def _change(self, verb: str, fields: Mapping[str, object], key: str | None) -> str:
        stream = await self.stream()
        name = self.system.outside.key() if key is None else checked_key(key)
        arguments = _written(fields)
        request = Receive(f"{name}/{name_of(stream)}", USER, "edit", edit=verb, arguments=arguments)
        return await self.system.request(stream, request)


async def passage(store: EventStore, stream: str, state: ArchiveState, n: int) -> Passage:
    """Return passage number `n` with what it says, given the `state` of its archive."""
    standing = state.passages[n]
    found = stored(await _event(store, stream, standing.begun))
    return (
        found if standing.version == standing.begun else updated(found, await _event(store, stream, standing.version))
    )


async def _event(store: EventStore, stream: str, version: int) -> RecordedEvent:
    [event] = [event async for event in store.read_stream(stream, after=version - 1, until=version)]
    return event


# -- changes by people, and what came of them -------------------------------------------------------


async def told(store: EventStore, stream: str, data: PassageInserted | PassageUpdated) -> Text:
    """Return what whoever stored a passage is told; of a duplicate, since when the other one has that text."""
    if not data.same:
        return data.words
    known = [event async for event in store.read_stream(stream, after=data.same_at - 1, until=data.same_at)]
    return Text(f"{data.words} since {known[0].recorded_at:%Y-%m-%d}" if known else data.words)


async def answered(store: EventStore, stream: str, asked: Receive) -> RecordedEvent | None:
    """Return what came of a change that somebody asked for under the same id; None where nobody did.

    Raises:
        KeyReused: That was another change.
    """
    known = await store.find(stream, f"re:{asked.id}")
    if known is not None and not is_of(known.data, asked):
        raise KeyReused(stream, asked.id)
    return known


async def request_of(store: EventStore, command: Keep) -> tuple[str, Receive]:
    """Return the stream of an archive, and what asks it for a change.

    Raises:
        NoSuchArchive: There is no such archive.
        TextRefused: What is asked for cannot be taken in.
    """
    stream, arguments = f"archive-{command.archive}", _written(command.fields)
    if WRONG.search(stream) or not [event async for event in store.read_stream(stream, until=1)]:
        raise NoSuchArchive(command.archive, ", ".join(await known_in(store)))
    return stream, Receive(f"{command.key}/{command.archive}", USER, "edit", edit=command.verb, arguments=arguments)


def _written(fields: Mapping[str, object]) -> Text:
    try:
        return Text(to_json(fields).decode())
    except PydanticSerializationError as error:
        raise TextRefused(f"what is asked of the archive cannot be taken in as JSON: {error}") from None


async def known_in(store: EventStore) -> list[str]:
    """Return the names of the archives of a log. Reads the whole log."""
    return [name_of(event.stream) async for event in store.read_all() if event.type == "ArchiveStarted"]


async def keep(system: Host, command: Keep) -> None:
    """Ask an archive for a change.

    Raises:
        RequestFailed: It was refused.
        NoSuchArchive: There is no such archive.
    """
    await system.request(*await request_of(system.store, command))


async def outcome(store: EventStore, command: Keep) -> str:
    """Return what came of a change, in words.

    Raises:
        RequestFailed: It was refused, or nothing was recorded of it.
    """
    stream, asked = await request_of(store, command)
    event = await answered(store, stream, asked)
    match event.data if event is not None else None:
        case PassageInserted() | PassageUpdated() as data:
            return await told(store, stream, data)
        case Reply(ok=True) as reply:
            return reply.words
        case Reply() as reply:
            raise RequestFailed(reply.words)
        case _:
            raise RequestFailed("nothing was recorded; see what the process says that has the log open")
