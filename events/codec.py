"""Events as rows of the log and back. Nothing is written that was not read back first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from .catalog import TYPES
from .errors import AppendRejected, DamagedEvent, NewerFormat
from .event import Event, NewEvent, RecordedEvent
from .text import Reading, Reference, Saying, Text, resolved

MAX_TEXT = 16 * 1024 * 1024
"""Longest text of an event, in bytes of UTF-8."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Upcaster = Callable[[dict[str, object]], dict[str, object]]


def _with_reason(data: dict[str, object]) -> dict[str, object]:
    """Return the data of a choice with its reason as a text, which was a plain string before."""
    return {**data, "reason": Text(str(data.get("reason", "")))}


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {("ChoiceMade", 1): _with_reason}
"""By (type, schema version): makes the data of that version data of the next one."""


class Row(NamedTuple):
    """One event as a store keeps it: the columns of the table `events`, in order.

    Attributes:
        data: JSON object: facts, and where texts are.
        content: JSON array of the texts said here first; None where there are none, or they were erased.
        salt: 16 random bytes that keep a short text from being guessed by its hash.
        recorded_at: Microseconds since 1970, UTC.
        chain: Hash over this row and all before it.
    """

    position: int
    stream: str
    version: int
    type: str
    schema_version: int
    data: str
    content: str | None
    salt: bytes | None
    key: str | None
    correlation_id: str | None
    causation_id: str | None
    recorded_at: int
    chain: bytes


def encode_all(
    stream: str, expected_version: int, events: Sequence[NewEvent], entropy: Callable[[int], bytes]
) -> list[Row]:
    """Return the rows of one append; where one event cannot be stored, no text learns a place."""
    rows: list[Row] = []
    try:
        for version, new in enumerate(events, start=expected_version + 1):
            rows.append(encode(stream, version, new, salt=entropy(16)))
    except AppendRejected:
        for version, new in enumerate(events, start=expected_version + 1):
            forget(new.data, stream, version)
        raise
    return rows


def forget(event: Event, stream: str, version: int) -> None:
    """Take their place from the texts of `event`, which was not written: another may come to stand there."""
    for text in _texts_of(event):
        if text.ref is not None and text.ref[:2] == (stream, version):
            text.ref = None


def _texts_of(value: object) -> Iterable[Text]:
    match value:
        case Text():
            yield value
        case BaseModel():
            yield from _texts_of(vars(value))
        case dict() | tuple() | list():
            for item in value.values() if isinstance(value, dict) else value:  # type: ignore[reportUnknownVariableType]
                yield from _texts_of(item)  # type: ignore[reportUnknownArgumentType]
        case _:
            pass


def encode(stream: str, version: int, new: NewEvent, *, salt: bytes) -> Row:
    """Return `new` as a row without position, time and chain; its fresh texts learn where they stand.

    Raises:
        AppendRejected: The event cannot be stored, or its exact bytes do not read back as it was.
    """
    event, saying = new.data, Saying(stream, version)
    name = type(event).__name__
    if TYPES.get(name) is not type(event):
        raise AppendRejected(stream, f"{name} is not in the catalogue")
    if "\0" in stream:
        raise AppendRejected(stream, "the name of a stream holds no NUL")
    try:
        (stream + (new.causation_id or "")).encode()
        data = event.__pydantic_serializer__.to_json(event, exclude_defaults=True, context=saying).decode()
        content = to_json(saying.content).decode() if saying.content else None
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise AppendRejected(stream, f"{name} cannot be stored: {error}") from None
    if content is not None and len(content) > MAX_TEXT:
        _check_sizes(stream, saying.content)
    own_salt = None if content is None else salt
    identity = event.key, event.correlation_id, new.causation_id
    row = Row(0, stream, version, name, event.schema_version, data, content, own_salt, *identity, 0, b"")
    _check_reads_back(row, event, saying)
    return row


def _check_sizes(stream: str, said: Sequence[str]) -> None:
    for text in said:
        if (size := len(text.encode())) > MAX_TEXT:
            raise AppendRejected(stream, f"a text has {size:,} bytes, the most is {MAX_TEXT:,}")


def _check_reads_back(row: Row, event: Event, saying: Saying) -> None:
    try:
        read = decode(row, saying.passed_on.__getitem__)
    except DamagedEvent as error:
        raise AppendRejected(row.stream, str(error)) from None
    if read != event:
        raise AppendRejected(row.stream, f"{row.type} does not read back as it was written: {row.data[:200]}")


def texts(row: Row) -> list[str] | None:
    """Return the texts said first in `row`, or None where it has none."""
    return None if row.content is None else from_json(row.content)


def decode(row: Row, resolve: Callable[[Reference], str]) -> Event:
    """Return the event of `row`; `resolve` finds the texts that it refers to.

    Raises:
        NewerFormat: A newer callboard wrote it.
        DamagedEvent: It is not an event of the catalogue.
    """
    where = f"{row.stream}@{row.version}"
    kind = TYPES.get(row.type)
    if kind is None:
        raise DamagedEvent(where, f"its type {row.type!r} is not in the catalogue")
    try:
        if row.schema_version > kind.schema_version:
            raise NewerFormat(f"{row.type} at {where}", found=row.schema_version, known=kind.schema_version)
        own = texts(row)
        reading = Reading(row.stream, row.version, own, _with_own(row, own, resolve))
        if row.schema_version == kind.schema_version:
            return kind.model_validate_json(row.data, context=reading)
        return kind.model_validate(_upcast(row, kind), context=reading)
    except (ValidationError, ValueError, LookupError, TypeError) as error:
        raise DamagedEvent(where, f"{row.type}: {error}") from None


def _with_own(row: Row, own: list[str] | None, resolve: Callable[[Reference], str]) -> Callable[[Reference], str]:
    here = (row.stream, row.version)
    return lambda ref: resolved(own, ref) if ref[:2] == here else resolve(ref)


def _upcast(row: Row, kind: type[Event]) -> dict[str, object]:
    data: dict[str, object] = from_json(row.data)
    for version in range(row.schema_version, kind.schema_version):
        data = UPCASTERS[row.type, version](data)
    return data


def recorded(row: Row, data: Event) -> RecordedEvent:
    """Return `data` with the place that `row` gives it.

    Raises:
        DamagedEvent: Its time is none.
    """
    try:
        at = from_micros(row.recorded_at)
    except (OverflowError, TypeError) as error:
        raise DamagedEvent(f"{row.stream}@{row.version}", f"its time is damaged: {error}") from None
    return RecordedEvent(row.position, row.stream, row.version, at, row.causation_id, row.chain, data)


def placed(row: Row, *, position: int, recorded_at: int, previous: bytes) -> Row:
    """Return `row` at its place in the log, chained to the row before it."""
    row = Row(position, *row[1:-2], recorded_at, b"")
    return Row(*row[:-1], chain(previous, row))


def chain(previous: bytes, row: Row) -> bytes:
    """Return the hash of `row` after `previous`.

    It is H(previous, all columns but content and salt, H(salt, content)), where H is the first half of
    SHA-256 and the inner one the whole of it. The texts go in through a salted hash of their own, so that
    erasing them leaves the chain whole.
    """
    return chain_of(previous, row, said(row))


def said(row: Row) -> bytes:
    """Return the salted hash of the texts that `row` holds; empty without any."""
    return hashlib.sha256((row.salt or b"") + row.content.encode()).digest() if row.content else b""


def chain_of(previous: bytes, row: Row, said: bytes) -> bytes:
    """Return the hash of `row` after `previous`, given the salted hash of its texts (empty without any)."""
    columns = (
        row.position, row.stream, row.version, row.type, row.schema_version, row.data,
        row.key, row.correlation_id, row.causation_id, row.recorded_at,
    )  # fmt: skip
    return hashlib.sha256(previous + to_json(columns) + said).digest()[:16]


def references(row: Row) -> list[tuple[str, int]]:
    """Return the events whose texts `row` refers to, as (stream, version); none where `decode` will find it damaged."""
    found: list[tuple[str, int]] = []
    try:
        _collect(from_json(row.data), found)
    except (ValueError, TypeError):
        return []
    return found


def _collect(value: object, found: list[tuple[str, int]]) -> None:
    match value:
        case [str(stream), int(version), int(), *_]:  # type: ignore[reportUnknownVariableType]
            found.append((stream, version))
        case list():
            for item in value:  # type: ignore[reportUnknownVariableType]
                _collect(item, found)  # type: ignore[reportUnknownArgumentType]
        case dict():
            for item in value.values():  # type: ignore[reportUnknownVariableType]
                _collect(item, found)  # type: ignore[reportUnknownArgumentType]
        case _:
            pass


def to_micros(time: datetime) -> int:
    """Return `time` as microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the UTC time that is `micros` microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=micros)
