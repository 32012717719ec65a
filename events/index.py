"""The search index of a log: who has heard and said which words, where. Derived from the log, and deletable.

It holds no texts, only their words and where they stand. It is a database, `search.db` in the folder of the cache, that
says of which log it is and how far it has come, so that several processes may go on with it, one page at a time.
Nothing of it is synced beyond what SQLite needs to know damage; what is damaged or does not fit is made again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, cast

import anyio
from pydantic_core import from_json, to_json

from .places import Change, Gone, Heard, Kept, Mark, Place, Row, Wanted
from .schema import Database
from .text import Reference
from .tokens import TOKENIZER, spaced

LAYOUT = 2
"""The number of the tables below, and of what is taken up in them; another one is built again."""

LONGEST = 1_000_000
"""Characters of one text that are searched: the first ones."""

ABOUT = "about"
"""The table that says of which log an index is."""

_HERE, _UNHEARD, _GONE = 0, 1, 2

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS about (
    one INTEGER PRIMARY KEY CHECK (one = 1), log_id TEXT NOT NULL, layout INTEGER NOT NULL,
    position INTEGER NOT NULL, chain BLOB NOT NULL, base INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS texts (
    id INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, n INTEGER NOT NULL, key TEXT NOT NULL,
    UNIQUE (stream, version, n, key)
) STRICT;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, content = '', tokenize = "{TOKENIZER}");
CREATE TABLE IF NOT EXISTS places (
    position INTEGER NOT NULL, owner TEXT NOT NULL, version INTEGER NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,
    speaker TEXT NOT NULL, conversation TEXT NOT NULL, at INTEGER NOT NULL, text INTEGER NOT NULL,
    number INTEGER NOT NULL, tags TEXT NOT NULL, turn TEXT NOT NULL, state INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS places_of_text ON places (text);
CREATE INDEX IF NOT EXISTS places_in_order ON places (position);
CREATE INDEX IF NOT EXISTS places_of_owner ON places (owner, kind, position);
CREATE INDEX IF NOT EXISTS places_unheard ON places (turn) WHERE state = 1;
CREATE INDEX IF NOT EXISTS passages ON places (owner, number) WHERE number > 0 AND state = 0;
CREATE TABLE IF NOT EXISTS open (id TEXT PRIMARY KEY, what TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vectors (
    text INTEGER PRIMARY KEY, embedder TEXT NOT NULL, dimensions INTEGER NOT NULL, vector BLOB NOT NULL
) STRICT;
"""

_COLUMNS = """places.text, owner, places.version, kind, role, speaker, conversation, at, number, tags,
    texts.stream, texts.version, texts.n, texts.key"""

_BY_WORDS = """
WITH found AS MATERIALIZED (SELECT rowid AS text, rank AS score FROM words WHERE words MATCH ?)
SELECT min(position) AS first, -score, {columns} FROM found
    CROSS JOIN places INDEXED BY places_of_text ON places.text = found.text CROSS JOIN texts ON texts.id = found.text
    WHERE {filters} GROUP BY found.text ORDER BY score, first DESC LIMIT ?
"""

_NEWEST = """
SELECT position, 0.0, {columns} FROM places CROSS JOIN texts ON texts.id = places.text
    WHERE {filters} ORDER BY position DESC, places.rowid DESC LIMIT ?
"""

_BY_TEXT = """
SELECT min(position) AS first, 0.0, {columns} FROM places INDEXED BY places_of_text
    CROSS JOIN texts ON texts.id = places.text
    WHERE places.text IN (SELECT value FROM json_each(?)) AND {filters} GROUP BY places.text
"""

_VECTORS = """
SELECT places.text, min(vector) FROM places CROSS JOIN vectors ON vectors.text = places.text
    WHERE embedder = ? AND dimensions = ? AND {filters} GROUP BY places.text
"""

_WITHOUT_VECTOR = f"""
SELECT DISTINCT texts.stream, texts.version, texts.n, texts.key
    FROM places JOIN texts ON texts.id = places.text
    LEFT JOIN vectors ON vectors.text = texts.id AND embedder = ? AND dimensions = ?
    WHERE kind IN (SELECT value FROM json_each(?)) AND state = {_HERE} AND vectors.text IS NULL
    ORDER BY texts.id LIMIT ?
"""

_KEEP_VECTOR = """
INSERT OR REPLACE INTO vectors SELECT id, ?, ?, ? FROM texts WHERE stream = ? AND version = ? AND n = ? AND key = ?
"""

_KNOWN = """
SELECT texts.id, texts.stream, texts.version, texts.n, texts.key FROM json_each(?) AS one CROSS JOIN texts
    ON texts.stream = json_extract(one.value, '$[0]') AND texts.version = json_extract(one.value, '$[1]')
    AND texts.n = json_extract(one.value, '$[2]') AND texts.key = ifnull(json_extract(one.value, '$[3]'), '')
"""


class Batches(Database, Protocol):
    """A `Database` that also takes many rows at once."""

    async def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run `sql` once for each of `rows`."""
        ...


@dataclass(slots=True)
class _Sorted:
    """The changes of one page by their kind; those of a kind are in order."""

    places: list[Place] = field(default_factory=list[Place])
    heard: list[Heard] = field(default_factory=list[Heard])
    gone: list[Gone] = field(default_factory=list[Gone])
    kept: list[Kept] = field(default_factory=list[Kept])


class Tables:
    """The tables of one index, over a connection to it."""

    def __init__(self, database: Batches) -> None:
        """Work on `database`."""
        self._database = database

    async def mark(self) -> Mark | None:
        """Return of which log it is and how far it has come; None where nothing was built yet.

        What holds something and does not say of which log is one of no log.
        """
        names = {row[0] for row in await self._database.fetch("SELECT name FROM sqlite_schema")}
        if not names:
            return None
        sql = f"SELECT log_id, layout, position, chain, base FROM {ABOUT}"
        rows = await self._database.fetch(sql) if ABOUT in names else []
        return Mark(*cast("tuple[str, int, int, bytes, int]", rows[0])) if rows else Mark("", 0, 0, b"", 0)

    async def begin(self, log_id: str, base: int) -> None:
        """Make the tables, empty; where another process has just done so, leave them."""
        with anyio.CancelScope(shield=True):
            try:
                await self._database.script(SCHEMA)
                sql = "INSERT OR IGNORE INTO about VALUES (1, ?, ?, 0, x'', ?)"
                await self._database.fetch(sql, (log_id, LAYOUT, base))
                await self._database.fetch("COMMIT")
            except sqlite3.Error:
                await self._roll_back()
                raise

    async def open(self) -> dict[str, str]:
        """Return what has to be known of what is open."""
        return dict(cast("list[tuple[str, str]]", await self._database.fetch("SELECT id, what FROM open")))

    async def add(self, changes: Iterable[Change], before: Mark, after: Mark) -> bool:
        """Take in what a page of the log brings; return False where somebody else did, and nothing was done."""
        page = _Sorted()
        for change in changes:
            match change:
                case Place():
                    page.places.append(change)
                case Heard():
                    page.heard.append(change)
                case Gone():
                    page.gone.append(change)
                case Kept():
                    page.kept.append(change)
        with anyio.CancelScope(shield=True):
            try:
                await self._database.fetch("BEGIN IMMEDIATE")
                if await self.mark() != before:
                    await self._roll_back()
                    return False
                await self._write(page)
                await self._database.fetch("UPDATE about SET position = ?, chain = ?", (after.position, after.chain))
                await self._database.fetch("COMMIT")
            except BaseException:
                await self._roll_back()
                raise
        return True

    async def _write(self, page: _Sorted) -> None:
        database = self._database
        if page.places:
            ids = await self._texts(page.places)
            rows = [_values(place, ids[place.ref]) for place in page.places]
            await database.many(f"INSERT INTO places VALUES ({', '.join('?' * 13)})", rows)
        if page.heard:
            await database.many(f"UPDATE places SET state = {_HERE} WHERE turn = ? AND state = 1", page.heard)
        if page.gone:
            of_one = "owner = ? AND number = ? AND position < ? AND number > 0 AND state = 0"
            await database.many(f"UPDATE places SET state = {_GONE} WHERE {of_one}", page.gone)
        if page.kept:
            await database.many("DELETE FROM open WHERE id = ?", [(one.id,) for one in page.kept])
            left = {one.id: one.what for one in page.kept}
            await database.many("INSERT INTO open VALUES (?, ?)", [one for one in left.items() if one[1] is not None])

    async def _texts(self, places: list[Place]) -> dict[Reference, int]:
        """Return the number of each text; index those that are new."""
        said = {place.ref: place.text for place in places}
        rows = await self._database.fetch(_KNOWN, (to_json(list(said)).decode(),))
        ids = {_reference(row[1:]): cast(int, row[0]) for row in rows}
        [[last]] = await self._database.fetch("SELECT ifnull(max(id), 0) FROM texts")
        new = [ref for ref in said if ref not in ids]
        ids |= {ref: n for n, ref in enumerate(new, start=cast(int, last) + 1)}
        rows = [(ids[ref], *ref[:3], ref[3] if len(ref) == 4 else "") for ref in new]
        await self._database.many("INSERT INTO texts VALUES (?, ?, ?, ?, ?)", rows)
        words = [(ids[ref], spaced(said[ref][:LONGEST])) for ref in new]
        await self._database.many("INSERT INTO words (rowid, text) VALUES (?, ?)", words)
        return ids

    async def _roll_back(self) -> None:
        if self._database.in_transaction:
            with suppress(sqlite3.Error):
                await self._database.fetch("ROLLBACK")

    # -- searching ------------------------------------------------------------------------------

    async def by_words(self, expression: str, wanted: Wanted, limit: int) -> list[Row]:
        """Return the texts that hold words of `expression`, each once: the best first, of equals the newest."""
        return await self._found(_BY_WORDS, wanted, (expression,), (limit,))

    async def newest(self, wanted: Wanted, limit: int) -> list[Row]:
        """Return the newest texts, newest first."""
        return await self._found(_NEWEST, wanted, (), (limit,))

    async def by_text(self, texts: Collection[int], wanted: Wanted) -> list[Row]:
        """Return the texts of these numbers, in no order."""
        return await self._found(_BY_TEXT, wanted, (to_json(list(texts)).decode(),), ())

    async def _found(
        self, sql: str, wanted: Wanted, before: tuple[object, ...], after: tuple[object, ...]
    ) -> list[Row]:
        filters, values = _filters(wanted)
        sql = sql.format(columns=_COLUMNS, filters=filters)
        rows = await self._database.fetch(sql, (*before, *values, *after))
        return [_row(row) for row in rows]

    # -- vectors --------------------------------------------------------------------------------

    async def vectors(self, embedder: str, dimensions: int, wanted: Wanted) -> list[tuple[int, bytes]]:
        """Return the vectors of what is wanted, each with the number of its text."""
        filters, values = _filters(wanted)
        rows = await self._database.fetch(_VECTORS.format(filters=filters), (embedder, dimensions, *values))
        return cast("list[tuple[int, bytes]]", rows)

    async def without_vector(
        self, embedder: str, dimensions: int, kinds: Collection[str], limit: int
    ) -> list[Reference]:
        """Return where the texts of `kinds` stand that have no such vector, the oldest first."""
        values = (embedder, dimensions, to_json(list(kinds)).decode(), limit)
        return [_reference(row) for row in await self._database.fetch(_WITHOUT_VECTOR, values)]

    async def keep_vectors(self, embedder: str, dimensions: int, vectors: dict[Reference, bytes]) -> None:
        """Keep the vectors of texts, in the place of other ones; of those that are not here any more, nothing."""
        rows = [
            (embedder, dimensions, vector, *ref[:3], ref[3] if len(ref) == 4 else "") for ref, vector in vectors.items()
        ]
        with anyio.CancelScope(shield=True):
            await self._database.many(_KEEP_VECTOR, rows)

    # -- looking at all of it -------------------------------------------------------------------

    async def all(self) -> list[list[tuple[object, ...]]]:
        """Return all that the log gives: places, texts, what is open, and each word with where it stands."""
        await self._database.script(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, words, instance)"
        )
        tables = (
            "SELECT * FROM places ORDER BY rowid",
            "SELECT * FROM texts ORDER BY id",
            "SELECT * FROM open ORDER BY id",
            "SELECT doc, offset, term FROM temp.vocabulary ORDER BY doc, offset",
        )
        return [await self._database.fetch(sql) for sql in tables]


def _values(place: Place, text: int) -> tuple[object, ...]:
    """Return the row of a place. Pure."""
    state = _UNHEARD if place.turn else _HERE
    return (*place[:8], text, place.number, to_json(place.tags).decode(), place.turn, state)


def _reference(row: Sequence[object]) -> Reference:
    stream, version, n, key = cast("tuple[str, int, int, str]", row)
    return (stream, version, n, key) if key else (stream, version, n)


def _row(row: tuple[object, ...]) -> Row:
    return Row(*row[:11], tuple(from_json(cast(str, row[11]))), _reference(row[12:]))  # type: ignore[arg-type]


def _filters(wanted: Wanted) -> tuple[str, list[object]]:
    """Return what a place must fulfil, as SQL, and the values in it. Pure."""
    parts = [f"state IN ({_HERE}, {_UNHEARD})" if wanted.unheard else f"state = {_HERE}"]
    values: list[object] = []
    for column, among in (("owner", wanted.owners), ("kind", wanted.kinds), ("role", wanted.roles)):
        if among:
            parts.append(f"{column} IN ({', '.join('?' * len(among))})")
            values += among
    for column, sign, bound in (("at", ">=", wanted.start), ("at", "<=", wanted.end)):
        if bound is not None:
            parts.append(f"{column} {sign} ?")
            values.append(bound)
    if wanted.without:
        parts.append("turn <> ?")
        values.append(wanted.without)
    if wanted.tags:
        tags = tuple(dict.fromkeys(wanted.tags))
        common = f"(SELECT count(DISTINCT value) FROM json_each(tags) WHERE value IN ({', '.join('?' * len(tags))}))"
        parts.append(f"{common} >= ?")
        values += [*tags, len(tags) if wanted.every else 1]
    return " AND ".join(parts), values
