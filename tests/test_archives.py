"""Archives in a running system: tools of agents, and people from outside. Re-expresses checklist 9.4's archives."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from callboard import Agent, Archive, Block, Group, RequestFailed, System
from callboard.actors.testing import ScriptedModel
from callboard.events import (
    KeyReused,
    MemoryStore,
    NewEvent,
    NoSuchArchive,
    RecordedEvent,
    SpecError,
    TextRefused,
)
from callboard.events.catalog import PassageInserted, ToolCallFailed, ToolCallFinished

from .team_files import refused, team

TEAM = Archive("team", description="What we found out.")
TOOLS = ("archival_memory_insert", "archival_memory_search", "archival_memory_update", "archival_memory_delete")
INSERT, SEARCH, UPDATE, DELETE = TOOLS


def agent(name: str, archive: Archive | None = TEAM) -> Agent:
    return Agent(name, f"You are {name}.", tools=TOOLS, archive=archive, window=9_000_000)


def says(*uses: tuple[str, dict[str, object]]) -> ScriptedModel:
    return ScriptedModel({"a": [[use] for use in uses] + ["done"], "b": ["hm"]})


class Days:
    """A clock that goes on by a day with each look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(days=1)
        return self.now


async def results(store: MemoryStore, stream: str = "agent-a") -> list[str]:
    """Return what came of each call of a tool, in order."""
    events = [event.data async for event in store.read_stream(stream)]
    return [str(data.text) for data in events if isinstance(data, ToolCallFinished | ToolCallFailed)]


async def ran(*uses: tuple[str, dict[str, object]], store: MemoryStore | None = None) -> list[str]:
    store = store or MemoryStore()
    async with System.open(store, model=says(*uses)) as system:
        await system.start(agent("a"))
        await system["a"].ask("go")
    return await results(store)


async def test_an_agent_stores_finds_changes_and_deletes_passages() -> None:
    one, two, found, updated, again, deleted, gone = await ran(
        (INSERT, {"content": "the tide turns at noon", "tags": ["sea"]}),
        (INSERT, {"content": "the moon pulls the sea"}),
        (SEARCH, {"query": "TIDE noon"}),
        (UPDATE, {"id": "p1", "content": "the tide turns at one"}),
        (SEARCH, {"query": "noon one"}),
        (DELETE, {"id": "p1"}),
        (SEARCH, {"query": "tide"}),
    )
    assert (one, two, updated, deleted, gone) == (
        "stored as p1",
        "stored as p2",
        "p1 is updated",
        "p1 is deleted",
        "[]",
    )
    [line] = found.splitlines()
    hit = json.loads(line)
    assert (hit["id"], hit["content"], hit["tags"]) == ("p1", "the tide turns at noon", ["sea"]) and hit[
        "relevance"
    ] > 0
    assert datetime.fromisoformat(hit["timestamp"]).tzinfo is not None
    assert json.loads(again)["content"] == "the tide turns at one"


async def test_a_duplicate_is_told_with_the_day_since_when_it_stands() -> None:
    store = MemoryStore(now=Days())
    _, second = await ran((INSERT, {"content": "a b"}), (INSERT, {"content": "A  b"}), store=store)
    first = [event async for event in store.read_stream("archive-team")][1]
    assert second == f"stored as p2; the same text stands as p1 since {first.recorded_at:%Y-%m-%d}"


async def test_searches_are_by_tags_and_dates() -> None:
    store = MemoryStore(now=Days())
    async with System.open(store, model=says()) as system:
        await system.start(TEAM)
        team = system.archive("team")
        for text, tags in (("sea one", ["x"]), ("sea two", ["x", "y"]), ("sea three", ["y"])):
            await team.insert(text, tags=tags)
        days = [f"{passage.at:%Y-%m-%d}" for passage in await team.passages()]
        found = [
            await team.search("sea", tags=["x", "y"], tag_match_mode="all"),
            await team.search("sea", tags=["x"]),
            await team.search("sea", start=days[1]),
            await team.search("sea", end=days[0]),
            await team.search("sea", start=f"{days[2]}T23:00:00"),
            await team.search(" \n"),
        ]
    assert [sorted(hit.number for hit in hits) for hits in found] == [[2], [1, 2], [2, 3], [1], [], []]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"query": "x", "start": "yesterday"},
            "start is 'yesterday'; a date such as 2026-11-20 or a time such as 2026-11-20T17:30 is wanted",
        ),
        ({"query": "x", "end": "2026-13-01"}, "end is '2026-13-01'; a date"),
        ({"query": "x", "start": "2026-02-01", "end": "2026-01-01"}, "which is after end"),
        ({"query": "x", "top_k": 0}, "top_k: Input should be greater than or equal to 1"),
        ({"query": "x", "tag_match_mode": "some"}, "tag_match_mode: Input should be 'any' or 'all'"),
        ({"query": "x" * 20_000}, "query: String should have at most 10000 characters"),
        ({}, "query: Field required"),
    ],
)
async def test_a_search_that_cannot_be_made_says_why(fields: dict[str, object], why: str) -> None:
    [said] = await ran((SEARCH, fields))
    assert said.startswith("bad arguments: ") and why in said


async def test_a_blank_query_finds_nothing_and_bad_changes_fail_their_calls() -> None:
    blank, empty, none, bad = await ran(
        (SEARCH, {"query": "  "}),
        (INSERT, {"content": " "}),
        (DELETE, {"id": "p9"}),
        (DELETE, {"id": "nine"}),
    )
    assert blank == "[]" and empty == "the passage is empty; say what to remember"
    assert "no passages yet" in none and "'nine' is no id of a passage" in bad


async def test_what_no_event_can_hold_is_replaced_in_what_a_model_stores() -> None:
    store = MemoryStore()
    await ran((INSERT, {"content": "a\0b \ud83d c", "tags": ["x"]}), store=store)
    stored = [event.data async for event in store.read_stream("archive-team")][1]
    assert isinstance(stored, PassageInserted) and stored.text == "a\ufffdb \ufffd c"


async def test_a_passage_of_ten_megabytes_is_stored_once_and_found() -> None:
    store, long = MemoryStore(), "tide " * 2_000_000
    [said] = await ran((INSERT, {"content": long}), store=store)
    assert said == "stored as p1"
    assert sum(len(row.content or "") for row in store.rows) < len(long) + 10_000


async def test_agents_that_name_one_archive_share_it_and_others_have_their_own() -> None:
    uses: list[tuple[str, dict[str, object]]] = [(INSERT, {"content": "mine"})]
    model = ScriptedModel({name: [uses, "done"] for name in "abc"})
    async with System.open(MemoryStore(), model=model) as system:
        for one in (agent("a"), agent("b"), agent("c", None)):
            await system.start(one)
            await system[one.name].ask("go")
        assert [passage.by for passage in await system.archive("team").passages()] == ["agent-a", "agent-b"]
        [own] = await system["c"].archive.passages()
        assert (own.id, own.text, own.call) == ("p1", "mine", own.call) and own.call.endswith("/c/1/1")
        assert (
            await system["c"].archive.stream() == "archive-c" and await system["a"].archive.stream() == "archive-team"
        )


async def test_people_store_update_and_delete_under_keys_that_count_once() -> None:
    async with System.open(MemoryStore(), model=says()) as system:
        await system.start(TEAM)
        team = system.archive("team")
        told = [await team.insert("one", tags=["x"], metadata={"from": "a book"}, key="k1") for _ in range(2)]
        assert told == ["stored as p1"] * 2
        with pytest.raises(KeyReused):
            await team.insert("two", key="k1")
        with pytest.raises(KeyReused):
            await team.delete("p1", key="k1")
        assert await team.update("p1", "uno") == "p1 is updated"
        [passage] = await team.passages()
        assert (passage.text, passage.tags, passage.metadata, passage.by) == ("uno", ("x",), {"from": "a book"}, "user")
        assert passage.changed is not None and passage.version == 3
        assert await team.delete("p1") == "p1 is deleted" and await team.passages() == []
        with pytest.raises(RequestFailed, match="p1 was deleted"):
            await team.update("p1", "x")


async def test_passages_come_in_pages_without_those_that_were_deleted() -> None:
    async with System.open(MemoryStore(), model=says()) as system:
        await system.start(TEAM)
        team = system.archive("team")
        for n in range(1, 7):
            await team.insert(f"number {n}")
        await team.delete("p2")
        assert [passage.n for passage in await team.passages(limit=3)] == [1, 3, 4]
        assert [passage.n for passage in await team.passages(after=4, limit=3)] == [5, 6]


async def test_what_cannot_be_taken_in_changes_nothing() -> None:
    async with System.open(MemoryStore(), model=says()) as system:
        await system.start(TEAM)
        await system.start(Agent("plain", "You are plain."))
        team = system.archive("team")
        for text in ("", "a\0", "\ud83d", "x" * (2**24 + 1)):
            with pytest.raises(TextRefused):
                await team.insert(text)
        with pytest.raises(TextRefused):
            await team.insert("a", metadata={"x": float("nan")})
        with pytest.raises(RequestFailed, match="at most 100 items"):
            await team.insert("a", tags=[str(n) for n in range(10_000)])
        with pytest.raises(RequestFailed, match="at least 1 character"):
            await team.insert("a", tags=[""])
        with pytest.raises(TextRefused, match="NUL"):
            await team.insert("a", tags=["\0"])
        with pytest.raises(TextRefused):
            await team.search("x", start="never")
        for nobody in (system.archive("nope"), system["plain"].archive):
            with pytest.raises(NoSuchArchive, match="there are: team"):
                await nobody.passages()
        assert [event.type async for event in system.store.read_stream("archive-team")] == [
            "ArchiveStarted", "PassageRefused", "PassageRefused",
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "a b", "user", "x" * 65, "ü", 7])
def test_an_archive_has_a_name_as_agents_have(name: str) -> None:
    with pytest.raises(SpecError, match="an archive"):
        Archive(name)


def test_specs_say_where_an_agent_puts_passages_away() -> None:
    assert agent("a").spec().archive == "archive-team"
    assert agent("a", None).spec().archive == "archive-a"
    assert Agent("a", "You are a.").spec().archive == ""
    assert Agent("a", "You are a.", archive=TEAM).spec().archive == "archive-team"
    with pytest.raises(SpecError, match="an Archive is wanted"):
        Agent("a", "You are a.", archive="team")  # type: ignore[arg-type]
    insert = next(tool for tool in agent("a").spec().tools if tool.name == INSERT)
    assert set(insert.parameters["properties"]) == {"content", "tags"}  # type: ignore[arg-type]


async def test_a_start_changes_what_is_said_of_an_archive_and_keeps_what_it_holds() -> None:
    async with System.open(MemoryStore(), model=says()) as system:
        await system.start(TEAM)
        await system.archive("team").insert("one")
        for description in ("Other.", "Other."):
            await system.start(Archive("team", description=description))
        kinds = [event.type async for event in system.store.read_stream("archive-team")]
        assert kinds == ["ArchiveStarted", "PassageInserted", "ArchiveChanged"]
        assert len(await system.archive("team").passages()) == 1


async def test_many_agents_store_into_one_archive_at_once_and_nothing_is_lost() -> None:
    names = [f"w{n}" for n in range(12)]
    model = ScriptedModel({name: [[(INSERT, {"content": f"{name} {n}"}) for n in range(5)], "done"] for name in names})
    async with System.open(MemoryStore(), model=model) as system:
        await system.start(Block("unrelated", "x"))
        for name in names:
            await system.start(agent(name))
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(system[name].ask, "go")
        passages = await system.archive("team").passages(limit=1_000)
        assert sorted(passage.text for passage in passages) == sorted(f"{name} {n}" for name in names for n in range(5))
        assert [passage.n for passage in passages] == list(range(1, 61))


class Restarting(MemoryStore):
    """A store in which an archive begins again while it appends a duplicate."""

    system: System | None = None

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        written = await super().append(stream, events, expected_version=expected_version)
        if self.system and any(isinstance(event.data, PassageInserted) and event.data.same for event in events):
            self.system.restart(stream)
        return written


async def test_an_answer_that_is_looked_up_comes_also_where_its_archive_begins_again() -> None:
    store = Restarting()
    with anyio.fail_after(10):
        async with System.open(store, model=says((INSERT, {"content": "x"}), (INSERT, {"content": "x"}))) as system:
            store.system = system
            await system.start(agent("a"))
            await system["a"].ask("go")
    assert (await results(store))[1].startswith("stored as p2; the same text stands as p1 since ")


async def test_members_made_from_a_template_share_an_archive_or_have_none() -> None:
    async with System.open(MemoryStore(), model=says()) as system:
        group = await system.start(Group("g", [Agent("m", "You are m.")]))
        with pytest.raises(SpecError, match="memory of its own"):
            await group.scale(agent("w", None))
        await group.scale(agent("w"))
        assert await system.archive("team").passages() == []


FILE = """
[archives.team]
description = "What we found out."
[agents.a]
tools = ["archival_memory_insert"]
archive = "team"
[agents.b]
tools = ["archival_memory_search"]
archive = "other"
[agents.c]
tools = ["archival_memory_delete"]
"""


def test_a_team_file_says_where_passages_are_put_away(tmp_path: Path) -> None:
    agents = team(tmp_path, FILE).agents
    assert agents["a"].archive == TEAM and agents["b"].archive == Archive("other")
    assert agents["c"].archive is None and agents["c"].spec().archive == "archive-c"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('archive = "other"', 'archive = "no such name"', "agents.b.archive"),
        ('archive = "other"', "archive = 7", "agents.b.archive"),
        ("[archives.team]", "[archives.user]", "archives.user"),
        ("description", "value", "archives.team.value"),
    ],
)
def test_a_team_file_that_says_it_wrongly_is_told_where(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert why in str(refused(tmp_path, FILE.replace(old, new, 1)))


@pytest.mark.parametrize("tags", ["sea", ["\ud800"], [5]])
async def test_tags_that_are_no_strings_in_a_list_are_refused_from_people(tags: Any) -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        await system.start(agent("a"))
        for work in (
            system.archive("team").insert("x", tags=tags),
            system.archive("team").update("p1", "x", tags=tags),
        ):
            with pytest.raises(TextRefused, match="tags"):
                await work
        with pytest.raises(TextRefused, match="tags"):
            await system.archive("team").search("x", tags=tags)
        with pytest.raises(TextRefused, match="cannot be taken in as JSON"):
            await system.archive("team").delete("\ud800")
        with pytest.raises(TextRefused, match="a query is a string, not NoneType"):
            await system.archive("team").search(None)  # type: ignore[arg-type]
