"""What models cost: a table of one's own, or that of the package genai-prices where it is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import import_module
from typing import Any

from callboard.events import SpecError
from callboard.events.catalog import Usage

DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)")
"""What providers put behind the name of a model to say which one of that name."""

MILLION = 1_000_000


def money(value: object, what: str) -> Decimal:
    """Return an amount in USD.

    Raises:
        SpecError: It is none, or below zero.
    """
    try:
        amount = Decimal(str(value)) if not isinstance(value, bool) else Decimal("nan")
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount < 0:
        raise SpecError(f"{what} is {value!r}; an amount in USD of 0 or more is wanted")
    return amount


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens; `cached` for those of the input that the provider had read before."""

    input: Decimal | float | str
    output: Decimal | float | str
    cached: Decimal | float | str | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, money(getattr(self, name), f"the price of {name} tokens"))

    def cost(self, usage: Usage) -> Decimal:
        """Return what `usage` costs in USD."""
        cached = min(usage.cached_tokens, usage.input_tokens) if self.cached is not None else 0
        fresh = usage.input_tokens - cached
        whole = (
            fresh * _exact(self.input) + cached * _exact(self.cached or 0) + usage.output_tokens * _exact(self.output)
        )
        return whole / MILLION


def _exact(amount: Decimal | float | str) -> Decimal:
    return amount if isinstance(amount, Decimal) else Decimal(str(amount))


class Prices:
    """Prices by the name of the model; `gpt-5-mini-2025-08-07`, with a date behind it, has that of the plain name."""

    def __init__(self, table: Mapping[str, Price] | None = None) -> None:
        """Take a table; without one, look into the package genai-prices, if it is installed."""
        self._table = table

    def of(self, model: str) -> Price | None:
        """Return the price of `model` for a prompt of usual size; None where nobody knows it."""
        if self._table is not None:
            named = self._table.get(model)
            return named or self._table.get(_undated(model))
        return _looked_up(model)

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """Return what `usage` of `model` costs in USD; None where nobody knows."""
        price = self.of(model)
        return None if price is None else price.cost(usage)


def _undated(model: str) -> str:
    found = DATED.search(model)
    return model[: found.start()] if found and found.end() == len(model) else model


@cache
def _looked_up(model: str) -> Price | None:
    try:
        names: Any = import_module("genai_prices")
    except ImportError:
        return None

    def cost(usage: Usage) -> Decimal:
        asked = names.Usage(
            input_tokens=usage.input_tokens, cache_read_tokens=usage.cached_tokens, output_tokens=usage.output_tokens
        )
        return names.calc_price(asked, model_ref=model).total_price * 1000

    try:
        return Price(
            cost(Usage(input_tokens=1000)),
            cost(Usage(output_tokens=1000)),
            cost(Usage(input_tokens=1000, cached_tokens=1000)),
        )
    except LookupError:
        return None
