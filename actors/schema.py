"""What is wrong with a JSON text, by a JSON schema. The schema's rules are those of the `jsonschema` library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue
from pydantic_core import from_json


def faults_in(text: str, schema: Mapping[str, JsonValue]) -> str:
    """Return what `schema` finds wrong with the JSON in `text`, for a model to mend; empty if nothing. Pure."""
    from jsonschema import Draft202012Validator  # takes 80 ms, and few turns need it

    try:
        value = from_json(text or "{}")
    except ValueError as error:
        return f"bad arguments: no JSON: {error}"
    validator: Any = Draft202012Validator(dict(schema))
    found = sorted(f"{fault.json_path[2:]}: {fault.message}".lstrip(": ") for fault in validator.iter_errors(value))
    return f"bad arguments: {'; '.join(found)}" if found else ""
