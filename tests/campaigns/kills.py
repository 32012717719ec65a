"""Kill a real process at every system call that matters: `python -m tests.campaigns.kills [big | EVERY]`.

With `EVERY`, at one of so many. strace counts the calls of each thread for itself: those on the log's own
files are all made by the thread that writes, `write` is a ledger's, and `sendmsg` asks the model server.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio

from ..harness import Outcome, run
from . import warm
from .checks import disagreements, unacknowledged
from .ledgers import LOG
from .life import Place, ending, live
from .server import EVERY, served
from .strace import counted, only, traced, unavailable

SMALL = ("a model that fails first",)
LARGE = (*SMALL, "round robin, tools, block", "everyone, one block")

ON_LOG = ("pwrite64", "fdatasync", "ftruncate", "unlink")
"""System calls on the log's own files."""

ELSEWHERE = ("write", "sendmsg", "sendto")
"""System calls on ledgers, to the model server, and by which a thread wakes the loop."""


@dataclass(frozen=True)
class Case:
    """Die at the n-th `call`."""

    scenario: str
    call: str
    n: int


@dataclass
class Report:
    """What a case came to; `extra` is how many events the log held that nobody had been told of."""

    case: Case
    killed: bool = False
    extra: int = 0
    found: list[str] = field(default_factory=list[str])


def files(folder: Path) -> list[Path]:
    """Return the log's own files, whether they are there or not."""
    return [folder / f"{LOG}{end}" for end in ("", "-journal", "-wal", "-shm", ".anchor")]


def calls(place: Place, whole: Outcome) -> Counter[str]:
    """Return how often each system call is made in an uninterrupted life, each group as its cases count them."""
    made, output = Counter[str](), place.folder / "trace"
    for group, options in ((ON_LOG, only(files(place.folder))), (ELSEWHERE, list[str]())):
        code = traced(partial(live, place, 1, whole), "-e", f"trace={','.join(group)}", *options, output=output)
        assert code == 0, "the uninterrupted life failed"
        made.update(counted(output))
        for file in files(place.folder):
            file.unlink(missing_ok=True)
    return made


def work(port: int, wholes: dict[str, Outcome], case: Case) -> Report:
    """Let a life die at its call, and the next one live to the end."""
    place, report = Place(warm.folder(), EVERY[case.scenario], port), Report(case)
    life = partial(live, place, 2, wholes[case.scenario])
    try:
        inject = f"inject={case.call}:signal=SIGKILL:when={case.n}"
        options = only(files(place.folder)) if case.call in ON_LOG else []
        code = traced(life, "-e", f"trace={case.call}", "-e", inject, *options)
        report.killed = code == -9
        if code not in (0, -9):
            report.found.append(f"the first life ended with {code}")
        report.extra = unacknowledged(place.folder)
        code = warm.lived(life)
        report.found += [*ending(place), *disagreements(place.folder)] if code == 0 else [f"ended with {code}"]
    finally:
        shutil.rmtree(place.folder)
    return report


def campaign(scenarios: tuple[str, ...], every: int) -> Iterator[Report]:
    """Count the system calls of each scenario, and kill it at one of `every` so many."""
    wholes = {name: anyio.run(run, EVERY[name]) for name in scenarios}
    with served() as port:
        cases: list[Case] = []
        for name in scenarios:
            place = Place(warm.folder(), EVERY[name], port)
            made = calls(place, wholes[name])
            shutil.rmtree(place.folder)
            cases += [Case(name, call, n) for call in (*ON_LOG, *ELSEWHERE) for n in range(1, made[call] + 1)]
        yield from warm.each(partial(work, port, wholes), warm.some(cases, every))


def main(scenarios: tuple[str, ...], every: int) -> int:
    """Print the kills by system call, and what was broken; return how much was."""
    kills, reached, extra, broken = Counter[str](), Counter[str](), 0, 0
    for report in campaign(scenarios, every):
        name = f"{report.case.scenario}: {report.case.call}"
        reached[name] += 1
        kills[name] += report.killed
        extra += report.extra > 0
        broken += len(report.found)
        for one in report.found[:3]:
            print(f"{report.case}: {one[:1500]}", flush=True)
    for name, n in kills.items():
        print(f"{n:6} of {reached[name]} {name}")
    print(f"{sum(kills.values())} kills, {extra} left committed events that nobody was told of, {broken} breaches")
    return broken


if __name__ == "__main__":
    if why := unavailable():
        sys.exit(why)
    big = "big" in sys.argv
    every = 1 if big or len(sys.argv) < 2 else int(sys.argv[1])
    sys.exit(main(LARGE if big else SMALL, every) > 0)
