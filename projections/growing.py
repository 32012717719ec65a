"""A list that states share: each longer than the one before, none copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar, get_args, overload

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

T = TypeVar("T")


class Growing(Sequence[T], Generic[T]):
    """A sequence that never changes; `plus` gives a longer one, at a cost that is not its length.

    The items stand in one list that all share, as long as only the newest is extended; extending an
    older one copies.
    """

    __slots__ = ("_items", "_length")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(items)
        self._length = len(self._items)

    def plus(self, *items: T) -> Growing[T]:
        """Return this sequence with `items` after it."""
        longer: Growing[T] = Growing()
        longer._items = self._items if len(self._items) == self._length else self._items[: self._length]
        longer._items.extend(items)
        longer._length = self._length + len(items)
        return longer

    def continues(self, before: Growing[T]) -> bool:
        """Return whether this is `before`, or came of it by `plus` alone, as far as that costs nothing to know."""
        return self._items is before._items and self._length >= before._length

    def since(self, start: int) -> list[T]:
        """Return the items from index `start` on."""
        return self._items[start : self._length]

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            return self._items[start:stop:step]
        if not -self._length <= index < self._length:
            raise IndexError(f"index {index} in {self._length} items")
        return self._items[index % self._length]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return islice(self._items, self._length)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Growing) and self[:] == other[:]

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        items = handler.generate_schema(list[get_args(source)[0]])
        as_list = core_schema.plain_serializer_function_ser_schema(list, return_schema=items)
        return core_schema.no_info_after_validator_function(cls, items, serialization=as_list)

    def __repr__(self) -> str:
        return f"Growing({self[:]!r})"
