"""Conversations: each is a context of its own, of agents and of groups, and they are listed with who took part."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from callboard import Agent, Finish, Group, GroupState, MemoryStore, RoundRobin, Speak, SQLiteStore, System
from callboard.actors.messaging import ASK
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import KeyReused, Text, TextRefused
from callboard.events.catalog import MessageReceived, Part, TurnFinished, TurnStarted
from callboard.projections import AgentState, agent_state, replay
from callboard.projections.agent import evolve
from callboard.projections.contexts import contexts
from callboard.projections.request import rebuilt
from callboard.projections.shapes import agent_shape
from callboard.scripts.main import main

from .gated import Gated


def asked(id: str, text: str, conversation: str = "main", **more: object) -> list[object]:
    """Return a request and what it ends with."""
    fields = {"sender": "user", "conversation": conversation, **more}
    message = MessageReceived(id=id, parts=(Part("user", Text(text)),), **fields)  # type: ignore[arg-type]
    return [message, TurnStarted(id=id), TurnFinished(id=id, text=Text(text))]


def state(*events: object) -> AgentState:
    found = AgentState()
    for event in events:
        found = evolve(found, event)  # type: ignore[arg-type]
    return found


def heard(found: AgentState) -> dict[str, list[str]]:
    return {name: [str(line.parts[0].text) for line in lines] for name, lines in contexts(found).items()}  # type: ignore[union-attr]


def test_each_conversation_has_its_own_lines_and_hash() -> None:
    both = state(*asked("k1/a", "one"), *asked("k2/a", "two", "x"), *asked("k3/a", "three"))
    assert heard(both) == {"main": ["one", "three"], "x": ["two"]} and both.conversation == "main"
    alone = state(*asked("k1/a", "one"), *asked("k3/a", "three"))
    assert both.digest == alone.digest and both.others["x"].digest != b""


def test_to_begin_with_no_history_forgets_a_group_in_all_conversations_and_nothing_else() -> None:
    given = [
        *asked("k1/g/1/a", "old", sender="group-g"),
        *asked("k2/g/1/a", "older", "x", sender="group-g"),
        *asked("k3/a", "mine"),
        *asked("k4/g/1/a", "new", "x", sender="group-g", fresh=True),
    ]
    assert heard(state(*given)) == {"main": ["mine"], "x": ["new"]}


def test_the_json_of_an_agent_has_main_as_its_history_and_the_others_by_name() -> None:
    shape = agent_shape(state(*asked("k1/a", "one"), *asked("k2/a", "two", "x")))
    assert [line["parts"][0]["text"] for line in shape["history"]] == ["one"]  # type: ignore[index,union-attr]
    assert list(shape["conversations"]) == ["x"]  # type: ignore[arg-type]


async def test_a_prompt_has_the_lines_of_its_conversation_alone_and_is_made_again_from_the_log() -> None:
    model, store = Gated(), MemoryStore()
    async with System.open(store, model=model) as system:
        a = await system.start(Agent("a", "You are a."))
        for text, talk in (("one", "main"), ("two", "x"), ("three", "main"), ("four", "x")):
            await a.ask(text, conversation=talk)
        live = await system.look("agent-a")
    prompts = [
        [words_in(line) for line in (await rebuilt(store, event.stream, event.version))[1:]]
        async for event in store.read_all()
        if event.type == "ModelCallStarted"
    ]
    assert prompts[1] == ["user: two"] and prompts[2] == ["user: one", "re user: one", "user: three"]
    assert prompts[3] == ["user: two", "re user: two", "user: four"]
    assert model.prompts == prompts
    assert live == await replay(store, agent_state, stream="agent-a")


async def test_a_key_that_comes_again_in_another_conversation_is_refused() -> None:
    async with System.open(MemoryStore(), model=Gated()) as system:
        a = await system.start(Agent("a"))
        await a.ask("one", key="k", conversation="x")
        assert (await a.ask("one", key="k", conversation="x")).text == "re user: one"
        with pytest.raises(KeyReused):
            await a.ask("one", key="k")


@pytest.mark.parametrize("name", ["", " ", "a/b", "x" * 201, "\0", 7])
async def test_a_name_that_no_conversation_can_have_is_refused(name: str) -> None:
    async with System.open(MemoryStore(), model=Gated()) as system:
        a = await system.start(Agent("a"))
        with pytest.raises(TextRefused, match="cannot name a conversation"):
            await a.tell("one", conversation=name)


async def test_a_group_keeps_its_conversations_apart_and_so_do_its_members() -> None:
    model = Gated()
    async with System.open(MemoryStore(), model=model) as system:
        team = await system.start(Group("team", [Agent("a"), Agent("b")], RoundRobin(max_turns=2)))
        await team.ask("secret", conversation="x")
        await team.ask("open")
        await team.ask("secret again", conversation="x")
    secret, open, again = ["".join(lines) for name, lines in model.read if name == "b"]
    assert "secret" in secret and "secret" not in open
    assert again.startswith(secret) and "open" not in again and "secret again" in again


@dataclass(frozen=True)
class Named:
    """Gives the word to those whom the request names."""

    def next(self, group: GroupState) -> Speak | Finish:
        """Return them, then what was said last. Pure."""
        names = group.params["who"]
        assert isinstance(names, list)
        return Finish(group.said[-1].text, "said") if group.assigned else Speak(tuple(map(str, names)))


async def test_a_member_that_heard_one_conversation_still_has_to_hear_the_other() -> None:
    model = Gated()
    async with System.open(MemoryStore(), model=model) as system:
        team = await system.start(Group("team", [Agent("a"), Agent("b")], Named()))
        await team.ask("one", conversation="x", params={"who": ["a"]})
        await team.ask("two", params={"who": ["b"]})
        await team.ask("three", conversation="x", params={"who": ["b"]})
    assert model.prompts[2][0] == "user (team): one" and "user (team): three" in model.prompts[2]
    assert not any("two" in line for line in model.prompts[2])


async def test_what_an_agent_sends_is_heard_in_main_whatever_it_works_on() -> None:
    ask = calls((ASK, {"message": "hi", "other_agent": "b"}))
    store = MemoryStore()
    async with System.open(store, model=ScriptedModel({"a": [ask, "done"], "b": ["hello"]})) as system:
        a = await system.start(Agent("a", tools=[ASK]))
        await system.start(Agent("b"))
        await a.ask("go", key="k", conversation="x")
    received = [event.data async for event in store.read_all() if isinstance(event.data, MessageReceived)]
    assert [(one.sender, one.conversation) for one in received] == [("user", "x"), ("agent-a", "main")]


# -- views ----------------------------------------------------------------------------------------------


async def talked(store: MemoryStore | SQLiteStore) -> System:
    """Let a person, a group and two agents talk."""
    ask = calls((ASK, {"message": "hi", "other_agent": "b"}))
    script = {"a": [ask, "done", "word", "again"], "b": ["hello", "word"]}
    async with System.open(store, model=ScriptedModel(script)) as system:
        a = await system.start(Agent("a", tools=[ASK]))
        team = await system.start(Group("team", [Agent("a", tools=[ASK]), Agent("b")], RoundRobin(max_turns=2)))
        await a.ask("go", key="k1", conversation="x")
        await team.ask("both", key="k2", conversation="y")
        await a.ask("more", key="k3")
        return system


async def test_conversations_are_listed_with_their_participants_and_how_much_was_said() -> None:
    found = await (await talked(MemoryStore())).conversations()
    told = [(one.owner, one.type, one.name, one.participants, one.facts.messages) for one in found]
    assert told == [
        ("a", "agent", "main", ("a", "user"), 1),
        ("a", "agent", "x", ("a", "user"), 1),
        ("a", "agent", "y", ("a", "team", "user"), 1),
        ("b", "agent", "main", ("b", "a"), 1),
        ("b", "agent", "y", ("b", "team", "user", "a"), 1),
        ("team", "group", "y", ("team", "user", "a", "b"), 1),
    ]
    assert all(one.facts.answers == 1 and one.facts.open == 0 and one.facts.first <= one.facts.last for one in found)


async def test_threads_say_who_talked_with_whom() -> None:
    system = await talked(MemoryStore())
    told = [(one.participants, one.type, one.conversations, one.facts.kinds) for one in await system.threads()]
    assert told == [
        (("a", "user"), "person", ("x", "main"), {"ask": 2}),
        (("a", "b"), "agents", ("main",), {"ask": 1}),
        (("a", "team"), "group", ("y",), {"turn": 1}),
        (("b", "team"), "group", ("y",), {"turn": 1}),
        (("team", "user"), "person", ("y",), {"ask": 1}),
    ]
    assert [one.participants for one in await system.threads("b")] == [("a", "b"), ("b", "team")]


async def test_a_thread_has_what_two_said_to_each_other_in_order() -> None:
    said = await (await talked(MemoryStore())).thread("b", "a")
    assert [(one.speaker, one.to, one.text) for one in said] == [("a", "b", "hi"), ("b", "a", "hello")]
    assert [one.position for one in said] == sorted(one.position for one in said)


async def test_the_command_line_shows_what_two_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with SQLiteStore.open(path) as store:
        await talked(store)
    assert await anyio.to_thread.run_sync(main, ["mail", "threads", str(path), "a", "b"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("b to a  hello")
    assert await anyio.to_thread.run_sync(main, ["mail", "threads", str(path), "a", "b", "--json"]) == 0
    assert [line["text"] for line in json.loads(capsys.readouterr().out)["lines"]] == ["hi", "hello"]


async def test_the_command_line_lists_both(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with SQLiteStore.open(path) as store:
        await talked(store)
    for verb, wanted in (("conversations", "with user"), ("threads", "a and b")):
        assert await anyio.to_thread.run_sync(main, ["mail", verb, str(path)]) == 0
        assert wanted in capsys.readouterr().out
        assert await anyio.to_thread.run_sync(main, ["mail", verb, str(path), "b", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)[verb]) == 2
