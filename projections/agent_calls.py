"""What an agent has open: its model call, its tool calls, and what was told of blocks meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from callboard.events import Text
from callboard.events.catalog import ToolCallRequested

from .paths import digest_of


@dataclass(frozen=True)
class ModelCall:
    """The open model call.

    Attributes:
        phase: `wanted`; `running`; `stopped` (it ran when the process ended); or `waiting` until `due`.
        attempt: Attempts begun.
        failure: Why the last attempt failed; empty where none did.
        model: The model that the last attempt asked for; `kind` is the class of its failure, empty without one.
        summarises: How many lines of the history it summarises; 0 for a call of the agent's own.
        tokens: About how many tokens its prompt has.
    """

    id: str
    phase: str = "wanted"
    attempt: int = 0
    due: datetime | None = None
    failure: Text = Text()
    retry: bool = True
    model: str = ""
    kind: str = ""
    summarises: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class ToolCall:
    """An open tool call.

    Attributes:
        name: What the history calls this use.
        phase: `wanted`, `running`, `stopped` (it ran when the process ended), `in doubt`, `sent`,
            or `answered` (what was sent came back, as `text`); of messages `sending`, and `expired`
            when they are waited for no longer; of what a person decides `asked` (may it begin? `text` says
            why nobody else could decide), `approved` and `question`. While it sends, `text` was looked up for that.
        recipients: Whom its messages go to; `sent` says how many went out, `came` what came of each, from 1;
            of a tool of the user's own that sends, `said` has the digest of each.
        due: Until when replies are waited for.
        about: The digest that an approval was asked for or given for.
    """

    wanted: ToolCallRequested
    name: str
    phase: str = "wanted"
    attempt: int = 0
    text: Text = Text()
    ok: bool = True
    recipients: tuple[str, ...] = ()
    sent: int = 0
    came: dict[int, tuple[Text, bool]] = field(default_factory=dict[int, tuple[Text, bool]])
    said: dict[int, str] = field(default_factory=dict[int, str])
    due: datetime | None = None
    about: str = ""

    @property
    def id(self) -> str:
        return self.wanted.id

    @property
    def digest(self) -> str:
        """What an approval of the attempt that would begin next is bound to."""
        return digest_of(self.wanted.tool, self.wanted.arguments, self.attempt + 1)


@dataclass(frozen=True, slots=True)
class Note:
    """Blocks that others changed in this turn, as {label: version}, told before line `at`."""

    at: int
    blocks: dict[str, int]
