"""The tools of callboard's own that an agent gets by name, whatever they are for. All pure.

Each is of one wing: messages, archives. A wing says how its tools are described and read, which of them are looked up
by an effect, and which stream decides the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from callboard.events.specs import AgentSpec, ToolSpec

from . import archival, memory, messaging, storing


@dataclass(frozen=True, slots=True)
class Wing:
    """Some of callboard's own tools.

    Attributes:
        tools: Their arguments by name.
        spec: Returns one as an agent's spec records it.
        parsed: Returns what arguments ask for, or what is wrong with them.
        looked_up: Those whose calls begin with a look-up, whose result may be that of the call.
        decider: Returns the stream that decides a call of the others, as it decides edits; empty where there is none.
        without: What a model is told where there is none.
    """

    tools: Mapping[str, type[BaseModel]]
    spec: Callable[[str], ToolSpec]
    parsed: Callable[[str, str], BaseModel | str]
    looked_up: frozenset[str]
    decider: Callable[[AgentSpec], str] = lambda spec: ""
    without: str = ""


WINGS = (
    Wing(
        messaging.MESSAGING, messaging.tool_spec, messaging.parsed,
        frozenset(messaging.MESSAGING) - {messaging.ASK_HUMAN},
    ),
    Wing(
        archival.ARCHIVAL, archival.tool_spec, archival.asked, frozenset({archival.SEARCH}),
        lambda spec: spec.archive, "you have no archival memory",
    ),
)  # fmt: skip
"""All wings."""

OWN_TOOLS: dict[str, Wing] = {name: wing for wing in WINGS for name in wing.tools}
"""The wing of each tool by its name; an agent gets one by naming it among its tools."""

KNOWN: dict[str, Wing] = {
    **OWN_TOOLS,
    storing.STORE: Wing({storing.STORE: storing.Store}, storing.tool_spec, storing.asked, frozenset({storing.STORE})),
}
"""Those and the ones that only come with a turn."""

RESERVED = frozenset({*memory.EDITS, *KNOWN})
"""Names that no tool of a user's own may have."""


def spec_of(name: str) -> ToolSpec:
    """Return the tool `name` as an agent's spec records it."""
    return OWN_TOOLS[name].spec(name)


def parsed(name: str, arguments: str) -> BaseModel | str:
    """Return what `arguments` ask for, or what is wrong with them."""
    return memory.parsed(name, arguments) if name in memory.EDITS else KNOWN[name].parsed(name, arguments)


def is_looked_up(name: str) -> bool:
    """Return whether a call of the tool `name` begins with a look-up."""
    return name == memory.ARCHIVE_LINES or (name in KNOWN and name in KNOWN[name].looked_up)


def decider(spec: AgentSpec, name: str) -> str:
    """Return the stream that decides a call of the tool `name`; empty where it is no such tool."""
    return OWN_TOOLS[name].decider(spec) if name in OWN_TOOLS and not is_looked_up(name) else ""


def problem(spec: AgentSpec, name: str, arguments: str) -> str:
    """Return why a call cannot even begin, for the model to mend; empty where it can."""
    wing = KNOWN[name]
    if wing.without and not wing.decider(spec):
        return wing.without
    asked = wing.parsed(name, arguments)
    return asked if isinstance(asked, str) else ""


def needs_archive(names: Iterable[str]) -> bool:
    """Return whether one of these tools reads or writes an archive."""
    return any(name in (*archival.ARCHIVAL, messaging.SHARE) for name in names)
