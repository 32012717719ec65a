"""The table of a log in SQLite, and how a file is known to be a log."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol

from .codec import Row
from .errors import NewerFormat, NotALog
from .file import APPLICATION_ID, unreadable

FORMAT = 1
"""What `PRAGMA user_version` says of the table below; a log with a higher one is refused."""

BUSY = 5.0
"""Seconds that SQLite waits for another program's lock."""

COLUMNS = ", ".join(Row._fields)

EPOCH = "(SELECT max(version) FROM events WHERE stream = 'system' AND type = 'WriterOpened')"
"""Whose the log is: the version of the newest `WriterOpened`; NULL without one."""

_NO_ROOM = {sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP}
"""What SQLite says of shared memory on a disk that is full."""

_FIXED = [name for name in Row._fields if name not in ("content", "salt")]

SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    data TEXT NOT NULL,
    content TEXT,
    salt BLOB,
    key TEXT,
    correlation_id TEXT,
    causation_id TEXT,
    recorded_at INTEGER NOT NULL,
    chain BLOB NOT NULL,
    UNIQUE (stream, version)
) STRICT;
CREATE UNIQUE INDEX events_key ON events (stream, key) WHERE key IS NOT NULL;
CREATE INDEX events_correlation_id ON events (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
WHEN new.content IS NOT NULL OR new.salt IS NOT NULL
    OR {" OR ".join(f"new.{name} IS NOT old.{name}" for name in _FIXED)}
BEGIN SELECT RAISE(ABORT, 'events never change; content and salt together may be erased'); END;
COMMIT;
"""


class Database(Protocol):
    """One connection to SQLite; every statement stands for itself unless it is `BEGIN`."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    async def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run `sql` to its end and return all rows."""
        ...

    async def insert(self, sql: str, parameters: Sequence[object]) -> int:
        """Run `sql` to its end and return the row id that was given last."""
        ...

    async def script(self, sql: str) -> None:
        """Run the statements of `sql`, one after another."""
        ...


def primary_code(error: BaseException) -> int:
    """Return SQLite's primary result code of `error`; 0 where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def no_shared_memory(error: BaseException) -> bool:
    """Return whether SQLite could not make the shared memory of a WAL beside a log, and so nobody writes to it now."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or code in _NO_ROOM


async def identify(database: Database, path: str) -> bool:
    """Return whether `path` holds a log; False where it holds nothing at all.

    Raises:
        NotALog: It is no SQLite file, or another program's.
        LogDamaged: SQLite cannot read it any more.
        NewerFormat: A newer callboard made it.
    """
    try:
        rows = await database.fetch(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
            " FROM pragma_application_id, pragma_user_version"
        )
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        raise unreadable(path, str(error)) from None
    except UnicodeDecodeError:  # of the words in which SQLite says so
        raise NotALog(path, "its schema is damaged") from None
    match rows:
        case [(0, 0, 0)]:
            return False
        case [(application, int(version), _)] if application == APPLICATION_ID:
            if version > FORMAT:
                raise NewerFormat(path, found=version, known=FORMAT)
            return True
        case _:
            raise NotALog(path, "it is the database of another program")
