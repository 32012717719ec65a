"""What a user says of an agent, a block or a group: frozen values, checked when they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, get_args

from pydantic import JsonValue

from callboard.events import SpecError, Text
from callboard.events.specs import (
    AgentSpec,
    BlockSpec,
    BlockUse,
    Form,
    GroupSpec,
    MemberUse,
    OnFailure,
    PatternSpec,
)
from callboard.projections.prompt import RENDERING

from . import fallbacks, own_tools
from .archive_spec import Archive, checked_archive
from .block_fields import check_access, checked_fields
from .code import address_of, fields_of
from .forms import as_held, form_of
from .limits import Limits
from .memory import tool_specs
from .names import checked_name, checked_text
from .outputs import Output, code_for, schema_for
from .patterns import Pattern, RoundRobin
from .shares import check_shares, refuse_twice, share
from .tool import Tool, as_tool
from .until import Condition, until
from .windows import Window, as_window

MAX_STEPS = 50
"""Model calls of one turn, unless an agent says otherwise."""

BLOCK_LIMIT = 5_000
"""Characters of a block, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of memory that stands in the prompt of every agent that names it.

    Attributes:
        label: Its address in a prompt; for a shared block also its name in the log.
        value: Its first value only; what was edited since stays.
        limit: In characters.
        owned: Whether each agent that names it has one of its own.
        access: `write`, or `read` where an agent gets no tools to edit it; see `read_only`.
        writers: Who may edit it, by name, where a group shares it; see `written_by`. None for all.
        schema: What its value fits, as a pydantic class or a JSON schema of an object or a list; None for any text.
        form: `text`; `json`, which follows from a schema; `board` for tasks, see `Board`.
        locked: Whether no agent may edit it, whoever has it; people may.
        tags: What it is found by; see `System.blocks`.
        metadata: Facts of the program's own, as JSON. No prompt shows them.
    """

    label: str
    value: str = ""
    _: KW_ONLY
    description: str = ""
    limit: int = BLOCK_LIMIT
    owned: bool = False
    access: str = "write"
    writers: tuple[str, ...] | None = None
    schema: Output = field(default=None, hash=False)  # it may be a dict
    form: Form = "text"
    locked: bool = False
    tags: Iterable[str] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], hash=False)

    def __post_init__(self) -> None:
        checked_name(self.label, "a block")
        checked_text(self.value, f"the value of block {self.label!r}")
        check_access(f"block {self.label!r}", self.access, self.writers)
        fields = checked_fields(
            f"block {self.label!r}", description=self.description, limit=self.limit, locked=self.locked,
            tags=self.tags, metadata=self.metadata,
        )  # fmt: skip
        object.__setattr__(self, "tags", fields["tags"])
        object.__setattr__(self, "metadata", fields["metadata"])
        object.__setattr__(self, "form", form_of(self))
        object.__setattr__(self, "value", as_held(self))
        if len(self.value) > self.limit:
            raise SpecError(
                f"the value of block {self.label!r} has {len(self.value):,} characters, "
                f"its limit is {self.limit:,}; shorten it or raise the limit"
            )

    def read_only(self) -> Block:
        """Return this block as one that an agent reads and cannot edit."""
        return replace(self, access="read")

    def written_by(self, *names: str) -> Block:
        """Return this block as one of a group, that only these in it may edit."""
        return replace(self, writers=names)

    def name_for(self, agent: str) -> str:
        """Return its name in the log: the label, or `<agent>.<label>` of one that is owned."""
        return f"{agent}.{self.label}" if self.owned else self.label

    def spec(self, agent: str = "") -> BlockSpec:
        """Return this as data, as `agent` has it."""
        return BlockSpec(
            name=self.name_for(agent),
            label=self.label,
            value=Text(self.value),
            description=self.description,
            limit=self.limit,
            read_only=self.locked,
            tags=tuple(self.tags),
            metadata=dict(self.metadata),
            form=self.form,
            schema_of=schema_for(self.schema, f"schema of block {self.label!r}", arrays=True),
            schema_code=code_for(self.schema),
        )


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent.

    Attributes:
        instructions: What it is told first in every prompt.
        description: What others are told about it.
        persona, human: First values of two blocks of its own, about itself and about whom it talks to.
        model: The model's name at the provider; empty for the system's own.
        tools: Typed functions, `Tool`s, or names of callboard's own, such as `ask_human` (`OWN_TOOLS` has all).
        max_steps: Model calls of one turn at most; then it ends with its last text.
        fallback: The model that is asked when that fails; or such models by class of failure, `any` for all others.
        limits: What each of its turns may spend, with all that it causes elsewhere.
        output: What its answers fit, as a pydantic class or a JSON schema of an object; None for any text.
        window: How many tokens its model takes in, or more of how its history is kept within that; see `Window`.
        stateless: Whether each of its turns begins with no history; what it heard and said stays in the log.
        archive: Where its tools for archival memory read and write; None for one of its own, where it has such tools.
    """

    name: str
    instructions: str = ""
    _: KW_ONLY
    description: str = ""
    persona: str = ""
    human: str = ""
    model: str = ""
    tools: Iterable[Tool | Callable[..., Any] | str] = ()
    blocks: Iterable[Block] = ()
    tags: Iterable[str] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    max_steps: int = MAX_STEPS
    fallback: fallbacks.Fallback = ""
    limits: Limits | None = None
    output: Output = None
    window: Window | int | None = None
    stateless: bool = False
    archive: Archive | None = None

    def __post_init__(self) -> None:
        checked_name(self.name, "an agent")
        as_window(self.window, f"agent {self.name!r}")
        schema_for(self.output, f"output of agent {self.name!r}")
        for what in ("instructions", "description", "persona", "human", "model"):
            checked_text(getattr(self, what), f"{what} of agent {self.name!r}")
        if self.max_steps < 1:
            raise SpecError(f"agent {self.name!r} has max_steps {self.max_steps}; at least 1 is wanted")
        if isinstance(self.tags, str):
            raise SpecError(f"tags of agent {self.name!r} are {self.tags!r}; a set of strings is wanted")
        fallbacks.specs(self.fallback, self.model, f"agent {self.name!r}")
        object.__setattr__(self, "tools", tuple(self._checked(tool) for tool in self.tools))
        object.__setattr__(self, "tags", tuple(sorted(set(self.tags))))
        object.__setattr__(self, "blocks", self._all_blocks())
        checked_archive(self.archive, f"archive of agent {self.name!r}")
        names = [*(tool.name for tool in self.all_tools), *self.messaging]
        refuse_twice(names, f"tools of agent {self.name!r}")

    def _all_blocks(self) -> tuple[Block, ...]:
        own = [
            Block(label, value, owned=True, limit=max(BLOCK_LIMIT, len(value)))
            for label, value in (("persona", self.persona), ("human", self.human))
            if value
        ]
        blocks = (*own, *self.blocks)
        refuse_twice([block.label for block in blocks], f"blocks of agent {self.name!r}")
        return blocks

    @property
    def stream(self) -> str:
        """Its stream in the log."""
        return f"agent-{self.name}"

    @property
    def all_tools(self) -> tuple[Tool, ...]:
        """Its tools, but those for memory."""
        return tuple(as_tool(tool) for tool in self.tools if not isinstance(tool, str))

    @property
    def messaging(self) -> tuple[str, ...]:
        """The names of its tools that are callboard's own: for messages, and for archival memory."""
        return tuple(tool for tool in self.tools if isinstance(tool, str))

    def _checked(self, tool: Tool | Callable[..., Any] | str) -> Tool | str:
        if not isinstance(tool, str):
            return as_tool(tool)
        if tool not in own_tools.OWN_TOOLS:
            known = ", ".join(own_tools.OWN_TOOLS)
            raise SpecError(f"agent {self.name!r} has the tool {tool!r}; callboard's own are {known}")
        return tool

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """Its blocks, persona and human first."""
        return tuple(self.blocks)

    @property
    def owns_archive(self) -> bool:
        """Whether it has an archive of its own, since a tool of it needs one."""
        return self.archive is None and own_tools.needs_archive(self.messaging)

    @property
    def passages(self) -> Archive | None:
        """The archive that its tools read and write; None where it has none."""
        return Archive(self.name) if self.owns_archive else self.archive

    def spec(self, model: str = "") -> AgentSpec:
        """Return this as data, code by its address; who reaches a writable block gets the memory tools.

        Args:
            model: The name of the model that it asks, where its own says nothing.
        """
        blocks = tuple(
            BlockUse(label=b.label, stream=f"block-{b.name_for(self.name)}", read_only=b.access == "read", form=b.form)
            for b in self.all_blocks
        )
        forms = {block.form for block in blocks if not block.read_only}
        memory = tool_specs(*sorted(forms)) if forms else ()
        return AgentSpec(
            name=self.name,
            instructions=Text(self.instructions),
            description=self.description,
            model=self.model,
            tools=(*(tool.spec() for tool in self.all_tools), *map(own_tools.spec_of, self.messaging), *memory),
            blocks=blocks,
            tags=tuple(self.tags),
            metadata=dict(self.metadata),
            max_steps=self.max_steps,
            fallback=fallbacks.specs(self.fallback, self.model, f"agent {self.name!r}"),
            limits=self.limits.grant() if self.limits else None,
            output=schema_for(self.output, f"output of agent {self.name!r}"),
            output_code=code_for(self.output),
            window=as_window(self.window, f"agent {self.name!r}").spec(model or self.model),
            stateless=self.stateless,
            rendering=RENDERING,
            archive=self.passages.stream if self.passages else "",
        )


@dataclass(frozen=True, slots=True)
class Group:
    """A group: members who speak as its pattern says. A member may be a group; the manager is no member.

    Attributes:
        manager: Who chooses, supervises, merges, mediates or is the foreground, as the pattern has it.
        standby: Who takes its place while it fails, in order.
        blocks: Memory that all in the group share, and who joins later; see `Block.written_by`.
        until: When the talk is over: a text that somebody says, or a condition. None: as the pattern has it.
        on_failure: What follows when a member's turn fails: `skip`, `retry`, `reroute` or `fail`.
        limits: What each of its requests may spend, with all that it causes; each work in the background apart.
    """

    name: str
    members: Iterable[Agent | Group]
    pattern: Pattern = RoundRobin()
    _: KW_ONLY
    manager: Agent | None = None
    standby: Iterable[Agent] = ()
    blocks: Iterable[Block] = ()
    description: str = ""
    until: Condition | str | None = None
    on_failure: OnFailure = "skip"
    limits: Limits | None = None

    def __post_init__(self) -> None:
        checked_name(self.name, "a group")
        checked_text(self.description, f"description of group {self.name!r}")
        for many in ("members", "standby", "blocks"):
            object.__setattr__(self, many, tuple(getattr(self, many)))
        _refuse_strangers(self.name, self.all_members)
        if not self.all_members:
            raise SpecError(f"group {self.name!r} has no members; at least one is wanted")
        refuse_twice([one.name for one in self.everybody], f"those in group {self.name!r}")
        if self.name in names_below(self):
            raise SpecError(f"group {self.name!r} is inside itself, or a member has its name")
        if not callable(getattr(self.pattern, "next", None)):
            raise SpecError(f"group {self.name!r} has the pattern {self.pattern!r}; a value with next(group) is wanted")
        self._check_manager()
        self._check_members()
        if self.on_failure not in get_args(OnFailure):
            wanted = ", ".join(get_args(OnFailure))
            raise SpecError(f"group {self.name!r} has on_failure {self.on_failure!r}; one of {wanted} is wanted")
        if self.until is not None:
            until(self.until)
        check_shares(self)

    def _check_members(self) -> None:
        wanted, pattern = getattr(self.pattern, "needs_members", 0), type(self.pattern).__name__
        if wanted and (len(self.all_members) != wanted or not isinstance(self.all_members[0], Agent)):
            raise SpecError(
                f"group {self.name!r} has {len(self.all_members)} members; {pattern} wants exactly {wanted}, an agent "
                "that works in the background"
            )

    def _check_manager(self) -> None:
        pattern = type(self.pattern).__name__
        _refuse_no_agents(self.name, (self.manager, *self.standby))
        if self.manager is None and getattr(self.pattern, "needs_manager", False):
            raise SpecError(f"group {self.name!r} has no manager; {pattern} needs one: Group(..., manager=Agent(...))")
        if self.manager is None and self.standby:
            raise SpecError(f"group {self.name!r} has a standby and no manager that it could stand by for")

    @property
    def stream(self) -> str:
        """Its stream in the log."""
        return f"group-{self.name}"

    @property
    def all_members(self) -> tuple[Agent | Group, ...]:
        """Its members, in order."""
        return tuple(self.members)

    @property
    def everybody(self) -> tuple[Agent | Group, ...]:
        """Its members, then the manager and those that stand by."""
        return (*self.all_members, *((self.manager,) if self.manager else ()), *self.standby)

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """The blocks that all in it share."""
        return tuple(self.blocks)

    def spec(self) -> GroupSpec:
        """Return this as data, code by its address."""
        ends = self.until if self.until is not None else getattr(self.pattern, "until", None)
        return GroupSpec(
            name=self.name,
            members=tuple(member_use(member) for member in self.all_members),
            pattern=pattern_spec(self.pattern),
            description=self.description,
            manager=self.manager.stream if self.manager else "",
            standby=tuple(one.stream for one in self.standby),
            blocks=tuple(share(block, self) for block in self.all_blocks),
            until=None if ends is None else until(ends),
            on_failure=self.on_failure,
            limits=self.limits.grant() if self.limits else None,
        )


def pattern_spec(pattern: Pattern) -> PatternSpec:
    """Return `pattern` as data."""
    return PatternSpec(code=address_of(type(pattern)), fields=fields_of(pattern))


def member_use(member: Agent | Group) -> MemberUse:
    """Return what a group knows of `member`."""
    tags = tuple(member.tags) if isinstance(member, Agent) else ()
    return MemberUse(stream=member.stream, description=member.description, tags=tags)


def _refuse_strangers(group: str, members: Iterable[object]) -> None:
    wrong = [member for member in members if not isinstance(member, Agent | Group)]
    if wrong:
        raise SpecError(f"group {group!r} has the member {wrong[0]!r}; an Agent or a Group is wanted")


def _refuse_no_agents(group: str, managers: Iterable[object]) -> None:
    wrong = [one for one in managers if one is not None and not isinstance(one, Agent)]
    if wrong:
        raise SpecError(f"group {group!r} has the manager {wrong[0]!r}; an Agent is wanted")


def names_below(group: Group) -> set[str]:
    """Return the names of all members of `group`, and of theirs."""
    found: set[str] = set()
    for member in group.everybody:
        found.add(member.name)
        if isinstance(member, Group):
            found |= names_below(member)
    return found
