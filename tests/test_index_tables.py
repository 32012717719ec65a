"""The tables of a search index, by themselves."""

from __future__ import annotations

from callboard.events import index_file


async def test_a_page_that_somebody_else_has_added_is_not_added_again() -> None:
    file = index_file.IndexFile("", direct=True)
    tables = await file.tables()
    await tables.begin("log", 0)
    before = await tables.mark()
    assert before is not None
    after = before._replace(position=1, chain=b"chain")
    assert await tables.add([], before, after) and not await tables.add([], before, after)
    assert await tables.mark() == after
    await file.close()
