"""What a trace is made of: turns, model calls, tool calls and edits of blocks, each with its place in the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from callboard.events.catalog import Kind, Part, ToolUse, Usage
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

    `state` is `sent` (not in the recipient's stream), `waiting`, `open`, `cancelling`, `answered`,
    `failed` or `cancelled`.

    Attributes:
        asked_by: The stream that sent it, or `user`.
        text: The answer, or why there is none.
        attempt: How often it was taken up.
        steps: What it led to, in order: model calls, tool calls, turns of others.
    """

    asked_by: str
    kind: Kind
    asked: tuple[Part, ...]
    text: str = ""
    stop_reason: str = ""
    attempt: int = 1
    steps: list[Step] = field(default_factory=list["Step"])


@dataclass(slots=True)
class Attempt:
    """One attempt of a model call.

    Attributes:
        failure: A word for why it gave no reply, `stopped` where the process ended; empty for none.
        retry_at: When the next one was due; None where none was.
    """

    number: int
    started: datetime
    ended: datetime | None = None
    failure: str = ""
    text: str = ""
    retry_at: datetime | None = None


@dataclass(slots=True)
class ModelSpan(Span):
    """A model call; `state` is `wanted`, `running`, `retrying`, `finished` or `failed`.

    Attributes:
        text: What the model said, or why the call was given up.
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


@dataclass(slots=True)
class ToolSpan(Span):
    """A tool call; `state` is `wanted`, `running`, `sent`, `in doubt`, `finished`, `failed` or `resolved`.

    Attributes:
        text: The result, or why there is none.
        in_doubt: Whether nobody knew, at some time, whether it ran; `resolved_by` says who settled it.
        steps: What it sent: an edit of a block, turns of others.
    """

    tool: str
    arguments: str
    effect: Effect
    text: str = ""
    attempts: int = 0
    in_doubt: bool = False
    resolved_by: str = ""
    steps: list[Step] = field(default_factory=list["Step"])


@dataclass(slots=True)
class EditSpan(Span):
    """An edit of a block; `state` is `sent`, `edited`, `refused` or `failed` (the block was not reached).

    Attributes:
        stream: The block's.
        asked_by: The stream of who wanted it, or `user`.
        version: The version of the block that it made, or at which it was refused; 0 before.
        put: What the editor wrote; empty for an edit that did not land.
        diff: What it changed, as lines of a unified diff without a header.
        text: Why it did not land.
    """

    asked_by: str
    verb: str
    version: int = 0
    put: str = ""
    diff: tuple[str, ...] = ()
    text: str = ""


Step = TurnSpan | ModelSpan | ToolSpan | EditSpan
"""Anything that stands in a trace."""

Root = TurnSpan | EditSpan
"""What is asked for from outside."""


def walk(span: Step) -> Iterator[Step]:
    """Yield `span` and all spans below it, each before its own. Pure."""
    yield span
    if isinstance(span, TurnSpan | ToolSpan):
        for step in span.steps:
            yield from walk(step)


@dataclass(frozen=True, slots=True)
class Summary:
    """A request in one line.

    Attributes:
        to: The stream that was asked.
        text: What it was asked.
        state: `answered`, `failed`, `cancelled` or `open`; of an edit `edited` or `refused`.
        turns: Turns that agents took up.
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
    )
