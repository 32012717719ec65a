"""What the log records of an agent, a block or a group: data alone, code by its address.

Stored in `AgentStarted`, `GroupStarted`, `BlockStarted` and the events that change them. How a user
says the same is in `callboard.actors`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from .event import Frozen
from .text import Text

Effect = Literal["read", "idempotent", "once", "send"]
"""What a call does outside: nothing; the same however often, under one key; something that must not
happen twice; or a message, which has a log of its own."""

InDoubt = Literal["tell", "ask", "fail"]
"""What happens to a `once` call that began and has no outcome: the model is told that nobody knows; a person
is asked, and the turn waits; or the turn fails."""


class ToolSpec(Frozen):
    """A tool of an agent.

    Attributes:
        parameters: JSON schema of its arguments.
        code: Where the function is, as `module:name`; empty for the memory tools, which are sends.
        timeout: Seconds until a call counts as failed.
        reconcile: Where the function is that says what came of a call in doubt; empty without one.
        in_doubt: What happens to a call in doubt where there is none.
    """

    name: str
    description: str = ""
    parameters: dict[str, JsonValue] = {}
    effect: Effect = "once"
    code: str = ""
    timeout: float = 60.0
    reconcile: str = ""
    in_doubt: InDoubt = "tell"


class BlockUse(Frozen):
    """A block as one agent sees it: its label in the prompt, and whose stream it is."""

    label: str
    stream: str
    read_only: bool = False


class AgentSpec(Frozen):
    """An agent."""

    name: str
    instructions: Text = Text()
    description: str = ""
    model: str = ""
    tools: tuple[ToolSpec, ...] = ()
    blocks: tuple[BlockUse, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = {}
    max_steps: int = 50


class PatternSpec(Frozen):
    """A pattern: where its class is, as `module:name`, and the fields of the value."""

    code: str
    fields: dict[str, JsonValue] = {}


class GroupSpec(Frozen):
    """A group; `members` are streams, in order."""

    name: str
    members: tuple[str, ...]
    pattern: PatternSpec
    description: str = ""


class BlockSpec(Frozen):
    """A memory block. `value` is its first value only; `limit` is in characters."""

    name: str
    label: str
    value: Text = Text()
    description: str = ""
    limit: int = 5_000
