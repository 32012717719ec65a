"""Agents reach each other by tools: one, many, nobody; no circle of waits hangs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from callboard import Agent, Answer, Group, MemoryStore, ModelReply, ModelRequest, RequestFailed, RoundRobin, System
from callboard.actors.messaging import ASK, BROADCAST, BROADCAST_ALL, FIND, MAX_HOPS, TELL
from callboard.actors.outside import Outside
from callboard.actors.team import load_team
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import SpecError
from callboard.events.catalog import RecipientsChosen, SendCancelling, SendFailed


def ask(name: str, message: str = "hi") -> ModelReply:
    return calls((ASK, {"message": message, "other_agent": name}))


def results(model: ScriptedModel, agent: str) -> list[str]:
    """Return the tool results that the agent's last request holds."""
    last = [request for request in model.requests if request.agent == agent][-1]
    return [words_in(message) for message in last.messages if message["role"] == "tool"]


async def asked(specs: list[Agent | Group], script: Mapping[str, Any], to: str, store: MemoryStore | None = None):
    model = ScriptedModel(script)
    with anyio.fail_after(20):
        async with System.open(store or MemoryStore(), model=model) as system:
            for spec in specs:
                await system.start(spec)
            answer = await system[to].ask("go", key="k")
            await system.quiet()
    model.assert_finished()
    return answer, model


async def test_the_reply_of_the_other_is_the_result() -> None:
    answer, model = await asked([Agent("a", tools=[ASK]), Agent("b")], {"a": [ask("b"), "done"], "b": ["hello"]}, "a")
    assert answer.text == "done" and results(model, "a") == ["hello"]
    assert words_in(model.requests[1].messages[-1]) == "a: hi"


async def test_a_failure_of_the_other_an_unknown_name_and_oneself_are_error_results() -> None:
    uses = [(ASK, {"message": "hi", "other_agent": name}) for name in ("b", "zoe", "a")]
    script = {"a": [calls(*uses), "done"], "b": [ValueError("no paper")]}
    _, model = await asked([Agent("a", tools=[ASK]), Agent("b")], script, "a")
    said = "\n".join(results(model, "a"))
    assert "no paper" in said and "nobody called 'zoe'" in said and "that is yourself" in said


async def test_to_tell_returns_when_it_is_durable_and_the_turn_goes_on() -> None:
    tell = calls((TELL, {"message": "note", "other_agent": "b"}))
    _, model = await asked([Agent("a", tools=[TELL]), Agent("b")], {"a": [tell, "done"], "b": ["noted"]}, "a")
    assert results(model, "a") == ["delivered; it cannot be lost any more"]
    assert "a (no reply is awaited): note" in [words_in(request.messages[-1]) for request in model.requests]


async def test_three_in_a_ring_that_ask_each_other_all_get_an_answer() -> None:
    specs = [Agent(name, tools=[ASK]) for name in "abc"]
    script = {"a": [ask("b"), "A"], "b": [ask("c"), "B"], "c": [ask("a"), "C"]}
    store = MemoryStore()
    answer, model = await asked(list(specs), script, "a", store)
    assert answer.text == "A" and "c waits for a waits for b waits for c" in results(model, "c")[0]
    failed = [event.data async for event in store.read_all() if isinstance(event.data, SendFailed)]
    assert [one.accepted for one in failed] == [False]


async def test_a_circle_through_a_group_is_found_too() -> None:
    group = Group("team", [Agent("a", tools=[ASK])], RoundRobin())
    answer, model = await asked([group], {"a": [ask("team"), "A"]}, "team")
    assert answer.text == "A" and "a waits for team waits for a" in results(model, "a")[0]


async def test_two_that_ask_each_other_at_the_same_time_do_not_hang() -> None:
    model = ScriptedModel({"a": [ask("b"), "A", "A2"], "b": [ask("a"), "B", "B2"]})
    store = MemoryStore()
    with anyio.fail_after(20):
        async with System.open(store, model=model) as system:
            refs = [await system.start(Agent(name, tools=[ASK])) for name in "ab"]
            answers = await system.broadcast("go", refs)
            await system.quiet()
    assert all(isinstance(answer, Answer) for answer in answers.values())
    failed = [event.data async for event in store.read_all() if isinstance(event.data, SendFailed)]
    assert len(failed) == 1 and "waits for" in failed[0].text


def workers(count: int) -> list[Agent]:
    return [Agent(f"w{n:03}", tags={"worker", "even" if n % 2 == 0 else "odd"}) for n in range(count)]


def broadcast(tool: str = BROADCAST, **tags: list[str]) -> ModelReply:
    return calls((tool, {"message": "report", **tags}))


async def test_every_match_is_reached_however_many_and_each_has_one_result() -> None:
    broken = {f"w{n:03}" for n in range(0, 300, 15)}
    script = {f"w{n:03}": [ValueError("broken")] if f"w{n:03}" in broken else [f"report {n}"] for n in range(300)}
    store = MemoryStore()
    script |= {"a": [broadcast(match_all=["worker"]), "done"]}
    _, model = await asked([Agent("a", tools=[BROADCAST], tags={"worker"}), *workers(300)], script, "a", store)
    came = json.loads(results(model, "a")[0])
    assert len(came) == 300 and {one["agent"] for one in came if "error" in one} == broken and len(broken) == 20
    chosen = [event async for event in store.read_all() if isinstance(event.data, RecipientsChosen)]
    sent = [event.position async for event in store.read_all() if event.type == "MessageSent"]
    assert chosen[0].position < sent[0] and "agent-a" not in chosen[0].data.recipients  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("reply", "names"),
    [
        (broadcast(match_all=["worker", "even"]), ["w000", "w002"]),
        (broadcast(match_some=["even", "odd"]), ["w000", "w001", "w002", "w003"]),
        (broadcast(match_all=["worker", "worker"], match_some=["odd"]), ["w001", "w003"]),
        (broadcast(BROADCAST_ALL, tags=["odd"]), ["w001", "w003"]),
    ],
)
async def test_tags_are_matched_all_or_some(reply: ModelReply, names: list[str]) -> None:
    script = {"a": [reply, "done"], **{name: ["here"] for name in names}}
    _, model = await asked([Agent("a", tools=[BROADCAST, BROADCAST_ALL]), *workers(4)], script, "a")
    assert [one["agent"] for one in json.loads(results(model, "a")[0])] == names


async def test_no_match_is_said_and_no_tags_at_all_are_an_error() -> None:
    replies = calls(*((BROADCAST, {"message": "m", **tags}) for tags in ({"match_all": ["zoo"]}, {})))
    _, model = await asked([Agent("a", tools=[BROADCAST])], {"a": [replies, "done"]}, "a")
    said = results(model, "a")
    assert any("nobody else has these tags" in one for one in said)
    assert any("give at least one tag" in one for one in said)


async def test_find_agents_says_who_is_there() -> None:
    look = calls((FIND, {"tags": ["worker"], "text": "W00"}), (FIND, {"text": "zzz"}))
    specs = [
        Agent("a", tools=[FIND]),
        Agent("w001", description="counts", tags={"worker"}),
        Agent("x", tags={"worker"}),
    ]
    _, model = await asked(list(specs), {"a": [look, "done"]}, "a")
    assert sorted(results(model, "a")) == ["- w001: counts (tags: worker)", "nobody like that is there"]


async def test_a_retired_agent_is_not_found_and_a_message_to_it_fails() -> None:
    model = ScriptedModel({"a": [calls((ASK, {"message": "hi", "other_agent": "b"}), (FIND, {"text": "b"})), "done"]})
    async with System.open(MemoryStore(), model=model) as system:
        a = await system.start(Agent("a", tools=[ASK, FIND]))
        await (await system.start(Agent("b"))).retire()
        await a.ask("go")
        with pytest.raises(RequestFailed, match="is retired"):
            await system["b"].ask("hello?")
        assert await system.find(text="b") == []
    assert sorted(results(model, "a")) == ["b is retired, and takes nothing up any more", "nobody like that is there"]


class Patient:
    """A model whose agent `b` never answers, until it is told to stop."""

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        if request.agent == "b":
            await anyio.sleep_forever()
        return ModelReply("gave up") if request.messages[-1]["role"] == "tool" else ask("b")


async def test_a_reply_that_does_not_come_in_time_is_an_error_and_the_other_is_told_to_stop() -> None:
    time, store = [datetime(2026, 1, 1, tzinfo=UTC)], MemoryStore()

    async def sleep(seconds: float) -> None:
        time[0] += timedelta(seconds=seconds)

    outside = Outside(now=lambda: time[0], sleep=sleep)
    late: list[str] = []
    with anyio.fail_after(20):
        async with System.open(store, model=Patient(), outside=outside, grace=0) as system:
            a = await system.start(Agent("a", tools=[ASK]))
            await system.start(Agent("b"))
            await a.tell("go")
            async for event in store.subscribe():
                if isinstance(event.data, SendCancelling):
                    late.append(event.data.id)
                    break
    assert [id.rsplit("/", 1)[-1] for id in late] == ["b"]


class Passing:
    """A model whose agents ask the next one, for ever."""

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        if request.messages[-1]["role"] == "tool":
            return ModelReply(words_in(request.messages[-1]))
        return ask(f"n{int(request.agent[1:]) + 1}")


async def test_a_request_is_passed_on_so_often_and_no_more() -> None:
    with anyio.fail_after(30):
        async with System.open(MemoryStore(), model=Passing()) as system:
            for n in range(MAX_HOPS + 3):
                await system.start(Agent(f"n{n}", tools=[ASK]))
            answer = await system["n0"].ask("go")
    assert f"passed on {MAX_HOPS} times" in answer.text


async def test_broadcast_from_outside_never_raises_for_one() -> None:
    model = ScriptedModel({"a": ["fine"], "b": [ValueError("broken")]})
    async with System.open(MemoryStore(), model=model) as system:
        refs = [await system.start(Agent(name, tags={"team"})) for name in "ab"]
        assert await system.find(match_some=["team"]) == refs
        came = await system.broadcast("go", refs)
    assert isinstance(came["a"], Answer) and isinstance(came["b"], RequestFailed)


def test_a_team_file_names_tools_for_messages(tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    file.write_text(f'[agents.a]\ntools = ["{ASK}", "{FIND}"]\n')
    assert load_team(file).agents["a"].messaging == (ASK, FIND)


def test_a_name_that_is_no_tool_of_callboards_is_refused() -> None:
    with pytest.raises(SpecError, match=f"callboard's own are {ASK}"):
        Agent("a", tools=["send_mail"])
    with pytest.raises(SpecError, match="more than once"):
        Agent("a", tools=[ASK, ASK])
