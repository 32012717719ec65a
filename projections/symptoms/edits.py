"""Agents that take each other's edits of one block back. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from callboard.events.catalog import BlockEdited
from callboard.events.text import ERASED
from callboard.projections.block import spliced
from callboard.projections.words import name_of

from .case import Edit, Shared
from .symptom import Symptom, Thresholds, latest, listed, mark

REMEMBERED = 32
"""Edits of one block that are remembered."""


def undoing(block: Shared, data: BlockEdited, stream: str, position: int, limits: Thresholds) -> Iterator[Symptom]:
    """Take in an edit, and yield that two agents take back what the other does, if they do it too often."""
    old = block.value
    block.value = spliced(old, data)
    trace = data.id.split("/", 1)[0]
    cut, put = _changed(block, old, data)
    edit = Edit(data.to, trace, position, mark(old), mark(block.value), mark(cut), mark(put))
    edit.undoes = "" if ERASED in (old, data.put) else _undone(block, edit)
    block.edits = [*block.edits, edit][-REMEMBERED:]
    if not limits.undoing or not edit.undoes:
        return
    pair = {edit.by, edit.undoes}
    undone = [one for one in block.edits if one.undoes and {one.by, one.undoes} == pair]
    here, limit = [one for one in undone if one.trace == trace], limits.undoing
    if len(here) < limit:
        here, limit = undone, limit * limits.with_news
    if len(here) >= limit and {one.by for one in here} == pair:
        who = sorted(pair)
        names = listed([name_of(one) for one in who])
        text = f"{names} took back each other's edits of the block {name_of(stream)} {len(here)} times"
        positions = latest([one.position for one in here])
        yield Symptom("undoing", trace, tuple(who), name_of(stream), positions, text, len(here), limit)


def _changed(block: Shared, old: str, data: BlockEdited) -> tuple[str, str]:
    """Return what gave way to what; where a line is an item, as whole lines, since many items change alike. Pure."""
    first, end = data.at, data.at + data.cut
    if not block.items:
        return old[first:end], f"{data.before}{data.put}{data.after}"
    first, end = old.rfind("\n", 0, first) + 1, old.find("\n", end)
    after = 0 if end < 0 else len(old) - end
    return old[first : len(old) - after], block.value[first : len(block.value) - after]


def _undone(block: Shared, edit: Edit) -> str:
    """Return whose edit `edit` takes back: the passage is again what it was, or the whole block is. Pure."""
    if edit.before == edit.after or not edit.by.startswith("agent-"):
        return ""
    for other in reversed(block.edits):
        back = (other.put, other.cut) == (edit.cut, edit.put) or other.before == edit.after
        if back and other.by != edit.by and other.by.startswith("agent-"):
            return other.by
    return ""
