"""Search over a log: what agents heard, said and got back, and the passages of archives, by words and by meaning.

The index is derived, and brought up to the log when somebody searches; where it does not fit that, it is built again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

import anyio
import structlog
from anyio.lowlevel import checkpoint

from callboard.events import EventStore, LogError, RecordedEvent, TextRefused
from callboard.events.catalog import EventRedacted, MessageReceived
from callboard.events.codec import from_micros
from callboard.events.index import LAYOUT, Tables
from callboard.events.index_file import IndexFile, file_of
from callboard.events.places import Change, Kept, Mark, Row, Wanted
from callboard.events.schema import primary_code
from callboard.events.text import ERASED
from callboard.events.tokens import LONGEST_QUERY, matching
from callboard.projections.searching import changes

from .bounds import ROLES, checked_limit, checked_words, needs_every
from .dates import Moment, span
from .embedder import Embedder
from .semantic import CANDIDATES, Semantic

log = structlog.get_logger()

T = TypeVar("T")

PAGE, PAGE_SIZE = 500, 2_000_000
"""Events, and the characters they are kept near, that the index takes in at once."""

AT_CLOSE = 5.0
"""Seconds that closing waits at most for an index to be brought up to the log."""

_UNUSABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_AUTH,
    }
)  # fmt: skip
"""What SQLite says where another try at the same file would come to the same."""

Kind = Literal["message", "passage"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that was found.

    Attributes:
        owner_stream: The agent that heard or said it, or the archive that keeps it.
        role: `user` for what was heard, `assistant`, or `tool`; empty for a passage.
        speaker: Who said it, or which tool gave it.
        position: Where it stands in the log, which is `version` of `stream`.
        number: Of a passage, in its archive.
        relevance: The higher the better among the hits of one search; 0 where nothing was asked for by words.
    """

    owner_stream: str
    kind: Kind
    role: str
    speaker: str
    text: str
    at: datetime
    position: int
    stream: str
    version: int
    number: int
    tags: tuple[str, ...]
    relevance: float
    conversation: str


class Hits(list[Hit]):
    """What a search came to, best first; `note` says what was not done, empty where all was."""

    note: str = ""


class Index:
    """The search index of one store; see `open`."""

    def __init__(
        self,
        store: EventStore,
        embedder: Embedder | None = None,
        *,
        embed_messages: bool = False,
        in_memory: bool = False,
    ) -> None:
        """Take the index beside `store`, or one in memory; nothing is opened before somebody searches.

        Raises:
            SpecError: There is an embedder, and no numpy.
        """
        path = getattr(store, "path", "")
        self._store = store
        self._file = IndexFile(file_of(path) if path and not in_memory else "", direct=not path)
        self._semantic = Semantic(store, embedder, messages=embed_messages) if embedder is not None else None
        self._one = anyio.Lock()
        self._open: tuple[Mark, dict[str, str]] | None = None
        self._damaged = False
        self._until: int | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, store: EventStore, embedder: Embedder | None = None, *, embed_messages: bool = False
    ) -> AsyncGenerator[Index]:
        """Search `store` for as long as the context lasts; on leaving, an index that exists is brought up to the log.

        Raises:
            SpecError: There is an embedder, and no numpy.
        """
        index = cls(store, embedder, embed_messages=embed_messages)
        try:
            yield index
            if index._file.path and index._file.exists():
                with anyio.move_on_after(AT_CLOSE), suppress(LogError):
                    await index.refresh()
        finally:
            await index.close()

    async def close(self) -> None:
        """Let go of the file; what is in memory is gone."""
        with anyio.CancelScope(shield=True):
            await self._file.close()

    async def search(
        self,
        query: str,
        *,
        owners: Collection[str] = (),
        kinds: Collection[Kind] = (),
        roles: Collection[str] = (),
        tags: Collection[str] = (),
        tag_match_mode: Literal["any", "all"] = "any",
        start: Moment = None,
        end: Moment = None,
        limit: int = 10,
        without: str = "",
        unheard: bool = False,
    ) -> Hits:
        """Return the texts that hold words of `query`, or mean the like where there is an embedder, each once.

        The best come first, of equals the newest; an empty query gives the newest. Bounds hold before `limit` does.

        Args:
            owners: Streams of agents and archives; all where it is empty. So with `kinds` and `roles`.
            start, end: Times, both included; without a zone in UTC. A date alone is the whole day.
            without: A turn whose request is left out.
            unheard: Also what waits in a mailbox, and what was closed before anybody took it up.

        Raises:
            TextRefused: The query is too long, a time is none, the start is after the end, or another bound cannot be.
        """
        checked_query(query)
        wanted = Wanted(
            checked_words(owners, "owners"), tuple(kinds), checked_words(roles, "roles", ROLES),
            checked_words(tags, "tags"), needs_every(tag_match_mode), *span(start, end), without, unheard,
        )  # fmt: skip
        checked_limit(limit)
        if not query.strip():
            return await self._hits(await self._done(lambda tables: tables.newest(wanted, limit)))
        expression, semantic = matching(query), self._semantic
        vector, note = await semantic.prepared(self._done, query) if semantic is not None else ([], "")

        async def fitting(tables: Tables) -> list[Row]:
            count = max(limit, CANDIDATES) if vector else limit
            rows = await tables.by_words(expression, wanted, count) if expression else []
            return (
                await semantic.fused(tables, rows, vector, wanted, count) if semantic is not None and vector else rows
            )

        return await self._hits((await self._done(fitting))[:limit], note)

    async def _hits(self, rows: Sequence[Row], note: str = "") -> Hits:
        texts = await self._store.texts([row.ref for row in rows])
        hits = Hits(_hit(row, texts[row.ref]) for row in rows if texts.get(row.ref, ERASED) != ERASED)
        hits.note = note
        return hits

    # -- bringing it up to the log --------------------------------------------------------------

    async def rebuilt(self, until: int) -> list[list[tuple[object, ...]]]:
        """Return all that an index holds that was built from the log up to position `until` just now."""
        self._until = until
        return await self._done(lambda tables: tables.all())

    async def refresh(self) -> None:
        """Bring the index up to the log."""
        await self._done(_nothing)

    async def _done(self, work: Callable[[Tables], Awaitable[T]]) -> T:
        """Do `work` on an index that is up to the log; where its file is damaged on a new one, or in memory."""
        async with self._one:
            for last in (False, False, True):
                try:
                    await self._bring_up()
                    return await work(await self._file.tables())
                except (sqlite3.Error, OSError, ValueError) as error:
                    self._open = None
                    if last or not self._file.path:
                        raise LogError(f"the search index cannot be used, nor made again: {error}") from error
                    await self._give_up(error)
            raise AssertionError("a search ends with what was found, or with an error")

    async def _give_up(self, error: Exception) -> None:
        """Throw the index away; or its file, where there is no use in trying it again."""
        if not is_unusable(error) and not self._damaged:
            self._damaged = True
            log.warning("search index damaged", why=str(error))
            with suppress(OSError):
                await self._file.throw_away()
                return
        log.warning("search index kept in memory", why=str(error))
        await self._file.to_memory()

    async def _bring_up(self) -> None:
        """Take in what the log holds past the mark; begin anew where it is another log, or texts were erased."""
        while True:
            tables = await self._file.tables()
            mark = await tables.mark()
            if mark is None:
                await tables.begin(self._store.log_id, self._store.position)
            elif not await self.fits(mark):
                await self._file.throw_away()
            elif (after := await self._take_all(tables, mark)) is None:
                await self._file.throw_away()
            elif await tables.mark() == after:
                return

    async def _take_all(self, tables: Tables, mark: Mark) -> Mark | None:
        """Take in what is past `mark` and no other process takes in; return how far, None where texts were erased."""
        async with aclosing(_pages(self._store.read_all(after=mark.position, until=self._until))) as pages:
            async for page in pages:
                if any(_erases(event, mark.base) for event in page):
                    return None
                after = mark._replace(position=page[-1].position, chain=page[-1].chain)
                if not await self._take_in(tables, page, mark, after):
                    break
                mark = after
        return mark

    async def fits(self, mark: Mark) -> bool:
        """Return whether an index that has come to `mark` is one of this log."""
        if (mark.log_id, mark.layout) != (self._store.log_id, LAYOUT):
            return False
        if not mark.position:
            return True
        reader = self._store.read_all(after=mark.position - 1, until=mark.position)
        return [event.chain async for event in reader] == [mark.chain]

    async def _take_in(self, tables: Tables, page: list[RecordedEvent], before: Mark, after: Mark) -> bool:
        """Add a page that follows on `before`; return False where another process did so first."""
        known = self._open[1] if self._open and self._open[0] == before else await tables.open()
        open, found = dict(known), list[Change]()
        for event in page:
            for change in changes(event, open):
                found.append(change)
                if isinstance(change, Kept) and change.what is not None:
                    open[change.id] = change.what
                elif isinstance(change, Kept):
                    open.pop(change.id, None)
        added = await tables.add(found, before, after)
        self._open = (after, open) if added else None
        return added


async def _pages(events: AsyncGenerator[RecordedEvent]) -> AsyncGenerator[list[RecordedEvent]]:
    """Yield `events` in pages, and let others do something in between."""
    async with aclosing(events):
        page, size = list[RecordedEvent](), 0
        async for event in events:
            page.append(event)
            size += sum(map(len, _texts(event)))
            if len(page) == PAGE or size > PAGE_SIZE:
                yield page
                await checkpoint()
                page, size = [], 0
        if page:
            yield page


async def _nothing(tables: Tables) -> None:
    """Do nothing with an index but bring it up to the log."""


def checked_query(query: object) -> str:
    """Return `query`, if it can be searched for.

    Raises:
        TextRefused: It is no string, or too long.
    """
    if not isinstance(query, str):
        raise TextRefused(f"a query is a string, not {type(query).__name__}")
    if len(query) > LONGEST_QUERY:
        raise TextRefused(f"the query has {len(query):,} characters, {LONGEST_QUERY:,} are the most; ask for less")
    return query


def is_unusable(error: Exception) -> bool:
    """Return whether an index cannot be opened or written, be it damaged or not. Pure."""
    return isinstance(error, OSError) or primary_code(error) in _UNUSABLE


def _erases(event: RecordedEvent, base: int) -> bool:
    """Return whether texts were erased by `event` that the index may hold words of."""
    return isinstance(event.data, EventRedacted) and event.position > base


def _texts(event: RecordedEvent) -> list[str]:
    if isinstance(event.data, MessageReceived):
        return [part.text for part in event.data.parts]
    return [str(getattr(event.data, "text", ""))]


def _hit(row: Row, text: str) -> Hit:
    return Hit(
        row.owner, "passage" if row.kind == "passage" else "message", row.role, row.speaker, text,
        from_micros(row.at).astimezone(UTC), row.position, row.owner, row.version, row.number, row.tags,
        float(f"{row.score:.6g}"), row.conversation,
    )  # fmt: skip
