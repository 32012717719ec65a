"""What was said, in reading order: to and by one agent, in one group, or under one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from callboard.events import RecordedEvent, Reference, Text
from callboard.events.catalog import (
    BlockEdited,
    BlockEditRefused,
    ChoiceMade,
    ContextSummarised,
    JobScheduled,
    JobStarted,
    MessageDeadLettered,
    MessageDropped,
    MessageExpired,
    MessageReceived,
    MessageRefused,
    MessageSent,
    ModelCallFinished,
    ModelCallStarted,
    OutputRefused,
    PassageInserted,
    PassageRefused,
    PassageUpdated,
    SendAnswered,
    SendFailed,
    SymptomFound,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallRequested,
    ToolCallResolved,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)

from .projection import Projection
from .remarks import SPEAKER
from .telling import decided, told
from .words import name_of

UtteranceKind = Literal["said", "tool call", "result", "edit", "failure", "choice", "note"]
"""A message or answer; a tool with its arguments; what it gave; a changed block; why there is nothing; whom or what
somebody chose; what a group did besides, or a person decided."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of a conversation.

    Attributes:
        position: The event that puts it into this view.
        speaker: An agent, a group, a tool, a block, or `user`.
        to: Who is spoken to; for a tool call the tool, for a choice what was chosen.
        text: For a tool call its arguments, for an edit what was put in, for a choice its reason.
        ref: Where the text was said first; None where it is no recorded text.
    """

    position: int
    at: datetime
    speaker: str
    to: str
    text: str
    kind: UtteranceKind = "said"
    ref: Reference | None = None


@dataclass(slots=True)
class Conversation:
    """All that was said so far, oldest first. Changed in place by its one fold."""

    lines: list[Utterance] = field(default_factory=list[Utterance])
    asked: dict[str, MessageReceived] = field(default_factory=dict[str, MessageReceived])
    tools: dict[str, str] = field(default_factory=dict[str, str])
    known: set[Reference] = field(default_factory=set[Reference])
    beside: set[str] = field(default_factory=set[str])
    """Turns that are no part of a group's talk: choices, and work in the background."""

    def add(self, event: RecordedEvent, speaker: str, to: str, text: Text, kind: UtteranceKind = "said") -> None:
        """Put one line at the end."""
        if text.ref is not None:
            self.known.add(text.ref)
        self.lines.append(Utterance(event.position, event.recorded_at, speaker, to, str(text), kind, text.ref))

    def add_new(self, event: RecordedEvent, speaker: str, to: str, text: Text, kind: UtteranceKind = "said") -> None:
        """Put one line at the end, unless its words stand here already: an answer passed on is no new word."""
        if text and text.ref not in self.known:
            self.add(event, speaker, to, text, kind)

    def asker(self, turn: str) -> str:
        """Return who asked for `turn`."""
        message = self.asked.get(turn)
        return name_of(message.sender) if message else ""


def _heard(view: Conversation, event: RecordedEvent) -> None:
    """Take in what is heard when the work on it begins."""
    match event.data:
        case MessageReceived(id=id):
            view.asked[id] = event.data
        case TurnStarted(id=id):
            for part in view.asked[id].parts:
                kind = "failure" if part.failed else "said"
                view.add(event, part.speaker, name_of(event.stream), part.text, kind)
        case _:
            pass


def _spoken(view: Conversation, event: RecordedEvent) -> None:
    """Take in what an agent says and calls, and what it gets back."""
    me, data = name_of(event.stream), event.data
    match data:
        case ModelCallFinished(id=id, text=text, summarises=0) if text:
            view.add(event, me, view.asker(id.rpartition("/")[0]), text)
        case ToolCallRequested(id=id, tool=tool, arguments=arguments):
            view.tools[id] = tool
            view.add(event, me, tool, arguments, "tool call")
        case ToolCallFinished(id=id, text=text) | ToolCallResolved(id=id, text=text):
            view.add(event, view.tools.pop(id), me, text, "result")
        case ToolCallFailed(id=id, text=text):
            view.add(event, view.tools.pop(id), me, text, "failure")
        case OutputRefused(text=text):
            view.add(event, "callboard", me, text, "failure")
        case ContextSummarised(lines=lines, text=text):
            what = f"the first {lines:,} lines of the history are not in its prompts any more"
            view.add(event, me, me, Text(f"{what}: {text}" if text else what), "note")
        case _ if text := decided(data, view.tools.get(data.id, "")):
            view.add(event, me, me, Text(text), "note")
        case _:
            pass


def _ended(view: Conversation, event: RecordedEvent) -> None:
    """Take in how a turn ended, where that says anything new."""
    match event.data:
        case TurnFinished(id=id, text=text):
            view.add_new(event, name_of(event.stream), view.asker(id), text)
        case TurnFailed(id=id, text=text) | TurnCancelled(id=id, text=text) | MessageDeadLettered(id=id, text=text):
            view.add_new(event, name_of(event.stream), view.asker(id), text, "failure")
        case MessageExpired(id=id, text=text) | MessageDropped(id=id, text=text):
            view.add_new(event, name_of(event.stream), view.asker(id), text, "failure")
        case _:
            return
    view.asked.pop(event.data.id, None)


def _told(view: Conversation, event: RecordedEvent) -> None:
    """Take in the words of a group's members, and what they pass on."""
    data, here = event.data, name_of(event.stream)
    match data:
        case MessageSent(id=id, kind="turn", cue=cue) if cue and cue.pick:
            view.beside.add(id)
        case JobScheduled(id=id):
            view.beside.add(id)
        case SendAnswered(id=id) | SendFailed(id=id) if id in view.beside:
            view.beside.discard(id)
        case SendAnswered(id=id, text=text, uses=uses):
            if text or not uses:
                view.add(event, id.rpartition("/")[2], here, text)
            for use in uses:
                view.add(event, id.rpartition("/")[2], use.name, use.arguments, "tool call")
        case SendFailed(id=id, text=text):
            view.add(event, id.rpartition("/")[2], here, text, "failure")
        case _:
            pass


def _decided(view: Conversation, event: RecordedEvent) -> None:
    """Take in what a group decided, and how it changed."""
    data, here = event.data, name_of(event.stream)
    match data:
        case ChoiceMade(by=by, choice=choice, reason=reason) if data.read != "fallback":
            view.add(event, by or here, choice, Text(reason), "choice")
        case JobStarted():
            pass  # what comes of it says enough
        case _ if text := told(data):
            view.add(event, here, here, Text(text), "note")
        case _:
            pass


def _of_agent(view: Conversation, event: RecordedEvent) -> Conversation:
    if isinstance(event.data, ModelCallStarted):
        for label in event.data.news:
            changed = f"changed by others, version {event.data.blocks[label]} now"
            view.add(event, label, name_of(event.stream), Text(changed), "edit")
    if isinstance(event.data, SymptomFound):
        view.add(event, SPEAKER, name_of(event.stream), event.data.text, "note")
    for take in (_heard, _spoken, _ended):
        take(view, event)
    return view


def _of_group(view: Conversation, event: RecordedEvent) -> Conversation:
    for take in (_heard, _told, _decided, _ended):
        take(view, event)
    return view


def _of_request(view: Conversation, event: RecordedEvent) -> Conversation:
    here = name_of(event.stream)
    match event.data:
        case MessageReceived(id=id, kind=kind, parts=parts):
            view.asked[id] = event.data
            for part in parts if kind != "turn" else ():
                view.add_new(event, part.speaker, here, part.text)
        case MessageSent(recipient=recipient, kind="turn", parts=parts):
            for part in parts:  # else a member is told what others said, in this request or before
                if part.text.ref and part.text.ref[:2] == (event.stream, event.version):
                    view.add(event, part.speaker, name_of(recipient), part.text)
        case ToolCallFailed(id=id, text=text) if text.ref in view.known:
            view.tools.pop(id, None)  # a refused edit, whose words stand here already
        case BlockEdited(to=to, put=put) | PassageInserted(to=to, text=put) | PassageUpdated(to=to, text=put):
            view.add(event, name_of(to), here, put, "edit")
        case BlockEditRefused(to=to, text=text) | PassageRefused(to=to, text=text) | MessageRefused(to=to, text=text):
            view.add_new(event, here, name_of(to), text, "failure")
        case SendFailed(id=id, text=text):
            view.add_new(event, id.rpartition("/")[2], here, text, "failure")
        case _:
            _spoken(view, event)
            _decided(view, event)
            _ended(view, event)
    return view


def _view(name: str, evolve: Callable[[Conversation, RecordedEvent], Conversation]) -> Projection[Conversation]:
    return Projection(name, Conversation, evolve)


agent_conversation = _view("agent_conversation", _of_agent)
"""All that an agent heard, said, called and got back; over its stream."""

group_conversation = _view("group_conversation", _of_group)
"""A group's transcript: the requests, each member's word, failures; over its stream."""

request_conversation = _view("request_conversation", _of_request)
"""All that was said under one request, each text once; over the events of its correlation."""
