"""How people search a running system: all of it, or what one agent, group or archive knows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol, TypedDict

from callboard.events import EventStore, NoSuchActor
from callboard.projections import GroupState, group_state, replay

from .dates import Moment
from .embedder import Embedder
from .search import Hits, Index
from .storable import WRONG


class Host(Protocol):
    """What a system has that this needs."""

    index: Index

    async def look(self, stream: str) -> Any:
        """Return the state of the actor at `stream`."""
        ...

    def streams(self, *, met: bool = False) -> list[str]:
        """Return the streams of all that was ever started."""
        ...


class Bounds(TypedDict, total=False):
    """What a search may be bound to besides; see `System.search`."""

    roles: Collection[str]
    start: Moment
    end: Moment
    limit: int


class Searches:
    """The part of a system that people search through."""

    async def search(
        self: Host,
        query: str,
        *,
        name: str = "",
        archive: str = "",
        roles: Collection[str] = (),
        tags: Collection[str] = (),
        tag_match_mode: Literal["any", "all"] = "any",
        start: Moment = None,
        end: Moment = None,
        limit: int = 10,
    ) -> Hits:
        """Return the texts that hold words of `query`, the best first: what agents heard, said and got back, and
        passages of archives. An empty query gives the newest.

        Args:
            name: Only what this agent, or those in this group, heard and said.
            archive: Only passages of this archive, or those, too, where there is a `name`.
            roles: Of messages: `user` for what was heard, `assistant`, `tool`; none for all, and for passages.
            tags: Of passages.
            start, end: Times, both included; without a zone in UTC. A date alone is the whole day.

        Raises:
            NoSuchActor: Nobody, or no archive, of that name was ever started.
            TextRefused: The query is too long, a time is none, the start is after the end, or another bound cannot be.
        """
        owners = [*await members_of(self, name), *_archive(self, archive)] if name or archive else []
        return await self.index.search(
            query, owners=owners, roles=roles, tags=tags, tag_match_mode=tag_match_mode, start=start, end=end,
            limit=limit, unheard=True,
        )  # fmt: skip


async def members_of(host: Host, name: str) -> list[str]:
    """Return the streams of the agents that `name` is, or that are in that group; none where it is empty.

    Raises:
        NoSuchActor: Nobody of that name was ever started.
    """
    known = [stream for stream in host.streams() if stream in (f"agent-{name}", f"group-{name}")]
    if name and not known:
        raise NoSuchActor(name)
    found = dict.fromkeys(known)
    for stream in known:
        state = await host.look(stream) if stream.startswith("group-") else None
        if isinstance(state, GroupState) and state.spec is not None:
            inside = [*(member.stream for member in state.spec.members), state.spec.manager, *state.spec.standby]
            new = [one for one in inside if one and one not in found]
            known += new
            found |= dict.fromkeys(new)
    return list(found)


def _archive(host: Host, name: str) -> list[str]:
    if name and f"archive-{name}" not in host.streams():
        raise NoSuchActor(name)
    return [f"archive-{name}"] if name else []


class Shelf(Searches):
    """A log that is only read, to be searched as a running system is; see `open`."""

    def __init__(self, store: EventStore, index: Index, known: list[str]) -> None:
        """Search `store`, in which the streams `known` are among those that there are."""
        self.store, self.index, self._known = store, index, known

    @classmethod
    @asynccontextmanager
    async def open(cls, store: EventStore, *names: str, embedder: Embedder | None = None) -> AsyncGenerator[Shelf]:
        """Search `store`, in all of it or in what these `names` are, for as long as the context lasts.

        Raises:
            SpecError: There is an embedder, and no numpy.
        """
        streams = [
            f"{kind}-{name}"
            for name in names
            if name and not WRONG.search(name)
            for kind in ("agent", "group", "archive")
        ]
        known = [stream for stream in streams if [event async for event in store.read_stream(stream, until=1)]]
        async with Index.open(store, embedder) as index:
            yield cls(store, index, known)

    async def look(self, stream: str) -> GroupState:
        """Return the state of a group."""
        return await replay(self.store, group_state, stream=stream)

    def streams(self, *, met: bool = False) -> list[str]:
        """Return those of the streams that were named that there are."""
        return self._known
