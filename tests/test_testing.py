"""ScriptedModel."""

from __future__ import annotations

import pytest

from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.testing import ScriptedModel, calls
from callboard.events.errors import ModelError, ScriptEnded


def request(agent: str = "writer") -> ModelRequest:
    return ModelRequest("r1", 1, agent, "", [{"role": "user", "content": "Hi"}], (), "key")


def nothing(_: str) -> None:
    pass


async def test_replies_come_in_order_for_each_agent():
    model = ScriptedModel({"writer": ["one", "two"], "critic": ["three"]})
    replies = [await model.complete(request(agent), nothing) for agent in ("writer", "critic", "writer")]
    assert [reply.text for reply in replies] == ["one", "three", "two"]


async def test_a_text_is_said_in_pieces():
    said: list[str] = []
    await ScriptedModel({"writer": ["a whole text"]}).complete(request(), said.append)
    assert (len(said), "".join(said)) == (3, "a whole text")


async def test_pairs_are_tool_calls():
    model = ScriptedModel({"writer": [[("add", {"n": 1}), ("now", {})]]})
    reply = await model.complete(request(), nothing)
    assert reply == ModelReply("", [("add", '{"n": 1}'), ("now", "{}")], finish_reason="tool_calls")


async def test_a_whole_reply_is_given_as_it_is():
    reply = calls(("add", {"n": "ö"}), text="so:")
    said: list[str] = []
    assert await ScriptedModel({"writer": [reply]}).complete(request(), said.append) is reply
    assert ("".join(said), reply.uses) == ("so:", [("add", '{"n": "ö"}')])


async def test_an_exception_is_raised_and_counts_as_a_reply():
    model = ScriptedModel({"writer": [ModelError("busy", kind="rate_limit", retry=True), "at last"]})
    with pytest.raises(ModelError, match="busy"):
        await model.complete(request(), nothing)
    assert (await model.complete(request(), nothing)).text == "at last"


async def test_a_function_answers_what_it_sees():
    model = ScriptedModel({"writer": [lambda seen: f"to {seen.agent}"]})
    assert (await model.complete(request(), nothing)).text == "to writer"


@pytest.mark.parametrize("agent", ["writer", "stranger"])
async def test_one_call_too_many_names_the_agent_and_the_count(agent: str):
    model = ScriptedModel({"writer": ["one"]})
    await model.complete(request(), nothing)
    count = {"writer": 1, "stranger": 0}[agent]
    with pytest.raises(ScriptEnded, match=f"has {count} replies for '{agent}'") as caught:
        await model.complete(request(agent), nothing)
    assert not caught.value.retry


async def test_what_was_not_used_is_left_over():
    model = ScriptedModel({"writer": ["one", "two"], "critic": []})
    await model.complete(request(), nothing)
    assert model.leftovers == {"writer": ["two"]}
    with pytest.raises(AssertionError, match="writer: 1"):
        model.assert_finished()


async def test_a_script_that_was_used_up_is_finished():
    model = ScriptedModel({"writer": ["one"]})
    await model.complete(request(), nothing)
    model.assert_finished()


async def test_requests_are_kept_in_order():
    model = ScriptedModel({"writer": ["one"], "critic": ["two"]})
    asked = [request(), request("critic")]
    for each in asked:
        await model.complete(each, nothing)
    assert model.requests == asked
