"""What a check of a log found: each finding with its place, and what was wanted there. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

MOST = 1_000
"""Findings that are kept; the rest is counted."""

LONGEST = 300
"""Characters of what was found or wanted that are kept."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a log something was found; position 0 is the log as a whole."""

    position: int
    stream: str = ""
    version: int = 0

    @property
    def ref(self) -> str:
        """The event as others call it; empty for the log as a whole."""
        return f"{self.stream}@{self.version}" if self.stream else ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        where: The event, as `stream@version`; empty where it is none.
        check: A word for what was checked, such as `chain` or `pair`.
    """

    position: int
    where: str
    check: str
    found: str
    wanted: str


@dataclass(slots=True)
class Findings:
    """All findings of one check, in the order in which they were made.

    Attributes:
        kept: The first of them.
        counts: How many there are, by the check that found them.
    """

    kept: list[Finding] = field(default_factory=list[Finding])
    counts: Counter[str] = field(default_factory=Counter[str])

    @property
    def count(self) -> int:
        """How many there are."""
        return self.counts.total()

    def add(self, place: Place, check: str, found: object, wanted: object) -> None:
        """Note that at `place` there is `found` and not `wanted`."""
        self.counts[check] += 1
        if len(self.kept) < MOST:
            self.kept.append(Finding(place.position, place.ref, check, _short(found), _short(wanted)))

    def excuse(self, checks: Collection[str]) -> None:
        """Forget all that `checks` found up to here."""
        self.kept = [finding for finding in self.kept if finding.check not in checks]
        for check in checks:
            del self.counts[check]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
