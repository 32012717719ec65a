"""What the crash campaigns run: specs, a scripted model that is a pure function, and a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from anyio.lowlevel import checkpoint

from callboard import Block, Group, RequestFailed, RoundRobin, System

from .archive_scenarios import ARCHIVES
from .block_scenarios import BLOCKS
from .board_scenarios import BOARDS
from .limit_scenarios import LIMITED
from .mail_scenarios import MAIL
from .message_scenarios import MESSAGE_SCENARIOS
from .model_scenarios import MODELS
from .people_scenarios import PEOPLE
from .scripted import Everyone, Scenario, agent, asking, script
from .search_scenarios import SEARCHING
from .team_scenarios import TEAMS
from .tool_scenarios import TOOLS
from .voice_scenarios import VOICE
from .watch_scenarios import WATCHED
from .window_scenarios import WINDOWED
from .world import pay, publish, search, wire

PLAN = Block("plan", "nothing yet")


async def essay(system: System) -> list[str]:
    first = await system["essay"].ask("tides", key="k1")
    second = await system["essay"].ask("shorter", key="k2")
    return [first.text, second.text]


async def both(system: System) -> list[str]:
    answers: dict[str, str] = {}

    async def ask(to: str, key: str) -> None:
        answers[key] = (await system[to].ask(f"do {key}", key=key)).text

    async with anyio.create_task_group() as tasks:
        for to, key in (("one", "k1"), ("two", "k2"), ("one", "k3")):
            tasks.start_soon(ask, to, key)
    return [answers[key] for key in sorted(answers)]


async def told(system: System) -> list[str]:
    for n in range(3):
        await system["clerk"].tell(f"note {n}", key=f"t{n}")
    return [(await system["clerk"].ask("and?", key="k1")).text]


async def edited(system: System) -> list[str]:
    said = [await system.block("plan").append("by hand", key="e1")]
    answer = await system["a"].ask("go", key="k1")
    return [said[0][:5], answer.text]


def cancelled(name: str, after: int) -> Callable[[System], Awaitable[list[str]]]:
    """Return a client that asks, and changes its mind after a while; the answer may be either."""

    async def drive(system: System) -> list[str]:
        async def ask() -> None:
            with suppress(RequestFailed):
                await system[name].ask("go", key="k1")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            for _ in range(after):
                await checkpoint()
            await system[name].cancel("k1")
        return []

    return drive


WRITER = agent("writer", search, pay, blocks=(PLAN,))
CRITIC = agent("critic", publish, wire, blocks=(PLAN,))
A, B, SHARED = agent("a", pay, blocks=(PLAN,)), agent("b", search), agent("shared", publish, blocks=(PLAN,))
CLERK, EXPERT = agent("clerk", pay), agent("expert")
APPEND = ("memory_append", {"label": "plan", "text": "a line"})

BASIC = [
    Scenario(
        "round robin, tools, block",
        (Group("essay", (WRITER, CRITIC), RoundRobin(max_turns=3)),),
        script(
            {
                "writer": [("search", {"query": "tides"}), ("pay", {}), APPEND],
                "critic": [
                    ("memory_replace", {"label": "plan", "old": "nothing", "new": "NOTHING"}),
                    ("wire", {}),
                    ("memory_rewrite", {"label": "plan", "text": "mine"}),
                    ("publish", {"text": "it"}),
                ],
            },
        ),
        essay,
    ),
    Scenario(
        "everyone, one block",
        (Group("team", (A, B, SHARED), Everyone()),),
        script(
            {
                "a": [("pay", {})],
                "b": [("search", {"query": "x"})],
                "shared": [APPEND, ("publish", {"text": "y"}), APPEND],
            },
        ),
        asking("team"),
    ),
    Scenario(
        "two groups share a member",
        (Group("one", (SHARED, A), RoundRobin(max_turns=2)), Group("two", (SHARED, B), Everyone())),
        script({"shared": [APPEND], "a": [("pay", {})], "b": [("search", {"query": "x"})]}),
        both,
    ),
    Scenario("tells, in order", (CLERK,), script({"clerk": [("pay", {})]}), told),
    Scenario("edits by hand", (A,), script({"a": [APPEND, ("nope", {}), ("memory_append", {})]}), edited),
    Scenario(
        "a group in a group",
        (Group("outer", (Group("inner", (A, B), RoundRobin(max_turns=2)), EXPERT), Everyone()),),
        script({"a": [("pay", {})], "b": [("search", {"query": "x"})]}),
        asking("outer"),
    ),
    Scenario(
        "a model that fails first",
        (Group("essay", (agent("writer", pay, blocks=(PLAN,)), EXPERT)),),
        script({"writer": [("pay", {}), APPEND]}, failing=("writer", "expert")),
        asking("essay"),
    ),
]

SCENARIOS = [
    *BASIC, *TEAMS, *MESSAGE_SCENARIOS, *PEOPLE, *LIMITED, *MODELS, *TOOLS, *MAIL, *WATCHED, *WINDOWED, *ARCHIVES,
    *SEARCHING, *BOARDS, *BLOCKS, *VOICE,
]  # fmt: skip

CANCELS = [
    Scenario(
        f"{base.name}, cancelled after {after}",
        base.specs,
        base.script,
        cancelled(base.specs[0].name if not isinstance(base.specs[0], Block) else "", after),
        loose=True,
    )
    for base in (BASIC[0], BASIC[1], BASIC[5], BASIC[6])
    for after in (0, 4, 12, 25, 40, 70)
]
