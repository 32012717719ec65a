"""What must hold of any event, given those before it: where it may stand, what it pairs with, whose it is. Pure."""

from __future__ import annotations

from callboard.events import Event, RecordedEvent
from callboard.events.catalog import (
    BlockAttached,
    BlockDetached,
    BlockEdited,
    BlockEditRefused,
    BlockStarted,
    MessageDropped,
    MessageExpired,
    MessageReceived,
    PassageRefused,
    PassageReply,
)

from .archive_laws import ArchiveLaws
from .block import spliced
from .findings import Findings, Place
from .group_laws import GroupLaws
from .limit_laws import LimitLaws
from .pending import NotPaired, Pending
from .people_laws import PeopleLaws
from .words import name_of

BEGINNINGS = {
    "agent": "AgentStarted", "group": "GroupStarted", "block": "BlockStarted", "archive": "ArchiveStarted",
    "system": "LogCreated",
}  # fmt: skip
"""The first event of a stream, by the kind of the stream; it stands nowhere else but after who was retired."""

OF_AGENTS = ("call", "tool")
"""Kinds of things that only agents have open."""

OF_ACTORS = ("turn", "send")
"""Kinds of things that agents and groups have open."""

OF_GROUPS = (
    "BlockShared", "BlockUnshared", "ChoiceMade", "GroupScaled", "LoadAsked", "LoadObserved", "MemberFailed",
    "MemberJoined", "MemberLeft", "ScalingSet",
)  # fmt: skip
"""Types that stand in streams of groups, though their names or what they are about would not say so."""

OF_ONE_AGENT = ("OutputRefused", "ContextSummarised")
"""Types about turns that stand in streams of agents alone."""

GIVEN = ("BlockAttached", "BlockDetached")
"""What a group does to whoever is in it."""

OF_LIVE = ("SymptomFound",)
"""What a running system notes of whoever works in it."""

OF_THE_LOG = ("LogCreated", "LogForked", "WriterOpened", "WriterClosed", "LossAccepted", "EventRedacted")
"""Types that stand in the stream `system`, and nothing else does."""

WAITING = ("MessageReceived", "TurnCancelling")
"""What is said last of a message that nobody has begun with."""

OWNER = {"turn": -1, "call": -2, "tool": -3, "send": -3, "job": -3}
"""Which part of the id of a thing names the actor in whose stream it is."""


class Laws:
    """Takes the events of a log in their order, and notes each that breaks a law.

    Attributes:
        pending: What is open now.
        asked: Requests from outside so far.
    """

    def __init__(self, findings: Findings) -> None:
        self.pending = Pending()
        self.asked = 0
        self._findings, self._groups = findings, GroupLaws(findings)
        self._limits, self._people = LimitLaws(findings), PeopleLaws(findings)
        self._archives = ArchiveLaws(findings)
        self._ended: dict[tuple[str, str], int] = {}
        self._values: dict[str, str | None] = {}

    def take(self, event: RecordedEvent, place: Place) -> None:
        """Check `event` against all laws, and remember it."""
        self.asked += isinstance(event.data, MessageReceived) and event.data.sender == "user"
        self._standing(event, place)
        self._owner(event, place)
        self._pair(event, place)
        self._groups.take(event, place)
        self._limits.take(event, place)
        self._people.take(event, place)
        self._archives.take(event, place)
        if event.stream.startswith("block-"):
            self._splice(event.stream, event.data, place)

    def lose(self, stream: str) -> None:
        """Forget what a stream holds, since an event of it cannot be read."""
        self._people.lose(stream)
        self._archives.lose(stream)
        self.dim(stream)

    def dim(self, stream: str) -> None:
        """Forget the value of a block, since a text of it is gone."""
        self._archives.dim(stream)
        if stream in self._values or stream.startswith("block-"):
            self._values[stream] = None

    def _standing(self, event: RecordedEvent, place: Place) -> None:
        kind = event.stream.split("-", 1)[0]
        beginning = BEGINNINGS.get(kind)
        if beginning is None or (kind == "system") != (event.stream == "system"):
            kinds = "agent-, group-, block-, archive- or system"
            self._findings.add(place, "stream", f"a stream {event.stream!r}", kinds)
            return
        again = event.type == beginning and self._groups.retired(event.stream)
        if (event.version == 1 or again) != (event.type == beginning):
            wanted = f"{beginning} as the first event of a stream of this kind, and only there"
            self._findings.add(place, "stream", event.type, wanted)
        elif not _may_stand(kind, event):
            self._findings.add(place, "stream", f"{event.type} in {event.stream}", "it in a stream of its own kind")

    def _owner(self, event: RecordedEvent, place: Place) -> None:
        data, name = event.data, name_of(event.stream)
        kind = data.opens or data.goes_on or data.closes
        part = OWNER.get(kind)
        if isinstance(data, BlockEdited | BlockEditRefused | PassageReply | PassageRefused):
            part, name = (-1, name) if data.to == "user" else (-3, name_of(data.to))
        if isinstance(data, BlockAttached | BlockDetached):
            part, name = (-1, name) if data.by == "user" else (-3, name_of(data.by))
        if part is None:
            return
        parts = data.id.split("/")
        if len(parts) < -part or parts[part] != name:
            wanted = f"{name!r} as the {['last', 'last but one', 'last but two'][-part - 1]} part"
            self._findings.add(place, "id", f"{event.type} of {data.id!r}", wanted)

    def _pair(self, event: RecordedEvent, place: Place) -> None:
        data = event.data
        key = (data.opens or data.goes_on or data.closes, data.id)
        before, ended = self.pending.items.get(key), self._ended.get(key)
        try:
            self.pending.take(event)
        except NotPaired:
            found = f"{event.type} of {data.id!r}"
            if data.opens:
                since = before.since if before else 0
                self._findings.add(place, "pair", f"{found}, open since position {since}", "each opened once")
            else:
                was = f"ended at position {ended}" if ended else "never begun"
                self._findings.add(place, "pair", f"{found}, which was {was}", f"an open {key[0]}")
            return
        if isinstance(data, MessageExpired | MessageDropped) and before is not None and before.latest not in WAITING:
            self._findings.add(
                place, "pair", f"{event.type} of {data.id!r}, which is worked on", "a message that waits"
            )
        if data.opens and ended:
            self._findings.add(place, "pair", f"{event.type} of {data.id!r}, ended at {ended}", "each opened once")
        elif before is not None and before.stream != event.stream:
            self._findings.add(place, "pair", f"it in {event.stream}", f"{before.stream}, where it began")
        if data.closes:
            self._ended[key] = event.position

    def _splice(self, stream: str, data: Event, place: Place) -> None:
        if isinstance(data, BlockStarted):
            self._values.setdefault(stream, str(data.spec.value))
        value = self._values.get(stream)
        if value is None or not isinstance(data, BlockEdited):
            return
        if not 0 <= data.at <= data.at + data.cut <= len(value):
            self._findings.add(place, "block", f"characters {data.at} to {data.at + data.cut}", f"within {len(value)}")
            self._values[stream] = None
            return
        self._values[stream] = after = spliced(value, data)
        if len(after) != data.size:
            self._findings.add(place, "block", f"size {data.size}", f"{len(after)}, which the edit makes")
        if data.size > data.limit and data.size > len(value):
            self._findings.add(place, "block", f"it grows to {data.size}", f"at most its limit of {data.limit}")


def _may_stand(kind: str, event: RecordedEvent) -> bool:
    """Return whether an event of this type belongs into a stream of this kind. Pure."""
    data, type = event.data, event.type
    about = data.opens or data.goes_on or data.closes
    if (type in OF_THE_LOG) != (kind == "system"):
        return False
    if about in OF_AGENTS or type in OF_ONE_AGENT:
        return kind == "agent"
    if about == "job" or type in OF_GROUPS:
        return kind == "group"
    if about in OF_ACTORS or type in (*GIVEN, *OF_LIVE):
        return kind in ("agent", "group")
    if type.startswith("Passage"):
        return kind == "archive"
    own = [name for name in ("agent", "group", "block", "archive") if type.startswith(name.capitalize())]
    return not own or kind in own
