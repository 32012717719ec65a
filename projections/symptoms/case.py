"""What the detector remembers: of open requests, of waiting messages, and of shared blocks. No texts but blocks'."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from callboard.projections.words import name_of

from .symptom import EVIDENCE

RECENT = 64
"""Different things of one sort that are remembered of one agent in one request: the newest."""

LONGEST = 64
"""Passes of a request, from one to the next, that are remembered: the newest."""

T = TypeVar("T")


@dataclass(slots=True)
class Hop:
    """Somebody that a request came to; `news` says whether something new was done on the way from the one before."""

    stream: str
    position: int
    news: bool = False

    @property
    def name(self) -> str:
        return name_of(self.stream)


@dataclass(slots=True)
class Tally:
    """How often something happened, and where the last times."""

    count: int = 0
    positions: list[int] = field(default_factory=list[int])

    def add(self, position: int) -> None:
        """Count one more."""
        self.count += 1
        self.positions = [*self.positions, position][-EVIDENCE:]


@dataclass(slots=True)
class Asked:
    """An open tool call; `arguments` is a hash, and `sends` says whether it sends messages to others."""

    tool: str
    arguments: str
    sends: bool = False


@dataclass(slots=True)
class Turn:
    """An open turn.

    Attributes:
        position: Where it was received.
        chain: Whom the request came to before, this turn's own actor last.
        heard: Hash of what it is about; `others` says whether somebody else's words are in it.
        news: Whether something new was done in it.
        calls: The open tool calls, and `results` what came of those before, by hash.
        passed: Of a group: to whom its members handed the talk, one after the other.
        given: Of a group: turns that members were given, and `word` when each had its last.
        last: Of a group: where that was.
    """

    position: int
    chain: list[Hop]
    heard: str
    others: bool
    news: bool = False
    calls: dict[str, Asked] = field(default_factory=dict[str, Asked])
    results: dict[str, Tally] = field(default_factory=dict[str, Tally])
    passed: list[Hop] = field(default_factory=list[Hop])
    given: int = 0
    word: dict[str, int] = field(default_factory=dict[str, int])
    last: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class Mind:
    """What one agent, or group, did in one request, by hash.

    Attributes:
        alone: Model calls since it heard or found anything new.
        seen: What its tools gave.
        calls: Its tool calls, whatever came of them.
        states: What it heard together with what it said to that; `said` what it said alone.
        prompts: What its model was asked.
    """

    alone: Tally = field(default_factory=Tally)
    seen: dict[str, bool] = field(default_factory=dict[str, bool])
    calls: dict[str, Tally] = field(default_factory=dict[str, Tally])
    states: dict[str, Tally] = field(default_factory=dict[str, Tally])
    said: dict[str, Tally] = field(default_factory=dict[str, Tally])
    prompts: dict[str, Tally] = field(default_factory=dict[str, Tally])


@dataclass(slots=True)
class Case:
    """A request of which something is open.

    Attributes:
        open: Turns, messages and jobs of it that have not ended.
        sends: Messages on their way, each with the chain that it goes on with.
        levels: Messages by how many steps they are away from the request.
        root: The stream that was asked.
        told: Keys of the symptoms that it showed, with where.
    """

    open: int = 0
    turns: dict[str, Turn] = field(default_factory=dict[str, Turn])
    sends: dict[str, list[Hop]] = field(default_factory=dict[str, list[Hop]])
    minds: dict[str, Mind] = field(default_factory=dict[str, Mind])
    messages: Tally = field(default_factory=Tally)
    levels: list[int] = field(default_factory=list[int])
    root: str = ""
    told: dict[str, int] = field(default_factory=dict[str, int])

    def mind(self, stream: str) -> Mind:
        """Return what the actor at `stream` did in this request."""
        return self.minds.setdefault(stream, Mind())


@dataclass(slots=True)
class Waits:
    """A message in a backlog; `after` is how many turns were begun there before it came."""

    trace: str
    position: int
    after: int


@dataclass(slots=True)
class Queue:
    """The backlog of an agent or group, while there is one.

    Attributes:
        begun: The requests that got a turn since the backlog was empty, one for each turn, the newest.
        dropped: How many are not in `begun` any more.
        told: Whether it was said that something waits too long, since the backlog was empty.
    """

    waiting: dict[str, Waits] = field(default_factory=dict[str, Waits])
    begun: list[str] = field(default_factory=list[str])
    dropped: int = 0
    told: bool = False


@dataclass(slots=True)
class Edit:
    """An edit that landed: who made it, hashes of the value before and after it and of what gave way to what.

    Attributes:
        undoes: Who made the edit that it takes back; empty where it takes none back.
    """

    by: str
    trace: str
    position: int
    before: str
    after: str
    cut: str
    put: str
    undoes: str = ""


@dataclass(slots=True)
class Shared:
    """A block that several may edit: its value, whether each line of it is an item, and its newest edits."""

    value: str = ""
    items: bool = False
    edits: list[Edit] = field(default_factory=list[Edit])


@dataclass(slots=True)
class Due:
    """An open task with a date.

    Attributes:
        due: After which time it is late; `said` is the date as it stands on the board.
        owner: Who has it; empty for nobody.
        by: The stream of who changed it last, and `position` where; empty where it stands as it began.
        looks: Hash of all that stands in it.
        told: Whether it was said that it is late.
    """

    due: datetime
    said: str
    owner: str
    status: str
    by: str
    position: int
    looks: str
    told: bool = False


@dataclass(slots=True)
class TaskList:
    """A board of tasks: its value, its open tasks with a date, and the agents that have it.

    Attributes:
        next: When the next of the tasks is late of which that was not said; None for none.
        retired: Whether nobody works on it any more.
    """

    value: str = ""
    tasks: dict[str, Due] = field(default_factory=dict[str, Due])
    holders: list[str] = field(default_factory=list[str])
    next: datetime | None = None
    retired: bool = False


@dataclass(slots=True)
class Watched:
    """All that is remembered of a log up to `position`.

    Attributes:
        members: Of each group, the streams of its members; `declared` as it was last started.
        repeats: Of each agent, the tools that say of themselves how often they may be called.
    """

    position: int = 0
    cases: dict[str, Case] = field(default_factory=dict[str, Case])
    queues: dict[str, Queue] = field(default_factory=dict[str, Queue])
    blocks: dict[str, Shared] = field(default_factory=dict[str, Shared])
    boards: dict[str, TaskList] = field(default_factory=dict[str, TaskList])
    members: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    declared: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    repeats: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])


def renewed(known: dict[str, T], key: str, value: T) -> T:
    """Put `value` at `key`, as the newest that is known, and forget the oldest if there are too many."""
    known.pop(key, None)
    known[key] = value
    if len(known) > RECENT:
        del known[next(iter(known))]
    return value


def tallied(known: dict[str, Tally], key: str, position: int) -> Tally:
    """Count one more of `key`, and return how often it was seen."""
    tally = renewed(known, key, known.get(key) or Tally())
    tally.add(position)
    return tally
