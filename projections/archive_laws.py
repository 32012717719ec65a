"""What must hold of the passages of an archive: numbers without gaps, and nothing done to what is not there. Pure."""

from __future__ import annotations

from callboard.events import Event, RecordedEvent
from callboard.events.catalog import PassageDeleted, PassageInserted, PassageUpdated

from .archive import ArchiveState, evolve
from .findings import Findings, Place


class ArchiveLaws:
    """Takes the events of a log in their order, and notes each change of an archive that breaks a law."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._states: dict[str, ArchiveState | None] = {}
        self._dim: set[str] = set()

    def take(self, event: RecordedEvent, place: Place) -> None:
        """Check `event` against the archive that its stream is, and remember it."""
        if not event.stream.startswith("archive-"):
            return
        state = self._states.get(event.stream, ArchiveState())
        if state is None:
            return
        for found, wanted in _faults(state, event.data, dim=event.stream in self._dim):
            self._findings.add(place, "archive", found, wanted)
            state = None
        self._states[event.stream] = evolve(state, event.data) if state is not None else None

    def lose(self, stream: str) -> None:
        """Forget what an archive holds, since an event of it cannot be read."""
        if stream.startswith("archive-"):
            self._states[stream] = None

    def dim(self, stream: str) -> None:
        """Note that a text of an archive is gone: which texts are the same cannot be told any more."""
        self._dim.add(stream)


def _faults(state: ArchiveState, data: Event, *, dim: bool) -> list[tuple[str, str]]:
    """Return what is wrong with a change of an archive, as (found, wanted); nothing where all is well. Pure."""
    count = len(state.passages)
    match data:
        case PassageInserted(n=n) if n != count + 1:
            return [(f"p{n} after {count} passages", f"p{count + 1}")]
        case PassageUpdated(n=n) | PassageDeleted(n=n) if not state.stands(n):
            was = "was deleted" if n in state.passages else "was never stored"
            return [(f"{type(data).__name__} of p{n}, which {was}", "a passage that is there")]
        case PassageInserted() | PassageUpdated():
            return _same_fault(state, data, dim=dim)
        case _:
            return []


def _same_fault(state: ArchiveState, data: PassageInserted | PassageUpdated, *, dim: bool) -> list[tuple[str, str]]:
    found = (data.same, data.same_at)
    wanted = state.same(data.text, data.n) or (0, 0)
    if dim and state.stands(data.same) and data.same != data.n and state.passages[data.same].version == data.same_at:
        return []
    if found == tuple(wanted) or (dim and not data.same):
        return []
    said = f"p{wanted[0]}, in version {wanted[1]}" if wanted[0] else "no passage"
    return [(f"the same text in p{data.same}, version {data.same_at}", f"{said}, as the archive stands")]
