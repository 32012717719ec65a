"""Measure big groups and many groups: `python -m tests.bench_groups [MEMBERS] [GROUPS]`. Figures, no pass or fail.

A model that answers at once stands for the provider, so that what is measured is ours: the log on disk, the
actors and the patterns.
"""

from __future__ import annotations

import logging
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import structlog

from callboard import Agent, Answer, Dynamic, Group, ModelReply, ModelRequest, Parallel, RoundRobin, System
from callboard.actors.patterns import Pattern


class Instant:
    """A model that answers at once; a manager chooses the last of those offered."""

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        tool = next((tool for tool in request.tools if tool.name == "choose_next_speaker"), None)
        if tool is None:
            return ModelReply(f"{request.agent} says a sentence of some length about the matter.")
        options = tool.parameters["properties"]["choice"]["enum"]  # type: ignore[index,call-overload]
        return ModelReply("", [(tool.name, f'{{"choice": "{options[-1]}", "reason": "next"}}')])  # type: ignore[index]


async def one_group(folder: Path, members: int, name: str, pattern: Pattern, manager: Agent | None) -> None:
    """Ask one group of many members once."""
    log = folder / f"{name}.db"
    agents = [Agent(f"m{n}", "You say a sentence.", description=f"member {n}") for n in range(members)]
    async with System.open(log, model=Instant()) as system:
        began = time.perf_counter()
        group = await system.start(Group("big", agents, pattern, manager=manager))
        started = time.perf_counter()
        answer = await group.ask("What do you all say?")
        ended = time.perf_counter()
        print(
            f"{name}: {members} members started in {started - began:.2f} s, {len(answer.turns)} turns in "
            f"{ended - started:.2f} s ({(ended - started) / len(answer.turns) * 1e3:.1f} ms a turn), "
            f"{log.stat().st_size / 1e6:.1f} MB with {system.store.position} events"
        )


async def many_groups(folder: Path, groups: int) -> None:
    """Ask many groups of five at once."""
    answers: list[Answer] = []
    async with System.open(folder / "many.db", model=Instant()) as system:
        specs = [
            Group(f"g{n}", [Agent(f"g{n}m{i}", "You say.") for i in range(5)], RoundRobin()) for n in range(groups)
        ]
        began = time.perf_counter()
        refs = [await system.start(spec) for spec in specs]
        started = time.perf_counter()

        async def ask(n: int) -> None:
            answers.append(await refs[n].ask("Go."))

        async with anyio.create_task_group() as tasks:
            for n in range(groups):
                tasks.start_soon(ask, n)
        took = time.perf_counter() - started
        turns = sum(len(answer.turns) for answer in answers)
        print(f"{groups} groups of five: started in {started - began:.2f} s, {turns} turns in {took:.2f} s, "
              f"{turns / took:.0f} turns a second, {system.store.position} events")  # fmt: skip


async def main(members: int, groups: int) -> None:
    """Measure both."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        await one_group(Path(folder), members, "round robin", RoundRobin(), None)
        await one_group(Path(folder), members, "parallel", Parallel(max_concurrency=100), None)
        await one_group(Path(folder), members, "dynamic", Dynamic(max_turns=20), Agent("boss", "You choose."))
        await many_groups(Path(folder), groups)
    print(f"most memory held: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    anyio.run(main, words[0] if words else 1_000, words[1] if len(words) > 1 else 200)
