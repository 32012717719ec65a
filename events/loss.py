"""Whether a log is what was written to it: looked into before anything is written."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast
from urllib.parse import quote

from pydantic_core import from_json

from .anchor import BrokenAnchor, Head, anchor_of, read_anchor
from .codec import Row, chain, chain_of
from .errors import LossFound
from .file import APPLICATION_ID, Cut, cut_off, lengthened
from .schema import BUSY, COLUMNS, EPOCH, primary_code

WINDOW = 200_000
"""Events, counted from the newest, whose chain is computed again when a log is opened for writing."""

_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Examined(NamedTuple):
    """What was found before a log is opened for writing.

    Attributes:
        log_id: The identity that the first event gives; empty where there is none to be read.
        anchored: Whether there is a good anchor, to be gone on with.
        loss: What is wrong, if anything.
    """

    log_id: str
    anchored: bool
    loss: LossFound | None


class Seen(NamedTuple):
    """What an anchor says: where the log was, or why it cannot be read; neither where there is none."""

    anchor: Head | None
    broken: str


def examine(log: str) -> Examined:
    """Compare the log at `log` with its anchor and with its own chain; nothing is written.

    A log is without an anchor as long as it is new, or was made before there were any.

    Raises:
        sqlite3.Error: It cannot be read now.
        OSError: Its anchor may not be read.
    """
    return compare(log, look(log), log)


def look(log: str) -> Seen:
    """Return what the anchor of `log` says.

    Raises:
        OSError: It may not be read.
    """
    try:
        return Seen(read_anchor(log), "")
    except BrokenAnchor as error:
        return Seen(None, str(error))


def compare(log: str, seen: Seen, file: str) -> Examined:
    """Compare `file`, which is the log at `log` or a copy of it, with what its anchor said; see `examine`."""
    if not os.path.exists(file) or os.path.getsize(file) == 0:  # SQLite would delete its WAL, even to read
        return _judged(log, seen, None)
    ours = False
    _roll_back(file)
    try:
        with closing(read_only(file)) as database:
            ours = is_log(database)
            return _judged(log, seen, database if ours else None)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the second where the words of the first are damaged
        if isinstance(error, sqlite3.Error) and primary_code(error) not in _UNREADABLE:
            raise
        anchor, cut = seen.anchor, cut_off(file)
        if not (ours or anchor or seen.broken or cut):
            return Examined("", False, None)  # no log, as far as one can see; who opens it will say what it is
        expected = anchor.position if anchor else 0
        wanted = f"its anchor saw position {expected}" if anchor else "it was a log"
        whole = _left(file, cut)
        found = str(cut or f"SQLite says {str(error)!r}")
        if not expected or whole < expected:  # else it is an index that is damaged
            found += f", and the first bad position is {whole + 1}"
        loss = LossFound(log, found, wanted, expected=expected, whole=whole, readable=not cut)
        return Examined("", bool(anchor), loss)


def _left(file: str, cut: Cut | None) -> int:
    """Return the position up to which the events of a damaged file are whole; its indexes may be gone."""
    whole, previous, hashes = 0, b"", dict[tuple[object, object], bytes]()
    with (
        suppress(sqlite3.Error, UnicodeDecodeError, OSError),
        TemporaryDirectory(prefix="callboard-") as folder,
        closing(read_only(lengthened(file, folder) if cut else file)) as left,
    ):
        with suppress(sqlite3.Error):
            hashes = _redacted(left, 1)
        while row := _row(left, whole + 1):
            if _chained(previous, row, hashes) != row.chain:
                break
            whole, previous = row.position, row.chain
    return whole


def _roll_back(file: str) -> None:
    """Finish what a crash left of the one transaction that uses no WAL: the step from there to the WAL.

    There is no WAL yet, and none is closed here; `mode=ro` could not read the file.
    """
    if not os.path.exists(f"{file}-journal"):
        return
    with closing(sqlite3.connect(_uri(file, "rw"), uri=True, isolation_level=None, timeout=BUSY)) as database:
        with suppress(sqlite3.DatabaseError):  # whatever is wrong is found by whoever reads next
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def read_only(log: str) -> sqlite3.Connection:
    """Connect to `log` so that nothing in it, and nothing of its WAL, is changed, not even by closing."""
    return sqlite3.connect(_uri(log, "ro"), uri=True, isolation_level=None, timeout=BUSY)


def _uri(log: str, mode: str) -> str:
    return f"file:{quote(os.fsencode(log))}?mode={mode}"


def head_of(database: sqlite3.Connection) -> Head | None:
    """Return the newest event of a log; None where it has no events. `log_id` is empty where it cannot be read."""
    sql = (
        f"SELECT position, chain, (SELECT CAST(data AS BLOB) FROM events ORDER BY position LIMIT 1), {EPOCH}"
        " FROM events ORDER BY position DESC LIMIT 1"
    )
    row = database.execute(sql).fetchone()
    if row is None:
        return None
    position, chained, first, epoch = row
    log_id = _object(first).get("log_id", "")
    return Head(str(log_id), epoch or 0, position, chained)


def first_break(database: sqlite3.Connection, start: int) -> tuple[int, str] | None:
    """Return the first position from `start` on that is not what was written, and how that shows.

    What stands before `start` is taken as it is: the chain goes on from there.
    """
    hashes = _redacted(database, start)
    before = database.execute(
        "SELECT chain FROM events WHERE position < ? ORDER BY position DESC LIMIT 1", (start,)
    ).fetchone()
    previous, position, versions = before[0] if before else b"", start - 1, dict[str, int]()
    rows = database.execute(f"SELECT {COLUMNS} FROM events WHERE position >= ? ORDER BY position", (start,))
    try:
        for row in map(Row._make, rows):
            position += 1
            if row.position != position:
                return position, "it is missing"
            if _chained(previous, row, hashes) != row.chain:
                return position, "it is not the event that was written there"
            known = versions.get(row.stream)
            if row.version != 1 + (_version_before(database, row) if known is None else known):
                return position, f"it is {row.stream}@{row.version} out of turn"
            versions[row.stream], previous = row.version, row.chain
    except (sqlite3.Error, UnicodeDecodeError) as error:
        with suppress(sqlite3.Error, UnicodeDecodeError):  # the row before one that cannot be read is lost with it
            row = _row(database, position + 1)
            position += row is not None and _chained(previous, row, hashes) == row.chain
        return position + 1, f"it cannot be read ({error})"
    return None


def _row(database: sqlite3.Connection, position: int) -> Row | None:
    rows = database.execute(f"SELECT {COLUMNS} FROM events WHERE position = ?", (position,)).fetchall()
    return Row._make(rows[0]) if rows else None


def _chained(previous: bytes, row: Row, hashes: dict[tuple[object, object], bytes]) -> bytes:
    """Return what the chain of `row` must be; `hashes` stand for the texts that were erased."""
    said = hashes.get((row.stream, row.version)) if row.content is None else None
    return chain(previous, row) if said is None else chain_of(previous, row, said)


def _judged(log: str, seen: Seen, database: sqlite3.Connection | None) -> Examined:
    anchor, broken = seen
    head = head_of(database) if database else None
    log_id = head.log_id if head else ""
    expected, position = (anchor.position if anchor else 0), (head.position if head else 0)

    def lost(found: str, wanted: str, *, whole: int = position) -> Examined:
        return Examined(log_id, bool(anchor), LossFound(log, found, wanted, expected=expected or position, whole=whole))

    if database and head and (wrong := first_break(database, _start(database, position))) is not None:
        at, why = wrong
        return lost(f"the first bad position is {at}: {why}", "each event is chained to the one before", whole=at - 1)
    if database and position <= WINDOW and (said := _unsound(database)):
        return lost(f"SQLite says {said!r}", "its events are whole (with accept_loss, its indexes are made again)")
    if broken:
        return lost(broken, "one of the two must")
    if anchor is None:
        if head is None or head.epoch == 0:
            return Examined(log_id, False, None)
        return lost(f"there is no {anchor_of(log)}", "every log that was written to has one")
    if head is None:
        if anchor.position == 0:
            # Its writer was killed before the first commit; the next draws another identity.
            return Examined("", False, None)
        wanted = f"its anchor saw position {expected} (for a new log, delete {anchor_of(log)} first)"
        return lost("it holds no events", wanted)
    if anchor.log_id != head.log_id:
        return lost(f"it is the log {head.log_id}", f"its anchor is that of the log {anchor.log_id}")
    if anchor.position > position:
        return lost(f"it ends at position {position}", f"position {expected} was acknowledged")
    if database and anchor.position and _chain_at(database, anchor.position) != anchor.chain:
        wanted = "its anchor saw another there"
        return lost(f"position {expected} is one event", wanted, whole=expected - 1)
    return Examined(log_id, True, None)


def is_log(database: sqlite3.Connection) -> bool:
    """Return whether there is a table of events to look into; what else it may be, others find."""
    [application] = database.execute("PRAGMA application_id").fetchone()
    tables = database.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'events'").fetchone()
    return application == APPLICATION_ID and tables is not None


def _unsound(database: sqlite3.Connection) -> str:
    """Return what SQLite finds wrong with the file; nothing where tables and indexes agree."""
    try:
        [said] = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        said = str(error)
    return "" if said == "ok" else str(said)


def _start(database: sqlite3.Connection, last: int) -> int:
    """Return the position from which on the chain must be whole: an accepted loss is not held against the log."""
    sql = (
        "SELECT position FROM events WHERE stream = 'system' AND type = 'LossAccepted' AND version >"
        " (SELECT max(version) FROM events WHERE stream = 'system') - ? ORDER BY version DESC LIMIT 1"
    )
    accepted = database.execute(sql, (WINDOW,)).fetchone()
    return max(1, last - WINDOW + 1, accepted[0] if accepted else 1)


def _chain_at(database: sqlite3.Connection, position: int) -> bytes:
    found = database.execute("SELECT chain FROM events WHERE position = ?", (position,)).fetchone()
    return found[0] if found else b""


def _version_before(database: sqlite3.Connection, row: Row) -> int:
    sql = "SELECT max(version) FROM events WHERE stream = ? AND version < ? AND position < ?"
    return database.execute(sql, (row.stream, row.version, row.position)).fetchone()[0] or 0


def _redacted(database: sqlite3.Connection, start: int) -> dict[tuple[object, object], bytes]:
    """Return the hashes of texts that were erased, by (stream, version); the chain says whether they are true."""
    sql = "SELECT CAST(data AS BLOB) FROM events WHERE stream = 'system' AND type = 'EventRedacted' AND position >= ?"
    found: dict[tuple[object, object], bytes] = {}
    for (data,) in database.execute(sql, (start,)):
        event = _object(data)
        try:
            found[event.get("stream"), event.get("version")] = bytes.fromhex(str(event.get("said")))
        except (ValueError, TypeError):
            continue  # it is damaged itself, and the chain breaks there
    return found


def _object(data: bytes) -> dict[str, object]:
    try:
        value = from_json(data)
    except ValueError:
        return {}
    return cast(dict[str, object], value) if isinstance(value, dict) else {}
