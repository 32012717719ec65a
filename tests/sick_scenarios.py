"""Runs that are sick, each in its own way, and runs that look so and are healthy: their logs are kept in `symptoms`."""

from __future__ import annotations

import json
from collections.abc import Callable

from callboard import (
    Agent,
    Block,
    Board,
    Dynamic,
    Group,
    Handoff,
    ModelReply,
    ModelRequest,
    RoundRobin,
    Sleeptime,
    Supervisor,
    ToolContext,
    tool,
)
from callboard.actors.messaging import ASK, TELL

from .scripted import Scenario, agent, asking
from .team_scenarios import NOTE, asking_often, choose, delegate, hand, lines, remembering
from .world import Script, life, search

Uses = list[tuple[str, dict[str, str]]]


@tool(effect="read", may_repeat=30)
async def poll(context: ToolContext) -> str:
    """Look whether it is there."""
    return await life().use(context.key, "not yet")


def doing(what: Callable[[str, int], str | Uses]) -> Script:
    """Return a model whose n-th reply, from 0, is `what(agent, n)`: a text, or tools."""

    def reply(request: ModelRequest) -> ModelReply:
        said = what(request.agent, sum(message["role"] == "assistant" for message in request.messages))
        if isinstance(said, str):
            return ModelReply(said)
        return ModelReply("", [(name, json.dumps(arguments)) for name, arguments in said])

    return reply


def telling(to: dict[str, list[str]], turns: int) -> Script:
    """Return a model that tells others something new in so many turns, then nobody."""

    def what(name: str, n: int) -> str | Uses:
        if n % 2 or n >= 2 * turns or name not in to:
            return f"{name} has done {n}"
        return [(TELL, {"message": f"{name} says {n}", "other_agent": other}) for other in to[name]]

    return doing(what)


def calling(*uses: tuple[str, dict[str, str]], times: int) -> Script:
    """Return a model that calls these tools one after the other, so often, then answers."""
    return doing(lambda name, n: f"{name} gives up" if n >= times else [uses[n % len(uses)]])


def replacing(name: str, n: int) -> str | Uses:
    """Say what an agent does that wants its own word in the block `plan`."""
    old, new = ("left", "right") if name == "a" else ("right", "left")
    return f"{name} mended it, time {n}" if n % 2 else [("memory_replace", {"label": "plan", "old": old, "new": new})]


def teller(name: str) -> Agent:
    return Agent(name, f"You are {name}.", tools=[TELL, ASK])


A, B, C, BOSS = agent("a"), agent("b"), agent("c"), agent("boss")
PLAN = Block("plan", "turn left")
TASK = {"id": "t1", "description": "a map", "assigned_to": "a", "status": "in_progress", "due_date": "2025-12-31"}
LATE = Board(value={"active_tasks": [TASK]})
TIMELY = Board(
    value={
        "active_tasks": [
            {**TASK, "status": "completed"},
            {**TASK, "id": "t2", "due_date": "2026-01-01", "assigned_to": "", "status": "pending"},
            {"id": "t3", "description": "a sketch"},
        ]
    }
)
TREE = {f"{x}{n}": [f"x{n + 1}", f"y{n + 1}"] for n in range(5) for x in "xy"}

SICK: dict[str, tuple[Scenario, list[str]]] = {
    "alternation-messages": (
        Scenario(
            "messages that go to and fro",
            (teller("a"), teller("b")),
            telling({"a": ["b"], "b": ["a"]}, 6),
            asking("a"),
        ),
        ["alternation a,b 4/4"],
    ),
    "alternation-ring": (
        Scenario(
            "messages round a ring of three",
            (teller("a"), teller("b"), teller("c")),
            telling({"a": ["b"], "b": ["c"], "c": ["a"]}, 5),
            asking("a"),
        ),
        ["alternation a,b,c 4/4"],
    ),
    "alternation-groups": (
        Scenario(
            "messages from group to group",
            (Group("one", (teller("a"),), RoundRobin()), Group("two", (teller("b"),), RoundRobin())),
            telling({"a": ["two"], "b": ["one"]}, 5),
            asking("one"),
        ),
        ["alternation a,two,b,one 4/4"],
    ),
    "alternation-handoffs": (
        Scenario(
            "the talk is handed to and fro",
            (Group("desk", (A, B), Handoff()),),
            doing(lambda name, n: [hand("b" if name == "a" else "a")] if n < 5 else f"{name} at last"),
            asking("desk"),
        ),
        ["alternation a,b 4/4"],
    ),
    "same_call": (
        Scenario(
            "the same call again and again",
            (agent("a", search),),
            calling(("search", {"query": "x"}), times=9),
            asking("a"),
        ),
        ["same_call a 6/6"],
    ),
    "same_state": (
        Scenario(
            "thanks for thanks",
            (Group("pair", (A, B), RoundRobin(max_turns=14)),),
            doing(lambda name, n: "Thank you!" if name == "a" else "No, thank you!"),
            asking("pair"),
        ),
        ["same_state a 5/5", "same_state b 5/5"],
    ),
    "monologue": (
        Scenario(
            "three calls in turn, and nothing new",
            (agent("a", search),),
            calling(*(("search", {"query": query}) for query in "xyz"), times=15),
            asking("a"),
        ),
        ["monologue a 12/12"],
    ),
    "starvation": (
        Scenario(
            "one is never chosen",
            (Group("talk", (A, B, C), Dynamic(max_turns=25), manager=BOSS),),
            doing(lambda name, n: choose("ab"[n % 2]) if name == "boss" else f"{name} goes on to {n}"),
            asking("talk"),
        ),
        ["starvation c,talk 24/24"],
    ),
    "undoing": (
        Scenario(
            "two who undo each other's edits",
            (Group("pair", (agent("a", blocks=(PLAN,)), agent("b", blocks=(PLAN,))), RoundRobin(max_turns=6)),),
            doing(replacing),
            asking("pair"),
        ),
        ["undoing a,b 3/3"],
    ),
    "fan_out": (
        Scenario(
            "each tells two others",
            tuple(teller(name) for name in dict.fromkeys([*TREE, *(one for to in TREE.values() for one in to)])),
            telling(TREE, 99),
            asking("x0"),
        ),
        ["fan_out x0 5/5"],
    ),
    "overdue_task": (
        Scenario(
            "a task that was due the day before",
            (agent("a", blocks=(LATE,)),),
            calling(("task_update", {"label": "tasks", "id": "t1", "notes": "still at it"}), times=1),
            asking("a"),
        ),
        ["overdue_task a 1/1"],
    ),
}
"""By the name of its log, with the symptoms that it shows: kind, who, and what was measured against which limit."""

HEALTHY: dict[str, Scenario] = {
    "board": Scenario(
        "tasks that are in time, done, or have no date",
        (Group("pair", (agent("a", blocks=(TIMELY,)), agent("b", blocks=(TIMELY,))), RoundRobin(max_turns=2)),),
        calling(("task_claim", {"label": "tasks"}), ("task_claim", {"label": "tasks"}), times=2),
        asking("pair"),
    ),
    "round-robin": Scenario(
        "a long round robin",
        (Group("talk", (agent("a", search), B, C), RoundRobin(max_turns=40)),),
        doing(lambda name, n: f"{name} adds the point {n}"),
        asking("talk"),
    ),
    "polling": Scenario(
        "a tool that polls and says so", (agent("a", poll),), calling(("poll", {}), times=11), asking("a")
    ),
    "supervisor": Scenario(
        "the same member gets five tasks",
        (Group("lead", (A, B), Supervisor(), manager=BOSS),),
        lines({"boss": [*([delegate("a", f"task {n}")] for n in range(5)), "All five are done."], "a": ["Done."]}),
        asking("lead"),
    ),
    "sleeptime": Scenario(
        "memory in the background",
        (Group("pair", (agent("night"),), Sleeptime(every=2), manager=agent("day"), blocks=(Block("plan"),)),),
        lines({"night": [[NOTE], [("memory_finish_edits", {})]]}),
        remembering,
    ),
    "many-requests": Scenario(
        "the same question in ten requests",
        (agent("a", search),),
        doing(lambda name, n: "The same." if n % 2 else [("search", {"query": "x"})]),
        asking_often("a", 10),
    ),
    "consulting": Scenario(
        "one asks another six times",
        (teller("a"), B),
        doing(
            lambda name, n: (
                [(ASK, {"message": f"question {n}", "other_agent": "b"})]
                if name == "a" and n < 6
                else f"{name} says {n}"
            )
        ),
        asking("a"),
    ),
}
"""By the name of its log; nothing is found in these."""
