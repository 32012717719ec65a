"""What the log records of an agent, a block, an archive or a group: data alone, code by its address.

Stored in `AgentStarted`, `GroupStarted`, `BlockStarted`, `ArchiveStarted` and the events that change them. How a user
says the same is in `callboard.actors`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from .event import Frozen
from .limits import Grant
from .text import Text

Effect = Literal["read", "idempotent", "once", "send", "ends"]
"""What a call does outside: nothing; the same however often, under one key; something that must not
happen twice; a message, which has a log of its own; or it ends the turn and goes to whoever gave the word."""

OnFailure = Literal["skip", "retry", "reroute", "fail"]
"""What a group does when a member's turn fails: go on without it; ask it once more; ask another that shares
a tag with it; or fail the request."""

InDoubt = Literal["tell", "ask", "fail"]
"""What happens to a `once` call that began and has no outcome: the model is told that nobody knows; a person
is asked, and the turn waits; or the turn fails."""


class ToolSpec(Frozen):
    """A tool of an agent.

    Attributes:
        parameters: JSON schema of its arguments.
        code: Where the function is, as `module:name`; empty for the memory tools, which are sends.
        timeout: Seconds until a call counts as failed; 0 where it is waited for however long.
        reconcile: Where the function is that says what came of a call in doubt; empty without one.
        in_doubt: What happens to a call in doubt where there is none.
        needs_approval: Whether a person is asked before a call begins; or where the function is that says so of
            the arguments.
        may_repeat: How often one turn may call it with the same arguments before that counts as a loop; 0 for as
            often as any other tool.
    """

    name: str
    description: str = ""
    parameters: dict[str, JsonValue] = {}
    effect: Effect = "once"
    code: str = ""
    timeout: float = 60.0
    reconcile: str = ""
    in_doubt: InDoubt = "tell"
    needs_approval: bool | str = False
    may_repeat: int = 0


class FallbackSpec(Frozen):
    """A model that is asked when one before it fails; `on` are the classes of failure, none for any."""

    model: str
    on: tuple[str, ...] = ()


Form = Literal["text", "json", "board"]
"""What a block holds: any text; JSON that fits a schema; or a board of tasks, which is such JSON, too."""


class BlockUse(Frozen):
    """A block as one agent sees it: its label in the prompt, whose stream it is, and what it holds."""

    label: str
    stream: str
    read_only: bool = False
    form: Form = "text"


class WindowSpec(Frozen):
    """How much of its history an agent's model is shown.

    Attributes:
        tokens: What the model takes in at most, prompt and all.
        at: Which part of that a prompt may fill; beyond it, the oldest lines of the history are summarised first.
        mode: `sliding` summarises the oldest part, `all` all but what is being worked on.
        evict: Which part of the history goes first, where it slides.
    """

    tokens: int = 128_000
    at: float = 0.9
    mode: Literal["sliding", "all"] = "sliding"
    evict: float = 0.3


class AgentSpec(Frozen):
    """An agent.

    Attributes:
        fallback: The models that are asked when its own fails, in order.
        limits: What each of its turns may spend, with all that it causes.
        output: JSON schema of its answers; empty where they are any text.
        output_code: Where the class is that the schema was made of, as `module:name`; empty without one.
        archive: Stream of the archive that its tools for passages read and write; empty where it has none.
        window: How much of its history its model is shown.
        stateless: Whether each of its turns begins with no history.
        rendering: The number of the layout that its prompts have.
    """

    name: str
    instructions: Text = Text()
    description: str = ""
    model: str = ""
    tools: tuple[ToolSpec, ...] = ()
    blocks: tuple[BlockUse, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = {}
    max_steps: int = 50
    fallback: tuple[FallbackSpec, ...] = ()
    limits: Grant | None = None
    output: dict[str, JsonValue] = {}
    output_code: str = ""
    archive: str = ""
    window: WindowSpec = WindowSpec()
    stateless: bool = False
    rendering: int = 1


class PatternSpec(Frozen):
    """A pattern: where its class is, as `module:name`, and the fields of the value."""

    code: str
    fields: dict[str, JsonValue] = {}


class MemberUse(Frozen):
    """A member as its group knows it: its stream, and what choosers are told about it."""

    stream: str
    description: str = ""
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the agent or group."""
        return self.stream.split("-", 1)[1]


class BlockShare(Frozen):
    """A block that a group gives to all in it.

    Attributes:
        writers: Names of those who may edit it, the others read it; None where all may.
        by_members: Whether the members may, whoever they are by then, and the managers read it.
    """

    label: str
    stream: str
    writers: tuple[str, ...] | None = None
    by_members: bool = False
    form: Form = "text"

    @property
    def editors(self) -> str:
        """Who may edit it, in words."""
        if self.by_members:
            return "members"
        return "all" if self.writers is None else ", ".join(self.writers) or "nobody"


class Until(Frozen):
    """When a group's talk is over, as data; `kind` says which of the fields counts.

    Attributes:
        text: Of a `mention`: what somebody says.
        by: Of a `mention`, who says it, anyone where it is empty; of `spoke`, who has answered.
        turns: Of `turns`: how many turns members were given.
        parts: Of `any` and `all`: the conditions that it is made of.
    """

    kind: Literal["mention", "spoke", "turns", "any", "all"]
    text: str = ""
    by: tuple[str, ...] = ()
    turns: int = 0
    parts: tuple[Until, ...] = ()


class Scaling(Frozen):
    """How a group grows and shrinks: members made from `template`, as many as the function at `rule` says.

    Attributes:
        least, most: Bounds of their number.
        rule: Where the function from a `Load` to a number is, as `module:name`.
    """

    template: AgentSpec
    least: int
    most: int
    rule: str


class GroupSpec(Frozen):
    """A group; `members` are in order.

    Attributes:
        manager: Stream of the agent that chooses, supervises, merges or mediates; empty without one.
        standby: Streams of those that take its place while it fails, in order.
        until: When the talk is over; None where the pattern alone decides.
        limits: What each of its turns may spend, with all that it causes.
    """

    name: str
    members: tuple[MemberUse, ...]
    pattern: PatternSpec
    description: str = ""
    manager: str = ""
    standby: tuple[str, ...] = ()
    blocks: tuple[BlockShare, ...] = ()
    until: Until | None = None
    on_failure: OnFailure = "skip"
    limits: Grant | None = None


class BlockSpec(Frozen):
    """A memory block. `value` is its first value only; `limit` is in characters.

    Attributes:
        read_only: Whether no agent may edit it; people may.
        schema_of: JSON schema of its value; empty where it holds any text.
        schema_code: Where the class is that the schema was made of, as `module:name`; empty without one.
    """

    name: str
    label: str
    value: Text = Text()
    description: str = ""
    limit: int = 5_000
    read_only: bool = False
    tags: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = {}
    form: Form = "text"
    schema_of: dict[str, JsonValue] = {}
    schema_code: str = ""


class ArchiveSpec(Frozen):
    """An archive: where passages are put away. Its stream is `archive-<name>`."""

    name: str
    description: str = ""
