"""What a group's state is made of: what was said, who has the word, choices, failures and background jobs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pydantic import TypeAdapter

from callboard.events import Text
from callboard.events.catalog import CueSpec, MessageSent, ToolUse
from callboard.events.groups import Read
from callboard.events.specs import ToolSpec
from callboard.events.text import ERASED


def name_of(stream: str) -> str:
    """Return the name of the agent or group whose stream this is; `user` stays `user`. Pure."""
    return stream.split("-", 1)[1] if "-" in stream else stream


_TOOLS: TypeAdapter[tuple[ToolSpec, ...]] = TypeAdapter(tuple[ToolSpec, ...])


@lru_cache(maxsize=256)
def tools_in(text: str) -> tuple[ToolSpec, ...]:
    """Return the tools that a cue brings, from their JSON; none where that was erased. Pure."""
    return _TOOLS.validate_json(text) if text not in ("", ERASED) else ()


def as_json(tools: tuple[ToolSpec, ...]) -> str:
    """Return `tools` as a cue brings them. Pure."""
    return _TOOLS.dump_json(tools, exclude_defaults=True).decode() if tools else ""


@dataclass(frozen=True)
class Said:
    """One thing said in a group.

    Attributes:
        turn: Which turn of the request it answers, from 1, second tries counted with the first; 0 for the
            request itself.
        speaker: Name of the member, or of who asked.
        failed: Whether `text` says why the member had no answer.
        uses: Tools of the turn that it ended with: tasks delegated, a handoff.
        id: Of the turn; of the request, where it is that.
        conversation: That of the request.
    """

    turn: int
    speaker: str
    text: Text
    failed: bool = False
    uses: tuple[ToolUse, ...] = ()
    id: str = ""
    conversation: str = "main"


@dataclass(frozen=True, slots=True)
class Word:
    """The word, as somebody has it; `heard` is how much of the transcript they knew before."""

    sent: MessageSent
    heard: int

    @property
    def member(self) -> str:
        """Who has it."""
        return name_of(self.sent.recipient)

    @property
    def turn(self) -> int:
        """Its number in the request, from 1."""
        return turn_of(self.sent.id)

    @property
    def root(self) -> int:
        """The number of the turn that this is a try of: its own, unless it is another try."""
        return self.cue.instead or self.turn

    @property
    def cue(self) -> CueSpec:
        """What was said of it."""
        return self.sent.cue or CueSpec()

    @property
    def options(self) -> tuple[str, ...]:
        """What can be chosen, where this is a choice. Pure."""
        tool = next((tool for tool in tools_in(self.cue.tools) if tool.name == self.cue.pick), None)
        return options_of(tool) if tool else ()


def turn_of(id: str) -> int:
    """Return the number of the turn that a send of a group is. Pure."""
    return int(id.split("/")[-2])


def options_of(tool: ToolSpec) -> tuple[str, ...]:
    """Return what can be chosen with `tool`. Pure."""
    match tool.parameters:
        case {"properties": {"choice": {"enum": list(options)}}}:
            return tuple(str(option) for option in options)
        case _:
            return ()


@dataclass(frozen=True, slots=True)
class Ended:
    """A turn that ended, and is not dealt with yet: it failed, or its text is a choice to be read.

    Attributes:
        accepted: Whether the member got to hear what it was to answer.
    """

    word: Word
    text: Text
    uses: tuple[ToolUse, ...] = ()
    stop_reason: str = "end"
    failed: bool = False
    accepted: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of this request.

    Attributes:
        turn: The turn that was asked for it; 0 where a rule decided.
        by: Who chose; empty for a rule.
        choice: What counts; empty for none.
        read: `tool`, `prose`, `fallback` or `rule`.
        at: Number of the last turn assigned when it was made.
    """

    turn: int
    by: str
    tool: str
    choice: str
    read: Read
    reason: Text = Text()
    at: int = 0


@dataclass(frozen=True)
class Job:
    """Work in the background.

    Attributes:
        phase: `scheduled`, `running` or `ended`; it is gone when that was recorded.
        since, upto: Which items of the transcript it is about.
        cut: As in `JobScheduled`, with `conversation`; `start` is where the history began then, and `length` how long
            the transcript was.
        failure: Why it was not done; None where it was, or still may be.
    """

    id: str
    member: str
    note: Text = Text()
    tools: Text = Text()
    phase: str = "scheduled"
    since: int = 0
    upto: int = 0
    failure: Text | None = None
    cut: int = 0
    conversation: str = ""
    start: int = 0
    length: int = 0
