"""What an agent finds in its own conversations: the tool for it, and its result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from .excerpts import excerpt
from .search import Hit, Hits, Index

CONVERSATION_SEARCH = "conversation_search"

CONTENT = 1_000
"""Characters of each text in a result."""

MOST_HITS = 50
"""Hits of one call."""

Role = Literal["user", "assistant", "tool"]
Time = Annotated[str, Field(description="A date, or a time such as 2026-11-20T17:30; in UTC unless it says otherwise.")]


class ConversationSearch(BaseModel):
    """Search all that you heard, said and got back from tools, also what you do not see any more. Without a query, the
    newest."""

    model_config = ConfigDict(extra="forbid")
    query: Annotated[str, Field(description="Words to look for; any of them, the best fit first.")] = ""
    roles: Annotated[
        list[Role], Field(description="user: what you heard; assistant: what you said; tool: results. None for all.")
    ] = []
    start: Time = ""
    end: Time = ""
    limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 5


async def conversation(index: Index, agent: str, asked: ConversationSearch, *, turn: str = "") -> str:
    """Return, as JSON, what the agent whose stream is `agent` finds; the request of `turn` is left out.

    Raises:
        TextRefused: The query is too long, or a bound is neither a date nor a time.
    """
    hits = await index.search(
        asked.query, owners=[agent], kinds=["message"], roles=asked.roles, start=asked.start, end=asked.end,
        limit=asked.limit, without=turn,
    )  # fmt: skip
    return result(hits, asked.query)


def result(hits: Hits, query: str) -> str:
    """Return `hits` as a model reads them. Pure."""
    found: dict[str, object] = {"results": [_shape(hit, query) for hit in hits]}
    if hits.note:
        found["note"] = hits.note
    return to_json(found).decode()


def _shape(hit: Hit, query: str) -> dict[str, object]:
    shape: dict[str, object] = {
        "timestamp": f"{hit.at:%Y-%m-%dT%H:%M:%SZ}",
        "role": hit.role,
        "speaker": hit.speaker,
        "conversation": hit.conversation,
        "content": excerpt(hit.text, query, CONTENT),
        "position": hit.position,
    }
    return {**shape, "relevance": hit.relevance} if query.strip() else shape
