"""Lives: how agents, groups and blocks begin and change."""

from __future__ import annotations

from .event import Event
from .mail import Reply, TextReply
from .specs import AgentSpec, BlockSpec, BlockUse, GroupSpec
from .text import Text


class AgentStarted(Event, takes_in=True):
    """An agent began."""

    spec: AgentSpec


class AgentChanged(Event, takes_in=True):
    """The spec of an agent changed; it holds from the next model call."""

    spec: AgentSpec


class ActorRestarted(Event, takes_in=True):
    """Whoever this is began again from its log, since it had failed; `failures` counts those of late."""

    text: Text
    failures: int


class AgentRetired(Reply, takes_in=True):
    """The agent takes nothing up any more; what it knows stays."""


class BlockAttached(Reply, takes_in=True):
    """The group whose stream is `by` gave a block; `tools` is a JSON array of the tools that come with it."""

    by: str
    use: BlockUse
    tools: Text = Text()


class BlockDetached(Reply, takes_in=True):
    """The group whose stream is `by` took a block away."""

    by: str
    use: BlockUse


class GroupStarted(Event, takes_in=True):
    """A group began."""

    spec: GroupSpec


class GroupChanged(Event, takes_in=True):
    """The spec of a group changed; it holds from the next choice."""

    spec: GroupSpec


class GroupRetired(Reply, takes_in=True):
    """The group takes nothing up any more; its members and its history stay."""


class BlockStarted(Event, takes_in=True):
    """A block began, with its first value."""

    spec: BlockSpec


class BlockChanged(Event, takes_in=True):
    """The spec of a block changed; its value stays."""

    spec: BlockSpec


class BlockEdited(Reply, takes_in=True):
    """An edit was decided: at character `at`, `cut` characters gave way to `before`, `put`, `after`.

    Attributes:
        verb: The tool that asked for it; `undo` and `redo` where a person did.
        of: The version whose edit an `undo` took back, or a `redo` made again.
        put: What the editor wrote, as it was said; of a block that holds JSON, what came of it there.
        note: What the editor is told besides; empty for nothing.
        size: Characters that the block holds now, of `limit`.
    """

    verb: str
    at: int
    cut: int = 0
    before: str = ""
    put: Text
    after: str = ""
    size: int
    limit: int
    of: int = 0
    note: Text = Text()

    @property
    def words(self) -> Text:
        note = f": {self.note}" if self.note else ""
        return Text(f"done{note}; the block holds {self.size:,} of {self.limit:,} characters now")


class BlockEditRefused(TextReply, takes_in=True):
    """An edit was refused; `text` says why, `arguments` what was asked for."""

    ok = False
    verb: str = ""
    arguments: Text = Text()
