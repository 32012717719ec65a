"""The file of a log: whose it is, how long it was, and copies of it.

SQLite refuses a file that was cut off, whole. With zeros for what is gone of it, it gives what is left. What stands
where: SQLite's page on its file format.
"""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

from .errors import LogDamaged, NotALog

APPLICATION_ID = int.from_bytes(b"call")
"""What `PRAGMA application_id` says of a log."""

LONGEST = 2**40
"""Bytes that no log has; a header that wants more is damaged itself."""


class Cut(NamedTuple):
    """How many bytes a file has, and how many its header says."""

    size: int
    wanted: int

    def __str__(self) -> str:
        return f"the file ends after {self.size:,} of {self.wanted:,} bytes"


def cut_off(file: str) -> Cut | None:
    """Return what the file of a log has, and had, where its end is gone; None for any other file.

    Raises:
        OSError: It may not be read.
    """
    with open(file, "rb") as database:
        header = database.read(100)
    if not _is_ours(header):
        return None
    page, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    size, wanted = os.path.getsize(file), (65_536 if page == 1 else page) * pages
    return Cut(size, wanted) if size < wanted < LONGEST else None


def unreadable(file: str, why: str) -> LogDamaged | NotALog:
    """Return what to say of a file of which SQLite says `why`."""
    with open(file, "rb") as database:
        if not _is_ours(database.read(100)):
            return NotALog(file, f"SQLite says {why!r}")
    return LogDamaged(file, str(cut_off(file) or f"SQLite says {why!r}"))


def _is_ours(header: bytes) -> bool:
    return header.startswith(b"SQLite format 3\0") and int.from_bytes(header[68:72]) == APPLICATION_ID


def lengthened(file: str, folder: str) -> str:
    """Return where in `folder` a copy of `file` is, with its WAL, and with zeros for what is gone of it.

    Raises:
        OSError: There is no room for it.
    """
    cut, copy = cut_off(file), copied_with_wal(file, f"{folder}/log")
    if cut is not None:
        os.truncate(copy, cut.wanted)
    return copy


def has_wal(log: str) -> bool:
    """Return whether something of a log is in its WAL, or was."""
    return os.path.exists(f"{log}-wal") and os.path.getsize(f"{log}-wal") > 0


def copied_with_wal(log: str, copy: str) -> str:
    """Copy the log and its WAL, if it has one, to `copy` and beside it; return `copy`."""
    shutil.copyfile(log, copy)
    if os.path.exists(f"{log}-wal"):
        shutil.copyfile(f"{log}-wal", f"{copy}-wal")
    return copy
