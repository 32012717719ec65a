"""A text that knows where it was said, so that whoever passes it on passes a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, JsonValue, WrapSerializer, WrapValidator
from pydantic_core import core_schema, from_json, to_json

Reference = tuple[str, int, int] | tuple[str, int, int, str]
"""(stream, version, n): the n-th text said in that event, from 0; with a fourth part, the value of
that key in it, where the text is a JSON object (what a model wrote as a tool's arguments)."""

ERASED = "[erased]"
"""What stands for a text that was erased from the log."""


class Text(str):
    """A string with the place where it was said first; None until that is decided.

    Equal to any string of the same characters. An event made from a plain string says it itself;
    one made from a `Text` of another event refers to that.
    """

    __slots__ = ("ref",)
    ref: Reference | None

    def __new__(cls, value: str = "", ref: Reference | None = None) -> Text:
        text = super().__new__(cls, value)
        text.ref = ref
        return text

    def pick(self, key: str) -> Text:
        """Return the string at `key` of the JSON object that this text is, as a reference into it; erased, as it is."""
        value = ERASED if self == ERASED else from_json(self)[key]
        ref = None if self.ref is None or len(self.ref) != 3 else (*self.ref, key)
        return Text(value, ref)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validated,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(_serialised, info_arg=True),
        )


@dataclass(slots=True)
class Saying:
    """An event being written: where it will stand, the texts it says first, and those it passes on."""

    stream: str
    version: int
    content: list[str] = field(default_factory=list[str])
    passed_on: dict[Reference, str] = field(default_factory=dict[Reference, str])


@dataclass(slots=True)
class Reading:
    """An event being read: where it stands, its own texts, and how those of others are found."""

    stream: str
    version: int
    content: list[str] | None
    resolve: Callable[[Reference], str]


@dataclass(slots=True)
class Noting:
    """A state being written down: the texts in it that stand in the log, each once, and where it stands there."""

    texts: dict[Reference, str] = field(default_factory=dict[Reference, str])
    numbers: dict[Reference, int] = field(default_factory=dict[Reference, int])

    def note(self, text: Text) -> int | str:
        """Return the number of `text` among those of the log, or the text itself where it is not in the log."""
        if text.ref is None:
            return str(text)
        self.texts[text.ref] = str(text)
        return self.numbers.setdefault(text.ref, len(self.numbers))


@dataclass(slots=True)
class Recalling:
    """A state being read back, with the texts of the log that it refers to by number."""

    texts: list[Text]


def _validated(value: object, info: core_schema.ValidationInfo) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(info.context, Reading):
        return _read(value, info.context)
    if isinstance(info.context, Recalling) and isinstance(value, int):
        return info.context.texts[value]
    if isinstance(value, str):
        return Text(value)
    raise ValueError(f"a text is wanted, not {type(value).__name__}")


def _read(value: object, reading: Reading) -> Text:
    match value:
        case int(n):
            own = ERASED if reading.content is None else reading.content[n]
            return Text(own, (reading.stream, reading.version, n) if own else None)
        case [str(stream), int(version), int(n)]:
            ref: Reference = (stream, version, n)
        case [str(stream), int(version), int(n), str(key)]:
            ref = (stream, version, n, key)
        case _:
            raise ValueError(f"neither the number of a text nor a reference to one: {value!r}")
    return Text(reading.resolve(ref), ref)


def _serialised(value: Text, info: core_schema.SerializationInfo) -> object:
    saying = info.context
    if isinstance(saying, Noting):
        return saying.note(value)
    if not isinstance(saying, Saying):
        return str(value)
    if not value:  # it may be a default, which events of several logs share: it is said where it stands
        saying.content.append("")
        return len(saying.content) - 1
    if value.ref is None:
        value.ref = (saying.stream, saying.version, len(saying.content))
    if value.ref[:2] != (saying.stream, saying.version) or len(value.ref) != 3:
        saying.passed_on[value.ref] = str(value)
        return list(value.ref)
    if value.ref[2] == len(saying.content):
        saying.content.append(str(value))
    return value.ref[2]


def _read_json(
    value: object, handler: core_schema.ValidatorFunctionWrapHandler, info: core_schema.ValidationInfo
) -> Any:
    """Read what `_say_json` wrote; of older logs, the value as it stands in the data."""
    reading = info.context
    if not isinstance(reading, Reading) or not isinstance(value, int):
        return handler(value)
    if reading.content is not None:
        return handler(from_json(reading.content[value]))
    try:
        return handler({ERASED: ERASED})
    except ValueError:  # it is a list
        return handler([ERASED])


def _say_json(
    value: Any, handler: core_schema.SerializerFunctionWrapHandler, info: core_schema.SerializationInfo
) -> object:
    saying = info.context
    if not isinstance(saying, Saying):
        return handler(value)
    saying.content.append(to_json(value).decode())
    return len(saying.content) - 1


SaidData = Annotated[dict[str, JsonValue], WrapValidator(_read_json), WrapSerializer(_say_json)]
SaidNames = Annotated[tuple[str, ...], WrapValidator(_read_json), WrapSerializer(_say_json)]
"""A JSON object, and names, that are one of the texts of their event, so that they are erased with them."""


def resolved(content: list[str] | None, ref: Reference) -> str:
    """Return the text that `ref` names in the content of its event; `ERASED` where that is gone."""
    if content is None:
        return ERASED
    text = content[ref[2]]
    return text if len(ref) == 3 else str(from_json(text)[ref[3]])


def found_in(texts: Callable[[str, int], list[str] | None], references: Iterable[Reference]) -> dict[Reference, str]:
    """Return what is at `references`, where `texts` gives those of the event at (stream, version); no others."""
    found: dict[Reference, str] = {}
    for ref in references:
        with suppress(LookupError, ValueError):
            found[ref] = resolved(texts(ref[0], ref[1]), ref)
    return found
