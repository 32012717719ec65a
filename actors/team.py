"""A team in a TOML file, read into specs and checked key by key.

    [model]                                   # optional; the command line may say it instead
    name = "gpt-5-mini"
    base_url = "http://127.0.0.1:11434/v1"    # optional; keys to providers never stand in a team file
    at_once = 8                               # requests in flight there; by default as many as the system has

    [models.local]                            # another, which agents call by this name; the keys are those of [model]
    name = "llama3"
    base_url = "http://127.0.0.1:11434/v1"

    [limits]                                  # of each request; see docs/limits.md
    model_calls = 100
    [budget]                                  # of all requests together, for ever: model_calls, tokens, usd
    usd = 20

    [prices.gpt-5-mini]                       # USD for a million tokens, where limits are in usd
    input = 0.25
    output = 2
    cached = 0.025                            # of the input that the provider had read before

    [embedder]                                # finds passages by meaning, too; needs callboard[embeddings]
    name = "text-embedding-3-small"
    dimensions = 512                          # those of the model, if it is left out; base_url as in [model]

    [blocks.plan]                             # memory that agents share
    value = "Nothing decided yet."
    limit = 2000                              # characters
    description = "What we are about to write."

    [archives.team]                           # where passages are put away; to name one in an agent is enough
    description = "What we found out."
    [blocks.tasks]                            # a board of tasks; see docs/board.md
    form = "board"

    [blocks.facts]                            # JSON that fits a schema: "module:Class", or a table that is one
    schema = "my_schemas:Facts"

    [agents.writer]
    instructions = "You write one short paragraph."
    description = "writes"                    # what others are told about it
    persona = "..."                           # first values of two blocks of its own
    human = "..."
    model = "gpt-5"                           # instead of the team's
    fallback = { rate_limit = "gpt-5-nano", any = "local" }   # asked when that fails; or one name for any failure
    blocks = ["plan", { label = "notes", access = "read" }]
    tags = ["worker"]
    tools = ["my_tools:word_count"]           # "module:function", installed or beside the file
    metadata = { any = "thing" }
    archive = "team"                          # for tools such as archival_memory_search; without, one of its own
    max_steps = 50                            # model calls of one turn
    limits = { tokens = 20000, usd = 0.05 }   # of one turn with all that it causes; see docs/limits.md

    [groups.essay]
    members = ["writer", "critic"]            # agents and groups of this file, in any order
    pattern = { kind = "round_robin", max_turns = 4 }
    manager = "editor"                        # an agent that is no member: who chooses, delegates, merges, ...
    standby = ["deputy"]                      # agents that take its place while it fails, in order
    blocks = ["plan", { label = "facts", writers = ["editor"] }, { label = "rules", access = "read" }]
    description = "..."
    until = "DONE!"                           # the talk is over once somebody says so
    on_failure = "retry"                      # or skip, reroute, fail
    limits = { turns = 20, seconds = 600, then = "ask" }

A block stands in `blocks` by its label, to read and edit, or as a table with `access = "read"`, to read
only. All in a group share the blocks of the group, and `writers` names who may edit one. A tool without a
module is one of callboard's own: those for messages, such as send_message_to_agent_and_wait_for_reply or
find_agents, those for archival memory, such as archival_memory_insert, and the memory tools, which every
agent with a block to edit has anyway.

A pattern without fields is a table with its `kind` alone. What there is, each field with what it is by default:

    { kind = "round_robin", max_turns = (one each) }
    { kind = "dynamic", max_turns = (one each) }                          # the manager picks each speaker
    { kind = "supervisor", max_rounds = 10, results = "together" }        # or "as_they_come"
    { kind = "pipeline", stages = { writer = "draft" } }                  # names in the answer's data
    { kind = "parallel", max_concurrency = 5 }                            # the manager, if any, merges
    { kind = "handoff", first = (the first member), max_handoffs = 10 }
    { kind = "route", by = "tags", default = (the least busy) }           # or "description", "module:function"
    { kind = "consensus", options = [], quorum = (over half), max_rounds = 1, tie = "none" }  # "first", "manager"
    { kind = "debate", rounds = 1 }                                       # the manager mediates
    { kind = "sleeptime", every = 5 }                                     # the manager answers
    { kind = "voice_sleeptime", max_message_buffer_length = 30, min_message_buffer_length = 15 }  # both or none

A `kind` of yours is a class as "module:Class", a frozen dataclass whose fields are the other keys.

`until` is a text, or a table of one of these, which `any` and `all` make more of:

    { mention = "DONE!", by = ["critic"] }    # said by one of these; without `by`, by anybody
    { spoke = ["critic", "writer"] }          # all of these have answered
    { turns = 5 }
    { any = ["DONE!", { turns = 5 }] }        # and { all = [...] }
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import invalidate_caches
from os import PathLike
from pathlib import Path

from callboard.events import SpecError, TeamFileError

from .limits import Limits
from .prices import Price
from .specs import Agent, Block, Group
from .team_keys import ModelKeys
from .team_reader import Reader
from .toml import nearest, read_toml


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model a team wants, and where it is; empty where the file does not say.

    Attributes:
        at_once: Requests in flight; None for as many as the system allows.
    """

    name: str = ""
    base_url: str = ""
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class EmbedderChoice:
    """Which embedding model a team wants, and where it is; None for the dimensions that it has."""

    name: str
    base_url: str = ""
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """A team file, read. All is by name: blocks, agents, groups, `models` besides its own, and prices of models."""

    name: str
    model: ModelChoice | None = None
    blocks: dict[str, Block] = field(default_factory=dict[str, Block])
    agents: dict[str, Agent] = field(default_factory=dict[str, Agent])
    groups: dict[str, Group] = field(default_factory=dict[str, Group])
    models: dict[str, ModelChoice] = field(default_factory=dict[str, ModelChoice])
    prices: dict[str, Price] = field(default_factory=dict[str, Price])
    limits: Limits | None = None
    budget: Limits | None = None
    embedder: EmbedderChoice | None = None

    @property
    def roots(self) -> tuple[Agent | Group, ...]:
        """Groups and agents that are in no group, nor lead one: who starts these has started all."""
        inside = {one.name for group in self.groups.values() for one in group.everybody}
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
    read = Reader(data)
    if read.faults.found:
        raise TeamFileError(str(path), read.faults.found)
    groups = {name: group for name, group in read.groups.items() if group}
    models = {name: _choice(keys) for name, keys in read.models.items()}
    model = _choice(read.model) if read.model else None
    keys = read.embedder
    embedder = EmbedderChoice(keys.name, keys.base_url, keys.dimensions or None) if keys else None
    given = (read.prices, read.limits, read.budget, embedder)
    return Team(path.stem, model, read.blocks, read.agents, groups, models, *given)


def _choice(keys: ModelKeys) -> ModelChoice:
    return ModelChoice(keys.name, keys.base_url, keys.at_once or None)


def _make_importable(*folders: Path) -> None:
    """Let `folders` be imported from, last of all: a file there never takes the place of an installed module."""
    sys.path += [str(folder) for folder in folders if str(folder) not in sys.path]
    invalidate_caches()
