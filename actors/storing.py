"""What a call puts into an archive: lines of a conversation, or of a block, one send after the other. All pure.

Each send has an id of its own, so that a crash between two of them repeats and loses none: first what is stored, and
only when that is said to be there, the lines leave the block.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from callboard.events import Text
from callboard.events.catalog import MessageReceived, MessageSent, Part
from callboard.events.specs import ToolSpec
from callboard.events.text import ERASED
from callboard.projections.agent import ToolCall
from callboard.projections.cuts import NEWER
from callboard.projections.fencing import set_in
from callboard.projections.paths import message_id
from callboard.projections.words import name_of

from .archival import INSERT
from .memory import ARCHIVE_LINES, ArchiveLines, faults, mark_of, schema_of

STORE = "store_memories"

MOST_CHUNKS = 100
"""Chunks of one call."""

UNSENT = "it was not tried, since nobody wanted it any more"
"""What is said of a send that never went out."""

_NUMBERED = re.compile(rf"\[(\d+)({NEWER})?\] (.*)", re.DOTALL)


class Chunk(BaseModel):
    """Lines that are stored as one passage."""

    model_config = ConfigDict(extra="forbid")
    start_index: Annotated[int, Field(ge=1, description="The first line, by its number.")]
    end_index: Annotated[int, Field(ge=1, description="The last line.")]
    context: Annotated[str, Field(min_length=1, description="What the lines are about, to find them by.")]


class Store(BaseModel):
    """Store lines of the conversation above, by their numbers: each chunk becomes a passage of the archive."""

    model_config = ConfigDict(extra="forbid")
    chunks: Annotated[list[Chunk], Field(min_length=1, max_length=MOST_CHUNKS)]


@cache
def tool_spec(name: str = STORE) -> ToolSpec:
    """Return the tool that lines which leave a window are stored with."""
    return ToolSpec(name=name, description=Store.__doc__ or "", parameters=schema_of(Store), effect="send", timeout=0)


def asked(name: str, arguments: str) -> Store | str:
    """Return what `arguments` ask for, or what is wrong with them."""
    try:
        return Store.model_validate_json(arguments)
    except ValidationError as error:
        return faults(error)


# -- lines of a conversation ------------------------------------------------------------------------


def numbered(turn: MessageReceived) -> tuple[dict[int, Part], int]:
    """Return the lines that `turn` tells with a number and that leave the window, and the number of the last of all."""
    found, last = dict[int, Part](), 0
    for part in turn.parts:
        if match := _NUMBERED.fullmatch(part.speaker):
            last = int(match[1])
            if not match[2]:
                found[last] = Part(match[3], part.text, part.failed)
    return found, last


def faults_in(turn: MessageReceived, asked: Store) -> str:
    """Return what is wrong with the chunks that `asked` names; empty for nothing."""
    lines, last = numbered(turn)
    if not lines:
        return "there are no numbered lines here to store"
    found: list[str] = []
    for n, chunk in enumerate(asked.chunks, start=1):
        first, end = chunk.start_index, chunk.end_index
        if first > end:
            found.append(f"chunk {n}: lines {first} to {end} are out of order; the first number is the smaller one")
        elif end > last:
            found.append(f"chunk {n}: there are no lines {first} to {end}; the last one is {last}")
        elif end not in lines:
            why = f"lines 1 to {max(lines)} leave the window; the newer ones come again when they do"
            found.append(f"chunk {n}: lines {first} to {end} do not all leave the window; {why}")
    return "; ".join(found) + "; nothing was stored" if found else ""


def passage(turn: MessageReceived, chunk: Chunk) -> str:
    """Return what a chunk is stored as: its context, and the lines with who said them, which begin no other line."""
    lines, _ = numbered(turn)
    said = (lines[n] for n in range(chunk.start_index, chunk.end_index + 1))
    spoken = (f"{one.speaker}{' did not answer' if one.failed else ''}: {set_in(one.text)}" for one in said)
    return "\n".join([chunk.context, "", *spoken])


# -- sends, and what came of them -------------------------------------------------------------------


def arguments(text: str, tags: list[str], metadata: dict[str, str]) -> str:
    """Return what is asked of an archive, as JSON."""
    return to_json({"content": text, "tags": tags, "metadata": metadata}).decode()


def sends(turn: MessageReceived, call: ToolCall, free: int) -> list[MessageSent]:
    """Return the next sends of a call that stores; at most `free`."""
    if call.wanted.tool == ARCHIVE_LINES:
        return _archived(call)
    chunks = _chunks(call)
    return [
        _send(call, n, INSERT, Text(arguments(passage(turn, chunks[n - 1]), [], {})))
        for n in range(call.sent + 1, min(call.sent + free, len(chunks)) + 1)
    ]


def _chunks(call: ToolCall) -> list[Chunk]:
    """Return the chunks of a call; none where its arguments were erased."""
    return [] if call.wanted.arguments == ERASED else Store.model_validate_json(call.wanted.arguments).chunks


def _archived(call: ToolCall) -> list[MessageSent]:
    if call.sent == 0:
        return [_send(call, 1, INSERT, call.text)]
    gone = ERASED in (call.wanted.arguments, call.text)
    if gone or call.sent > 1 or 1 not in call.came or not call.came[1][1]:
        return []
    asked = ArchiveLines.model_validate_json(call.wanted.arguments)
    cut = asked.model_copy(update={"stored": mark_of(from_json(call.text)["content"])})
    return [_send(call, 2, ARCHIVE_LINES, Text(cut.model_dump_json()))]


def _send(call: ToolCall, n: int, edit: str, text: Text) -> MessageSent:
    stream = call.recipients[n - 1]
    return MessageSent(
        id=message_id(call.id, n, name_of(stream)), recipient=stream, kind="edit", edit=edit, arguments=text,
        seen=call.wanted.seen if edit == ARCHIVE_LINES else 0,
    )  # fmt: skip


def result(call: ToolCall) -> tuple[Text, bool]:
    """Return what the model is told of a call that stored, and whether all went well."""
    came = [call.came.get(n, (Text(UNSENT), False)) for n in range(1, len(call.recipients) + 1)]
    if call.wanted.tool == ARCHIVE_LINES:
        return _of_lines(*came)
    lines = [f"lines {c.start_index} to {c.end_index}" for c in _chunks(call)] or [ERASED] * len(came)
    told = [f"{which}: {text}" for which, (text, _) in zip(lines, came, strict=True)]
    return Text("\n".join(told)), all(ok for _, ok in came)


def _of_lines(stored: tuple[Text, bool], left: tuple[Text, bool]) -> tuple[Text, bool]:
    if not stored[1]:
        return Text(f"{stored[0]}; the block was left as it is"), False
    if not left[1]:
        return Text(f"{stored[0]}, but the block was left as it is: {left[0]}"), False
    return Text(f"{stored[0]}; the lines left the block: {left[0]}"), True
