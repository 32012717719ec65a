"""Undo and redo: edits by people that bring back what was. Who asks reads the history; the block decides. All pure."""

from __future__ import annotations

from pydantic import JsonValue

from callboard.projections import BlockState
from callboard.projections.lines import common
from callboard.projections.uses import PEOPLE

from .commands import Receive

VERBS = ("undo", "redo")


def about(state: BlockState, verb: str) -> int:
    """Return the version of the edit that `verb` is about now; 0 where there is none."""
    return state.to_undo() if verb == "undo" else state.to_redo()


def wanted(state: BlockState, verb: str, before: str, after: str) -> dict[str, JsonValue]:
    """Return what to ask of a block at `state`, where the edit that `verb` is about made `after` of `before`."""
    back = before if verb == "undo" else after
    same = common(state.value, back)
    tail = common(state.value[same:][::-1], back[same:][::-1])
    cut = len(state.value) - same - tail
    return {"of": about(state, verb), "at": same, "cut": cut, "text": back[same : len(back) - tail]}


def refusal(state: BlockState, request: Receive, *, of: int, at: int, cut: int) -> str:
    """Return why an undo or a redo cannot be; empty where it can."""
    if request.sender != PEOPLE:
        return f"only people can {request.edit} an edit"
    newest = about(state, request.edit)
    if not newest:
        none = "no edit stands that was not taken back" if request.edit == "undo" else "the newest edit is no undo"
        return f"there is nothing to {request.edit}: {none}"
    if state.changes_since(request.seen) or of != newest:
        return f"the block changed since you read it at version {request.seen}; look at it, and {request.edit} again"
    if at + cut > len(state.value):
        return f"characters {at} to {at + cut} are not within the {len(state.value):,} that there are"
    return ""
