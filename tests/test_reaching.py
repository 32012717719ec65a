"""Tools of the user's own ask and tell other agents while they run: once, whatever crashes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
import pytest
from anyio import from_thread, to_thread
from pydantic import BaseModel

from callboard import Agent, MemoryStore, ModelRequest, RequestFailed, System, Tool, ToolContext, tool
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import CallEnded, DeliveryFailed, Event
from callboard.events.catalog import (
    MessageSent,
    SendAnswered,
    SendCancelling,
    SendFailed,
)
from callboard.projections.spans import ToolSpan, TurnSpan
from callboard.projections.trace import trace_roots

FIRST = "k/a/1.1.1/b"


class Question(BaseModel):
    about: str


@tool(effect="read")
async def consult(context: ToolContext) -> str:
    """Ask b."""
    return f"b says {await context.ask('b', 'why?')}"


async def asked(
    script: Mapping[str, Any], *tools: Tool, to: str = "a", store: MemoryStore | None = None
) -> tuple[str, ScriptedModel]:
    model = ScriptedModel(script)
    with anyio.fail_after(20):
        async with System.open(store or MemoryStore(), model=model) as system:
            await system.start(Agent("b"))
            await system.start(Agent("a", tools=tools))
            answer = await system[to].ask("go", key="k")
            await system.quiet()
            assert not (await system.pending()).items
    model.assert_finished()
    return answer.text, model


def result(model: ScriptedModel) -> str:
    """Return the tool result that the last request of a holds."""
    last = [request for request in model.requests if request.agent == "a"][-1]
    return [words_in(message) for message in last.messages if message["role"] == "tool"][-1]


def using(which: Tool) -> dict[str, Any]:
    return {"a": [calls((which.name, {})), "done"]}


async def test_a_tool_gets_the_answer_of_whom_it_asks() -> None:
    store = MemoryStore()
    _, model = await asked(using(consult) | {"b": ["so"]}, consult, store=store)
    assert result(model) == "b says so" and words_in(model.requests[1].messages[-1]) == "a: why?"
    [root] = trace_roots([event async for event in store.read_all()])
    assert isinstance(root, TurnSpan)
    [call] = [step for step in root.steps if isinstance(step, ToolSpan)]
    assert [(step.id, step.state) for step in call.steps if isinstance(step, TurnSpan)] == [(FIRST, "answered")]


async def test_a_plain_function_asks_from_its_thread_and_sends_a_model_as_json() -> None:
    def sync(context: ToolContext) -> str:
        from_thread.run(context.tell, "b", "note")
        return from_thread.run(context.ask, "b", Question(about="tides"))

    one = Tool(sync)
    _, model = await asked(using(one) | {"b": ["noted", "so"]}, one)
    assert result(model) == "so"
    heard = [words_in(request.messages[-1]) for request in model.requests if request.agent == "b"]
    assert heard == ["a (no reply is awaited): note", 'a: {"about":"tides"}']


async def test_itself_an_unknown_name_and_a_text_that_cannot_be_sent_are_clear_errors() -> None:
    said: list[str] = []

    async def wrong(context: ToolContext) -> None:
        for name, text in (("a", "hi"), ("zoe", "hi"), ("b", " "), ("b", "x\0")):
            with pytest.raises(Exception) as caught:
                await context.ask(name, text)
            said.append(f"{type(caught.value).__name__}: {caught.value}")

    one, store = Tool(wrong), MemoryStore()
    await asked(using(one), one, store=store)
    assert [line.split(":")[0] for line in said] == ["DeliveryFailed", "NoSuchActor", "TextRefused", "TextRefused"]
    assert "is the agent that calls this tool" in said[0] and "nobody called 'zoe'" in said[1]
    assert not [event async for event in store.read_all() if event.type == "MessageSent"]


async def test_a_failure_of_the_other_and_a_circle_are_told_to_the_tool() -> None:
    @tool(effect="read")
    async def back(context: ToolContext) -> str:
        return await context.ask("a", "and you?")

    model = ScriptedModel({"a": [calls(("consult", {})), "A"], "b": [calls(("back", {})), ValueError("no paper")]})
    with anyio.fail_after(20):
        async with System.open(MemoryStore(), model=model) as system:
            await system.start(Agent("b", tools=[back]))
            await system.start(Agent("a", tools=[consult]))
            assert (await system["a"].ask("go", key="k")).text == "A"
    last = [words_in(message) for message in model.requests[2].messages]
    assert "RequestFailed: a: nobody would ever answer: b waits for a waits for b" in last[-1]
    assert "RequestFailed: b: ValueError: no paper" in result(model)


async def test_nothing_is_sent_to_who_is_retired() -> None:
    @tool
    async def both(context: ToolContext) -> None:
        for send in (context.ask, context.tell):
            with pytest.raises(DeliveryFailed, match="b is retired, and takes nothing up any more; reach"):
                await send("b", "why?")

    store = MemoryStore()
    async with System.open(store, model=ScriptedModel(using(both))) as system:
        await (await system.start(Agent("b"))).retire()
        await system.start(Agent("a", tools=[both]))
        await system["a"].ask("go")
    assert not [event async for event in store.read_all() if event.type == "MessageSent"]


class Slow(ScriptedModel):
    """A model of which `b` never answers."""

    async def complete(self, request: ModelRequest, say: Any) -> Any:
        if request.agent == "b":
            await anyio.sleep_forever()
        return await super().complete(request, say)


async def answered(one: Tool, store: MemoryStore | None = None) -> tuple[list[Event], str]:
    """Return what the agent records of a tool that asks somebody who never answers, and its result."""
    model, store = Slow(using(one)), store or MemoryStore()
    with anyio.fail_after(20):
        async with System.open(store, model=model, grace=0) as system:
            await system.start(Agent("b"))
            await system.start(Agent("a", tools=[one]))
            await system["a"].ask("go", key="k")
    return [event.data async for event in store.read_stream("agent-a")], result(model)


async def test_a_tool_that_waits_no_longer_takes_its_message_back() -> None:
    async def brief(context: ToolContext) -> str:
        with pytest.raises(TimeoutError, match="b gave no reply in 0 seconds"):
            await context.ask("b", "why?", timeout=0)
        async for event in store.subscribe():
            if event.type == "SendFailed":
                break
        return "on"

    store = MemoryStore()
    events, text = await answered(Tool(brief), store)
    assert text == "on" and [type(e) for e in events if e.id == FIRST] == [MessageSent, SendCancelling, SendFailed]


async def test_a_tool_whose_time_is_up_takes_its_message_back() -> None:
    events, text = await answered(Tool(consult.function, timeout=0.5))
    assert text.startswith("consult gave no result after 0.5 seconds")
    assert [type(e) for e in events if e.id == FIRST] == [MessageSent, SendCancelling, SendFailed]


async def test_a_thread_whose_time_is_up_waits_no_longer() -> None:
    told, ended = list[str](), threading.Event()

    def sync(context: ToolContext) -> str:
        try:
            return from_thread.run(context.ask, "b", "why?")
        except BaseException as error:
            told.append(type(error).__name__)
            raise
        finally:
            ended.set()

    events, text = await answered(Tool(sync, timeout=0.5))
    assert text.startswith("sync gave no result") and await to_thread.run_sync(ended.wait, 5)
    assert told[0] in ("CancelledError", "CallEnded")
    assert [type(e) for e in events if e.id == FIRST] == [MessageSent, SendCancelling, SendFailed]


async def test_a_cancelled_request_ends_with_what_its_tool_asked() -> None:
    store = MemoryStore()
    with anyio.fail_after(20):
        async with System.open(store, model=Slow(using(consult)), grace=0) as system:
            await system.start(Agent("b"))
            ref = await system.start(Agent("a", tools=[consult]))

            async def ask() -> None:
                with pytest.raises(RequestFailed, match="cancelled"):
                    await ref.ask("go", key="k")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                async for event in store.subscribe():
                    if event.type == "TurnStarted" and event.stream == "agent-b":
                        break
                await ref.cancel("k")
            assert not (await system.pending()).items


async def test_a_tool_that_runs_again_after_a_crash_gets_the_recorded_answer() -> None:
    store, ran = MemoryStore(), list[str]()

    @tool(effect="idempotent")
    async def twice(context: ToolContext) -> str:
        ran.append(await context.ask("b", "why?"))
        if len(ran) == 1:
            await anyio.sleep_forever()
        return ran[-1]

    model = ScriptedModel(using(twice) | {"b": ["so"]})
    with anyio.fail_after(20):
        async with System.open(store, model=model, grace=0) as system:
            await system.start(Agent("b"))
            await system.start(Agent("a", tools=[twice]))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(system["a"].ask, "go", key="k"))
                async for event in store.subscribe():
                    if isinstance(event.data, SendAnswered):
                        break
                while not ran:
                    await anyio.lowlevel.checkpoint()
                system.restart("agent-a")
    assert ran == ["so", "so"] and result(model) == "so"
    assert [e.type for e in [e async for e in store.read_all()] if e.data.id == FIRST].count("MessageSent") == 1


async def test_a_tool_that_asks_another_thing_when_it_runs_again_is_told() -> None:
    store, ran = MemoryStore(), list[str]()

    @tool(effect="read")
    async def fickle(context: ToolContext) -> str:
        ran.append(await context.ask("b", f"try {len(ran)}"))
        await anyio.sleep_forever()
        return ""

    model = ScriptedModel(using(fickle) | {"b": ["so"]})
    with anyio.fail_after(20):
        async with System.open(store, model=model) as system:
            await system.start(Agent("b"))
            await system.start(Agent("a", tools=[fickle]))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(system["a"].ask, "go", key="k"))
                while not ran:
                    await anyio.lowlevel.checkpoint()
                system.restart("agent-a")
    assert result(model).startswith("MessageChanged: message 1 of the tool call 'k/a/1/1' is recorded with another")


async def test_a_context_that_outlives_its_call_or_belongs_to_none_reaches_nobody() -> None:
    kept: list[ToolContext] = []

    async def keep(context: ToolContext) -> None:
        kept.append(context)

    one = Tool(keep)
    await asked(using(one), one)
    with pytest.raises(CallEnded, match="has ended, so nothing was sent"):
        await kept[0].ask("b", "why?")
    with pytest.raises(DeliveryFailed, match="belongs to no agent"):
        await ToolContext("key", "a", "k").tell("b", "hi")


class Deadly(ScriptedModel):
    """A model whose process dies the first times that `b` is asked."""

    deaths = 2
    life: anyio.CancelScope

    async def complete(self, request: ModelRequest, say: Any) -> Any:
        if request.agent == "b" and self.deaths:
            self.deaths -= 1
            self.life.cancel()
            await anyio.sleep_forever()
        return await super().complete(request, say)


async def test_two_that_are_tried_alone_do_not_wait_for_each_other() -> None:
    store, model = MemoryStore(), Deadly(using(consult) | {"b": ["so"]})
    for _ in range(3):
        with anyio.fail_after(10), anyio.CancelScope() as model.life:
            async with System.open(store, model=model) as system:
                await system.start(Agent("b"))
                await system.start(Agent("a", tools=[consult]))
                await system["a"].ask("go", key="k")
                assert not (await system.pending()).items
    assert result(model) == "b says so" and not model.deaths
    resumed = [event.stream async for event in store.read_all() if event.type == "TurnResumed"]
    assert sorted(resumed) == ["agent-a", "agent-a", "agent-b", "agent-b"]
