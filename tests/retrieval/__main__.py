"""Print recall@5 and MRR of words, vectors and both: `python -m tests.retrieval [--model NAME --base-url URL]`."""

from __future__ import annotations

from argparse import ArgumentParser

import anyio

from callboard import Embedder, OpenAIEmbedder
from callboard.actors.testing import HashEmbedder

from . import figures, passages, places, places_by_vectors, queries


async def measure(embedder: Embedder) -> None:
    """Print the figures, a line for each kind of query."""
    print(f"{len(passages())} passages, {len(queries())} queries, embedder {embedder.name}; recall@5 / MRR")
    columns = {
        "words": figures(await places(None)),
        "vectors": figures(await places_by_vectors(embedder)),
        "both": figures(await places(embedder)),
    }
    print(f"{'':12} {'n':>3}  " + "  ".join(f"{name:>11}" for name in columns))
    for kind, found in sorted(columns["words"].items(), key=lambda item: item[0] == "all"):
        cells = [f"{column[kind].recall:.2f} / {column[kind].mrr:.2f}" for column in columns.values()]
        print(f"{kind:12} {found.queries:>3}  " + "  ".join(f"{cell:>11}" for cell in cells))


def main() -> None:
    """Read the command line."""
    parser = ArgumentParser(prog="python -m tests.retrieval", description=__doc__)
    parser.add_argument("--model", help="an embedding model behind /v1/embeddings; without it, hashes of letters")
    parser.add_argument("--base-url", help="where it is; OPENAI_BASE_URL, if it is left out")
    given = parser.parse_args()
    embedder = OpenAIEmbedder(given.model, base_url=given.base_url) if given.model else HashEmbedder(dimensions=1_024)
    anyio.run(measure, embedder)


if __name__ == "__main__":
    main()
