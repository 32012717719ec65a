"""What must hold of tool calls that wait for a person, given the events before. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from callboard.events import Event, RecordedEvent
from callboard.events.calls import POLICY
from callboard.events.catalog import (
    AgentChanged,
    AgentStarted,
    ApprovalAsked,
    ApprovalGiven,
    ApprovalRefused,
    QuestionAnswered,
    QuestionAsked,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallRetried,
    ToolCallStarted,
)
from callboard.events.text import ERASED

from .findings import Findings, Place
from .paths import digest_of


@dataclass(slots=True)
class _Call:
    """An open call: how far it is, how often it began, and what a person was asked about.

    Attributes:
        phase: `wanted`, `asked`, `approved`, `refused`, `begun`, `question` or `answered`.
    """

    wanted: ToolCallRequested
    phase: str = "wanted"
    attempts: int = 0
    asked: str = ""

    @property
    def digest(self) -> str:
        """Hash of the next attempt; empty where the arguments were erased."""
        if self.wanted.arguments == ERASED:
            return self.asked
        return digest_of(self.wanted.tool, self.wanted.arguments, self.attempts + 1)


@dataclass(slots=True)
class _Agent:
    """The open calls of one agent, and the tools that begin with a person's leave alone."""

    needs: frozenset[str] = frozenset()
    calls: dict[str, _Call] = field(default_factory=dict[str, _Call])


class PeopleLaws:
    """Takes the events of a log in their order, and notes what nobody asked for, allowed or answered."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._agents: dict[str, _Agent] = {}

    def take(self, event: RecordedEvent, place: Place) -> None:
        """Check `event`, and remember it."""
        data, agent = event.data, self._agents.get(event.stream)
        if isinstance(data, AgentStarted | AgentChanged):
            agent = self._agents.setdefault(event.stream, _Agent())
            agent.needs = frozenset(tool.name for tool in data.spec.tools if tool.needs_approval is not False)
        elif isinstance(data, ToolCallRequested) and agent is not None:
            agent.calls[data.id] = _Call(data)
        elif agent is not None and (call := agent.calls.get(data.id)) is not None:
            if found := _wrong(call, data, needs=call.wanted.tool in agent.needs):
                self._findings.add(place, "person", *found)
            _evolve(call, data)
            if data.closes:
                del agent.calls[data.id]

    def lose(self, stream: str) -> None:
        """Forget an agent, since an event of it cannot be read."""
        self._agents.pop(stream, None)


def _wrong(call: _Call, event: Event, *, needs: bool) -> tuple[str, str] | None:
    """Return what is wrong with `event`, and what was wanted; None where it may follow. Pure."""
    match event:
        case ApprovalAsked(digest=digest):
            return _asked(call, digest)
        case ApprovalGiven() | ApprovalRefused():
            return _decided(call, event)
        case QuestionAsked() if call.phase != "wanted":
            return f"a question of a call that is {call.phase}", "one that nothing came of yet"
        case QuestionAnswered() if call.phase != "question":
            return f"an answer to a call that is {call.phase}", "QuestionAsked before it, answered once"
        case ToolCallStarted():
            return _started(call, needs=needs)
        case ToolCallFinished() if call.phase in ("asked", "question"):
            return f"a result of a call that waits for a person ({call.phase})", "what a person says before it"
        case _:
            return None


def _asked(call: _Call, digest: str) -> tuple[str, str] | None:
    if call.phase != "wanted":
        return f"a person is asked about a call that is {call.phase}", "one that waits to begin"
    if call.digest and digest != call.digest:
        return f"a person is asked about {digest}", f"{call.digest}, the hash of tool, arguments and attempt"
    return None


def _decided(call: _Call, event: ApprovalGiven | ApprovalRefused) -> tuple[str, str] | None:
    rule = isinstance(event, ApprovalGiven) and event.by == POLICY
    if call.phase != ("wanted" if rule else "asked"):
        wanted = "a call that nobody was asked about" if rule else "ApprovalAsked before it, decided once"
        return f"{type(event).__name__} of a call that is {call.phase}", wanted
    wanted = call.digest if rule else call.asked
    if wanted and event.digest != wanted:
        return f"{type(event).__name__} for {event.digest}", f"{wanted}, which it is about"
    return None


def _started(call: _Call, *, needs: bool) -> tuple[str, str] | None:
    match call.phase:
        case "wanted" if needs:
            return "it begins", "ApprovalGiven for this attempt, as its tool needs"
        case "asked" | "refused" | "question" | "answered":
            return f"it begins while it is {call.phase}", "ApprovalGiven before it"
        case "begun" if call.asked and call.wanted.effect == "once":
            return "it begins again", "an approval for each attempt"
        case _:
            return None


def _evolve(call: _Call, event: Event) -> None:
    match event:
        case ApprovalAsked(digest=digest):
            call.phase, call.asked = "asked", digest
        case ApprovalGiven(digest=digest):
            call.phase, call.asked = "approved", digest
        case ApprovalRefused():
            call.phase = "refused"
        case QuestionAsked():
            call.phase = "question"
        case QuestionAnswered():
            call.phase = "answered"
        case ToolCallStarted(attempt=attempt):
            call.phase, call.attempts = "begun", attempt
        case ToolCallInDoubt():
            call.phase = "begun"
        case ToolCallRetried():
            call.phase, call.asked = "wanted", ""
        case _:
            pass
