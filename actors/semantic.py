"""Search by meaning, beside that by words: vectors of texts, which are nearest, and one order made of two."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import anyio
import structlog
from anyio.to_thread import run_sync

from callboard.events import EventStore, Reference
from callboard.events.index import Tables
from callboard.events.places import Row, Wanted

from .embedder import Embedder, check_numpy
from .others import words_of

log = structlog.get_logger()

T = TypeVar("T")

BATCH, BATCH_SIZE = 64, 200_000
"""Texts, and their characters, that are embedded at once."""

LONGEST = 8_000
"""Characters of one text that are embedded: the first ones."""

PATIENCE = 30.0
"""Seconds that one search waits for its embedder."""

CANDIDATES = 50
"""How many texts by words, and how many by vectors, one order is made of."""

STEADY = 60
"""Is added to each rank before its reciprocal is taken, as in "Reciprocal Rank Fusion" (Cormack and others, 2009)."""


class Do(Protocol):
    """Does something on an index that is up to the log."""

    async def __call__(self, work: Callable[[Tables], Awaitable[T]]) -> T:
        """Return what `work` gives."""
        ...


class Wrong(Exception):
    """What an embedder gave cannot be used."""


class Semantic:
    """The search by vectors of one store."""

    def __init__(self, store: EventStore, embedder: Embedder, *, messages: bool = False) -> None:
        """Search passages, and with `messages` those, too, by the vectors of `embedder`.

        Raises:
            SpecError: numpy is not installed.
        """
        check_numpy()
        self._store, self._embedder = store, embedder
        self._kinds = ("passage", "message") if messages else ("passage",)
        self._one = anyio.Lock()

    async def fused(
        self, tables: Tables, rows: list[Row], vector: Sequence[float], wanted: Wanted, limit: int
    ) -> list[Row]:
        """Return what fits by words, `rows`, and what by meaning, in one order; all of it from the same tables."""
        known = await tables.vectors(self._embedder.name, len(vector), wanted)
        near = await run_sync(nearest, vector, known, limit)
        return ranked(rows, near, await tables.by_text(near, wanted))

    async def prepared(self, do: Do, query: str) -> tuple[list[float], str]:
        """Return the vector of `query`, once all texts have one; or none, and why."""
        try:
            with anyio.move_on_after(PATIENCE):
                async with self._one:
                    [vector] = await self._embedded([query])
                    while await self._embed_some(do, len(vector)):
                        pass
                    return vector, ""
            why = f"was not done within {PATIENCE:g} s; what it gave is kept, so search again"
        except Wrong as error:
            why = str(error)
        log.warning("search by words alone", embedder=self._embedder.name, why=why)
        return [], f"searched by words alone: the embedder {self._embedder.name} {why}"

    async def _embed_some(self, do: Do, dimensions: int) -> bool:
        """Embed a batch of the texts that have no vector yet; return whether there were any."""
        name = self._embedder.name
        missing = await do(lambda tables: tables.without_vector(name, dimensions, self._kinds, BATCH))
        if not missing:
            return False
        batch = await self._texts(missing)
        vectors = await self._embedded(list(batch.values()))
        if any(len(vector) != dimensions for vector in vectors):
            raise Wrong(f"answers vectors of {dimensions} and of {len(vectors[0])} numbers")
        rows = {ref: packed(vector) for ref, vector in zip(batch, vectors, strict=True)}
        await do(lambda tables: tables.keep_vectors(name, dimensions, rows))
        return True

    async def _texts(self, missing: list[Reference]) -> dict[Reference, str]:
        """Return the texts of a batch by where they stand: at least one, and not too long together."""
        texts = await self._store.texts(missing)
        batch, size = dict[Reference, str](), 0
        for ref in missing:
            text = texts.get(ref, "")[:LONGEST]
            size += len(text)
            if batch and size > BATCH_SIZE:
                break
            batch[ref] = text
        return batch

    async def _embedded(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            vectors = await self._embedder.embed(texts)
        except Exception as error:  # a border to others' code
            raise Wrong(f"failed: {words_of(error)}") from None
        return checked(vectors, len(texts))


def checked(vectors: object, count: int) -> list[list[float]]:
    """Return `vectors`, if they are `count` lists of finite numbers, all as long. Pure.

    Raises:
        Wrong: They are not.
    """
    try:
        found = [[float(number) for number in vector] for vector in vectors]  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        raise Wrong("answers something else than lists of numbers") from None
    sizes = sorted({len(vector) for vector in found})
    if len(found) != count:
        raise Wrong(f"answers {len(found)} vectors for {count} texts")
    if len(sizes) != 1 or not sizes[0]:
        raise Wrong(f"answers vectors of {' and of '.join(map(str, sizes))} numbers")
    if not all(math.isfinite(number) for vector in found for number in vector):
        raise Wrong("answers numbers that are not finite")
    return found


def packed(vector: Sequence[float]) -> bytes:
    """Return `vector` as float32, of length 1 where it is not all zero. Pure."""
    import numpy  # an extra

    found = numpy.asarray(vector, dtype=numpy.float64)
    length = float(numpy.linalg.norm(found))
    return (found / length if length else found).astype("<f4").tobytes()


def nearest(vector: Sequence[float], known: Sequence[tuple[int, bytes]], limit: int) -> list[int]:
    """Return the numbers of the texts whose vectors point most nearly where `vector` does, the nearest first.

    Those at a right angle or beyond are no candidates. Pure.
    """
    import numpy  # an extra

    if not known:
        return []
    numbers = numpy.array([number for number, _ in known])
    matrix: Any = numpy.frombuffer(b"".join(one for _, one in known), dtype="<f4").reshape(len(known), -1)
    likeness = matrix @ numpy.frombuffer(packed(vector), dtype="<f4")
    order = numpy.lexsort((-numbers, -likeness))[:limit]
    return [int(numbers[n]) for n in order if likeness[n] > 0]


def ranked(rows: Sequence[Row], near: Sequence[int], found: Sequence[Row]) -> list[Row]:
    """Return the texts of two orders in one: `rows` by words, and the numbers `near` by vectors. Pure."""
    known = {row.text: row for row in (*found, *rows)}
    scores = dict.fromkeys(known, 0.0)
    for order in ([row.text for row in rows], near):
        for rank, text in enumerate(order, start=1):
            if text in scores:
                scores[text] += 1 / (STEADY + rank)
    both = [row._replace(score=scores[text]) for text, row in known.items()]
    return sorted(both, key=lambda row: (-row.score, -row.position))
