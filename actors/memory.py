"""Edits of memory blocks: the four tools that agents get, and the rule that decides each edit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, SkipJsonSchema

from callboard.events import Event, Text
from callboard.events.catalog import BlockEdited, BlockEditRefused
from callboard.events.codec import MAX_TEXT
from callboard.events.specs import Form, ToolSpec
from callboard.projections import BlockState
from callboard.projections.uses import PEOPLE

from . import refusals, undoing
from .commands import Receive
from .edit import Edit
from .structured import ITEM_EDITS, fitted, item_edit
from .tasks import TASK_EDITS, TaskEdit, task_edit

HUMAN = "human"
"""The label of the block about the user."""


class Append(Edit):
    """Add text as new lines at the end of a memory block. It always lands, whoever else edits."""

    text: Annotated[str, Field(description="What to add.")]


class Replace(Edit):
    """Replace a passage of a memory block. The old text must stand in it exactly once, character by character."""

    old: Annotated[str, Field(min_length=1, description="The passage to replace, exactly as it stands.")]
    new: Annotated[str, Field(description="What stands there instead; empty to delete the passage.")]


class Insert(Edit):
    """Insert text as whole lines into a memory block."""

    line: Annotated[int, Field(ge=-1, description="After which line: 0 for the top, -1 for the end.")]
    text: Annotated[str, Field(description="What to insert.")]


class Rewrite(Edit):
    """Replace all of a memory block. It is refused if someone else changed the block since you read it."""

    text: Annotated[str, Field(description="The whole new value.")]


class Summarise(Edit):
    """Put a summary in the place of some lines of a memory block. It is refused if someone else changed the block."""

    first: Annotated[int, Field(ge=1, description="The first line to summarise, from 1.")]
    last: Annotated[int, Field(ge=1, description="The last line to summarise.")]
    text: Annotated[str, Field(description="The summary that stands there instead.")]


class Restore(Edit):
    """Take the newest edit back, or make again the one that was taken back last. For people."""

    of: Annotated[int, Field(ge=0, description="The version of that edit; 0 where there is none.")]
    at: Annotated[int, Field(ge=0)] = 0
    cut: Annotated[int, Field(ge=0)] = 0
    text: str = ""


class Rethink(Edit):
    """Replace all that is remembered of the user. It is refused if someone else changed the block since you read it."""

    label: Annotated[str, Field(description="Another memory block, where it is not that of the user.")] = HUMAN
    new_memory: Annotated[str, Field(description="The whole new value: all that is true and worth knowing.")]


class ArchiveLines(Edit):
    """Move lines of a memory block into the archive, where they can be searched; the block keeps the others."""

    first: Annotated[int, Field(ge=1, description="The first line to move, from 1.")]
    last: Annotated[int, Field(ge=1, description="The last line to move.")]
    tags: Annotated[tuple[str, ...], Field(description="What the lines are about, to find them by.")] = ()
    stored: SkipJsonSchema[str] = ""  # hash of what the archive holds by now: no other lines leave the block


SUMMARISE, RETHINK, ARCHIVE_LINES = "memory_summarise", "rethink_user_memory", "archive_memory"

EDITS: dict[str, type[Edit]] = {
    "memory_append": Append,
    "memory_replace": Replace,
    "memory_insert": Insert,
    "memory_rewrite": Rewrite,
    SUMMARISE: Summarise,
    RETHINK: Rethink,
    ARCHIVE_LINES: ArchiveLines,
    **ITEM_EDITS,
    **TASK_EDITS,
    **dict.fromkeys(undoing.VERBS, Restore),
}
"""The arguments of each edit by the name of its tool."""

TOOLS: dict[Form, tuple[str, ...]] = {
    "text": ("memory_append", "memory_replace", "memory_insert", "memory_rewrite"),
    "json": (*ITEM_EDITS, "memory_replace", "memory_rewrite"),
    "board": (*TASK_EDITS, "memory_replace"),
}
"""The tools that agents get for a block, by what it holds."""

PUTS = {
    "memory_append": "text", "memory_replace": "new", "memory_insert": "text", "memory_rewrite": "text",
    SUMMARISE: "text", RETHINK: "new_memory",
}  # fmt: skip
"""Which argument of an edit of a text stands in the block then."""

_LINES = ("memory_append", "memory_insert", SUMMARISE, RETHINK, ARCHIVE_LINES)
_UNFIT: dict[Form, tuple[str, ...]] = {
    "text": (*ITEM_EDITS, *TASK_EDITS),
    "json": (*_LINES, *TASK_EDITS),
    "board": (*_LINES, *ITEM_EDITS),
}
"""Edits that make no sense of a block, by what it holds."""

_HOLDS: dict[Form, str] = {"text": "plain text", "json": "JSON", "board": "a board of tasks"}


@cache
def tool_specs(*forms: Form) -> tuple[ToolSpec, ...]:
    """Return the memory tools for blocks that hold such as an agent's spec records them; for texts, if none is said."""
    names = {name for form in forms or ("text",) for name in TOOLS[form]}
    return tuple(_tool_spec(name, edit) for name, edit in EDITS.items() if name in names)


@cache
def maintenance_specs() -> tuple[ToolSpec, ...]:
    """Return the tools that only those have who look after memory in the background."""
    return (_tool_spec(SUMMARISE, Summarise), _tool_spec(ARCHIVE_LINES, ArchiveLines))


@cache
def rethink_specs() -> tuple[ToolSpec, ...]:
    """Return the tool that the block about the user is rewritten with."""
    return (_tool_spec(RETHINK, Rethink),)


def _tool_spec(name: str, edit: type[Edit]) -> ToolSpec:
    spec = ToolSpec(name=name, description=edit.__doc__ or "", parameters=schema_of(edit), effect="send")
    return spec.model_copy(update={"timeout": 0.0}) if name == ARCHIVE_LINES else spec


def schema_of(arguments: type[BaseModel]) -> dict[str, JsonValue]:
    """Return the JSON schema of a tool's arguments; the titles that pydantic makes of the names are left out."""
    return arguments.model_json_schema(schema_generator=_Untitled)


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def _update_class_schema(self, json_schema: JsonSchemaValue, cls: type[Any], config: ConfigDict) -> None:
        super()._update_class_schema(json_schema, cls, config)
        json_schema.pop("title", None)
        json_schema.pop("description", None)


def parsed(name: str, arguments: str) -> Edit | str:
    """Return the edit that `arguments` ask for, or what is wrong with them. Pure."""
    try:
        return EDITS[name].model_validate_json(arguments)
    except ValidationError as error:
        return faults(error)


def faults(error: ValidationError) -> str:
    """Return what pydantic found wrong with arguments, for a model to mend."""
    found = (f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}" for fault in error.errors())
    return f"bad arguments: {'; '.join(found)}"


def decide(state: BlockState, request: Receive, now: datetime | None = None) -> Event:
    """Return what comes of an edit: `BlockEdited`, or why not; `now` is when a board says that it changed. Pure."""
    if state.desk.retired:
        return _refused(request, f"the memory block {state.spec.label if state.spec else ''!r} is retired")
    if state.spec is not None and state.spec.read_only and request.sender != PEOPLE:
        return _refused(request, f"{state.spec.label!r} is read-only for agents; a person can edit it")
    if request.edit not in EDITS:
        return _refused(request, f"a block knows no {request.edit or 'messages'}; it knows {', '.join(EDITS)}")
    edit = parsed(request.edit, request.arguments)
    if isinstance(edit, str):
        return _refused(request, edit)
    assert state.spec is not None
    if not 0 <= request.seen <= state.events:
        return _refused(
            request, f"there is no version {request.seen} that you can have read; it has 1 to {state.events}"
        )
    if request.edit in _UNFIT[state.spec.form]:
        fitting = ", ".join(TOOLS[state.spec.form])
        return _refused(
            request, f"{request.edit} is not for a block that holds {_HOLDS[state.spec.form]}; use {fitting}"
        )
    if why := _pasted(state, edit):
        return _refused(request, why)
    timed = task_edit(state, request, edit, now) if isinstance(edit, TaskEdit) else None
    landed = timed or _RULES[type(edit)](state, request, edit)
    landed = landed if isinstance(landed, str) else fitted(state, landed)
    if isinstance(landed, str):
        return _refused(request, landed)
    if landed.size > max(state.spec.limit, len(state.value)):
        over = landed.size - state.spec.limit
        return _refused(
            request,
            f"the block would hold {landed.size:,} characters, {over:,} over its limit of {state.spec.limit:,}; "
            "shorten it first",
        )
    if too_long(landed.put):
        why = f"it would be recorded as a text of more than {MAX_TEXT:,} bytes; edit less at a time"
        return _refused(request, why)
    return landed


def too_long(text: Text) -> bool:
    """Return whether no event could hold `text`, were it said there. Pure."""
    return text.ref is None and len(text.encode(errors="replace")) > MAX_TEXT


def _refused(request: Receive, why: str) -> BlockEditRefused:
    arguments = Text() if too_long(request.arguments) else request.arguments
    return BlockEditRefused(
        id=request.id, to=request.sender, verb=request.edit, arguments=arguments,
        text=Text(refusals.cut(f"refused: {why}", refusals.MOST)), by=request.by,
    )  # fmt: skip


def _pasted(state: BlockState, edit: Edit) -> str:
    match edit:
        case Append(text=text) | Insert(text=text) | Rewrite(text=text) | Summarise(text=text):
            return refusals.pasted(state.value, text=text)
        case Replace(old=old, new=new):
            return refusals.pasted(state.value, old=old, new=new)
        case Rethink(new_memory=text):
            return refusals.pasted(state.value, new_memory=text)
        case _:
            return ""


def _spliced(
    state: BlockState,
    request: Receive,
    put: str,
    *,
    at: int,
    cut: int = 0,
    before: str = "",
    after: str = "",
    of: int = 0,
) -> BlockEdited:
    assert state.spec is not None
    said = request.arguments.pick(put)
    size = len(state.value) - cut + len(before) + len(said) + len(after)
    return BlockEdited(
        id=request.id, to=request.sender, verb=request.edit, at=at, cut=cut, before=before, put=said,
        after=after, size=size, limit=state.spec.limit, of=of, by=request.by,
    )  # fmt: skip


def _append(state: BlockState, request: Receive, edit: Edit) -> BlockEdited | str:
    assert isinstance(edit, Append)
    gap = "\n" if state.value and not state.value.endswith("\n") else ""
    return _spliced(state, request, "text", at=len(state.value), before=gap)


def _replace(state: BlockState, request: Receive, edit: Edit) -> BlockEdited | str:
    assert isinstance(edit, Replace)
    places = refusals.places(state.value, edit.old)
    if not places:
        return refusals.missing(state.value, edit.old)
    if len(places) > 1:
        return refusals.several(state.value, edit.old, places)
    return _spliced(state, request, "new", at=places[0], cut=len(edit.old))


def _insert(state: BlockState, request: Receive, edit: Edit) -> BlockEdited | str:
    assert isinstance(edit, Insert)
    lines = state.value.removesuffix("\n").split("\n") if state.value else []
    then = state.lines_at(request.seen) if request.seen else len(lines)
    if edit.line > then:
        had = "has" if then == len(lines) else "had, when you read it,"
        return f"there is no line {edit.line}; the block {had} {then}, so 0 to {then} can be given, or -1"
    line = len(lines) if edit.line == -1 else edit.line
    if edit.line != -1 and request.seen:
        line = state.place_since(request.seen, edit.line)
    at = min(len("\n".join(lines[:line])) + (line > 0), len(state.value))
    if line and line == len(lines) and not state.value.endswith("\n"):
        return _spliced(state, request, "text", at=at, before="\n")
    return _spliced(state, request, "text", at=at, after="\n" if line < len(lines) else "")


def _rewrite(state: BlockState, request: Receive, edit: Edit) -> BlockEdited | str:
    assert isinstance(edit, Rewrite | Rethink)
    put = "text" if isinstance(edit, Rewrite) else "new_memory"
    if names := _others(state, request):
        return f"{names} changed the block since you read it. {refusals.against(getattr(edit, put), state.value)}"
    return _spliced(state, request, put, at=0, cut=len(state.value))


def _summarise(state: BlockState, request: Receive, edit: Edit) -> BlockEdited | str:
    assert isinstance(edit, Summarise)
    if names := _others(state, request):
        return f"{names} changed the block since you read it; {refusals.reading(state.value, edit.first)}"
    if isinstance(found := lines_of(state.value, edit), str):
        return found
    at, end = found
    return _spliced(state, request, "text", at=at, cut=end - at)


def lines_of(value: str, edit: Summarise | ArchiveLines) -> tuple[int, int] | str:
    """Return where the lines that `edit` names begin and end in `value`, or why there are none. Pure."""
    lines = value.split("\n")
    if not edit.first <= edit.last <= len(lines):
        return f"there are no lines {edit.first} to {edit.last}; the block has {len(lines)}"
    at = sum(len(line) + 1 for line in lines[: edit.first - 1])
    return at, at + len("\n".join(lines[edit.first - 1 : edit.last]))


def _archive(state: BlockState, request: Receive, edit: Edit) -> BlockEdited | str:
    """Take out lines that stand in an archive by now, with the line end that parts them from what stays."""
    assert isinstance(edit, ArchiveLines) and state.spec is not None
    if isinstance(found := lines_of(state.value, edit), str):
        return found
    at, end = found
    if mark_of(state.value[at:end]) != edit.stored:
        now = refusals.reading(state.value, edit.first)
        return f"lines {edit.first} to {edit.last} are not those any more that were stored; {now}"
    at, end = (at, end + 1) if end < len(state.value) else (max(at - 1, 0), end)
    size = len(state.value) - (end - at)
    return BlockEdited(
        id=request.id, to=request.sender, verb=request.edit, at=at, cut=end - at, put=Text(), size=size,
        limit=state.spec.limit, by=request.by,
    )  # fmt: skip


def mark_of(text: str) -> str:
    """Return the hash by which a block knows lines that an archive holds: SHA-256, its first 32 hex digits. Pure."""
    return sha256(text.encode()).hexdigest()[:32]


def _restore(state: BlockState, request: Receive, edit: Edit) -> BlockEdited | str:
    assert isinstance(edit, Restore)
    why = undoing.refusal(state, request, of=edit.of, at=edit.at, cut=edit.cut)
    return why or _spliced(state, request, "text", at=edit.at, cut=edit.cut, of=edit.of)


def _others(state: BlockState, request: Receive) -> str:
    """Return who else changed the block since the editor read it; empty where nobody did."""
    return " and ".join(state.editors_since(request.seen, request.sender, request.by))


_RULES: dict[type[Edit], Callable[[BlockState, Receive, Edit], BlockEdited | str]] = {
    Append: _append,
    Replace: _replace,
    Insert: _insert,
    Rewrite: _rewrite,
    Summarise: _summarise,
    **dict.fromkeys(ITEM_EDITS.values(), item_edit),
    Restore: _restore,
    Rethink: _rewrite,
    ArchiveLines: _archive,
}
