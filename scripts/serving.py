"""What a team file and the command line say of a system: its models, prices, limits and budget."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import fields, replace
from typing import Any

from callboard.actors.limits import Limits
from callboard.actors.model import Model
from callboard.actors.openai_embedder import OpenAIEmbedder
from callboard.actors.openai_model import OpenAIModel
from callboard.actors.system import System
from callboard.actors.team import ModelChoice, Team
from callboard.events import EventStore, SpecError
from callboard.scripts.border import BadUse


def model_of(team: Team, name: str | None, base_url: str | None) -> OpenAIModel:
    """Return the model of agents that name none.

    Raises:
        SpecError: Nobody says which.
    """
    choice = team.model or ModelChoice()
    named = [agent.model for agent in team.agents.values()]
    name = name or choice.name or (named[0] if all(named) else "")
    if not name:
        raise SpecError("no model is named; give --model, or write [model] and its name in the team file")
    return _served(replace(choice, name=name, base_url=base_url or choice.base_url))


def _served(choice: ModelChoice, name: str = "") -> OpenAIModel:
    return OpenAIModel(choice.name or name, base_url=choice.base_url or None, at_once=choice.at_once)


def system_of(team: Team, store: EventStore, model: Model) -> AbstractAsyncContextManager[System]:
    """Return the system that `team` lives in, to be entered."""
    models = {name: _served(choice, name) for name, choice in team.models.items()}
    prices, wanted = team.prices or None, team.embedder
    embedder = None
    if wanted is not None:
        embedder = OpenAIEmbedder(wanted.name, base_url=wanted.base_url or None, dimensions=wanted.dimensions)
    return System.open(
        store, model=model, models=models, prices=prices, limits=team.limits, budget=team.budget, embedder=embedder
    )


def limited(team: Team, given: list[str] | None) -> Team:
    """Return `team` with the limits of each request that the command line gives as NAME=VALUE.

    Raises:
        BadUse: There is no such limit.
        SpecError: Its value is wrong.
    """
    values: dict[str, Any] = {}
    for one in given or ():
        name, _, value = one.partition("=")
        values[name] = _number(value) if name not in ("usd", "then") else value
    if not values:
        return team
    names = [field.name for field in fields(Limits) if field.kw_only]
    if wrong := sorted(values.keys() - set(names)):
        raise BadUse(f"--limit {wrong[0]!r}: there is no such limit; there are {', '.join(names)}")
    return replace(team, limits=Limits(**values))


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text
