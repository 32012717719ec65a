"""The lock file beside a log: who writes to it, for a clear error to whoever comes second."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager

from .errors import LogInUse, LogUnwritable, NotALog


@contextmanager
def locked(log: str) -> Generator[None]:
    """Own `log` for writing, as long as the context lasts.

    The lock is on a file of its own, `<log>.lock`, since opening the log itself past SQLite would drop
    SQLite's locks. The file stays, empty: deleting it would let two processes lock two files of one name.

    Raises:
        LogInUse: Someone owns it already; nothing is waited for.
        LogUnwritable: The folder is missing or may not be written.
    """
    path = f"{log}.lock"
    existed = os.path.lexists(path)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LogUnwritable(log, f"its lock file cannot be opened ({error.strerror})") from None
    try:
        _lock(file, log)
        try:
            yield
        finally:
            os.ftruncate(file, 0)
    except NotALog:
        if not existed:
            os.unlink(path)
        raise
    finally:
        os.close(file)


def _lock(file: int, log: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(file, 200, 0).decode(errors="replace").strip()
        raise LogInUse(log, owner or "another process") from None
    os.ftruncate(file, 0)
    os.pwrite(file, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
