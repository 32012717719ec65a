"""The models of a system: the one that it has, others by name, and the slots to ask them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import cast

import anyio

from callboard.events import SpecError

from .breaker import Breaker
from .model import Model
from .slots import Provider, Refused, Slot, Slots, Target

CALLS_AT_ONCE = 64
"""Model calls of a system in flight at the same time, unless it says otherwise."""


class Providers:
    """Finds who answers to the name of a model: a model of that name, or else the system's own, asked for it."""

    def __init__(
        self,
        model: Model,
        others: Mapping[str, Model] | None,
        calls_at_once: int,
        breaker: Breaker | None,
        now: Callable[[], datetime],
    ) -> None:
        """Give out so many slots in all, and to each model as many as its `at_once` says.

        Raises:
            SpecError: A number is below 1, or a name is empty.
        """
        _check("calls_at_once", calls_at_once)
        self._models = {"": model, **(others or {})}
        if others and "" in others:
            raise SpecError("a model of `models` has no name; the one without a name is `model`")
        self._slots = Slots(calls_at_once, breaker, now)
        self._providers: list[Provider] = []
        for name, one in self._models.items():
            self._add(name, one)
        self._targets: dict[tuple[int, str], Target] = {}

    def _add(self, name: str, model: Model) -> None:
        if any(known.model is model for known in self._providers):
            return  # one model under two names has its slots once
        at_once = cast("int | None", getattr(model, "at_once", None))
        if at_once is not None:
            _check(f"at_once of {f'the model {name!r}' if name else 'the model'}", at_once)
        self._providers.append(Provider(model, at_once))

    def name_of(self, asked: str) -> str:
        """Return the name of the model behind the name that an agent calls it by, as prices have it."""
        model = self._models.get(asked)
        return asked if model is None else str(getattr(model, "name", asked))

    def at_once(self, name: str) -> Slot | None:
        """Return a slot for the model called `name`, if there is one without waiting."""
        return self._slots.at_once(self._target(name), name)

    async def wait(self, agent: str, name: str) -> Slot | Refused:
        """Return a slot for `agent` to ask the model called `name`, once it is its turn; or why there is none."""
        return await self._slots.wait(agent, self._target(name), name)

    async def aclose(self) -> None:
        """Close every model that can be closed."""
        for provider in self._providers:
            close = getattr(provider.model, "aclose", None)
            if close is not None:
                await close()

    def _target(self, name: str) -> Target:
        model = self._models.get(name)
        asked = "" if model is not None else name
        model = model or self._models[""]
        number = next(n for n, provider in enumerate(self._providers) if provider.model is model)
        key = number, asked or str(getattr(model, "name", ""))  # its own name and none are one model
        return self._targets.setdefault(key, Target(self._providers[number], asked))


class Hand:
    """The slots that one agent has and does not use: at most one, and those of attempts about to begin."""

    def __init__(self, providers: Providers, agent: str) -> None:
        """Have none."""
        self._providers, self._agent = providers, agent
        self._slot: Slot | None = None
        self._lent: list[Slot] = []
        self._dropped = False
        self._line = anyio.Lock()

    def holds(self, name: str) -> bool:
        """Return whether there is a slot for the model called `name`."""
        return self._slot is not None and self._slot.name == name

    @property
    def name(self) -> str | None:
        """The model that there is a slot for; None without one."""
        return self._slot.name if self._slot else None

    def reach(self, name: str | None) -> None:
        """Take a slot for the model called `name`, if there is one without waiting."""
        if name is None or self.holds(name):
            return
        self.keep(name)
        self.take(self._providers.at_once(name))

    def take(self, slot: Slot | None) -> None:
        """Take `slot` instead of the one that is there."""
        if slot is None:
            return
        self.keep(None)
        self._slot = slot
        if self._dropped:
            self.keep(None)

    def keep(self, name: str | None) -> None:
        """Give back what is not for the model called `name`."""
        if self._slot is not None and self._slot.name != name:
            self._slot.give_back()
            self._slot = None

    async def wait(self, name: str) -> Refused | None:
        """Have a slot for the model called `name`, once it is our turn; return why there is none.

        One of us at a time stands in line: a second would wait for what the first one has by then.
        """
        async with self._line:
            if self.holds(name):
                return None
            found = await self._providers.wait(self._agent, name)
            if isinstance(found, Refused):
                return found
            self.take(found)
            return None

    def use(self) -> Slot | None:
        """Return the slot that is there, for an attempt that begins."""
        slot, self._slot = self._slot, None
        self._lent = [one for one in self._lent if not one.begun] + ([slot] if slot else [])
        return slot

    def drop(self) -> None:
        """Give back all that no attempt uses, for good."""
        self._dropped = True
        self.keep(None)
        for slot in self._lent:
            if not slot.begun:
                slot.give_back()
        self._lent = []


def _check(what: str, number: object) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise SpecError(f"{what} is {number!r}; a whole number of at least 1 is wanted")
