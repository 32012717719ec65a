"""Model calls under load, in whole systems: who is asked, when, and what the log says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from rich.console import Console

from callboard import Agent, Block, MemoryStore, ModelReply, ModelRequest, RequestFailed, System, tool
from callboard.actors.breaker import FAILURES, PAUSE, WINDOW, Breaker
from callboard.actors.calls import MAX_ATTEMPTS
from callboard.actors.fallbacks import KINDS
from callboard.actors.providers import CALLS_AT_ONCE
from callboard.actors.team import load_team
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import Event, ModelError, SpecError
from callboard.events.catalog import (
    ActorRestarted,
    ModelAttemptFailed,
    ModelCallFinished,
    ModelCallRequested,
    ModelCallStarted,
    ToolCallFinished,
)
from callboard.projections import fold, pending
from callboard.projections.shapes import span_shape
from callboard.projections.spans import ModelSpan, walk
from callboard.projections.trace import trace_roots
from callboard.projections.usage import usage
from callboard.scripts.tree import tree

from .logs import audited, checked, rows_of
from .test_supervision import Clock, failing

E = TypeVar("E", bound=Event)

PATIENCE = 20.0
"""Seconds after which a test has hung."""


class Slow:
    """A model that replies once it may; it counts how many it is asked for at once.

    Attributes:
        asked: Names of agents, in the order of their requests.
    """

    def __init__(self, at_once: int | None = None) -> None:
        self.at_once = at_once
        self.asked: list[str] = []
        self.running = self.most = 0
        self.may = anyio.Event()
        self.hanging = set[str]()

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        self.asked.append(request.agent)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if request.agent in self.hanging:
                self.hanging.discard(request.agent)
                await anyio.sleep_forever()
            await self.may.wait()
            await checkpoint()
        finally:
            self.running -= 1
        wants = request.agent == "chatty" and self.asked.count("chatty") < 30
        return ModelReply("" if wants else "done", [("look", "{}")] if wants else ())


@tool(effect="read")
def look() -> str:
    """Look."""
    return "seen"


GATE: list[anyio.Event] = []


@tool(effect="read")
async def dawdle() -> str:
    """Take a while."""
    await GATE[-1].wait()
    return "at last"


async def of(store: MemoryStore, kind: type[E]) -> list[E]:
    return [event.data async for event in store.read_all() if isinstance(event.data, kind)]


@asynccontextmanager
async def patient() -> AsyncGenerator[TaskGroup]:
    """Wait for tasks, but not for ever."""
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            yield tasks


async def until(store: MemoryStore, kind: type[Event], many: int) -> None:
    """Wait until the log holds so many events of a kind, and nothing goes on by itself."""
    with anyio.fail_after(PATIENCE):
        while len(await of(store, kind)) < many:
            await checkpoint()
    for _ in range(50):
        await checkpoint()


async def asked_for(system: System, names: Sequence[str], model: Slow, first: str) -> None:
    """Ask all of `names` while the model takes its time with `first`, then let it reply to all."""
    store = system.store
    assert isinstance(store, MemoryStore)
    async with patient() as tasks:
        tasks.start_soon(system[first].ask, "go")
        await until(store, ModelCallStarted, 1)
        for name in names:
            tasks.start_soon(system[name].ask, "go")
        await until(store, ModelCallRequested, 1 + len(names))
        started = {event.id.split("/")[1] for event in await of(store, ModelCallStarted)}
        assert started == {first}, "a call that waits for a slot has not started"
        model.may.set()


@pytest.mark.parametrize("blocks", [(), (Block("plan"),)])
async def test_one_chatty_agent_among_twenty_has_one_call_in_each_round(blocks: tuple[Block, ...]) -> None:
    model, store, names = Slow(), MemoryStore(), [f"a{n}" for n in range(20)]
    async with System.open(store, model=model, calls_at_once=1) as system:
        for name in (*names, "chatty"):
            await system.start(Agent(name, tools=[look] if name == "chatty" else (), blocks=blocks))
        await asked_for(system, names, model, "chatty")
    last = max(model.asked.index(name) for name in names)
    assert model.most == 1
    assert model.asked[: last + 1].count("chatty") <= 2
    assert Counter(model.asked) == Counter({"chatty": 30, **dict.fromkeys(names, 1)})


async def test_a_model_is_asked_by_no_more_at_once_than_it_says() -> None:
    model, store, names = Slow(at_once=3), MemoryStore(), [f"a{n}" for n in range(10)]
    async with System.open(store, model=model) as system, patient() as tasks:
        for name in names:
            await system.start(Agent(name))
            tasks.start_soon(system[name].ask, "go")
        await until(store, ModelCallRequested, 10)
        assert (len(await of(store, ModelCallStarted)), model.running) == (3, 3)
        model.may.set()
    assert (len(await of(store, ModelCallFinished)), model.most) == (10, 3)


async def hung(system: System, model: Slow, end: Callable[[], object]) -> str:
    """Let `a` have the one slot and hang; return what `b` answers after `end`."""
    model.hanging.add("a")
    model.may.set()
    await system.start(Agent("a"))
    await system.start(Agent("b"))
    assert isinstance(system.store, MemoryStore)
    await system["a"].tell("go", key="k")
    await until(system.store, ModelCallStarted, 1)
    assert model.asked == ["a"]
    end()
    with anyio.fail_after(PATIENCE):
        return (await system["b"].ask("go")).text


async def test_a_cancelled_call_is_broken_off_and_its_slot_given_back() -> None:
    model = Slow()
    async with System.open(MemoryStore(), model=model, calls_at_once=1) as system, patient() as tasks:
        assert await hung(system, model, lambda: tasks.start_soon(system["a"].cancel, "k")) == "done"
    assert (model.asked, model.running) == (["a", "b"], 0)


async def test_an_actor_that_begins_again_gives_its_slot_back_and_asks_anew() -> None:
    model, store = Slow(), MemoryStore()
    async with System.open(store, model=model, calls_at_once=1) as system:
        assert await hung(system, model, lambda: system.restart("agent-a")) == "done"
    assert model.most == 1 and sorted(model.asked) == ["a", "a", "b"]
    assert [event.attempt for event in await of(store, ModelCallStarted) if "/a/" in event.id] == [1, 2]


async def test_an_actor_that_begins_again_while_it_waits_has_one_place() -> None:
    model, store = Slow(), MemoryStore()
    async with System.open(store, model=model, calls_at_once=1) as system:
        for name in "abc":
            await system.start(Agent(name))
        async with patient() as tasks:
            tasks.start_soon(system["a"].ask, "go")
            await until(store, ModelCallStarted, 1)
            for name in "bc":
                tasks.start_soon(system[name].ask, "go")
            await until(store, ModelCallRequested, 3)
            system.restart("agent-b")
            model.may.set()
    assert sorted(model.asked) == ["a", "b", "c"] and model.most == 1


async def test_an_actor_that_fails_gives_its_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, 2)
    model = ScriptedModel({"writer": ["tides"], "other": ["ebb"]})
    outside = Clock().outside()
    async with System.open(MemoryStore(), model=model, calls_at_once=1, outside=outside) as system:
        writer, other = await system.start(Agent("writer")), await system.start(Agent("other"))
        with anyio.fail_after(PATIENCE):
            assert (await writer.ask("go")).text == "tides"
            assert (await other.ask("go")).text == "ebb"


async def test_an_agent_has_no_slot_while_a_tool_of_it_runs() -> None:
    GATE.append(anyio.Event())
    model = ScriptedModel({"a": [calls(("look", {}), ("dawdle", {})), "done"], "b": ["hi"]})
    store = MemoryStore()
    async with System.open(store, model=model, calls_at_once=1) as system, patient() as tasks:
        await system.start(Agent("a", tools=[look, dawdle]))
        other = await system.start(Agent("b"))
        tasks.start_soon(system["a"].ask, "go")
        await until(store, ToolCallFinished, 1)
        with anyio.fail_after(PATIENCE):
            assert (await other.ask("go")).text == "hi"
        GATE.pop().set()


async def test_a_plain_call_with_a_free_slot_begins_in_the_append_that_wants_it() -> None:
    store = MemoryStore()
    async with System.open(store, model=ScriptedModel({"a": ["hi"]})) as system:
        await (await system.start(Agent("a"))).ask("go")
    [started] = [event async for event in store.read_all() if event.type == "ModelCallStarted"]
    assert started.causation_id is not None
    [wanted] = [event async for event in store.read_all() if event.type == "ModelCallRequested"]
    assert (started.version, started.recorded_at) == (wanted.version + 1, wanted.recorded_at)


# -- fallback models ------------------------------------------------------------------------------


def by_model(says: Mapping[str, Sequence[str | Exception]]) -> ScriptedModel:
    """Return a model that says to each attempt what it has for the name that is asked for."""
    left = {name: list(said) for name, said in says.items()}

    def reply(request: ModelRequest) -> str | Exception:
        return left[request.model].pop(0)

    return ScriptedModel({"a": [reply] * sum(map(len, says.values()))})


def busy(kind: str = "rate_limit", *, retry: bool = True) -> ModelError:
    return ModelError("not now", kind=kind, retry=retry, retry_after=90.0)


async def attempts(store: MemoryStore) -> list[tuple[int, str, str]]:
    """Return the attempts of a log that its trace shows, each as (number, model, failure)."""
    events = [event async for event in store.read_all()]
    calls = [span for root in trace_roots(events) for span in walk(root) if isinstance(span, ModelSpan)]
    return [(attempt.number, attempt.model, attempt.failure) for call in calls for attempt in call.attempts]


async def test_another_model_is_asked_at_once_and_the_log_says_so() -> None:
    model, store, clock = by_model({"big": [busy()], "nano": ["hi"]}), MemoryStore(), Clock()
    async with System.open(store, model=model, outside=clock.outside()) as system:
        asked = await system.start(Agent("a", model="big", fallback={"rate_limit": "nano"}))
        assert (await asked.ask("go")).text == "hi"
    assert [(request.model, request.attempt) for request in model.requests] == [("big", 1), ("nano", 2)]
    assert await attempts(store) == [(1, "big", "rate_limit"), (2, "nano", "")]
    assert clock.pauses == [0.0], "the pause protects the model that failed, which is not asked"


async def test_a_failure_of_another_class_asks_the_same_model_after_its_pause() -> None:
    model, store, clock = by_model({"big": [busy("server"), "hi"]}), MemoryStore(), Clock()
    async with System.open(store, model=model, outside=clock.outside()) as system:
        await (await system.start(Agent("a", model="big", fallback={"rate_limit": "nano"}))).ask("go")
    assert (await attempts(store), clock.pauses) == ([(1, "big", "server"), (2, "big", "")], [90.0])


async def test_a_failure_for_good_ends_the_call_only_where_no_other_model_is_left() -> None:
    model, store = by_model({"big": [busy("context", retry=False)], "wide": [busy("auth", retry=False)]}), MemoryStore()
    async with System.open(store, model=model, outside=Clock().outside()) as system:
        asked = await system.start(Agent("a", model="big", fallback={"context": "wide"}))
        with pytest.raises(RequestFailed, match="not now"):
            await asked.ask("go")
    assert await attempts(store) == [(1, "big", "context"), (2, "wide", "auth")]


async def test_a_name_of_models_leads_to_another_provider() -> None:
    own, local, store = by_model({"": [busy()]}), by_model({"": ["from here"]}), MemoryStore()
    async with System.open(store, model=own, models={"local": local}, outside=Clock().outside()) as system:
        answer = await (await system.start(Agent("a", fallback="local"))).ask("go")
    assert (answer.text, [request.model for request in local.requests]) == ("from here", [""])
    assert await attempts(store) == [(1, "", "rate_limit"), (2, "local", "")]


async def test_the_trace_prints_and_says_which_model_each_attempt_asked() -> None:
    model, store = by_model({"big": [busy()], "nano": ["hi"]}), MemoryStore()
    async with System.open(store, model=model, outside=Clock().outside()) as system:
        await (await system.start(Agent("a", model="big", fallback="nano"))).ask("go")
    [root] = trace_roots([event async for event in store.read_all()])
    screen = Console(width=100)
    with screen.capture() as said:
        screen.print(tree(root, full=False))
    assert "attempt 1 big rate_limit not now" in said.get()
    assert "model call 1 nano" in said.get()
    assert "'number': 2, 'model': 'nano'" in str(span_shape(root))


# -- the circuit breaker --------------------------------------------------------------------------


async def test_a_model_that_keeps_failing_is_left_alone_for_a_while_and_the_log_says_why() -> None:
    model, store, clock = by_model({"": [busy("server")] * 2 + ["hi"]}), MemoryStore(), Clock()
    breaker = Breaker(failures=2, window=1000, pause=300)
    async with System.open(store, model=model, breaker=breaker, outside=clock.outside()) as system:
        assert (await (await system.start(Agent("a"))).ask("go")).text == "hi"
    assert await attempts(store) == [(1, "", "server"), (2, "", "server"), (3, "", "circuit_open"), (4, "", "")]
    [refused] = [event for event in await of(store, ModelAttemptFailed) if not event.sent]
    assert refused.text == "the model keeps failing (server); it is not asked before 00:06:30 UTC"
    assert (clock.pauses, len(model.requests)) == ([90.0, 90.0, 210.0], 3)
    assert fold(usage, [event async for event in store.read_all()]).total.failed_attempts == 2


async def test_an_open_circuit_leads_to_the_fallback() -> None:
    says = {"big": [busy("server"), busy("server", retry=False)], "nano": ["one", "two"]}
    model, store, clock = by_model(says), MemoryStore(), Clock()
    async with System.open(store, model=model, breaker=Breaker(failures=1), outside=clock.outside()) as system:
        asked = await system.start(Agent("a", model="big", fallback="nano"))
        assert [(await asked.ask(text)).text for text in ("go", "on")] == ["one", "two"]
    tried = [(1, "big", "server"), (2, "nano", ""), (1, "big", "circuit_open"), (2, "nano", "")]
    assert (await attempts(store), clock.pauses) == (tried, [0.0, 0.0])


async def test_models_fail_apart_and_without_a_breaker_none_is_left_alone() -> None:
    model, store = by_model({"": [busy("server")] * 4 + ["hi"]}), MemoryStore()
    async with System.open(store, model=model, breaker=None, outside=Clock().outside()) as system:
        await (await system.start(Agent("a"))).ask("go")
    assert [failure for _, _, failure in await attempts(store)] == ["server"] * 4 + [""]


async def test_a_log_with_attempts_that_did_not_go_out_is_whole() -> None:
    model, store = by_model({"": [busy("server"), "hi"]}), MemoryStore()
    breaker = Breaker(failures=1, pause=300)
    async with System.open(store, model=model, breaker=breaker, outside=Clock().outside()) as system:
        await (await system.start(Agent("a"))).ask("go")
    assert (checked(rows_of(store)).findings.kept, audited(rows_of(store)).findings) == ([], [])
    assert fold(pending, [event async for event in store.read_all()]).items == {}


async def test_a_model_without_a_name_is_refused() -> None:
    with pytest.raises(SpecError, match="a model of `models` has no name"):
        async with System.open(MemoryStore(), model=ScriptedModel({}), models={"": ScriptedModel({})}):
            pass


def test_the_page_names_the_defaults_and_its_team_file_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "models.md").read_text()
    for what, value in (
        ("model calls in flight, whole system", CALLS_AT_ONCE),
        ("attempts of one call", MAX_ATTEMPTS),
        ("breaker: failures in a row", FAILURES),
        ("breaker: within", f"{WINDOW:g} s"),
        ("breaker: pause", f"{PAUSE:g} s"),
    ):
        assert f"| {what} | {value} |" in page
    (tmp_path / "team.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    assert load_team(tmp_path / "team.toml").models.keys() == {"local"}
    assert all(f"`{kind}`" in page for kind in KINDS)


async def test_a_reply_that_is_none_fails_the_attempt_and_not_the_actor() -> None:
    class Wrong:
        async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
            return None  # type: ignore[return-value]

    store = MemoryStore()
    async with System.open(store, model=Wrong(), outside=Clock().outside()) as system:
        asked = await system.start(Agent("a"))
        with pytest.raises(RequestFailed, match="AttributeError: 'NoneType' object has no attribute 'text'"):
            await asked.ask("go")
    assert [event.kind for event in await of(store, ModelAttemptFailed)] == ["error"]
    assert await of(store, ActorRestarted) == []
