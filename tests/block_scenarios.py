"""What the crash campaigns run of blocks: edits by agents and people, undo and redo, another label, the end of one."""

from __future__ import annotations

from contextlib import suppress

from callboard import Block, RequestFailed, System
from callboard.events import SpecError

from .scripted import Scenario, agent, script

PLAN = Block("plan", "one\ntwo\nthree", tags=("team",))
RULES = Block("rules", "be kind", locked=True)
NOTES = Block("notes", "none yet", owned=True)


async def edited(system: System) -> list[str]:
    """Let agents edit, take it back and make it again, and go on under another label."""
    plan = system.block("plan")
    said = [(await system["a"].ask("go", key="k1")).text]
    said += [(await plan.undo(key="u1", by="Ana"))[:5], (await plan.redo(key="u2"))[:5]]
    await plan.configure(limit=9_000, tags=["team", "now"], key="c1")
    await plan.rename("schedule", key="r1")
    said.append((await system["b"].ask("go", key="k2")).text)
    said.append((await plan.append("by hand", key="e1", by="mary-ann"))[:5])
    with suppress(RequestFailed):  # it is over the limit, every time
        await plan.append("x" * 10_000, key="e2")
    return said


async def given_and_taken(system: System) -> list[str]:
    """Give and take a block between turns, then end it. Whoever comes again after a crash may find it done."""
    a = system["a"]
    with suppress(SpecError):  # it may be retired already
        await a.attach("spare")
    said = [(await a.ask("go", key="k1")).text]
    with suppress(SpecError):
        await a.detach("spare")
    with suppress(SpecError):
        await a.detach("plan")
    said.append((await a.ask("go", key="k2")).text)
    await system.block("spare").retire(key="r1", by="Ana")
    await system.block("plan").retire(key="r2")
    said.append((await system["b"].ask("go", key="k3")).text)
    return said


INSERT = ("memory_insert", {"label": "plan", "line": 1, "text": "inserted"})
SPARE = ("memory_append", {"label": "spare", "text": "more"})

BLOCKS = [
    Scenario(
        "edits, undone and under another label",
        (agent("a", blocks=(PLAN, RULES, NOTES)), agent("b", blocks=(PLAN, NOTES))),
        script(
            {
                "a": [
                    INSERT,
                    ("memory_append", {"label": "rules", "text": "no"}),
                    ("memory_append", {"label": "notes", "text": "mine"}),
                    ("memory_append", {"label": "plan", "text": "5→ pasted"}),
                    ("memory_append", {"label": "plan", "text": "four"}),
                ],
                "b": [
                    ("memory_replace", {"label": "schedule", "old": "two", "new": "2"}),
                    ("memory_insert", {"label": "schedule", "line": 0, "text": "top"}),
                    ("memory_append", {"label": "nowhere", "text": "x"}),
                ],
            }
        ),
        edited,
    ),
    Scenario(
        "blocks that people give, take and retire",
        (agent("a", blocks=(PLAN, NOTES)), agent("b", blocks=(PLAN,)), Block("spare", "none")),
        script({"a": [SPARE, INSERT], "b": [INSERT]}),
        given_and_taken,
        loose=True,
    ),
]
