"""Run whole systems under a seeded scheduler, clock and store: `python -m tests.simulation [N | big]` prints counts.

What is drawn from the seed: the order of all steps, how long everything takes, and when something fails. While
there are faults, nothing may happen that the contract rules out (safety); when they stop, all must end (liveness).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from multiprocessing import get_context
from random import Random
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup

from callboard import ModelReply, ModelRequest, RequestFailed, System
from callboard.actors.calling import FIRST_PAUSE
from callboard.actors.outside import Outside
from callboard.events import AppendRejected, MemoryStore, ModelError, NewEvent, OutcomeUnknown, RecordedEvent, catalog

from . import world as worlds
from .harness import Outcome, breaches, run, unlike_prompts, unordered
from .loop import SeededLoop
from .scenarios import CANCELS, SCENARIOS
from .scripted import Scenario, beside
from .world import Life, World

FAULTY = 0.06
"""How often a thing that can fail does, while there are faults left."""

MOST_DEATHS, MOST_FAILED = 3, 2
"""Deaths of the process, and failed attempts of one model call: few enough for every call to have an answer."""

COMPARED = "compared with a run without faults"

LONGEST = 3_600.0
"""Seconds on the simulated clock after which a life should have ended."""


@dataclass
class Fate:
    """What is still to go wrong in a run, and what did; it goes on from life to life.

    Attributes:
        left: Faults that are still to come.
        put_off: When a failed attempt may be followed by the next one of its model, by (id, attempt), and which.
        issued: How often each attempt of a model call was asked, by (id, attempt).
        did: What went wrong, by kind.
    """

    chance: Random
    left: int = 0
    issued: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    put_off: dict[tuple[str, int], tuple[datetime, str]] = field(
        default_factory=dict[tuple[str, int], tuple[datetime, str]]
    )
    did: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        self.left = self.chance.randrange(9)

    def strikes(self, *kinds: str) -> str:
        """Return which of `kinds` happens now; mostly none."""
        if not self.left or self.chance.random() > FAULTY:
            return ""
        kind = self.chance.choice(kinds)
        if kind == "die" and self.did["die"] == MOST_DEATHS:
            return ""
        self.left -= 1
        self.did[kind] += 1
        return kind

    async def pause(self, longest: float = 0.1) -> None:
        """Take a while, or no time at all."""
        if self.chance.random() < 0.5:
            await anyio.sleep(self.chance.random() * longest)


@dataclass
class Appending:
    """An append on its way to the disk; what becomes of its caller does not stop it."""

    stream: str
    events: Sequence[NewEvent]
    expected_version: int
    ended: anyio.Event = field(default_factory=anyio.Event)
    outcome: list[RecordedEvent] | Exception = field(default_factory=list[RecordedEvent])


@dataclass
class FaultyLife(Life):
    """A life in which time passes, and things go wrong at random."""

    fate: Fate = field(default_factory=lambda: Fate(Random(0)))
    tasks: TaskGroup | None = None

    @property
    def outside(self) -> Outside:
        return Outside(self.world.now, anyio.sleep, self.fate.chance)

    async def tick(self, what: str, stream: str = "") -> None:
        """Let a fault happen, once something is done that cannot be undone."""
        await self._alive()
        self.ticks.append(what)
        match self.fate.strikes("die", "restart", "neighbour"):
            case "die":
                self.scope.cancel()
                await anyio.sleep_forever()
            case "restart" if stream:
                self._restart(stream)
            case "restart" | "neighbour":
                self._restart(self._any_stream())
            case _:
                pass

    async def haunt(self) -> None:
        """Let an actor begin again, or all of them die, at any time."""
        while self.fate.left:
            await anyio.sleep(self.fate.chance.random() * 2)
            match self.fate.strikes("die", "haunted"):
                case "die":
                    self.scope.cancel()
                case "haunted":
                    self._restart(self._any_stream())
                case _:
                    pass

    async def _alive(self) -> None:
        if self.scope.cancel_called:
            await anyio.sleep_forever()

    def _any_stream(self) -> str:
        return self.fate.chance.choice(sorted({row.stream for row in self.log.rows} - {"system"}) or [""])

    def _restart(self, stream: str) -> None:
        if self.system is not None and self.driven and stream:
            self.system.restart(stream)

    # -- the store ------------------------------------------------------------------------------

    async def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: int) -> list[RecordedEvent]:
        await self._alive()
        assert self.tasks is not None
        appending = Appending(stream, events, expected_version)
        self.tasks.start_soon(self._commit, appending)
        await appending.ended.wait()
        if isinstance(appending.outcome, Exception):
            raise appending.outcome
        return appending.outcome

    async def _commit(self, appending: Appending) -> None:
        await self.fate.pause()
        await self._alive()
        stream = appending.stream
        fault = self.fate.strikes("rejected", "lost", "late")
        try:
            if fault == "rejected":
                raise AppendRejected(stream, "a fault was wanted")
            if fault != "lost":
                appending.outcome = await self.log.append(
                    stream, appending.events, expected_version=appending.expected_version
                )
                await self.tick("append", stream)
            if fault:
                raise OutcomeUnknown(stream, "a fault was wanted")
        except Exception as error:
            appending.outcome = error
        await self.fate.pause()
        appending.ended.set()

    async def find(self, stream: str, key: str) -> RecordedEvent | None:
        await self.fate.pause(0.01)
        return await self.log.find(stream, key)

    async def read_stream(
        self, stream: str, *, after: int = 0, until: int | None = None, until_position: int | None = None
    ) -> AsyncGenerator[RecordedEvent]:
        await self.fate.pause(0.01)
        async for event in self.log.read_stream(stream, after=after, until=until, until_position=until_position):
            yield event

    # -- the model and tools --------------------------------------------------------------------

    async def reply(self, request: ModelRequest) -> ModelReply:
        self.fate.issued[request.id, request.attempt] += 1
        if self.fate.issued[request.id, request.attempt] > 1:
            self.world.wrong.append(f"issued twice: {request.id}, attempt {request.attempt}")
        await self.fate.pause(20)
        reply = await super().reply(request)
        if self.world.called[request.id] <= MOST_FAILED and self.fate.strikes("busy"):
            wanted = self.fate.chance.choice((None, 0.0, 40.0))
            pause = timedelta(seconds=FIRST_PAUSE / 2 if wanted is None else wanted)
            self.fate.put_off[request.id, request.attempt] = self.world.now() + pause, request.model
            raise ModelError("busy", kind="server", retry=True, retry_after=wanted)
        await self.fate.pause(20)
        return reply

    async def use(self, key: str, text: str) -> str:
        await self.fate.pause(5)
        said = await super().use(key, text)
        await self.fate.pause(5)
        return said


@dataclass
class Clock(World):
    """The outside, on the time of the loop that runs."""

    def now(self) -> datetime:
        """Return the time of the loop, as a date."""
        try:
            self.seconds = anyio.current_time()
        except (RuntimeError, anyio.NoEventLoopError):
            pass  # between two lives the time stands still
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def dawdle(self, id: str) -> None:
        """Take no more time than the life does itself."""


def simulate(scenario: Scenario, seed: int) -> tuple[Outcome, Fate]:
    """Run `scenario` from life to life until one has an end; all is drawn from `seed`."""
    world = Clock(seed)
    fate = Fate(Random(f"fate {seed}"))
    log = MemoryStore(now=world.now, entropy=Random(f"salt {seed}").randbytes)
    outcome = Outcome(world, log, [], [], [], {})
    ended = False
    while not ended:
        loop = SeededLoop(f"{seed}/{len(outcome.ticks)}", time=world.seconds)
        ended = anyio.run(_live, outcome, scenario, fate, backend_options={"loop_factory": lambda loop=loop: loop})
        world.seconds = loop.time()
    return outcome, fate


async def _live(outcome: Outcome, scenario: Scenario, fate: Fate) -> bool:
    """Open the log and ask (again) for everything; return whether that came to its end."""
    life = FaultyLife(outcome.world, outcome.log, scenario.script, 0, fate=fate)
    worlds.begin(life)
    outcome.ticks.append(life.ticks)
    with life.scope, anyio.fail_after(LONGEST):
        async with anyio.create_task_group() as life.tasks:
            try:
                await _answers(life, scenario, outcome)
            except AppendRejected:
                return False  # the system has stopped, and is opened again
            finally:
                life.tasks.cancel_scope.cancel()
        return True
    return False


async def _answers(life: FaultyLife, scenario: Scenario, outcome: Outcome) -> None:
    life.slots = scenario.options.get("calls_at_once", life.slots)
    opened = System.open(life, model=life, outside=life.outside, watch=scenario.watch, **scenario.options)
    async with opened as system, beside(scenario, system):
        life.system = system
        if life.fate.chance.random() < 0.5:
            await settled(system)
        for spec in scenario.specs:
            await system.start(spec)
        life.driven = True
        assert life.tasks is not None
        life.tasks.start_soon(life.haunt)
        try:
            outcome.answers = await scenario.drive(system)
        except RequestFailed as failure:
            outcome.answers = [f"failed: {failure}"]
        finally:
            life.driven = False  # nobody restarts an actor of a system that has stopped
        life.fate.left = 0  # faults stop
        await settled(system)
        streams = sorted({row.stream for row in life.log.rows} - {"system"})
        outcome.live = {stream: await system.look(stream) for stream in streams}
        outcome.events = [event async for event in life.log.read_all()]


async def settled(system: System) -> None:
    """Wait until nothing is open, on a clock that costs nothing."""
    pause = 1.0
    while (await system.pending()).items:
        await anyio.sleep(pause)
        pause *= 1.5
    await system.quiet()  # what is in the log is in the states too


# -- the campaign ---------------------------------------------------------------------------------


ALL = (*SCENARIOS, *CANCELS[::4])
RACES = {"two groups share a member"}
"""Where the client itself asks several things at once, so that their order is anybody's."""


@cache
def _whole(number: int) -> Outcome:
    return anyio.run(run, ALL[number])


GIVEN_UP = {"ModelCallFailed", "TurnFailed", "MessageDeadLettered"}
"""What comes of too many failures; then answers are others than without faults."""


def check(seed: int) -> tuple[Counter[str], list[str]]:
    """Simulate the scenario that is the turn of `seed`; return the counts, and the breaches found."""
    number = seed % len(ALL)
    try:
        counts, found = _checked(ALL[number], seed, _whole(number))
    except Exception as error:  # a stuck or broken run is what we look for
        counts, found = Counter({"runs": 1}), [repr(_leaf(error))]
    return counts, [f"seed {seed}, {ALL[number].name}: {one}" for one in found]


def _checked(scenario: Scenario, seed: int, whole: Outcome) -> tuple[Counter[str], list[str]]:
    outcome, fate = simulate(scenario, seed)
    given_up = bool(GIVEN_UP & {event.type for event in outcome.events})
    loose = scenario.loose or given_up or scenario.name in RACES
    counts = Counter({"runs": 1, "lives": len(outcome.ticks), "events": len(outcome.events), COMPARED: int(not loose)})
    counts.update(fate.did)
    outcome.ticks += [[]] * sum(fate.did[kind] for kind in ("busy", "restart", "neighbour", "haunted"))  # more calls
    wrong = breaches(outcome, whole, loose=loose) + anyio.run(unlike_prompts, outcome)
    wrong += [] if scenario.loose else unordered(outcome.events)
    return counts, wrong + _hasty(outcome.events, fate)


def _hasty(events: list[RecordedEvent], fate: Fate) -> list[str]:
    """Return the attempts that began sooner than the model, or the usual pause, had asked for."""
    earliest, found = dict[str, tuple[datetime, str]](), list[str]()
    for event in events:
        match event.data:
            case catalog.ModelAttemptFailed(id=id, attempt=attempt) if (id, attempt) in fate.put_off:
                earliest[id] = fate.put_off[id, attempt]
            case catalog.ModelCallStarted(id=id, attempt=attempt, model=model) if id in earliest:
                due, busy = earliest.pop(id)
                if event.recorded_at < due and model == busy:
                    found.append(f"asked again too early: {id}, attempt {attempt}")
            case _:
                pass
    return found


def digest(seeds: range) -> str:
    """Return a hash of the rows of all logs that `seeds` give."""
    quiet()
    rows = [simulate(ALL[seed % len(ALL)], seed)[0].log.rows for seed in seeds]
    return sha256(repr(rows).encode()).hexdigest()


def _leaf(error: Exception) -> Exception:
    return _leaf(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error  # type: ignore[reportUnknown]


def quiet() -> None:
    """Keep log lines out of the output of this process."""

    def drop(*_: object) -> Any:
        raise structlog.DropEvent

    structlog.configure(processors=[drop])


def campaign(seeds: range, processes: int = os.cpu_count() or 1) -> tuple[Counter[str], list[str]]:
    """Check every one of `seeds`, on all processors; return the counts, and the breaches found."""
    total, every = Counter[str](), list[str]()
    with ProcessPoolExecutor(processes, get_context("spawn"), quiet) as pool:
        for counts, found in pool.map(check, seeds, chunksize=25):
            total.update(counts)
            every += found
    return total, every


def main(arguments: list[str]) -> int:
    """Run as many seeds as wanted; return how many breaches there were."""
    wanted = arguments[0] if arguments else "1000"
    total, every = campaign(range(20_000 if wanted == "big" else int(wanted)))
    print(dict(sorted(total.items())))
    print(*(one[:1500] for one in every[:12]), f"{len(every)} breaches", sep="\n")
    return len(every)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
