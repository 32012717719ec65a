"""A plain search for tests: it reads every passage each time, and counts words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callboard.actors.archives import MatchMode
from callboard.actors.dates import Moment, moment
from callboard.events import EventStore
from callboard.events.codec import to_micros
from callboard.projections import replay
from callboard.projections.passages import passages


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage with so many of the words."""

    number: int
    text: str
    at: datetime
    tags: tuple[str, ...]
    relevance: float


class Scan:
    """Finds passages by whole words, in any case."""

    def __init__(self, store: EventStore) -> None:
        """Search `store`."""
        self.store = store

    async def search(
        self,
        query: str,
        *,
        owners: Collection[str],
        kinds: Collection[Any],
        tags: Collection[str] = (),
        tag_match_mode: MatchMode = "any",
        start: Moment = None,
        end: Moment = None,
        limit: int = 10,
    ) -> list[Hit]:
        """Return the passages with most of the words first."""
        assert tuple(kinds) == ("passage",)
        first, last = moment(start, "start"), moment(end, "end", end=True)
        found: list[Hit] = []
        words, match = set(query.casefold().split()), all if tag_match_mode == "all" else any
        for owner in owners:
            for one in (await replay(self.store, passages, stream=owner)).found.values():
                count = len(words & set(one.text.casefold().split()))
                at = one.changed or one.at
                in_time = (first is None or first <= to_micros(at)) and (last is None or to_micros(at) <= last)
                if count and in_time and (not tags or match(tag in one.tags for tag in tags)):
                    found.append(Hit(one.n, one.text, at, one.tags, float(count)))
        return sorted(found, key=lambda hit: -hit.relevance)[:limit]
