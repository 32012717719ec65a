"""What a symptom is, and how much of each kind is too much. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json

from callboard.events.symptoms import Kind
from callboard.events.text import ERASED
from callboard.projections.words import name_of

KINDS: tuple[Kind, ...] = get_args(Kind)

EVIDENCE = 12
"""Positions that a symptom shows at most: the newest."""

_Count = Annotated[int, Field(ge=0, le=1_000_000)]


class Thresholds(BaseModel):
    """From where on something is a symptom. 0 switches a count off.

    Attributes:
        alternation: Rounds in which a request goes the same way, with nothing new done in them.
        same_call: Calls of one tool with the same arguments and the same result in one turn.
        same_state: Turns of one agent, in one request, that hear the same and say the same; or model calls
            with the very same prompt.
        monologue: Model calls of one agent, in one request, since it last heard or found anything new.
        turns_away: Rounds of a group, in one request, that pass without a word of one member. A round is as
            many turns as there are members.
        waiting: Turns that one other request gets of an agent or group while a message waits there.
        undoing: Edits of one block by two agents, in one request, that take back what the other did, of the last 32.
        messages: Messages and turns that one request led to.
        widening: Steps away from a request of which each has at least twice as many messages as that before.
        overdue_task: Days begun since a task on a board was due.
        with_news: How many times more often it may happen where something comes of it: rounds with new work in
            them; the same call with other results, or over several turns; the same words to something else; edits
            taken back over several requests.
        tools: In place of `same_call`, by the name of the tool; also of what the tool itself declares.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    alternation: _Count = 4
    same_call: _Count = 6
    same_state: _Count = 5
    monologue: _Count = 12
    turns_away: _Count = 8
    waiting: Annotated[int, Field(ge=0, le=500)] = 100
    undoing: Annotated[int, Field(ge=0, le=32)] = 3
    messages: _Count = 1_000
    widening: _Count = 5
    overdue_task: _Count = 1
    with_news: Annotated[int, Field(ge=1, le=1_000)] = 4
    tools: dict[str, _Count] = {}

    def of_tool(self, name: str, declared: int = 0) -> int:
        """Return how often one turn may call a tool, which says `declared` of itself, 0 for nothing. Pure."""
        return self.tools.get(name, declared or self.same_call)


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that does not look well, with what it was seen by.

    Attributes:
        trace: The request.
        streams: Of the agents and groups concerned; a running system records it in that of the first.
        about: What it is about besides these, such as a tool or a block; empty for nothing.
        positions: Where in the log it shows, oldest first; the last one is where it was found.
        text: A sentence that says so.
        measured: What was counted, and `limit` the threshold that it came to.
    """

    kind: Kind
    trace: str
    streams: tuple[str, ...]
    about: str
    positions: tuple[int, ...]
    text: str
    measured: int
    limit: int

    @property
    def who(self) -> tuple[str, ...]:
        """Names of the agents and groups concerned."""
        return tuple(map(name_of, self.streams))

    @property
    def key(self) -> str:
        """Names it within its log, whoever finds it and however often."""
        return f"{self.kind}:{self.trace}:{mark(*self.who, self.about)}"

    @property
    def position(self) -> int:
        """Where it was found."""
        return self.positions[-1]


def latest(positions: Sequence[int]) -> tuple[int, ...]:
    """Return what is shown of `positions`. Pure."""
    return tuple(positions[-EVIDENCE:])


def mark(*parts: object) -> str:
    """Return a short hash of `parts`, which stands for them in a state. Pure."""
    return blake2b("\0".join(map(str, parts)).encode(errors="replace"), digest_size=8).hexdigest()


def known(text: str, place: str) -> str:
    """Return `text`, or `place` where it was erased: what nobody knows is like nothing else. Pure."""
    return place if text == ERASED else text


def arguments_mark(arguments: str) -> str:
    """Return a hash of a tool's arguments: the same for JSON that says the same. Pure."""
    try:
        return mark(to_json(_ordered(from_json(arguments or "{}"))).decode())
    except (ValueError, RecursionError):
        return mark(arguments)


def _ordered(value: object) -> object:
    match value:
        case dict():
            return {key: _ordered(value[key]) for key in sorted(value)}  # type: ignore[reportUnknownVariableType]
        case list():
            return [_ordered(one) for one in value]  # type: ignore[reportUnknownVariableType]
        case _:
            return value


def listed(names: Sequence[str]) -> str:
    """Return `names` as a sentence has them. Pure."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
