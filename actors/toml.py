"""TOML files of a user, and what is said of faults in them: where, what was found, and what is wanted."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from callboard.events import SpecError

_K = TypeVar("_K", bound=BaseModel)

_WANTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "model_type": "a table",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt:g}",
    "invalid-json-value": "a string, a number, true or false, a list or a table",
    "finite_number": "a finite number",
}
"""What is wanted, by pydantic's name for what is wrong."""


def read_toml(path: Path) -> dict[str, object]:
    """Return what the file at `path` holds.

    Raises:
        SpecError: It cannot be read, or is not UTF-8 or not TOML; says in which line.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SpecError(f"there is no file {path}; write a team file, or try `callboard demo`") from None
    except IsADirectoryError:
        raise SpecError(f"{path} is a directory; name the team file in it") from None
    except (OSError, ValueError) as error:
        raise SpecError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SpecError("not UTF-8; save the file as UTF-8", where=f"{path}, line {line}") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(path, text, str(error)) from None
    except RecursionError:
        raise SpecError("nested too deeply to be read", where=str(path)) from None


def _no_toml(path: Path, text: str, why: str) -> SpecError:
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", why)
    if found is None:
        return SpecError(f"not TOML: {why}", where=str(path))
    line, column = found[1] or text.count("\n") + 1, f", column {found[2]}" if found[2] else ""
    return SpecError(f"not TOML: {why[: found.start()]}", where=f"{path}, line {line}{column}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about a wrong `name`: the nearest known one, or what there is. Pure."""
    names = list(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names:
        return "; there are none"
    return f"; there are: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"


def fault_of(error: ErrorDetails, known: Iterable[str]) -> str:
    """Return what pydantic found wrong, in words; `known` are the keys that its table may have. Pure."""
    kind, found = error["type"], shown(error["input"])
    if kind == "extra_forbidden":
        return f"there is no such key{nearest(str(error['loc'][-1]), known)}"
    if kind == "missing":
        return "it is missing"
    if kind == "too_short":
        return "it is empty; at least one is wanted"
    if kind == "text":
        return error["msg"]
    wanted = _WANTED.get(kind)
    if wanted is None:
        return f"{error['msg']}, found {found}"
    return f"{wanted.format_map(error.get('ctx', {}))} is wanted, found {found}"


def place_of(error: ErrorDetails) -> tuple[str | int, ...]:
    """Return where in its table a fault is; inside `metadata`, the key alone. Pure."""
    return error["loc"][:2] if error["loc"][:1] == ("metadata",) else error["loc"]


def path_of(path: tuple[str | int, ...]) -> str:
    """Return `path` as it is written in TOML, with `[n]` for places in lists, from 0. Pure."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part)
            text += f".{name}" if text else name
    return text


def shown(value: object) -> str:
    """Return `value` as a message quotes it, cut to 60 characters. Pure."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Faults:
    """What is wrong with one file, each fault with its place, in the order they were found."""

    def __init__(self) -> None:
        """Begin with none."""
        self.found: list[SpecError] = []

    def add(self, what: str, *path: str | int) -> None:
        """Note that `what` is wrong at `path`."""
        self.found.append(SpecError(what, where=path_of(path)))

    @contextmanager
    def finding(self, *path: str | int) -> Generator[None]:
        """Note what the specs themselves refuse meanwhile."""
        try:
            yield
        except SpecError as error:
            self.add(error.what, *path)

    def keys(self, shape: type[_K], value: object, *path: str | int) -> _K | None:
        """Return `value` as the table that it has to be; None where it is not, and why is noted."""
        try:
            return shape.model_validate(value)
        except ValidationError as error:
            known = [field.alias or name for name, field in shape.model_fields.items()]
            for one in error.errors():
                self.add(fault_of(one, known), *path, *place_of(one))
        return None
