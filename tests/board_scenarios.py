"""What the crash campaign runs of blocks that hold JSON: a board that two claim from, and a list of items."""

from __future__ import annotations

from callboard import Agent, Block, Board, Group, RequestFailed, RoundRobin, System

from .scripted import Everyone, Scenario, Wants, agent, asking, script
from .world import pay

PARTS = [{"id": f"t{n}", "description": f"part {n}"} for n in (1, 2, 3)]
TASKS = Board(value={"active_tasks": PARTS})
DATED = Board(value={"active_tasks": PARTS, "last_updated": "2025-04-09T08:00:00Z"})  # only where it is a race
FACTS = Block("facts", schema={"type": "array", "items": {"type": "object", "required": ["id", "text"]}})
CLAIM = ("task_claim", {"label": "tasks"})
CLAIMS: Wants = {
    "a": [CLAIM, ("pay", {}), ("task_complete", {"label": "tasks", "id": "t1", "result": "paid"})],
    "b": [CLAIM, CLAIM, CLAIM],
}


def item(n: int, text: str) -> dict[str, object]:
    return {"label": "facts", "item": {"id": n, "text": text}}


async def by_hand(system: System) -> list[str]:
    """Ask, with a person who adds a task before and claims one after."""
    said = [await system.block("tasks").edit("task_add", key="e1", description="by hand")]
    answer = await system["team"].ask("go", key="k1")
    try:
        said.append(await system.block("tasks").edit("task_claim", key="e2", id="task-001"))
    except RequestFailed as error:
        said.append(str(error))
    return [*(one[:30] for one in said), answer.text]


def pair(*boards: Block) -> tuple[Agent, Agent]:
    return agent("a", pay, blocks=boards), agent("b", blocks=boards)


BOARDS = [
    Scenario(
        "claims, one after the other",
        (Group("team", pair(TASKS), RoundRobin(max_turns=2)),),
        script(CLAIMS),
        asking("team"),
    ),
    Scenario(
        "two claim at once", (Group("team", pair(DATED), Everyone()),), script(CLAIMS), asking("team"), loose=True
    ),
    Scenario(
        "a board of a group, and a person",
        (Group("team", pair(), RoundRobin(max_turns=2), blocks=(Board(),)),),
        script({"a": [("task_add", {"label": "tasks", "description": "more"})], "b": [CLAIM]}),
        by_hand,
    ),
    Scenario(
        "two update one item",
        (Group("team", pair(FACTS), RoundRobin(max_turns=2)),),
        script(
            {
                "a": [("memory_item_add", item(1, "tides")), ("memory_item_add", item(1, "again"))],
                "b": [
                    ("memory_item_update", {"label": "facts", "id": 1, "changes": {"seen": True}}),
                    ("memory_item_add", {"label": "facts", "item": {"id": 2}}),
                    ("memory_item_remove", {"label": "facts", "id": 3}),
                ],
            }
        ),
        asking("team"),
    ),
]
