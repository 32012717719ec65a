"""Which model an attempt asks for: the agent's own, then those that are asked when one fails. All pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from callboard.events import SpecError
from callboard.events.specs import AgentSpec, FallbackSpec
from callboard.projections import AgentState
from callboard.projections.agent_calls import ModelCall

from .breaker import CIRCUIT_OPEN

ANY = "any"
"""Stands for every class of failure."""

KINDS = (
    "rate_limit", "quota", "auth", "bad_request", "context", "not_found", "server", "timeout", "connection", "cut",
    "malformed", "error", CIRCUIT_OPEN, ANY,
)  # fmt: skip
"""The classes of failure that callboard's own models know; a model of yours may have others."""

Fallback = str | Mapping[str, str | Sequence[str]]
"""A model for any failure; or models by class of failure, each class with one or with several in order."""


def specs(fallback: Fallback, model: str, who: str) -> tuple[FallbackSpec, ...]:
    """Return the models that are asked when `model` fails, in order: those for `any` failure are the last.

    Raises:
        SpecError: A class is misspelt, or a model is the agent's own, or no name.
    """
    given: Mapping[str, str | Sequence[str]] = {ANY: fallback} if isinstance(fallback, str) else fallback
    if fallback == "":
        return ()
    found: dict[str, list[str]] = {}
    for kind, names in sorted(given.items(), key=lambda item: item[0] == ANY):
        _check_kind(kind, who)
        for name in (names,) if isinstance(names, str) else tuple(names):
            if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]  # from a file
                raise SpecError(f"the fallback of {who} for {kind!r} is {name!r}; the name of a model is wanted")
            if name == model:
                raise SpecError(f"the fallback of {who} for {kind!r} is {name!r}, its own model; take another")
            found.setdefault(name, []).append(kind)
    return tuple(FallbackSpec(model=name, on=() if ANY in kinds else tuple(kinds)) for name, kinds in found.items())


def _check_kind(kind: str, who: str) -> None:
    close = get_close_matches(kind, KINDS, n=1, cutoff=0.75)
    if kind not in KINDS and close:
        raise SpecError(f"the fallback of {who} names the class {kind!r}; did you mean {close[0]!r}?")
    if not kind:
        raise SpecError(f"the fallback of {who} names an empty class; those known are {', '.join(KINDS)}")


def after(spec: AgentSpec, model: str, kind: str) -> str | None:
    """Return the model that is asked once `model` has failed with `kind`; None where there is no other. Pure.

    Only those that stand behind `model` in the order are asked, so that no call goes round in circles.
    """
    known = [spec.model, *(one.model for one in spec.fallback)]
    behind = spec.fallback[known.index(model) if model in known else 0 :]
    return next((one.model for one in behind if not one.on or kind in one.on), None)


def asked(spec: AgentSpec, call: ModelCall) -> str:
    """Return the model that the next attempt of `call` asks for. Pure."""
    known = (spec.model, *(one.model for one in spec.fallback))
    if not call.attempt or call.model not in known:
        return spec.model
    other = after(spec, call.model, call.kind) if call.kind else None
    return call.model if other is None else other


def wanted(state: AgentState) -> str | None:
    """Return the model that the open call would ask for now; None where none is open, or it runs. Pure."""
    if state.spec is None or state.model is None or state.model.phase == "running":
        return None
    return asked(state.spec, state.model)


def likely(state: AgentState) -> str | None:
    """Return the model that a call would ask for that began in the next append; None where none can. Pure."""
    if state.spec is None or (state.model is not None and state.model.phase not in ("wanted", "stopped")):
        return None
    return state.spec.model if state.model is None else asked(state.spec, state.model)
