"""Searches find what is meant, as far as words and letters can: the figures of docs/search.md."""

from __future__ import annotations

from callboard.actors.testing import HashEmbedder

from .retrieval import figures, passages, places, places_by_vectors, queries

EXACT = ("words", "name", "number", "language", "symbol")
"""Kinds of queries that share words with what they want."""


def test_each_query_wants_one_passage_that_is_there() -> None:
    assert all(1 <= query.wanted <= len(passages()) for query in queries())
    assert len(passages()) == len(set(passages())) == 120 and len(queries()) == 46


async def test_words_find_whatever_shares_words() -> None:
    found = figures(await places(None))
    assert all(found[kind].recall == found[kind].mrr == 1.0 for kind in EXACT)
    assert found["across"].recall == 0.0 and 0.69 < found["all"].recall < 0.71


async def test_letters_find_typing_errors_too_and_both_together_are_no_worse_than_either() -> None:
    embedder = HashEmbedder(dimensions=1_024)
    words, both = figures(await places(None)), figures(await places(embedder))
    vectors = figures(await places_by_vectors(embedder))
    assert words["typo"].recall == 0.5 and both["typo"].recall == vectors["typo"].recall == 1.0
    assert both["all"].recall >= max(words["all"].recall, vectors["all"].recall)
    assert all(both[kind].recall == 1.0 for kind in EXACT)
