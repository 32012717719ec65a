"""Agents and people search conversations and passages. Re-expresses `letta.md` 8.1 "search": bounds in time hold, and
the limit comes after them; and, of checklist 9.4, memory that is searched by words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from callboard import Agent, Block, Group, MemoryStore, RoundRobin, System
from callboard.actors.archives import _line  # type: ignore[reportPrivateUsage]
from callboard.actors.conversation_search import CONTENT, CONVERSATION_SEARCH
from callboard.actors.outside import Outside
from callboard.actors.search import Index
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import EventStore, NoSuchActor, SQLiteStore, TextRefused
from callboard.scripts.main import main

from .shelves import Clock, said, stocked

A = Agent("a", tools=[CONVERSATION_SEARCH], window=9_000_000)


def look(**asked: object) -> Any:
    return calls((CONVERSATION_SEARCH, asked))


async def told(
    asked: Sequence[Mapping[str, object]], before: Sequence[str] = ("high water",), store: EventStore | None = None
) -> list[Any]:
    """Return what an agent finds that heard `before`, each in a turn of its own, answered `re <it>`."""
    model = ScriptedModel({"a": [*(f"re {text}" for text in before), *(look(**one) for one in asked), "done"]})
    async with System.open(store or MemoryStore(), model=model) as system:
        agent = await system.start(A)
        for text in before:
            await agent.ask(text)
        await agent.ask("now search for water")
    model.assert_finished()
    results = [words_in(line) for line in model.requests[-1].messages if line["role"] == "tool"]
    return [json.loads(text) if text.startswith("{") else text for text in results]


def contents(result: Any) -> list[str]:
    return [hit["content"] for hit in result["results"]]


async def test_an_agent_finds_what_it_heard_and_said_but_not_what_it_is_asked_now() -> None:
    [found, newest, heard] = await told([{"query": "WATER"}, {}, {"query": "water", "roles": ["user"]}])
    assert sorted(contents(found)) == ["high water", "re high water"]
    assert contents(newest) == ["re high water", "high water"] and contents(heard) == ["high water"]
    assert set(found["results"][0]) == {
        "timestamp", "role", "speaker", "conversation", "content", "position", "relevance"
    }  # fmt: skip


async def test_what_a_search_has_found_is_not_found_again() -> None:
    results = await told([{"query": "high"}] * 3)
    assert [sorted(contents(result)) for result in results] == [["high water", "re high water"]] * 3


async def test_bounds_in_time_hold_and_a_date_alone_is_the_whole_day() -> None:
    clock = Clock()
    store = MemoryStore(now=clock)
    model = ScriptedModel(
        {
            "a": [
                "one", "two", "three",
                look(query="water", start="2026-11-18", end="2026-11-18"),
                look(query="water", start="2026-11-18T12:00:01"),
                look(end="2026-11-17T23:59:59+02:00"),
                "done",
            ]
        }
    )  # fmt: skip
    async with System.open(store, model=model, outside=Outside(now=clock)) as system:
        agent = await system.start(A)
        for day in (17, 18, 19):
            clock.time = clock.time.replace(day=day)
            await agent.ask(f"water of day {day}")
        await agent.ask("now?")
    results = [json.loads(words_in(line)) for line in model.requests[-1].messages if line["role"] == "tool"]
    assert [contents(result) for result in results] == [
        ["water of day 18"],
        ["water of day 19"],
        ["one", "water of day 17"],
    ]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"start": "yesterday"}, "start is 'yesterday'; a date such as"),
        ({"end": "2026-02-30"}, "end is '2026-02-30'"),
        ({"roles": ["system"]}, "'user', 'assistant' or 'tool'"),
        ({"limit": 0}, "greater than or equal to 1"),
        ({"limit": 51}, "less than or equal to 50"),
        ({"query": "x" * 10_001}, "10,001 characters, 10,000 are the most"),
        ({"query": "y" * 10_000_000}, "10,000,000 characters"),
        ({"q": "x"}, "q"),
        ({"query": 5}, "query"),
    ],
)
async def test_what_cannot_be_searched_is_said(asked: dict[str, object], why: str) -> None:
    [result] = await told([asked])
    assert why in result


@pytest.mark.parametrize(
    "query",
    [
        "***",
        '"',
        "water AND (",
        "NEAR(water, 5)",
        "text:water",
        "🌊",
        "a\0water",
        " ".join(f"w{n}" for n in range(1_000)),
    ],
)
async def test_a_query_is_words_and_nothing_else(query: str) -> None:
    [result] = await told([{"query": query}])
    wanted = ["high water", "re high water"] if "water" in query else []
    assert sorted(contents(result)) == wanted


async def test_a_long_text_is_cut_around_what_was_asked_for() -> None:
    [result] = await told(
        [{"query": "needle", "roles": ["user"]}], before=["hay " * 5_000 + "needle " + "hay " * 5_000]
    )
    [content] = contents(result)
    assert len(content) <= CONTENT and "needle" in content


async def test_each_agent_searches_its_own_and_in_all_its_conversations() -> None:
    model = ScriptedModel({"a": ["first", look(query="water"), "done"], "b": ["re b"]})
    async with System.open(MemoryStore(), model=model) as system:
        a, b = await system.start(A), await system.start(Agent("b"))
        await b.ask("water for b")
        await a.ask("water for anna", conversation="anna")
        await a.ask("and?")
    [result] = [json.loads(words_in(line)) for line in model.requests[-1].messages if line["role"] == "tool"]
    assert [(hit["content"], hit["conversation"]) for hit in result["results"]] == [("water for anna", "anna")]


async def test_an_agent_that_was_passed_on_to_too_often_may_still_search() -> None:
    from callboard.actors import messaging

    assert CONVERSATION_SEARCH in messaging.TO_NOBODY


# -- people -------------------------------------------------------------------------------------------


@pytest.fixture
async def log(path: Path) -> Path:
    """A log of a group and an archive."""
    model = ScriptedModel({"a": ["The ebb is at six."], "b": ["The tide turns at noon."]})
    async with System.open(path, model=model) as system:
        await system.start(Group("team", [Agent("a"), Agent("b")], RoundRobin(max_turns=2)))
        await system["team"].ask("When is the ebb?")
    async with SQLiteStore.open(path) as store:
        await stocked(store, ["ebb: low water", "tide: high water"])
    return path


async def test_people_search_everything_or_one_agent_a_group_or_an_archive(log: Path) -> None:
    async with System.open(log, model=ScriptedModel({})) as system:
        everywhere = await system.search("ebb")
        assert {hit.kind for hit in everywhere} == {"message", "passage"} and len(everywhere) == 3
        assert len(await system["team"].search("ebb tide")) == 3 and len(await system["b"].search("tide")) == 1
        assert said(await system.search("ebb", archive="team")) == ["ebb: low water"]
        assert said(await system["a"].search("ebb", roles=["assistant"])) == ["The ebb is at six."]
        event = [event async for event in system.store.read_all(until=everywhere[0].position)][-1]
        assert event.ref == f"{everywhere[0].stream}@{everywhere[0].version}"


async def test_what_cannot_be_searched_for_is_an_error(log: Path) -> None:
    async with System.open(log, model=ScriptedModel({})) as system:
        for wrong in ({"name": "zoe"}, {"archive": "b"}):
            with pytest.raises(NoSuchActor):
                await system.search("x", **wrong)  # type: ignore[arg-type]
        for wrong in ({"query": "x" * 10_001}, {"query": 5}, {"limit": 0}, {"start": "soon"}, {"end": 5}):
            with pytest.raises(TextRefused):
                await system.search(**{"query": "x", **wrong})  # type: ignore[arg-type]


async def test_a_search_records_nothing(log: Path) -> None:
    async with System.open(log, model=ScriptedModel({})) as system:
        before = system.store.position
        await system.search("ebb")
        assert system.store.position == before


def called(*words: str) -> int:
    return main(list(words))


async def ran(*words: str) -> int:
    return await anyio.to_thread.run_sync(called, "memory", "search", *words)


async def test_the_verb_shows_hits_with_their_positions(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await ran(str(log), "ebb", "--limit", "9") == 0
    printed = capsys.readouterr().out
    assert printed.count("@") == 3 and "p1 by a" in printed and "a: The ebb is at six." in printed
    assert await ran(str(log), "ebb", "--agent", "team", "--role", "assistant", "--json") == 0
    [hit] = json.loads(capsys.readouterr().out)["hits"]
    assert (hit["text"], hit["owner"], hit["role"], hit["passage"]) == ("The ebb is at six.", "a", "assistant", None)
    assert await ran(str(log), "ebb", "--archive", "team", "--json") == 0
    [hit] = json.loads(capsys.readouterr().out)["hits"]
    assert (hit["passage"], hit["kind"]) == ("p1", "passage")
    assert await ran(str(log), "zebra") == 0 and "nothing was found" in capsys.readouterr().out


async def test_the_verb_says_what_is_wrong(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, why in (
        (("x", "--agent", "zoe"), "zoe"),
        (("x", "--end", "soon"), "a date such as"),
        (("x", "--limit", "0"), "from 1 to 1,000"),
        (("x", "--role", "god"), "god"),
    ):
        assert await ran(str(log), *words) == 2
        assert why in capsys.readouterr().err


async def test_the_verb_searches_beside_a_running_team(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with System.open(log, model=ScriptedModel({"a": ["the ebb, again"]})) as system:
        await system.search("ebb")
        await system["a"].ask("ebb, once more?")
        assert await ran(str(log), "ebb", "--json") == 0
        assert len(json.loads(capsys.readouterr().out)["hits"]) == len(await system.search("ebb")) == 5


async def test_what_came_of_an_edit_is_found_under_the_name_of_its_tool() -> None:
    edit = calls(("memory_append", {"label": "plan", "text": "high water at noon"}))
    async with System.open(MemoryStore(), model=ScriptedModel({"a": [edit, "noted"]})) as system:
        await (await system.start(Agent("a", blocks=[Block("plan")]))).ask("go")
        [hit] = await system.search("block holds", roles=["tool"])
    assert (hit.speaker, hit.role) == ("memory_append", "tool")


async def test_what_fits_has_a_relevance_also_where_all_that_there_is_fits() -> None:
    store = MemoryStore()
    await stocked(store, ["tide", "The tide turns. " + "It goes on and on. " * 400])
    first, second = await Index(store).search("tide")
    assert first.text == "tide" and first.relevance > second.relevance > 0
    lines = [json.loads(_line(hit))["relevance"] for hit in (first, second)]
    assert lines == [first.relevance, second.relevance]


BAD_BOUNDS: list[tuple[dict[str, Any], str]] = [
    ({"tags": "sea"}, "tags are 'sea', which is a string; a list is wanted, such as ['sea']"),
    ({"tags": ["\ud800"]}, "one of the tags is '\\ud800'; a string without NUL"),
    ({"tags": [5]}, "one of the tags is 5; a string"),
    ({"tags": None}, "tags are None; a list of strings is wanted"),
    ({"roles": "user"}, "roles are 'user', which is a string"),
    ({"roles": ["usr"]}, "one of the roles is 'usr'; there are user, assistant, tool"),
    ({"tag_match_mode": "al"}, "tag_match_mode is 'al'; any or all is wanted"),
    ({"limit": 1.5}, "limit is 1.5; a whole number from 1 to 1,000 is wanted"),
    ({"limit": "5"}, "limit is '5'; a whole number from 1 to 1,000 is wanted"),
    ({"limit": 0}, "limit is 0; a whole number from 1"),
    ({"limit": 1_001}, "limit is 1001; a whole number from 1 to 1,000 is wanted"),
    ({"start": "2026-11-20", "end": "2026-11-01"}, "start is '2026-11-20', which is after end, '2026-11-01'"),
]


@pytest.mark.parametrize(("bounds", "why"), BAD_BOUNDS)
async def test_a_bound_that_cannot_be_is_refused_and_the_index_stays(bounds: dict[str, Any], why: str) -> None:
    store = MemoryStore()
    await stocked(store, ["high tide"])
    index = Index(store)
    await index.search("tide")
    tables = await index._file.tables()  # type: ignore[reportPrivateUsage]
    with pytest.raises(TextRefused) as caught:
        await index.search("tide", **bounds)
    assert why in str(caught.value) and said(await index.search("tide")) == ["high tide"]
    assert await index._file.tables() is tables  # type: ignore[reportPrivateUsage]


async def test_an_agent_is_told_that_a_start_is_after_the_end() -> None:
    [told_of] = await told([{"query": "water", "start": "2026-11-20", "end": "2026-11-01"}])
    assert "start is '2026-11-20', which is after end, '2026-11-01'" in told_of


def test_words_of_the_command_line_that_are_no_utf8_are_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def made() -> None:
        async with SQLiteStore.open(tmp_path / "team.db") as store:
            await stocked(store, ["high tide"])

    anyio.run(made)
    log = str(tmp_path / "team.db")
    for words in (
        ["search", log, "tide", "--tag", "\udcff"],
        ["search", log, "tide", "--agent", "\udcff"],
        ["search", log, "tide", "--start", "2026-12-01", "--end", "2026-01-01"],
        ["insert", log, "team", "hi", "--tag", "\udcff"],
        ["insert", log, "\udcff", "hi"],
        ["forget", log, "team", "\udcff"],
    ):
        assert main(["memory", *words]) == 2
        assert "fault in callboard" not in (told_of := capsys.readouterr().err) and told_of.startswith("callboard: ")
