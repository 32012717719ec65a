"""What the campaigns run of histories that grow too large for a model: they are summed up in between."""

from __future__ import annotations

from dataclasses import replace

from callboard import Agent, Block, Group, ModelReply, ModelRequest, RoundRobin, System, Window
from callboard.events import ModelError

from .scripted import Scenario, script
from .world import pay, search

SMALL = Window(2_000, at=0.3)
"""Room for about a dozen short lines beside the instructions."""

LONG = "tides rise and fall, " * 25


def talkative(request: ModelRequest) -> ModelReply:
    """Say much, so that the history grows fast; a summary is short."""
    if request.summarises:
        return ModelReply(f"{request.summarises} lines about tides")
    return ModelReply(f"{LONG} {request.id}")


def strict(request: ModelRequest) -> ModelReply:
    """Take in few messages, whatever the window of the agent says."""
    if len(request.messages) > 5:
        raise ModelError("too long", kind="context", retry=False)
    return talkative(request)


def forgetful(request: ModelRequest) -> ModelReply:
    """Have no summary to give."""
    if request.summarises:
        raise ModelError("no", kind="auth", retry=False)
    return talkative(request)


async def four(system: System) -> list[str]:
    """Ask four times in one conversation, and once in another."""
    answers = [await system["a"].ask(f"and {n}?", key=f"k{n}") for n in range(4)]
    answers += [await system["a"].ask("apart", key="k4", conversation="x")]
    return [answer.text for answer in answers]


async def twice(system: System) -> list[str]:
    """Ask a group twice."""
    return [(await system["pair"].ask("go on", key=key)).text for key in ("k1", "k2")]


async def paying(system: System) -> list[str]:
    """Have work done that runs tools between summaries."""
    return [(await system["a"].ask(LONG, key=key)).text for key in ("k1", "k2", "k3")]


def _agent(name: str, *tools: object, blocks: tuple[Block, ...] = ()) -> Agent:
    return Agent(name, f"You are {name}.", tools=tools, blocks=blocks, window=SMALL)  # type: ignore[arg-type]


PLAN = Block("plan", "nothing yet")

WINDOWED = [
    Scenario("window: a history is summed up as it grows", (_agent("a"),), talkative, four),
    Scenario(
        "window: two who read a block talk for long",
        (Group("pair", (_agent("a", blocks=(PLAN,)), _agent("b", blocks=(PLAN,))), RoundRobin(max_turns=4)),),
        talkative,
        twice,
    ),
    Scenario(
        "window: calls stay with their results",
        (_agent("a", pay, search),),
        script({"a": [("pay", {}), ("search", {"query": "x"})]}),
        paying,
    ),
    Scenario(
        "window: the provider finds a prompt too long",
        (replace(_agent("a", blocks=(PLAN,)), window=128_000),),
        strict,
        four,
    ),
    Scenario("window: lines leave without a summary", (_agent("a"),), forgetful, four),
]
