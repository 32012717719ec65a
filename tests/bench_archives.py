"""Measure a long archive: `python -m tests.bench_archives [PASSAGES]`, 100,000 by default. Figures, no pass or fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from time import perf_counter

from callboard.actors.archival import INSERT, decide
from callboard.actors.commands import Receive
from callboard.events import Text
from callboard.events.catalog import ArchiveStarted
from callboard.events.specs import ArchiveSpec
from callboard.projections.archive import ArchiveState, evolve
from callboard.projections.snapshots import decode, encode

PASSAGES, BATCH = 100_000, 1_000


def request(n: int) -> Receive:
    """Return the request for the n-th passage, of about 200 characters."""
    content = f"Passage {n} about tides: " + "the moon pulls the sea, and the shore gives way; " * 4
    return Receive(f"k{n}/team", "user", "edit", edit=INSERT, arguments=Text(json.dumps({"content": content})))


def batches(passages: int) -> Iterator[tuple[ArchiveState, float]]:
    """Yield the state after each batch of passages, with the microseconds that one of them took to decide and fold."""
    state = evolve(ArchiveState(), ArchiveStarted(spec=ArchiveSpec(name="team")))
    for start in range(0, passages, BATCH):
        asked, began = [request(n) for n in range(start, start + BATCH)], perf_counter()
        for one in asked:
            state = evolve(state, decide(state, one))
        yield state, (perf_counter() - began) / BATCH * 1e6


def main(passages: int) -> None:
    """Print the figures."""
    began = perf_counter()
    states, took = zip(*batches(passages), strict=True)
    state = states[-1]
    print(f"{passages:,} passages decided and folded: {perf_counter() - began:.2f} s")
    tenth = max(len(took) // 10, 1)
    first, last = (sum(part) / len(part) for part in (took[:tenth], took[-tenth:]))
    print(f"one passage: {first:.0f} us in the first tenth, {last:.0f} us in the last")
    began = perf_counter()
    written = encode(state)
    print(f"a snapshot: {len(written) / 1e6:.1f} MB, written in {perf_counter() - began:.2f} s", end="")
    began = perf_counter()
    assert decode(ArchiveState, written, {}) == state
    print(f", read back and compared in {perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PASSAGES)
