"""What the ids of an agent's calls and messages say, and hashes of what they are about. All pure."""

from __future__ import annotations

from hashlib import sha256

from pydantic_core import to_json

from callboard.events.catalog import MessageSent


def named_by(id: str, end: str) -> bool:
    """Return whether `id` is what somebody calls `end`, its last characters; nothing names nothing. Pure."""
    return end != "" and id.endswith(end)


def call_of(send: str) -> tuple[str, int]:
    """Return the tool call that a message belongs to, and which of its messages it is; 0 for an edit. Pure."""
    turn, numbers, _ = send.rsplit("/", 2)
    parts = numbers.split(".")
    return (f"{turn}/{parts[0]}/{parts[1]}", int(parts[2])) if len(parts) == 3 else (send, 0)


def message_id(call: str, n: int, recipient: str) -> str:
    """Return the id of the `n`-th message of the tool call `call`, from 1, to the actor named `recipient`. Pure."""
    turn, step, ordinal = call.rsplit("/", 2)
    return f"{turn}/{step}.{ordinal}.{n}/{recipient}"


def digest_of(tool: str, arguments: str, attempt: int) -> str:
    """Return the hash of one attempt of a call: SHA-256 over the three as a compact JSON array, 32 hex digits. Pure."""
    return sha256(to_json([tool, str(arguments), attempt])).hexdigest()[:32]


def message_digest(kind: str, recipient: str, text: str) -> str:
    """Return the hash of what a message says and to whom, by which a tool that runs again is known. Pure."""
    return sha256(to_json([kind, recipient, str(text)])).hexdigest()[:32]


def digest_in(sent: MessageSent) -> str:
    """Return the hash of what `sent` says and to whom. Pure."""
    return message_digest(sent.kind, sent.recipient, sent.parts[0].text if sent.parts else "")
