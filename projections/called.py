"""The calls of one agent, with what each model call was shown, read from its stream, each event once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from callboard.events import EventStore, RecordedEvent, Text
from callboard.events.catalog import (
    MessageReceived,
    MessageSent,
    ModelCallDeferred,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallStarted,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallRequested,
    ToolCallResolved,
)

from .agent import AgentState, evolve
from .contexts import layout_of
from .fencing import shortened
from .paths import call_of
from .prompt import Heard, Line, Replied, Result, Summed
from .request import wanted
from .words import name_of

ENDS = {"ToolCallFinished": "finished", "ToolCallFailed": "failed", "ToolCallResolved": "resolved"}
"""How a call ended, by the event that says so."""


@dataclass(slots=True)
class ToolUsed:
    """A tool call: the event that wanted it, and the one that closed it; None while it is open.

    Attributes:
        edits: The edits that it asked blocks for, as (the block's stream, the id of the edit).
    """

    requested: RecordedEvent
    data: ToolCallRequested
    ended: RecordedEvent | None = None
    edits: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def outcome(self) -> str:
        """How it ended: `finished`, `failed`, `resolved`, or `open`."""
        return ENDS.get(self.ended.type, "") if self.ended else "open"

    @property
    def text(self) -> Text:
        """What it gave, or why it did not; empty while it is open."""
        match self.ended.data if self.ended else None:
            case ToolCallFinished(text=text) | ToolCallFailed(text=text) | ToolCallResolved(text=text):
                return text
            case _:
                return Text()


@dataclass(frozen=True, slots=True)
class BlockRead:
    """A block as a prompt showed it; `news` where others had changed it since the turn began."""

    label: str
    stream: str
    version: int
    news: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A message in a prompt.

    Attributes:
        role: `heard`, `said` by the agent itself, `tool call` or `result`.
        text: As the prompt showed it: a long result may have been cut there.
        to: The tool, of a tool call; else empty.
    """

    role: str
    speaker: str
    text: Text
    to: str = ""

    @property
    def ref(self) -> str:
        """Where it was said, as `stream@version`; empty where no event says it."""
        return f"{self.text.ref[0]}@{self.text.ref[1]}" if self.text.ref else ""


@dataclass(slots=True)
class ModelCalled:
    """A model call: its last attempt, what that was shown, and the event that closed it; None while it is open.

    Attributes:
        state: The agent's state when the attempt had started.
        tools: The calls that its reply wanted, in the order of the reply.
    """

    started: RecordedEvent
    data: ModelCallStarted
    state: AgentState
    ended: RecordedEvent | None = None
    tools: list[ToolUsed] = field(default_factory=list[ToolUsed])

    @property
    def stream(self) -> str:
        """The agent's."""
        return self.started.stream

    @property
    def turn(self) -> str:
        """The id of the turn that it is a step of."""
        return self.data.id.rpartition("/")[0]

    @property
    def model(self) -> str:
        """The model that answered, as far as the log says."""
        ended = self.ended.data if self.ended else None
        return (ended.model if isinstance(ended, ModelCallFinished) else "") or self.data.model

    @property
    def text(self) -> Text:
        """What the model said, or why the call was given up."""
        match self.ended.data if self.ended else None:
            case ModelCallFinished(text=text) | ModelCallFailed(text=text):
                return text
            case _:
                return Text()

    @property
    def summarises(self) -> int:
        """How many lines of the history it sums up; 0 for a word of the agent's own."""
        return self.state.model.summarises if self.state.model else 0

    @property
    def failed(self) -> bool:
        """Whether it was given up."""
        return self.ended is not None and isinstance(self.ended.data, ModelCallFailed)

    @property
    def deferred(self) -> bool:
        """Whether the provider found it too long, so that it was asked anew after a summary, as another call."""
        return self.ended is not None and isinstance(self.ended.data, ModelCallDeferred)

    @property
    def blocks(self) -> tuple[BlockRead, ...]:
        """The blocks in its prompt: as they were when the turn began, then those that others changed meanwhile."""
        if self.summarises:
            return ()
        compiled, reads = len(self.state.compiled or {}), self.state.reads
        return tuple(
            BlockRead(label, reads[label].stream, version, n >= compiled)
            for n, (label, version) in enumerate(wanted(self.state))
            if label in reads
        )

    @property
    def heard(self) -> tuple[Reading, ...]:
        """The messages of this turn in its prompt, oldest first."""
        return tuple(_readings(self._lines(), name_of(self.stream), layout_of(self.state)))

    @property
    def earlier(self) -> int:
        """How many lines of its history stood in its prompt before those of this turn."""
        return len(self.state.lines) - len(self._lines())

    @property
    def history(self) -> tuple[Reading, ...]:
        """The messages before this turn in its prompt, oldest first."""
        return tuple(_readings(self.state.lines[: self.earlier], name_of(self.stream), layout_of(self.state)))

    def _lines(self) -> list[Line]:
        """Return the lines of this turn: the last ones of the history."""
        lines = self.state.lines
        start = len(lines)
        while start and lines[start - 1].turn == self.turn:
            start -= 1
        return lines[start:]


def _readings(lines: list[Line], me: str, layout: int) -> Iterator[Reading]:
    tools: dict[str, str] = {}
    for line in lines:
        match line:
            case Heard(parts=parts):
                yield from (Reading("heard", part.speaker, part.text) for part in parts)
            case Replied(text=text, uses=uses):
                if text or not uses:
                    yield Reading("said", me, text)
                for name, tool, arguments in uses:
                    tools[name] = tool
                    yield Reading("tool call", me, arguments, tool)
            case Result(name=name, text=text, most=most):
                yield Reading("result", tools.get(name, name), _read(text, most if layout > 1 else 0))
            case Summed(text=text, most=most):
                yield Reading("heard", "callboard", _read(text, most))


def _read(text: Text, most: int) -> Text:
    """Return what a prompt shows of `text` in about `most` tokens; all of it where that is 0."""
    return Text(shortened(text, most), text.ref) if most else text


class AgentCalls:
    """All calls of an agent, as far as its stream was read.

    Attributes:
        models: Model calls by id, in the order of their first attempts.
        tools: Tool calls by id, in the order in which they were wanted.
        messages: The messages that it accepted, by id.
    """

    def __init__(self, store: EventStore, stream: str) -> None:
        self.stream = stream
        self.models: dict[str, ModelCalled] = {}
        self.tools: dict[str, ToolUsed] = {}
        self.messages: dict[str, RecordedEvent] = {}
        self._store = store
        self._state, self._version, self._position = AgentState(), 0, 0

    async def read(self, until: int | None = None) -> None:
        """Read on, up to the position `until`; to the end without one."""
        if until is not None and until <= self._position:
            return
        async for event in self._store.read_stream(self.stream, after=self._version, until_position=until):
            self._state, self._version = evolve(self._state, event.data), event.version
            self._take(event)
        self._position = self._store.position if until is None else until

    def _take(self, event: RecordedEvent) -> None:
        match event.data:
            case MessageReceived(id=id):
                self.messages[id] = event
            case ModelCallStarted(id=id) as started:
                self.models[id] = ModelCalled(event, started, self._state)
            case ModelCallFinished(id=id) | ModelCallFailed(id=id) | ModelCallDeferred(id=id) if id in self.models:
                self.models[id].ended = event
            case ToolCallRequested(id=id) as requested:
                tool = self.tools[id] = ToolUsed(event, requested)
                if (call := self.models.get(id.rpartition("/")[0])) is not None:
                    call.tools.append(tool)
            case MessageSent(id=id, kind="edit", recipient=block) if block.startswith("block-"):
                if (tool := self.tools.get(call_of(id)[0])) is not None:
                    tool.edits.append((block, id))
            case ToolCallFinished(id=id) | ToolCallFailed(id=id) | ToolCallResolved(id=id) if id in self.tools:
                self.tools[id].ended = event
            case _:
                pass

    def call_of(self, tool: str) -> ModelCalled | None:
        """Return the model call that wanted the tool call `tool`."""
        return self.models.get(tool.rpartition("/")[0])

    def shown(self, tool: str) -> Iterator[ModelCalled]:
        """Yield the model calls whose prompts had the result of the tool call `tool`, as long as no summary took it."""
        used, asked = self.tools.get(tool), self.call_of(tool)
        if used is None or used.ended is None or asked is None:
            return
        text, place = used.text, -1
        for call in self.models.values():
            if call.started.position < used.ended.position or call.state.conversation != asked.state.conversation:
                continue
            lines = call.state.lines
            if not (0 <= place < len(lines) and _is_result(lines[place], text)):
                place = next((n for n in range(len(lines) - 1, -1, -1) if _is_result(lines[n], text)), -1)
            if place < 0:
                return  # what has left a history does not come back
            if not call.summarises or place < call.summarises:
                yield call


def _is_result(line: Line, text: Text) -> bool:
    return isinstance(line, Result) and line.text is text
