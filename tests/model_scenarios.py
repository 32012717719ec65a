"""What the campaigns run of models under load: few slots, models that fail and others that are asked instead."""

from __future__ import annotations

from callboard import Agent, Group, RoundRobin
from callboard.actors.breaker import Breaker

from .scripted import Everyone, Options, Scenario, agent, asking, script
from .world import pay, publish, search

WRITER = Agent("writer", "You are writer.", tools=[pay, search], fallback={"server": "second", "any": "third"})
EXPERT = Agent("expert", "You are expert.", fallback="second")
SHY = tuple(agent(name, pay if name == "a" else publish) for name in "abcd")

MODELS = [
    Scenario(
        "models: one fails, another is asked",
        (Group("essay", (WRITER, EXPERT), RoundRobin(max_turns=3)),),
        script({"writer": [("pay", {}), ("search", {"query": "tides"})]}, failing=("writer", "expert")),
        asking("essay"),
    ),
    Scenario(
        "models: four agents, one slot",
        (Group("team", SHY, Everyone()),),
        script(
            {"a": [("pay", {})], "b": [("publish", {"text": "b"})], "c": [("publish", {"text": "c"})]}, failing=("b",)
        ),
        asking("team"),
        options=Options(calls_at_once=1),
    ),
    Scenario(
        "models: a circuit opens",
        (Group("team", (agent("writer", pay), EXPERT, agent("clerk", search)), Everyone()),),
        script({"writer": [("pay", {})], "clerk": [("search", {"query": "tides"})]}, failing=("writer",)),
        asking("team"),
        options=Options(calls_at_once=2, breaker=Breaker(failures=1, pause=5)),
    ),
]
