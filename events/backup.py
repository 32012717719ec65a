"""A consistent copy of a log, made while its owner goes on writing."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing

from anyio.to_thread import run_sync

from .anchor import Anchor, sync_folder
from .connection import real_path
from .errors import BackupRefused, LogError, NotALog
from .file import copied_with_wal
from .loss import compare, head_of, is_log, look, read_only
from .schema import no_shared_memory

BESIDE = ("", "-wal", "-shm", ".anchor")
"""What must not be at the destination: an old WAL beside a new log is a damaged log."""


async def backup(path: str | os.PathLike[str], dest: str | os.PathLike[str]) -> int:
    """Copy the log at `path` to `dest`, with an anchor of its own; return the position that the copy ends at.

    The copy is checked against the anchor of the original, and against its own chain, before it is at `dest`.
    It has the identity of the original: after it was opened for writing, work on with one of the two alone.

    Raises:
        NotALog: There is no log at `path`.
        LossFound: Events of the original were lost or altered.
        BackupRefused: Something is at `dest` already, or nothing may be written there.
    """
    return await run_sync(_copy, os.fspath(path), os.fspath(dest))


def _copy(path: str, dest: str) -> int:
    log, target = real_path(path), os.path.abspath(dest)
    if not os.path.exists(log):
        raise NotALog(log, "there is no such file")
    for end in BESIDE:
        if os.path.lexists(target + end):
            raise BackupRefused(target, f"{target}{end} exists")
    try:
        # On the same file system, for the last step; for the eyes of its owner alone.
        with tempfile.TemporaryDirectory(dir=os.path.dirname(target), prefix=".callboard-") as folder:
            return _checked(log, target, f"{folder}/copy")
    except OSError as error:
        raise BackupRefused(target, error.strerror or str(error)) from None
    except sqlite3.Error as error:
        raise LogError(f"{log} cannot be copied: {error}") from error


def _checked(log: str, target: str, copy: str) -> int:
    seen = look(log)  # before the copy is made, so that the copy must reach it
    _make(copy)
    with closing(_connected(log, os.path.dirname(copy))) as database:
        if not is_log(database):
            raise NotALog(log, "it is empty, or the database of another program")
        database.execute("VACUUM INTO ?", (copy,))
    if loss := compare(log, seen, copy).loss:
        raise loss
    with closing(read_only(copy)) as database:
        head = head_of(database)
    if head is None or not head.log_id:
        raise NotALog(log, "it does not begin with LogCreated")
    _make(target)
    try:
        _sync(copy)
        anchor = Anchor(target)
        anchor.begin(head)
        anchor.close()
        os.rename(copy, target)
        sync_folder(target)
    except BaseException:
        os.unlink(target)
        raise
    return head.position


def _connected(log: str, folder: str) -> sqlite3.Connection:
    """Connect to `log`; where no shared memory can be made beside it, to a copy in `folder`."""
    database = read_only(log)
    try:
        database.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        database.close()
        if not no_shared_memory(error):
            raise
        return read_only(copied_with_wal(log, f"{folder}/alone"))
    return database


def _make(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _sync(path: str) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
