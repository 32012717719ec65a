"""The guards of search, broken one by one: what is replaced by what, and who notices."""

from __future__ import annotations

from .mutations import Mutant

INDEX, FILE, TOKENS, FOLD = "events/index.py", "events/index_file.py", "events/tokens.py", "projections/searching.py"
SEARCH, SEMANTIC, DATES = "actors/search.py", "actors/semantic.py", "actors/dates.py"
BY_INDEX, BY_SEARCH, BY_MEANING = ("tests/test_index.py",), ("tests/test_search.py",), ("tests/test_semantic.py",)
BY_TABLES = ("tests/test_index_tables.py",)
BY_TOKENS = ("tests/test_tokens.py",)

SEARCH_MUTANTS = (
    Mutant(
        "what waits is heard at once", INDEX, "state = _UNHEARD if place.turn else _HERE", "state = _HERE", BY_INDEX
    ),
    Mutant(
        "a deleted passage is found",
        INDEX,
        '            await database.many(f"UPDATE places SET state = {_GONE}',
        '            await database.many(f"UPDATE places SET state = state',
        BY_INDEX,
    ),
    Mutant(
        "a page is added twice", INDEX, "if await self.mark() != before:", "if False:", ("tests/test_index_tables.py",)
    ),
    Mutant("tags are any, whatever is wanted", INDEX, "len(tags) if wanted.every else 1]", "1]", BY_INDEX),
    Mutant("times are no bounds", INDEX, "        if bound is not None:", "        if False:", BY_INDEX),
    Mutant("the present request is found", INDEX, "    if wanted.without:", "    if False:", BY_INDEX),
    Mutant(
        "of equals the oldest comes first",
        INDEX,
        "ORDER BY score, first DESC LIMIT",
        "ORDER BY score, first LIMIT",
        BY_INDEX,
    ),
    Mutant(
        "a text that many heard is many hits",
        INDEX,
        "GROUP BY found.text ORDER",
        "GROUP BY places.rowid ORDER",
        BY_INDEX,
    ),
    Mutant(
        "an index that was replaced is gone on with",
        FILE,
        "and (not self.path or self._identity == _identity(self.path))",
        "",
        BY_INDEX,
    ),
    Mutant("anybody may read the index", FILE, "os.O_CLOEXEC, 0o600))", "os.O_CLOEXEC, 0o644))", BY_INDEX),
    Mutant(
        "an operator is one",
        TOKENS,
        'return " OR ".join(f\'"{word}"\' for word in words_of(query))',
        "return query.strip()",
        BY_TOKENS,
    ),
    Mutant(
        "a script without blanks is one word",
        TOKENS,
        'return _UNSPACED.sub(r" \\g<0> ", _named(text))',
        "return _named(text)",
        BY_TOKENS,
    ),
    Mutant(
        "what a search found is found again",
        FOLD,
        "            if tool not in SEARCHES:",
        "            if True:",
        BY_INDEX,
    ),
    Mutant(
        "what is open is not remembered",
        FOLD,
        "return found if conversation == MAIN else [*found, Kept(id, conversation)]",
        "return found",
        BY_INDEX,
    ),
    Mutant(
        "what has ended is remembered for good",
        FOLD,
        '    if event.data.closes in ("turn", "tool") and event.data.id in open:',
        "    if False:",
        BY_INDEX,
    ),
    Mutant(
        "an index of another log is gone on with",
        SEARCH,
        "        if (mark.log_id, mark.layout) != (self._store.log_id, LAYOUT):",
        "        if False:",
        BY_INDEX,
    ),
    Mutant(
        "an index of another past is gone on with",
        SEARCH,
        "return [event.chain async for event in reader] == [mark.chain]",
        "return True",
        BY_INDEX,
    ),
    Mutant(
        "an erasure is passed over",
        SEARCH,
        "if any(_erases(event, mark.base) for event in page):",
        "if False:",
        BY_INDEX,
    ),
    Mutant("a damaged index ends the search", SEARCH, "if last or not self._file.path:", "if True:", BY_INDEX),
    Mutant(
        "closing leaves the index as it is",
        SEARCH,
        "if index._file.path and index._file.exists():",
        "if False:",
        BY_INDEX,
    ),
    Mutant(
        "a query may be as long as it likes", SEARCH, "    if len(query) > LONGEST_QUERY:", "    if False:", BY_SEARCH
    ),
    Mutant("a date alone ends when it begins", DATES, "time.max if end else time.min", "time.min", BY_SEARCH),
    Mutant("an embedder may answer any count", SEMANTIC, "    if len(found) != count:", "    if False:", BY_MEANING),
    Mutant(
        "an embedder may answer any size",
        SEMANTIC,
        "        if any(len(vector) != dimensions for vector in vectors):",
        "        if False:",
        BY_MEANING,
    ),
    Mutant(
        "an embedder may answer what is no number",
        SEMANTIC,
        "    if not all(math.isfinite(number) for vector in found for number in vector):",
        "    if False:",
        BY_MEANING,
    ),
    Mutant(
        "a slow embedder is waited for for ever",
        SEMANTIC,
        "with anyio.move_on_after(PATIENCE):",
        "with anyio.CancelScope():",
        BY_MEANING,
    ),
    Mutant(
        "many batches are in flight",
        SEMANTIC,
        "                async with self._one:",
        "                if True:",
        BY_MEANING,
    ),
)
