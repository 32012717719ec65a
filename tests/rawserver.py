"""A web server that answers with the bytes it is given, however wrong they are."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream


class Act(Enum):
    """What the server does instead of sending: wait until it is stopped, or reset the connection."""

    HOLD = "hold"
    RESET = "reset"


Answer = Sequence[bytes | Act]

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
"""The head of a reply that lasts until the connection ends."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; the names of its headers in lower case."""

    line: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class RawServer:
    """Answers the n-th request with the n-th answer, and closes the connection after each."""

    answers: Sequence[Answer]
    base_url: str = ""
    requests: list[Request] = field(default_factory=list[Request])

    async def serve(self, stream: ByteStream) -> None:
        """Answer one connection; one that comes after the last answer is closed without a word."""
        async with stream:
            try:
                request = await read(stream)
            except anyio.IncompleteRead:
                return
            self.requests.append(request)
            if len(self.requests) <= len(self.answers):
                for step in self.answers[len(self.requests) - 1]:
                    await act(stream, step)


async def read(stream: ByteStream) -> Request:
    """Read one request of at most 4 MiB."""
    buffered = BufferedByteReceiveStream(stream)
    head = (await buffered.receive_until(b"\r\n\r\n", 65_536)).decode("latin-1")
    line, *rest = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
    size = int(headers.get("content-length", "0"))
    assert size <= 4 * 2**20
    return Request(line, headers, await buffered.receive_exactly(size) if size else b"")


async def act(stream: ByteStream, step: bytes | Act) -> None:
    """Do one step of an answer."""
    if isinstance(step, bytes):
        await stream.send(step)
    elif step is Act.HOLD:
        await anyio.sleep_forever()
    else:
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@asynccontextmanager
async def raw_server(*answers: Answer) -> AsyncGenerator[RawServer]:
    """Serve `answers` on a free port of the loopback until the block ends."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(SocketAttribute.local_port)
    server = RawServer(answers, f"http://127.0.0.1:{port}/v1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.serve)
        yield server
        tasks.cancel_scope.cancel()


def event(data: object) -> bytes:
    """Return one server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(delta: Mapping[str, object], finish_reason: str | None = None) -> bytes:
    """Return one chunk of a reply."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return event({"id": "c", "object": "chat.completion.chunk", "model": "small-1", "choices": [choice]})


def refusal(status: int, error: Mapping[str, object], headers: str = "") -> Answer:
    """Return an answer that is an error; each line of `headers` ends with CRLF."""
    content = json.dumps({"error": error}).encode()
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}"
    return [f"{head}content-length: {len(content)}\r\n\r\n".encode() + content]
