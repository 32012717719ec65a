"""A team in a TOML file, read into specs and checked key by key.

    [model]                                   # optional; the command line may say it instead
    name = "gpt-5-mini"
    base_url = "http://127.0.0.1:11434/v1"    # optional; keys to providers never stand in a team file

    [blocks.plan]                             # memory that agents share
    value = "Nothing decided yet."
    limit = 2000                              # characters
    description = "What we are about to write."

    [agents.writer]
    instructions = "You write one short paragraph."
    description = "writes"                    # what others are told about it
    persona = "..."                           # first values of two blocks of its own
    human = "..."
    model = "gpt-5"                           # instead of the team's
    blocks = ["plan", { label = "notes", access = "read" }]
    tags = ["worker"]
    tools = ["my_tools:word_count"]           # "module:function", installed or beside the file
    metadata = { any = "thing" }
    max_steps = 50                            # model calls of one turn

    [groups.essay]
    members = ["writer", "critic"]            # agents and groups of this file, in any order
    pattern = { kind = "round_robin", max_turns = 4 }
    description = "..."

A block stands in `blocks` by its label, to read and edit, or as a table with `access = "read"`, to read
only. A tool without a module is one of callboard's own: the memory tools, which every agent with a block
to edit has anyway. A `kind` of pattern is `round_robin`, or the class of one of yours as "module:Class",
a frozen dataclass whose fields are the other keys.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from importlib import invalidate_caches
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticCustomError, to_json

from callboard.events import SpecError, TeamFileError

from .code import load
from .memory import EDITS
from .patterns import Pattern, RoundRobin
from .specs import Agent, Block, Group, checked_name, checked_text
from .toml import fault_of, nearest, path_of, place_of, read_toml, shown
from .tool import Tool, as_tool

PATTERNS: dict[str, type[Pattern]] = {"round_robin": RoundRobin}
"""The kinds of pattern that have a name."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model a team wants, and where it is; empty where the file does not say."""

    name: str = ""
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Team:
    """A team file, read. Blocks, agents and groups are by name."""

    name: str
    model: ModelChoice | None = None
    blocks: dict[str, Block] = field(default_factory=dict[str, Block])
    agents: dict[str, Agent] = field(default_factory=dict[str, Agent])
    groups: dict[str, Group] = field(default_factory=dict[str, Group])

    @property
    def roots(self) -> tuple[Agent | Group, ...]:
        """Groups and agents that are in no group: who starts these has started all."""
        inside = {member.name for group in self.groups.values() for member in group.all_members}
        everybody = (*self.groups.values(), *self.agents.values())
        return tuple(spec for spec in everybody if spec.name not in inside)

    def recipient(self, name: str | None = None) -> Agent | Group:
        """Return whom a message is for: the one called `name`; else the only group; else the only agent.

        Raises:
            SpecError: There is nobody of that name, or no only one.
        """
        known: dict[str, Agent | Group] = {**self.groups, **self.agents}
        if name is not None:
            if name not in known:
                raise SpecError(f"there is no agent or group {name!r}{nearest(name, known)}")
            return known[name]
        for one in (self.groups, self.agents):
            if len(one) == 1:
                return next(iter(one.values()))
            if one:
                break
        raise SpecError(f"the message could be for any of these, so say for whom: {', '.join(known)}")


def load_team(path: str | PathLike[str]) -> Team:
    """Read the team file at `path`.

    Its folder and the current one can be imported from afterwards, for its tools and patterns, after all
    that is installed.

    Raises:
        SpecError: It cannot be read, is no TOML, or (a `TeamFileError`) its keys do not make a team.
    """
    path = Path(path)
    data = read_toml(path)
    _make_importable(path.parent.resolve(), Path.cwd())
    return _Reader(path).team(data)


def _make_importable(*folders: Path) -> None:
    """Let `folders` be imported from, last of all: a file there never takes the place of an installed module."""
    sys.path += [str(folder) for folder in folders if str(folder) not in sys.path]
    invalidate_caches()


# -- its keys ---------------------------------------------------------------------------------------


def _words(text: str) -> str:
    try:
        return checked_text(text, "it")
    except SpecError as error:
        raise PydanticCustomError("text", "{why}", {"why": error.what}) from None


_Words = Annotated[str, AfterValidator(_words)]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _ModelKeys(_Keys):
    name: _Words = ""
    base_url: _Words = ""


class _BlockKeys(_Keys):
    value: _Words = ""
    limit: int = Field(0, ge=1)
    description: _Words = ""


class _UseKeys(_Keys):
    label: str
    access: Literal["write", "read"] = "write"


class _AgentKeys(_Keys):
    instructions: _Words = ""
    description: _Words = ""
    persona: _Words = ""
    human: _Words = ""
    model: _Words = ""
    blocks: list[object] = []
    tags: list[_Words] = []
    tools: list[str] = []
    metadata: dict[str, JsonValue] = {}
    max_steps: int = Field(0, ge=1)


class _GroupKeys(_Keys):
    members: list[str] = Field(min_length=1)
    pattern: dict[str, object] = {}
    description: _Words = ""


_K = TypeVar("_K", bound=_Keys)
_S = TypeVar("_S", Block, Tool, Agent | Group)
_SECTIONS = ("model", "blocks", "agents", "groups")


class _Reader:
    """Makes specs of one file, and collects every fault on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[SpecError] = []
        self.blocks: dict[str, Block] = {}
        self.agents: dict[str, Agent] = {}
        self.groups: dict[str, Group | None] = {}
        self.group_keys: dict[str, _GroupKeys | None] = {}
        self.known: dict[str, list[str]] = {}

    def team(self, data: Mapping[str, object]) -> Team:
        for key in [key for key in data if key not in _SECTIONS]:
            self.fault(f"there is no such key{nearest(key, _SECTIONS)}", key)
        choice = self.keys(_ModelKeys, data["model"], "model") if "model" in data else None
        tables = {section: self.table(data, section) for section in ("blocks", "agents", "groups")}
        self.known = {section: list(table) for section, table in tables.items()}
        for name, value in tables["blocks"].items():
            self.block(name, value)
        for name, value in tables["agents"].items():
            self.agent(name, value)
        for name, value in tables["groups"].items():
            self.group_keys[name] = self.keys(_GroupKeys, value, "groups", name)
        for name in self.group_keys:
            self.group(name, ())
        if not tables["agents"] and not self.faults:
            self.fault("there are no agents; write [agents.NAME] and its instructions")
        if self.faults:
            raise TeamFileError(str(self.path), self.faults)
        groups = {name: group for name, group in self.groups.items() if group}
        model = ModelChoice(choice.name, choice.base_url) if choice else None
        return Team(self.path.stem, model, self.blocks, self.agents, groups)

    def fault(self, what: str, *path: str | int) -> None:
        self.faults.append(SpecError(what, where=path_of(path)))

    @contextmanager
    def finding(self, *path: str | int) -> Generator[None]:
        """Collect what the specs themselves find wrong."""
        try:
            yield
        except SpecError as error:
            self.fault(error.what, *path)

    def table(self, data: Mapping[str, object], section: str) -> dict[str, object]:
        found = data.get(section, {})
        if isinstance(found, dict):
            return found  # type: ignore[reportUnknownVariableType]
        self.fault(f"a table is wanted, found {shown(found)}; write [{section}.NAME]", section)
        return {}

    def keys(self, shape: type[_K], value: object, *path: str | int) -> _K | None:
        try:
            return shape.model_validate(value)
        except ValidationError as error:
            for one in error.errors():
                self.fault(fault_of(one, shape.model_fields), *path, *place_of(one))
        return None

    # -- blocks, agents, groups -----------------------------------------------------------------

    def named(self, name: str, what: str, section: str) -> bool:
        """Return whether `name` is one; collect why not."""
        before = len(self.faults)
        with self.finding(section, name):
            checked_name(name, what)
        return len(self.faults) == before

    def block(self, name: str, value: object) -> None:
        fine = self.named(name, "a block", "blocks")
        keys = self.keys(_BlockKeys, value, "blocks", name)
        if fine and keys is not None:
            with self.finding("blocks", name, "value"):
                self.blocks[name] = Block(name, **keys.model_dump(exclude_unset=True))

    def agent(self, name: str, value: object) -> None:
        fine = self.named(name, "an agent", "agents")
        keys = self.keys(_AgentKeys, value, "agents", name)
        if keys is None:
            return
        blocks = [self.use(use, "agents", name, "blocks", n) for n, use in enumerate(keys.blocks)]
        edits = bool(keys.persona or keys.human) or any(block and block.access == "write" for block in blocks)
        tools = [self.tool(tool, "agents", name, "tools", n, edits=edits) for n, tool in enumerate(keys.tools)]
        given = keys.model_dump(exclude_unset=True, exclude={"blocks", "tools"})
        with self.finding("agents", name):
            if fine:
                self.agents[name] = Agent(name, **given, blocks=_found(blocks), tools=_found(tools))

    def use(self, value: object, *path: str | int) -> Block | None:
        use = self.keys(_UseKeys, {"label": value} if isinstance(value, str) else value, *path)
        if use is None:
            return None
        if use.label not in self.known["blocks"]:
            self.fault(f"there is no block {use.label!r}{nearest(use.label, self.known['blocks'])}", *path)
        block = self.blocks.get(use.label)
        return block.read_only() if block and use.access == "read" else block

    def tool(self, address: str, *path: str | int, edits: bool) -> Tool | None:
        if ":" not in address:
            if address not in EDITS:
                why = f"{address!r} is none of callboard's own tools (one of yours is written 'module:function')"
                self.fault(f"{why}{nearest(address, EDITS)}", *path)
            elif not edits:
                self.fault(f"{address!r} needs a block that the agent may edit; give it one in `blocks`", *path)
            return None
        with self.finding(*path):
            function = _code(address)
            if not isinstance(function, Tool) and not callable(function):
                raise SpecError(f"{address!r} is {type(function).__name__}, a function is wanted")
            tool = as_tool(function)
            tool.spec()
            return tool

    def group(self, name: str, above: tuple[str, ...]) -> Group | None:
        """Make a group, its members first; `above` is what it is inside of."""
        keys = self.group_keys[name]
        if name in self.groups or keys is None:
            return self.groups.get(name)
        before = len(self.faults)
        if self.named(name, "a group", "groups") and name in self.known["agents"]:
            self.fault(f"an agent is called {name!r}, too; give one of them another name", "groups", name)
        members = [self.member(name, keys, n, above) for n in range(len(keys.members))]
        pattern = self.pattern(keys.pattern, "groups", name, "pattern")
        self.groups[name] = None
        if len(self.faults) == before and all(members):
            with self.finding("groups", name):
                about = keys.description
                self.groups[name] = Group(name, _found(members), pattern or RoundRobin(), description=about)
        return self.groups[name]

    def member(self, group: str, keys: _GroupKeys, n: int, above: tuple[str, ...]) -> Agent | Group | None:
        name, path = keys.members[n], ("groups", group, "members", n)
        known = dict.fromkeys((*self.known["agents"], *self.known["groups"]))
        around = (*above, group)
        if name in keys.members[:n]:
            self.fault(f"{name!r} stands there twice; a member has one place", *path)
        elif name in around:
            circle = " > ".join((*around[around.index(name) :], name))
            self.fault(f"the group {name!r} is inside itself ({circle})", *path)
        elif name not in known:
            self.fault(f"there is no agent or group {name!r}{nearest(name, known)}", *path)
        elif name in self.group_keys:
            return self.group(name, around)
        return self.agents.get(name)

    def pattern(self, keys: dict[str, object], *path: str | int) -> Pattern | None:
        if not keys:
            return None
        kind, given = keys.get("kind"), {key: value for key, value in keys.items() if key != "kind"}
        if not isinstance(kind, str):
            found = f", found {shown(kind)}" if "kind" in keys else ""
            self.fault(f"a string is wanted{found}, such as kind = 'round_robin'", *path, "kind")
            return None
        if kind not in PATTERNS and ":" not in kind:
            why = f"there is no pattern {kind!r} (one of yours is written 'module:Class')"
            self.fault(f"{why}{nearest(kind, PATTERNS)}", *path, "kind")
            return None
        with self.finding(*path, "kind"):
            return self.built(PATTERNS.get(kind) or _code(kind), given, *path)

    def built(self, kind: Any, given: dict[str, object], *path: str | int) -> Pattern | None:
        if not (isinstance(kind, type) and is_dataclass(kind) and callable(getattr(kind, "next", None))):
            raise SpecError(f"{kind!r} is no pattern; a frozen dataclass with next(group) is wanted")
        known = [one.name for one in fields(kind)]
        for key in [key for key in given if key not in known]:
            self.fault(f"{kind.__name__} has no such key{nearest(key, known)}", *path, key)
            del given[key]
        shape: Any = kind
        try:
            return TypeAdapter[Pattern](shape).validate_json(to_json(given), strict=True)
        except ValidationError as error:
            for one in error.errors():
                self.fault(fault_of(one, known), *path, *one["loc"])
        except SpecError as error:  # what the class itself refuses
            self.fault(error.what, *path)
        except PydanticUserError as error:
            self.fault(f"{kind.__name__} cannot be made from a file: {error.message}", *path, "kind")
        return None


def _found(specs: Iterable[_S | None]) -> list[_S]:
    return [spec for spec in specs if spec is not None]


def _code(address: str) -> object:
    """Return what `address` names, or what stands in its module instead."""
    try:
        return load(address)
    except SystemExit:
        raise SpecError(f"importing {address!r} ended the program; keep that under `if __name__ == ...`") from None
    except SpecError as error:
        module, _, name = address.partition(":")
        there = vars(sys.modules[module]) if module in sys.modules else {}
        close = get_close_matches(name, [key for key, value in there.items() if callable(value)], n=1)
        hint = f"; did you mean '{module}:{close[0]}'?" if close else ""
        if there and not hint:
            hint = f"; {module} is {there.get('__file__') or 'built in'}"
        raise SpecError(error.what + hint) from None
