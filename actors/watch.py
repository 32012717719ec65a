"""What a running system does about loops and starvation: the detector follows its log, and policies say the rest.

The set of symptoms is a fold of the log, and each is recorded under a key, so that whatever a crash cut short is found
again when the log is opened, and nothing is recorded twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import structlog

from callboard.events import DeliveryFailed, NotWaiting, SpecError, Text
from callboard.events.catalog import SymptomFound
from callboard.events.store import Signal
from callboard.events.symptoms import Policy
from callboard.projections.symptoms import KINDS, Detector, Kind, Symptom, Thresholds

from . import cancelling
from .commands import Alter
from .starting import USER

if TYPE_CHECKING:
    from .system import System

log = structlog.get_logger()

Choice = Literal["off", "warn", "tell", "ask", "stop"]
"""What follows from a symptom; `off` is nothing, not even a record."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is done about symptoms while a system runs.

    Attributes:
        policies: By kind: `warn` records it and writes a line of log; `tell` also tells the agents concerned at their
            next model call; `ask` lets the one who has most to do with it wait for a person, who lets it go on or ends
            its turn, as with a limit; `stop` ends the request, with the symptom as the reason; `off` does nothing.
        default: What is done about the other kinds.
        thresholds: From where on something is a symptom.
        after: Position of the log up to which nothing is done about what is found.
    """

    policies: Mapping[Kind, Choice] = field(default_factory=dict[Kind, Choice])
    default: Choice = "warn"
    thresholds: Thresholds = field(default_factory=Thresholds)
    after: int = 0

    def __post_init__(self) -> None:
        for kind in self.policies:
            if kind not in KINDS:
                raise SpecError(f"there is no kind of symptom {kind!r}; there are {', '.join(KINDS)}")
        for choice in (self.default, *self.policies.values()):
            if choice not in get_args(Choice):
                raise SpecError(f"{choice!r} is no policy; there are {', '.join(get_args(Choice))}")

    def on(self, kind: Kind) -> Choice:
        """Return what is done about a kind. Pure."""
        return self.policies.get(kind, self.default)


class Watching:
    """The detector of one system; without a `Watch` it does nothing."""

    def __init__(self, system: System, watch: Watch | None) -> None:
        """Begin before the first event; `run` takes in all that there is."""
        self._system, self._watch = system, watch
        self._position = 0
        self._moved = Signal()

    @property
    def behind(self) -> bool:
        """Whether the log holds what the detector has not taken in, or not acted on."""
        return self._watch is not None and self._position < self._system.store.position

    async def moved(self) -> None:
        """Wait until the next event has been taken in."""
        await self._moved.next().wait()

    async def run(self) -> None:
        """Take in the log, and each new event as it is appended, until cancelled."""
        if self._watch is None:
            return
        detector = Detector(self._watch.thresholds)
        async for event in self._system.store.subscribe():
            for symptom in detector.take(event):
                if event.position > self._watch.after:
                    await self._act(symptom, self._watch.on(symptom.kind))
            self._position = event.position
            self._moved.notify()

    async def _act(self, symptom: Symptom, choice: Choice) -> None:
        """Record a symptom, unless it is recorded; see that what was decided then is done."""
        if choice == "off":
            return
        then = await self._recorded(symptom, symptom.streams[0], choice)
        if then == "tell":
            for stream in symptom.streams[1:]:
                await self._recorded(symptom, stream, then)
        if then == "stop":
            try:
                await cancelling.cancel(self._system, symptom.trace, "callboard", why=f"stopped: {symptom.text}")
            except NotWaiting:
                pass  # it has ended by now
            except DeliveryFailed as error:  # all others were told
                log.warning("request not stopped everywhere", trace=symptom.trace, why=str(error))

    async def _recorded(self, symptom: Symptom, stream: str, then: Policy) -> Policy:
        """Have whoever is at `stream` record the symptom; return what follows, as it was recorded now or before."""
        found = as_event(symptom, then)
        known = await self._system.store.find(stream, found.key)
        if known is not None and isinstance(known.data, SymptomFound):
            return known.data.then
        log.warning(
            "symptom found", kind=symptom.kind, trace=symptom.trace, who=symptom.who, then=then,
            measured=symptom.measured, threshold=symptom.limit, positions=symptom.positions,
        )  # fmt: skip
        try:
            await self._system.deliver(stream, Alter(symptom.key, USER, found), wait=0)
        except DeliveryFailed as error:  # it is found again when the log is opened next
            log.warning("symptom not recorded", trace=symptom.trace, actor=stream, why=str(error))
        return then


def as_event(symptom: Symptom, then: Policy) -> SymptomFound:
    """Return a symptom as it is recorded. Pure."""
    return SymptomFound(
        id=symptom.trace,
        symptom=symptom.key,
        kind=symptom.kind,
        then=then,
        who=symptom.streams,
        about=symptom.about,
        measured=symptom.measured,
        limit=symptom.limit,
        positions=symptom.positions,
        text=Text(symptom.text),
    )
