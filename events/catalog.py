"""Every event type there is: what it opens, goes on with and closes, and what it takes in.

The catalogue is closed and public: types and fields change as an API would. A field left at its
default is not stored, so a default never changes without a new `schema_version`. Texts
(`Text`) are content: stored once, where they were said first, and erasable.
"""

from __future__ import annotations

from .calls import (
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallResolved,
    ToolCallRetried,
    ToolCallStarted,
    ToolUse,
    Usage,
)
from .event import Event
from .life import EventRedacted, LogCreated, LossAccepted, WriterClosed, WriterOpened
from .lives import (
    AgentChanged,
    AgentStarted,
    BlockChanged,
    BlockEdited,
    BlockEditRefused,
    BlockStarted,
    GroupChanged,
    GroupStarted,
)
from .mail import (
    Kind,
    MessageDeadLettered,
    MessageReceived,
    MessageRefused,
    MessageSent,
    Part,
    Reply,
    SendAccepted,
    SendAnswered,
    SendCancelling,
    SendFailed,
    TextReply,
    TurnCancelled,
    TurnCancelling,
    TurnFailed,
    TurnFinished,
    TurnResumed,
    TurnStarted,
)

TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind not in (Event, Reply, TextReply)
}
"""Every type by its name; what is not here cannot be written, and is refused when read."""

__all__ = [
    "TYPES",
    "AgentChanged",
    "AgentStarted",
    "BlockChanged",
    "BlockEditRefused",
    "BlockEdited",
    "BlockStarted",
    "EventRedacted",
    "GroupChanged",
    "GroupStarted",
    "Kind",
    "LogCreated",
    "LossAccepted",
    "MessageDeadLettered",
    "MessageReceived",
    "MessageRefused",
    "MessageSent",
    "ModelAttemptFailed",
    "ModelCallFailed",
    "ModelCallFinished",
    "ModelCallRequested",
    "ModelCallStarted",
    "Part",
    "Reply",
    "SendAccepted",
    "SendAnswered",
    "SendCancelling",
    "SendFailed",
    "TextReply",
    "ToolCallFailed",
    "ToolCallFinished",
    "ToolCallInDoubt",
    "ToolCallRequested",
    "ToolCallResolved",
    "ToolCallRetried",
    "ToolCallStarted",
    "ToolUse",
    "TurnCancelled",
    "TurnCancelling",
    "TurnFailed",
    "TurnFinished",
    "TurnResumed",
    "TurnStarted",
    "Usage",
    "WriterClosed",
    "WriterOpened",
]
