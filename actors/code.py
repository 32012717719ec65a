"""Code by its address, `module:name`, as specs record it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_jsonable_python

from callboard.events import SpecError


class Code:
    """What addresses name: objects handed over in this process first, then what can be imported."""

    def __init__(self) -> None:
        self._known: dict[str, object] = {}

    def register(self, address: str, what: object) -> None:
        """Let `address` name `what` for as long as this lives."""
        self._known[address] = what

    def find(self, address: str) -> Any:
        """Return what `address` names.

        Raises:
            SpecError: There is no such module, or nothing of that name in it.
        """
        return self._known[address] if address in self._known else load(address)


def load(address: str) -> Any:
    """Return what can be imported as `module:name`.

    Raises:
        SpecError: There is no such module, or nothing of that name in it.
    """
    module, colon, name = address.partition(":")
    if not (module and colon and name):
        raise SpecError(f"{address!r} is not the address of code; write it as 'module:name'")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # a border to others' code: importing runs it
        raise SpecError(f"the code {address!r} cannot be found: {type(error).__name__}: {error}") from None
    return found


def address_of(what: Any) -> str:
    """Return where `what`, a class or a function, can be imported from."""
    return f"{what.__module__}:{what.__qualname__}"


def fields_of(value: object) -> dict[str, JsonValue]:
    """Return the fields of a dataclass value as data."""
    return to_jsonable_python(value, exclude_none=True)


def build(kind: Any, fields: dict[str, JsonValue]) -> Any:
    """Return a value of the class `kind` with `fields`, checked against its annotations.

    Raises:
        SpecError: A field is missing, unknown, or of another type.
    """
    unknown = set(fields) - set(getattr(kind, "__dataclass_fields__", fields))
    if unknown:
        known = ", ".join(kind.__dataclass_fields__) or "none"
        raise SpecError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}; it has {known}")
    try:
        return TypeAdapter(kind).validate_python(fields)
    except PydanticUserError as error:
        raise SpecError(f"{kind!r} cannot be made of fields ({error.message}); make it a dataclass") from None
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SpecError(f"{kind.__name__}: {'; '.join(faults)}") from None
