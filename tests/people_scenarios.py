"""What the crash campaign runs of people in the loop: a person who decides all that waits, under keys of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

from callboard import Agent, Group, RequestFailed, System, ToolContext, tool
from callboard.actors.inbox import Settle
from callboard.actors.people import Awaited
from callboard.events import NotWaiting

from .scripted import Everyone, Scenario, Wants, asking, script
from .world import life, search


@tool(needs_approval=True)
async def transfer(context: ToolContext) -> str:
    """Pay, once, where a person lets it."""
    return await life().use(context.key, "paid")


async def much(amount: int) -> bool:
    """Return whether a person is asked about paying so much."""
    if amount < 0:
        raise ValueError("less than nothing")
    return amount > 100


@tool(needs_approval=much)  # type: ignore[arg-type]
async def spend(amount: int, context: ToolContext) -> str:
    """Pay so much, once; a person is asked about much."""
    return await life().use(context.key, "paid")


@tool(needs_approval=True, in_doubt="ask")
async def wire(context: ToolContext) -> str:
    """Pay, once; a person lets it, and says what came of it where nobody knows."""
    return await life().use(context.key, "paid")


async def decide(system: System, one: Awaited) -> None:
    """Decide one call, always in the same way."""
    key = one.call.replace("/", "-")
    if one.kind == "doubt":
        await system.settle(Settle(key=key + "-doubt", call=one.call, outcome="returned", text="paid"))
    elif one.kind == "question":
        await system.answer(one, one.options[0], key=key)
    elif "999" in one.arguments:
        await system.deny(one, "too much", key=key)
    else:
        await system.approve(one, key=key)


def person(
    does: Callable[[System, Awaited], Awaitable[None]] = decide,
) -> Callable[[System], Coroutine[None, None, None]]:
    """Return a person who does the same with all that waits, for as long as the system lives."""

    async def work(system: System) -> None:
        while True:
            for one in await system.waiting():
                await does(system, one)
            await system.outside.sleep(0.2)

    return work


async def cancel(system: System, one: Awaited) -> None:
    """End the request that a waiting call is part of; it may have ended."""
    with suppress(NotWaiting):
        await system.cancel(one.call.split("/", 1)[0])


def given_up(name: str) -> Callable[[System], Awaitable[list[str]]]:
    """Return a client whose request is cancelled."""

    async def drive(system: System) -> list[str]:
        with suppress(RequestFailed):
            await system[name].ask("go", key="k1")
        return []

    return drive


ASK = ("ask_human", {"question": "left or right?", "options": ["left", "right"]})
A = Agent("a", "You are a.", tools=[transfer, spend, search, "ask_human"])
B = Agent("b", "You are b.", tools=[wire, "ask_human"])
USES: Wants = {
    "a": [
        ("transfer", {}),
        ("spend", {"amount": 5}),
        ("spend", {"amount": 999}),
        ("spend", {"amount": -1}),
        ("search", {"query": "tides"}),
    ],
    "b": [("wire", {}), ASK],
}

PEOPLE = [
    Scenario("approvals, one denied", (A,), script(USES), asking("a"), person=person()),
    Scenario(
        "two wait at once, in doubt, too",
        (Group("team", (A, B), Everyone()),),
        script(USES),
        asking("team"),
        person=person(),
    ),
]

GIVEN_UP = Scenario(
    "cancelled while it waits",
    (Group("team", (A, B), Everyone()),),
    script(USES),
    given_up("team"),
    loose=True,
    person=person(cancel),
)
