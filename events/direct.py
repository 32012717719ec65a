"""A database in memory, for what is derived from a store that lives in memory, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import cast


class Direct:
    """An SQLite database in memory, worked on at once, in the caller's own thread."""

    def __init__(self) -> None:
        """Make an empty database."""
        self._connection = sqlite3.connect(":memory:", isolation_level=None)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    async def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run `sql` to its end and return all rows."""
        return self._connection.execute(sql, cast("Sequence[str]", parameters)).fetchall()

    async def insert(self, sql: str, parameters: Sequence[object]) -> int:
        """Run `sql` to its end and return the row id that was given last."""
        return self._connection.execute(sql, cast("Sequence[str]", parameters)).lastrowid or 0

    async def script(self, sql: str) -> None:
        """Run the statements of `sql`, one after another."""
        self._connection.executescript(sql)

    async def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run `sql` once for each of `rows`."""
        self._connection.executemany(sql, cast("Iterable[Sequence[str]]", rows))

    def close(self) -> None:
        """Forget it all."""
        self._connection.close()
