"""States as bytes and back, exactly. Pure. Texts of the log are written as references to it, not as texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from types import GenericAlias
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import from_json, to_json

from callboard.events import Reference, Text
from callboard.events.catalog import Spent
from callboard.events.text import Noting, Recalling

from .pending import Open, Pending

S = TypeVar("S")

_CONFIG = ConfigDict(extra="forbid", ser_json_bytes="hex", val_json_bytes="hex")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is pending in a log and was spent there, and every stream that it has."""

    items: tuple[Open, ...]
    streams: tuple[str, ...]
    spent: Spent

    @classmethod
    def of(cls, pending: Pending, streams: Iterable[str]) -> Checkpoint:
        """Return what `pending` holds now. Pure."""
        return cls(tuple(pending.items.values()), tuple(streams), pending.spent)

    def pending(self) -> Pending:
        """Return a fold that goes on from here. Pure."""
        pending = Pending()
        pending.items = {(item.kind, item.id): item for item in self.items}
        pending.spent = self.spent
        return pending


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    # In a tuple, since a dataclass takes no settings from outside, but those of what it stands in.
    return TypeAdapter(cast(Any, GenericAlias(tuple, (kind,))), config=_CONFIG)


def encode(state: object) -> bytes:
    """Return `state` as two lines of JSON: the references, with a hash of their texts; and the state. Pure."""
    noting = Noting()
    written = _adapter(type(state)).serializer.to_json((state,), context=noting)
    return to_json([list(noting.texts), _hash(noting.texts.values())]) + b"\n" + written


def references(body: bytes) -> list[Reference]:
    """Return where the texts of an encoded state stand in the log. Pure."""
    return [tuple(ref) for ref in from_json(body.partition(b"\n")[0])[0]]


def decode(kind: type[S], body: bytes, texts: Mapping[Reference, str]) -> S | None:
    """Return the state in `body`; None where `texts` are not those that it was made from, or it is none. Pure."""
    head, _, written = body.partition(b"\n")
    known = from_json(head)[1]
    try:
        said = [Text(texts[ref], ref) for ref in references(body)]
        if _hash(said) != known:
            return None
        [state] = _adapter(kind).validate_json(written, context=Recalling(said))
    except (ValueError, LookupError):
        return None
    return state


def _hash(texts: Iterable[str]) -> str:
    whole = blake2b(digest_size=16)
    for text in texts:
        said = text.encode()
        whole.update(b"%d " % len(said) + said)
    return whole.hexdigest()
