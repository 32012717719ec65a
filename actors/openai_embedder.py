"""Vectors from any provider that speaks OpenAI's embeddings API, at `/v1/embeddings`.

Beside `openai_model.py` the only file that imports `openai`, and only once a text is embedded. There are no retries: a
search whose embedder fails goes by words alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio
from pydantic import BaseModel, ValidationError

from callboard.events import SpecError

from .openai_model import check_base_url, shown
from .provider_errors import MOST_SAID

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class EmbedderFailed(Exception):
    """An embedder of callboard's own gave no vectors; says why, without the key."""


class _Row(BaseModel):
    embedding: list[float]
    index: int = 0


class _Reply(BaseModel):
    data: list[_Row]


class OpenAIEmbedder:
    """An `Embedder` behind the embeddings API.

    A client is made for each batch, so that it belongs to no loop and nobody has to close it.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        dimensions: int | None = None,
        timeout: float = 30.0,
    ) -> None:
        """Name the model, and where it is.

        `base_url` and `api_key` fall back on OPENAI_BASE_URL and OPENAI_API_KEY. `dimensions` shortens the vectors,
        where the model can; None for those that it has. `timeout` is in seconds, of one batch.

        Raises:
            SpecError: There is neither a key nor a `base_url`, or one of the arguments cannot be.
        """
        self.model, self.dimensions, self.timeout = model, dimensions, timeout
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL") or None
        self._key = api_key or os.environ.get("OPENAI_API_KEY") or ""
        if not model:
            raise SpecError("the name of the embedding model is empty; give one that the provider knows")
        if dimensions is not None and dimensions < 1:
            raise SpecError(f"dimensions are {dimensions}; at least 1 is wanted, or None for those of the model")
        check_base_url(self.base_url)
        if not self._key and self.base_url is None:
            raise SpecError(
                f"no API key for the embedding model {model!r}: OPENAI_API_KEY is not set, and no base_url is given; "
                "set OPENAI_API_KEY, or OPENAI_BASE_URL for a server that needs none (such as Ollama)"
            )

    def __repr__(self) -> str:
        where = f", base_url={shown(self.base_url)!r}" if self.base_url else ""
        return f"OpenAIEmbedder({self.model!r}{where})"

    @property
    def name(self) -> str:
        """The model, its dimensions where they were chosen, and where it is."""
        cut = f"/{self.dimensions}" if self.dimensions else ""
        return f"{self.model}{cut}" + (f" at {shown(self.base_url)}" if self.base_url else "")

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the vectors of `texts`, in order.

        Raises:
            EmbedderFailed: There are none.
        """
        from openai import AsyncOpenAI

        key = self._key or "unused"  # local servers want one, and ignore it
        client = AsyncOpenAI(base_url=self.base_url, api_key=key, max_retries=0, timeout=self.timeout)
        try:
            return await self._asked(client, list(texts))
        except EmbedderFailed:
            raise
        except Exception as why:  # the border to others' code
            text = f"{type(why).__name__}: {why}"[:MOST_SAID]
            raise EmbedderFailed(text.replace(self._key, "[key]") if len(self._key) >= 8 else text) from None
        finally:
            with anyio.move_on_after(1, shield=True):
                await client.close()

    async def _asked(self, client: AsyncOpenAI, texts: list[str]) -> list[list[float]]:
        body: dict[str, object] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self.dimensions:
            body["dimensions"] = self.dimensions
        try:
            reply = _Reply.model_validate(await client.post("/embeddings", body=body, cast_to=object))
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or "as a whole"
            raise EmbedderFailed(f"the answer has another shape than agreed ({where}); is base_url right?") from None
        return [row.embedding for row in sorted(reply.data, key=lambda row: row.index)]
