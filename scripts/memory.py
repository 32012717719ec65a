"""`callboard memory`: what a team remembers, who wrote it, and edits by people."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import RenderableType

from callboard.events import SQLiteStore
from callboard.projections import BlockHistory
from callboard.projections import replay as folded
from callboard.projections.shapes import block_shape
from callboard.projections.whole import whole
from callboard.projections.words import name_of
from callboard.scripts import memory_edits, memory_views
from callboard.scripts.border import FINE
from callboard.scripts.main import VERBS, main
from callboard.scripts.memory_archive import archive, forget, insert
from callboard.scripts.memory_blame import blame, impact
from callboard.scripts.memory_search import search
from callboard.scripts.screen import columns, many, print_json, show, styled

memory = App(name="memory", help=VERBS["memory"], help_format="plaintext")

AsJson = Annotated[bool, Parameter(name="--json", negative="")]


@memory.command(name="list")
async def listing(log: str, /, *, as_json: AsJson = False) -> int:
    """List the memory blocks of a log, with how full each is and how often it was edited.

    Parameters
    ----------
    log
        The log: a file.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        blocks = (await folded(store, whole)).blocks
    if as_json:
        print_json({"blocks": {name_of(stream): block_shape(history) for stream, history in blocks.items()}})
    elif blocks:
        show(columns(*(_line(stream, history) for stream, history in blocks.items())))
    else:
        show(styled(("this log has no memory blocks", "dim")))
    return FINE


def _line(stream: str, history: BlockHistory) -> tuple[RenderableType, ...]:
    state, edits = history.state, len(history.state.changes)
    limit = state.spec.limit if state.spec else 0
    label, retired = (state.spec.label, state.desk.retired) if state.spec else ("", False)
    called = f" (label {label})" if label not in ("", name_of(stream), name_of(stream).partition(".")[2]) else ""
    locked = ", locked" if state.spec and state.spec.read_only else ""
    name = styled((name_of(stream), "bold"), called)
    return (
        name,
        styled(f"version {state.version}"),
        styled(f"{len(state.value):,} of {limit:,} characters"),
        styled((f"{many(edits, 'edit')}{', retired' if retired else locked}", "dim")),
    )


for _verb in (archive, insert, forget, search, blame, impact):
    memory.command(_verb)
memory.command("callboard.scripts.memory_board:board", name="board", help="Show the tasks on the boards of a log.")
for _verb in (memory_edits.edit, memory_edits.undo, memory_edits.redo, memory_edits.rename, memory_edits.retire):
    memory.command(_verb)
memory.command(memory_views.show_value, name="show")
memory.command(memory_views.show_history, name="history")
memory.command(memory_views.diff)


if __name__ == "__main__":
    sys.exit(main(["memory", *sys.argv[1:]]))
