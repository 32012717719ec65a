"""What callboard asks of a language model, and what it wants back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from callboard.events.catalog import Hold, Usage
from callboard.events.specs import ToolSpec

Message = Mapping[str, object]
"""One message in the form of the chat completions API: `role`, `content`, `tool_calls`, `tool_call_id`."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One attempt of a model call.

    Attributes:
        id: The call, the same for every attempt.
        attempt: Counts from 1.
        agent: Who asks.
        model: The model that this attempt asks for; empty where that is the provider's own.
        messages: The whole prompt, oldest first. Shared with the agent: not to be changed.
        tools: What the model may call.
        key: Names the call to the outside, for providers that recognise a repeated one.
        hold: What is set aside for this attempt, where that is limited: a reply may have `hold.output` tokens.
        output: JSON schema of the agent's answers, which the system message holds, too; empty where they are any text.
        summarises: How many lines of the agent's history the reply is to sum up; 0 for a word of its own.
    """

    id: str
    attempt: int
    agent: str
    model: str
    messages: Sequence[Message]
    tools: Sequence[ToolSpec]
    key: str
    hold: Hold | None = None
    output: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    summarises: int = 0


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A whole reply.

    Attributes:
        text: What the model says; may be empty where it wants tools.
        uses: The tools it wants, as (name, arguments as the JSON it wrote), in its order.
        usage: Tokens, where the provider said.
        model: The model that answered, as the provider names it.
        finish_reason: As the provider says: `stop`, `tool_calls`, `length`, ...
    """

    text: str
    uses: Sequence[tuple[str, str]] = ()
    usage: Usage | None = None
    model: str = ""
    finish_reason: str = "stop"


def longest(request: ModelRequest, params: Mapping[str, JsonValue]) -> dict[str, object]:
    """Return how many tokens the reply may have, in the field that `params` use for that, where it is limited. Pure."""
    if request.hold is None:
        return {}
    name = "max_tokens" if "max_tokens" in params else "max_completion_tokens"
    wanted = params.get(name)
    return {name: min(wanted, request.hold.output) if isinstance(wanted, int) else request.hold.output}


class Model(Protocol):
    """A language model. It makes one attempt; callboard decides on others and records them all.

    Where it has an attribute `at_once`, a number, no more attempts than that run at the same time, and an
    `aclose()` is awaited once the system is left.
    """

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        """Return the whole reply, and meanwhile `say` each piece of text as it comes.

        Raises:
            ModelError: There is no whole reply; it says whether to try again.
        """
        ...
