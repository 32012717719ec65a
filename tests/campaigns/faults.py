"""Let the disk fail at every call, once and for ever: `python -m tests.campaigns.faults [big | EVERY]`.

The n-th write, read, sync or cut of the log's own files fails with an error of the disk, or for want of room. The
life goes on or ends with an error of the library's own; then the fault is gone, and the next one lives to the end.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import anyio

from ..harness import Outcome, run
from . import warm
from .checks import disagreements
from .kills import LARGE, SMALL, files
from .life import CANNOT, ERROR, Place, ending, live
from .server import EVERY, served
from .strace import counted, only, traced, unavailable

FAULTS = (("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("pread64", "EIO"), ("fdatasync", "EIO"), ("ftruncate", "EIO"))
"""System calls on the log's own files, and how they fail."""


@dataclass(frozen=True)
class Case:
    """Fail at the n-th `call` with `error`; `forever` at all after it, too."""

    scenario: str
    call: str
    error: str
    n: int
    forever: bool


@dataclass
class Report:
    """What a case came to: the error that the first life ended with, if any, and what was broken."""

    case: Case
    ended: str = ""
    found: list[str] = field(default_factory=list[str])


def work(port: int, wholes: dict[str, Outcome], case: Case) -> Report:
    """Let a life go on as far as its disk lets it, and the next one to the end."""
    place, report = Place(warm.folder(), EVERY[case.scenario], port), Report(case)
    life = partial(live, place, 2, wholes[case.scenario])
    try:
        when = f"{case.n}+" if case.forever else str(case.n)
        inject = f"inject={case.call}:error={case.error}:when={when}"
        code = traced(life, "-e", f"trace={case.call}", "-e", inject, *only(files(place.folder)))
        if code == CANNOT:
            report.ended = (place.folder / ERROR).read_text()
        elif code == 0:
            report.ended, report.found = "went on", ending(place)
        else:
            report.ended, report.found = "broke", [f"the first life ended with {code}"]
        code = warm.lived(life)
        report.found += [*ending(place), *disagreements(place.folder)] if code == 0 else [f"ended with {code}"]
    finally:
        shutil.rmtree(place.folder)
    return report


def draw(port: int, wholes: dict[str, Outcome], *, big: bool) -> Iterator[Case]:
    """Count the calls of each scenario, and yield the cases of each; unless `big`, every other write wants for room."""
    for name, whole in wholes.items():
        place = Place(warm.folder(), EVERY[name], port)
        output, wanted = place.folder / "trace", ",".join(dict(FAULTS))
        code = traced(
            partial(live, place, 1, whole), "-e", f"trace={wanted}", *only(files(place.folder)), output=output
        )
        assert code == 0, "the uninterrupted life failed"
        made = counted(output)
        shutil.rmtree(place.folder)
        for call, error in FAULTS:
            for n in range(1, made[call] + 1):
                if big or call != "pwrite64" or n % 2 == (error == "ENOSPC"):
                    yield from (Case(name, call, error, n, forever) for forever in (False, True))


def campaign(scenarios: tuple[str, ...], every: int, *, big: bool) -> Iterator[Report]:
    """Let each scenario fail at one of `every` so many calls."""
    wholes = {name: anyio.run(run, EVERY[name]) for name in scenarios}
    with served() as port:
        cases = list(draw(port, wholes, big=big))
        yield from warm.each(partial(work, port, wholes), warm.some(cases, every))


def main(scenarios: tuple[str, ...], every: int, *, big: bool) -> int:
    """Print how lives ended by kind of fault, and what was broken; return how much was."""
    ended, broken = Counter[tuple[str, str]](), 0
    for report in campaign(scenarios, every, big=big):
        case = report.case
        fault = f"{case.scenario}: {case.call} {case.error} {'for ever' if case.forever else 'once'}"
        error, _, why = report.ended.partition(": ")
        ended[fault, f"{error}: ...{why[-50:]}" if why else error] += 1
        broken += len(report.found)
        for one in report.found[:3]:
            print(f"{case}: {one[:1500]}", flush=True)
    for (fault, end), n in sorted(ended.items()):
        print(f"{n:6} {fault}: {end}")
    print(f"{sum(ended.values())} faults, {broken} breaches")
    return broken


if __name__ == "__main__":
    if why := unavailable():
        sys.exit(why)
    big = "big" in sys.argv
    every = 1 if big or len(sys.argv) < 2 else int(sys.argv[1])
    sys.exit(main(LARGE if big else SMALL, every, big=big) > 0)
