"""Guards that hardly ever matter, so that no campaign would miss them."""

import anyio
import pytest

from callboard import Agent, Group, ModelReply, ModelRequest, RequestFailed, System, tool
from callboard.actors.commands import TakeAnswer
from callboard.actors.courier import Courier
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import MemoryStore, NewEvent, Text
from callboard.events.catalog import MessageReceived, MessageSent, Part, SendCancelling, TurnCancelling, TurnStarted

SOLO = Group("team", (Agent("a", "You are a."),))


class Deaf:
    """A model that never answers."""

    def __init__(self) -> None:
        self.asked = anyio.Event()

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        self.asked.set()
        await anyio.sleep_forever()
        raise AssertionError


def losing(system: System, id: str, monkeypatch: pytest.MonkeyPatch) -> anyio.Event:
    """Lose the first answer to `id` on its way; return what is set then."""
    lost, answer = anyio.Event(), system.give_back

    def lose(to: str, said: TakeAnswer) -> None:
        if said.id == id and not lost.is_set():
            lost.set()
        else:
            answer(to, said)

    monkeypatch.setattr(system, "give_back", lose)
    return lost


async def test_a_cancel_is_carried_to_who_works_on_it() -> None:
    model = Deaf()
    async with System.open(MemoryStore(), model=model, grace=0) as system, anyio.create_task_group() as tasks:
        team = await system.start(SOLO)

        async def cancel() -> None:
            await model.asked.wait()
            await team.cancel("k")

        tasks.start_soon(cancel)
        with anyio.fail_after(5), pytest.raises(RequestFailed, match="cancelled"):
            await team.ask("go", key="k")


@pytest.mark.parametrize(("id", "stream"), [("k/team/1/a", "agent-a"), ("k/team", "group-team")])
async def test_an_answer_that_was_lost_comes_when_who_gave_it_begins_again(
    id: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({"a": ["done"]})) as system:
        team = await system.start(SOLO)
        lost = losing(system, id, monkeypatch)

        async def restart() -> None:
            await lost.wait()
            system.restart(stream)

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(restart)
                assert (await team.ask("go", key="k")).text == "done"


async def test_a_tell_that_arrived_and_was_cancelled_is_over_though_nobody_heard_that_it_arrived() -> None:
    store, told, parts = MemoryStore(), "k/a/1.1.1/b", (Part("user", Text("go")),)
    async with System.open(store, model=ScriptedModel({})) as system:
        for name in "ab":
            await system.start(Agent(name))
    sent = [
        MessageReceived(id="k/a", sender="agent-user", kind="tell", parts=parts),
        TurnStarted(id="k/a"),
        MessageSent(id=told, recipient="agent-b", kind="tell", parts=parts),
        TurnCancelling(id="k/a", by="user"),
        SendCancelling(id=told),
    ]
    await store.append("agent-a", [NewEvent(event) for event in sent], expected_version=1)
    arrived = MessageReceived(id=told, sender="agent-a", kind="tell", parts=parts)
    await store.append("agent-b", [NewEvent(arrived)], expected_version=1)
    async with System.open(store, model=ScriptedModel({})) as system:
        await system.quiet()
        assert not (await system.pending()).items


async def test_an_agent_that_begins_again_waits_for_those_whom_its_questions_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, parts = MemoryStore(), (Part("user", Text("go")),)
    async with System.open(store, model=ScriptedModel({})) as system:
        for name in "abc":
            await system.start(Agent(name))
    sent = [
        MessageReceived(id="k/a", sender="agent-user", parts=parts),
        TurnStarted(id="k/a"),
        MessageSent(id="k/a/1.1.1/b", recipient="agent-b", kind="ask", parts=parts),
        MessageSent(id="k/a/1.2.1/c", recipient="agent-c", kind="ask", parts=parts),
    ]
    await store.append("agent-a", [NewEvent(event) for event in sent], expected_version=1)
    arrived = MessageReceived(id="k/a/1.1.1/b", sender="agent-a", parts=parts)
    await store.append("agent-b", [NewEvent(arrived)], expected_version=1)
    monkeypatch.setattr(Courier, "post", lambda *_: None)  # type: ignore[reportUnknownLambdaType]
    async with System.open(store, model=Deaf(), grace=0) as system:
        await system.look("agent-a")
        assert system.actor("agent-a").waits_for() == ["agent-b"]


waits: list[anyio.Event] = []
"""Set when the tool begins, and when each question about it does."""


async def never() -> str:
    """Begin, and come to no end."""
    waits.append(anyio.Event())
    if len(waits) < 3:
        await anyio.sleep_forever()
    return "it was paid"


async def look_up(key: str) -> str:
    """Answer when asked for the second time."""
    return await never()


@tool(reconcile=look_up)
async def pay() -> str:
    """Pay."""
    return await never()


async def test_a_call_in_doubt_is_looked_up_again_when_the_process_ended_meanwhile() -> None:
    log, model = MemoryStore(), ScriptedModel({"a": [calls(("pay", {})), "done"]})
    agent, answers = Agent("a", "You are a.", tools=[pay]), list[str]()
    waits.clear()
    for n in (1, 2, 3):
        with anyio.CancelScope() as process, anyio.fail_after(5):
            async with System.open(log, model=model) as system, anyio.create_task_group() as tasks:

                async def ask(system: System = system) -> None:
                    answers.append((await (await system.start(agent)).ask("go", key="k")).text)

                tasks.start_soon(ask)
                while len(waits) < n:
                    await anyio.lowlevel.checkpoint()
                if n < 3:
                    process.cancel()
    assert answers == ["done"]
    assert [event.data.id async for event in log.read_all() if event.type == "ToolCallResolved"] == ["k/a/1/1"]
