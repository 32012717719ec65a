"""What is wrong with a JSON value, by a JSON schema. The schema's rules are those of the `jsonschema` library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue
from pydantic_core import from_json


def faults_in(text: str, schema: Mapping[str, JsonValue]) -> str:
    """Return what `schema` finds wrong with the JSON in `text`, for a model to mend; empty if nothing. Pure."""
    try:
        value = from_json(text or "{}")
    except ValueError as error:
        return f"bad arguments: no JSON: {error}"
    found = faults_of(value, schema)
    return f"bad arguments: {found}" if found else ""


def faults_of(value: object, schema: Mapping[str, JsonValue]) -> str:
    """Return what `schema` finds wrong with `value`, each fault after its place; empty if nothing. Pure."""
    from jsonschema import Draft202012Validator  # takes 80 ms, and few turns need it

    validator: Any = Draft202012Validator(dict(schema))
    try:
        found = sorted(f"{fault.json_path[2:]}: {fault.message}".lstrip(": ") for fault in validator.iter_errors(value))
    except RecursionError:
        return "the schema refers to itself without end"
    except ArithmeticError as error:
        return f"a number in it cannot be checked by the schema: {error}"
    return "; ".join(found)
