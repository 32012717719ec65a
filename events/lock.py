"""The lock file beside a log: who writes to it, for a clear error to whoever comes second."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager

from .errors import LogInUse, LogUnwritable, NotALog

_held = set[int]()
"""The lock files of this process. A forked child lets go of them, else it would hold a log after its parent's end."""


def _let_go() -> None:
    for file in _held:
        os.close(file)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(log: str, *, takeover: bool = False) -> Generator[None]:
    """Own `log` for writing, as long as the context lasts.

    The lock is on a file of its own, `<log>.lock`, since opening the log itself past SQLite would drop
    SQLite's locks. The file stays, empty: deleting it would let two processes lock two files of one name.

    Args:
        takeover: Put a new lock file in the place of one that another owner holds. That owner goes on to
            believe in its own, and is kept from writing by the epoch alone.

    Raises:
        LogInUse: Someone owns it already; nothing is waited for.
        LogUnwritable: The folder is missing or may not be written.
    """
    path = f"{log}.lock"
    existed = os.path.lexists(path)
    file = -1
    try:
        try:
            file = _locked_file(path, log, takeover=takeover)
        except OSError as error:
            raise LogUnwritable(log, f"its lock file cannot be opened ({error.strerror})") from None
        try:
            _held.add(file)
            yield
        finally:
            _held.discard(file)
            os.ftruncate(file, 0)
    except NotALog:
        if not existed:
            os.unlink(path)
        raise
    finally:
        if file >= 0:
            os.close(file)


def owner() -> str:
    """Return what this process is called."""
    return f"pid {os.getpid()} on {socket.gethostname()}"


def _locked_file(path: str, log: str, *, takeover: bool) -> int:
    while True:
        file = _open(path)
        try:
            if _lock(file):
                if _is_at(file, path):
                    os.ftruncate(file, 0)
                    os.pwrite(file, f"{owner()}\n".encode(), 0)
                    return file
            elif takeover:
                _replace(path)
            else:
                other = os.pread(file, 200, 0).decode(errors="replace").strip()
                raise LogInUse(log, other or "another process")
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: int, path: str) -> bool:
    """Return whether `path` still names `file`: someone may have taken over since it was opened."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _replace(path: str) -> None:
    fresh = f"{path}.new"
    os.close(_open(fresh))
    os.rename(fresh, path)
