"""What the campaigns run of search: agents that look through what they heard before, while all goes on."""

from __future__ import annotations

from callboard import Group, System

from .scripted import Everyone, Scenario, agent, script
from .world import pay

SEARCH = "conversation_search"


async def twice(system: System) -> list[str]:
    first = await system["team"].ask("tides", key="k1")
    second = await system["team"].ask("what of the tides?", key="k2")
    return [first.text, second.text]


A = agent("a", pay, SEARCH)
B = agent("b", SEARCH)

SEARCHING = [
    Scenario(
        "two that search what they heard",
        (Group("team", (A, B), Everyone()),),
        script(
            {
                "a": [("pay", {}), (SEARCH, {"query": "tides"}), (SEARCH, {"start": "never"})],
                "b": [(SEARCH, {"query": "", "roles": ["user"], "limit": 2}), (SEARCH, {"limit": 0})],
            }
        ),
        twice,
    )
]
