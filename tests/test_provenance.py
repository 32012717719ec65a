"""Where a version of a block comes from: on runs of teams, whole and cut short."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from callboard import Agent, Block, Group, MemoryStore, RoundRobin, Sleeptime, SQLiteStore, System, tool
from callboard.actors.messaging import ASK
from callboard.actors.testing import Scripted, ScriptedModel, calls
from callboard.events import EventStore, ModelError, RecordedEvent
from callboard.events.catalog import BlockEdited
from callboard.projections.blame import NotInBlock
from callboard.projections.block import block_state
from callboard.projections.projection import replay
from callboard.projections.provenance import Origin, Origins, begun, blamed
from callboard.projections.request import block_at, by_version, messages, shown
from callboard.scripts.blame_lines import chain

from .blamed_teams import PLAN, adds, played, takes_turns
from .harness import run
from .logs import write_rows
from .scenarios import SCENARIOS, Scenario
from .symptom_logs import FOLDER, kept


async def origin(store: EventStore, version: int, stream: str = PLAN) -> Origin:
    return (await blamed(store, stream)).origins[version]


def trail(one: Origin) -> list[tuple[str, str]]:
    return [(turn.data.sender, turn.stream) for turn in one.turns]


async def test_an_edit_leads_through_the_agent_that_asked_for_it_to_the_request() -> None:
    plan = Block("plan", "first")
    store = await played(
        Agent("boss", tools=[ASK], blocks=[Block("own", "mine")]),
        Agent("hand", blocks=[plan]),
        script={
            "boss": [calls((ASK, {"message": "Write it down.", "other_agent": "hand"}), text="I have it done."), "ok"],
            "hand": [adds("tides"), "done"],
        },
        asks=[("boss", "Plan a page.")],
    )
    found = await origin(store, 2)
    assert trail(found) == [("agent-boss", "agent-hand"), ("user", "agent-boss")]
    assert found.tool and found.tool.data.tool == "memory_append"
    assert found.call and [(one.speaker, str(one.text)) for one in found.call.heard] == [("boss", "Write it down.")]
    assert [(one.label, one.version, one.news) for one in found.call.blocks] == [("plan", 1, False)]
    via = found.turns[0]
    assert via.tool and via.tool.data.tool == ASK
    assert via.call and (via.call.text, via.call.blocks[0].stream) == ("I have it done.", "block-own")
    assert found.request and found.request.data.parts[0].text == "Plan a page."


async def test_what_was_read_says_where_it_was_said() -> None:
    plan = Block("plan", "first")
    team = Group("team", [Agent("a", blocks=[plan]), Agent("b", blocks=[plan])], RoundRobin(max_turns=2))
    store = await played(team, script={"a": ["Tides."], "b": [adds("x"), "ok"]}, asks=[("team", "Go.")])
    call = (await origin(store, 2)).call
    assert call is not None
    said = {event.ref: event.type async for event in store.read_all()}
    assert [(one.speaker, said[one.ref]) for one in call.heard] == [
        ("user", "MessageReceived"), ("a", "ModelCallFinished"),
    ]  # fmt: skip


async def test_the_turn_before_is_history_and_its_tools_have_their_names() -> None:
    plan = Agent("a", blocks=[Block("plan", "first")])
    store = await played(
        plan,
        script={"a": [adds("one"), "ok", adds("two"), "ok"]},
        asks=[("a", "Go."), ("a", "Again.")],
    )
    call = (await origin(store, 3)).call
    assert call is not None and [one.role for one in call.heard] == ["heard"]
    assert call.earlier == 4
    assert [(one.role, one.speaker, one.to) for one in call.history] == [
        ("heard", "user", ""), ("tool call", "a", "memory_append"), ("result", "memory_append", ""), ("said", "a", ""),
    ]  # fmt: skip


async def test_the_chain_of_a_version_counts_what_came_before_the_turn_as_well() -> None:
    agent = Agent("a", blocks=[Block("plan", "first")])
    store = await played(agent, script={"a": [adds("one"), "ok", adds("two"), "ok"]}, asks=[("a", "1"), ("a", "2")])
    assert "that had read 1 message, plan@1 " in chain(await origin(store, 2)).plain
    assert "that had read 1 message and 4 older lines, plan@2 " in chain(await origin(store, 3)).plain


async def test_of_a_result_that_was_cut_for_the_prompt_that_part_was_read() -> None:
    @tool(effect="read")
    def page() -> str:
        """Return a page."""
        return "begin " + "word " * 3_000 + "end"

    agent = Agent("a", tools=[page], blocks=[Block("plan", "first")], window=4_000)
    store = await played(agent, script={"a": [calls(("page", {})), adds("x"), "ok"]}, asks=[("a", "Go.")])
    call = (await origin(store, 2)).call
    assert call is not None
    [*_, page_read] = call.heard
    assert page_read.role == "result" and len(page_read.text) < 8_000 and page_read.ref
    assert page_read.text.startswith("begin ") and "characters left out here" in page_read.text


async def test_an_edit_by_a_person_and_the_first_value_have_no_call() -> None:
    store = MemoryStore()
    async with System.open(store, model=ScriptedModel({})) as system:
        await system.start(Agent("a", blocks=[Block("plan", "first")]))
        await system.block("plan").append("by hand", key="hand")
        found = await system.block("plan").blame()
    first, second = found.origins[1], found.origins[2]
    assert (first.written.by, first.written.call, first.call, first.turns) == ("", "", None, ())
    assert (second.written.by, second.written.call, second.call, second.request) == ("user", "hand/plan", None, None)


async def test_an_edit_in_the_background_leads_to_the_request_that_it_is_about() -> None:
    notes = Block("plan", "first")
    pair = Group("pair", [Agent("night", blocks=[notes])], Sleeptime(1), manager=Agent("day"))
    store = await played(
        pair, script={"day": ["Hello."], "night": [adds("said hello"), "ok"]}, asks=[("pair", "I am here.")]
    )
    found = await origin(store, 2)
    assert trail(found) == [("group-pair", "agent-night"), ("user", "group-pair")]
    assert found.call and "I am here." in [str(one.text) for one in found.call.heard]


async def test_a_call_that_failed_first_is_that_of_its_last_attempt() -> None:
    busy = ModelError("busy", kind="server", retry=True)
    store = await played(
        Agent("a", blocks=[Block("plan", "first")]), script={"a": [busy, adds("x"), "ok"]}, asks=[("a", "Go.")]
    )
    call = (await origin(store, 2)).call
    assert call is not None and call.data.attempt == 2


async def test_a_block_as_it_was_is_blamed_by_what_it_was() -> None:
    store = await played(
        Agent("a", blocks=[Block("plan", "first")]), script={"a": [adds("one"), adds("two"), "ok"]}, asks=[("a", "Go.")]
    )
    edits = [event.position async for event in store.read_stream(PLAN)]
    then = await blamed(store, PLAN, at=edits[1])
    assert [(line.text, line.version) for line in then.lines] == [("first", 1), ("one", 2)] and set(then.origins) == {
        1,
        2,
    }
    with pytest.raises(NotInBlock, match="no block plan at position 1 yet"):
        await blamed(store, PLAN, at=1)


# -- on every log -----------------------------------------------------------------------------------


async def faults(store: EventStore, read: dict[tuple[str, int], list[object]]) -> list[str]:
    """Return what blame and impact say that the log and the prompts do not bear out."""
    found: list[str] = []
    events = [event async for event in store.read_all()]
    for stream in dict.fromkeys(event.stream for event in events if event.stream.startswith("block-")):
        now = await blamed(store, stream)
        value = (await replay(store, block_state, stream=stream)).value
        if (now.value, sum(size for _, size in now.spans)) != (value, len(value)):
            found.append(f"{stream} is {value!r}, blamed is {now.value!r} as {now.spans}")
        edits = [event for event in events if event.stream == stream and isinstance(event.data, BlockEdited)]
        versions = (await begun(store, stream)).written.values()
        found += [] if len(versions) > len(edits) else [f"{stream} has {len(versions)} versions"]
        origins = await Origins(store).of(stream, versions)
        for one in origins.values():
            found += rootless(one)
            if one.call is not None and (known := read.get((one.call.data.id, one.call.data.attempt))) is not None:
                found += [] if await prompt(store, one) == known else [f"{one.written} had read something else"]
    return found


def rootless(one: Origin) -> list[str]:
    """Return in what an origin falls short: an agent's edit comes of a call, and that of a request from outside."""
    if not one.written.by.startswith("agent-"):
        return [] if one.tool is None else [f"{one.written} has a call"]
    trace = one.written.call.split("/", 1)[0]
    request = one.request
    whole = one.tool and one.call and request and request.data.id.split("/", 1)[0] == trace
    return [] if whole else [f"{one.written} comes of {one.tool}, {one.call and one.call.data}, {one.turns}"]


async def prompt(store: EventStore, one: Origin) -> list[object]:
    """Return the prompt of a call, made from what its origin says."""
    assert one.call is not None
    blocks = [
        shown(await block_at(store, read.stream, read.version), read.label, me=one.call.stream, seen=None,
              read_only=one.call.state.reads[read.label].read_only)
        for read in one.call.blocks
    ]  # fmt: skip
    rebuilt = messages(one.call.state, by_version([*blocks]))
    return list[object](rebuilt)


WITH_BLOCKS = [scenario for scenario in SCENARIOS if not scenario.loose]


@pytest.mark.parametrize("scenario", WITH_BLOCKS, ids=lambda scenario: scenario.name)
async def test_blame_holds_on_every_scenario_whole_and_cut_short(scenario: Scenario) -> None:
    whole = await run(scenario)
    if not any(isinstance(event.data, BlockEdited) for event in whole.events):
        return
    for outcome in (whole, await run(scenario, (len(whole.ticks[0]) // 2,))):
        assert not await faults(outcome.log, outcome.world.read)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.jsonl")))
async def test_blame_holds_on_the_logs_that_are_kept(name: str, path: Path) -> None:
    write_rows(path, kept(name))
    async with SQLiteStore.open(path, mode="read") as store:
        assert not await faults(store, {})


# -- what is read -----------------------------------------------------------------------------------


class Counted(MemoryStore):
    """A store that counts what is read of it."""

    def count(self, other: MemoryStore) -> Counted:
        self.__dict__.update(other.__dict__)
        self.reads = Counter[str]()
        return self

    async def read_stream(
        self, stream: str, *, after: int = 0, until: int | None = None, until_position: int | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        async for event in super().read_stream(stream, after=after, until=until, until_position=until_position):
            self.reads[event.ref] += 1
            yield event

    async def read_all(
        self, *, after: int = 0, until: int | None = None, correlation_id: str | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        raise AssertionError("blame reads streams, not the log")
        yield


async def test_blame_reads_the_block_and_each_agent_that_wrote_in_it_once() -> None:
    {name: [adds(f"{name}{n}") if n % 2 else "ok" for n in (1, 2) * 3] for name in "abc"}
    team = [Agent(name, blocks=[Block("plan", "x")]) for name in "ab"]
    store = Counted().count(
        await played(*team, Agent("c", blocks=[Block("mine", "x")]), script=takes_turns(*"abc"),
                     asks=[("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("c", "5")])
    )  # fmt: skip
    found = await blamed(store, PLAN)
    assert len(found.origins) == 5 and all(one.call for version, one in found.origins.items() if version > 1)
    assert max(store.reads.values()) == 1 and {ref.split("@")[0] for ref in store.reads} == {PLAN, "agent-a", "agent-b"}


async def test_an_agent_that_asked_after_its_own_edit_is_read_on_and_not_again() -> None:
    plan = Block("plan", "x")
    asks = calls((ASK, {"message": "Add yours.", "other_agent": "hand"}))
    boss, hand = Agent("boss", tools=[ASK], blocks=[plan]), Agent("hand", blocks=[plan])
    script: dict[str, list[Scripted]] = {"boss": [adds("mine"), asks, "ok"], "hand": [adds("yours"), "ok"]}
    store = Counted().count(await played(boss, hand, script=script, asks=[("boss", "Go.")]))
    found = (await blamed(store, PLAN)).origins[3]
    assert found.turns[0].tool and found.turns[0].tool.data.tool == ASK
    assert max(store.reads.values()) == 1
