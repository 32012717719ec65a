"""Ask any provider that speaks OpenAI's chat completions API: OpenAI, Ollama, vLLM, proxies.

The only file but `openai_embedder.py` that imports `openai`, and only once a call is made: the import costs half a
second.
Requests go through the client's low-level verb, since the typed one walks every message of the
prompt; retries are callboard's own (`max_retries=0`), so that each attempt is recorded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import quote, urlsplit

import anyio
from pydantic import AliasPath, BaseModel, Field, JsonValue, ValidationError

from callboard.events.catalog import Usage
from callboard.events.errors import ModelError, SpecError
from callboard.events.specs import ToolSpec

from .model import ModelReply, ModelRequest, longest
from .provider_errors import MOST_SAID, of_code, of_status

if TYPE_CHECKING:
    from openai import APIError, AsyncOpenAI, AsyncStream

LONGEST_REPLY = 16 * 2**20
"""Characters; a model that says more is cut off."""

MOST_TOKENS = 1_000_000_000
"""Tokens of one call, above which a count is none."""

OURS = frozenset({"model", "messages", "tools", "stream", "stream_options", "n"})
"""Fields of a request that `params` cannot set."""


class OpenAIModel:
    """A model behind the chat completions API, whole replies only: one that is cut is a failed attempt.

    The client is made at the first call and belongs to the loop that runs then, until `aclose`.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        first_byte: float = 60.0,
        total: float = 600.0,
        at_once: int | None = None,
        params: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Name the model, and where it is.

        `base_url` and `api_key` fall back on OPENAI_BASE_URL and OPENAI_API_KEY. `first_byte` and
        `total` are in seconds. At most `at_once` requests are in flight; None for as many as the system allows.
        `params` are more fields of each request, such as `temperature`.

        Raises:
            SpecError: There is neither a key nor a `base_url`, or one of the arguments cannot be.
        """
        self.name = name
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL") or None
        self.first_byte, self.total, self.at_once = first_byte, total, at_once
        self.params = dict(params or {})
        self._key = api_key or os.environ.get("OPENAI_API_KEY") or ""
        self._client: AsyncOpenAI | None = None
        _check(name, self.base_url, self.params, has_key=bool(self._key))

    def __repr__(self) -> str:
        where = f", base_url={shown(self.base_url)!r}" if self.base_url else ""
        return f"OpenAIModel({self.name!r}{where})"

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        """Make one attempt; `say` gets each piece of text as it comes.

        Raises:
            ModelError: There is no whole reply. `kind` is one of `rate_limit`, `quota`, `auth`,
                `bad_request`, `context`, `not_found`, `server`, `timeout`, `connection`, `cut`, `malformed`,
                `error`.
        """
        draft = Draft(say)
        begin = anyio.current_time()
        with anyio.CancelScope(deadline=begin + min(self.first_byte, self.total)) as scope:
            try:
                stream = await self._post(request)
                draft.open = True
                try:
                    async for chunk in stream:
                        if not draft.begun:
                            scope.deadline = begin + self.total
                        draft.add(chunk)
                    return draft.whole(stream.response.headers.get("content-type", ""))
                finally:
                    with anyio.move_on_after(1, shield=True):
                        await stream.close()
            except ModelError as error:
                raise self._named(error, request) from None
            except Exception as why:  # the border to others' code
                # Without its cause: that may quote the key, and tracebacks print causes.
                raise self._named(_failure(why, draft), request) from None
        raise self._named(_late(draft, self.first_byte, self.total), request)

    async def aclose(self) -> None:
        """Close the connections; a later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _post(self, request: ModelRequest) -> AsyncStream[object]:
        from openai import AsyncOpenAI, AsyncStream

        if self._client is None:
            key = self._key or "unused"  # local servers want one, and ignore it
            self._client = AsyncOpenAI(base_url=self.base_url, api_key=key, max_retries=0, timeout=None)
        return await self._client.post(
            "/chat/completions",
            body=body(request, self.name, self.params),
            cast_to=object,
            options={"headers": {"Idempotency-Key": header_safe(request.key)}},
            stream=True,
            stream_cls=AsyncStream[object],
        )

    def _named(self, error: ModelError, request: ModelRequest) -> ModelError:
        """Say which model and where, and see that the key is not said."""
        where = shown(self.base_url) if self.base_url else "the OpenAI API"
        text = f"{request.model or self.name} at {where}: {error}"
        if len(self._key) >= 8:
            text = text.replace(self._key, "[key]")
        return ModelError(text, kind=error.kind, retry=error.retry, retry_after=error.retry_after)


def body(request: ModelRequest, name: str, params: Mapping[str, JsonValue]) -> dict[str, object]:
    """Return the body of a request, which shares the messages. Pure."""
    messages = request.messages
    tools = [offered(tool) for tool in request.tools]
    return {
        **params,
        "model": request.model or name,
        "messages": messages if isinstance(messages, list | tuple) else list(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        **({"tools": tools} if tools else {}),
        **longest(request, params),
    }


def offered(tool: ToolSpec) -> dict[str, object]:
    """Return a tool as the API wants it; without parameters it takes none. Pure."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": {field: value for field, value in function.items() if value}}


def header_safe(key: str) -> str:
    """Return `key` in characters that a header may hold, distinct where keys are. Pure."""
    return quote(key, safe="/:+=,@")


def shown(url: str) -> str:
    """Return `url` without a password or a query, which may hold a key. Pure."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def check_base_url(base_url: str | None) -> None:
    """See that `base_url`, if there is one, is a URL.

    Raises:
        SpecError: It is not.
    """
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise SpecError(
            f"base_url begins with neither http:// nor https://: {base_url.partition(':')[0]!r}...; "
            "give the whole URL, such as http://127.0.0.1:11434/v1"
        )


def _check(name: str, base_url: str | None, params: Mapping[str, JsonValue], *, has_key: bool) -> None:
    if not name:
        raise SpecError("the name of the model is empty; give one that the provider knows")
    check_base_url(base_url)
    if taken := sorted(OURS & params.keys()):
        raise SpecError(f"params set {', '.join(taken)}, which callboard sets itself; leave them out")
    if not has_key and base_url is None:
        raise SpecError(
            f"no API key for the model {name!r}: OPENAI_API_KEY is not set, and no base_url is given; set "
            "OPENAI_API_KEY, or OPENAI_BASE_URL for a server that needs none (such as Ollama), or try "
            "`callboard demo`, which needs neither"
        )


class _Call(BaseModel):
    index: int | None = None
    name: str | None = Field(None, validation_alias=AliasPath("function", "name"))
    arguments: str | None = Field(None, validation_alias=AliasPath("function", "arguments"))


class _Delta(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


_Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


class _Tokens(BaseModel):
    prompt_tokens: _Count
    completion_tokens: _Count | None = None
    cached_tokens: _Count | None = Field(None, validation_alias=AliasPath("prompt_tokens_details", "cached_tokens"))


def _counted(said: object) -> Usage | None:
    """Return what a provider says it counted; None where that cannot be, as if it had said nothing."""
    try:
        told = _Tokens.model_validate(said)
    except ValidationError:
        return None
    return Usage(
        input_tokens=told.prompt_tokens,
        output_tokens=told.completion_tokens or 0,
        cached_tokens=min(told.cached_tokens or 0, told.prompt_tokens),
    )


class _Chunk(BaseModel):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: object = None


@dataclass(slots=True)
class Draft:
    """A reply as far as it has come: `open` once there is a stream, `begun` once there is a chunk."""

    say: Callable[[str], None]
    open: bool = False
    begun: bool = False
    model: str = ""
    finish_reason: str = ""
    usage: Usage | None = None
    size: int = 0
    text: list[str] = field(default_factory=list[str])
    calls: dict[int, tuple[list[str], list[str]]] = field(default_factory=dict[int, "tuple[list[str], list[str]]"])

    def add(self, data: object) -> None:
        """Take in one chunk.

        Raises:
            ValidationError: It has another shape than a chunk.
            ModelError: The reply grows beyond what can be kept.
        """
        self.begun = True
        chunk = _Chunk.model_validate(data)
        self.model = chunk.model or self.model
        if chunk.usage is not None:
            self.usage = _counted(chunk.usage) or self.usage
        for choice in chunk.choices or ():
            if choice.index == 0:
                self.finish_reason = choice.finish_reason or self.finish_reason
                if choice.delta is not None:
                    self._extend(choice.delta)

    def _extend(self, delta: _Delta) -> None:
        for call in delta.tool_calls or ():
            self._call(call)
        piece = delta.content or delta.refusal
        if piece:
            self._grow(piece)
            self.text.append(piece)
            self.say(piece)

    def _call(self, call: _Call) -> None:
        index = call.index
        if index is None:  # some leave it out, and send each call whole
            index = max(self.calls, default=-1) + (1 if call.name or not self.calls else 0)
        names, arguments = self.calls.setdefault(index, ([], []))
        for kept, piece in ((names, call.name), (arguments, call.arguments)):
            if piece:
                self._grow(piece)
                kept.append(piece)

    def _grow(self, piece: str) -> None:
        self.size += len(piece)
        if self.size > LONGEST_REPLY:
            raise ModelError(f"the reply is longer than {LONGEST_REPLY:,} characters", kind="malformed")

    def whole(self, media_type: str) -> ModelReply:
        """Return the reply, of which no more will come; `media_type` helps to say why there is none.

        Raises:
            ModelError: It is not whole.
        """
        if not self.begun and "text/event-stream" not in media_type:
            found = media_type or "no content type"
            raise _passing("malformed", f"answered with {found} and no stream; is base_url right?")
        if not self.finish_reason:
            raise _passing("cut", "the reply ended without a finish_reason, so it is cut")
        uses = [("".join(names), "".join(parts) or "{}") for _, (names, parts) in sorted(self.calls.items())]
        if not all(name for name, _ in uses):
            raise _passing("malformed", "the reply calls a tool without a name")
        return ModelReply("".join(self.text), uses, self.usage, self.model, self.finish_reason)


def _late(draft: Draft, first_byte: float, total: float) -> ModelError:
    if draft.begun or total <= first_byte:
        return _passing("timeout", f"the reply was not whole after {total:g} s")
    return _passing("timeout", f"nothing came for {first_byte:g} s; is the model loaded, or the server overloaded?")


def _failure(why: Exception, draft: Draft) -> ModelError:
    """Return what an exception of the client means."""
    from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

    match why:
        case APIStatusError():
            return of_status(why.status_code, *_said(why), why.response.headers, time.time())
        case APITimeoutError():
            return _passing("timeout", "the connection timed out")
        case APIConnectionError() if draft.open:
            return _passing("cut", "the connection broke before the reply was whole")
        case APIConnectionError():
            cause = type(why.__cause__).__name__ if why.__cause__ else str(why)
            return _passing("connection", f"the connection failed before an answer ({cause}); does the server run?")
        case APIError():
            return of_code(*_said(why))
        case ValidationError():
            first = why.errors()[0]
            where = ".".join(map(str, first["loc"])) or "as a whole"
            return _passing("malformed", f"a chunk has another shape than agreed ({where}: {first['msg']})")
        case JSONDecodeError() | UnicodeDecodeError() if draft.open:
            return _passing("malformed", f"a chunk of the reply is not JSON: {why}")
        case _:
            return ModelError(f"{type(why).__name__}: {why}"[:MOST_SAID])


def _said(error: APIError) -> tuple[str, frozenset[str]]:
    """Return what the provider says about an error, whatever shape it gave that, and the codes it names."""
    told = cast("dict[str, object] | str | None", error.body)
    known = not told or (isinstance(told, dict) and "message" in told)
    text = error.message if known else f"{error.message}: {told}"
    return text, frozenset(str(code) for code in (error.code, error.type) if code)


def _passing(kind: str, text: str) -> ModelError:
    return ModelError(text, kind=kind, retry=True)
