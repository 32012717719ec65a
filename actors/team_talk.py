"""How the talk of a group goes, as a team file says it: the pattern, and when the talk is over."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_json

from callboard.events import SpecError
from callboard.events.specs import Until

from .code import load
from .patterns import NAMED, Pattern
from .team_keys import UntilKeys
from .toml import Faults, fault_of, nearest, shown
from .until import Condition, MaxTurns, Spoke, TextMention

_MEMBERS = ("first", "default", "stages")
"""Fields of callboard's own patterns that name members."""

_KINDS = ("mention", "spoke", "turns", "any", "all")
"""What a table that ends a talk is about."""


def code_at(address: str) -> object:
    """Return what `address` names.

    Raises:
        SpecError: There is no such thing; says what is meant instead, or where its module is.
    """
    try:
        return load(address)
    except SystemExit:
        raise SpecError(f"importing {address!r} ended the program; keep that under `if __name__ == ...`") from None
    except SpecError as error:
        module, _, name = address.partition(":")
        there = vars(sys.modules[module]) if module in sys.modules else {}
        close = get_close_matches(name, [key for key, value in there.items() if callable(value)], n=1)
        hint = f"; did you mean '{module}:{close[0]}'?" if close else ""
        if there and not hint:
            hint = f"; {module} is {there.get('__file__') or 'built in'}"
        raise SpecError(error.what + hint) from None


# -- the pattern ------------------------------------------------------------------------------------


def read_pattern(
    keys: Mapping[str, object], members: Sequence[str], faults: Faults, *path: str | int
) -> Pattern | None:
    """Return the pattern that `keys` say; None where they say none, or wrong things, which are noted."""
    if not keys:
        return None
    kind, given = keys.get("kind"), {key: value for key, value in keys.items() if key != "kind"}
    if not isinstance(kind, str):
        found = f", found {shown(kind)}" if "kind" in keys else ""
        faults.add(f"a string is wanted{found}, such as kind = 'round_robin'", *path, "kind")
        return None
    if kind not in NAMED and ":" not in kind:
        why = f"there is no pattern {kind!r} (one of yours is written 'module:Class')"
        faults.add(f"{why}{nearest(kind, NAMED)}", *path, "kind")
        return None
    with faults.finding(*path, "kind"):
        built = _built(NAMED.get(kind) or code_at(kind), given, faults, *path)
        if built is not None and kind in NAMED:
            _check_members(given, members, faults, *path)
        return built
    return None


def _built(kind: Any, given: dict[str, object], faults: Faults, *path: str | int) -> Pattern | None:
    if not (isinstance(kind, type) and is_dataclass(kind) and callable(getattr(kind, "next", None))):
        raise SpecError(f"{kind!r} is no pattern; a frozen dataclass with next(group) is wanted")
    known = [one.name for one in fields(kind)]
    for key in [key for key in given if key not in known]:
        faults.add(f"{kind.__name__} has no such key{nearest(key, known)}", *path, key)
        del given[key]
    try:
        return _made(kind, given)
    except ValidationError as error:
        told = set[tuple[str | int, ...]]()
        for one in error.errors():
            place = _place(given, one["loc"])
            if one["type"] != "callable_type" and place not in told:  # a file says no function but by its address
                told.add(place)
                faults.add(fault_of(one, known), *path, *place)
    except SpecError as error:  # what the class itself refuses
        faults.add(error.what, *path)
    except PydanticUserError as error:
        faults.add(f"{kind.__name__} cannot be made from a file: {error.message}", *path, "kind")
    return None


def _made(kind: Any, given: Mapping[str, object]) -> Pattern:
    try:
        return TypeAdapter[Pattern](kind).validate_json(to_json(given), strict=True)
    except SystemExit:
        raise SpecError("importing what it names ended the program; keep that under `if __name__ == ...`") from None


def _place(given: object, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return where in what was given a fault is, without the alternatives that pydantic tried there. Pure."""
    place: list[str | int] = []
    for n, part in enumerate(loc):
        if isinstance(given, dict) and part in given:
            given = cast("dict[str | int, object]", given)[part]
        elif isinstance(given, list) and isinstance(part, int):
            given = cast("list[object]", given)[part]
        elif n:
            break
        place.append(part)
    return tuple(place)


def _check_members(given: Mapping[str, object], members: Sequence[str], faults: Faults, *path: str | int) -> None:
    for key in (key for key in _MEMBERS if key in given):
        table = isinstance(given[key], Mapping)
        for name in cast("Mapping[str, str]", given[key]) if table else [cast(str, given[key])]:
            if name and name not in members:
                faults.add(f"there is no member {name!r}{nearest(name, members)}", *path, key, *[name][:table])


# -- its end ----------------------------------------------------------------------------------------


def read_until(value: object, here: Collection[str], faults: Faults, *path: str | int) -> Condition | None:
    """Return the condition that `value` says; None where it says wrong things, which are noted.

    Args:
        here: The names of all in the group.
    """
    if not isinstance(value, str | dict):
        faults.add(f"a text that somebody says, or a table is wanted, found {shown(value)}", *path)
        return None
    if isinstance(value, str):
        with faults.finding(*path):
            return TextMention(value)
        return None
    keys = faults.keys(UntilKeys, cast("dict[str, object]", value), *path)
    if keys is None:
        return None
    said = [kind for kind in _KINDS if kind in keys.model_fields_set]
    if len(said) != 1:
        how = f"found {' and '.join(said)}; write any = [..] or all = [..] of them" if said else "found none of them"
        faults.add(f"one of {', '.join(_KINDS)} is wanted, {how}", *path)
        return None
    if "by" in keys.model_fields_set and said != ["mention"]:
        faults.add(f"it goes with mention, not with {said[0]}; remove it", *path, "by")
        return None
    return _condition(said[0], keys, here, faults, *path)


def _condition(kind: str, keys: UntilKeys, here: Collection[str], faults: Faults, *path: str | int) -> Condition | None:
    before = len(faults.found)
    for key, names in (("by", keys.by), ("spoke", keys.spoke)):
        for n, name in enumerate(names):
            if name not in here:
                faults.add(f"{name!r} is not in the group{nearest(name, here)}", *path, key, n)
    inner = keys.any or keys.all
    parts = [read_until(one, here, faults, *path, kind, n) for n, one in enumerate(inner)]
    with faults.finding(*path, kind):
        made = {"mention": lambda: TextMention(keys.mention, keys.by), "spoke": lambda: Spoke(*keys.spoke)}
        made |= {"turns": lambda: MaxTurns(keys.turns)}
        whole = made[kind]() if kind in made else _joined(kind, [part for part in parts if part])
        return whole if len(faults.found) == before else None
    return None


def _joined(kind: str, parts: Sequence[Condition]) -> Condition:
    return Condition(Until.model_validate({"kind": kind, "parts": tuple(part.spec for part in parts)}))
