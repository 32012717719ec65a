"""How well searches find what is meant: passages, queries with the one passage that each wants, and figures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from callboard import Embedder
from callboard.actors.search import Index
from callboard.actors.semantic import BATCH, CANDIDATES, nearest, packed
from callboard.events import MemoryStore

from ..shelves import stocked

HERE = Path(__file__).parent
BEST = 5
"""How many hits are looked at for the recall."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and the number of the passage that is wanted."""

    kind: str
    wanted: int
    text: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How often what was wanted is among the best five, and the mean of 1 / its place."""

    queries: int
    recall: float
    mrr: float


def passages() -> list[str]:
    """Return the passages, the first one number 1."""
    return (HERE / "passages.txt").read_text().splitlines()


def queries() -> list[Query]:
    """Return the queries."""
    lines = [line.split(" | ", 2) for line in (HERE / "queries.txt").read_text().splitlines()]
    return [Query(kind, int(wanted), text) for kind, wanted, text in lines]


async def places(embedder: Embedder | None) -> dict[Query, int]:
    """Return the place that what is wanted has among the hits of each query; 0 where it has none."""
    store = MemoryStore()
    await stocked(store, passages())
    index = Index(store, embedder)
    found: dict[Query, int] = {}
    for query in queries():
        hits = await index.search(query.text, limit=CANDIDATES)
        if hits.note:
            raise ValueError(hits.note)
        found[query] = _place([hit.number for hit in hits], query.wanted)
    return found


async def places_by_vectors(embedder: Embedder) -> dict[Query, int]:
    """Return the same of vectors alone."""
    texts, known = passages(), list[tuple[int, bytes]]()
    for at in range(0, len(texts), BATCH):
        vectors = await embedder.embed(texts[at : at + BATCH])
        known += [(at + n, packed(vector)) for n, vector in enumerate(vectors, start=1)]
    asked = await embedder.embed([query.text for query in queries()])
    return {
        query: _place(nearest(vector, known, CANDIDATES), query.wanted)
        for query, vector in zip(queries(), asked, strict=True)
    }


def _place(numbers: list[int], wanted: int) -> int:
    return numbers.index(wanted) + 1 if wanted in numbers else 0


def figures(places: dict[Query, int]) -> dict[str, Figures]:
    """Return the figures of each kind of query, and of `all`."""
    kinds = defaultdict[str, list[int]](list)
    for query, place in places.items():
        kinds[query.kind].append(place)
        kinds["all"].append(place)
    return {
        kind: Figures(
            len(found), sum(0 < n <= BEST for n in found) / len(found), sum(1 / n for n in found if n) / len(found)
        )
        for kind, found in kinds.items()
    }
