"""Where requests from outside come in: `Ref` for agents and groups."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Unpack

import anyio
from pydantic import BaseModel, JsonValue
from pydantic_core import from_json

from callboard.events import CallboardError, RecordedEvent, Text, TextRefused
from callboard.events.catalog import AgentRetired, ModelCallStarted, Part, Reply
from callboard.events.codec import MAX_TEXT
from callboard.projections.answer import Answer
from callboard.projections.words import name_of

from .commands import Alter, Cancel, Receive
from .limits import Limits
from .starting import USER
from .storable import storable
from .streaming import TextDelta

if TYPE_CHECKING:
    from .archives import ArchiveRef
    from .block_ref import BlockRef
    from .search import Hits
    from .searches import Bounds
    from .specs import Block
    from .system import System

WAITING = 1_000
"""Items that wait for a slow reader. Events make their source wait; text is dropped, for the whole is recorded."""


def checked_message(text: object) -> str:
    """Return `text`, if it can be taken in; of a pydantic model its JSON.

    Raises:
        TextRefused: It is neither, empty, too long, or holds NUL or half of a surrogate pair.
    """
    if isinstance(text, BaseModel):
        text = text.model_dump_json()
    if not isinstance(text, str):
        raise TextRefused(f"a message is a string or a pydantic model, not {type(text).__name__}")
    if not text.strip():
        raise TextRefused("the message is empty; say something")
    if len(text) > MAX_TEXT or len(text.encode(errors="replace")) > MAX_TEXT:
        raise TextRefused(f"the message has {len(text):,} characters; {MAX_TEXT:,} bytes of UTF-8 are the most")
    if storable(text)[0] != text:
        raise TextRefused("the message holds a NUL character or half of a surrogate pair; remove it")
    return text


def checked_key(key: object) -> str:
    """Return `key`, if a request may have it.

    Raises:
        TextRefused: It is empty, too long, or holds `/`, which parts of ids are joined with.
    """
    if not isinstance(key, str) or not key or len(key) > 200 or "/" in key or storable(key)[0] != key:
        raise TextRefused(f"{key!r} cannot be a key: 1 to 200 characters without '/' are wanted")
    if key.startswith("callboard:"):
        raise TextRefused(f"{key!r} cannot be a key: 'callboard:' begins those of callboard's own messages")
    return key


def checked_params(params: Mapping[str, JsonValue] | None) -> dict[str, JsonValue]:
    """Return `params` as the log will hold them.

    Raises:
        TextRefused: They are no JSON object, too long, or hold half of a surrogate pair.
    """
    try:
        text = json.dumps(dict(params or {}), allow_nan=False)
        found: dict[str, JsonValue] = from_json(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise TextRefused(f"the params cannot be taken in as JSON: {error}") from None
    if len(text) > MAX_TEXT:
        raise TextRefused(f"the params have {len(text):,} characters as JSON; {MAX_TEXT:,} are the most")
    return found


def checked_conversation(name: object) -> str:
    """Return `name`, if a conversation may have it.

    Raises:
        TextRefused: It is empty, too long, or holds `/` or what cannot be stored.
    """
    if not isinstance(name, str) or not name.strip() or len(name) > 200 or "/" in name or storable(name)[0] != name:
        raise TextRefused(f"{name!r} cannot name a conversation: 1 to 200 characters without '/' are wanted")
    return name


def checked_expiry(expires: object, now: datetime) -> datetime | None:
    """Return when a message expires, in UTC, given seconds from `now`, a time, or None for never.

    Raises:
        TextRefused: It is no number of seconds above zero, or a time without a time zone.
    """
    if expires is None:
        return None
    try:
        if isinstance(expires, datetime) and expires.tzinfo is not None:
            return expires.astimezone(UTC)
        if isinstance(expires, int | float) and not isinstance(expires, bool) and expires > 0:
            return now.astimezone(UTC) + timedelta(seconds=expires)
    except OverflowError:
        pass
    raise TextRefused(f"{expires!r} cannot be an expiry: seconds above zero, or a datetime with a time zone, is wanted")


@dataclass(frozen=True, slots=True)
class Ref:
    """The address of an agent or group; a value that may be kept and compared."""

    address: str
    system: System

    @property
    def name(self) -> str:
        """The name that it was started under."""
        return name_of(self.address)

    @property
    def archive(self) -> ArchiveRef:
        """The archive that its tools read and write."""
        return self.system.archive_at(self.address)

    async def ask(
        self,
        text: str | BaseModel,
        *,
        key: str | None = None,
        timeout: float | None = None,
        params: Mapping[str, JsonValue] | None = None,
        limits: Limits | None = None,
        conversation: str = "main",
        expires: float | datetime | None = None,
    ) -> Answer:
        """Send a request, a text or a pydantic model as its JSON, and return its answer.

        With a `key` that came before, the first request's answer; it is not worked on again. Who stops
        waiting, by `timeout` in seconds or by being cancelled, leaves the request going on. What it may spend
        with all that it causes is in `limits`; at one of them it ends with what it has, or asks a person.

        Args:
            conversation: The context that it is heard in; agents keep those of different names apart.
            expires: When it fails if nobody works on it by then: a time, or seconds from now.

        Raises:
            RequestFailed: The request ended without an answer; its `.answer` has turns, usage and trace.
            TextRefused: The text, the key, the params, the conversation or the expiry cannot be taken in.
            KeyReused: The key came before with another text.
            DeliveryFailed: It could not be handed over.
            TimeoutError: There was no answer in time.
        """
        request = self._request(text, "ask", key, params, limits, conversation, expires)
        with anyio.fail_after(timeout):
            return await self.system.ask(self.address, request)

    async def tell(
        self,
        text: str | BaseModel,
        *,
        key: str | None = None,
        limits: Limits | None = None,
        conversation: str = "main",
        expires: float | datetime | None = None,
    ) -> str:
        """Send a message that wants no answer; return its trace when it can no longer be lost.

        One that expires before anybody works on it becomes a dead letter.

        Raises:
            TextRefused, KeyReused, DeliveryFailed: As for `ask`.
        """
        request = self._request(text, "tell", key, None, limits, conversation, expires)
        await self.system.deliver(self.address, request, wait=0)
        return request.id.split("/", 1)[0]

    @asynccontextmanager
    async def stream(
        self,
        text: str | BaseModel,
        *,
        key: str | None = None,
        params: Mapping[str, JsonValue] | None = None,
        limits: Limits | None = None,
        conversation: str = "main",
        expires: float | datetime | None = None,
    ) -> AsyncGenerator[Run]:
        """Send a request and follow it: `async for` gives each event as it is recorded, and text as it arrives.

        Raises:
            TextRefused: As for `ask`.
        """
        request = self._request(text, "ask", key, params, limits, conversation, expires)
        run = Run(self.address, request, self.system)
        with run.listening():
            self.system.spawn(run.go)
            yield run

    async def cancel(self, trace: str) -> None:
        """End the request `trace` here, or see that it never begins; return when that is recorded."""
        await self.system.deliver(self.address, Cancel(f"{checked_key(trace)}/{self.name}", USER))

    async def search(self, query: str, **bounds: Unpack[Bounds]) -> Hits:
        """Return what this agent, or those in this group, heard and said about `query`; see `System.search`."""
        return await self.system.search(query, name=self.name, **bounds)

    async def retire(self) -> None:
        """Take nothing up any more. What is under way is finished; what it knows stays. `start` brings it back."""
        id = f"{self.system.outside.key()}/{self.name}"
        await self.system.deliver(self.address, Alter(id, USER, AgentRetired(id=id)))

    async def attach(self, block: Block | BlockRef | str, *, read_only: bool = False) -> None:
        """Give this agent a block from its next model call on; twice is once.

        Args:
            block: One that is started with it; or of one that there is, its address, its name in the log, or its label.

        Raises:
            SpecError: The agent has another block of that label, or this one with other access.
            NoSuchBlock: There is no such block.
        """
        await self.system.attach(self.address, block, read_only=read_only)

    async def detach(self, label: str) -> None:
        """Take a block from this agent, whoever gave it, also when its spec is started again; what it holds stays.

        Raises:
            SpecError: The agent has no such block.
        """
        await self.system.detach(self.address, label)

    def _request(
        self,
        text: str | BaseModel,
        kind: str,
        key: str | None,
        params: Mapping[str, JsonValue] | None,
        limits: Limits | None,
        conversation: str,
        expires: float | datetime | None,
    ) -> Receive:
        said = Text(checked_message(text))
        name = self.system.outside.key() if key is None else checked_key(key)
        parts = (Part(speaker=USER, text=said),)
        wanted = "tell" if kind == "tell" else "ask"
        now = self.system.outside.now()
        return Receive(
            f"{name}/{self.name}", USER, wanted, parts, params=checked_params(params),
            conversation=checked_conversation(conversation), expires=checked_expiry(expires, now),
            grant=(limits or self.system.limits).grant(now),
        )  # fmt: skip


class Run:
    """A request under way, as events and text.

    Iterating ends with the event that answers it, and raises what `Ref.ask` would raise.
    """

    def __init__(self, stream: str, request: Receive, system: System) -> None:
        self._stream, self._request, self._system = stream, request, system
        self._send, self._receive = anyio.create_memory_object_stream[RecordedEvent | TextDelta](WAITING)
        self._after = system.store.position
        self._ended = anyio.Event()
        self._scope = anyio.CancelScope()
        self._answer: Answer | None = None
        self._failure: CallboardError | None = None

    @property
    def trace(self) -> str:
        """The id of the request."""
        return self._request.id.split("/", 1)[0]

    async def answer(self) -> Answer:
        """Wait for the answer.

        Raises:
            RequestFailed, KeyReused, DeliveryFailed: As for `Ref.ask`.
        """
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure
        assert self._answer is not None
        return self._answer

    async def __aiter__(self) -> AsyncIterator[RecordedEvent | TextDelta]:
        started, early = set[tuple[str, int]](), list[TextDelta]()
        async for item in self._receive:
            if isinstance(item, TextDelta):
                if (item.call, item.attempt) in started:
                    yield item
                else:
                    early.append(item)
                continue
            yield item
            if isinstance(item.data, ModelCallStarted):
                call = (item.data.id, item.data.attempt)
                started.add(call)
                for delta in early:
                    if (delta.call, delta.attempt) == call:
                        yield delta
                early = [delta for delta in early if (delta.call, delta.attempt) != call]
        await self.answer()

    @contextmanager
    def listening(self) -> Generator[None]:
        """Take in pieces of text meanwhile; at the end, stop following. The request goes on."""
        self._system.deltas.listen(self.trace, self._hear)
        try:
            yield
        finally:
            self._scope.cancel()
            self._system.deltas.ignore(self.trace, self._hear)
            self._send.close()
            self._receive.close()

    def _hear(self, delta: TextDelta) -> None:
        try:
            self._send.send_nowait(delta)
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass

    async def go(self) -> None:
        """Send the request and follow it, until told to stop."""
        with self._scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._ask)
                tasks.start_soon(self._follow)

    async def _ask(self) -> None:
        try:
            self._answer = await self._system.ask(self._stream, self._request)
        except CallboardError as error:
            self._failure = error
        self._ended.set()
        reply = await self._system.store.find(self._stream, f"re:{self._request.id}")
        if reply is None or reply.position <= self._after:
            self._send.close()

    async def _follow(self) -> None:
        async for event in self._system.store.subscribe(after=self._after):
            if event.data.correlation_id != self.trace:
                continue
            try:
                await self._send.send(event)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return
            if isinstance(event.data, Reply) and event.data.id == self._request.id:
                self._send.close()
                return
