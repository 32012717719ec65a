"""What a group does besides giving the word: choices, failures, members, background work."""

from __future__ import annotations

from typing import ClassVar, Literal

from .event import Event
from .specs import BlockShare, MemberUse, OnFailure, PatternSpec, Scaling, Until
from .text import Text

Read = Literal["tool", "prose", "fallback", "rule"]
"""How a choice was read: from the call of the tool; from a text that names one option; not at all, so that
the fallback counts; or no model was asked, and a rule decided."""

Remedy = Literal["skip", "retry", "reroute", "standby", "fail"]
"""What follows a failed turn: the others go on without it; the member is asked again; another member is asked;
another manager is; or the request fails."""


class ChoiceMade(Event, goes_on="turn"):
    """Somebody, or a rule, chose one of several.

    Attributes:
        turn: Number of the turn that was asked for it; 0 where a rule decided.
        by: Name of who chose; empty for a rule.
        tool: What the choice is for, by the name of its tool.
        raw: What the chooser wrote.
        choice: What counts; empty for none.
        reason: Why, as the chooser or the rule says.
    """

    schema_version: ClassVar[int] = 2

    turn: int = 0
    by: str = ""
    tool: str
    options: tuple[str, ...]
    raw: Text = Text()
    choice: str
    read: Read
    reason: Text = Text()


class MemberFailed(Event, goes_on="turn"):
    """A turn of the request failed.

    Attributes:
        turn: Its number.
        then: What follows from it.
        to: Who is asked instead.
    """

    turn: int
    member: str
    text: Text
    then: Remedy
    to: str = ""


class LoadAsked(Event, goes_on="turn"):
    """The pattern wants to know how busy the members are."""


class LoadObserved(Event, goes_on="turn", takes_in=True):
    """How many requests waited for each, and seconds that each took for a turn of late."""

    waiting: dict[str, int]
    latency: dict[str, float] = {}


class MemberJoined(Event, takes_in=True):
    """Somebody became a member; it counts from the next choice on."""

    member: MemberUse


class MemberLeft(Event, takes_in=True):
    """A member left; it finishes the turn that it has, and what it knows stays."""

    name: str


class GroupAltered(Event, takes_in=True):
    """The group was changed while it lives; what is None stays as it is, and `cleared` names what is empty now."""

    description: str | None = None
    pattern: PatternSpec | None = None
    until: Until | None = None
    on_failure: OnFailure | None = None
    cleared: tuple[str, ...] = ()


class BlockShared(Event, takes_in=True):
    """A block is shared by all who are in the group, and by those who join."""

    share: BlockShare


class BlockUnshared(Event, takes_in=True):
    """A block is not shared by the group any more."""

    label: str


class GroupReset(Event, takes_in=True):
    """The next request begins with no history. Nothing is erased from the log."""


class ScalingSet(Event, takes_in=True):
    """From now on the group grows and shrinks by a rule; None ends that."""

    scaling: Scaling | None


class GroupScaled(Event, goes_on="turn"):
    """The rule decided on how many members made from the template there are.

    Attributes:
        backlog: Requests that waited for the group and for its members.
        latency: Seconds that its members took for a turn of late, on average.
        joined, left: Who comes and who goes for it.
        reason: What was wrong with the rule; empty if nothing.
    """

    had: int
    wanted: int
    backlog: int
    latency: float
    joined: tuple[MemberUse, ...] = ()
    left: tuple[str, ...] = ()
    reason: str = ""


class JobScheduled(Event, opens="job"):
    """A member is to work in the background on what was said since its last work that was finished.

    Attributes:
        cut: The item of the transcript, from 0, where the window of this conversation begins now: the work is about
            what left it, and whoever answers forgets that with its next word. 0 where nothing leaves.
        conversation: The one that is cut; empty where the work is about all.
    """

    member: str
    note: Text = Text()
    tools: Text = Text()
    cut: int = 0
    conversation: str = ""


class JobStarted(Event, goes_on="job", takes_in=True):
    """The member got what was said from item `since` to item `upto` of the group's transcript."""

    since: int
    upto: int


class JobFinished(Event, closes="job"):
    """The work is done: the next one begins where this one ended."""


class JobFailed(Event, closes="job"):
    """The work was not done; the next one begins where this one began."""

    text: Text
