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
    """The group whose stream is `by`, or a person (`user`), gave a block; `tools` is a JSON array of its tools."""

    by: str
    use: BlockUse
    tools: Text = Text()


class BlockDetached(Reply, takes_in=True):
    """The group whose stream is `by`, or a person (`user`), took a block away."""

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
    """The spec of a block changed; its value stays.

    Attributes:
        by: Who changed it, a person; empty where it was started with another spec.
        command: The key of this very change, from outside; empty where it was started.
    """

    spec: BlockSpec
    by: str = ""
    command: str = ""

    @property
    def key(self) -> str | None:
        return f"command:{self.command}" if self.command else None


class BlockRetired(Reply, takes_in=True):
    """The block takes no edits any more, and stands in no prompt; its history stays. `by` is the person who said so."""

    by: str = ""


class BlockEdited(Reply, takes_in=True):
    """An edit was decided: at character `at`, `cut` characters gave way to `before`, `put`, `after`.

    Attributes:
        verb: The tool that asked for it; `undo` and `redo` where a person did.
        of: The version whose edit an `undo` took back, or a `redo` made again.
        put: What the editor wrote, as it was said; of a block that holds JSON, what came of it there.
        note: What the editor is told besides; empty for nothing.
        size: Characters that the block holds now, of `limit`.
        by: Name of the person who edited it, where `to` is `user` and one was given.
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
    by: str = ""

    @property
    def words(self) -> Text:
        note = f": {self.note}" if self.note else ""
        return Text(f"done{note}; the block holds {self.size:,} of {self.limit:,} characters now")


class BlockEditRefused(TextReply, takes_in=True):
    """An edit was refused; `text` says why, `arguments` what was asked for; `by` is as in `BlockEdited`."""

    ok = False
    verb: str = ""
    arguments: Text = Text()
    by: str = ""
