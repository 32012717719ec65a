"""A team of which texts were erased: it goes on, live and after the next start, and nobody is told what is not so."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from callboard import Agent, Block, Board, Group, MemoryStore, ModelReply, ModelRequest, RoundRobin, System, tool
from callboard.actors import reaching, rules
from callboard.actors.commands import Receive, TakeSend
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import Text
from callboard.events.catalog import MessageReceived, Part
from callboard.events.text import ERASED
from callboard.projections.paths import message_digest
from callboard.projections.request import rebuilt

from .archive_scenarios import ARCHIVES
from .block_scenarios import BLOCKS
from .board_scenarios import BOARDS
from .harness import run, states
from .scripted import Scenario
from .team_scenarios import TEAMS
from .voice_scenarios import VOICE

SECRET = "the code is 4711"


class Held:
    """A model that answers when it may."""

    def __init__(self) -> None:
        self.asked, self.may = anyio.Event(), anyio.Event()
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        self.requests.append(request)
        self.asked.set()
        await self.may.wait()
        return ModelReply(f"{request.agent} answers")


async def first(system: System, kind: str) -> int:
    found = [event.position async for event in system.store.read_all() if event.type == kind]
    return found[0]


async def types(store: MemoryStore) -> list[str]:
    return [event.type async for event in store.read_all()]


@pytest.mark.parametrize("scenario", [*ARCHIVES, *BLOCKS, *BOARDS, *TEAMS, *VOICE], ids=lambda scenario: scenario.name)
async def test_every_stream_folds_when_all_its_texts_are_erased(scenario: Scenario) -> None:
    outcome = await run(scenario, seed=1)
    said = [row.position for row in outcome.log.rows if row.content]
    await outcome.log.redact(said, reason="all of it")
    folded = states([event async for event in outcome.log.read_all()])
    assert folded.keys() == outcome.live.keys()


async def test_who_waits_for_an_answer_gets_it_though_the_question_is_erased() -> None:
    answers, model, store = list[str](), Held(), MemoryStore()
    pair = Group("pair", [Agent("a"), Agent("b")], RoundRobin(max_turns=2))

    async def ask() -> None:
        answers.append((await system["pair"].ask(SECRET, key="k1")).text)

    async with System.open(store, model=model) as system:
        await system.start(pair)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await model.asked.wait()
            await system.redact([await first(system, "MessageReceived")], reason="a secret")
            model.may.set()
        await ask()
    assert answers == ["b answers"] * 2 and len(model.requests) == 2
    assert SECRET not in str(model.requests[1].messages) and ERASED in str(model.requests[1].messages)


async def test_a_tool_that_runs_is_not_in_doubt_since_something_was_erased() -> None:
    began, may, ran, store = anyio.Event(), anyio.Event(), list[int](), MemoryStore()

    @tool
    async def pay(amount: int) -> str:
        """Pay."""
        ran.append(amount)
        began.set()
        await may.wait()
        return "paid"

    async def ask() -> None:
        await system["a"].ask(SECRET, key="k1")

    model = ScriptedModel({"a": [calls(("pay", {"amount": 3})), "done"]})
    async with System.open(store, model=model) as system:
        await system.start(Agent("a", tools=[pay]))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await began.wait()
            await system.redact([await first(system, "MessageReceived")], reason="a secret")
            may.set()
        live = await system.look("agent-a")
    assert ran == [3] and "ToolCallInDoubt" not in await types(store)
    assert live == states([event async for event in store.read_all()])["agent-a"] and SECRET not in str(live)


async def test_however_often_texts_are_erased_no_turn_counts_as_cut_short() -> None:
    model, store = Held(), MemoryStore()

    async def ask(text: str) -> None:
        await system["a"].ask(text)

    async with System.open(store, model=model) as system:
        await system.start(Agent("a"))
        async with anyio.create_task_group() as tasks:
            for n in range(8):
                tasks.start_soon(ask, f"question {n}")
            await model.asked.wait()
            while (await types(store)).count("MessageReceived") < 8:
                await checkpoint()
            for event in [event async for event in store.read_all() if event.type == "MessageReceived"]:
                await system.redact([event.position], reason="one by one")
            model.may.set()
    found = await types(store)
    assert found.count("TurnFinished") == 8 and "TurnResumed" not in found


async def test_a_message_that_is_on_its_way_is_known_as_the_log_has_it() -> None:
    model, store = Held(), MemoryStore()
    pair = Group("pair", [Agent("a"), Agent("b")], RoundRobin(max_turns=2))

    async def ask() -> None:
        await system["pair"].ask("go", key="k1")

    async with System.open(store, model=model) as system:
        await system.start(pair)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await model.asked.wait()
            model.may.set()
            while "ModelCallFinished" not in await types(store):
                await checkpoint()
            await system.redact([await first(system, "ModelCallFinished")], reason="what a said")
        live = {stream: await system.look(stream) for stream in ("agent-a", "agent-b", "group-pair")}
    assert live == states([event async for event in store.read_all()])


async def test_a_call_that_was_prepared_reads_its_blocks_again_when_something_is_erased() -> None:
    model, store = Held(), MemoryStore()
    model.may.set()
    async with System.open(store, model=model) as system:
        ref = await system.start(Agent("a", blocks=[Block("plan", SECRET)]))
        look = system.look

        async def looking(stream: str) -> object:
            found = await look(stream)
            if stream == "block-plan" and SECRET in found.value:
                await system.redact([await first(system, "BlockStarted")], reason="a secret")
            return found

        system.look = looking  # type: ignore[method-assign]
        assert (await ref.ask("go")).text == "a answers"
        assert "ActorRestarted" not in await types(store) and len(model.requests) == 1
    assert SECRET not in str(model.requests) and ERASED in str(model.requests)
    [started] = [event.version async for event in store.read_all() if event.type == "ModelCallStarted"]
    assert await rebuilt(store, "agent-a", started) == model.requests[0].messages


async def test_a_board_with_an_erased_task_is_started_again_and_can_be_mended() -> None:
    store, worker = MemoryStore(), Agent("a", blocks=[Board("tasks")])
    async with System.open(store, model=ScriptedModel({})) as system:
        await system.start(worker)
        await system.block("tasks").edit("task_add", description=SECRET)
        await system.redact([await first(system, "BlockEdited")], reason="a secret")
    async with System.open(store, model=ScriptedModel({})) as system:
        await system.start(worker)
        assert ERASED in await system.block("tasks").value()
        await system.block("tasks").rewrite('{"active_tasks": []}')
        await system.block("tasks").edit("task_add", description="again")


# -- what was erased is like any ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "given", "same"),
    [("go", "go", True), ("go", "stop", False), (ERASED, "go", True), ("go", ERASED, False)],
)
def test_a_message_come_again_is_compared_with_what_is_left_of_it(recorded: str, given: str, same: bool) -> None:
    received = MessageReceived(id="k1/a", sender="user", parts=(Part("user", Text(recorded)),))
    assert rules.same(received, Receive("k1/a", "user", "ask", (Part("user", Text(given)),))) is same
    assert not rules.same(received, Receive("k1/a", "user", "ask", (Part("bob", Text(given)),)))
    assert not rules.same(received, Receive("k1/a", "user", "ask", (Part("user", Text(given)),) * 2))


@pytest.mark.parametrize(("recorded", "same"), [("go", True), ("stop", False), (ERASED, True)])
def test_a_tool_that_runs_again_finds_its_message_though_it_is_erased(recorded: str, same: bool) -> None:
    command = TakeSend("k1/a/1/1.1/b", "agent-a", "agent-b", "ask", Text("go"), 1)
    assert reaching.is_of(message_digest("ask", "agent-b", recorded), command) is same
