"""What a block holds, as whoever declares it says: any text, JSON that fits a schema, or a board of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from pydantic import JsonValue, ValidationError

from callboard.events import SpecError
from callboard.events.specs import BlockSpec, Form

from .outputs import schema_for
from .structured import LOOSEST, canonical, misfits, parsed_json

if TYPE_CHECKING:
    from .specs import Block

EMPTY_BOARD: dict[str, JsonValue] = {"active_tasks": [], "team_notes": ""}
"""What a board without a value begins with."""


def form_of(block: Block) -> Form:
    """Return the form of `block`: that of JSON where it has a schema.

    Raises:
        SpecError: There is no such form, or it has a schema that does not go with it.
    """
    if block.form not in get_args(Form):
        wanted = ", ".join(get_args(Form))
        raise SpecError(f"block {block.label!r} has the form {block.form!r}; one of {wanted} is wanted")
    if block.schema is not None and block.form == "board":
        raise SpecError(f"block {block.label!r} is a board, which has a schema of its own; leave `schema` out")
    return "json" if block.schema is not None else block.form


def as_held(block: Block) -> str:
    """Return the first value of `block` as it is stored: JSON in its one layout, any other text as it is.

    Raises:
        SpecError: It is no JSON, or does not fit the block's schema; or the schema is none.
    """
    if block.form == "text" or len(block.value) > LOOSEST * block.limit:
        return block.value
    whose = f"the value of block {block.label!r}"
    schema = schema_for(block.schema, f"schema of block {block.label!r}", arrays=True)
    try:
        value = parsed_json(block.value) if block.value.strip() else _first(block, schema)
        held = canonical(value)
    except ValueError as error:
        raise SpecError(f"{whose} is no JSON: {error}") from None
    if len(held) <= block.limit and (found := misfits(value, block.form, schema)):
        what = "is no board of tasks" if block.form == "board" else "does not fit its schema"
        raise SpecError(f"{whose} {what}: {found}")
    return held


def _first(block: Block, schema: dict[str, JsonValue]) -> JsonValue:
    """Return what a block begins with that has no value: an empty board, what its class has by default, or nothing."""
    if block.form == "board":
        return EMPTY_BOARD
    if isinstance(block.schema, type):
        try:
            return block.schema().model_dump(mode="json", by_alias=True)
        except ValidationError:
            pass  # it has fields without a default, which the schema says better
    return [] if schema.get("type") == "array" else {}


def check_kept(spec: BlockSpec, value: str) -> None:
    """Check that `value`, which a block holds, fits what it is to hold from now on.

    Raises:
        SpecError: It does not.
    """
    if spec.form == "text":
        return
    try:
        found = misfits(parsed_json(value), spec.form, spec.schema_of)
    except ValueError as error:
        found = f"it is no JSON ({error})"
    if found:
        raise SpecError(f"block {spec.name!r} holds what does not fit its new schema: {found}; edit it first")
