"""A mapping that states share: each with one key set since the one before, none copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar, cast, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

K = TypeVar("K")
V = TypeVar("V")


class _Past(NamedTuple, Generic[V]):
    """What a key was set to, since which age of the mapping, and what it was before."""

    age: int
    value: V
    before: _Past[V] | None


class _Ages(Generic[K, V]):
    """What every key ever was, and how often any was set: the age of the newest mapping over this."""

    __slots__ = ("age", "pasts")

    def __init__(self) -> None:
        self.age, self.pasts = 0, dict[K, _Past[V]]()


class Keyed(Mapping[K, V], Generic[K, V]):
    """A mapping that never changes; `plus` gives one with a key set, at a cost that is not its size.

    What keys were stands in one dict that all share, as long as only the newest is extended; extending an
    older one copies.
    """

    __slots__ = ("_age", "_ages", "_length")

    def __init__(self, items: Iterable[tuple[K, V]] = ()) -> None:
        self._ages = _Ages[K, V]()
        for key, value in items:
            self._ages.pasts[key] = _Past(0, value, None)
        self._age, self._length = 0, len(self._ages.pasts)

    def plus(self, key: K, value: V) -> Keyed[K, V]:
        """Return this mapping with `key` set to `value`."""
        before = self if self._ages.age == self._age else Keyed(self.items())
        ages, past = before._ages, before._ages.pasts.get(key)
        after: Keyed[K, V] = Keyed()
        after._ages, after._age, after._length = ages, before._age + 1, before._length + (past is None)
        ages.age = after._age
        ages.pasts[key] = _Past(after._age, value, past)
        return after

    def _past(self, key: object) -> _Past[V] | None:
        """Return what this mapping has of `key`, whatever newer ones have."""
        past = self._ages.pasts.get(key)  # type: ignore[arg-type]
        while past is not None and past.age > self._age:
            past = past.before
        return past

    def __getitem__(self, key: K) -> V:
        if (past := self._past(key)) is None:
            raise KeyError(key)
        return past.value

    def __contains__(self, key: object) -> bool:
        return self._past(key) is not None

    def __iter__(self) -> Iterator[K]:
        return (key for key in list(self._ages.pasts) if key in self)

    def __len__(self) -> int:
        return self._length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and dict(self.items()) == dict(cast("Keyed[K, V]", other).items())

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        key, value = get_args(source)
        pairs = handler.generate_schema(list[tuple[key, value]])
        as_pairs = core_schema.plain_serializer_function_ser_schema(_pairs, return_schema=pairs)
        return core_schema.no_info_after_validator_function(cls, pairs, serialization=as_pairs)

    def __repr__(self) -> str:
        return f"Keyed({dict(self.items())!r})"


def _pairs(keyed: Keyed[K, V]) -> list[tuple[K, V]]:
    return list(keyed.items())
