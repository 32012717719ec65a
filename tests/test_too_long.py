"""A provider that finds a prompt too long is understood, whatever words it has for that."""

from __future__ import annotations

import json

import pytest

from callboard import Agent, MemoryStore, OpenAIModel, System
from callboard.actors.model import ModelRequest
from callboard.events import ModelError

from .rawserver import STREAM, Answer, chunk, event, raw_server

VLLM = {
    "object": "error",
    "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}


def refusing(status: int, body: object) -> Answer:
    """Return an answer with `body` as JSON, in the shape that each server gives it."""
    sent = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}\r\n"
    return [f"{head}connection: close\r\n\r\n".encode() + sent]


async def kind(answer: Answer) -> tuple[str, bool]:
    async with raw_server(answer) as server:
        model = OpenAIModel("small", base_url=server.base_url)
        with pytest.raises(ModelError) as caught:
            await model.complete(ModelRequest("r", 1, "a", "", [], (), "k"), lambda _: None)
        await model.aclose()
    return caught.value.kind, caught.value.retry


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, VLLM),
        (400, {"error": {"message": "the request exceeds the available context size", "code": 400}}),
        (500, {"error": {"message": "Context size has been exceeded.", "code": 500}}),
        (
            400,
            {"type": "error", "error": {"type": "x", "message": "prompt is too long: 210000 tokens > 200000 maximum"}},
        ),
        (
            400,
            [{"error": {"code": 400, "message": "The input token count (120) exceeds the maximum number of tokens"}}],
        ),
        (400, {"error": {"message": "ContextWindowExceededError: OpenAIException", "code": "400"}}),
        (400, {"error": {"message": "Your input exceeds the context window of this model.", "code": None}}),
        (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000", "error_type": "validation"}),
        (413, "too much"),
    ],
    ids=["vllm", "llama.cpp", "llama.cpp 500", "anthropic", "gemini", "litellm", "openai", "tgi", "a proxy"],
)
async def test_a_prompt_that_is_too_long_is_known_by_what_is_said(status: int, body: object) -> None:
    assert await kind(refusing(status, body)) == ("context", False)


async def test_it_is_known_in_the_midst_of_a_stream() -> None:
    assert await kind([STREAM + event({"error": VLLM})]) == ("context", False)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "bad tool schema"),
        (400, "max_tokens must be <= 4096"),
        (429, "too many tokens per minute"),
        (503, "no context window free"),
    ],
)
async def test_what_is_wrong_otherwise_is_no_long_prompt(status: int, said: str) -> None:
    assert (await kind(refusing(status, {"error": {"message": said}})))[0] != "context"


async def test_an_agent_sums_up_and_goes_on_where_a_server_without_codes_refuses() -> None:
    def said(text: str) -> Answer:
        return [STREAM + chunk({"content": text}) + chunk({}, "stop")]

    answers = (said("one"), refusing(400, VLLM), said("a summary"), said("two"))
    async with raw_server(*answers) as server:
        model = OpenAIModel("small", base_url=server.base_url)
        async with System.open(MemoryStore(), model=model) as system:
            agent = await system.start(Agent("a"))
            assert [(await agent.ask(text)).text for text in ("first", "second")] == ["one", "two"]
    assert "a summary" in server.requests[3].body.decode()
