"""Messages to agents and people: the tools that agents get for them, and what each asks for. All pure."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from callboard.events import Text
from callboard.events.catalog import MessageReceived, MessageSent, Part
from callboard.events.specs import ToolSpec
from callboard.projections.agent_calls import ToolCall
from callboard.projections.paths import message_id
from callboard.projections.words import name_of

from . import sharing, storing
from .conversation_search import CONVERSATION_SEARCH, ConversationSearch
from .memory import ARCHIVE_LINES, faults, schema_of
from .rules import CANCELLED

ASK, TELL = "send_message_to_agent_and_wait_for_reply", "send_message_to_agent_async"
BROADCAST, BROADCAST_ALL = "send_message_to_agents_matching_tags", "send_message_to_agents_matching_all_tags"
FIND = "find_agents"
ASK_HUMAN = "ask_human"
SHARE = "share_memories"

AT_ONCE = 16
"""Recipients of one broadcast that work on it at once."""

MAX_HOPS = 64
"""How often a request may be passed on from one to the next."""

MOST_SHARED = 50
"""Findings of one call that are shared."""

PATIENCE = 600.0
"""Seconds that an agent waits for the reply of another."""

Message = Annotated[str, Field(min_length=1, description="What to say.")]
Other = Annotated[str, Field(description="The name of the other agent or group.")]
Tags = Annotated[list[str], Field(description="Tags, as they are written.")]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ask(_Arguments):
    """Send a message to another agent and wait for its reply, which is the result."""

    message: Message
    other_agent: Other


class Tell(_Arguments):
    """Send a message to another agent without waiting: the result says that it cannot be lost any more."""

    message: Message
    other_agent: Other


class Broadcast(_Arguments):
    """Send a message to all agents with all tags of match_all and at least one of match_some; wait for all replies."""

    message: Message
    match_all: Tags = []
    match_some: Tags = []


class BroadcastAll(_Arguments):
    """Send a message to all agents that have all these tags; wait for all replies."""

    message: Message
    tags: Tags


class Find(_Arguments):
    """Look who is there: agents and groups with all these tags, whose name or description holds the text."""

    tags: Tags = []
    text: Annotated[str, Field(description="A part of the name or description.")] = ""


class AskHuman(_Arguments):
    """Ask a person and wait for the answer, which is the result. It may take long; ask what only a person can say."""

    question: Annotated[str, Field(min_length=1, description="What to ask.")]
    options: Annotated[list[str], Field(description="The answers to choose from; none for any answer.")] = []


class Share(_Arguments):
    """Search your archival memory, and send what is found to another agent, each finding with where it comes from."""

    query: Annotated[str, Field(min_length=1, description="What to look for.")]
    to: Other
    limit: Annotated[int, Field(ge=1, le=MOST_SHARED, description="How many findings at most.")] = 5


MESSAGING: dict[str, type[BaseModel]] = {
    ASK: Ask,
    TELL: Tell,
    BROADCAST: Broadcast,
    BROADCAST_ALL: BroadcastAll,
    FIND: Find,
    ASK_HUMAN: AskHuman,
    CONVERSATION_SEARCH: ConversationSearch,
    SHARE: Share,
}
"""The arguments of each tool by its name; an agent gets one by naming it among its tools."""

TO_NOBODY = (FIND, ASK_HUMAN, CONVERSATION_SEARCH)
"""Those that send no message to another agent."""


@cache
def tool_spec(name: str) -> ToolSpec:
    """Return the messaging tool `name` as an agent's spec records it."""
    kind, timeout = MESSAGING[name], 0.0 if name == ASK_HUMAN else PATIENCE
    return ToolSpec(
        name=name, description=kind.__doc__ or "", parameters=schema_of(kind), effect="send", timeout=timeout
    )


def parsed(name: str, arguments: str) -> BaseModel | str:
    """Return what `arguments` ask for, or what is wrong with them."""
    try:
        asked = MESSAGING[name].model_validate_json(arguments or "{}")
    except ValidationError as error:
        return faults(error)
    if isinstance(asked, Broadcast) and not (asked.match_all or asked.match_some):
        return "bad arguments: match_all and match_some are both empty; give at least one tag"
    if isinstance(asked, BroadcastAll) and not asked.tags:
        return "bad arguments: tags is empty; give at least one tag"
    if isinstance(asked, AskHuman) and not all(option.strip() for option in asked.options):
        return "bad arguments: one of the options is blank, which nobody can answer; leave it out"
    return asked


def sends(turn: MessageReceived, call: ToolCall) -> list[MessageSent]:
    """Return the next messages of a call whose recipients are chosen: so many are open at once."""
    agent, kind = name_of_turn(turn), "tell" if call.wanted.tool in (TELL, SHARE) else "ask"
    free = AT_ONCE - (call.sent - len(call.came))
    if stores(call):
        return storing.sends(turn, call, free)
    text = call.text if call.wanted.tool == SHARE else call.wanted.arguments.pick("message")
    return [
        MessageSent(
            id=message_id(call.id, n, name_of(stream)),
            recipient=stream,
            kind=kind,
            parts=(Part(agent, text),),
            hops=turn.hops + 1,
        )
        for n, stream in enumerate(call.recipients, start=1)
        if call.sent < n <= call.sent + free
    ]


def stores(call: ToolCall) -> bool:
    """Return whether what a call sends are changes of archives and blocks, and no messages."""
    return call.wanted.tool in (storing.STORE, ARCHIVE_LINES)


def name_of_turn(turn: MessageReceived) -> str:
    """Return the name of the agent that works on `turn`."""
    return turn.id.rsplit("/", 1)[-1]


def result(call: ToolCall) -> tuple[Text, bool]:
    """Return what the model is told of a call whose messages all came to something, and whether it went well."""
    if stores(call):
        return storing.result(call)
    came = [_came(call, n) for n in range(1, len(call.recipients) + 1)]
    if call.wanted.tool in (ASK, TELL):
        return came[0]
    if call.wanted.tool == SHARE:
        return sharing.told(call.text, name_of(call.recipients[0]), came[0])
    found = [
        {"agent": name_of(stream), "response" if ok else "error": str(text)}
        for stream, (text, ok) in zip(call.recipients, came, strict=True)
    ]
    return Text(to_json(found).decode()), True


def _came(call: ToolCall, n: int) -> tuple[Text, bool]:
    if n not in call.came:
        return Text("it was not asked: the time was up before its turn came"), False
    text, ok = call.came[n]
    late = call.phase == "expired" and not ok and text == CANCELLED
    return (Text("no reply came in time, and it was told to stop"), False) if late else (text, ok)
