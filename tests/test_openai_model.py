"""OpenAIModel against a server of raw bytes."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.openai_model import Draft, OpenAIModel, header_safe, shown
from callboard.actors.provider_errors import of_status, wait
from callboard.events.catalog import Usage
from callboard.events.errors import ModelError, SpecError
from callboard.events.specs import ToolSpec

from .rawserver import STREAM, Act, Answer, RawServer, chunk, event, raw_server, refusal

DONE = b"data: [DONE]\n\n"
STOP = chunk({}, "stop")
HELLO: Answer = [
    STREAM + chunk({"role": "assistant", "content": ""}),
    chunk({"content": "hello"}),
    STOP + DONE,
]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def request(tools: Sequence[ToolSpec] = (), model: str = "", key: str = "log/r1/writer/1/1") -> ModelRequest:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    return ModelRequest("r1", 1, "writer", model, messages, tools, key)


def nothing(_: str) -> None:
    pass


async def ask(server: RawServer, **options: Any) -> ModelReply:
    model = OpenAIModel("small", base_url=server.base_url, **options)
    try:
        return await model.complete(request(), nothing)
    finally:
        await model.aclose()


async def failure(answer: Answer, **options: Any) -> ModelError:
    """Return what is raised where the server gives `answer`."""
    async with raw_server(answer) as server:
        with pytest.raises(ModelError) as caught:
            await ask(server, **options)
    assert len(server.requests) <= 1, "retries are callboard's own"
    return caught.value


# -- a whole reply ----------------------------------------------------------------------------------


async def test_a_stream_gives_the_whole_text_and_the_model_that_answered():
    async with raw_server(HELLO) as server:
        assert await ask(server) == ModelReply("hello", [], None, "small-1", "stop")


async def test_pieces_are_said_in_order_while_they_come():
    async with raw_server([STREAM + chunk({"content": "one "}), chunk({"content": "two"}), STOP]) as server:
        said: list[str] = []
        model = OpenAIModel("small", base_url=server.base_url)
        reply = await model.complete(request(), said.append)
        await model.aclose()
    assert (said, reply.text) == (["one ", "two"], "one two")


async def test_a_stream_with_a_finish_reason_is_whole_without_the_last_marker():
    async with raw_server([STREAM + chunk({"content": "hello"}) + STOP]) as server:
        assert (await ask(server)).text == "hello"


async def test_an_empty_reply_is_a_reply():
    async with raw_server([STREAM + STOP + DONE]) as server:
        assert (await ask(server)).text == ""


async def test_usage_is_read_from_the_last_chunk_that_has_it():
    tokens = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    last = event({"choices": [], "usage": tokens})
    async with raw_server([STREAM + chunk({"content": "x"}) + STOP + last + DONE]) as server:
        assert (await ask(server)).usage == Usage(input_tokens=9, output_tokens=2, cached_tokens=4)


async def test_parallel_tool_calls_are_put_together_by_index():
    def part(index: int, **function: str) -> dict[str, object]:
        return {"index": index, "function": function}

    pieces = [
        chunk({"tool_calls": [part(1, name="now", arguments="")]}),
        chunk({"tool_calls": [{"id": "a", **part(0, name="add", arguments='{"n":')}]}),
        chunk({"tool_calls": [part(0, arguments=" 1}")]}, "tool_calls"),
    ]
    async with raw_server([STREAM, *pieces, DONE]) as server:
        reply = await ask(server)
    assert (reply.uses, reply.finish_reason) == ([("add", '{"n": 1}'), ("now", "{}")], "tool_calls")


def test_tool_calls_without_an_index_are_taken_one_by_one():
    draft = Draft(nothing)
    for name in ("one", "two"):
        use = {"function": {"name": name, "arguments": "{}"}}
        draft.add({"choices": [{"delta": {"tool_calls": [use]}, "finish_reason": "tool_calls"}]})
    assert draft.whole("").uses == [("one", "{}"), ("two", "{}")]


async def test_a_refusal_is_what_the_model_says():
    async with raw_server([STREAM + chunk({"refusal": "I will not."}) + STOP]) as server:
        assert (await ask(server)).text == "I will not."


def test_of_several_choices_the_first_is_taken():
    draft = Draft(nothing)
    choices = [{"index": at, "delta": {"content": text}} for at, text in enumerate(["this", "that"])]
    draft.add({"choices": [*choices, {"index": 0, "finish_reason": "stop"}]})
    assert draft.whole("").text == "this"


def test_a_reply_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("callboard.actors.openai_model.LONGEST_REPLY", 10)
    draft = Draft(nothing)
    draft.add({"choices": [{"delta": {"content": "0123456789"}}]})
    with pytest.raises(ModelError, match="longer than 10") as caught:
        draft.add({"choices": [{"delta": {"tool_calls": [{"function": {"name": "x"}}]}}]})
    assert not caught.value.retry


# -- what is sent -----------------------------------------------------------------------------------


async def test_the_request_holds_messages_tools_parameters_and_the_key_of_the_call():
    tool = ToolSpec(name="add", description="Add one.", parameters={"type": "object"})
    async with raw_server(HELLO) as server:
        model = OpenAIModel("small", base_url=server.base_url, params={"temperature": 0})
        await model.complete(request([tool], model="large"), nothing)
        await model.aclose()
    sent = server.requests[0]
    assert sent.headers["idempotency-key"] == "log/r1/writer/1/1"
    assert json.loads(sent.body) == {
        "temperature": 0,
        "model": "large",
        "messages": request().messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [
            {
                "type": "function",
                "function": {"name": "add", "description": "Add one.", "parameters": {"type": "object"}},
            }
        ],
    }


async def test_without_tools_none_are_offered():
    async with raw_server(HELLO) as server:
        await ask(server)
    assert "tools" not in json.loads(server.requests[0].body)


async def test_key_and_place_are_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    async with raw_server(HELLO) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-from-outside")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        model = OpenAIModel("small")
        await model.complete(request(), nothing)
        await model.aclose()
    assert server.requests[0].headers["authorization"] == "Bearer sk-from-outside"


def test_a_key_with_any_characters_fits_into_a_header():
    keys = ["log/größe\n", "log/gr%C3%B6%C3%9Fe%0A", "log/r1/writer"]
    safe = [header_safe(key) for key in keys]
    assert all(key.isascii() and key.isprintable() for key in safe)
    assert (len(set(safe)), safe[2]) == (3, keys[2])


# -- a reply that is not whole ----------------------------------------------------------------------

HALF = STREAM + chunk({"content": "hel"})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([HALF], "cut"),
        ([HALF + DONE], "cut"),
        ([STREAM], "cut"),
        ([HALF, Act.RESET], "cut"),
        ([STREAM.replace(b"connection: close", b"content-length: 9999") + chunk({"content": "hel"})], "cut"),
        ([HALF + b"data: {oh\n\n" + STOP], "malformed"),
        ([HALF + b"data: \xff\n\n" + STOP], "malformed"),
        ([HALF + event([1]) + STOP], "malformed"),
        ([HALF + event({"choices": {"delta": 1}}) + STOP], "malformed"),
        ([STREAM + chunk({"content": 7}) + STOP], "malformed"),
        ([STREAM + chunk({"tool_calls": [{"index": 0}]}, "tool_calls")], "malformed"),
        ([STREAM.replace(b"event-stream", b"html") + b"<html>"], "malformed"),
        ([HALF + event({"error": {"message": "overloaded"}})], "server"),
        ([HALF + event({"error": {"message": "slow", "code": "rate_limit_exceeded"}})], "rate_limit"),
    ],
)
async def test_a_reply_that_is_not_whole_is_a_failed_attempt(answer: Answer, kind: str):
    error = await failure(answer)
    assert (error.kind, error.retry) == (kind, True)


@pytest.mark.parametrize(("code", "kind"), [("insufficient_quota", "quota"), ("context_length_exceeded", "context")])
async def test_an_error_in_midst_of_a_stream_that_does_not_pass_is_not_tried_again(code: str, kind: str):
    error = await failure([HALF + event({"error": {"message": "no", "code": code}})])
    assert (error.kind, error.retry) == (kind, False)


async def test_a_first_byte_that_does_not_come_is_a_timeout():
    error = await failure([Act.HOLD], first_byte=0.05)
    assert (error.kind, error.retry) == ("timeout", True)
    assert "nothing came for 0.05 s" in str(error)


async def test_comments_that_keep_a_connection_open_are_no_first_byte():
    assert (await failure([STREAM + b": wait\n\n", Act.HOLD], first_byte=0.05)).kind == "timeout"


async def test_a_reply_that_takes_too_long_in_all_is_a_timeout():
    error = await failure([HALF, Act.HOLD], total=0.1)
    assert (error.kind, error.retry) == ("timeout", True)
    assert "not whole after 0.1 s" in str(error)


async def test_after_the_first_chunk_only_the_total_counts():
    left: list[float] = []

    def look(_: str) -> None:
        left.append(anyio.current_effective_deadline() - anyio.current_time())

    async with raw_server(HELLO) as server:
        model = OpenAIModel("small", base_url=server.base_url, first_byte=30, total=600)
        await model.complete(request(), look)
        await model.aclose()
    assert 500 < left[0] <= 600


# -- answers that are errors ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind", "retry"),
    [
        (429, "rate_limit_exceeded", "rate_limit", True),
        (429, "insufficient_quota", "quota", False),
        (402, None, "quota", False),
        (500, None, "server", True),
        (503, None, "server", True),
        (408, None, "server", True),
        (409, None, "server", True),
        (401, "invalid_api_key", "auth", False),
        (403, None, "auth", False),
        (404, "model_not_found", "not_found", False),
        (400, None, "bad_request", False),
        (422, None, "bad_request", False),
    ],
)
async def test_a_status_says_whether_to_try_again(status: int, code: str | None, kind: str, retry: bool):
    error = await failure(refusal(status, {"message": "because", "code": code}))
    assert (error.kind, error.retry) == (kind, retry)
    assert "because" in str(error)


async def test_the_wait_that_a_provider_asks_for_is_passed_on():
    error = await failure(refusal(429, {"message": "slow"}, "retry-after: 7\r\n"))
    assert (error.retry, error.retry_after) == (True, 7.0)


@pytest.mark.parametrize("header", ["retry-after: 121\r\n", "x-should-retry: false\r\n"])
async def test_a_provider_that_wants_no_other_attempt_gets_none(header: str):
    assert not (await failure(refusal(429, {"message": "slow"}, header))).retry


async def test_an_error_without_the_usual_body_is_still_told():
    head = b"HTTP/1.1 502 Bad\r\nconnection: close\r\n\r\n"
    error = await failure([head + b"<html>upstream is gone</html>"])
    assert (error.kind, "upstream is gone" in str(error)) == ("server", True)


async def test_what_to_check_is_named():
    found = str(await failure(refusal(404, {"message": "no such model"})))
    refused = str(await failure(refusal(401, {"message": "who?"})))
    cut = str(await failure([HALF]))
    assert all("small at http://127.0.0.1:" in text for text in (found, cut))
    assert "OPENAI_API_KEY" in refused


async def test_the_key_is_in_no_message_even_where_the_provider_quotes_it():
    error = await failure(refusal(401, {"message": "bad key sk-very-secret"}), api_key="sk-very-secret")
    assert "sk-very-secret" not in str(error)
    assert "sk-very-secret" not in "".join(traceback.format_exception(error))


async def test_where_nobody_listens_the_server_is_asked_for():
    async with raw_server() as server:
        pass
    with pytest.raises(ModelError, match=r"127\.0\.0\.1.*does the server run") as caught:
        await ask(server)
    assert (caught.value.kind, caught.value.retry) == ("connection", True)


async def test_a_connection_that_breaks_before_the_answer_is_a_connection_error():
    assert (await failure([Act.RESET])).kind == "connection"


async def test_a_body_that_cannot_be_written_is_an_error_of_no_known_kind():
    async with raw_server(HELLO) as server:
        model = OpenAIModel("small", base_url=server.base_url)
        odd = ModelRequest("r1", 1, "writer", "", [{"role": "user", "content": object()}], (), "k")
        with pytest.raises(ModelError) as caught:
            await model.complete(odd, nothing)
        await model.aclose()
    assert (caught.value.kind, caught.value.retry, server.requests) == ("error", False, [])


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "9", "retry-after-ms": "300"}, 0.3),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_a_wait_is_read_from_seconds_milliseconds_and_dates(headers: dict[str, str], seconds: float | None):
    assert wait(headers, now=40.0) == seconds


def test_a_wait_without_end_is_no_wait():
    assert not of_status(429, "", frozenset(), {"retry-after": "inf"}, 0.0).retry


# -- the client -------------------------------------------------------------------------------------


async def test_a_call_that_is_cancelled_leaves_the_client_usable():
    async with raw_server([HALF, Act.HOLD], HELLO) as server:
        model = OpenAIModel("small", base_url=server.base_url)
        with anyio.CancelScope() as scope:
            await model.complete(request(), lambda _: scope.cancel())
        assert scope.cancelled_caught
        assert (await model.complete(request(), nothing)).text == "hello"
        await model.aclose()


async def test_a_model_that_was_closed_opens_again():
    async with raw_server(HELLO, HELLO) as server:
        model = OpenAIModel("small", base_url=server.base_url)
        for _ in range(2):
            assert (await model.complete(request(), nothing)).text == "hello"
            await model.aclose()


def test_without_key_and_place_the_demo_is_named():
    with pytest.raises(SpecError, match=r"OPENAI_API_KEY is not set.*callboard demo"):
        OpenAIModel("small")


def test_what_cannot_be_is_refused_at_once():
    for arguments in ({"base_url": "localhost:1"}, {"api_key": "k", "params": {"stream": False}}):
        with pytest.raises(SpecError):
            OpenAIModel("small", **arguments)  # pyright: ignore[reportArgumentType]


def test_a_place_is_shown_without_what_may_be_secret():
    assert shown("https://me:pw@host:1/v1?key=x") == "https://host:1/v1"
    model = OpenAIModel("small", base_url="https://me:pw@host/v1", api_key="sk-very-secret")
    assert repr(model) == "OpenAIModel('small', base_url='https://host/v1')"


def test_making_a_model_imports_no_client():
    code = (
        "import sys; from callboard.actors.openai_model import OpenAIModel; "
        "OpenAIModel('m', api_key='k'); print('openai' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "False"
