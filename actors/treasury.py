"""What all requests of a log together may ever spend on model calls."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from callboard.events import SpecError
from callboard.events.catalog import Spent
from callboard.events.limits import AMOUNTS
from callboard.events.store import Signal

from .limits import LEAST, MOST_OUTPUT, Limits
from .prices import Price

if TYPE_CHECKING:
    from .system import System

COUNTED = ("model_calls", "tokens", "usd")
"""What a budget can limit: what model calls cost."""


class Treasury:
    """Sets aside, before a model call begins, what it may cost; what was spent before, the log says."""

    def __init__(self, system: System, budget: Limits | None) -> None:
        """Keep `budget`; without one nothing is asked for here.

        Raises:
            SpecError: It limits something else than model calls, tokens and money, or asks a person.
        """
        names = (*AMOUNTS, "seconds", "hops", "fan_out")
        wrong = [name for name in names if budget and getattr(budget, name) is not None and name not in COUNTED]
        if budget is not None and (wrong or budget.then != "stop"):
            found = ", ".join(wrong) or "then"
            raise SpecError(f"a budget limits {', '.join(COUNTED)}, and not {found}; see `limits` for each request")
        self._system, self._budget = system, budget
        self._held: dict[str, Spent] = {}
        self._freed = Signal()

    @property
    def watches(self) -> bool:
        """Whether model calls ask here before they begin."""
        return self._budget is not None

    async def hold(self, stream: str, tokens: int, price: Price | None) -> int | str:
        """Return how many tokens the reply to the agent at `stream` may have, once there is room; or why none is left.

        Args:
            tokens: Of the prompt, about.
            price: Of the model; None where nobody knows it.
        """
        assert self._budget is not None
        if self._budget.usd is not None and price is None:
            return "the price of the model is unknown; give System.open(prices=...)"
        while True:
            spent = await self._system.snapshots.spent()
            room, why = self._room(spent, tokens, price)
            if room >= LEAST:
                self._held[stream] = _cost(tokens + room, tokens, room, price)
                return room
            if not self._held or self._room(spent, tokens, price, alone=True)[0] < LEAST:
                return why
            await self._freed.next().wait()

    def free(self, stream: str) -> None:
        """Give back what was set aside for the agent at `stream`: what it cost stands in the log, or it never began."""
        if self._held.pop(stream, None) is not None:
            self._freed.notify()

    def _room(self, spent: Spent, tokens: int, price: Price | None, *, alone: bool = False) -> tuple[int, str]:
        """Return how many tokens a reply may have now, or if nothing else were under way; and what is short."""
        assert self._budget is not None
        used = sum((one for one in self._held.values() if not alone), start=spent)
        room, why = MOST_OUTPUT, ""
        if (most := self._budget.model_calls) is not None and used.model_calls >= most:
            return 0, f"{most:,} model calls allowed, {spent.model_calls:,} made"
        if (most := self._budget.tokens) is not None and most - used.tokens - tokens < room:
            room, why = most - used.tokens - tokens, f"{most:,} tokens allowed, {spent.tokens:,} spent"
        if self._budget.usd is not None and price is not None:
            left = Decimal(self._budget.usd) - used.usd - tokens * Decimal(price.input) / 1_000_000
            each = Decimal(price.output) / 1_000_000
            fits = int(left / each) if each else (room if left >= 0 else 0)
            if fits < room:
                room, why = fits, f"{self._budget.usd} USD allowed, {spent.usd} USD spent"
        return room, why


def _cost(tokens: int, read: int, said: int, price: Price | None) -> Spent:
    usd = (read * Decimal(price.input) + said * Decimal(price.output)) / 1_000_000 if price else Decimal(0)
    return Spent(model_calls=1, tokens=tokens, usd=usd)
