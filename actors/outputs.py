"""Answers that are data: the JSON schema that an agent's answers fit, and what follows where one does not. All pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel, JsonValue
from pydantic.errors import PydanticUserError
from pydantic_core import from_json, to_json

from callboard.events import Event, SpecError, Text
from callboard.events.catalog import MessageReceived, OutputRefused, TurnFinished
from callboard.events.specs import AgentSpec
from callboard.projections import AgentState

from .code import address_of
from .memory import schema_of
from .rules import asker
from .schema import faults_of

REPAIRS = 1
"""How often a model is asked to mend an answer; the next that does not fit ends the turn."""

MOST = 2_000
"""Characters of faults that a model is told."""

Output = type[BaseModel] | Mapping[str, object] | None
"""What the answers of an agent fit: a pydantic class, or a JSON schema."""

_FENCE = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL | re.IGNORECASE)


def judged(state: AgentState, spec: AgentSpec, turn: MessageReceived) -> Event:
    """Return what follows the last text of a turn: its end, or word of what does not fit. Pure.

    Whoever only tells the agent something awaits no answer, so that nothing has to fit.
    """
    to = asker(turn)
    if not spec.output or not to:
        return TurnFinished(id=turn.id, to=to, text=state.said)
    text = inner(state.said)
    found = misfits(text, spec.output)
    if found:
        return OutputRefused(id=turn.id, text=Text(f"your answer does not fit its schema: {found}"))
    return TurnFinished(id=turn.id, to=to, text=text, is_data=True)


def inner(text: Text) -> Text:
    """Return the JSON within a text that is a block of code and nothing else; any other text as it is. Pure."""
    fenced = _FENCE.fullmatch(text)
    return Text(fenced[1].strip()) if fenced else text


def misfits(text: str, schema: Mapping[str, JsonValue]) -> str:
    """Return what is wrong with an answer, in at most `MOST` characters; empty where it fits. Pure."""
    try:
        value: JsonValue = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        return f"it is no JSON ({error})"[:MOST]
    if not isinstance(value, dict):
        return f"it is JSON, but no object: {text[:100]}"
    found = faults_of(value, schema)
    return found if len(found) <= MOST else f"{found[:MOST]}..."


def schema_for(output: object, whose: str, *, arrays: bool = False) -> dict[str, JsonValue]:
    """Return the JSON schema that `output` stands for; empty for None. With `arrays` it may be one of a list, too.

    Raises:
        SpecError: It is neither a pydantic class nor a JSON schema of an object, or refers to what is not in it.
    """
    if output is None:
        return {}
    if isinstance(output, type) and issubclass(output, BaseModel):
        try:
            schema = schema_of(output)
        except PydanticUserError as error:
            raise SpecError(f"{whose} is {output.__name__}, which has no JSON schema: {error.message}") from None
    elif isinstance(output, Mapping) and output:
        schema = _plain(cast("Mapping[str, object]", output), whose)
    else:
        raise SpecError(f"{whose} is {output!r}; a pydantic class or a JSON schema is wanted")
    _check(schema, whose)
    types = ("object", "array") if arrays else ("object",)
    if schema.get("type", "object") not in types:
        wanted = "an object or a list is wanted" if arrays else "answers are objects"
        raise SpecError(f"{whose} has type {schema['type']!r}; {wanted}: put it into a field of one")
    return schema


def code_for(output: object) -> str:
    """Return where the class is that an output was said with; empty for a schema."""
    return address_of(output) if isinstance(output, type) else ""


def _plain(output: Mapping[str, object], whose: str) -> dict[str, JsonValue]:
    try:
        return from_json(to_json(dict(output)))
    except (ValueError, TypeError, RecursionError) as error:
        raise SpecError(f"{whose} is no JSON: {error}") from None


def _check(schema: dict[str, JsonValue], whose: str) -> None:
    from jsonschema import Draft202012Validator  # takes 80 ms
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(cast("Any", schema))
    except SchemaError as error:
        raise SpecError(f"{whose} is no JSON schema: {error.json_path}: {error.message}") from None
    for ref in _refs(schema):
        if not _leads(schema, ref):
            raise SpecError(f"{whose} refers to {ref!r}, which is not in it; define it under $defs")


def _refs(node: JsonValue) -> Iterator[str]:
    """Yield what a schema refers to, wherever that stands."""
    if isinstance(node, dict):
        found = [node[key] for key in ("$ref", "$dynamicRef", "$recursiveRef") if isinstance(node.get(key), str)]
        yield from (str(ref) for ref in found)
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for one in inside:
        yield from _refs(one)


def _leads(schema: JsonValue, ref: str) -> bool:
    """Return whether `ref` is a JSON pointer to a part of `schema`."""
    if not ref.startswith("#"):
        return False
    node = schema
    for part in ref[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
    return ref == "#" or ref.startswith("#/")
