"""Messages: what is asked and told, who works on it, and what whoever asked hears.

An event that answers a message carries the key `re:<id>`, so that the same message, come again, is
answered from there.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

from pydantic import JsonValue

from .calls import ToolUse
from .event import Event, Frozen
from .limits import Grant, Spent
from .specs import AgentSpec, BlockUse
from .text import SaidData, Text

Kind = Literal["ask", "tell", "turn", "edit", "attach", "detach", "start", "retire"]
"""What a message wants: an answer; nothing; a member's word in a group; a change of a block; or what a group
wants of who is in it: take a block, give it back, begin, end."""


class Part(NamedTuple):
    """One utterance of a message; `failed` marks the reason why a speaker had nothing to say. Stored as an array."""

    speaker: str
    text: Text
    failed: bool = False


class Quote(NamedTuple):
    """A text within data that was said elsewhere; `at` is its place, as a JSON pointer. Stored as an array."""

    at: str
    text: Text


class CueSpec(Frozen):
    """What a group says of a turn that it gives, besides what the member hears.

    Attributes:
        tools: JSON array of the tools of this turn alone, as `ToolSpec`s; empty for none.
        pick: The tool that a choice is made with, where this turn is one.
        fallback: What counts where the choice cannot be read.
        instead: The turn of the same request that this one is tried instead of; 0 for none.
        apart: Whether the member hears a task of its own, and not the talk of the group.
        fresh: Whether the member forgets first what it heard from this group.
        since: The request from which on the member keeps what it heard from this group in this conversation; what
            came before, it forgets first. Empty where nothing is forgotten.
    """

    tools: Text = Text()
    pick: str = ""
    fallback: str = ""
    instead: int = 0
    apart: bool = False
    fresh: bool = False
    since: str = ""


class Reply(Event):
    """An event that answers the message `id`, for the stream `to` (empty where nobody waits)."""

    ok: ClassVar[bool] = True

    to: str = ""

    @property
    def key(self) -> str:
        return f"re:{self.id}"

    @property
    def words(self) -> Text:
        """What whoever asked is told."""
        return Text()


class TextReply(Reply):
    """A reply whose words are recorded.

    Attributes:
        begun: Whether the message was ever taken up.
        spent: What the turn came to, where somebody has set a limit; all that was given and not spent comes back.
    """

    text: Text = Text()
    begun: bool = True
    spent: Spent | None = None

    @property
    def words(self) -> Text:
        return self.text


# -- what lies on the desk of an agent or a group ---------------------------------------------------


class MessageReceived(Event, opens="turn", takes_in=True):
    """A message was accepted; it waits in the backlog.

    Attributes:
        sender: The stream that sent it, or `user`.
        parts: What it says, in order, each with who says it.
        conversation: The context that it is heard in; `main` is the one that all share.
        params: Options of this request, for the pattern.
        tools: As in `CueSpec`.
        fresh, since: As in `CueSpec`.
        hops: How often the request was passed on before, from one to the next.
        grant: What it may spend; None for no limit.
        expires: When it is closed, if nobody works on it by then; None for never.
    """

    sender: str
    kind: Kind = "ask"
    parts: tuple[Part, ...]
    conversation: str = "main"
    params: SaidData = {}
    tools: Text = Text()
    fresh: bool = False
    since: str = ""
    hops: int = 0
    grant: Grant | None = None
    expires: datetime | None = None

    @property
    def key(self) -> str:
        return self.id


class MessageRefused(TextReply, takes_in=True):
    """The message is not taken up: a cancel came before it, or nobody is here any more."""

    ok = False


class TurnStarted(Event, goes_on="turn"):
    """The oldest message of the backlog is worked on.

    Attributes:
        grant: What whoever works on it may spend by its own spec; None for no limit.
    """

    grant: Grant | None = None


class TurnResumed(Event, goes_on="turn", takes_in=True):
    """The process stopped while effects of this turn ran; `attempt` counts from 2."""

    attempt: int


class TurnCancelling(Event, goes_on="turn", takes_in=True):
    """This is no longer wanted; the turn stays open until what it began has ended.

    Attributes:
        by: Who says so: a person's name, or the stream of who asked; empty in old logs.
        text: Why; empty where nothing was said.
    """

    by: str = ""
    text: Text = Text()


class OutputRefused(Event, goes_on="turn"):
    """What the model said last does not fit the schema of its agent's answers; `text` tells it what is wrong."""

    text: Text


class TurnFinished(TextReply, closes="turn"):
    """The turn ended with an answer.

    Attributes:
        stop_reason: Why it ended there: `end`, `max_steps`, `empty`, `max_turns`, `invalid`, ...
        uses: Tools of the turn alone that the model ended it with.
        data: What a pattern gives besides the text, less the texts in it.
        quotes: The texts in `data`.
        limit: Which limit it reached and how, where that ended it.
        is_data: Whether `text` is a JSON object that fits the schema of the agent's answers.
    """

    stop_reason: str = "end"
    uses: tuple[ToolUse, ...] = ()
    data: dict[str, JsonValue] = {}
    quotes: tuple[Quote, ...] = ()
    limit: str = ""
    is_data: bool = False


class TurnFailed(TextReply, closes="turn"):
    """The turn ended without an answer; `text` says why."""

    ok = False


class TurnCancelled(TextReply, closes="turn"):
    """The turn ended because it was cancelled."""

    ok = False


class MessageDeadLettered(TextReply, closes="turn"):
    """The turn was set aside: each time it was taken up, the process ended."""

    ok = False


class MessageExpired(TextReply, closes="turn", takes_in=True):
    """The message had waited until its time was up; it is a dead letter now."""

    ok = False


class MessageDropped(TextReply, closes="turn", takes_in=True):
    """The message was dropped while it waited, by the word of `by`; it is a dead letter now."""

    ok = False

    by: str


# -- sends: a pair in the sender's stream -----------------------------------------------------------


class MessageSent(Event, opens="send"):
    """A message is owed to the stream `recipient`, until one of the `Send...` closes it.

    Attributes:
        edit: Which change of a block is asked for, where `kind` is `edit`.
        arguments: The JSON object with what that change needs.
        seen: Version of the block that the asker had read.
        grant: What it may spend; None for no limit.
        cue: What a group says of a turn.
        use: The block to take or to give back, where `kind` is `attach` or `detach`.
        spec: Whom to begin, where `kind` is `start`.
        conversation: As in `MessageReceived`.
        expires: As in `MessageReceived`.
    """

    recipient: str
    kind: Kind
    parts: tuple[Part, ...] = ()
    edit: str = ""
    arguments: Text = Text()
    seen: int = 0
    params: SaidData = {}
    hops: int = 0
    grant: Grant | None = None
    cue: CueSpec | None = None
    use: BlockUse | None = None
    spec: AgentSpec | None = None
    conversation: str = "main"
    expires: datetime | None = None


class SendCancelling(Event, goes_on="send"):
    """A cancel is owed to the recipient; the send stays open until that answers."""


class SendAccepted(Event, closes="send", takes_in=True):
    """A tell is in the recipient's stream."""


class SendAnswered(Event, closes="send", takes_in=True):
    """The message was answered; `stop_reason`, `uses` and `spent` are those of the answer."""

    text: Text
    stop_reason: str = "end"
    uses: tuple[ToolUse, ...] = ()
    spent: Spent | None = None


class SendFailed(Event, closes="send", takes_in=True):
    """No answer will come; `accepted` says whether the recipient took the message up, and so knows what it says."""

    text: Text
    accepted: bool = True
    spent: Spent | None = None
