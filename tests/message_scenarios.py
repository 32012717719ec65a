"""What the campaigns run of messages between agents."""

from __future__ import annotations

import json

from callboard import Agent, ModelReply, ModelRequest, System
from callboard.actors.messaging import ASK, BROADCAST, TELL

from .scripted import Scenario, agent
from .world import Script, pay


def once(says: dict[str, list[tuple[str, dict[str, object]]]]) -> Script:
    """Return a model that uses these tools once for each message that it hears, then says how many came of it."""

    def reply(request: ModelRequest) -> ModelReply:
        roles = [message["role"] for message in request.messages]
        back = len(roles) - 1 - max(n for n, role in enumerate(roles) if role == "user")
        if not back and (uses := says.get(request.agent)):
            return ModelReply("", [(name, json.dumps(arguments)) for name, arguments in uses])
        return ModelReply(f"{request.agent} with {max(back - 1, 0)} results")

    return reply


def to(name: str, message: str = "hi") -> tuple[str, dict[str, object]]:
    return ASK, {"message": message, "other_agent": name}


async def ring(system: System) -> list[str]:
    return [(await system["a"].ask("go", key="k1")).text]


async def report(system: System) -> list[str]:
    first = await system["lead"].ask("report", key="k1")
    second = await system["lead"].ask("report once more", key="k2")
    return [first.text, second.text]


def asker(name: str, *tools: str) -> Agent:
    return Agent(name, f"You are {name}.", tools=tools)


WORKERS = tuple(Agent(name, f"You are {name}.", tags={"worker"}, tools=[pay]) for name in ("v", "w"))

MESSAGE_SCENARIOS = [
    Scenario(
        "messages: a ring of three that ask each other",
        (asker("a", ASK), asker("b", ASK), asker("c", ASK)),
        once({"a": [to("b")], "b": [to("c")], "c": [to("a")]}),
        ring,
    ),
    Scenario(
        "messages: to all with a tag, to one without waiting, to nobody",
        (asker("lead", BROADCAST, TELL, ASK), *WORKERS, agent("clerk", pay)),
        once(
            {
                "lead": [
                    (BROADCAST, {"message": "how far?", "match_all": ["worker"]}),
                    (TELL, {"message": "note it", "other_agent": "clerk"}),
                    to("nobody"),
                ],
                "v": [("pay", {})],
                "clerk": [("pay", {})],
            }
        ),
        report,
    ),
]
