"""What a trace is made of: turns, calls, edits, and what groups decided, each with its place in the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from callboard.events.catalog import CueSpec, Kind, Part, ToolUse, Usage
from callboard.events.groups import Remedy
from callboard.events.specs import Effect


@dataclass(slots=True)
class Span:
    """Something that was begun, and mostly ended.

    Attributes:
        stream: The stream of who worked on it.
        first, last: Positions of its first and last event.
        state: How far it is; each kind of span says its words.
        ended: None while it is open.
    """

    id: str
    stream: str
    first: int
    last: int
    started: datetime
    state: str
    ended: datetime | None = field(default=None, kw_only=True)

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.ended is None

    @property
    def trace(self) -> str:
        """The request from outside that it came of."""
        return self.id.split("/", 1)[0]

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it is open."""
        return None if self.ended is None else (self.ended - self.started).total_seconds()


@dataclass(slots=True)
class TurnSpan(Span):
    """A request that an agent or a group worked on.

    `state` is `sent` (not in the recipient's stream), `waiting`, `open`, `waits for a person`, `cancelling`,
    `answered`, `failed`, `cancelled`, `expired` or `dropped`.

    Attributes:
        asked_by: The stream that sent it, or `user`.
        text: The answer, or why there is none.
        attempt: How often it was taken up.
        cue: What the group says of a turn that it gave.
        instead_of: Id of the turn that this one is a try of; empty where it is the first.
        uses: Tools of the turn that it ended with: tasks delegated, a handoff, a vote.
        data: What the pattern gave besides the text.
        faults: Why an answer did not fit its schema, each time.
        limits: What was said of a limit that it reached, each time.
        cancelled_by: Who wanted it no more: a person's name, or the stream of who asked; empty where nobody said so.
        steps: What it led to, in order: model calls, tool calls, turns of others, decisions.
    """

    asked_by: str
    kind: Kind
    asked: tuple[Part, ...]
    text: str = ""
    stop_reason: str = ""
    attempt: int = 1
    cue: CueSpec = field(default_factory=CueSpec)
    instead_of: str = ""
    uses: tuple[ToolUse, ...] = ()
    data: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    faults: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    cancelled_by: str = ""
    steps: list[Step] = field(default_factory=list["Step"])


@dataclass(slots=True)
class Attempt:
    """One attempt of a model call.

    Attributes:
        failure: A word for why it gave no reply, `stopped` where the process ended; empty for none.
        retry_at: When the next one was due; None where none was.
        model: The model that it asked for, as the log names it; empty for the system's own.
    """

    number: int
    started: datetime
    ended: datetime | None = None
    failure: str = ""
    text: str = ""
    retry_at: datetime | None = None
    model: str = ""


@dataclass(slots=True)
class ModelSpan(Span):
    """A model call; `state` is `wanted`, `running`, `retrying`, `finished`, `failed` or `deferred`.

    Attributes:
        text: What the model said, or why the call was given up, or was not made before a summary.
        summarises: How many lines of the history it sums up; 0 for a word of the agent's own.
        blocks: The version of each block that it was shown, by label.
    """

    attempts: list[Attempt] = field(default_factory=list[Attempt])
    model: str = ""
    usage: Usage | None = None
    text: str = ""
    uses: tuple[ToolUse, ...] = ()
    finish_reason: str = ""
    blocks: dict[str, int] = field(default_factory=dict[str, int])
    prompt: str = ""
    summarises: int = 0


@dataclass(slots=True)
class Verdict:
    """What a call waited for: leave to begin, or the answer to a question; one for each time that it did.

    Attributes:
        about: `approval` or `answer`.
        asked: When a person was asked; None where the tool's own function saw no need to.
        note: Why that function could not say.
        outcome: `approved`, `refused` or `answered`; empty while nobody has decided.
        by: Who decided, `policy` for that function; at what time is `decided`.
        text: The reason, or the answer.
    """

    about: Literal["approval", "answer"]
    asked: datetime | None = None
    note: str = ""
    outcome: str = ""
    by: str = ""
    decided: datetime | None = None
    text: str = ""


@dataclass(slots=True)
class Recipient:
    """Whom a message of a call goes to: by name, and what came of it as far as the sender knows.

    Attributes:
        state: `not sent`, `sent`, `delivered`, `answered` or `failed`.
        text: The answer, or why there is none.
    """

    name: str
    state: str = "not sent"
    text: str = ""


WAITS = {"approval": "waits for approval", "answer": "waits for an answer"}
"""The state of a call that waits for a person, by what it waits for."""


@dataclass(slots=True)
class ToolSpan(Span):
    """A tool call.

    `state` is `wanted`, one of `WAITS`, `approved`, `answered`, `running`, `sent`, `in doubt`, and in the end
    `finished`, `failed`, `refused` or `resolved`.

    Attributes:
        text: The result, or why there is none.
        in_doubt: Whether nobody knew, at some time, whether it ran; `resolved_by` says who settled it.
        verdicts: What it waited for of people, and who decided what.
        recipients: Whom its messages go to; `expired` says whether the time for replies ran out.
        steps: What it sent: an edit of a block, turns of others.
    """

    tool: str
    arguments: str
    effect: Effect
    text: str = ""
    attempts: int = 0
    in_doubt: bool = False
    resolved_by: str = ""
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    recipients: list[Recipient] = field(default_factory=list[Recipient])
    expired: bool = False
    steps: list[Step] = field(default_factory=list["Step"])


@dataclass(slots=True)
class EditSpan(Span):
    """An edit of a block, or a change of an archive.

    `state` is `sent`, `edited`, `refused` or `failed` (the block was not reached).

    Attributes:
        stream: That of the block, or of the archive.
        asked_by: The stream of who wanted it, or `user`.
        version: The version of the block that it made, or at which it was refused; 0 before.
        put: What the editor wrote; empty for an edit that did not land.
        diff: What it changed, as lines of a unified diff without a header; of an archive, the passage.
        text: Why it did not land.
    """

    asked_by: str
    verb: str
    version: int = 0
    put: str = ""
    diff: tuple[str, ...] = ()
    text: str = ""


# -- what a group decides: of one moment, under the request that it belongs to, whose id it has -------


@dataclass(slots=True)
class ChoiceSpan(Span):
    """A choice; `state` says how it was read: `tool`, `prose`, `fallback` or `rule`.

    Attributes:
        by: Name of who was asked, in turn number `turn`; empty and 0 for a rule.
        tool: What the choice is for, by the name of its tool.
        choice: What counts; empty for none.
        raw: What the chooser wrote.
    """

    by: str
    turn: int
    tool: str
    options: tuple[str, ...]
    choice: str
    reason: str
    raw: str


@dataclass(slots=True)
class FailureSpan(Span):
    """What followed when turn number `turn` failed; `state` is `skip`, `retry`, `reroute`, `standby` or `fail`.

    Attributes:
        to: Name of who is asked instead.
        text: Why it failed.
    """

    member: str
    turn: int
    to: str
    text: str

    @property
    def then(self) -> Remedy:
        """What followed."""
        return self.state  # type: ignore[return-value]


@dataclass(slots=True)
class LoadSpan(Span):
    """A look at how busy the members are; `state` is `asked` or `observed`.

    Attributes:
        waiting: Requests that wait for each; `latency` in seconds for a turn of late, where it is known.
    """

    waiting: dict[str, int] = field(default_factory=dict[str, int])
    latency: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(slots=True)
class ScalingSpan(Span):
    """A decision on how many members there are; `state` is `decided`.

    Attributes:
        backlog: Requests that waited; `latency` in seconds for a turn of late, on average.
        joined, left: Names of who came and who went.
        reason: What was wrong with the rule; empty if nothing.
    """

    had: int
    wanted: int
    backlog: int
    latency: float
    joined: tuple[str, ...]
    left: tuple[str, ...]
    reason: str


@dataclass(slots=True)
class JobSpan(Span):
    """Work in the background; `state` is `scheduled`, `running`, `finished` or `failed`.

    Attributes:
        note: What the member is told besides what was said.
        since, upto: Which items of the group's transcript it is about, counted from 0, the last not included.
        text: Why it was not done.
        steps: The turn that did it.
    """

    member: str
    note: str
    since: int = 0
    upto: int = 0
    text: str = ""
    steps: list[Step] = field(default_factory=list["Step"])


Decision = ChoiceSpan | FailureSpan | LoadSpan | ScalingSpan
"""What a group decided, or looked at to decide."""

Step = TurnSpan | ModelSpan | ToolSpan | EditSpan | JobSpan | Decision
"""Anything that stands in a trace."""

Root = TurnSpan | EditSpan
"""What is asked for from outside."""


def walk(span: Step) -> Iterator[Step]:
    """Yield `span` and all spans below it, each before its own. Pure."""
    yield span
    if isinstance(span, TurnSpan | ToolSpan | JobSpan):
        for step in span.steps:
            yield from walk(step)


@dataclass(frozen=True, slots=True)
class Summary:
    """A request in one line.

    Attributes:
        to: The stream that was asked.
        text: What it was asked.
        state: `answered`, `failed`, `cancelled`, `expired`, `dropped` or `open`; of an edit `edited` or `refused`.
        turns: Turns that agents took up.
        awaiting: Calls that wait for a person.
        seconds: None while it is open.
    """

    id: str
    trace: str
    to: str
    text: str
    state: str
    turns: int
    usage: Usage
    started: datetime
    seconds: float | None
    first: int
    last: int
    awaiting: int = 0


def summary(root: Root) -> Summary:
    """Return `root` in one line. Pure."""
    spans = list(walk(root))
    found = [span.usage for span in spans if isinstance(span, ModelSpan) and span.usage]
    if isinstance(root, TurnSpan):
        asked = "\n".join(part.text for part in root.asked)
    else:
        asked = f"{root.verb}: {root.put}" if root.put else root.verb
    begun = [s for s in spans if isinstance(s, TurnSpan) and s.stream.startswith("agent-")]
    return Summary(
        id=root.id,
        trace=root.trace,
        to=root.stream,
        text=asked,
        state="open" if root.open else root.state,
        turns=sum(span.state not in ("sent", "waiting") for span in begun),
        usage=Usage(
            input_tokens=sum(usage.input_tokens for usage in found),
            output_tokens=sum(usage.output_tokens for usage in found),
            cached_tokens=sum(usage.cached_tokens for usage in found),
        ),
        started=root.started,
        seconds=root.seconds,
        first=root.first,
        last=max(span.last for span in spans),
        awaiting=sum(span.state in WAITS.values() for span in spans),
    )
