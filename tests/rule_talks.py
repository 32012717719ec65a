"""A group without a system: its pure rules, driven by hand or by chance, with what must hold checked at each step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue

from callboard.actors.commands import TakeLoad, TakeWindow
from callboard.actors.group import follow, take
from callboard.actors.patterns import Pattern
from callboard.actors.specs import pattern_spec
from callboard.events import Event, Text
from callboard.events.catalog import (
    GroupAltered,
    GroupReset,
    GroupStarted,
    LoadAsked,
    MemberJoined,
    MemberLeft,
    MessageReceived,
    MessageSent,
    Part,
    Reply,
    SendAccepted,
    SendAnswered,
    SendFailed,
    ToolUse,
    TurnFinished,
    TurnStarted,
)
from callboard.events.specs import BlockShare, GroupSpec, MemberUse, OnFailure, Until
from callboard.projections import GroupState
from callboard.projections.group_folds import evolve
from callboard.projections.quotes import whole
from callboard.projections.words import Word, tools_in

MOST = 400
"""Events of one step after which there is no end to it."""


@dataclass
class Talk:
    """A group of which all is an event; `waiting` is how busy each member is said to be.

    Attributes:
        knows: How much of the transcript each has heard, counted here and not by the group.
        told: What was said to each, as (speaker, text), without notes of the group; failed deliveries are taken back.
        since: Where in the transcript the history of the open request begins.
    """

    pattern: Pattern
    state: GroupState = field(default_factory=GroupState)
    events: list[Event] = field(default_factory=list[Event])
    waiting: dict[str, int] = field(default_factory=dict[str, int])
    knows: dict[str, int] = field(default_factory=dict[str, int])
    told: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])
    before: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    since: int = 0
    reset: bool = False

    # -- what happens -----------------------------------------------------------------------------

    def add(self, *events: Event) -> list[Event]:
        """Let `events` happen, and all that follows at once; return what followed."""
        for event in events:
            self._take(event)
        found: list[Event] = []
        while more := follow(self.pattern, self.state):
            for event in more:
                self._take(event)
            found += more
            assert len(found) < MOST, "there is no end to it"
        for event in found:
            match event:
                case LoadAsked(id=id):
                    found += self.add(*(take(self.state, TakeLoad(id, self.waiting, {})) or []))
                case MessageSent(kind="attach" | "detach" | "start" | "retire", id=id):
                    found += self.add(SendAccepted(id=id))
                case _:
                    pass
        return found

    def _take(self, event: Event) -> None:
        match event:
            case MessageSent(kind="turn", id=id) if id not in self.state.jobs:
                self._check(event)
            case GroupReset():
                self.reset = True
            case TurnStarted() if self.reset:
                self.since, self.reset = len(self.state.transcript), False
            case SendFailed(id=id, accepted=False) if id in self.before:
                name = id.rsplit("/", 1)[-1]
                self.knows[self.state.place(name)], length = self.before[id]
                del self.told[name][length:]
            case _:
                pass
        self.events.append(event)
        self.state = evolve(self.state, event)

    def _check(self, sent: MessageSent) -> None:
        name = sent.recipient.split("-", 1)[1]
        assert name not in self.state.talking, f"{name} has two turns at once"
        assert name in self.state.streams, f"{name} is not here"
        assert sent.parts, "a message says something"
        if sent.cue is not None and sent.cue.apart:
            return
        assert self.state.spec is not None
        heard = [(part.speaker, str(part.text)) for part in sent.parts if part.speaker != self.state.spec.name]
        begin = self.state.cuts.get(self.state.conversation, 0)
        forgot = sent.cue is not None and sent.cue.since == sent.id.rsplit("/", 2)[0]  # all of it, so the window again
        place, conversation = self.state.place(name), self.state.conversation
        known = begin if forgot else self.knows.get(place, 0)
        everywhere = self.state.transcript.since(max(known, self.since, begin))
        news = [said for said in everywhere if said.conversation == conversation]
        assert heard == [(said.speaker, str(said.text)) for said in news if said.speaker != name and said.text]
        so_far = self.told.setdefault(name, [])
        self.before[sent.id] = (self.knows.get(place, 0), len(so_far))
        so_far += heard
        self.knows[place] = len(self.state.transcript)

    # -- in words ---------------------------------------------------------------------------------

    def ask(self, key: str, text: str = "go", params: dict[str, JsonValue] | None = None) -> list[Event]:
        """Let somebody ask."""
        part = Part(speaker="user", text=Text(text))
        return self.add(MessageReceived(id=f"{key}/g", sender="user", parts=(part,), params=params or {}))

    def say(self, name: str, text: str = "", *uses: ToolUse, stop: str = "end") -> list[Event]:
        """Let `name`, who has the word, answer."""
        return self.add(SendAnswered(id=self.word(name).sent.id, text=Text(text), uses=uses, stop_reason=stop))

    def fail(self, name: str, why: str = "no key", *, accepted: bool = True) -> list[Event]:
        """Let the turn of `name` fail."""
        return self.add(SendFailed(id=self.word(name).sent.id, text=Text(why), accepted=accepted))

    def join(self, name: str, *tags: str) -> list[Event]:
        """Let `name` become a member."""
        return self.add(MemberJoined(member=MemberUse(stream=f"agent-{name}", tags=tags)))

    def leave(self, name: str) -> list[Event]:
        """Let `name` go."""
        return self.add(MemberLeft(name=name))

    def alter(self, **fields: object) -> list[Event]:
        """Change the group."""
        return self.add(GroupAltered.model_validate(fields))

    def begin_jobs(self) -> list[Event]:
        """Begin the background work that waits, on all that was said since the last that was finished."""
        found: list[Event] = []
        for job in list(self.state.jobs.values()):
            if job.phase == "scheduled":
                since, upto = self.state.marks.get(job.member, 0), len(self.state.transcript)
                parts = tuple(Part(one.speaker, one.text) for one in self.state.transcript[since:upto])
                found += self.add(*(take(self.state, TakeWindow(job.id, since, upto, parts)) or []))
        return found

    def end_job(self, member: str, failure: str = "") -> list[Event]:
        """Let the background work of `member` end."""
        id = next(job.id for job in self.state.jobs.values() if job.member == member and job.phase == "running")
        return self.add(SendFailed(id=id, text=Text(failure)) if failure else SendAnswered(id=id, text=Text("ok")))

    # -- what there is ----------------------------------------------------------------------------

    def word(self, name: str) -> Word:
        """Return the open turn of `name`."""
        return next(word for word in self.state.open.values() if word.member == name)

    @property
    def talking(self) -> list[str]:
        """Who has the word, in the order in which it was given."""
        return [word.member for word in self.state.open.values()]

    @property
    def ended(self) -> Reply:
        """The last answer of the group to a request."""
        return next(event for event in reversed(self.events) if isinstance(event, Reply))

    def last(self, kind: type[Event]) -> Event:
        """Return the last event of a kind."""
        return next(event for event in reversed(self.events) if isinstance(event, kind))

    def heard(self, name: str) -> list[str]:
        """Return what the open turn of `name` says."""
        return [f"{part.speaker}: {part.text}" for part in self.word(name).sent.parts]

    def folded(self) -> GroupState:
        """Return the state as the log alone gives it."""
        return reduce(evolve, self.events, GroupState())


def talk(
    pattern: Pattern,
    members: Iterable[str] = ("a", "b", "c"),
    *,
    manager: str = "",
    standby: Iterable[str] = (),
    tags: Mapping[str, Sequence[str]] = MappingProxyType({}),
    about: Mapping[str, str] = MappingProxyType({}),
    until: Until | None = None,
    on_failure: OnFailure = "skip",
    blocks: tuple[BlockShare, ...] = (),
) -> Talk:
    """Return a group `g` that has begun."""
    uses = [
        MemberUse(stream=f"agent-{name}", tags=tuple(tags.get(name, ())), description=about.get(name, ""))
        for name in members
    ]
    spec = GroupSpec(
        name="g", members=tuple(uses), pattern=pattern_spec(pattern), manager=f"agent-{manager}" if manager else "",
        standby=tuple(f"agent-{name}" for name in standby), until=until, on_failure=on_failure, blocks=blocks,
    )  # fmt: skip
    made = Talk(pattern)
    made.add(GroupStarted(spec=spec))
    return made


def answer(made: Talk) -> TurnFinished:
    """Return the last answer, which is no failure."""
    found = made.ended
    assert isinstance(found, TurnFinished), found
    return found


def data(made: Talk) -> dict[str, Any]:
    """Return what the last answer holds besides its text."""
    found = answer(made)
    return dict(whole(found.data, found.quotes))


def use(name: str, **arguments: str) -> ToolUse:
    """Return a call of a tool."""
    return ToolUse(name=name, arguments=Text(json.dumps(arguments)))


def tools_of(made: Talk, name: str) -> list[str]:
    """Return the tools that the open turn of `name` brings."""
    return [tool.name for tool in tools_in(made.word(name).cue.tools)]
