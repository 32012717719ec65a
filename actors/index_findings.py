"""Whether the search index beside a log is what the log itself gives."""

from __future__ import annotations

import sqlite3

from callboard.events import EventStore
from callboard.events.index_file import IndexFile, file_of

from .search import Index, is_unusable


async def index_findings(log_path: str, store: EventStore) -> list[str]:
    """Return what is wrong with the search index of `log_path`; nothing where there is none, or it equals a rebuild.

    One of another log or another layout is never used, and so is not looked into; nor is one that cannot be opened.
    """
    file, made = IndexFile(file_of(log_path)), Index(store, in_memory=True)
    if not file.exists():
        return []
    try:
        tables = await file.tables()
        mark = await tables.mark()
        if mark is None or not await made.fits(mark):
            return []
        known = await tables.all()
        return [] if known == await made.rebuilt(mark.position) else ["the search index is not what the log gives"]
    except (sqlite3.Error, OSError, ValueError) as error:
        return [] if is_unusable(error) else [f"the search index is damaged: {error}"]
    finally:
        await file.close()
        await made.close()
