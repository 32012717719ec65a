"""What the campaigns run of archival memory: agents and people who store, update and delete passages of one archive."""

from __future__ import annotations

from callboard import Agent, Archive, Group, RoundRobin, System

from .scripted import Everyone, Scenario, Wants, script
from .world import pay

TEAM = Archive("team")
INSERT, UPDATE, DELETE = "archival_memory_insert", "archival_memory_update", "archival_memory_delete"
SEARCH = "archival_memory_search"
TOOLS = (INSERT, SEARCH, UPDATE, DELETE)


def agent(name: str, archive: Archive | None = TEAM) -> Agent:
    return Agent(name, f"You are {name}.", tools=(*TOOLS, pay), archive=archive)


def insert(text: str, *tags: str) -> tuple[str, dict[str, object]]:
    return INSERT, {"content": text, "tags": [*tags]}


A, B, OWN = agent("a"), agent("b"), agent("own", None)

IN_TURNS: Wants = {
    "a": [
        insert("the tide turns", "sea"),
        insert("the moon pulls"),
        ("pay", {}),
        (UPDATE, {"id": "p1", "content": "the tide turns at noon"}),
    ],
    "b": [
        insert("The  MOON pulls"),
        (SEARCH, {"query": "noon"}),  # what others of the same reply change, it may find or not
        (DELETE, {"id": "p2"}),
        (DELETE, {"id": "p2"}),
        (UPDATE, {"id": "p9", "content": "nobody"}),
        insert(" "),
    ],
    "own": [insert("mine"), (UPDATE, {"id": "p1", "content": "mine, too", "tags": ["x"]}), (DELETE, {"id": "p1"})],
}

AT_ONCE: Wants = {
    "a": [insert("a one"), ("pay", {}), insert("a two"), insert("a three")],
    "b": [insert("b one"), insert("b two"), (DELETE, {"id": "p1"})],
}


async def by_hand(system: System) -> list[str]:
    """Let people store and change passages beside the agents."""
    team = system.archive("team")
    said = [await team.insert("by hand", tags=["people"], metadata={"n": 1}, key="i1")]
    said += [(await system["talk"].ask("go", key="k1")).text]
    said += [await team.update("p1", "by hand again", key="u1"), await team.insert("by HAND again", key="i2")]
    said += [(await system["own"].ask("go", key="k2")).text]
    return [*said, await team.delete("p1", key="d1"), *[passage.text for passage in await team.passages()]]


async def at_once(system: System) -> list[str]:
    """Ask two who store at the same time: each passage stands once, but for the first, which one of them deletes."""
    await system["all"].ask("go", key="k1")
    stored = [event.data async for event in system.store.read_stream("archive-team") if event.type == "PassageInserted"]
    texts = sorted(str(getattr(data, "text", "")) for data in stored)
    assert texts == ["a one", "a three", "a two", "b one", "b two"], texts
    assert len(await system.archive("team").passages()) == 4
    return []


ARCHIVES = [
    Scenario(
        "archives: agents in turns, and people",
        (TEAM, Group("talk", (A, B), RoundRobin(max_turns=2)), OWN),
        script(IN_TURNS),
        by_hand,
    ),
    Scenario("archives: two store at once", (Group("all", (A, B), Everyone()),), script(AT_ONCE), at_once, loose=True),
]
