"""Models that say what a test wants."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from anyio.lowlevel import checkpoint

from callboard.events.errors import ScriptEnded
from callboard.projections.fencing import unfenced

from .model import ModelReply, ModelRequest

Said = str | ModelReply | Exception | Sequence[tuple[str, Mapping[str, object]]]
"""A text; a whole reply; an exception to raise; or tools to call, as (name, arguments)."""

Scripted = Said | Callable[[ModelRequest], Said]
"""What is said, or a function that says it once it has seen the request."""


class ScriptedModel:
    """A model whose replies are written down beforehand, for each agent in the order of its calls.

    Attributes:
        requests: All requests so far, in order, those included that found no reply.
    """

    def __init__(self, script: Mapping[str, Sequence[Scripted]]) -> None:
        """Take the replies by the agent's name. Each attempt uses one up, whether it fails or not."""
        self.requests: list[ModelRequest] = []
        self._script = {agent: list(replies) for agent, replies in script.items()}
        self._used = dict.fromkeys(self._script, 0)

    @property
    def leftovers(self) -> dict[str, list[Scripted]]:
        """What was not used, by agent; without those that used all."""
        rest = {agent: replies[self._used[agent] :] for agent, replies in self._script.items()}
        return {agent: replies for agent, replies in rest.items() if replies}

    def assert_finished(self) -> None:
        """Check that every reply was used.

        Raises:
            AssertionError: Some were not; it says how many, and whose.
        """
        rest = ", ".join(f"{agent}: {len(replies)}" for agent, replies in self.leftovers.items())
        if rest:
            raise AssertionError(f"replies that nobody asked for are left in the script ({rest})")

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        """Return the agent's next reply; `say` gets its text in up to three pieces.

        Raises:
            ScriptEnded: The agent has no reply left.
        """
        self.requests.append(replace(request, messages=list(request.messages)))  # the agent goes on with its list
        said = self._next(request.agent)
        if callable(said):
            said = said(request)
        if isinstance(said, Exception):
            raise said
        reply = _reply(said)
        for piece in _pieces(reply.text):
            await checkpoint()
            say(piece)
        await checkpoint()
        return reply

    def _next(self, agent: str) -> Scripted:
        replies = self._script.get(agent, [])
        used = self._used.get(agent, 0)
        if used == len(replies):
            raise ScriptEnded(
                f"the script has {used} replies for {agent!r}, which asks for one more; "
                f"write it, or see why it asks (agents of the script: {', '.join(self._script) or 'none'})",
                kind="script",
            )
        self._used[agent] = used + 1
        return replies[used]


def words_in(message: Mapping[str, object]) -> str:
    """Return what a message of a prompt says, without the marks around what others wrote."""
    return unfenced(str(message.get("content") or ""))


def calls(*uses: tuple[str, Mapping[str, object]], text: str = "") -> ModelReply:
    """Return a reply that calls tools, each given as (name, arguments), and says `text` before."""
    written = [(name, json.dumps(dict(arguments), ensure_ascii=False)) for name, arguments in uses]
    return ModelReply(text, written, finish_reason="tool_calls")


def _reply(said: str | ModelReply | Sequence[tuple[str, Mapping[str, object]]]) -> ModelReply:
    if isinstance(said, ModelReply):
        return said
    return ModelReply(said) if isinstance(said, str) else calls(*said)


def _pieces(text: str) -> list[str]:
    size = max(1, -(-len(text) // 3))
    return [text[at : at + size] for at in range(0, len(text), size)]
