"""Every check of a log that one pass over its rows allows, damaged rows included. Pure.

Each row is checked against those before it, and what is wrong is noted with its place; then it goes on
with the next, so that one bad row does not hide another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from callboard.events import DamagedEvent, NewerFormat, RecordedEvent, Reference
from callboard.events.anchor import Head
from callboard.events.codec import Row, chain, chain_of, decode, recorded
from callboard.events.text import ERASED, resolved

from .findings import Findings, Place
from .folds import Folds
from .laws import Laws

_KINDS: dict[str, tuple[type, ...]] = {
    "position": (int,), "stream": (str,), "version": (int,), "type": (str,), "schema_version": (int,),
    "data": (str,), "content": (str, type(None)), "salt": (bytes, type(None)), "key": (str, type(None)),
    "correlation_id": (str, type(None)), "causation_id": (str, type(None)), "recorded_at": (int,), "chain": (bytes,),
}  # fmt: skip

EXCUSED = ("chain", "position", "version")
"""Checks whose findings an accepted loss explains, where they are before it."""

Texts = Callable[[str, int], list[str] | None]
"""Gives the texts that stand in an event now."""


class Said(Protocol):
    """Gives the salted hash of the texts of an event that was redacted; None where it was not."""

    def __call__(self, stream: str, version: int, *, fresh: bool = False) -> bytes | None:
        """Return it; `fresh` as of now, since a log may be redacted while it is checked."""
        ...


@dataclass(slots=True)
class Report:
    """What a check of a log came to.

    Attributes:
        requests: Messages from outside.
        open: Things begun and not ended; `in_doubt` are those of them that may have happened.
        prompts: Prompts that were made again and are as they were sent; `untold` those of which a text is gone.
        redacted: Events whose texts were erased; `losses` how often a loss was accepted.
    """

    events: int = 0
    streams: int = 0
    requests: int = 0
    open: int = 0
    in_doubt: int = 0
    prompts: int = 0
    untold: int = 0
    redacted: int = 0
    losses: int = 0
    findings: Findings = field(default_factory=Findings)


class Checks:
    """Takes the rows of a log in their order, then says what it found.

    Args:
        texts: Finds the texts of earlier events.
        said: Finds what is left of redacted ones.
        head: Where the log was at least, as its anchor says.
    """

    def __init__(self, texts: Texts, said: Said, head: Head | None = None) -> None:
        self.findings = Findings()
        self._texts, self._said, self._anchor = texts, said, head
        self._laws, self._folds = Laws(self.findings), Folds(self.findings)
        self._events = self._redacted = self._losses = 0
        self._last = self._read = 0
        self._chain = b""
        self._known: dict[str, dict[int, bool]] = {}
        self._latest: dict[str, int] = {}
        self._keys: dict[tuple[str, str], int] = {}
        self._lost = self._owned = False

    def unreadable(self, position: int, last: int, why: str) -> None:
        """Note that SQLite cannot give the rows from `position` to `last`, if there are so many."""
        which = "it cannot" if last == position else f"nothing from here to {last} can"
        self.findings.add(Place(position), "file", f"{which} be read: {why}", "a row")
        self._lost, self._last = True, max(self._last, last)

    def take(self, row: Row) -> None:
        """Check `row` against those before it."""
        self._events += 1
        place = Place(row.position, str(row.stream), row.version)
        wrong = [name for name, kinds in _KINDS.items() if not isinstance(getattr(row, name), kinds)]
        if row.position != self._last + 1:
            self.findings.add(place, "position", f"it comes after position {self._last}", f"position {self._last + 1}")
            self._lost = True
        self._last = self._read = row.position
        for name in wrong:
            kinds = " or ".join(kind.__name__ for kind in _KINDS[name])
            self.findings.add(place, "column", f"{name} is of type {type(getattr(row, name)).__name__}", kinds)
        if wrong:
            self._lost, self._chain = "chain" in wrong, row.chain
            return
        gone = self._check_chain(row, place)
        self._check_version(row, place)
        self._check_key(row, place)
        self._check_cause(row, place)
        self._known.setdefault(row.stream, {})[row.version] = row.content is not None
        self._check_event(row, place, gone=gone)

    def _check_chain(self, row: Row, place: Place) -> bool:
        """Check the chain; return whether the texts of `row` were redacted."""
        previous, lost = self._chain, self._lost
        self._chain, self._lost = row.chain, False
        said = self._said(row.stream, row.version)
        if said is None and row.content is None and not lost and _chained(previous, row, None) != row.chain:
            said = self._said(row.stream, row.version, fresh=True)
        gone = said is not None and row.content is None
        if said is not None and not gone:
            self.findings.add(place, "redaction", "its texts", "none, since EventRedacted says they were erased")
        self._redacted += gone
        if self._anchor is not None and self._anchor.position == row.position and self._anchor.chain != row.chain:
            found = f"chain {row.chain.hex()}"
            self.findings.add(place, "anchor", found, f"{self._anchor.chain.hex()}, as the anchor has it")
        if lost:
            return gone
        made = _chained(previous, row, said if gone else None)
        if made != row.chain:
            erased = "" if row.content is not None or gone else ", or its texts were taken away"
            found = f"the hash of this row is {made.hex()}: it was changed, or the row before it{erased}"
            self.findings.add(place, "chain", found, f"{row.chain.hex()}, which stands in it")
        return gone

    def _check_version(self, row: Row, place: Place) -> None:
        latest = self._latest.get(row.stream, 0)
        if row.version != latest + 1:
            self.findings.add(place, "version", f"version {row.version} after {latest}", f"version {latest + 1}")
        self._latest[row.stream] = row.version

    def _check_key(self, row: Row, place: Place) -> None:
        if row.key is None:
            return
        first = self._keys.setdefault((row.stream, row.key), row.position)
        if first != row.position:
            found = f"key {row.key!r}, which position {first} has in this stream"
            self.findings.add(place, "key", found, "each key once in a stream")

    def _check_cause(self, row: Row, place: Place) -> None:
        if row.causation_id is None:
            return
        stream, _, version = row.causation_id.rpartition("@")
        known = version.isascii() and version.isdigit() and int(version[:19]) in self._known.get(stream, {})
        if not known:
            self.findings.add(place, "cause", f"{row.causation_id!r}, no event before this one", "an earlier event")

    # -- the event in the row -------------------------------------------------------------------

    def _check_event(self, row: Row, place: Place, *, gone: bool) -> None:
        if gone:
            self._dim(row.stream)
        try:
            event = recorded(row, decode(row, lambda ref: self._resolve(row, place, ref)))
        except NewerFormat as error:
            self._lose(row, place, "schema", f"{row.type} has schema version {error.found}", f"at most {error.known}")
        except DamagedEvent as error:
            self._lose(row, place, "event", " ".join(error.why.split()), "an event of the catalogue")
        except (OverflowError, RecursionError) as error:
            self._lose(row, place, "event", f"{type(error).__name__}: {error}", "an event of the catalogue")
        else:
            self._check_columns(row, event, place)
            self._laws.take(event, place)
            self._folds.take(event, place)
            self._of_log(event, place)

    def _check_columns(self, row: Row, event: RecordedEvent, place: Place) -> None:
        if row.key != event.data.key:
            self.findings.add(place, "key", f"key {row.key!r}", f"{event.data.key!r}, of its data")
        if row.correlation_id != event.data.correlation_id:
            wanted = f"{event.data.correlation_id!r}, of its id"
            self.findings.add(place, "correlation", f"correlation {row.correlation_id!r}", wanted)

    def _of_log(self, event: RecordedEvent, place: Place) -> None:
        anchor = self._anchor
        match event.type:
            case "LogCreated" if anchor is not None and getattr(event.data, "log_id", "") != anchor.log_id:
                self.findings.add(place, "anchor", "another log", f"log {anchor.log_id!r}, as the anchor has it")
            case "WriterOpened":
                self._owned = True
            case "LossAccepted":
                self._losses += 1
                self.findings.excuse(EXCUSED)
            case "EventRedacted":
                stream, version = getattr(event.data, "stream", ""), getattr(event.data, "version", 0)
                if version not in self._known.get(stream, {}):
                    self.findings.add(place, "redaction", f"it is about {stream}@{version}", "an earlier event")
            case _:
                pass

    def _lose(self, row: Row, place: Place, check: str, found: str, wanted: str) -> None:
        self.findings.add(place, check, found, wanted)
        self._folds.lose(row.stream, row.correlation_id)
        self._laws.lose(row.stream)

    def _dim(self, stream: str) -> None:
        self._folds.dim(stream)
        self._laws.dim(stream)

    def _resolve(self, row: Row, place: Place, ref: Reference) -> str:
        """Return the text that `ref` names, and note where there is none."""
        stream, version, n = ref[:3]
        filled = self._known.get(stream, {}).get(version)
        found = self._texts(stream, version) if filled else None
        why = ""
        if filled is None:
            why = "no event before this one"
        elif found is None and self._said(stream, version, fresh=True) is None:
            why = "an event without texts"
        elif found is not None:
            try:
                if n < 0:
                    raise LookupError(n)
                return resolved(found, ref)
            except (LookupError, TypeError, ValueError):
                why = f"an event with {len(found)} texts, and not this one"
        if why:
            self.findings.add(place, "reference", f"{list(ref)} names {why}", "an earlier text")
        self._dim(row.stream)
        return ERASED

    # -- the end --------------------------------------------------------------------------------

    def report(self) -> Report:
        """Return what was found, when the last row was taken."""
        anchor = self._anchor
        if anchor is not None and anchor.position > self._read:
            found = f"the log ends at position {self._read}"
            wanted = f"position {anchor.position}, as the anchor has it: {anchor.position - self._read} events are lost"
            self.findings.add(Place(self._read + 1), "anchor", found, wanted)
        if anchor is None and self._owned and not self.findings.counts["anchor"]:
            self.findings.add(Place(0), "anchor", "there is none", "one beside every log that was written to")
        if not self._events:
            self.findings.add(Place(1), "position", "no event at all", "LogCreated")
        items = self._laws.pending.items.values()
        return Report(
            self._events, len(self._latest), self._laws.asked, len(items),
            sum(item.latest == "ToolCallInDoubt" for item in items),
            self._folds.prompts, self._folds.untold, self._redacted, self._losses, self.findings,
        )  # fmt: skip


def _chained(previous: bytes, row: Row, said: bytes | None) -> bytes:
    """Return the chain of `row`; `said` stands for its texts where they were erased. Pure."""
    return chain(previous, row) if said is None else chain_of(previous, row, said)
