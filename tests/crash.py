"""Crash every scenario at every append and effect, and print the counts: `python -m tests.crash [big]`."""

from __future__ import annotations

import sys
from collections import Counter
from random import Random

import anyio

from .harness import breaches, run, unlike_prompts
from .scenarios import CANCELS, SCENARIOS, Scenario

FAULTS = ("lost", "late", "restart", "neighbour")


def plans(ticks: list[str], seed: int, *, twice: int) -> list[tuple[str, tuple[int, ...]]]:
    """Return the faults to try: death at each tick, `twice` times again in a recovery, and every other fault."""
    last, chance = len(ticks), Random(seed)
    deaths: list[tuple[int, ...]] = [(at,) for at in range(1, last + 1)]
    tools = [at for at in range(1, last + 1) if ticks[at - 1] == "tool"]
    deaths += [(at, again) for at in tools for again in range(1, 5)]
    deaths += [(chance.randint(1, last), chance.randint(1, last)) for _ in range(twice)]
    deaths += [(chance.randint(1, last), chance.randint(1, 8), chance.randint(1, 8)) for _ in range(twice)]
    return [("die", death) for death in deaths] + [(fault, (at,)) for fault in FAULTS for at in range(1, last + 1)]


async def points(
    scenario: Scenario, seed: int, *, twice: int, every: int = 1, most: int = 100_000
) -> tuple[Counter[str], list[str]]:
    """Crash `scenario` at every `every`-th point, about `most` in all; return the counts, and the breaches found."""
    whole = await run(scenario, seed=seed)
    counts = Counter({"events": len(whole.events)})
    found = [f"whole: {b}" for b in [*breaches(whole, whole, loose=scenario.loose), *await unlike_prompts(whole)]]
    planned = plans(whole.ticks[0], seed, twice=twice)[::every]
    for fault, at in planned[:: max(1, len(planned) // most)]:
        if len(found) > 3:
            break
        try:
            outcome = await run(scenario, at, seed, fault)
        except Exception as error:  # a stuck or broken run is what we look for
            found.append(f"seed {seed}, {fault} at {at}: {error!r}")
            continue
        for number, ticks in enumerate(outcome.ticks[:-1], start=1):
            counts[f"death {number} after {ticks[-1]}"] += 1
        counts["runs"] += 1
        counts[fault] += fault != "die"
        counts["in doubt"] += sum(event.type == "ToolCallInDoubt" for event in outcome.events)
        counts["resumed"] += sum(event.type == "TurnResumed" for event in outcome.events)
        wrong = [*breaches(outcome, whole, loose=scenario.loose), *await unlike_prompts(outcome)]
        found += [f"seed {seed}, {fault} at {at}: {breach}" for breach in wrong]
    return counts, found


async def main(seeds: tuple[int, ...], twice: int) -> int:
    """Print the counts and the breaches; return how many breaches there were."""
    total, every = Counter[str](), list[str]()
    for scenario in (*SCENARIOS, *CANCELS):
        mine = Counter[str]()
        for seed in seeds:
            counts, found = await points(scenario, seed, twice=twice)
            mine.update(counts)
            every += [f"{scenario.name}: {one}" for one in found]
        print(f"{scenario.name}: {dict(sorted(mine.items()))}", flush=True)
        total.update(mine)
    print(f"ALL: {dict(sorted(total.items()))}")
    print(*(one[:2000] for one in every[:12]), f"{len(every)} breaches", sep="\n")
    return len(every)


if __name__ == "__main__":
    big = "big" in sys.argv
    sys.exit(anyio.run(main, (0, 1, 2) if big else (1,), 60 if big else 5) > 0)
