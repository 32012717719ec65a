"""Leave to ask a model: so many at once in all and of each provider, given out to one agent after the other.

An attempt has its slot before its start is recorded, so that no call counts as begun while it waits.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio

from callboard.events import ModelError

from .breaker import Breaker, Circuit, Evidence, after, evidence
from .model import Model, ModelReply, ModelRequest


@dataclass(slots=True, eq=False)
class Provider:
    """Who is asked; `at_once` is how many attempts it takes at the same time, None for any."""

    model: Model
    at_once: int | None = None
    running: int = 0


@dataclass(slots=True, eq=False)
class Target:
    """One model of one provider, and how it fares.

    Attributes:
        asked: What the provider calls it; empty for its own.
        trying: Attempts that run to see whether it works again.
    """

    provider: Provider
    asked: str
    circuit: Circuit = field(default_factory=Circuit)
    trying: int = 0


class Slot:
    """Leave for one attempt, until it is given back.

    Attributes:
        name: The model that it is for, as the log names it.
        begun: Whether an attempt has used it.
    """

    def __init__(self, slots: Slots, target: Target, name: str, *, tries: bool) -> None:
        """Be one more that runs at `target`."""
        self.name, self.begun, self.tries = name, False, tries
        self.target: Target | None = target
        self._slots = slots

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        """Make the attempt, and give the slot back, whatever ends it; what the model raises is raised."""
        target, self.begun = self.target, True
        assert target is not None
        found: tuple[Evidence, str] = "nothing", ""
        try:
            reply = await target.provider.model.complete(replace(request, model=target.asked), say)
            found = "works", ""
        except Exception as error:  # a border to others' code
            failure = as_model_error(error)
            found = evidence(failure), failure.kind
            raise
        else:
            return reply
        finally:
            self.give_back(*found)

    def give_back(self, found: Evidence = "nothing", why: str = "") -> None:
        """Let another have it; twice is once."""
        target, self.target = self.target, None
        if target is not None:
            self._slots.ended(target, found, why, tries=self.tries)


def as_model_error(error: Exception) -> ModelError:
    """Return `error` as one of a model: what others raise may pass where it is of the network."""
    if isinstance(error, ModelError):
        return error
    retry = isinstance(error, OSError | TimeoutError)
    return ModelError(f"{type(error).__name__}: {error}", kind="error", retry=retry)


@dataclass(frozen=True, slots=True)
class Refused:
    """No slot: the circuit of the model is open, until then."""

    until: datetime
    why: str


@dataclass(slots=True, eq=False)
class _Waiting:
    agent: str
    target: Target
    name: str
    outcome: Slot | Refused | None = None
    served: anyio.Event = field(default_factory=anyio.Event)


class Slots:
    """All slots of a system. Who waits is served round-robin by agent, whoever has room at its provider."""

    def __init__(self, most: int, breaker: Breaker | None, now: Callable[[], datetime]) -> None:
        """Have `most` in all."""
        self._most, self._breaker, self._now = most, breaker, now
        self._running = 0
        self._agents: dict[str, deque[_Waiting]] = {}
        self._wanted = Counter[Target]()

    def at_once(self, target: Target, name: str) -> Slot | None:
        """Return a slot, if there is one without waiting."""
        if target.circuit.opened(self._now()) or not self._room(target):
            return None
        return self._begin(target, name)

    async def wait(self, agent: str, target: Target, name: str) -> Slot | Refused:
        """Return a slot once it is the turn of `agent`; or why there is none."""
        waiting = _Waiting(agent, target, name)
        self._agents.setdefault(agent, deque()).append(waiting)
        self._wanted[target] += 1
        self._serve()
        try:
            await waiting.served.wait()
            outcome, waiting.outcome = waiting.outcome, None
            assert outcome is not None
            return outcome
        finally:
            self._leave(waiting)

    def ended(self, target: Target, found: Evidence, why: str, *, tries: bool) -> None:
        """Take note that an attempt ended, and serve who waits."""
        target.circuit = after(target.circuit, self._breaker, found, why, self._now())
        target.trying -= tries
        target.provider.running -= 1
        self._running -= 1
        self._serve()

    def _room(self, target: Target) -> bool:
        provider = target.provider
        return (
            self._running < self._most
            and (provider.at_once is None or provider.running < provider.at_once)
            and not (target.trying and target.circuit.trying(self._now()))
        )

    def _begin(self, target: Target, name: str) -> Slot:
        tries = target.circuit.trying(self._now())
        self._running += 1
        target.provider.running += 1
        target.trying += tries
        return Slot(self, target, name, tries=tries)

    def _serve(self) -> None:
        while (waiting := self._next()) is not None:
            circuit = waiting.target.circuit
            if circuit.opened(self._now()):
                assert circuit.until is not None
                waiting.outcome = Refused(circuit.until, circuit.why)
            else:
                waiting.outcome = self._begin(waiting.target, waiting.name)
            self._remove(waiting)
            if waiting.agent in self._agents:  # its other calls stand behind those of all others
                self._agents[waiting.agent] = self._agents.pop(waiting.agent)
            waiting.served.set()

    def _next(self) -> _Waiting | None:
        """Return who is served next: the first of the first agent for whom there is an answer."""
        now = self._now()
        ready = {target for target in self._wanted if target.circuit.opened(now) or self._room(target)}
        if not ready:
            return None
        return next((queue[0] for queue in self._agents.values() if queue[0].target in ready), None)

    def _remove(self, waiting: _Waiting) -> None:
        self._agents[waiting.agent].remove(waiting)
        if not self._agents[waiting.agent]:
            del self._agents[waiting.agent]
        self._wanted -= Counter({waiting.target: 1})

    def _leave(self, waiting: _Waiting) -> None:
        """See that who was cancelled neither waits nor has a slot."""
        if not waiting.served.is_set():
            self._remove(waiting)
            self._serve()
        elif isinstance(waiting.outcome, Slot):
            waiting.outcome.give_back()
