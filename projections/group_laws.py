"""What must hold of what a group does besides giving the word, given the events before it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from callboard.events import Event, RecordedEvent
from callboard.events.catalog import (
    AgentRetired,
    BlockAttached,
    BlockDetached,
    BlockEdited,
    BlockRetired,
    ChoiceMade,
    GroupReset,
    GroupRetired,
    GroupScaled,
    JobFailed,
    JobFinished,
    JobScheduled,
    JobStarted,
    LoadAsked,
    LoadObserved,
    MemberFailed,
    MessageReceived,
    MessageSent,
    SendAnswered,
    SendFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.events.text import ERASED

from .findings import Findings, Place
from .quotes import misplaced


@dataclass(slots=True)
class _Jobs:
    """Background work on one thing: which runs, where the last that was finished ended, and where the window begins.

    That is what a member has not worked through yet; where a conversation is cut, what left its window.
    """

    running: str = ""
    upto: int = 0
    ends: int = 0
    cut: int = 0


@dataclass(slots=True)
class _Group:
    """What one group has under way.

    Attributes:
        turns: The turns that it gave, by id, each with how it ended: `answered`, `failed`, `dealt with`; empty while
            it has not.
        looks: The requests for which it looks how busy its members are.
        jobs: Background work by what it is on; `members` says that of each that is open, by its id, and `cuts` where
            the window was cut for it.
        reset: Whether it ever began with no history, so that work can begin after what was said before.
    """

    turns: dict[str, str] = field(default_factory=dict[str, str])
    looks: set[str] = field(default_factory=set[str])
    jobs: dict[str, _Jobs] = field(default_factory=dict[str, _Jobs])
    members: dict[str, str] = field(default_factory=dict[str, str])
    cuts: dict[str, int] = field(default_factory=dict[str, int])
    reset: bool = False


class GroupLaws:
    """Takes the events of a log in their order, and notes what a group cannot have done."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._groups: dict[str, _Group] = {}
        self._given: dict[str, tuple[str, str]] = {}
        self._retired: set[str] = set()

    def retired(self, stream: str) -> bool:
        """Return whether whoever has this stream takes nothing up any more."""
        return stream in self._retired

    def take(self, event: RecordedEvent, place: Place) -> None:
        """Check `event`, and remember it."""
        self._life(event, place)
        if event.stream.startswith("group-"):
            group = self._groups.setdefault(event.stream, _Group())
            self._of_turns(group, event.data, place)
            self._of_request(group, event.data, place)
            self._of_jobs(group, event.data, place)

    def _life(self, event: RecordedEvent, place: Place) -> None:
        data, stream = event.data, event.stream
        match data:
            case AgentRetired() | GroupRetired() | BlockRetired():
                self._retired.add(stream)
            case MessageReceived() | BlockEdited() if stream in self._retired:
                what = "received" if isinstance(data, MessageReceived) else "edited"
                self._wrong(place, f"{data.id!r} is {what}", "nothing, since it is retired")
            case MessageSent(id=id, recipient=recipient, kind="attach" | "detach" as kind):
                self._given[id] = recipient, kind
            case BlockAttached(id=id) | BlockDetached(id=id) if data.by != "user":
                kind = "attach" if isinstance(data, BlockAttached) else "detach"
                if self._given.pop(id, None) != (stream, kind):
                    self._wrong(place, f"{event.type} of {id!r}", f"a group that sent it to {stream} before")
            case TurnFinished(data=given, quotes=quotes) if quotes:
                if wrong := misplaced(given, quotes):
                    self._wrong(place, f"a text at {wrong!r}, where data has none", "each in its place")
            case _:
                if event.version > 1 and event.type in ("AgentStarted", "GroupStarted", "BlockStarted"):
                    self._retired.discard(stream)

    def _wrong(self, place: Place, found: str, wanted: str) -> None:
        self._findings.add(place, "group", found, wanted)

    def _of_turns(self, group: _Group, data: Event, place: Place) -> None:
        match data:
            case MessageSent(id=id, kind="turn"):
                group.turns[id] = ""
            case SendAnswered(id=id) | SendFailed(id=id) if id in group.turns:
                refused = isinstance(data, SendAnswered) and data.stop_reason == "refused" and data.text in ("", ERASED)
                group.turns[id] = "failed" if refused or isinstance(data, SendFailed) else "answered"
            case MemberFailed(id=id, turn=turn, member=member):
                if group.turns.get(f"{id}/{turn}/{member}") != "failed":
                    self._wrong(place, f"turn {turn} of {member!r} failed", "a turn that did, and is dealt with once")
                group.turns[f"{id}/{turn}/{member}"] = "dealt with"
            case ChoiceMade(id=id, turn=turn, by=by) if turn:
                if not group.turns.get(f"{id}/{turn}/{by}"):
                    self._wrong(place, f"turn {turn} of {by!r} chose", "a turn that has ended")
            case TurnStarted():  # nothing but background work goes on from one request to the next
                group.turns = {id: how for id, how in group.turns.items() if id in group.members}
            case _:
                pass
        if isinstance(data, ChoiceMade) and data.read in ("tool", "prose") and data.choice not in data.options:
            self._wrong(place, f"the choice {data.choice!r}", f"one of {', '.join(data.options)}")

    def _of_request(self, group: _Group, data: Event, place: Place) -> None:
        match data:
            case LoadAsked(id=id):
                group.looks.add(id)
            case LoadObserved(id=id):
                if id not in group.looks:
                    self._wrong(place, "the load was observed", "LoadAsked before it")
                group.looks.discard(id)
            case GroupScaled(had=had, wanted=wanted, joined=joined, left=left):
                if had + len(joined) - len(left) != wanted:
                    self._wrong(place, f"{had} and {len(joined)} more, {len(left)} less", f"{wanted} in the end")
            case _:
                pass

    def _of_jobs(self, group: _Group, data: Event, place: Place) -> None:
        match data:
            case GroupReset() | MessageReceived(fresh=True):
                group.reset = True
            case JobScheduled(id=id, member=member, cut=cut, conversation=conversation):
                group.members[id], group.cuts[id] = f"/{conversation}" if cut else member, cut
                jobs = group.jobs.setdefault(group.members[id], _Jobs())
                if cut and cut <= jobs.cut:
                    self._wrong(place, f"the window is cut at item {cut}", f"after {jobs.cut}, where it was cut before")
                jobs.cut = cut
            case JobStarted(id=id, since=since, upto=upto) if id in group.members:
                jobs = group.jobs.setdefault(group.members[id], _Jobs())
                if jobs.running:
                    self._wrong(place, f"{id!r} is started", f"{jobs.running!r} to end first, of the same member")
                right = jobs.ends == since or (group.reset and jobs.ends < since)
                if not right or not since <= upto <= (group.cuts[id] or upto):
                    wanted = f"from {jobs.ends}, where the last ended"
                    wanted += f", to {group.cuts[id]} at most" if group.cuts[id] else ""
                    self._wrong(place, f"it is about items {since} to {upto}", wanted)
                jobs.running, jobs.upto = id, upto
            case JobFinished(id=id) | JobFailed(id=id) if id in group.members:
                jobs = group.jobs.setdefault(group.members.pop(id), _Jobs())
                done = isinstance(data, JobFinished)
                if done and (jobs.running != id or group.turns.get(id) != "answered"):
                    self._wrong(place, f"{id!r} is finished", "work that was started, and answered")
                if jobs.running == id:
                    jobs.running, jobs.ends = "", jobs.upto if done else jobs.ends
            case _:
                pass
