"""Models that say what a test wants, and an embedder that needs no network."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from zlib import crc32

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


class HashEmbedder:
    """An `Embedder` of the letters: texts that share words, or most of one, have vectors of like direction.

    It knows nothing of what words mean. The same seed gives the same vectors on any machine.
    """

    def __init__(self, *, dimensions: int = 256, seed: int = 0) -> None:
        """Take the size of the vectors, and what they are drawn from."""
        self.dimensions, self.seed = dimensions, seed

    @property
    def name(self) -> str:
        """What its vectors are known by."""
        return f"hash-{self.seed}"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the vectors of `texts`, in order."""
        return [self.vector(text) for text in texts]

    def vector(self, text: str) -> list[float]:
        """Return the vector of `text`: how often each run of three to five letters of its words is in it. Pure."""
        found = [0.0] * self.dimensions
        for word, count in Counter(f" {word} " for word in re.findall(r"\w+", text.casefold())).items():
            for size in (3, 4, 5):
                for at in range(max(len(word) - size + 1, 1)):
                    drawn = crc32(f"{self.seed} {word[at : at + size]}".encode())
                    found[drawn % self.dimensions] += count if drawn >> 31 else -count
        return found


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
