"""The way to a search index: to its file, or to memory where there is no file or it cannot be used."""

from __future__ import annotations

import os
import sqlite3
from contextlib import AsyncExitStack, suppress

import anyio
from anyio.to_thread import run_sync

from .cache import folder_of
from .direct import Direct
from .index import Tables

NAME = "search.db"
"""The file, in the folder of the cache."""

SETTINGS = ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "temp_store = MEMORY")
"""With these a process may end at any time, and a power cut loses the end of it at most."""


def file_of(log: str) -> str:
    """Return where the search index of the log at `log` is."""
    return os.path.join(folder_of(log), NAME)


class IndexFile:
    """An index that may be deleted, replaced or damaged at any time, by whoever likes to.

    Attributes:
        path: The file; empty where the index is in memory.
    """

    def __init__(self, path: str = "", *, direct: bool = False) -> None:
        """Name the file; with `direct`, memory that is worked on at once, without a thread."""
        self.path = path
        self._direct = direct
        self._identity: tuple[int, int] | None = None
        self._tables: Tables | None = None
        self._stack = AsyncExitStack()

    def exists(self) -> bool:
        """Return whether there is anything of it yet."""
        return os.path.exists(self.path) if self.path else self._tables is not None

    async def tables(self) -> Tables:
        """Return its tables, as they are now: what was deleted or replaced meanwhile is opened again.

        Raises:
            OSError, sqlite3.Error: It cannot be opened.
        """
        if self._tables is not None and (not self.path or self._identity == _identity(self.path)):
            return self._tables
        await self.close()
        self._tables = await self._opened()
        return self._tables

    async def _opened(self) -> Tables:
        if self._direct:
            database = Direct()
            self._stack.callback(database.close)
            return Tables(database)
        from .connection import Connection  # loads aiosqlite

        if not self.path:
            return Tables(await self._stack.enter_async_context(Connection.open(":memory:", "mode=memory")))
        await run_sync(_make, self.path)
        connection = await self._stack.enter_async_context(Connection.open(self.path, "mode=rw"))
        self._identity = _identity(self.path)
        for setting in SETTINGS:
            await connection.fetch(f"PRAGMA {setting}")
        return Tables(connection)

    async def throw_away(self) -> None:
        """Delete all of it; `tables` makes it anew.

        Raises:
            OSError: The file is still there.
        """
        await self.close()
        if self.path:
            await run_sync(_unlink, self.path)

    async def to_memory(self) -> None:
        """Let go of the file, and work in memory from now on."""
        await self.close()
        self.path = ""

    async def close(self) -> None:
        """Close the connection; what is in memory is gone."""
        self._tables, self._identity = None, None
        with suppress(sqlite3.Error), anyio.CancelScope(shield=True):
            await self._stack.aclose()
        self._stack = AsyncExitStack()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make(path: str) -> None:
    """Make an empty file where there is none, for the eyes of its owner alone."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _unlink(path: str) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            os.unlink(path + end)
