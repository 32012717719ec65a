"""`callboard memory search`: what agents heard, said and got back, and the passages of archives."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import JsonValue
from rich.console import RenderableType
from rich.text import Text

from callboard.actors.excerpts import excerpt, marks
from callboard.actors.search import Hit
from callboard.actors.searches import Shelf
from callboard.events import SQLiteStore
from callboard.projections.shapes import time_shape
from callboard.projections.words import name_of
from callboard.scripts.border import FINE
from callboard.scripts.screen import columns, moment, one_line, print_json, show, styled

WIDTH = 240
"""Characters that are shown of a text."""


async def search(
    log: str,
    text: str = "",
    /,
    *,
    agent: str = "",
    archive: str = "",
    role: Annotated[list[Literal["user", "assistant", "tool"]] | None, Parameter(negative="")] = None,
    tag: Annotated[list[str] | None, Parameter(negative="")] = None,
    start: str = "",
    end: str = "",
    limit: int = 10,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Search what was heard, said and remembered, the best fit first; without a text, the newest.

    Parameters
    ----------
    log
        The log: a file.
    text
        Words to look for; any of them.
    agent
        Only what this agent, or those in this group, heard and said.
    archive
        Only passages of this archive; with --agent, those, too.
    role
        Only messages that were heard (user), said (assistant), or came back from tools (tool).
    tag
        Only passages that have one of these tags.
    start
        Nothing before this date or time, in UTC unless it says otherwise.
    end
        Nothing after this date or time.
    limit
        How many are shown at most.
    as_json
        Print JSON, with whole texts.
    """
    async with SQLiteStore.open(log, mode="read") as store, Shelf.open(store, agent, archive) as shelf:
        hits = await shelf.search(
            text, name=agent, archive=archive, roles=role or (), tags=tag or (), start=start, end=end, limit=limit
        )
    shapes: list[JsonValue] = [_shape(hit) for hit in hits]
    if as_json:
        print_json({"hits": shapes, "note": hits.note})
    else:
        show(columns(*(_line(hit, text) for hit in hits)) if hits else styled(("nothing was found", "dim")))
    return FINE


def _shape(hit: Hit) -> dict[str, JsonValue]:
    return {
        "position": hit.position,
        "at": time_shape(hit.at),
        "kind": hit.kind,
        "owner": name_of(hit.owner_stream),
        "role": hit.role,
        "speaker": hit.speaker,
        "conversation": hit.conversation,
        "passage": f"p{hit.number}" if hit.number else None,
        "tags": list(hit.tags),
        "ref": f"{hit.stream}@{hit.version}",
        "relevance": hit.relevance,
        "text": hit.text,
    }


def _line(hit: Hit, query: str) -> tuple[RenderableType, ...]:
    talk = f" in {hit.conversation}" if hit.conversation not in ("", "main") else ""
    where = name_of(hit.owner_stream)
    what = f"p{hit.number} by {hit.speaker}" if hit.number else f"{hit.role}{talk}"
    said = one_line(excerpt(hit.text, query, WIDTH), WIDTH)
    tags = f" ({', '.join(hit.tags)})" if hit.tags else ""
    speaker = "" if hit.number else f"{hit.speaker}: "
    return (
        styled((f"@{hit.position}", "dim")),
        styled((moment(hit.at), "dim")),
        styled((where, "cyan"), (f" {what}", "dim")),
        styled((speaker, "dim")) + _marked(said, query) + styled((tags, "dim")),
    )


def _marked(text: str, query: str) -> Text:
    """Return `text` with the words of `query` in it marked. Pure."""
    pieces: list[str | tuple[str, str]] = []
    at = 0
    for begin, end in marks(text, query):
        pieces += [text[at:begin], (text[begin:end], "bold yellow")]
        at = end
    return styled(*pieces, text[at:])
