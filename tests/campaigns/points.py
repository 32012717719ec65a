"""Kill a real process at named points, also while it recovers: `python -m tests.campaigns.points [big | CASES]`.

A point is a place in a life: before and after each statement that changes the log, each append, each request to
the model server, each tool, each answer. Every death counted was a SIGKILL, and every case was then run to its end.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random

import anyio

from ..harness import Outcome, run
from ..scenarios import CANCELS, SCENARIOS
from . import warm
from .checks import disagreements
from .life import Place, ending, live
from .server import EVERY, served

CASES, BIG = 1_200, 30_000
"""Cases that are drawn; about one in seven ends before its point, and counts for nothing."""

SEEDS = (0, 1, 2)

DEATHS = (1, 1, 2, 2, 2, 3)
"""How often a case dies is drawn from these."""

POINTS = 5
"""About how many points there are for one append or effect, or a little more."""

SOON = 30
"""A second death is within so many points of the recovery."""

Kind = tuple[str, int]
"""A scenario, and a seed."""


@dataclass(frozen=True)
class Case:
    """Die at the n-th point of each life in turn; then live to the end."""

    kind: Kind
    deaths: tuple[int, ...]


@dataclass
class Report:
    """What a case came to: at which points it died, and what was broken."""

    case: Case
    died: list[str] = field(default_factory=list[str])
    found: list[str] = field(default_factory=list[str])


def kinds() -> list[Kind]:
    """Return all scenarios, each with its seeds."""
    return [(s.name, seed) for s in (*SCENARIOS, *CANCELS) for seed in (SEEDS[:1] if s.loose else SEEDS)]


def work(port: int, wholes: dict[Kind, Outcome], case: Case) -> Report:
    """Let a case die as often as it should, and then live; look at what it left."""
    name, seed = case.kind
    place, report = Place(warm.folder(), EVERY[name], port, seed), Report(case)
    try:
        for at in (*case.deaths, 0):
            code = warm.lived(partial(live, place, len(case.deaths) + 1, wholes[case.kind], at))
            if code == 0:
                report.found += [*ending(place), *disagreements(place.folder)]
            elif code == -9 and at:
                report.died.append((place.folder / "died").read_text())
                continue
            else:
                report.found.append(f"life {len(report.died) + 1} ended with {code}")
            break
    finally:
        shutil.rmtree(place.folder)
    return report


def draw(count: int, wholes: dict[Kind, Outcome]) -> Iterator[Case]:
    """Draw `count` cases: every scenario in turn, the first death at any of its points."""
    chance, every = Random(7), list(wholes)
    for n in range(count):
        kind = every[n % len(every)]
        points = POINTS * len(wholes[kind].ticks[0])
        later = [chance.randint(1, SOON) for _ in range(chance.choice(DEATHS) - 1)]
        yield Case(kind, (chance.randint(1, points), *later))


def campaign(count: int) -> Iterator[Report]:
    """Run each scenario whole, in memory, to know its end; then `count` cases."""
    wholes = {(name, seed): anyio.run(run, EVERY[name], (), seed) for name, seed in kinds()}
    with served() as port:
        yield from warm.each(partial(work, port, wholes), draw(count, wholes))


def main(count: int) -> int:
    """Print where processes died and what was broken; return how much was."""
    deaths, cases, again, broken = Counter[str](), 0, 0, 0
    for report in campaign(count):
        cases += bool(report.died)
        again += len(report.died) > 1
        deaths.update(f"life {n}: {name}" for n, name in enumerate(report.died, start=1))
        broken += len(report.found)
        for one in report.found[:3]:
            print(f"{report.case}, died at {report.died}: {one[:1500]}", flush=True)
    for name, n in sorted(deaths.items()):
        print(f"{n:6} {name}")
    print(f"{cases} cases, {sum(deaths.values())} kills, {again} killed again in recovery, {broken} breaches")
    return broken


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else str(CASES)
    sys.exit(main(BIG if wanted == "big" else int(wanted)) > 0)
