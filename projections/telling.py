"""What a group did besides giving the word, and what people decided, each as one sentence. Pure."""

from __future__ import annotations

from callboard.events import Event
from callboard.events.calls import POLICY
from callboard.events.catalog import (
    ActorRestarted,
    ApprovalAsked,
    ApprovalGiven,
    ApprovalRefused,
    BlockShared,
    BlockUnshared,
    ChoiceMade,
    GroupAltered,
    GroupReset,
    GroupRetired,
    GroupScaled,
    JobFailed,
    JobFinished,
    JobScheduled,
    JobStarted,
    LimitKept,
    LimitRaised,
    LimitReached,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    QuestionAnswered,
    QuestionAsked,
    RecipientsChosen,
    ScalingSet,
    SymptomFound,
    ToolCallExpired,
    TurnCancelling,
)
from callboard.events.groups import Remedy

from .words import name_of

NAMED = 10
"""Recipients of a message that are named."""


def told(event: Event) -> str:
    """Return what `event` of a group says, as a sentence; empty where that is told elsewhere, or nothing."""
    match event:
        case ChoiceMade():
            return choice(event)
        case MemberFailed(member=member, to=to, then=then):
            return followed(member, to, then)
        case GroupScaled():
            return _scaled(event)
        case JobScheduled(member=member, cut=cut):
            about = " on what leaves the window" if cut else ""
            return f"{member} is to work in the background{about}"
        case JobStarted() | JobFinished() | JobFailed():
            return _job(event)
        case _:
            return _life(event)


def decided(event: Event, tool: str) -> str:
    """Return what `event` says of a call of `tool`: what people decide, whom it reaches; or who cancelled the turn."""
    match event:
        case ApprovalAsked(text=text):
            return f"{tool} waits for approval" + (f", since {text}" if text else "")
        case ApprovalGiven(by=by):
            return f"{tool} needs no approval, by its own rule" if by == POLICY else f"{by} approved {tool}"
        case ApprovalRefused(by=by):
            return f"{by} refused {tool}"
        case QuestionAsked():
            return f"{tool} waits for an answer"
        case QuestionAnswered(by=by):
            return f"{by} answered {tool}"
        case TurnCancelling(by=by) if by:
            return f"{name_of(by)} cancelled this"
        case LimitReached(limit=limit, text=text, asks=asks):
            return f"the limit of {limit} is reached: {text}" + ("; a person is asked" if asks else "")
        case LimitRaised(by=by):
            return f"{by} lets it go on"
        case LimitKept(text=text):
            return f"it does not go on: {text}"
        case RecipientsChosen(recipients=streams):
            return f"{tool} goes to {_names(streams)}"
        case ToolCallExpired():
            return f"{tool} waits no longer for replies"
        case _:
            return ""


def _names(streams: tuple[str, ...]) -> str:
    more = f" and {len(streams) - NAMED:,} more" if len(streams) > NAMED else ""
    return (", ".join(map(name_of, streams[:NAMED])) or "nobody") + more


def choice(made: ChoiceMade) -> str:
    """Return who chose what."""
    options = f"of {', '.join(made.options)}"
    if made.read != "fallback":
        return f"{made.by or 'a rule'} chose {made.choice or 'nothing'} {options}"
    counts = f", so {made.choice} counts" if made.choice else ""
    reason = f" ({made.reason})" if made.reason else ""
    return f"{made.by or 'nobody'} made no choice {options}{counts}{reason}"


def followed(member: str, to: str, then: Remedy) -> str:
    """Return what followed when a turn of `member` failed."""
    match then:
        case "skip":
            return f"it goes on without {member}"
        case "retry":
            return f"{member} is asked once more"
        case "reroute":
            return f"{to} is asked instead of {member}"
        case "standby":
            return f"{to} takes the place of {member}"
        case "fail":
            return "the request fails"


def noted(text: str) -> str:
    """Return what the detector found."""
    return f"this does not look well: {text}"


def _scaled(event: GroupScaled) -> str:
    came = f"; {', '.join(use.name for use in event.joined)} joined" if event.joined else ""
    went = f"; {', '.join(event.left)} left" if event.left else ""
    wrong = f"; {event.reason}" if event.reason else ""
    if event.had == event.wanted and not wrong:
        return ""
    return f"{event.wanted} members by its rule, before {event.had}{came}{went}{wrong}"


def _job(event: Event) -> str:
    name = event.id.rpartition("/")[2]
    match event:
        case JobStarted(since=since, upto=upto):
            return f"{name} works in the background on items {since + 1} to {upto}"
        case JobFailed(text=text):
            return f"the background work of {name} failed: {text}"
        case _:
            return f"the background work of {name} is done"


def _life(event: Event) -> str:
    match event:
        case MemberJoined(member=member):
            return f"{member.name} joined"
        case MemberLeft(name=name):
            return f"{name} left"
        case GroupReset():
            return "what follows begins with no history"
        case ActorRestarted(text=text, failures=failures):
            return f"it began again from its log, having failed {failures} times of late: {text}"
        case SymptomFound(text=text):
            return noted(text)
        case GroupRetired():
            return "it takes nothing up any more"
        case BlockShared(share=share):
            who = share.editors
            return f"the block {share.label} is shared, written by {who}"
        case BlockUnshared(label=label):
            return f"the block {label} is shared no more"
        case ScalingSet(scaling=scaling):
            return f"it scales {scaling.template.name} now" if scaling else "it scales no more"
        case GroupAltered(cleared=cleared):
            fields = ("description", "pattern", "until", "on_failure")
            set_to = [name for name in fields if getattr(event, name) is not None]
            changed = [*(f"{name} changed" for name in set_to), *(f"{name} cleared" for name in cleared)]
            return ", ".join(changed)
        case _:
            return ""
