"""What a user says of an agent, a block or a group: frozen values, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

from pydantic import JsonValue

from callboard.events import SpecError, Text
from callboard.events.specs import AgentSpec, BlockSpec, BlockUse, GroupSpec, PatternSpec

from .code import address_of, fields_of
from .memory import tool_specs
from .patterns import Pattern, RoundRobin
from .storable import storable
from .tool import Tool, as_tool

RESERVED = frozenset({"user", "callboard", "system", "assistant"})
"""Names that would be taken for somebody else in a prompt."""

MAX_STEPS = 50
"""Model calls of one turn, unless an agent says otherwise."""

BLOCK_LIMIT = 5_000
"""Characters of a block, unless it says otherwise."""


def checked_name(name: object, what: str) -> str:
    """Return `name`, if an agent, group or block may have it.

    Raises:
        SpecError: It is reserved, or no letter, digit, `_` and `-` of 1 to 64 characters.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise SpecError(
            f"{name!r} cannot be the name of {what}: 1 to 64 letters, digits, '_' or '-' are wanted, "
            "the first a letter or digit"
        )
    if name in RESERVED:
        raise SpecError(f"{name!r} cannot be the name of {what}: it is reserved; take another")
    return name


def checked_text(text: object, what: str) -> str:
    """Return `text`, if the log can hold it.

    Raises:
        SpecError: It is no string, or holds NUL or half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise SpecError(f"{what} is {type(text).__name__}, a string is wanted")
    if storable(text)[0] != text:
        raise SpecError(f"{what} holds a NUL character or half of a surrogate pair, or is too long; mend the text")
    return text


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of memory that stands in the prompt of every agent that names it.

    Attributes:
        label: Its address in a prompt; for a shared block also its name in the log.
        value: Its first value only; what was edited since stays.
        limit: In characters.
        owned: Whether each agent that names it has one of its own.
        access: `write`, or `read` where an agent gets no tools to edit it; see `read_only`.
    """

    label: str
    value: str = ""
    _: KW_ONLY
    description: str = ""
    limit: int = BLOCK_LIMIT
    owned: bool = False
    access: str = "write"

    def __post_init__(self) -> None:
        checked_name(self.label, "a block")
        checked_text(self.value, f"the value of block {self.label!r}")
        checked_text(self.description, f"the description of block {self.label!r}")
        if self.limit < 1:
            raise SpecError(f"block {self.label!r} has limit {self.limit}; at least 1 character is wanted")
        if len(self.value) > self.limit:
            raise SpecError(
                f"the value of block {self.label!r} has {len(self.value):,} characters, "
                f"its limit is {self.limit:,}; shorten it or raise the limit"
            )

    def read_only(self) -> Block:
        """Return this block as one that an agent reads and cannot edit."""
        return replace(self, access="read")

    def name_for(self, agent: str) -> str:
        """Return its name in the log: the label, or `<agent>.<label>` of one that is owned."""
        return f"{agent}.{self.label}" if self.owned else self.label

    def spec(self, agent: str = "") -> BlockSpec:
        """Return this as data, as `agent` has it."""
        return BlockSpec(
            name=self.name_for(agent), label=self.label, value=Text(self.value),
            description=self.description, limit=self.limit,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent.

    Attributes:
        instructions: What it is told first in every prompt.
        description: What others are told about it.
        persona, human: First values of two blocks of its own, about itself and about whom it talks to.
        model: The model's name at the provider; empty for the system's own.
        tools: Typed functions, or `Tool`s.
        max_steps: Model calls of one turn at most; then it ends with its last text.
    """

    name: str
    instructions: str = ""
    _: KW_ONLY
    description: str = ""
    persona: str = ""
    human: str = ""
    model: str = ""
    tools: Iterable[Tool | Callable[..., Any]] = ()
    blocks: Iterable[Block] = ()
    tags: Iterable[str] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    max_steps: int = MAX_STEPS

    def __post_init__(self) -> None:
        checked_name(self.name, "an agent")
        for what in ("instructions", "description", "persona", "human", "model"):
            checked_text(getattr(self, what), f"{what} of agent {self.name!r}")
        if self.max_steps < 1:
            raise SpecError(f"agent {self.name!r} has max_steps {self.max_steps}; at least 1 is wanted")
        if isinstance(self.tags, str):
            raise SpecError(f"tags of agent {self.name!r} are {self.tags!r}; a set of strings is wanted")
        object.__setattr__(self, "tools", tuple(as_tool(tool) for tool in self.tools))
        object.__setattr__(self, "tags", tuple(sorted(set(self.tags))))
        object.__setattr__(self, "blocks", self._all_blocks())
        _refuse_twice([tool.name for tool in self.all_tools], f"tools of agent {self.name!r}")

    def _all_blocks(self) -> tuple[Block, ...]:
        own = [
            Block(label, value, owned=True, limit=max(BLOCK_LIMIT, len(value)))
            for label, value in (("persona", self.persona), ("human", self.human))
            if value
        ]
        blocks = (*own, *self.blocks)
        _refuse_twice([block.label for block in blocks], f"blocks of agent {self.name!r}")
        return blocks

    @property
    def stream(self) -> str:
        """Its stream in the log."""
        return f"agent-{self.name}"

    @property
    def all_tools(self) -> tuple[Tool, ...]:
        """Its tools, but those for memory."""
        return tuple(as_tool(tool) for tool in self.tools)

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """Its blocks, persona and human first."""
        return tuple(self.blocks)

    def spec(self) -> AgentSpec:
        """Return this as data, code by its address; who reaches a writable block gets the memory tools."""
        blocks = tuple(
            BlockUse(label=b.label, stream=f"block-{b.name_for(self.name)}", read_only=b.access == "read")
            for b in self.all_blocks
        )
        memory = tool_specs() if any(not block.read_only for block in blocks) else ()
        return AgentSpec(
            name=self.name,
            instructions=Text(self.instructions),
            description=self.description,
            model=self.model,
            tools=(*(tool.spec() for tool in self.all_tools), *memory),
            blocks=blocks,
            tags=tuple(self.tags),
            metadata=dict(self.metadata),
            max_steps=self.max_steps,
        )


@dataclass(frozen=True, slots=True)
class Group:
    """A group: members who speak as its pattern says. A member may be a group."""

    name: str
    members: Iterable[Agent | Group]
    pattern: Pattern = RoundRobin()
    _: KW_ONLY
    description: str = ""

    def __post_init__(self) -> None:
        checked_name(self.name, "a group")
        checked_text(self.description, f"description of group {self.name!r}")
        object.__setattr__(self, "members", tuple(self.members))
        _refuse_strangers(self.name, self.all_members)
        if not self.all_members:
            raise SpecError(f"group {self.name!r} has no members; at least one is wanted")
        _refuse_twice([member.name for member in self.all_members], f"members of group {self.name!r}")
        if self.name in names_below(self):
            raise SpecError(f"group {self.name!r} is inside itself, or a member has its name")
        if not callable(getattr(self.pattern, "next", None)):
            raise SpecError(f"group {self.name!r} has the pattern {self.pattern!r}; a value with next(group) is wanted")

    @property
    def stream(self) -> str:
        """Its stream in the log."""
        return f"group-{self.name}"

    @property
    def all_members(self) -> tuple[Agent | Group, ...]:
        """Its members, in order."""
        return tuple(self.members)

    def spec(self) -> GroupSpec:
        """Return this as data, code by its address."""
        pattern = PatternSpec(code=address_of(type(self.pattern)), fields=fields_of(self.pattern))
        members = tuple(member.stream for member in self.all_members)
        return GroupSpec(name=self.name, members=members, pattern=pattern, description=self.description)


def names_below(group: Group) -> set[str]:
    """Return the names of all members of `group`, and of theirs."""
    found: set[str] = set()
    for member in group.all_members:
        found.add(member.name)
        if isinstance(member, Group):
            found |= names_below(member)
    return found


def _refuse_strangers(group: str, members: Iterable[object]) -> None:
    wrong = [member for member in members if not isinstance(member, Agent | Group)]
    if wrong:
        raise SpecError(f"group {group!r} has the member {wrong[0]!r}; an Agent or a Group is wanted")


def _refuse_twice(names: list[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"{what}: {', '.join(twice)} stands there more than once")
