"""When a text stood in a block: from which version up to which, blanks not counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from callboard.events import RecordedEvent

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

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in."""
        before = dict[int, int]()
        for change in self.blame.take(event):
            for runs, sign in ((change.cut, -1), (change.put, 1)):
                self._count(before, self.blame.fragments(runs), sign)
                for first, length in self._line:
                    of_line = ((max(f, first), min(f + n, first + length)) for f, n in runs)
                    parts = [(f, end - f) for f, end in of_line if end > f]
                    self._count(before, self.blame.fragments(parts), sign, whose=LINE)
        for version, count in before.items():
            self._note(version, count, event.version)

    def _count(
        self, before: dict[int, int], fragments: Iterable[tuple[int, str]], sign: int, *, whose: int | None = None
    ) -> None:
        for version, text in fragments:
            owner = version if whose is None else whose
            count = self._counts.get(owner, 0)
            before.setdefault(owner, count)
            self._counts[owner] = count + sign * self._size(version, text)

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
