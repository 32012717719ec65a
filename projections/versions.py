"""The history of a memory block: each version, who made it, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from callboard.events import RecordedEvent
from callboard.events.catalog import BlockChanged, BlockEdited, BlockEditRefused, BlockRetired, BlockStarted
from callboard.events.specs import BlockSpec

from .block import BlockState, changed, difference, evolve, spliced
from .projection import Projection
from .words import name_of

EVERY = 64
"""How many edits there are from one value that is kept whole to the next."""

OF_LIFE = ("start", "change", "retire")
"""Verbs of what is no edit."""


class Values:
    """Every value that a block ever had, at the cost of its edits, and of a whole one now and then."""

    def __init__(self) -> None:
        self._whole = [""]
        self._edits: list[BlockEdited] = []
        self._asked = 0, ""

    def begin(self, value: str) -> None:
        """Take the first value."""
        self._whole[0] = value

    def plus(self, edit: BlockEdited, value: str) -> None:
        """Take an edit, with the value that it made."""
        self._edits.append(edit)
        if len(self._edits) % EVERY == 0:
            self._whole.append(value)

    def __len__(self) -> int:
        return len(self._edits)

    def after(self, edits: int) -> str:
        """Return the value after the first so many edits."""
        whole = edits // EVERY
        at, value = whole * EVERY, self._whole[whole]
        if at < self._asked[0] <= edits:
            at, value = self._asked
        for edit in self._edits[at:edits]:
            value = spliced(value, edit)
        self._asked = edits, value
        return value


@dataclass(frozen=True, slots=True)
class BlockVersion:
    """One step in the life of a block.

    Attributes:
        by: The stream of who asked for it: an agent's, or `user`; empty where it was started.
        call: The id of the tool call, or of the request from outside.
        verb: `start`, `change` (of its spec), `retire`, or the name of the edit.
        diff: What it changed, as lines of a unified diff without a header.
        refused: Why it did not land; empty where it did.
        person: The name of the person who asked, where one was given.
        of: The version that an undo took back, or a redo made again; 0 of any other.
    """

    position: int
    version: int
    at: datetime
    by: str
    call: str
    verb: str
    diff: tuple[str, ...]
    refused: str = ""
    person: str = ""
    of: int = 0
    values: Values = field(default_factory=Values, repr=False, compare=False)
    edits: int = field(default=0, repr=False, compare=False)

    @property
    def value(self) -> str:
        """What the block held then."""
        return self.values.after(self.edits)

    @property
    def is_edit(self) -> bool:
        """Whether it changed the value."""
        return not self.refused and self.verb not in OF_LIFE

    @property
    def editor(self) -> str:
        """The name of who asked for it; empty where it was started."""
        return self.person or (name_of(self.by) if self.by else "")


@dataclass(slots=True)
class BlockHistory:
    """Every version of a block, and every edit that was refused, oldest first."""

    state: BlockState = field(default_factory=BlockState)
    versions: list[BlockVersion] = field(default_factory=list[BlockVersion])
    values: Values = field(default_factory=Values, repr=False, compare=False)

    def version_at(self, *, version: int | None = None, position: int | None = None) -> BlockVersion | None:
        """Return the newest step not after a version of the stream, or a position of the log; None before the first."""
        newest = None
        for step in self.versions:
            if (version is not None and step.version > version) or (position is not None and step.position > position):
                break
            newest = step
        return newest


def _remember(history: BlockHistory, event: RecordedEvent) -> BlockHistory:
    before, data = history.state, event.data
    history.state = evolve(before, data)
    place = event.position, event.version, event.recorded_at
    match data:
        case BlockStarted() if before.spec is None:
            history.values.begin(history.state.value)
            diff = difference("", history.state.value)
            step = BlockVersion(*place, "", "", "start", diff)
        case BlockStarted():
            step = BlockVersion(*place, "", "", "start", ())
        case BlockChanged(by=by):
            step = BlockVersion(*place, "user" if by else "", "", "change", altered(before.spec, history.state.spec))
        case BlockEdited(id=id, to=to, verb=verb, of=of):
            history.values.plus(data, history.state.value)
            step = BlockVersion(*place, to, id, verb, changed(before.value, data), of=of)
        case BlockEditRefused(id=id, to=to, verb=verb, text=text):
            step = BlockVersion(*place, to, id, verb, (), refused=str(text))
        case BlockRetired(id=id):
            step = BlockVersion(*place, "user", id, "retire", ())
        case _:
            return history
    history.versions.append(_of(history, step, getattr(data, "by", "")))
    return history


def _of(history: BlockHistory, step: BlockVersion, person: str) -> BlockVersion:
    """Return `step` with who asked, and where its value is found."""
    return BlockVersion(
        step.position, step.version, step.at, step.by, step.call, step.verb, step.diff, step.refused,
        person if person != "user" else "", step.of, history.values, len(history.values),
    )  # fmt: skip


def altered(old: BlockSpec | None, new: BlockSpec | None) -> tuple[str, ...]:
    """Return what differs between two specs but the first value, as lines of a diff. Pure."""
    if old is None or new is None:
        return ()
    found: list[str] = []
    for name in type(new).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before != after and name != "value":
            found += [f"-{name}: {before}", f"+{name}: {after}"]
    return tuple(found)


block_history: Projection[BlockHistory] = Projection("block_history", BlockHistory, _remember)
