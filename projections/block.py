"""The value of a memory block, and who changed it when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import unified_diff

from callboard.events import Event, RecordedEvent
from callboard.events.catalog import BlockChanged, BlockEdited, BlockEditRefused, BlockStarted
from callboard.events.specs import BlockSpec

from .desk import Desk
from .growing import Growing
from .projection import Projection


@dataclass(frozen=True, slots=True)
class Change:
    """An edit that landed: the version of the stream that it made, and the stream of who asked for it."""

    version: int
    by: str


@dataclass(frozen=True, slots=True)
class BlockState:
    """State of one memory block.

    Attributes:
        events: Events of the stream so far, refused edits counted: its version.
        version: The version that set the value.
        changes: Every edit that landed, oldest first.
    """

    spec: BlockSpec | None = None
    desk: Desk = Desk()
    events: int = 0
    version: int = 0
    value: str = ""
    changes: Growing[Change] = field(default_factory=Growing[Change])

    def others_since(self, version: int, me: str) -> tuple[str, ...]:
        """Return the streams other than `me` that changed the block after `version`, oldest first. Pure."""
        found: list[str] = []
        for change in reversed(self.changes):
            if change.version <= version:
                break
            if change.by != me:
                found.append(change.by)
        return tuple(dict.fromkeys(reversed(found)))


def spliced(value: str, edit: BlockEdited) -> str:
    """Return `value` after `edit`. Pure."""
    return f"{value[: edit.at]}{edit.before}{edit.put}{edit.after}{value[edit.at + edit.cut :]}"


def evolve(state: BlockState, event: Event) -> BlockState:
    """Return `state` after `event`. Pure."""
    state = replace(state, events=state.events + 1)
    match event:
        case BlockStarted(spec=spec):
            return replace(state, spec=spec, version=state.events, value=str(spec.value))
        case BlockChanged(spec=spec):
            return replace(state, spec=spec, version=state.events)
        case BlockEdited(to=to):
            changes = state.changes.plus(Change(state.events, to))
            value = spliced(state.value, event)
            return replace(state, version=state.events, value=value, changes=changes)
        case _:
            return state


block_state: Projection[BlockState] = Projection("block", BlockState, lambda state, event: evolve(state, event.data))


@dataclass(frozen=True, slots=True)
class BlockVersion:
    """One step in the life of a block.

    Attributes:
        by: The stream of who asked for it: an agent's, or `user`; empty for the first value.
        call: The id of the tool call, or of the request from outside.
        verb: `start`, or the name of the edit.
        refused: Why it did not land; empty where it did.
        diff: What it changed, as lines of a unified diff without a header.
    """

    position: int
    version: int
    at: datetime
    by: str
    call: str
    verb: str
    value: str
    diff: tuple[str, ...]
    refused: str = ""


@dataclass(slots=True)
class BlockHistory:
    """Every version of a block, and every edit that was refused, oldest first."""

    state: BlockState = field(default_factory=BlockState)
    versions: list[BlockVersion] = field(default_factory=list[BlockVersion])


def difference(old: str, new: str) -> tuple[str, ...]:
    """Return the changed lines between two values, each with `+`, `-` or a blank before it. Pure."""
    lines = unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm="")
    return tuple(line for line in lines if not line.startswith(("---", "+++", "@@")))


def _remember(history: BlockHistory, event: RecordedEvent) -> BlockHistory:
    old = history.state.value
    history.state = evolve(history.state, event.data)
    new = history.state.value
    step: BlockVersion | None = None
    place = event.position, event.version, event.recorded_at
    match event.data:
        case BlockStarted():
            step = BlockVersion(*place, "", "", "start", new, difference("", new))
        case BlockEdited(id=id, to=to, verb=verb):
            step = BlockVersion(*place, to, id, verb, new, difference(old, new))
        case BlockEditRefused(id=id, to=to, verb=verb, text=text):
            step = BlockVersion(*place, to, id, verb, new, (), refused=str(text))
        case _:
            pass
    if step is not None:
        history.versions.append(step)
    return history


block_history: Projection[BlockHistory] = Projection("block_history", BlockHistory, _remember)
