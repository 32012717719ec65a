"""Calls: what an agent asks of a model and of its tools, each attempt, and what came of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from .event import Event, Frozen
from .limits import Hold
from .specs import Effect
from .text import Text


class ToolUse(Frozen):
    """A tool that a model wants; `arguments` is the JSON that it wrote, malformed as it may be."""

    name: str
    arguments: Text


class Usage(Frozen):
    """Tokens of one model call, as the provider counted them; `estimated` where it did not."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False


# -- model calls ------------------------------------------------------------------------------------


class ModelCallRequested(Event, opens="call"):
    """A model call is wanted over the history of this stream up to here.

    Attributes:
        summarises: How many of the oldest lines of the history it is to summarise; 0 for a call of the agent's own.
    """

    summarises: int = 0


class ModelCallStarted(Event, goes_on="call", takes_in=True):
    """An attempt begins now; recorded before its first byte leaves.

    The request can be rebuilt from this: the spec and the history that the stream holds before it,
    and the blocks at these versions, in the layout `rendering`.

    Attributes:
        model: The model that this attempt asks for; empty for the system's own.
        blocks: The version of each block that the agent reads, by label.
        news: Labels of blocks that others changed since the turn's first call.
        renamed: The label of the agent's use of a block, by the label shown, where they differ.
        prompt: Hash of the request, 16 hex digits.
        hold: What is set aside for this attempt, where tokens or money are limited.
        tokens: About how many tokens the prompt has, as counted before any provider did.
    """

    attempt: int
    model: str = ""
    blocks: dict[str, int] = {}
    news: tuple[str, ...] = ()
    renamed: dict[str, str] = {}
    rendering: int = 1
    prompt: str
    hold: Hold | None = None
    tokens: int = 0


class ModelAttemptFailed(Event, goes_on="call", takes_in=True):
    """An attempt gave no whole reply; the next one is due at `retry_at`, if there is one.

    Attributes:
        kind: A word for the class of failure, such as `rate_limit`, `timeout`, `cut`.
        sent: Whether a request left. Where the circuit of the model was open, none did: the attempt has no
            `ModelCallStarted`, and `model` says which one was not asked.
    """

    attempt: int
    kind: str
    text: Text
    retry_at: datetime | None = None
    sent: bool = True
    model: str = ""


class ModelCallFinished(Event, closes="call", takes_in=True):
    """The reply: a text, and the tools it wants.

    Attributes:
        model: The model that answered, as the provider names it.
        replaced: How many characters that cannot be stored were replaced.
        usd: What it cost, by the price that was known then; None where none was.
        summarises: How many lines of the history it summarises; 0 for a word of the agent's own.
    """

    text: Text = Text()
    uses: tuple[ToolUse, ...] = ()
    usage: Usage | None = None
    model: str = ""
    finish_reason: str = "stop"
    replaced: int = 0
    usd: Decimal | None = None
    summarises: int = 0


class ModelCallFailed(Event, closes="call"):
    """The call is given up."""

    text: Text


class ModelCallDeferred(Event, closes="call"):
    """The call is not made: its prompt would be too large, so that the oldest of the history is summarised first.

    Attributes:
        tokens: About how many tokens the prompt has; of `window`, that the model takes in.
    """

    tokens: int
    window: int


class ContextSummarised(Event, goes_on="turn"):
    """The oldest `lines` of the history leave the prompts of this conversation; they stay in the log.

    Attributes:
        text: What stands there instead; empty where no summary could be had.
    """

    lines: int
    text: Text = Text()


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


class RecipientsChosen(Event, goes_on="tool", takes_in=True):
    """Whom the messages of a call go to, and until when their replies are waited for.

    Attributes:
        due: None where they are waited for as long as it takes.
        text: What was looked up for them at that moment; empty where the arguments say all.
    """

    recipients: tuple[str, ...]
    due: datetime | None = None
    text: Text = Text()


class ToolCallExpired(Event, goes_on="tool", takes_in=True):
    """The replies that have not come are waited for no longer."""


class ToolCallStarted(Event, goes_on="tool"):
    """The tool begins now, and may have run from here on; `callkey` is what it is known by outside."""

    attempt: int
    callkey: str


class ToolCallInDoubt(Event, goes_on="tool"):
    """The tool began, and nobody here knows whether it ran. The call stays open."""


class ApprovalAsked(Event, goes_on="tool", takes_in=True):
    """A person is asked whether the call may begin; it does not before `ApprovalGiven`.

    Attributes:
        digest: Hash of what is asked about: the tool, its arguments and the attempt; 32 hex digits.
        text: Why the function that decides whether to ask could not; empty where it could.
    """

    digest: str
    text: Text = Text()


POLICY = "policy"
"""Who approves a call of which the tool's own function says that nobody need be asked."""


class Decision(Event):
    """What a person says of a call that waits.

    Attributes:
        by: Who says so: a person's name, or `POLICY` where the tool's own function saw no need to ask.
        command: The key of this very decision, from outside; empty of a policy.
    """

    by: str
    command: str = ""

    @property
    def key(self) -> str | None:
        return f"command:{self.command}" if self.command else None


class ApprovalGiven(Decision, goes_on="tool", takes_in=True):
    """The call may begin, once, with the arguments that `digest` is the hash of."""

    digest: str


class ApprovalRefused(Decision, goes_on="tool", takes_in=True):
    """The call does not begin; the model is told `text`."""

    digest: str
    text: Text


class QuestionAsked(Event, goes_on="tool"):
    """A person is asked what stands in the arguments of the call."""


class QuestionAnswered(Decision, goes_on="tool", takes_in=True):
    """A person's answer, which is the result of the call."""

    text: Text


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
