"""What a model reads: one system message, then the history. Pure, so a prompt can be rebuilt from the log.

The layout is `RENDERING`; it is recorded with each call, and a changed layout takes the next number
and leaves this one as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from pydantic_core import from_json, to_json

from callboard.events import Text
from callboard.events.catalog import Kind, Part
from callboard.events.specs import AgentSpec, ToolSpec

RENDERING = 1
"""The number of this layout."""

WANTED = (
    "When you need no more tools, answer with one JSON object that fits this JSON schema: no other words around it."
)
"""What an agent is told whose answers are data; its schema follows."""

Message = dict[str, object]
"""In the form of the chat completions API."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that the agent was sent; `group` names the group it comes from, if any."""

    turn: str
    kind: Kind
    parts: tuple[Part, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Replied:
    """What the model said, and the tools it wanted, as (name in this history, tool, arguments)."""

    turn: str
    text: Text
    uses: tuple[tuple[str, str, Text], ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a tool call; `name` is that of its use."""

    turn: str
    name: str
    text: Text


Line = Heard | Replied | Result
"""One thing in an agent's history."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A block as a prompt shows it, at one version of its stream.

    Attributes:
        others: Who else changed it since the agent saw it last, in order.
    """

    label: str
    version: int
    value: str
    description: str = ""
    limit: int = 0
    read_only: bool = False
    others: tuple[str, ...] = ()


def messages_of(line: Line) -> list[Message]:
    """Return `line` as messages. Pure."""
    match line:
        case Heard(kind=kind, parts=parts, group=group):
            return [{"role": "user", "content": _spoken(part, kind, group)} for part in parts]
        case Replied(text=text, uses=uses):
            said: Message = {"role": "assistant", "content": str(text) if text or not uses else None}
            if uses:
                said["tool_calls"] = [_use(name, tool, arguments) for name, tool, arguments in uses]
            return [said]
        case Result(name=name, text=text):
            return [{"role": "tool", "tool_call_id": name, "content": str(text)}]


def _spoken(part: Part, kind: Kind, group: str) -> str:
    context = [group] if group and part.speaker != group else []
    if kind == "tell":
        context.append("no reply is awaited")
    who = f"{part.speaker} ({', '.join(context)})" if context else part.speaker
    return f"{who} did not answer: {part.text}" if part.failed else f"{who}: {part.text}"


def _use(name: str, tool: str, arguments: Text) -> Message:
    written = str(arguments) if is_object(arguments) else "{}"
    return {"id": name, "type": "function", "function": {"name": tool, "arguments": written}}


def is_object(text: str) -> bool:
    """Return whether `text` is a JSON object. Pure."""
    try:
        return isinstance(from_json(text), dict)
    except ValueError:
        return False


def system_message(spec: AgentSpec, blocks: Sequence[Shown]) -> Message:
    """Return the one system message: instructions, what answers fit, then what the agent remembers. Pure."""
    parts = [str(spec.instructions)] if spec.instructions else []
    if spec.output:
        parts.append(f"{WANTED}\n{to_json(spec.output).decode()}")
    if blocks:
        parts.append("\n".join(["<memory>", *(_block(block) for block in blocks), "</memory>"]))
    return {"role": "system", "content": "\n\n".join(parts)}


def _block(block: Shown) -> str:
    access = ' access="read-only"' if block.read_only else ""
    about = f' description="{_escaped(block.description)}"' if block.description else ""
    size = f'characters="{len(block.value)}" limit="{block.limit}"'
    return f'<block label="{block.label}"{about} {size}{access}>\n{_escaped(block.value)}\n</block>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def news_message(block: Shown) -> Message:
    """Return what tells an agent that others changed a block during its turn. Pure."""
    return {"role": "user", "content": f"callboard: the memory block changed meanwhile.\n{_block(block)}"}


def tool_schema(tool: ToolSpec) -> Message:
    """Return `tool` as the API wants it. Pure."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def digest(previous: bytes, *messages: Mapping[str, object]) -> bytes:
    """Return the hash of `messages` after those that `previous` is the hash of; 8 bytes. Pure."""
    for message in messages:
        previous = blake2b(previous + to_json(message), digest_size=8).digest()
    return previous
