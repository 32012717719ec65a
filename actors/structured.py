"""Blocks that hold JSON: their one layout, what must hold of them, and edits of items. All pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from pydantic import Field, JsonValue
from pydantic_core import from_json

from callboard.events import Text
from callboard.events.catalog import BlockEdited
from callboard.events.specs import BlockSpec, Form
from callboard.projections import BlockState
from callboard.projections.block import spliced
from callboard.projections.board import MOST, board_faults

from .commands import Receive
from .edit import Edit

LONGEST_FAULT = 300
"""Characters of one fault that are told."""

_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029]")
"""What some would take for the end of a line, or a terminal for a command: it is escaped."""

FORMATS = ("date", "email", "ipv4", "ipv6", "uuid")
"""Formats of a schema that are checked besides `date-time`: those that need no other library."""

LOOSEST = 8
"""How many times longer than a block may be JSON can be that is laid out otherwise."""

SAME = "that would change nothing: the block holds it already"
"""What whoever asks for no change is told."""

LAID_OUT = "it was laid out anew, an item a line"
"""What whoever wrote JSON in another layout is told."""

_LIST = "Which list, by its key; needed only if there are several."
_ID = "The item's `id`, or, where the items have none, its number from 1."


class ItemAdd(Edit):
    """Add an item at the end of a list of a memory block that holds JSON."""

    item: Annotated[JsonValue, Field(description="The item, as JSON.")]
    list: Annotated[str, Field(description=_LIST)] = ""


class ItemUpdate(Edit):
    """Change fields of one item of a memory block that holds JSON; its other fields stay."""

    id: Annotated[str | int, Field(description=_ID)]
    changes: Annotated[dict[str, JsonValue], Field(min_length=1, description="The fields with their new values.")]
    list: Annotated[str, Field(description=_LIST)] = ""


class ItemRemove(Edit):
    """Remove one item from a memory block that holds JSON."""

    id: Annotated[str | int, Field(description=_ID)]
    list: Annotated[str, Field(description=_LIST)] = ""


ITEM_EDITS: dict[str, type[Edit]] = {
    "memory_item_add": ItemAdd,
    "memory_item_update": ItemUpdate,
    "memory_item_remove": ItemRemove,
}
"""The arguments of each edit of an item by the name of its tool."""

# -- the layout ---------------------------------------------------------------------------------------


def canonical(value: JsonValue) -> str:
    """Return the one layout of `value`: a top-level key a line, an element of a top-level list a line. Pure.

    Raises:
        ValueError: It holds an infinite number, which JSON has no word for.
    """
    if isinstance(value, dict):
        lines = [f" {_compact(key)}: {_field(one)}" for key, one in value.items()]
        return _wrapped("{", lines, "\n}")
    return _wrapped("[", [f" {_compact(one)}" for one in value], "\n]") if isinstance(value, list) else _compact(value)


def _field(value: JsonValue) -> str:
    if not isinstance(value, list):
        return _compact(value)
    return _wrapped("[", [f"  {_compact(one)}" for one in value], "\n ]")


def _wrapped(opens: str, lines: list[str], closes: str) -> str:
    inside = ",\n".join(lines)
    return f"{opens}\n{inside}{closes}" if lines else f"{opens}{closes.strip()}"


def _compact(value: JsonValue) -> str:
    said = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", said)


def parsed_json(text: str) -> JsonValue:
    """Return the JSON that `text` is. Pure.

    Raises:
        ValueError: It is none, or an infinite number.
    """
    return from_json(text, allow_inf_nan=False)


def splice(old: str, new: str) -> tuple[int, int, str]:
    """Return the change that makes `new` of `old`, as (at, cut, put): whole lines that stay are left alone. Pure."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    first = _alike(before, after)
    last = _alike(before[first:][::-1], after[first:][::-1])
    cut = "".join(before[first : len(before) - last])
    put = "".join(after[first : len(after) - last])
    at = sum(map(len, before[:first]))
    head = _alike(cut, put)
    tail = _alike(cut[head:][::-1], put[head:][::-1])
    return at + head, len(cut) - head - tail, put[head : len(put) - tail]


def _alike(one: Any, other: Any) -> int:
    """Return how many elements two sequences begin with that are the same."""
    most = min(len(one), len(other))
    return next((n for n in range(most) if one[n] != other[n]), most)


# -- what must hold -----------------------------------------------------------------------------------


def misfits(value: JsonValue, form: Form, schema: Mapping[str, JsonValue]) -> str:
    """Return what is wrong with `value`, each fault after its place; empty where it fits. Pure."""
    if not isinstance(value, dict | list):
        return f"$: {_compact(value)[:100]} is neither an object nor a list"
    if form == "board":
        return board_faults(value)
    from jsonschema import Draft202012Validator, FormatChecker  # takes 80 ms

    checker = FormatChecker(FORMATS)
    checker.checks("date-time", raises=ValueError)(_is_time)
    validator: Any = Draft202012Validator(dict(schema), format_checker=checker)
    try:
        faults = [f"{fault.json_path}: {fault.message[:LONGEST_FAULT]}" for fault in validator.iter_errors(value)]
    except RecursionError:
        return "the schema refers to itself without end"
    except ArithmeticError as error:
        return f"a number in it cannot be checked by the schema: {error}"
    found = "; ".join(sorted(faults))
    return found if len(found) <= MOST else f"{found[:MOST]}..."


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.fromisoformat(value))


def fitted(state: BlockState, landed: BlockEdited) -> BlockEdited | str:
    """Return an edit of a block as it is stored, or what is wrong with what came of it. Pure.

    A block that holds JSON has one layout, so that a line is an item; what is stored is the least that changed.
    """
    assert state.spec is not None
    if state.spec.form == "text":
        return landed
    text, most = spliced(state.value, landed), max(state.spec.limit, len(state.value))
    if len(text) > LOOSEST * most:
        return landed  # which is refused for its size: nothing so long is looked into
    try:
        value = parsed_json(text)
        new = canonical(value)
    except ValueError as error:
        return f"the block would hold no JSON ({error}); nothing was changed"
    if len(new) > most:
        return landed.model_copy(update={"size": len(new)})  # which is refused, whatever stands in it
    if found := misfits(value, state.spec.form, state.spec.schema_of):
        return f"the block would not fit {_wanted(state.spec)}: {found}"
    if new == state.value:
        return SAME
    at, cut, put = splice(state.value, new)
    if (at, cut, put) == (landed.at, landed.cut, f"{landed.before}{landed.put}{landed.after}"):
        return landed
    note = landed.note or (Text(LAID_OUT) if text != new else Text())
    changed = {"at": at, "cut": cut, "before": "", "put": Text(put), "after": "", "size": len(new), "note": note}
    return landed.model_copy(update=changed)


def _wanted(spec: BlockSpec) -> str:
    return "a board of tasks" if spec.form == "board" else "its schema" if spec.schema_of else "its form"


def edited(state: BlockState, request: Receive, value: JsonValue, note: str = "") -> BlockEdited | str:
    """Return the edit that makes `value` of the block. Pure."""
    assert state.spec is not None
    try:
        new = canonical(value)
    except ValueError as error:
        return f"that is no JSON: {error}"
    at, cut, put = splice(state.value, new)
    return BlockEdited(
        id=request.id, to=request.sender, verb=request.edit, at=at, cut=cut, put=Text(put), size=len(new),
        limit=state.spec.limit, note=Text(note), by=request.by,
    )  # fmt: skip


# -- items --------------------------------------------------------------------------------------------


def _held(state: BlockState) -> JsonValue | str:
    """Return what the block holds, as data; what is wrong with it is a text."""
    try:
        value = parsed_json(state.value)
    except ValueError as error:
        return f"the block holds no JSON ({error}); rewrite it"
    return value if isinstance(value, dict | list) else "the block holds neither an object nor a list; rewrite it"


def _list_in(value: JsonValue, name: str) -> list[JsonValue] | str:
    if isinstance(value, list):
        return value if not name else f"there is no list {name!r}: the block is one list, so leave `list` out"
    lists = {key: one for key, one in cast("dict[str, JsonValue]", value).items() if isinstance(one, list)}
    if name in lists:
        return lists[name]
    known = f"; there are: {', '.join(lists)}" if lists else "; there are none"
    if name or not lists:
        return (f"there is no list {name!r} in the block" if name else "the block holds no list") + known
    return next(iter(lists.values())) if len(lists) == 1 else f"say which list is meant{known}"


def _ids(items: list[JsonValue]) -> list[str]:
    """Return the ids of `items`: what they say themselves if any does, else their numbers."""
    ids = [item.get("id") if isinstance(item, dict) else None for item in items]
    named = any(id is not None for id in ids)
    return ["" if id is None else str(id) for id in ids] if named else [str(n + 1) for n in range(len(items))]


def place_of(ids: list[str], wanted: object) -> int | str:
    """Return where in `ids` the one is that is wanted, or why none is. Pure."""
    places = [n for n, id in enumerate(ids) if id == str(wanted) and id]
    if len(places) == 1:
        return places[0]
    if places:
        return f"{str(wanted)!r} stands there {len(places)} times; rewrite the block so that each has an id of its own"
    known = ", ".join(filter(None, ids[:50])) + (f" and {len(ids) - 50} more" if len(ids) > 50 else "")
    return f"there is no {str(wanted)!r}; " + (f"there are: {known}" if ids else "the list is empty")


def _add(items: list[JsonValue], edit: Edit) -> str:
    assert isinstance(edit, ItemAdd)
    id = edit.item.get("id") if isinstance(edit.item, dict) else None
    if id is not None and any(isinstance(one, dict) and str(one.get("id")) == str(id) for one in items):
        return f"{str(id)!r} stands there already; update it, or give the new item another id"
    items.append(edit.item)
    return ""


def _update(items: list[JsonValue], edit: Edit) -> str:
    assert isinstance(edit, ItemUpdate)
    place = place_of(_ids(items), edit.id)
    if isinstance(place, str):
        return place
    item = items[place]
    if not isinstance(item, dict):
        return f"{str(edit.id)!r} is {_compact(item)[:80]} and has no fields; remove it and add another"
    others = [id for n, id in enumerate(_ids(items)) if n != place]
    if "id" in edit.changes and "id" in item and str(edit.changes["id"]) in others:
        return f"{str(edit.changes['id'])!r} stands there already; each has an id of its own"
    items[place] = {**item, **edit.changes}
    return ""


def _remove(items: list[JsonValue], edit: Edit) -> str:
    assert isinstance(edit, ItemRemove)
    place = place_of(_ids(items), edit.id)
    if isinstance(place, str):
        return place
    del items[place]
    return ""


_CHANGES: dict[type[Edit], Callable[[list[JsonValue], Edit], str]] = {
    ItemAdd: _add,
    ItemUpdate: _update,
    ItemRemove: _remove,
}


def item_edit(state: BlockState, request: Receive, edit: Edit) -> BlockEdited | str:
    """Return what comes of an edit of an item at the value as it stands, or why nothing does. Pure."""
    value = _held(state)
    if isinstance(value, str):
        return value
    items = _list_in(value, cast("Any", edit).list)
    if isinstance(items, str):
        return items
    return _CHANGES[type(edit)](items, edit) or edited(state, request, value)
