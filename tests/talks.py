"""A talk of every pattern, and of a group whose members fail, come and go, as logs to read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import anyio

from callboard import (
    Agent,
    Block,
    Consensus,
    Debate,
    Dynamic,
    Group,
    GroupRef,
    Handoff,
    MemoryStore,
    ModelReply,
    Parallel,
    Pipeline,
    RequestFailed,
    RoundRobin,
    Route,
    Sleeptime,
    SQLiteStore,
    Supervisor,
    System,
    VoiceSleeptime,
)
from callboard.actors.scaling import Load, one_each
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import EventStore, ModelError, RecordedEvent

Script = Mapping[str, Sequence[str | ModelReply | Exception]]
DOWN = ModelError("no credit", kind="auth", retry=False)
"""A model that is of no use."""


@dataclass
class Clock:
    """A clock that goes on by half a second each time that it is read."""

    ticks: int = 0

    def now(self) -> datetime:
        """Return the time."""
        self.ticks += 1
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.ticks / 2)


@dataclass(frozen=True)
class Talk:
    """A group, what its models say, and what is done with it."""

    group: Group
    script: Script
    drive: Callable[[System, GroupRef], Awaitable[None]]


@dataclass(frozen=True)
class Asking:
    """Ask each of these in turn; the n-th request is called `k<n>`. An answer that fails is one, too."""

    texts: tuple[str, ...] = ("tides",)
    params: dict[str, object] = field(default_factory=dict[str, object])

    async def __call__(self, system: System, group: GroupRef) -> None:
        for n, text in enumerate(self.texts, start=1):
            try:
                await group.ask(text, params=self.params, key=f"k{n}")  # type: ignore[arg-type]
            except RequestFailed:
                pass
            await system.quiet()


def agent(name: str, *tags: str) -> Agent:
    """Return an agent."""
    return Agent(name, f"You are {name}.", description=f"the {name}", tags=tags)


def used(name: str, *arguments: str, **more: str) -> ModelReply:
    """Return a reply that calls one tool."""
    return calls((name, dict(zip(arguments[::2], arguments[1::2], strict=True)) | more))


def picks(name: str, reason: str = "it is their turn") -> ModelReply:
    """Return a manager's choice."""
    return used("choose_next_speaker", choice=name, reason=reason)


def votes(choice: str, reason: str) -> ModelReply:
    """Return a vote."""
    return used("vote", choice=choice, reason=reason)


async def live(system: System, group: GroupRef) -> None:
    """Let members come and go, share and take back a block, reset, scale, and retire."""
    await Asking(("tides",))(system, group)
    await group.add(agent("editor"))
    await group.attach(Block("plan", "First tides."))
    await group.remove("critic")
    await group.ask("moon", key="k2")
    await group.detach("plan")
    await group.reset()
    await group.scale(agent("hand"), between=(2, 3))
    await group.ask("sun", key="k3")
    await group.retire()
    await system.quiet()


def none(load: Load) -> int:
    """Return no member, whatever the load."""
    return 0


async def shrink(system: System, group: GroupRef) -> None:
    """Let members made from a template come, go, and come again."""
    hand = agent("hand")
    for n, rule in enumerate((one_each, none, one_each, none), start=1):
        await group.scale(hand, between=(0 if rule is none else 2, 2), by=rule)
        await group.ask("tides", key=f"k{n}")
        await system.quiet()


WRITER, CRITIC, BOSS, SECOND = agent("writer", "prose"), agent("critic", "prose"), agent("boss"), agent("second")
PAIR = (WRITER, CRITIC)

TALKS = {
    "round_robin": Talk(Group("team", PAIR, RoundRobin(2)), {"writer": ["A draft."], "critic": ["Weak."]}, Asking()),
    "dynamic": Talk(
        Group("team", PAIR, Dynamic(max_turns=3), manager=BOSS),
        {
            "boss": [picks("writer", "nobody has written yet"), "I think critic should speak.", "no idea", "either"],
            "writer": ["A draft.", "A third."],
            "critic": ["Weak."],
        },
        Asking(),
    ),
    "supervisor": Talk(
        Group("team", PAIR, Supervisor(), manager=BOSS),
        {
            "boss": [
                calls(
                    ("delegate", {"worker": "writer", "task": "write of tides"}),
                    ("delegate", {"worker": "critic", "task": "list mistakes"}),
                ),
                used("send_message_to_all_agents_in_group", message="once more, shorter"),
                "The essay.",
            ],
            "writer": ["Long text.", "Short text."],
            "critic": ["Ten mistakes.", "Two mistakes."],
        },
        Asking(),
    ),
    "pipeline": Talk(
        Group("team", PAIR, Pipeline(stages={"writer": "draft"})), {"writer": ["A."], "critic": ["B."]}, Asking()
    ),
    "parallel": Talk(
        Group("team", PAIR, Parallel(), manager=BOSS),
        {"writer": ["Of x."], "critic": ["Of y."], "boss": ["Of both."]},
        Asking(params={"tasks": {"writer": "do x", "critic": "do y"}}),
    ),
    "handoff": Talk(
        Group("team", PAIR, Handoff()),
        {
            "writer": [used("hand_off", to="critic", reason="needs an eye", message="look at line 2")],
            "critic": ["Line 2 is fine.", "Still fine."],
        },
        Asking(("tides", "more")),
    ),
    "consensus": Talk(
        Group("team", (*PAIR, SECOND), Consensus(["tea", "coffee"], max_rounds=2)),
        {
            "writer": [votes("tea", "it is warm"), votes("coffee", "so be it")],
            "critic": ["coffee of course", votes("coffee", "awake")],
            "second": ["hm", "hm?", votes("coffee", "fine")],
        },
        Asking(),
    ),
    "debate": Talk(
        Group("team", PAIR, Debate(), manager=BOSS),
        {"writer": ["It is so.", "It is."], "critic": ["It is not.", "Not."], "boss": ["Peace."]},
        Asking(),
    ),
    "route": Talk(
        Group("team", (agent("poet", "verse"), agent("clerk", "sums")), Route()),
        {"poet": ["A verse."], "clerk": ["Four."]},
        Asking(("some sums", "a verse")),
    ),
    "sleeptime": Talk(
        Group("team", (agent("keeper"),), Sleeptime(every=2), manager=BOSS, blocks=(Block("plan", "none"),)),
        {
            "boss": ["One.", "Two.", "Three.", "Four."],
            "keeper": [
                used("memory_append", label="plan", text="said one, two"),
                calls(("memory_finish_edits", {})),
                DOWN,
            ],
        },
        Asking(("one", "two", "three", "four")),
    ),
    "voice": Talk(
        Group("team", (agent("keeper"),), VoiceSleeptime(6, 5), manager=BOSS, blocks=(Block("human", "none"),)),
        {
            "boss": ["One.", "Two.", "Three.", "Four.", "Five.", "Six."],
            "keeper": [
                calls(("store_memories", {"chunks": [{"start_index": 1, "end_index": 4, "context": "numbers"}]})),
                used("rethink_user_memory", new_memory="counts"),
                calls(("finish_rethinking_memory", {})),
                DOWN,
            ],
        },
        Asking(("one", "two", "three", "four", "five", "six")),
    ),
    "retry": Talk(
        Group("team", PAIR, RoundRobin(2), on_failure="retry"),
        {"writer": [DOWN, "A draft."], "critic": [DOWN, DOWN]},
        Asking(),
    ),
    "reroute": Talk(
        Group("team", PAIR, RoundRobin(1), on_failure="reroute"), {"writer": [DOWN], "critic": ["Instead."]}, Asking()
    ),
    "standby": Talk(
        Group("team", PAIR, Dynamic(max_turns=1), manager=BOSS, standby=(SECOND,)),
        {"boss": [DOWN], "second": [picks("critic")], "critic": ["Weak."]},
        Asking(),
    ),
    "fail": Talk(Group("team", PAIR, RoundRobin(2), on_failure="fail"), {"writer": [DOWN]}, Asking()),
    "life": Talk(
        Group("team", PAIR, RoundRobin()),
        {name: ["One.", "Two.", "Three."] for name in ("writer", "critic", "editor", "hand-1", "hand-2")},
        live,
    ),
    "shrunk": Talk(
        Group("team", (WRITER,), RoundRobin(1)),
        {"writer": ["One.", "Two.", "Three.", "Four."]},
        shrink,
    ),
}
"""By the name of the pattern, or of what happens."""


async def work(store: EventStore, name: str) -> None:
    """Leave the talk in `store`."""
    talk = TALKS[name]
    async with System.open(store, model=ScriptedModel(talk.script)) as system:
        group = await system.start(talk.group)
        assert isinstance(group, GroupRef)
        await talk.drive(system, group)


@cache
def log_in_memory(name: str) -> MemoryStore:
    """Return the log of a talk."""

    async def run() -> MemoryStore:
        store = MemoryStore(now=Clock().now)
        await work(store, name)
        return store

    return anyio.run(run)


@cache
def talked(name: str) -> tuple[RecordedEvent, ...]:
    """Return all events of a talk."""
    log = log_in_memory(name)

    async def run() -> tuple[RecordedEvent, ...]:
        return tuple([event async for event in log.read_all()])

    return anyio.run(run)


def write_talk(path: Path, name: str) -> None:
    """Leave a talk in a log at `path`."""

    async def run() -> None:
        async with SQLiteStore.open(path, now=Clock().now) as store:
            await work(store, name)

    anyio.run(run)
