"""Copies of states, which are frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import KeysView
from functools import cache
from typing import Any, TypeVar

State = TypeVar("State")


def replace(state: State, /, **fields: Any) -> State:
    """Return a copy of `state`, a frozen dataclass without slots, that has `fields` in place of its own.

    As `dataclasses.replace`, but it reads no field of its own accord and calls no `__init__` or `__post_init__`: with
    31 fields 1.5 us for 8 us, and every event that is folded makes about two such copies.

    Raises:
        TypeError: There is no such field.
    """
    kind = type(state)
    known = names(kind)
    if not fields.keys() <= known:
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(fields.keys() - known))}; it has {', '.join(known)}")
    copy = object.__new__(kind)
    copy.__dict__.update(state.__dict__)
    copy.__dict__.update(fields)
    return copy


@cache
def names(kind: type) -> KeysView[str]:
    """Return the names of the fields of a dataclass."""
    return dict.fromkeys(field.name for field in dataclasses.fields(kind)).keys()
