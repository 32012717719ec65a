"""What the campaigns run of tools that reach agents, and of answers that are data."""

from __future__ import annotations

from callboard import Agent, ModelReply, ModelRequest, RequestFailed, System, Tool, ToolContext, tool
from callboard.actors.testing import words_in

from .message_scenarios import once
from .scripted import Scenario
from .world import Script, life, pay

PATIENCE = 1e6
"""Seconds of a tool: no run is to end by a clock that jumps."""


async def _consulted(context: ToolContext, paid: str) -> str:
    """Do something outside, ask somebody, do it again, and ask another."""
    call = context.key.split("/", 1)[1]
    await life().use(context.key, "")
    first = await context.ask("expert", f"why, {call[-1]}?")
    await life().tick("tool")
    try:
        second = await context.ask("clerk", "and you?")
    except RequestFailed as error:
        second = str(error)
    return f"{paid} {len(first + second)}"


@tool(effect="read", timeout=PATIENCE)
async def look(context: ToolContext) -> str:
    """Ask two."""
    return await _consulted(context, "looked")


@tool(effect="idempotent", timeout=PATIENCE)
async def settle(context: ToolContext) -> str:
    """Ask two, under one key."""
    return await _consulted(context, "settled")


@tool(timeout=PATIENCE)
async def spend(context: ToolContext) -> str:
    """Ask two, and never again."""
    await _consulted(context, "")
    return "paid"


@tool(effect="read", timeout=PATIENCE)
async def note(context: ToolContext) -> str:
    """Tell somebody, and ask the same."""
    await life().use(context.key, "")
    await context.tell("expert", "note it")
    return await context.ask("expert", "noted?")


@tool(effect="read", timeout=PATIENCE)
async def back(context: ToolContext) -> str:
    """Ask whoever asked, which closes a circle."""
    await life().use(context.key, "")
    try:
        return await context.ask("a", "and you?")
    except RequestFailed as error:
        return "a circle" if "waits for" in str(error) else str(error)


async def twice(system: System) -> list[str]:
    first = await system["a"].ask("go", key="k1")
    second = await system["a"].ask("once more", key="k2")
    return [first.text, second.text]


def asking(name: str, *tools: Tool) -> Scenario:
    """Return two requests to an agent with these tools, and two that they ask."""
    uses: list[tuple[str, dict[str, object]]] = [(one.name, {}) for one in tools]
    specs = (Agent("a", tools=tools), Agent("expert", tools=[pay]), Agent("clerk", tools=[back, pay]))
    reply = once({"a": uses, "expert": [("pay", {})], "clerk": [("back", {})]})
    loose = any(one.effect == "once" for one in tools)  # what it had not asked when it was cut short, it never asks
    return Scenario(name, specs, reply, twice, loose=loose)


REPORT = {
    "type": "object",
    "properties": {"words": {"type": "integer"}},
    "required": ["words"],
    "additionalProperties": False,
}


def mending(good: str, *first: str) -> Script:
    """Return a model that answers wrongly as often as it is not told, then `good`."""

    def reply(request: ModelRequest) -> ModelReply:
        said = [words_in(message) for message in request.messages if message["role"] != "system"]
        asked = max(n for n, text in enumerate(said) if text.startswith("user:"))
        told = sum(text.startswith("callboard:") for text in said[asked:])
        return ModelReply(first[told] if told < len(first) else good)

    return reply


def answering(name: str, script: Script) -> Scenario:
    return Scenario(name, (Agent("a", "Count.", output=REPORT),), script, data)


async def data(system: System) -> list[str]:
    answers = [await system["a"].ask("how many?", key=key) for key in ("k1", "k2")]
    return [f"{one.stop_reason} {one.data} {one.text} {one.faults}" for one in answers]


TOOLS = [
    asking("tools that ask: read and idempotent at once", look, settle),
    asking("a tool that tells, then asks", note),
    asking("a tool that asks, once", spend, look),
    answering("an answer that is mended", mending('{"words": 3}', "three")),
    answering("an answer that is never mended", mending("", "three", '{"words": "three"}')),
]
"""Its effects are on all sides of each message, so that a crash comes before, between and after them."""
