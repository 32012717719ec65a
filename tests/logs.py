"""Logs as rows and as files, for those that check them and those that damage them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from callboard.events import MemoryStore
from callboard.events.anchor import Head
from callboard.events.codec import Row, chain
from callboard.events.rows import listed
from callboard.events.schema import COLUMNS, SCHEMA
from callboard.projections.checks import Checks, Report
from callboard.scripts.audit import Audit

INSERT = f"INSERT INTO events ({COLUMNS}) VALUES ({','.join('?' * len(Row._fields))})"


def rows_of(log: MemoryStore) -> list[Row]:
    """Return what a log in memory keeps."""
    own = vars(log)
    return list(own["kept"] if "kept" in own else own["rows"])


def write_rows(path: Path, rows: Sequence[Row], *, keys: bool = True) -> None:
    """Make a log of `rows`; without `keys`, of rows that its index of keys would refuse."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SCHEMA)
        if not keys:
            database.execute("DROP INDEX events_key")
        database.execute("BEGIN")
        database.executemany(INSERT, rows)
        database.execute("COMMIT")


def rechained(rows: Sequence[Row]) -> list[Row]:
    """Return `rows` as one would have them who can reckon the chain, and numbers positions and versions anew."""
    versions, previous, forged = dict[str, int](), b"", list[Row]()
    for position, row in enumerate(rows, start=1):
        versions[row.stream] = versions.get(row.stream, 0) + 1
        row = row._replace(position=position, version=versions[row.stream])
        previous = chain(previous, row)
        forged.append(row._replace(chain=previous))
    return forged


def checked(rows: Sequence[Row], head: Head | None = None) -> Report:
    """Return what our own checks say of `rows`, without a file."""
    contents = {(row.stream, row.version): row.content for row in rows}

    def texts(stream: str, version: int) -> list[str] | None:
        return listed(contents.get((stream, version)))

    def said(stream: str, version: int, *, fresh: bool = False) -> None:
        return None

    checks = Checks(texts, said, head)
    for row in rows:
        checks.take(row)
    return checks.report()


def audited(rows: Sequence[Row]) -> Audit:
    """Return what the audit says of `rows`, without a file."""
    audit = Audit({}, None)
    for row in rows:
        audit.take(row)
    return audit
