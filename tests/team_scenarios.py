"""What the campaigns run of group patterns and of the life of groups."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import anyio
from anyio.lowlevel import checkpoint
from pydantic import JsonValue

from callboard import (
    Agent,
    Answer,
    Block,
    Consensus,
    Debate,
    Dynamic,
    Group,
    Handoff,
    ModelReply,
    ModelRequest,
    Parallel,
    Pipeline,
    RequestFailed,
    RoundRobin,
    Route,
    Sleeptime,
    Supervisor,
    System,
)
from callboard.actors.scaling import Load
from callboard.events import ModelError, SpecError

from .scripted import Scenario, Wants, agent, script
from .world import Script, pay, publish, search

Says = str | list[tuple[str, dict[str, str]]]
"""A text, or tools to call."""


def lines(says: Mapping[str, Sequence[Says]], wants: Wants | None = None, *, down: tuple[str, ...] = ()) -> Script:
    """Return a model: its n-th reply is the n-th of `says`, the last again and again; others do as `script` says.

    Args:
        down: Agents whose model always fails; with `@` and the start of an id, only in calls of that id.
    """
    others = script(wants or {})

    def reply(request: ModelRequest) -> ModelReply:
        if request.agent in down or any(request.id.startswith(one[1:]) for one in down if one.startswith("@")):
            raise ModelError("no key", kind="auth")
        said = says.get(request.agent)
        if said is None:
            return others(request)
        n = sum(message["role"] == "assistant" for message in request.messages)
        now = said[min(n, len(said) - 1)]
        if isinstance(now, str):
            return ModelReply(now)
        return ModelReply("", [(name, json.dumps(arguments)) for name, arguments in now])

    return reply


def shown(answer: Answer) -> list[str]:
    """Return what an answer says, in an order that does not depend on who was first."""
    return [answer.text, answer.stop_reason, json.dumps(_in_order(answer.data))]


def _in_order(data: JsonValue) -> JsonValue:
    match data:
        case list():
            return sorted((_in_order(one) for one in data), key=repr)
        case dict():
            return {key: _in_order(data[key]) for key in sorted(data)}
        case _:
            return data


async def asked(system: System, name: str, key: str, **params: object) -> list[str]:
    """Ask `name`, and return what came of it, also where that is a failure."""
    try:
        return shown(await system[name].ask(f"{key}, about tides and poetry", key=key, params=params))  # type: ignore[arg-type]
    except RequestFailed as failure:
        return [f"failed: {failure}"]


def asking_often(name: str, times: int, **params: object) -> Callable[[System], Awaitable[list[str]]]:
    """Return a client with several requests, one after the other."""

    async def drive(system: System) -> list[str]:
        said: list[str] = []
        for n in range(1, times + 1):
            said += await asked(system, name, f"k{n}", **params)
        return said

    return drive


async def at_rest(system: System) -> None:
    """Wait until nothing is open, background work included."""
    while (await system.pending()).items:
        await system.outside.sleep(0.5)


async def remembering(system: System) -> list[str]:
    """Ask four times; what is done in the background after the second and the fourth is waited for."""
    said: list[str] = []
    for n in range(1, 5):
        said += await asked(system, "pair", f"k{n}")
        if n % 2 == 0:
            await at_rest(system)
    return said


async def coming_and_going(system: System) -> list[str]:
    """Let one join after the first request and one leave after the second; share, take back, and forget."""
    group, said = system.group("crew"), await asked(system, "crew", "k1")
    if await untold(system, "k2"):
        await group.add(agent("late", search))
        await group.attach(Block("notes", "none"))
        await at_rest(system)
    said += await asked(system, "crew", "k2")
    if await untold(system, "k3"):
        with suppress(SpecError):  # it left before the crash
            await group.remove("a")
        await at_rest(system)  # what it had of the group was taken back
    said += await asked(system, "crew", "k3")
    if await untold(system, "k4"):
        with suppress(SpecError):
            await group.detach("notes")
        await group.reset()
        await at_rest(system)
    return said + await asked(system, "crew", "k4")


async def untold(system: System, key: str) -> bool:
    """Return whether the request `key` was not made yet: a client that begins again does not undo what came later."""
    return await system.store.find("group-crew", f"{key}/crew") is None


def changing(after: int) -> Callable[[System], Awaitable[list[str]]]:
    """Return a client that changes who is in the group while it works."""

    async def drive(system: System) -> list[str]:
        group = system.group("crew")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asked, system, "crew", "k1")
            for _ in range(after):
                await checkpoint()
            await group.add(agent("late", search))
            with suppress(SpecError):
                await group.remove("a")
            await group.attach(Block("notes", "none"))
            await group.reset()
        await asked(system, "crew", "k2")
        return []

    return drive


def grow(load: Load) -> int:
    """Return one more than there are, and none after two."""
    return load.members + 1 if load.members < 2 else 0


async def scaling(system: System) -> list[str]:
    """Let a group grow, shrink to nothing and grow again."""
    await system.group("farm").scale(agent("hand", search), between=(0, 3), by=grow)
    said: list[str] = []
    for n in range(1, 5):
        said += await asked(system, "farm", f"k{n}")
        await at_rest(system)  # who is retired is so before it begins again
    return said


def worker(name: str, *tags: str, tool: object = search) -> Agent:
    return Agent(name, f"You are {name}.", description=f"the {name}", tools=[tool], tags=tags)  # type: ignore[list-item]


def choose(name: str) -> Says:
    return [("choose_next_speaker", {"choice": name, "reason": "it fits"})]


def vote(name: str) -> Says:
    return [("vote", {"choice": name, "reason": "it is better"})]


def hand(to: str) -> tuple[str, dict[str, str]]:
    return ("hand_off", {"to": to, "reason": "knows more", "message": "go on"})


def delegate(name: str, task: str) -> tuple[str, dict[str, str]]:
    return ("delegate", {"worker": name, "task": task})


BOSS, A, B, C = agent("boss"), worker("a", "verse"), worker("b", "verse", "poetry", tool=pay), worker("c", tool=publish)
SEEK: Wants = {"a": [("search", {"query": "x"})], "b": [("pay", {})], "c": [("publish", {"text": "y"})]}
NOTE = ("memory_append", {"label": "plan", "text": "a line"})
SHARED = Block("plan", "nothing yet")
INNER = Group("inner", (agent("d"), agent("e", search)), RoundRobin())

TEAMS = [
    Scenario(
        "dynamic: by tool, in prose, not at all, over",
        (Group("talk", (A, B, C), Dynamic(max_turns=5), manager=BOSS),),
        lines({"boss": [choose("a"), "I think b is next.", "Well,", "a or perhaps c", "DONE!"]}, SEEK),
        asking_often("talk", 1),
    ),
    Scenario(
        "supervisor: two at once, one of them a group, then all",
        (Group("lead", (A, INNER), Supervisor(), manager=BOSS),),
        lines(
            {
                "boss": [
                    [delegate("a", "look it up"), delegate("inner", "talk about it")],
                    [("send_message_to_all_agents_in_group", {"message": "once more"})],
                    "That is all.",
                ]
            },
            SEEK,
        ),
        asking_often("lead", 1),
    ),
    Scenario(
        "sleeptime: a job that fails loses nothing",
        (Group("pair", (agent("night"),), Sleeptime(every=2), manager=agent("day", search), blocks=(SHARED,)),),
        lines(
            {"night": [[NOTE], [("memory_finish_edits", {})]]},
            {"day": [("search", {"query": "x"})]},
            down=("@k2/pair/3",),
        ),
        remembering,
    ),
    Scenario(
        "pipeline with a stage that fails",
        (Group("line", (A, agent("broken"), B), Pipeline()),),
        lines({}, SEEK, down=("broken",)),
        asking_often("line", 1),
    ),
    Scenario(
        "parallel tasks, merged",
        (Group("field", (A, B, INNER), Parallel(max_concurrency=2), manager=BOSS),),
        lines({"boss": ["merged"]}, SEEK),
        asking_often("field", 1, tasks={"a": "one", "inner": "two", "b": "three"}),
    ),
    Scenario(
        "handoff over two requests",
        (Group("desk", (A, B), Handoff()),),
        lines({"a": [[hand("a")], [hand("b")], "a says so"], "b": ["b says so", [hand("a")]]}),
        asking_often("desk", 2),
    ),
    Scenario(
        "consensus in two rounds",
        (Group("jury", (A, B, C), Consensus(("left", "right"), max_rounds=2)),),
        lines({"a": [vote("left"), vote("right")], "b": ["I am for right."], "c": ["no", "idea", vote("RIGHT")]}),
        asking_often("jury", 1),
    ),
    Scenario(
        "debate",
        (Group("hall", (A, B), Debate(), manager=BOSS),),
        lines({"boss": ["peace"]}, SEEK),
        asking_often("hall", 1),
    ),
    Scenario("route", (Group("door", (A, B, C), Route()),), lines({}, SEEK), asking_often("door", 2)),
    Scenario(
        "a failure is tried once more",
        (Group("again", (A, agent("broken"), B), RoundRobin(), on_failure="retry"),),
        lines({}, SEEK, down=("broken", "@k1/again/1/")),
        asking_often("again", 2),
    ),
    Scenario(
        "a failure goes to another",
        (Group("other", (worker("broken", "verse"), A), Parallel(), on_failure="reroute"),),
        lines({}, SEEK, down=("broken",)),
        asking_often("other", 2),
    ),
    Scenario(
        "a failure ends the request",
        (Group("strict", (A, agent("broken"), B), Parallel(), on_failure="fail"),),
        lines({}, SEEK, down=("broken",)),
        asking_often("strict", 1),
        loose=True,
    ),
    Scenario(
        "a standby takes over",
        (Group("duty", (A, B), Supervisor(), manager=agent("broken"), standby=(BOSS,)),),
        lines({"boss": [[delegate("a", "x")], "Done."]}, SEEK, down=("broken",)),
        asking_often("duty", 2),
    ),
    Scenario(
        "a block of the group, one joins, one leaves",
        (Group("crew", (agent("a", pay), agent("b", search), INNER), RoundRobin(), blocks=(SHARED,)),),
        script({"a": [("pay", {}), NOTE], "b": [("search", {"query": "x"})], "e": [NOTE], "late": [NOTE]}),
        coming_and_going,
    ),
    Scenario(
        "a group grows and shrinks",
        (Group("farm", (A,), Parallel(), blocks=(SHARED,)),),
        script({"a": [NOTE]}),
        scaling,
    ),
    *[
        Scenario(
            f"one joins, one leaves after {after}",
            (Group("crew", (agent("a", pay), agent("b", search), INNER), RoundRobin(), blocks=(SHARED,)),),
            script({"a": [("pay", {}), NOTE], "b": [("search", {"query": "x"})], "e": [NOTE], "late": [NOTE]}),
            changing(after),
            loose=True,
        )
        for after in (3, 30, 90)
    ],
]
