"""A log as it lies in its file, for whoever checks it: rows as they are, damaged or not. Writes nothing."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import OrderedDict
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple, cast
from urllib.parse import quote

from pydantic_core import from_json

from .codec import Row
from .errors import LogDamaged, LogError, NewerFormat, NotALog
from .file import APPLICATION_ID, Cut, copied_with_wal, cut_off, has_wal, lengthened, unreadable
from .schema import COLUMNS, FORMAT, SCHEMA, no_shared_memory, primary_code

PAGE = 500
"""Rows that are read at once; between pages nothing is held, so that a writer can go on."""

MOST_UNREADABLE = 50
"""Rows that cannot be read, one after another, until the rest is given up."""

KEPT, LONG = 4_000, 50_000
"""Events whose texts are kept at hand, and characters of a content that is too long for that."""

FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file ends with; the second, where the words of the first are damaged, too."""

_PAGE = f"SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
_ROW = f"SELECT {COLUMNS} FROM events WHERE position = ?"
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class Unreadable(NamedTuple):
    """Rows from `position` to `last` that SQLite cannot give; what comes then is read, or given up."""

    position: int
    last: int
    why: str


class Rows:
    """The rows of one log, to be had from `open_rows`.

    Attributes:
        path: The file.
        head: The last position when it was opened; what comes later is not read.
        cut: What is gone of the end of the file, where SQLite refuses it for that; the rows are of what is left.
    """

    def __init__(self, path: str, connection: sqlite3.Connection, cut: Cut | None) -> None:
        self.path, self._connection, self.cut = path, connection, cut
        self._contents: OrderedDict[tuple[str, int], list[str] | None] = OrderedDict()
        self.schema_faults = list(self._compared_schema())
        self.head = self._head()

    def _head(self) -> int:
        try:
            [(head,)] = self._connection.execute("SELECT max(position) FROM events").fetchall()
        except FAULTS:
            return 2**63 - 1
        return head if isinstance(head, int) else 0

    def _compared_schema(self) -> Iterator[tuple[str, str]]:
        """Yield what the schema has otherwise than this callboard makes it, as (found, wanted)."""
        with closing(sqlite3.connect(":memory:")) as model:
            model.executescript(SCHEMA)
            wanted = dict(_schema(model))
        try:
            found = dict(_schema(self._connection))
        except FAULTS as error:
            raise LogError(f"{self.path} cannot be read: {error}") from error
        for name in sorted({*wanted, *found}, key=str):
            if wanted.get(name) != found.get(name):
                yield found.get(name) or f"no {name}", wanted.get(name) or f"no {name}"
        kind = found.get("table events") or ""
        if not kind.upper().startswith("CREATE TABLE"):  # a view or a virtual table would run what it says
            raise NotALog(self.path, "it has no table of events")

    def faults(self) -> Iterator[str]:
        """Yield what SQLite itself finds wrong with the file, at most a hundred lines."""
        try:
            for (line,) in self._connection.execute("PRAGMA integrity_check(100)").fetchall():
                if line != "ok":
                    yield from str(line).splitlines()
        except FAULTS as error:
            yield str(error)

    def read(self) -> Iterator[Row | Unreadable]:
        """Yield every row up to `head`, each once, in the order of positions; past what is unreadable it goes on.

        The columns hold what they hold: of any type, and bytes where a text is not UTF-8.
        """
        after, bad = 0, None
        while after < self.head:
            why = ""
            try:
                page = [Row._make(row) for row in self._connection.execute(_PAGE, (after, self.head, PAGE))]
            except FAULTS as error:
                why, row = str(error), self._one(after + 1)
                if row is None:
                    after += 1
                    bad = Unreadable(after, after, why) if bad is None else bad._replace(last=after)
                    if bad.last - bad.position + 1 == MOST_UNREADABLE:
                        break
                    continue
                page = [row]
            if bad is not None:
                yield bad
                bad = None
            for row in page:
                if row.position <= after:  # pages of the file in a circle
                    yield Unreadable(after + 1, after + 1, f"position {row.position} comes after {after}")
                    return
                after = row.position
                yield row
            if not why and len(page) < PAGE:
                return
        if bad is not None:
            yield bad

    def _one(self, position: int) -> Row | None:
        try:
            rows = self._connection.execute(_ROW, (position,)).fetchall()
        except FAULTS:
            return None
        return next((Row._make(row) for row in rows), None)

    def texts(self, stream: str, version: int) -> list[str] | None:
        """Return the texts that stand in an event now; None where there are none, or none that can be read."""
        place = stream, version
        if place in self._contents:
            self._contents.move_to_end(place)
            return self._contents[place]
        content = self._content(stream, version)
        found = listed(content)
        if not isinstance(content, str) or len(content) < LONG:
            self._contents[place] = found
        if len(self._contents) > KEPT:
            self._contents.popitem(last=False)
        return found

    def _content(self, stream: str, version: int) -> object:
        select = "SELECT content FROM events WHERE stream = ? AND version = ?"
        try:
            rows = self._connection.execute(select, (stream, version)).fetchall()
        except (*FAULTS, OverflowError):
            return None
        return rows[0][0] if rows else None

    def data_of(self, stream: str, type: str) -> list[object]:
        """Return `data` of the events of one stream and type, as they are now."""
        select = "SELECT data FROM events WHERE stream = ? AND type = ? ORDER BY version"
        try:
            found = self._connection.execute(select, (stream, type)).fetchall()
        except FAULTS:
            return []
        return [_parsed(data) for (data,) in found]


def listed(content: object) -> list[str] | None:
    """Return the texts that the column `content` holds; None where it holds none, or not such. Pure."""
    value = _parsed(content)
    if not isinstance(value, list):
        return None
    texts = cast(list[object], value)
    return cast(list[str], texts) if all(isinstance(text, str) for text in texts) else None


def _parsed(column: object) -> object:
    try:
        return from_json(column) if isinstance(column, str) else None
    except ValueError:
        return None


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str | None]]:
    select = "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE name != 'sqlite_stat1'"
    return connection.execute(select).fetchall()


@contextmanager
def open_rows(path: str | os.PathLike[str]) -> Generator[Rows]:
    """Open the log at `path` to read its rows, also where nothing may be written beside it.

    Raises:
        NotALog: There is none.
        NewerFormat: A newer callboard made it.
        LogDamaged, LogError: SQLite cannot read it.
    """
    log = os.path.realpath(path)
    if not os.path.isfile(log):
        there = "it is no regular file" if os.path.exists(log) else "there is no such file"
        raise NotALog(log, "it is a directory" if os.path.isdir(log) else there)
    if not os.access(log, os.R_OK):
        raise NotALog(log, "it may not be read")
    if os.path.getsize(log) == 0:  # SQLite would delete its WAL, even where it may only read
        raise NotALog(log, "it is empty")
    with ExitStack() as stack:
        try:
            yield Rows(log, *_connected(stack, log))
        except FAULTS as error:
            raise LogError(f"{log} cannot be read: {error}") from error


def _connected(stack: ExitStack, log: str) -> tuple[sqlite3.Connection, Cut | None]:
    """Connect to the log; where its end is gone and SQLite refuses it, to a copy that is as long as it was."""
    try:
        return _as_it_is(stack, log), None
    except LogDamaged:
        cut = cut_off(log)
        if cut is None:
            raise
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="callboard-"))
    connection = _open(stack, lengthened(log, folder), "mode=ro")
    _identify(connection, log)
    return connection, cut


def _as_it_is(stack: ExitStack, log: str) -> sqlite3.Connection:
    attempt = ExitStack()
    try:
        connection = _open(attempt, log, "mode=ro")
        _identify(connection, log)
    except sqlite3.OperationalError as error:
        attempt.close()
        if not no_shared_memory(error):
            raise
        return _alone(stack, log)
    except BaseException:
        attempt.close()
        raise
    stack.push(attempt)
    return connection


def _alone(stack: ExitStack, log: str) -> sqlite3.Connection:
    """Connect where no shared memory can be made beside the log, and so nobody writes to it now."""
    if has_wal(log):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="callboard-"))
        connection = _open(stack, copied_with_wal(log, f"{folder}/log"), "mode=ro")
    else:
        connection = _open(stack, log, "mode=ro&immutable=1")
    _identify(connection, log)
    return connection


def _open(stack: ExitStack, log: str, query: str) -> sqlite3.Connection:
    uri = f"file:{quote(os.fsencode(log))}?{query}"
    connection = stack.enter_context(closing(sqlite3.connect(uri, uri=True, isolation_level=None)))
    connection.text_factory = _text
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def _text(column: bytes) -> object:
    try:
        return column.decode()
    except UnicodeDecodeError:
        return column


def _identify(connection: sqlite3.Connection, log: str) -> None:
    try:
        [(application,)] = connection.execute("PRAGMA application_id").fetchall()
        [(version,)] = connection.execute("PRAGMA user_version").fetchall()
        [(things,)] = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in _BROKEN:
            raise
        raise unreadable(log, str(error)) from None
    if application != APPLICATION_ID:
        raise NotALog(log, "it is the database of another program" if application or things else "it is empty")
    if version > FORMAT:
        raise NewerFormat(log, found=version, known=FORMAT)
