"""How much of its history an agent's model is shown, as a user says it; and what models take in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

from callboard.events import SpecError
from callboard.events.specs import WindowSpec

LEAST = 1_000
"""Tokens of the smallest window."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a model takes in, and what happens when a prompt comes near it.

    Attributes:
        tokens: How many tokens the model takes in, prompt and all; None for what its name says, where the package
            genai-prices knows it, else 128,000.
        at: Which part of that a prompt may fill; before it would be more, the oldest of the history is summed up.
        mode: `sliding` sums up the oldest part, `all` all but what is being worked on.
        evict: Which part of the history goes first, where it slides.
    """

    tokens: int | None = None
    at: float = 0.9
    mode: Literal["sliding", "all"] = "sliding"
    evict: float = 0.3

    def __post_init__(self) -> None:
        if self.tokens is not None and not (_is_number(self.tokens) and self.tokens >= LEAST):
            raise SpecError(f"a window of {self.tokens!r} tokens; {LEAST:,} or more are wanted")
        for name, low, high in (("at", 0.2, 1.0), ("evict", 0.05, 1.0)):
            part: object = getattr(self, name)
            if not isinstance(part, int | float) or not low <= part <= high:
                raise SpecError(f"{name} of a window is {part!r}; {low} to {high} is wanted")
        if self.mode not in ("sliding", "all"):
            raise SpecError(f"mode of a window is {self.mode!r}; 'sliding' or 'all' is wanted")

    def spec(self, model: str) -> WindowSpec:
        """Return this as data, for an agent whose model is called `model`."""
        tokens = self.tokens or known(model) or WindowSpec().tokens
        return WindowSpec(tokens=tokens, at=self.at, mode=self.mode, evict=self.evict)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def as_window(given: Window | int | None, who: str) -> Window:
    """Return what an agent says of its window; a number is its tokens.

    Raises:
        SpecError: It is none.
    """
    if given is None or _is_number(given):
        return Window(given)  # type: ignore[arg-type]
    if not isinstance(given, Window):
        raise SpecError(f"window of {who} is {given!r}; a number of tokens or a Window is wanted")
    return given


@cache
def known(model: str) -> int | None:
    """Return how many tokens the model of that name takes in; None where nobody knows."""
    if not model:
        return None
    try:
        names: Any = import_module("genai_prices")
        return names.calc_price(names.Usage(input_tokens=1), model_ref=model).model.context_window
    except (ImportError, LookupError):
        return None
