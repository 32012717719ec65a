"""Who wrote what of a memory block: each character is attributed to the version that wrote it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from callboard.events import CallboardError, RecordedEvent, Text
from callboard.events.catalog import BlockChanged, BlockEdited, BlockStarted
from callboard.events.specs import BlockSpec
from callboard.events.text import ERASED

from .block import BlockState, evolve, mended, spliced
from .paths import call_of
from .projection import Projection
from .runs import Run, Runs, kept
from .uses import PEOPLE
from .words import name_of

LINES, ITEMS = "\n", "\n,{}[]"
"""What parts one line from the next where a passage changed: in a text, and in JSON."""


class NotInBlock(CallboardError):
    """A line or a version that a block does not have; says which there are."""


@dataclass(frozen=True, slots=True)
class Written:
    """A version of a block: what wrote it, when.

    Attributes:
        by: The stream of who asked for it: an agent's, or `user`; empty for the first value.
        verb: `start`, or the name of the edit.
        call: The id of the tool call, or of the request from outside; empty for the first value.
        person: The name of the person who asked, where one was given.
    """

    version: int
    position: int
    at: datetime
    by: str
    verb: str
    call: str
    person: str = ""

    @property
    def editor(self) -> str:
        """The name of who asked for it; empty for the first value."""
        return self.person or name_of(self.by)

    @property
    def tool(self) -> str:
        """The id of the tool call that it came of, also where that makes several edits; else as `call`."""
        return call_of(self.call)[0] if self.by.startswith("agent-") else self.call


@dataclass(frozen=True, slots=True)
class BlamedLine:
    """A line of a block.

    Attributes:
        number: From 1.
        version: The newest version that wrote a part of it; of a blank line, the one that ended it.
        parts: Who wrote it from left to right, as (version, characters); the newline is not counted.
    """

    number: int
    text: str
    version: int
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit did: at character `at`, these characters gave way to those."""

    at: int
    cut: tuple[Run, ...]
    put: tuple[Run, ...]

    @property
    def inverse(self) -> Change:
        """What takes it back."""
        return Change(self.at, self.put, self.cut)


class Blame:
    """A block, each character with the version that wrote it. Changed in place by its one fold.

    A text that gives way to another keeps its lines, and who wrote them, where they are equal and in the same
    order. What an `undo` brings back is attributed as it was before.

    Attributes:
        version: The version that set the value; 0 before the first.
        written: The first value and every edit that landed, by version.
        erased: The versions whose text was erased.
    """

    def __init__(self) -> None:
        self._declared = BlockState()  # what it was started and changed as, and no edits
        self.version = 0
        self.value = ""
        self.written: dict[int, Written] = {}
        self.erased: set[int] = set()
        self._runs = Runs()
        self._firsts: list[int] = []  # number of the first character that each version wrote, in order
        self._versions: list[int] = []
        self._texts: list[str] = []
        self._next = 0
        self._changes: dict[int, Change] = {}

    def take(self, event: RecordedEvent) -> tuple[Change, ...]:
        """Fold `event` in; return what it did to the value, nothing where that stays."""
        match event.data:
            case BlockStarted() | BlockChanged():
                self._declared = evolve(self._declared, event.data)
                if not self.version:
                    return (self._started(event, str(self._declared.value)),)
            case BlockEdited() as edit:
                return self._edited(event, edit)
            case _:
                pass
        return ()

    @property
    def spec(self) -> BlockSpec | None:
        """The block as it is now; None before it began."""
        return self._declared.spec

    def _started(self, event: RecordedEvent, value: str) -> Change:
        self._note(event, "", "start", "")
        self.erased |= {event.version} if value == ERASED else set()
        return self._apply(Change(0, (), self._fresh([value])), value)

    def _edited(self, event: RecordedEvent, edit: BlockEdited) -> tuple[Change, ...]:
        changes, (found, put) = list[Change](), mended(self.value, edit)
        if found != self.value:  # its first value was erased, and has its room from now on
            whole = self._runs.between(0, self._runs.size)
            changes.append(self._apply(Change(0, whole, self._fresh([found])), found))
        self.erased |= {event.version} if edit.put == ERASED else set()
        edit = edit.model_copy(update={"put": Text(put)})
        value = spliced(self.value, edit)
        self._note(event, edit.to, edit.verb, edit.id, edit.by)
        change = self._again(edit, value)
        if change is None:
            change = self._changes[event.version] = self._changed(edit)
        return (*changes, self._apply(change, value))

    def _note(self, event: RecordedEvent, by: str, verb: str, call: str, person: str = "") -> None:
        self.version, place = event.version, (event.version, event.position, event.recorded_at)
        self.written[event.version] = Written(*place, by, verb, call, person if person != PEOPLE else "")

    def _apply(self, change: Change, value: str) -> Change:
        self._runs.splice(change.at, sum(length for _, length in change.cut), change.put)
        self.value = value
        return change

    def _again(self, edit: BlockEdited, value: str) -> Change | None:
        """Return what `edit` takes back or makes again; None where that does not give `value`."""
        known = self._changes.get(edit.of) if edit.verb in ("undo", "redo") else None
        if known is None:
            return None
        change = known.inverse if edit.verb == "undo" else known
        end = change.at + sum(length for _, length in change.cut)
        if self._runs.between(change.at, end) != change.cut:
            return None
        back = f"{self.value[: change.at]}{self.text(change.put)}{self.value[end:]}"
        return change if back == value or (self.erased and len(back) == len(value)) else None

    def _changed(self, edit: BlockEdited) -> Change:
        at, end = min(edit.at, len(self.value)), min(edit.at + edit.cut, len(self.value))
        words = f"{edit.before}{edit.put}{edit.after}"
        cut = self._runs.between(at, end)
        if not cut:
            return Change(at, (), self._fresh([words]))
        form = self.spec.form if self.spec else "text"
        segments = kept(self.value[at:end], words, LINES if form == "text" else ITEMS)
        return _trimmed(at, cut, self._woven(segments, words, Runs(cut)))

    def _woven(self, segments: Iterable[tuple[int, int]], words: str, cut: Runs) -> tuple[Run, ...]:
        """Return the runs of `words`: those parts that were kept, as they were in `cut`, the others new."""
        woven, at, new = list[list[Run]](), 0, list[tuple[int, str]]()
        for start, length in segments:
            if start < 0:
                new.append((len(woven), words[at : at + length]))
            woven.append(list(cut.between(start, start + length)) if start >= 0 else [])
            at += length
        number = self._next
        self._fresh([text for _, text in new])
        for place, text in new:
            woven[place], number = [(number, len(text))], number + len(text)
        whole = Runs(run for runs in woven for run in runs)
        return whole.between(0, whole.size)

    def _fresh(self, texts: Iterable[str]) -> tuple[Run, ...]:
        """Return the run of what the newest version wrote."""
        said = "".join(texts)
        if not said:
            return ()
        self._firsts.append(self._next)
        self._versions.append(self.version)
        self._texts.append(said)
        self._next += len(said)
        return ((self._firsts[-1], len(said)),)

    def fragments(self, runs: Iterable[Run]) -> Iterator[tuple[int, str]]:
        """Yield the characters of `runs`, in their order, as (version, text)."""
        for first, length in runs:
            end = first + length
            while first < end:
                index = bisect_right(self._firsts, first) - 1
                start = first - self._firsts[index]
                text = self._texts[index][start : start + end - first]
                yield self._versions[index], text
                first += len(text)

    def wrote(self, version: int) -> str:
        """Return what `version` wrote, less what it kept of the text before."""
        index = bisect_right(self._versions, version) - 1
        return self._texts[index] if index >= 0 and self._versions[index] == version else ""

    def text(self, runs: Iterable[Run]) -> str:
        """Return the characters of `runs`."""
        return "".join(text for _, text in self.fragments(runs))

    def spans(self) -> list[tuple[int, int]]:
        """Return who wrote the value, from its beginning to its end, as (version, characters)."""
        return _joined(self.fragments(self._runs.between(0, self._runs.size)))

    def lines(self) -> list[BlamedLine]:
        """Return the lines of the value."""
        found, at = list[BlamedLine](), 0
        spans = self.spans()
        ends, total = list[int](), 0
        for _, size in spans:
            total += size
            ends.append(total)
        for number, text in enumerate(self._split(), start=1):
            index, parts, here = bisect_right(ends, at), list[tuple[int, int]](), at
            while here < at + len(text):
                end = min(ends[index], at + len(text))
                parts.append((spans[index][0], end - here))
                here, index = end, index + 1
            newest = max(version for version, _ in parts) if parts else spans[index][0]
            found.append(BlamedLine(number, text, newest, tuple(parts)))
            at += len(text) + 1
        return found

    def runs(self, start: int, end: int) -> tuple[Run, ...]:
        """Return the characters from `start` to `end`, the last not included."""
        return self._runs.between(start, end)

    def line(self, number: int) -> tuple[Run, ...]:
        """Return the characters of line `number`, from 1; none of a blank one.

        Raises:
            NotInBlock: There is no such line.
        """
        lines = self._split()
        if not 0 < number <= len(lines):
            there = f"the block has {len(lines)}" if lines else "the block is empty"
            raise NotInBlock(f"there is no line {number}; {there}")
        at = sum(len(line) + 1 for line in lines[: number - 1])
        return self._runs.between(at, at + len(lines[number - 1]))

    def one(self, version: int) -> Written:
        """Return what is known of `version`.

        Raises:
            NotInBlock: It is none that wrote a value.
        """
        if version not in self.written:
            known = [str(number) for number in sorted(self.written)]
            some = ", ".join(known if len(known) < 10 else [*known[:4], "…", *known[-4:]])
            raise NotInBlock(f"no edit made version {version}; there are {some or 'none'}")
        return self.written[version]

    def _split(self) -> list[str]:
        return self.value.removesuffix("\n").split("\n") if self.value else []


def _trimmed(at: int, cut: tuple[Run, ...], put: tuple[Run, ...]) -> Change:
    """Return the change less what is the same at both ends, so that what can be undone takes little room. Pure."""
    while cut and put and cut[0] == put[0]:
        at, cut, put = at + cut[0][1], cut[1:], put[1:]
    while cut and put and cut[-1] == put[-1]:
        cut, put = cut[:-1], put[:-1]
    return Change(at, cut, put)


def _joined(fragments: Iterable[tuple[int, str]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for version, text in fragments:
        if found and found[-1][0] == version:
            found[-1] = version, found[-1][1] + len(text)
        else:
            found.append((version, len(text)))
    return found


def _evolve(state: Blame, event: RecordedEvent) -> Blame:
    state.take(event)
    return state


blame: Projection[Blame] = Projection("blame", Blame, _evolve)
"""Who wrote what of a block; over its stream."""
