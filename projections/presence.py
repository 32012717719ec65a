"""When a text stood in a block, blanks not counted: from which version up to which, and who was told when refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callboard.events import RecordedEvent
from callboard.events.catalog import BlockEditRefused

from .answers import quoted_in
from .blame import Blame
from .runs import Run

LINE = 0
"""What the text of a line goes by, where one is looked for: no version has this number."""


class Presence:
    """When the text of each version stood in a block, and that of one line. Changed in place by its one fold.

    Args:
        line: The characters of the line.
    """

    def __init__(self, line: Sequence[Run] = ()) -> None:
        self.blame = Blame()
        self._line = line
        self._counts: dict[int, int] = {}
        self._times: dict[int, list[list[int | None]]] = {}
        self._answers: dict[int, list[tuple[str, str]]] = {}

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in."""
        if isinstance(event.data, BlockEditRefused):
            self._tell(event.data)
        before = dict[int, int]()
        for change in self.blame.take(event):
            for runs, sign in ((change.cut, -1), (change.put, 1)):
                for owner, size in self._sizes(runs):
                    count = self._counts.get(owner, 0)
                    before.setdefault(owner, count)
                    self._counts[owner] = count + sign * size
        for version, count in before.items():
            self._note(version, count, event.version)

    def _tell(self, refused: BlockEditRefused) -> None:
        """Note whose text the answer to a refused edit shows."""
        parts = (self.blame.runs(start, end) for start, end in quoted_in(refused.text, self.blame.value))
        for owner in {owner for runs in parts for owner, size in self._sizes(runs) if size}:
            self._answers.setdefault(owner, []).append((refused.to, refused.id))

    def _sizes(self, runs: Sequence[Run]) -> Iterator[tuple[int, int]]:
        """Yield whose text each of `runs` is, and how many characters of it count."""
        for version, text in self.blame.fragments(runs):
            yield version, self._size(version, text)
        for first, length in self._line:
            of_line = ((max(f, first), min(f + n, first + length)) for f, n in runs)
            for version, text in self.blame.fragments((f, end - f) for f, end in of_line if end > f):
                yield LINE, self._size(version, text)

    def _size(self, version: int, text: str) -> int:
        """Return how many characters of `text` are no blanks; where it was erased, any might have been one or not."""
        return len(text.replace("\n", "")) if version in self.blame.erased else len("".join(text.split()))

    def _note(self, version: int, before: int, now: int) -> None:
        times = self._times.setdefault(version, [])
        if not before and self._counts[version]:
            times.append([now, None])
        elif before and not self._counts[version]:
            times[-1][1] = now

    def times(self, version: int) -> list[tuple[int, int | None]]:
        """Return when text of `version`, or of `LINE`, stood in the block: from which version of it, up to which.

        The last is not included, and None where the text stands there still.
        """
        return [(start or 0, end) for start, end in self._times.get(version, [])]

    def answers(self, version: int) -> list[tuple[str, str]]:
        """Return the refused edits whose answers showed text of `version`, or of `LINE`, as (who asked, their id)."""
        return self._answers.get(version, [])
