"""The value of a memory block, who changed it, and where its lines went."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile

from callboard.events import Event
from callboard.events.catalog import BlockChanged, BlockEdited, BlockRetired, BlockStarted
from callboard.events.specs import BlockSpec
from callboard.events.text import ERASED

from .desk import Desk
from .desk import evolve as evolve_desk
from .growing import Growing
from .lines import Moved, carried, count, moved
from .pairs import paired
from .projection import Projection
from .states import replace
from .words import name_of

UNSHOWN = frozenset({"value", "tags", "metadata"})
"""Fields of a block's spec that stand in no prompt."""


@dataclass(frozen=True, slots=True)
class Change:
    """An edit that landed.

    Attributes:
        version: The version of the stream that it made.
        by: The stream of who asked for it.
        moved: What it did to the lines.
        person: The name of the person who did, where one was given.
        undoes, redoes: The version whose edit it took back, or made again; 0 of any other.
    """

    version: int
    by: str
    moved: Moved
    person: str = ""
    undoes: int = 0
    redoes: int = 0


@dataclass(frozen=True)
class BlockState:
    """State of one memory block.

    Attributes:
        declared: As it was last started; people may have changed it since.
        events: Events of the stream so far, refused edits counted: its version.
        version: The version that set what a prompt shows of it.
        changes: Every edit that landed, oldest first.
    """

    spec: BlockSpec | None = None
    declared: BlockSpec | None = None
    desk: Desk = Desk()
    events: int = 0
    version: int = 0
    value: str = ""
    changes: Growing[Change] = field(default_factory=Growing[Change])

    def changes_since(self, version: int) -> list[Change]:
        """Return the edits that landed after `version`, oldest first. Pure."""
        return list(takewhile(lambda change: change.version > version, reversed(self.changes)))[::-1]

    def others_since(self, version: int, me: str) -> tuple[str, ...]:
        """Return the streams other than `me` that changed the block after `version`, oldest first. Pure."""
        return tuple(dict.fromkeys(change.by for change in self.changes_since(version) if change.by != me))

    def editors_since(self, version: int, me: str, person: str = "") -> tuple[str, ...]:
        """Return the names of those who changed the block after `version`, oldest first, but this one. Pure."""
        others = [one for one in self.changes_since(version) if (one.by, one.person) != (me, person)]
        return tuple(dict.fromkeys(change.person or name_of(change.by) for change in others))

    def place_since(self, version: int, place: int) -> int:
        """Return where a place between lines of the value at `version` is now. Pure."""
        return carried(place, (change.moved for change in self.changes_since(version)))

    def lines_at(self, version: int) -> int:
        """Return how many lines the value had at `version`. Pure."""
        since = [change.moved for change in self.changes_since(version)]
        return count(self.value) - sum(came - gone for _, gone, came in since)

    def to_undo(self) -> int:
        """Return the version of the newest edit that was not taken back; 0 without one. Pure."""
        settled = set[int]()
        for change in reversed(self.changes):
            about = change.undoes or change.redoes or change.version
            if about not in settled and not change.undoes:
                return about
            settled.add(about)
        return 0

    def to_redo(self) -> int:
        """Return the version of the edit that was taken back last, with no other edit since; 0 without one. Pure."""
        settled = set[int]()
        for change in takewhile(lambda change: change.undoes or change.redoes, reversed(self.changes)):
            if change.undoes and change.undoes not in settled:
                return change.undoes
            settled.add(change.undoes or change.redoes)
        return 0


def spliced(value: str, edit: BlockEdited) -> str:
    """Return `value` after `edit`. Pure."""
    before, put = mended(value, edit)
    return _joined(before, edit, put)


def mended(value: str, edit: BlockEdited) -> tuple[str, str]:
    """Return the value that `edit` found, and what it put: what stands for an erased text takes up its room. Pure.

    So later edits, which are recorded by place, land where they did. How much room it had follows from the sizes.
    """
    put, more = str(edit.put), len(edit.before) + len(edit.after) - edit.cut
    if put == ERASED:
        value = _of_length(edit.at + edit.cut) if value == ERASED else value
        return value, _of_length(edit.size - len(value) - more)
    if (missing := edit.size - len(value) - len(put) - more) and ERASED in value:
        value = value.replace(ERASED, _of_length(len(ERASED) + missing), 1)
    return value, put


def _joined(value: str, edit: BlockEdited, put: str) -> str:
    return f"{value[: edit.at]}{edit.before}{put}{edit.after}{value[edit.at + edit.cut :]}"


def _of_length(size: int) -> str:
    """Return what stands for an erased text of `size` characters. Pure."""
    return ERASED[: max(size, 0)].ljust(size)


def evolve(state: BlockState, event: Event) -> BlockState:
    """Return `state` after `event`. Pure."""
    state = replace(state, events=state.events + 1)
    match event:
        case BlockStarted(spec=spec):
            value = str(spec.value) if state.spec is None else state.value  # one that comes back is as it was
            desk = evolve_desk(state.desk, event)
            return replace(state, spec=spec, declared=spec, version=state.events, value=value, desk=desk)
        case BlockChanged():
            return _changed(state, event)
        case BlockEdited(at=at, cut=cut):
            put = f"{event.before}{event.put}{event.after}"
            changes = state.changes.plus(_change(state, event, moved(state.value, at, cut, put)))
            return replace(state, version=state.events, value=spliced(state.value, event), changes=changes)
        case BlockRetired():
            return replace(state, desk=evolve_desk(state.desk, event))
        case _:
            return state


def _change(state: BlockState, edit: BlockEdited, lines: Moved) -> Change:
    undoes, redoes = (edit.of if edit.verb == verb else 0 for verb in ("undo", "redo"))
    return Change(state.events, edit.to, lines, edit.by, undoes, redoes)


def _changed(state: BlockState, event: BlockChanged) -> BlockState:
    """Return `state` with another spec: of one that was declared, only what differs from the declared one before."""
    before, declared, spec = state.spec, state.declared, event.spec
    if not event.by and before is not None and declared is not None:
        fields = {name: getattr(spec, name) for name in type(spec).model_fields}
        differing = {name: value for name, value in fields.items() if value != getattr(declared, name)}
        spec = before.model_copy(update=differing)
    told = before is None or any(
        getattr(spec, name) != getattr(before, name) for name in type(spec).model_fields if name not in UNSHOWN
    )
    declared = declared if event.by else event.spec
    return replace(state, spec=spec, declared=declared, version=state.events if told else state.version)


block_state: Projection[BlockState] = Projection("block", BlockState, lambda state, event: evolve(state, event.data))


def difference(old: str, new: str) -> tuple[str, ...]:
    """Return the changed lines between two values, each with `+`, `-` or a blank before it. Pure."""
    before, after = _lines(old), _lines(new)
    if before == after and old != new:  # only the last line end differs
        before, after = old.split("\n"), new.split("\n")
    told = _told(before, after)
    near = zip(["", *told], told, [*told[1:], ""], strict=False)  # a line that stays is told beside one that changed
    return tuple(line for last, line, next in near if {last[:1], line[:1], next[:1]} & {"-", "+"})


def _told(before: list[str], after: list[str]) -> list[str]:
    """Return all lines of both texts in their order, those that differ with `-` or `+` before them."""
    stays = sorted((i, j) for j, i in paired(before, after).items())
    told, gone, come = list[str](), 0, 0
    for i, j in [*stays, (len(before), len(after))]:
        told += [f"-{line}" for line in before[gone:i]] + [f"+{line}" for line in after[come:j]]
        told += [f" {line}" for line in before[i : i + 1]]
        gone, come = i + 1, j + 1
    return told


def _lines(value: str) -> list[str]:
    """Return the lines of `value` as they are counted: parted by newlines alone, the last newline ends one."""
    return value.removesuffix("\n").split("\n") if value else []


def changed(old: str, edit: BlockEdited) -> tuple[str, ...]:
    """Return what `edit` changes, at a cost that is not the block's length: its lines and one on each side. Pure."""
    line = old.rfind("\n", 0, edit.at)
    start = 0 if line < 0 else old.rfind("\n", 0, line) + 1
    line = old.find("\n", edit.at + edit.cut)
    end = -1 if line < 0 else old.find("\n", line + 1)
    end = len(old) if end < 0 else end + 1
    moved = edit.model_copy(update={"at": edit.at - start})
    return difference(old[start:end], _joined(old[start:end], moved, str(edit.put)))
