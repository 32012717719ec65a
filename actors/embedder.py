"""What makes vectors of texts, for a search by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

from callboard.events import SpecError


class Embedder(Protocol):
    """Makes a vector of each text, such that texts that mean the like have vectors of like direction.

    Vectors are kept under its name and their dimensions: with another name, all texts are embedded again.
    """

    @property
    def name(self) -> str:
        """What its vectors are known by: another model is another name."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the vectors of `texts`, in order, all of the same dimensions. May raise anything."""
        ...


def check_numpy() -> None:
    """See that vectors can be compared.

    Raises:
        SpecError: numpy is not installed.
    """
    if find_spec("numpy") is None:
        raise SpecError("a search with an embedder needs numpy, which is not here; pip install 'callboard[embeddings]'")
