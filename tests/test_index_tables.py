"""The tables of a search index, by themselves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from callboard.events import index_file
from callboard.events.direct import Direct
from callboard.events.index import Tables
from callboard.events.places import Wanted


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


class Planned(Direct):
    """Keeps what SQLite says of how it does the last search."""

    plan: str = ""

    async def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        if "CROSS JOIN places" in sql or "FROM places" in sql:
            self.plan = str(await super().fetch(f"EXPLAIN QUERY PLAN {sql}", parameters))
        return await super().fetch(sql, parameters)


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(owners=("archive-team",), kinds=("passage",), tags=("x",), start=1), Wanted(owners=("agent-a",))],
)
async def test_each_text_that_was_found_is_looked_up_by_itself(wanted: Wanted) -> None:
    """Else a search that finds n of an owner's m texts looks at n times m of them."""
    database = Planned()
    tables = Tables(database)
    await tables.begin("log", 0)
    for search in (tables.by_words("word", wanted, 10), tables.by_text([1, 2], wanted)):
        assert await search == []
        assert "places USING INDEX places_of_text (text=?)" in database.plan
    database.close()
