"""Archival memory: the tools that agents get for it, and the rule that decides each change of an archive. All pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import to_json

from callboard.events import Event, Text, TextRefused
from callboard.events.catalog import PassageDeleted, PassageInserted, PassageRefused, PassageUpdated
from callboard.events.codec import MAX_TEXT
from callboard.events.specs import ToolSpec
from callboard.events.text import ERASED
from callboard.projections.archive import ArchiveState

from .commands import Receive
from .dates import span
from .memory import faults, schema_of
from .storable import WRONG, storable_arguments

INSERT, UPDATE, DELETE = "archival_memory_insert", "archival_memory_update", "archival_memory_delete"
SEARCH = "archival_memory_search"

MAX_TAGS = 100
"""Tags of one passage."""

MAX_METADATA = 16_384
"""Bytes of the metadata of one passage, as JSON."""

Tag = Annotated[str, Field(min_length=1, max_length=64)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS, description="Words to find it by.")]
Number = Annotated[str, Field(description="The id of the passage, such as p12.")]
Content = Annotated[str, Field(description="What to remember: a passage that says all by itself.")]


class Use(BaseModel):
    """Use an archive."""

    model_config = ConfigDict(extra="forbid")


class Change(Use):
    """Change an archive."""


class Insert(Change):
    """Store a passage in archival memory, where it is found again by its words and its tags."""

    content: Content
    tags: Tags = []
    metadata: dict[str, JsonValue] = {}


class Update(Change):
    """Give a passage of archival memory another text. Without tags, it keeps those that it has."""

    id: Number
    content: Content
    tags: Tags | None = None


class Delete(Change):
    """Delete a passage of archival memory: it is found no more."""

    id: Number


class Search(Use):
    """Search archival memory. The result is one JSON object a line: id, timestamp, content, tags, relevance."""

    query: Annotated[str, Field(max_length=10_000, description="Words of what is looked for.")]
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS, description="Tags of what is looked for; none for any.")] = []
    tag_match_mode: Annotated[
        Literal["any", "all"], Field(description="Whether a passage needs any of the tags, or all.")
    ] = "any"
    top_k: Annotated[int, Field(ge=1, le=100, description="How many passages at most.")] = 5
    start: Annotated[str, Field(description="Only what was stored from this date on, such as 2026-11-20.")] = ""
    end: Annotated[str, Field(description="Only what was stored up to this date.")] = ""


CHANGES: dict[str, type[Change]] = {INSERT: Insert, UPDATE: Update, DELETE: Delete}
"""The arguments of each change by the name of its tool."""

ARCHIVAL: dict[str, type[Use]] = {**CHANGES, SEARCH: Search}
"""The arguments of each tool by its name; an agent gets one by naming it among its tools."""


@cache
def tool_spec(name: str) -> ToolSpec:
    """Return the tool `name` as an agent's spec records it; what else is known of a passage only people say."""
    kind = ARCHIVAL[name]
    parameters = schema_of(kind)
    fields = cast(dict[str, JsonValue], parameters["properties"])
    parameters["properties"] = {field: said for field, said in fields.items() if field != "metadata"}
    return ToolSpec(name=name, description=kind.__doc__ or "", parameters=parameters, effect="send")


def asked(name: str, arguments: str) -> Use | str:
    """Return what `arguments` ask of an archive, or what is wrong with them. Pure."""
    try:
        use = ARCHIVAL[name].model_validate_json(arguments or "{}")
    except ValidationError as error:
        return faults(error)
    return _fault(use) or use


def _fault(change: Use) -> str:
    """Return what is wrong with a use whatever the archive holds; empty for nothing."""
    if isinstance(change, Search):
        return _dates_fault(change)
    if isinstance(change, Insert | Update):
        if not change.content.strip():
            return "the passage is empty; say what to remember"
        if len(change.content) > MAX_TEXT or len(change.content.encode(errors="replace")) > MAX_TEXT:
            return f"the passage has {len(change.content):,} characters; {MAX_TEXT:,} bytes of UTF-8 are the most"
        if WRONG.search(change.content):
            return "the passage holds a NUL character or half of a surrogate pair; remove it"
        if any(not tag.strip() or WRONG.search(tag) for tag in change.tags or ()):
            return "a tag is blank, or holds a NUL character or half of a surrogate pair; 1 to 64 characters are wanted"
    return _metadata_fault(change.metadata) if isinstance(change, Insert) else ""


def _dates_fault(search: Search) -> str:
    try:
        span(search.start, search.end)
    except TextRefused as error:
        return f"bad arguments: {error}"
    return ""


def _metadata_fault(metadata: dict[str, JsonValue]) -> str:
    try:
        written = json.dumps(metadata, allow_nan=False)
    except ValueError:
        return "the metadata hold a number that JSON cannot say; remove it"
    if storable_arguments(written)[1]:
        return "the metadata hold a NUL character or half of a surrogate pair; remove it"
    if (size := len(to_json(metadata))) > MAX_METADATA:
        return f"the metadata have {size:,} bytes as JSON, {MAX_METADATA:,} are the most; put it into the text"
    return ""


def decide(state: ArchiveState, request: Receive) -> Event:
    """Return what comes of a change: that it was made, or why not. Pure."""
    if request.edit not in CHANGES:
        return _refused(request, f"an archive knows no {request.edit or 'messages'}; it knows {', '.join(CHANGES)}")
    change = asked(request.edit, request.arguments)
    if isinstance(change, str):
        return _refused(request, change)
    assert isinstance(change, Change)
    made = _RULES[type(change)](state, request, change)
    return _refused(request, made) if isinstance(made, str) else made


def is_of(event: Event, request: Receive) -> bool:
    """Return whether `event` came of `request`, not of another under its id; what was erased is like any. Pure."""
    if request.arguments == ERASED:
        return getattr(event, "verb", request.edit) == request.edit
    match event:
        case PassageInserted(verb=verb, text=text) | PassageUpdated(verb=verb, text=text):
            change = asked(verb, request.arguments) if verb == request.edit else ""
            said = change.content if isinstance(change, Insert | Update) else None
            return said == text or (text == ERASED and said is not None)
        case PassageDeleted(verb=verb, n=n):
            return verb == request.edit and asked(verb, request.arguments) == Delete(id=f"p{n}")
        case PassageRefused(verb=verb, arguments=arguments):
            return verb == request.edit and arguments in (request.arguments, ERASED, "")
        case _:
            return True


def _refused(request: Receive, why: str) -> PassageRefused:
    arguments = request.arguments
    if arguments.ref is None and len(arguments.encode(errors="replace")) > MAX_TEXT:
        arguments = Text()  # an event could not hold it
    return PassageRefused(
        id=request.id, to=request.sender, verb=request.edit, arguments=arguments, text=Text(f"refused: {why}")
    )


def _insert(state: ArchiveState, request: Receive, change: Change) -> Event:
    assert isinstance(change, Insert)
    n, text = len(state.passages) + 1, request.arguments.pick("content")
    same, at = state.same(text) or (0, 0)
    return PassageInserted(
        id=request.id, to=request.sender, verb=request.edit, n=n, text=text, tags=_each_once(change.tags),
        metadata=change.metadata, same=same, same_at=at,
    )  # fmt: skip


def _update(state: ArchiveState, request: Receive, change: Change) -> Event | str:
    assert isinstance(change, Update)
    n = _numbered(state, change.id)
    if isinstance(n, str):
        return n
    text = request.arguments.pick("content")
    tags = state.passages[n].tags if change.tags is None else _each_once(change.tags)
    same, at = state.same(text, n) or (0, 0)
    return PassageUpdated(
        id=request.id, to=request.sender, verb=request.edit, n=n, text=text, tags=tags, same=same, same_at=at
    )


def _delete(state: ArchiveState, request: Receive, change: Change) -> Event | str:
    assert isinstance(change, Delete)
    n = _numbered(state, change.id)
    return n if isinstance(n, str) else PassageDeleted(id=request.id, to=request.sender, verb=request.edit, n=n)


def _numbered(state: ArchiveState, id: str) -> int | str:
    """Return the number of the passage called `id`, or why there is none."""
    count = len(state.passages)
    known = f"this archive has p1 to p{count}" if count else "this archive holds no passages yet"
    if (n := number_of(id)) is None:
        return f"{id[:40]!r} is no id of a passage; {known}"
    if n > count:
        return f"there is no passage p{n}; {known}"
    return n if state.stands(n) else f"p{n} was deleted"


def number_of(id: str) -> int | None:
    """Return the number of the passage that is called `id`; None where no passage can be called so. Pure."""
    return int(id[1:]) if re.fullmatch(r"p[1-9][0-9]{0,17}", id) else None


def _each_once(tags: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


_RULES: dict[type[Change], Callable[[ArchiveState, Receive, Change], Event | str]] = {
    Insert: _insert,
    Update: _update,
    Delete: _delete,
}
