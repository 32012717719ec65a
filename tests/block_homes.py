"""A system in memory whose blocks are looked at: the prompt that an agent reads, and whether all is as the log says."""

from __future__ import annotations

import json

from callboard import ModelReply
from callboard.actors.testing import words_in
from callboard.projections.request import rebuilt

from .forgeries import head_of
from .harness import states
from .homes import Home
from .logs import audited, checked, rows_of

APPEND = ModelReply("", [("memory_append", json.dumps({"label": "plan", "text": "x"}))])


async def prompt(here: Home, name: str) -> str:
    """Return the prompt that an agent reads in its next turn, which is what the log gives again."""
    await here.system[name].ask("go")
    starts = [e async for e in here.store.read_stream(f"agent-{name}") if e.type == "ModelCallStarted"]
    read = here.model.prompts[name][-1]
    again = await rebuilt(here.store, f"agent-{name}", starts[-1].version)
    assert "\n".join(words_in(message) for message in again) == read
    return read


async def as_folded(here: Home) -> None:
    """See that what lives is what the log says, and that neither verify nor the audit finds a fault in it."""
    await here.rest()
    folded = states([event async for event in here.store.read_all()])
    assert {stream: await here.system.look(stream) for stream in folded} == folded
    rows = rows_of(here.store)
    assert not checked(rows, head_of(rows)).findings.kept and not audited(rows).findings
