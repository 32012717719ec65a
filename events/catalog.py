"""Every event type there is: what it opens, goes on with and closes, and what it takes in.

The catalogue is closed and public: types and fields change as an API would. A field left at its
default is not stored, so a default never changes without a new `schema_version`. Texts
(`Text`) are content: stored once, where they were said first, and erasable.

An event that answers a message carries the key `re:<id>`, so that the same message, come again, is
answered from there.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

from pydantic import JsonValue

from .event import Event, Frozen
from .specs import AgentSpec, BlockSpec, Effect, GroupSpec
from .text import Text

Kind = Literal["ask", "tell", "turn", "edit"]
"""What a message wants: an answer; nothing; a member's word in a group; a change of a block."""


class Part(NamedTuple):
    """One utterance of a message; `failed` marks the reason why a speaker had nothing to say. Stored as an array."""

    speaker: str
    text: Text
    failed: bool = False


class ToolUse(Frozen):
    """A tool that a model wants; `arguments` is the JSON that it wrote, malformed as it may be."""

    name: str
    arguments: Text


class Usage(Frozen):
    """Tokens of one model call, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


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
    """A reply whose words are recorded."""

    text: Text = Text()

    @property
    def words(self) -> Text:
        return self.text


# -- the life of a log ------------------------------------------------------------------------------


class LogCreated(Event):
    """The first event of every log; `log_id` is its identity, part of every key that leaves it."""

    log_id: str


# -- what lies on the desk of an agent or a group ---------------------------------------------------


class MessageReceived(Event, opens="turn", takes_in=True):
    """A message was accepted; it waits in the backlog.

    Attributes:
        sender: The stream that sent it, or `user`.
        parts: What it says, in order, each with who says it.
        params: Options of this request, for the pattern.
    """

    sender: str
    kind: Kind = "ask"
    parts: tuple[Part, ...]
    conversation: str = "main"
    params: dict[str, JsonValue] = {}

    @property
    def key(self) -> str:
        return self.id


class MessageRefused(TextReply, takes_in=True):
    """A cancel came before its message: this answers the message, should it still come."""

    ok = False


class TurnStarted(Event, goes_on="turn"):
    """The oldest message of the backlog is worked on."""


class TurnResumed(Event, goes_on="turn", takes_in=True):
    """The process stopped while effects of this turn ran; `attempt` counts from 2."""

    attempt: int


class TurnCancelling(Event, goes_on="turn", takes_in=True):
    """Whoever asked no longer wants this; the turn stays open until what it began has ended."""


class TurnFinished(TextReply, closes="turn"):
    """The turn ended with an answer. `stop_reason` says why there: `end`, `max_steps`, `empty`, ..."""

    stop_reason: str = "end"


class TurnFailed(TextReply, closes="turn"):
    """The turn ended without an answer; `text` says why."""

    ok = False


class TurnCancelled(TextReply, closes="turn"):
    """The turn ended because it was cancelled."""

    ok = False


class MessageDeadLettered(TextReply, closes="turn"):
    """The turn was set aside: each time it was taken up, the process ended."""

    ok = False


# -- sends: a pair in the sender's stream -----------------------------------------------------------


class MessageSent(Event, opens="send"):
    """A message is owed to the stream `recipient`, until one of the `Send...` closes it.

    Attributes:
        edit: Which change of a block is asked for, where `kind` is `edit`.
        arguments: The JSON object with what that change needs.
        seen: Version of the block that the asker had read.
    """

    recipient: str
    kind: Kind
    parts: tuple[Part, ...] = ()
    edit: str = ""
    arguments: Text = Text()
    seen: int = 0
    params: dict[str, JsonValue] = {}


class SendCancelling(Event, goes_on="send"):
    """A cancel is owed to the recipient; the send stays open until that answers."""


class SendAccepted(Event, closes="send", takes_in=True):
    """A tell is in the recipient's stream."""


class SendAnswered(Event, closes="send", takes_in=True):
    """The message was answered."""

    text: Text


class SendFailed(Event, closes="send", takes_in=True):
    """No answer will come; `accepted` says whether the message had reached the recipient's stream."""

    text: Text
    accepted: bool = True


# -- model calls ------------------------------------------------------------------------------------


class ModelCallRequested(Event, opens="call"):
    """A model call is wanted over the history of this stream up to here."""


class ModelCallStarted(Event, goes_on="call", takes_in=True):
    """An attempt begins now; recorded before its first byte leaves.

    The request can be rebuilt from this: the spec and the history that the stream holds before it,
    and the blocks at these versions, in the layout `rendering`.

    Attributes:
        blocks: The version of each block that the agent reads, by label.
        news: Labels of blocks that others changed since the turn's first call.
        prompt: Hash of the request, 16 hex digits.
    """

    attempt: int
    blocks: dict[str, int] = {}
    news: tuple[str, ...] = ()
    rendering: int = 1
    prompt: str


class ModelAttemptFailed(Event, goes_on="call", takes_in=True):
    """An attempt gave no whole reply; the next one is due at `retry_at`, if there is one.

    Attributes:
        kind: A word for the class of failure, such as `rate_limit`, `timeout`, `cut`.
    """

    attempt: int
    kind: str
    text: Text
    retry_at: datetime | None = None


class ModelCallFinished(Event, closes="call", takes_in=True):
    """The reply: a text, and the tools it wants.

    Attributes:
        model: The model that answered, as the provider names it.
        replaced: How many characters that cannot be stored were replaced.
    """

    text: Text = Text()
    uses: tuple[ToolUse, ...] = ()
    usage: Usage | None = None
    model: str = ""
    finish_reason: str = "stop"
    replaced: int = 0


class ModelCallFailed(Event, closes="call"):
    """The call is given up."""

    text: Text


# -- tool calls -------------------------------------------------------------------------------------


class ToolCallRequested(Event, opens="tool"):
    """A tool is wanted. What it does outside is recorded, so that later code cannot change it.

    Attributes:
        recipient: The stream that a `send` goes to.
        seen: Version of the block that the model had read, for an edit.
    """

    tool: str
    arguments: Text
    effect: Effect
    recipient: str = ""
    seen: int = 0


class ToolCallStarted(Event, goes_on="tool"):
    """The tool begins now, and may have run from here on; `callkey` is what it is known by outside."""

    attempt: int
    callkey: str


class ToolCallInDoubt(Event, goes_on="tool"):
    """The tool began, and nobody here knows whether it ran. The call stays open."""


class ToolCallFinished(Event, closes="tool", takes_in=True):
    """The tool's result; `replaced` counts characters that cannot be stored and were replaced."""

    text: Text
    replaced: int = 0


class ToolCallFailed(Event, closes="tool", takes_in=True):
    """The call was refused, or the tool raised; the model is told `text`."""

    text: Text


class ToolCallRetried(Event, goes_on="tool", takes_in=True):
    """Somebody decided that a call in doubt runs again; `command` is the key of who said so."""

    by: str
    command: str = ""

    @property
    def key(self) -> str | None:
        return f"command:{self.command}" if self.command else None


class ToolCallResolved(Event, closes="tool", takes_in=True):
    """What a call in doubt came to, as far as anyone can say; the model is told `text`.

    Attributes:
        by: Who says so: `policy`, `reconcile` or `user`.
        command: The key of who said so, from outside.
        fails_turn: Whether the turn ends here, with `text` as the reason.
    """

    text: Text
    by: str
    command: str = ""
    fails_turn: bool = False

    @property
    def key(self) -> str | None:
        return f"command:{self.command}" if self.command else None


# -- actors -----------------------------------------------------------------------------------------


class AgentStarted(Event, takes_in=True):
    """An agent began."""

    spec: AgentSpec


class AgentChanged(Event, takes_in=True):
    """The spec of an agent changed; it holds from the next model call."""

    spec: AgentSpec


class GroupStarted(Event, takes_in=True):
    """A group began."""

    spec: GroupSpec


class GroupChanged(Event, takes_in=True):
    """The spec of a group changed; it holds from the next choice."""

    spec: GroupSpec


class BlockStarted(Event, takes_in=True):
    """A block began, with its first value."""

    spec: BlockSpec


class BlockChanged(Event, takes_in=True):
    """The spec of a block changed; its value stays."""

    spec: BlockSpec


class BlockEdited(Reply, takes_in=True):
    """An edit was decided: at character `at`, `cut` characters gave way to `before`, `put`, `after`.

    Attributes:
        verb: The tool that asked for it.
        put: What the editor wrote, as it was said.
        size: Characters that the block holds now, of `limit`.
    """

    verb: str
    at: int
    cut: int = 0
    before: str = ""
    put: Text
    after: str = ""
    size: int
    limit: int

    @property
    def words(self) -> Text:
        return Text(f"done; the block holds {self.size:,} of {self.limit:,} characters now")


class BlockEditRefused(TextReply, takes_in=True):
    """An edit was refused; `text` says why, `arguments` what was asked for."""

    ok = False
    verb: str = ""
    arguments: Text = Text()


TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind not in (Event, Reply, TextReply)
}
"""Every type by its name; what is not here cannot be written, and is refused when read."""
