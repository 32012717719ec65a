"""Who talked with whom: the conversations of each agent and group, and the threads between two, with facts about each.

A view: nothing is recorded for it but the messages themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from callboard.events import RecordedEvent, Text
from callboard.events.catalog import Kind, MessageReceived, MessageSent, Reply

from .conversation import Utterance, UtteranceKind
from .projection import Projection
from .words import name_of

ThreadType = Literal["person", "agents", "group"]
"""Between a person and somebody; between two agents or groups that write to each other; a group and who is in it."""


@dataclass(slots=True)
class Facts:
    """What is known of messages that belong together.

    Attributes:
        messages: How many were received, answers not counted; `kinds` says of which kind each was.
        answers: How many of them were answered, and `unanswered` how many ended without.
        first, last: When the first and the last message or answer was recorded.
    """

    first: datetime
    last: datetime
    messages: int = 0
    answers: int = 0
    unanswered: int = 0
    kinds: dict[Kind, int] = field(default_factory=dict[Kind, int])

    @property
    def open(self) -> int:
        """How many messages have not ended."""
        return self.messages - self.answers - self.unanswered

    def take(self, event: RecordedEvent) -> None:
        """Count a message, or how one ended."""
        self.last = event.recorded_at
        if isinstance(event.data, MessageReceived):
            self.messages += 1
            self.kinds[event.data.kind] = self.kinds.get(event.data.kind, 0) + 1
        elif isinstance(event.data, Reply):
            self.answers += event.data.ok
            self.unanswered += not event.data.ok


@dataclass(slots=True)
class ConversationOf:
    """One conversation that an agent or a group keeps apart from its others.

    Attributes:
        owner: Name of the agent or group.
        type: `agent` or `group`.
        name: `main`, or as the requests in it named it.
        participants: Who took part, in the order in which they came; the owner first.
    """

    owner: str
    type: str
    name: str
    participants: tuple[str, ...]
    facts: Facts


@dataclass(slots=True)
class Thread:
    """What two said to each other.

    Attributes:
        participants: Their names, in the order of the alphabet.
        conversations: The names of the conversations that it happened in.
    """

    participants: tuple[str, str]
    type: ThreadType
    conversations: tuple[str, ...]
    facts: Facts


class Conversations:
    """All conversations of a log. Changed in place by its one fold."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], ConversationOf] = {}
        self._open: dict[tuple[str, str], ConversationOf] = {}

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in."""
        stream, data = event.stream, event.data
        if isinstance(data, MessageReceived):
            kind, _, name = stream.partition("-")
            fresh = ConversationOf(name, kind, data.conversation, (name,), Facts(event.recorded_at, event.recorded_at))
            one = self._known.setdefault((stream, data.conversation), fresh)
            speakers = (name_of(data.sender), *(part.speaker for part in data.parts))
            one.participants = tuple(dict.fromkeys((*one.participants, *speakers)))
            one.facts.take(event)
            self._open[stream, data.id] = one
        elif isinstance(data, MessageSent) and data.kind == "turn":
            if (one := self._known.get((stream, data.conversation))) is not None:
                one.participants = tuple(dict.fromkeys((*one.participants, name_of(data.recipient))))
        elif isinstance(data, Reply) and (ended := self._open.pop((stream, data.id), None)):
            ended.facts.take(event)

    def found(self, name: str = "") -> list[ConversationOf]:
        """Return all, or those of `name`, by owner and name, `main` first."""
        chosen = [one for one in self._known.values() if name in ("", one.owner)]
        return sorted(chosen, key=lambda one: (one.owner, one.name != "main", one.name))


class Threads:
    """All threads of a log. Changed in place by its one fold."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Thread] = {}
        self._open: dict[tuple[str, str], Thread] = {}

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in."""
        stream, data = event.stream, event.data
        if isinstance(data, MessageReceived):
            low, high = sorted((name_of(stream), name_of(data.sender)))
            fresh = Thread((low, high), _type(data), (), Facts(event.recorded_at, event.recorded_at))
            one = self._known.setdefault((low, high), fresh)
            one.conversations = tuple(dict.fromkeys((*one.conversations, data.conversation)))
            one.facts.take(event)
            self._open[stream, data.id] = one
        elif isinstance(data, Reply) and (ended := self._open.pop((stream, data.id), None)):
            ended.facts.take(event)

    def found(self, name: str = "") -> list[Thread]:
        """Return all, or those that `name` takes part in, the longest first."""
        chosen = [one for one in self._known.values() if not name or name in one.participants]
        return sorted(chosen, key=lambda one: (-one.facts.messages, one.participants))


def _type(message: MessageReceived) -> ThreadType:
    if "-" not in message.sender:
        return "person"
    return "group" if message.kind == "turn" else "agents"


def _of_conversations(state: Conversations, event: RecordedEvent) -> Conversations:
    state.take(event)
    return state


def _of_threads(state: Threads, event: RecordedEvent) -> Threads:
    state.take(event)
    return state


@dataclass(slots=True)
class Words:
    """What two said to each other, oldest first. Changed in place by its one fold."""

    pair: frozenset[str]
    lines: list[Utterance] = field(default_factory=list[Utterance])
    _asked: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def take(self, event: RecordedEvent) -> Words:
        """Fold `event` in."""
        data, here = event.data, name_of(event.stream)
        if isinstance(data, MessageReceived) and self.pair == frozenset((here, name_of(data.sender))):
            self._asked[event.stream, data.id] = name_of(data.sender)
            for part in data.parts:
                self._add(event, part.speaker, here, part.text, "failure" if part.failed else "said")
        elif isinstance(data, Reply) and (asker := self._asked.pop((event.stream, data.id), "")) and data.words:
            self._add(event, here, asker, data.words, "said" if data.ok else "failure")
        return self

    def _add(self, event: RecordedEvent, speaker: str, to: str, text: Text, kind: UtteranceKind) -> None:
        self.lines.append(Utterance(event.position, event.recorded_at, speaker, to, str(text), kind, text.ref))


def words_between(one: str, other: str) -> Projection[Words]:
    """Return the view of what two said to each other, by their names; over the whole log."""
    pair = frozenset((one, other))
    return Projection("words", lambda: Words(pair), Words.take)


conversations: Projection[Conversations] = Projection("conversations", Conversations, _of_conversations)
"""The conversations of every agent and group; over the whole log."""

threads: Projection[Threads] = Projection("threads", Threads, _of_threads)
"""Which two talked with each other; over the whole log."""
