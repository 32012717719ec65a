"""OpenAIModel against a model server that others wrote."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import pytest

from callboard.actors.model import Message, ModelRequest
from callboard.actors.openai_model import OpenAIModel
from callboard.events.errors import ModelError
from callboard.events.specs import ToolSpec

from .wireserver import WireServer

pytestmark = pytest.mark.wire

WEATHER = ToolSpec(name="weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
PLAN = ToolSpec(name="memory_append", parameters={"type": "object"})
WRITER = "You write one short paragraph."
CRITIC = "You name the weakest sentence, and why."


@pytest.fixture
async def model(wire: WireServer) -> AsyncGenerator[OpenAIModel]:
    model = OpenAIModel("small-1", base_url=wire.base_url)
    yield model
    await model.aclose()


def request(text: str, *more: Message, system: str = "You are the wire test.", key: str = "k") -> ModelRequest:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}, *more]
    return ModelRequest("r1", 1, "writer", "", messages, [WEATHER, PLAN], key)


def nothing(_: str) -> None:
    pass


async def test_a_text_comes_in_pieces_and_with_its_usage(model: OpenAIModel):
    said: list[str] = []
    reply = await model.complete(request("hello"), said.append)
    assert reply.text == "".join(said) == "Hello over the wire: ebb, flow, and back again."
    assert (len(said), reply.finish_reason, reply.model) == (6, "stop", "small-1")
    assert reply.usage is not None
    assert reply.usage.output_tokens > 0


async def test_two_tools_are_called_at_once(model: OpenAIModel):
    reply = await model.complete(request("two tools"), nothing)
    assert reply.finish_reason == "tool_calls"
    called = [(name, json.loads(arguments)) for name, arguments in reply.uses]
    assert called == [("weather", {"city": "Paris", "days": 3}), ("weather", {"city": "Rome", "days": 1})]


@pytest.mark.parametrize(
    ("text", "kind", "retry_after"), [("be busy once", "rate_limit", 3.0), ("break once", "server", None)]
)
async def test_after_a_passing_failure_another_attempt_succeeds(
    model: OpenAIModel, wire: WireServer, text: str, kind: str, retry_after: float | None
):
    with pytest.raises(ModelError) as caught:
        await model.complete(request(text), nothing)
    assert (caught.value.kind, caught.value.retry, caught.value.retry_after) == (kind, True, retry_after)
    assert (await model.complete(request(text), nothing)).text.startswith("Hello")
    assert len(wire.journal()) == 2, "the client made attempts of its own"


async def test_a_reply_that_is_cut_is_no_answer(model: OpenAIModel):
    with pytest.raises(ModelError) as caught:
        await model.complete(request("be cut"), nothing)
    assert (caught.value.kind, caught.value.retry) == ("cut", True)


async def test_the_journal_shows_the_key_of_the_call_and_the_messages_as_they_were(
    model: OpenAIModel, wire: WireServer
):
    asked = request("two tools", key="log/r1/writer/1/1")
    await model.complete(asked, nothing)
    (entry,) = wire.journal()
    assert entry["headers"]["idempotency-key"] == "log/r1/writer/1/1"
    assert entry["body"]["messages"] == asked.messages
    assert [tool["function"]["name"] for tool in entry["body"]["tools"]] == ["weather", "memory_append"]


async def test_the_writer_plans_first_and_answers_once_its_tools_have_run(model: OpenAIModel):
    first = await model.complete(request("Write about tides, with a plan.", system=WRITER), nothing)
    assert [name for name, _ in first.uses] == ["memory_append", "word_count"]
    calls = [
        {"id": str(at), "type": "function", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate(first.uses)
    ]
    turn = [
        {"role": "assistant", "content": first.text, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in calls),
    ]
    second = await model.complete(request("Write about tides, with a plan.", *turn, system=WRITER), nothing)
    assert (second.uses, second.text.startswith("The plan is noted.")) == ([], True)
    again = [
        *turn,
        {"role": "assistant", "content": second.text},
        {"role": "user", "content": "again, with a plan"},
    ]
    third = await model.complete(request("Write about tides, with a plan.", *again, system=WRITER), nothing)
    assert [name for name, _ in third.uses] == ["memory_append", "word_count"]


async def test_agents_are_told_apart_by_their_instructions(model: OpenAIModel):
    written = await model.complete(request("Write about tides.", system=WRITER), nothing)
    judged = await model.complete(request(written.text, system=CRITIC), nothing)
    assert written.text.startswith("The moon pulls")
    assert judged.text.startswith("The weakest sentence is")
