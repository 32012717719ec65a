"""What a team file says, made into specs: every fault on the way is noted with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, cast

from callboard.events import SpecError

from . import own_tools
from .archive_spec import Archive
from .board import BOARD_LIMIT
from .limits import Limits
from .memory import tool_specs
from .names import checked_name
from .outputs import schema_for
from .patterns import Pattern, RoundRobin
from .prices import Price
from .specs import Agent, Block, Group
from .team_keys import (
    AgentKeys,
    ArchiveKeys,
    BlockKeys,
    EmbedderKeys,
    GroupKeys,
    LimitKeys,
    ModelKeys,
    PriceKeys,
    ShareKeys,
    UseKeys,
    WindowKeys,
)
from .team_talk import code_at, read_pattern, read_until
from .toml import Faults, nearest, shown
from .tool import Tool, as_tool
from .windows import Window

_S = TypeVar("_S", Block, Tool | str, Agent, Agent | Group)

SECTIONS = ("model", "models", "embedder", "prices", "limits", "budget", "blocks", "archives", "agents", "groups")
"""The tables of a team file."""

OWN_TOOLS = (*(tool.name for tool in tool_specs("text", "json", "board")), *own_tools.OWN_TOOLS)
"""The tools of callboard's own that a file may list."""


class Reader:
    """Makes specs of one file.

    Attributes:
        faults: What was wrong; with any, the specs are not whole.
        models, blocks, archives, agents: By name.
        groups: By name; None for one that could not be made.
        prices: By the name of the model.
        limits, budget: Of each request, and of all together; None where the file does not say.
    """

    def __init__(self, data: Mapping[str, object]) -> None:
        """Read `data`, which is all that the file holds."""
        self.faults = Faults()
        self.model: ModelKeys | None = None
        self.models: dict[str, ModelKeys] = {}
        self.embedder: EmbedderKeys | None = None
        self.blocks: dict[str, Block] = {}
        self.archives: dict[str, Archive] = {}
        self.agents: dict[str, Agent] = {}
        self.groups: dict[str, Group | None] = {}
        self.prices: dict[str, Price] = {}
        self.limits: Limits | None = None
        self.budget: Limits | None = None
        self._group_keys: dict[str, GroupKeys | None] = {}
        self._known: dict[str, list[str]] = {}
        self._read(data)

    def _read(self, data: Mapping[str, object]) -> None:
        for key in [key for key in data if key not in SECTIONS]:
            self.faults.add(f"there is no such key{nearest(key, SECTIONS)}", key)
        if "model" in data:
            self.model = self.faults.keys(ModelKeys, data["model"], "model")
        if "embedder" in data:
            self.embedder = self.faults.keys(EmbedderKeys, data["embedder"], "embedder")
        for name, value in self._table(data, "models").items():
            keys = self.faults.keys(ModelKeys, value, "models", name)
            if keys is not None:
                self.models[name] = keys
        tables = {name: self._table(data, name) for name in ("prices", "blocks", "archives", "agents", "groups")}
        self._known = {section: list(table) for section, table in tables.items()}
        self.limits, self.budget = (self._limits(data.get(name), name) for name in ("limits", "budget"))
        for name, value in tables["prices"].items():
            price = self.faults.keys(PriceKeys, value, "prices", name)
            if price is not None:
                self.prices[name] = Price(**price.model_dump(exclude_unset=True))
        for name, value in tables["blocks"].items():
            self._block(name, value)
        for name, value in tables["archives"].items():
            self._archive(name, value)
        seen = len(self.faults.found)
        for name, value in tables["groups"].items():
            self._group_keys[name] = self.faults.keys(GroupKeys, value, "groups", name)
        of_groups = self.faults.found[seen:]
        del self.faults.found[seen:]
        for name, value in tables["agents"].items():
            self._agent(name, value)
        self.faults.found += of_groups  # in the order of the sections
        for name in self._group_keys:
            self._group(name, ())
        if not tables["agents"] and not self.faults.found:
            self.faults.add("there are no agents; write [agents.NAME] and its instructions")

    def _table(self, data: Mapping[str, object], section: str) -> dict[str, object]:
        found = data.get(section, {})
        if isinstance(found, dict):
            return found  # type: ignore[reportUnknownVariableType]
        self.faults.add(f"a table is wanted, found {shown(found)}; write [{section}.NAME]", section)
        return {}

    def _named(self, name: str, what: str, section: str) -> bool:
        """Return whether `name` is one; note why not."""
        before = len(self.faults.found)
        with self.faults.finding(section, name):
            checked_name(name, what)
        return len(self.faults.found) == before

    # -- blocks, archives and agents ----------------------------------------------------------------------

    def _block(self, name: str, value: object) -> None:
        fine = self._named(name, "a block", "blocks")
        keys = self.faults.keys(BlockKeys, value, "blocks", name)
        if fine and keys is not None:
            given = keys.model_dump(exclude_unset=True, by_alias=True)
            if keys.form == "board":
                given.setdefault("limit", BOARD_LIMIT)
            with self.faults.finding("blocks", name, "schema"):
                if "schema" in given:
                    given["schema"] = code_at(keys.holds) if isinstance(keys.holds, str) else keys.holds
                    schema_for(given["schema"], "it", arrays=True)
                with self.faults.finding("blocks", name, "value"):
                    self.blocks[name] = Block(name, **given)

    def _archive(self, name: str, value: object) -> None:
        fine = self._named(name, "an archive", "archives")
        keys = self.faults.keys(ArchiveKeys, value, "archives", name)
        if fine and keys is not None:
            with self.faults.finding("archives", name):
                self.archives[name] = Archive(name, **keys.model_dump(exclude_unset=True))

    def _agent(self, name: str, value: object) -> None:
        fine = self._named(name, "an agent", "agents")
        keys = self.faults.keys(AgentKeys, value, "agents", name)
        if keys is None:
            return
        blocks = [self._use(use, "agents", name, "blocks", n) for n, use in enumerate(keys.blocks)]
        edits = bool(keys.persona or keys.human) or any(block and block.access == "write" for block in blocks)
        edits = edits or self._is_lent(name)
        tools = [self._tool(tool, "agents", name, "tools", n, edits=edits) for n, tool in enumerate(keys.tools)]
        given = keys.model_dump(exclude_unset=True, exclude={"blocks", "tools", "limits", "window"})
        window = self._window(keys.window, "agents", name, "window")
        limits = self._limits(keys.limits, "agents", name, "limits")
        if "archive" in given:
            with self.faults.finding("agents", name, "archive"):
                given["archive"] = self.archives.get(keys.archive) or Archive(keys.archive)
        if "output" in given:
            with self.faults.finding("agents", name, "output"):
                output = given.pop("output")
                output = code_at(output) if isinstance(output, str) else output
                schema_for(output, "it")
                given["output"] = output
        with self.faults.finding("agents", name):
            if fine:
                self.agents[name] = Agent(
                    name, **given, blocks=_found(blocks), tools=_found(tools), limits=limits, window=window
                )

    def _window(self, value: object, *path: str | int) -> Window | int | None:
        found: Window | int | None = None
        with self.faults.finding(*path):
            if isinstance(value, dict):
                keys = self.faults.keys(WindowKeys, cast("object", value), *path)
                found = Window(**keys.model_dump(exclude_unset=True)) if keys is not None else None
            elif isinstance(value, int) and not isinstance(value, bool):
                Window(value)  # says what is wrong with it
                found = value
            elif value is not None:
                self.faults.add(f"a number of tokens or a table is wanted, found {shown(value)}", *path)
        return found

    def _limits(self, value: object, *path: str | int) -> Limits | None:
        keys = self.faults.keys(LimitKeys, value, *path) if value is not None else None
        return Limits(**keys.model_dump(exclude_unset=True)) if keys is not None else None

    def _is_lent(self, name: str, *below: str) -> bool:
        """Return whether a group that `name` is in, at any depth, shares a block that can be edited."""
        around = [(group, keys) for group, keys in self._group_keys.items() if keys and group not in below]
        holding = [(group, keys) for group, keys in around if name in (*keys.members, keys.manager, *keys.standby)]
        return any(any(map(_is_edited, keys.blocks)) or self._is_lent(group, group, *below) for group, keys in holding)

    def _use(self, value: object, *path: str | int) -> Block | None:
        use = self.faults.keys(UseKeys, {"label": value} if isinstance(value, str) else value, *path)
        block = self._labelled(use, *path) if use else None
        return block.read_only() if use and block and use.access == "read" else block

    def _labelled(self, use: UseKeys, *path: str | int) -> Block | None:
        if use.label not in self._known["blocks"]:
            self.faults.add(f"there is no block {use.label!r}{nearest(use.label, self._known['blocks'])}", *path)
        return self.blocks.get(use.label)

    def _tool(self, address: str, *path: str | int, edits: bool) -> Tool | str | None:
        if address in own_tools.OWN_TOOLS:
            return address
        if ":" not in address:
            if address not in OWN_TOOLS:
                why = f"{address!r} is none of callboard's own tools (one of yours is written 'module:function')"
                self.faults.add(f"{why}{nearest(address, OWN_TOOLS)}", *path)
            elif not edits:
                self.faults.add(f"{address!r} needs a block that the agent may edit; give it one in `blocks`", *path)
            return None
        with self.faults.finding(*path):
            function = code_at(address)
            if not isinstance(function, Tool) and not callable(function):
                raise SpecError(f"{address!r} is {type(function).__name__}, a function is wanted")
            tool = as_tool(function)
            tool.spec()
            return tool
        return None

    # -- groups ---------------------------------------------------------------------------------

    def _group(self, name: str, above: tuple[str, ...]) -> Group | None:
        """Make a group, its members first; `above` is what it is inside of."""
        keys = self._group_keys[name]
        if name in self.groups or keys is None:
            return self.groups.get(name)
        before = len(self.faults.found)
        if self._named(name, "a group", "groups") and name in self._known["agents"]:
            self.faults.add(f"an agent is called {name!r}, too; give one of them another name", "groups", name)
        members = [self._member(name, keys, n, above) for n in range(len(keys.members))]
        pattern = read_pattern(keys.pattern, keys.members, self.faults, "groups", name, "pattern")
        leads = self._managers(name, keys, pattern)
        blocks = list(self._shared(name, keys))
        here = (*keys.members, *([keys.manager] if keys.manager else []), *keys.standby)
        until, limits = None, self._limits(keys.limits, "groups", name, "limits")
        if "until" in keys.model_fields_set:
            until = read_until(keys.until, here, self.faults, "groups", name, "until")
        self.groups[name] = None
        if len(self.faults.found) == before and all(members) and all(leads):
            manager, standby = leads[0] if leads else None, leads[1:]
            with self.faults.finding("groups", name):
                self.groups[name] = Group(
                    name, _found(members), pattern or RoundRobin(), manager=manager, standby=_found(standby),
                    blocks=blocks, description=keys.description, until=until, on_failure=keys.on_failure,
                    limits=limits,
                )  # fmt: skip
        return self.groups[name]

    def _member(self, group: str, keys: GroupKeys, n: int, above: tuple[str, ...]) -> Agent | Group | None:
        name, path = keys.members[n], ("groups", group, "members", n)
        known = dict.fromkeys((*self._known["agents"], *self._known["groups"]))
        around = (*above, group)
        if name in keys.members[:n]:
            self.faults.add(f"{name!r} stands there twice; a member has one place", *path)
        elif name in around:
            circle = " > ".join((*around[around.index(name) :], name))
            self.faults.add(f"the group {name!r} is inside itself ({circle})", *path)
        elif name not in known:
            self.faults.add(f"there is no agent or group {name!r}{nearest(name, known)}", *path)
        elif name in self._group_keys:
            return self._group(name, around)
        return self.agents.get(name)

    def _managers(self, group: str, keys: GroupKeys, pattern: Pattern | None) -> list[Agent | None]:
        """Return the manager, if there is one, and those that stand by; None for whom the file says wrongly."""
        needed = pattern is not None and getattr(pattern, "needs_manager", False)
        if not keys.manager and (needed or keys.standby or "manager" in keys.model_fields_set):
            kind = str(keys.pattern.get("kind"))
            why = f"the pattern {kind!r} needs one" if needed else "an agent is wanted"
            why = "there is a standby, and nobody whose place it could take" if keys.standby and not needed else why
            self.faults.add(f"there is no manager: {why}; write manager = 'NAME'", "groups", group, "manager")
        taken: list[str] = []
        first = [self._manager(keys, keys.manager, taken, "groups", group, "manager")] if keys.manager else []
        others = [
            self._manager(keys, name, taken, "groups", group, "standby", n) for n, name in enumerate(keys.standby)
        ]
        return first + others

    def _manager(self, keys: GroupKeys, name: str, taken: list[str], *path: str | int) -> Agent | None:
        if name in keys.members:
            self.faults.add(f"{name!r} is a member of the group, and cannot lead it, too; take another agent", *path)
        elif name in taken:
            self.faults.add(f"{name!r} leads the group already, or stands by; one place is enough", *path)
        elif name in self._known["agents"]:
            taken.append(name)
            return self.agents.get(name)
        elif name in self._known["groups"]:
            self.faults.add(f"{name!r} is a group; an agent is wanted", *path)
        else:
            self.faults.add(f"there is no agent {name!r}{nearest(name, self._known['agents'])}", *path)
        return None

    def _shared(self, group: str, keys: GroupKeys) -> Iterator[Block]:
        """Give the blocks that all in the group share."""
        here, labels = (*keys.members, keys.manager, *keys.standby), list[str]()
        for n, value in enumerate(keys.blocks):
            path = ("groups", group, "blocks", n)
            use = self.faults.keys(ShareKeys, {"label": value} if isinstance(value, str) else value, *path)
            if use is None:
                continue
            if use.label in labels:
                self.faults.add(f"{use.label!r} stands there twice; a group shares a block once", *path)
            labels.append(use.label)
            if use.writers is not None and "access" in use.model_fields_set:
                self.faults.add("say access or writers, not both: who is no writer reads", *path)
            for m, name in enumerate(use.writers or ()):
                if name not in here:
                    why = f"{name!r} is not in the group{nearest(name, filter(None, here))}"
                    self.faults.add(why, *path, "writers", m)
            block = self._labelled(use, *path)
            if block is not None:
                block = block.read_only() if use.access == "read" else block
                yield block if use.writers is None else block.written_by(*use.writers)


def _is_edited(use: object) -> bool:
    """Return whether somebody may edit a block that a group shares, given as the file says it."""
    return not isinstance(use, dict) or (use.get("access") != "read" and use.get("writers") != [])  # type: ignore[reportUnknown]


def _found(specs: Iterable[_S | None]) -> list[_S]:
    return [spec for spec in specs if spec is not None]
