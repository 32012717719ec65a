"""What an actor is told: deliveries from others, and the results of what it began itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import JsonValue

from callboard.events import Event, Text
from callboard.events.catalog import Grant, Kind, Part, Spent, ToolUse, Usage
from callboard.events.specs import AgentSpec, BlockUse
from callboard.projections.prompt import Shown

from .prices import Price


@dataclass(frozen=True, slots=True)
class Command:
    """Something to take in; `cause` is the event that led to it, as `stream@version`."""

    cause: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Delivery(Command):
    """A command from outside the actor: accepted when it is recorded, or tried again. `id` is what it is about."""

    id: str
    sender: str


@dataclass(frozen=True, slots=True)
class Receive(Delivery):
    """Take in a message; the fields are those of `MessageSent`. `by` is the person who asks for an edit, if named."""

    kind: Kind
    parts: tuple[Part, ...] = ()
    edit: str = ""
    arguments: Text = Text()
    seen: int = 0
    conversation: str = "main"
    params: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    tools: Text = Text()
    fresh: bool = False
    since: str = ""
    hops: int = 0
    grant: Grant | None = None
    use: BlockUse | None = None
    spec: AgentSpec | None = None
    expires: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Drop(Delivery):
    """Close the message `id`, which waits, by the word of `by`; `text` is what whoever asked is told."""

    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Cancel(Delivery):
    """End the work on the message `id`, or never begin it.

    Attributes:
        by: Who wants that, where it is not the sender.
        why: What is said of it, where it is more than that nobody wants it.
    """

    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Start(Delivery):
    """Begin with a spec, or change to it; `event` is what the log gets if it is the first."""

    started: Event
    changed: Event


@dataclass(frozen=True, slots=True)
class Alter(Delivery):
    """Record `event`, a change of the group or agent, unless it changes nothing."""

    event: Event


@dataclass(frozen=True, slots=True)
class Configure(Delivery):
    """Change fields of the spec of a block.

    Attributes:
        by: Who says so, a person.
        key: Names this very change, so that it counts once.
    """

    fields: dict[str, object]
    by: str
    key: str


@dataclass(frozen=True, slots=True)
class Resolve(Delivery):
    """Say what came of the tool call `id`, which is in doubt, or that it runs again.

    Attributes:
        text: What the model is told; nothing to run it again.
        key: Names this very decision, so that it counts once; empty where it cannot come twice.
    """

    text: str | None
    by: str
    key: str = ""


Outcome = Literal["approved", "refused", "answered"]
"""What a person can say of a call that waits."""


@dataclass(frozen=True, slots=True)
class TakeDecision(Delivery):
    """Take in what a person says of the tool call `id`, or of the limit that a turn reached, which waits for that.

    Attributes:
        text: What the model is told; nothing of an approval.
        by: Who says so.
        key: Names this very decision, so that it counts once.
        digest: What the person looked at, of an approval or its refusal.
    """

    outcome: Outcome
    text: str
    by: str
    key: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Resume(Command):
    """Take up what a stop cut short. The first command of every actor's life."""


@dataclass(frozen=True, slots=True)
class Restarted(Command):
    """Note that this actor began again, since it had failed."""

    text: str
    failures: int


@dataclass(frozen=True, slots=True)
class MessageDue(Command):
    """Note that the time of the message `id` is up, if it still waits."""

    id: str


@dataclass(frozen=True, slots=True)
class TakeAccepted(Command):
    """Note that the tell `id` is in its recipient's stream."""

    id: str


@dataclass(frozen=True, slots=True)
class TakeAnswer(Command):
    """Take in the answer to the send `id`, or why there is none; `accepted` is False where it never arrived."""

    id: str
    text: str
    ok: bool = True
    accepted: bool = True
    stop_reason: str = "end"
    uses: tuple[ToolUse, ...] = ()
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class Begin(Command):
    """Begin an attempt of the model call `id`.

    Attributes:
        current: The blocks as they are now.
        shown: The blocks as the turn's earlier calls were shown them.
        after: Attempts begun when this was prepared; with more of them it comes too late.
        uses: The blocks that the agent had then; with others it comes too late, too. None for any.
        model: The model that there is a slot for; where another is asked, it comes too late as well.
        price: Of the model; None where nobody knows it, or nothing depends on it.
        room: Tokens that the reply may have by the budget of the system, or why it has none; None without a budget.
        reads: The blocks of the turn's prompts, by label, as they are with this call.
        erasures: How often the blocks had been read again by then, since texts were erased; else it is prepared anew.
    """

    id: str
    current: Sequence[Shown] = ()
    shown: Sequence[Shown] = ()
    after: int = 0
    uses: tuple[BlockUse, ...] | None = None
    model: str = ""
    price: Price | None = None
    room: int | str | None = None
    reads: Mapping[str, BlockUse] = field(default_factory=dict[str, BlockUse])
    erasures: int = 0


@dataclass(frozen=True, slots=True)
class Refuse(Command):
    """Note that the next attempt of the model call `id` did not go out, since the circuit of `model` is open.

    Attributes:
        after: Attempts before it; with more of them it comes too late.
    """

    id: str
    after: int
    model: str
    text: str
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class TakeReply(Command):
    """Take in the whole reply to the model call `id`."""

    id: str
    text: str
    uses: Sequence[tuple[str, str]] = ()
    usage: Usage | None = None
    model: str = ""
    finish_reason: str = "stop"
    replaced: int = 0
    usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TakeAttempt(Command):
    """Note that an attempt of the model call `id` failed; the next is due at `retry_at`, if any."""

    id: str
    attempt: int
    kind: str
    text: str
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TakeResult(Command):
    """Take in what came of the tool call `id`."""

    id: str
    text: str
    ok: bool = True
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class TakeNeed(Command):
    """Take in whether a person is asked before the next attempt of the tool call `id` begins.

    Attributes:
        after: Attempts begun when this was looked up; with more of them it comes too late.
        note: Why the function that decides could not; empty where it could.
    """

    id: str
    after: int
    asks: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class TakeRecipients(Command):
    """Take in whom the messages of the tool call `id` go to, until `due`; `text` is what was looked up for them."""

    id: str
    recipients: tuple[str, ...]
    due: datetime | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Expire(Command):
    """Wait no longer for replies to the tool call `id`."""

    id: str


@dataclass(frozen=True, slots=True)
class TakeTime(Command):
    """Note when the turn `id` is to end."""

    id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class TimeUp(Command):
    """Take in that the turn `id` was to end by `until`."""

    id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class TakeSend(Delivery):
    """Take in the message `id` that a tool sends while it runs; `attempt` is that of its call."""

    recipient: str
    kind: Literal["ask", "tell"]
    text: Text
    attempt: int


@dataclass(frozen=True, slots=True)
class DropSend(Command):
    """Take back the message `id`: the tool that sent it waits no longer."""

    id: str


@dataclass(frozen=True, slots=True)
class TakeLoad(Command):
    """Take in how many requests wait for each member, and seconds that each took for a turn of late."""

    id: str
    waiting: dict[str, int]
    latency: dict[str, float]


@dataclass(frozen=True, slots=True)
class TakeWindow(Command):
    """Begin the job `id` on what was said from item `since` to item `upto` of the transcript, which is `parts`."""

    id: str
    since: int
    upto: int
    parts: tuple[Part, ...]
