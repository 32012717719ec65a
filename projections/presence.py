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
        change = self.blame.take(event)
        if change is None:
            return
        before = dict[int, int]()
        for runs, sign in ((change.cut, -1), (change.put, 1)):
            self._count(before, self.blame.fragments(runs), sign)
            for first, length in self._line:
                of_line = ((max(f, first), min(f + n, first + length)) for f, n in runs)
                parts = [(f, end - f) for f, end in of_line if end > f]
                self._count(before, ((LINE, text) for _, text in self.blame.fragments(parts)), sign)
        for version, count in before.items():
            self._note(version, count, event.version)

    def _count(self, before: dict[int, int], fragments: Iterable[tuple[int, str]], sign: int) -> None:
        for version, text in fragments:
            count = self._counts.get(version, 0)
            before.setdefault(version, count)
            self._counts[version] = count + sign * len("".join(text.split()))

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
