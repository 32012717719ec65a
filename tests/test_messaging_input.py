"""Messages that nobody can or will answer: each sender is told in time, and nothing hangs or is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import anyio
import pytest

from callboard import Agent, Answer, MemoryStore, ModelReply, ModelRequest, RequestFailed, System
from callboard.actors.messaging import ASK, BROADCAST, TELL
from callboard.actors.ref import Ref
from callboard.actors.testing import calls, words_in
from callboard.events import DeliveryFailed, ModelError, NewEvent, NoSuchActor, TextRefused
from callboard.events.catalog import AgentStarted, RecipientsChosen
from callboard.events.specs import AgentSpec


class Odd:
    """A model of agents that misbehave each in their own way, and of `a`, which does what it is told once."""

    def __init__(self, *uses: tuple[str, dict[str, object]]) -> None:
        self.uses, self.results = uses, list[str]()

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        match request.agent:
            case "silent":
                return ModelReply("")
            case "garbled":
                return ModelReply("\0\ud800 {]", [("no such tool", "{]")] * (len(request.messages) < 8))
            case "broken":
                raise ModelError("no key", kind="auth", retry=False)
            case "wild":
                raise ZeroDivisionError("nonsense")
            case "mute":
                await anyio.sleep_forever()
            case _:
                pass
        if request.agent == "a" and self.uses and request.messages[-1]["role"] == "user":
            return calls(*self.uses)
        self.results = [words_in(one) for one in request.messages if one["role"] == "tool"]
        return ModelReply("done")


ODD = ("silent", "garbled", "broken", "wild")


async def told(name: str, *tools: str) -> list[str]:
    """Return what `a` is told of messages to `name` with each of `tools`."""
    said: dict[str, object] = {"message": "hi", "other_agent": name}
    model = Odd(*((tool, said) for tool in tools))
    with anyio.fail_after(20):
        async with System.open(MemoryStore(), model=model) as system:
            a = await system.start(Agent("a", tools=[ASK, TELL]))
            for other in ODD:
                await system.start(Agent(other, max_steps=3))
            await (await system.start(Agent("gone"))).retire()
            assert (await a.ask("go")).text == "done"
    return model.results


@pytest.mark.parametrize("tool", [ASK, TELL])
@pytest.mark.parametrize(
    ("name", "why"), [("nobody", "nobody called 'nobody'"), ("a", "that is yourself"), ("", "nobody called ''")]
)
async def test_an_unknown_recipient_and_oneself_are_said_by_both_tools(tool: str, name: str, why: str) -> None:
    assert why in (await told(name, tool))[0]


async def test_whoever_is_retired_says_so_to_who_asks_and_a_tell_is_recorded_there() -> None:
    asked, tells = await told("gone", ASK, TELL)
    assert asked == "gone is retired, and takes nothing up any more" and "cannot be lost" in tells


@pytest.mark.parametrize(
    ("name", "wanted"), [("silent", ""), ("garbled", "{]"), ("broken", "no key"), ("wild", "nonsense")]
)
async def test_whoever_answers_nonsense_nothing_or_fails_each_time_gives_one_result(name: str, wanted: str) -> None:
    [asked] = await told(name, ASK)
    assert wanted in asked
    assert "cannot be lost" in (await told(name, TELL))[0]


async def test_a_broadcast_by_tool_has_one_result_for_each_whatever_they_do() -> None:
    model = Odd((BROADCAST, {"message": "hi", "match_all": ["t"]}))
    with anyio.fail_after(20):
        async with System.open(MemoryStore(), model=model) as system:
            a = await system.start(Agent("a", tools=[BROADCAST]))
            for name in ODD:
                await system.start(Agent(name, tags={"t"}, max_steps=3))
            await a.ask("go")
    came = {one["agent"]: "error" in one for one in json.loads(model.results[0])}
    assert came == {"silent": False, "garbled": False, "broken": True, "wild": True}


async def test_a_broadcast_from_outside_has_one_outcome_for_each_whatever_they_do() -> None:
    with anyio.fail_after(20):
        async with System.open(MemoryStore(), model=Odd(), grace=0) as system:
            refs = [await system.start(Agent(name, max_steps=3)) for name in (*ODD, "mute")]
            await (await system.start(Agent("gone"))).retire()
            stranger = Ref("agent-stranger", system)
            came = await system.broadcast("hi", [*refs, system["gone"], stranger, refs[0]], timeout=2)
    kinds = {name: type(one) for name, one in came.items()}
    assert kinds == {
        "silent": Answer, "garbled": Answer, "broken": RequestFailed, "wild": RequestFailed,
        "mute": TimeoutError, "gone": RequestFailed, "stranger": NoSuchActor,
    }  # fmt: skip


async def test_a_broadcast_to_nobody_is_empty_and_one_that_cannot_be_taken_in_says_so_for_each() -> None:
    async with System.open(MemoryStore(), model=Odd()) as system:
        refs = [await system.start(Agent(name)) for name in "bc"]
        assert await system.broadcast("hi", []) == {}
        assert [type(one) for one in (await system.broadcast("", refs)).values()] == [TextRefused, TextRefused]


async def test_from_outside_an_unknown_recipient_is_an_error_at_once_and_records_nothing() -> None:
    store = MemoryStore()
    async with System.open(store, model=Odd()) as system:
        before = store.position
        for send in (Ref("agent-b", system).ask, Ref("agent-b", system).tell):
            with pytest.raises(DeliveryFailed, match="nobody called 'b'"):
                await send("hi")
        assert store.position == before


@pytest.mark.parametrize("text", ["", "  ", "\0", "\ud800", 7, None, "x" * (16 * 2**20 + 1)])
async def test_a_text_that_cannot_be_taken_in_is_refused_by_ask_and_tell(text: str) -> None:
    async with System.open(MemoryStore(), model=Odd()) as system:
        a = await system.start(Agent("b"))
        for send in (a.ask, a.tell):
            with pytest.raises(TextRefused):
                await send(text)


async def many(count: int) -> Sequence[object]:
    """Return the recipients of a broadcast to so many that were started straight into the log."""
    store, model = MemoryStore(), Odd((BROADCAST, {"message": "hi", "match_all": ["t"]}))
    for n in range(count):
        spec = AgentSpec(name=f"w{n}", tags=("t",))
        await store.append(f"agent-w{n}", [NewEvent(AgentStarted(spec=spec))], expected_version=0)
    with anyio.fail_after(1_200):
        async with System.open(store, model=model) as system:
            await (await system.start(Agent("a", tools=[BROADCAST]))).ask("go")
    [chosen] = [event.data async for event in store.read_all() if isinstance(event.data, RecipientsChosen)]
    assert len(chosen.recipients) == count
    return json.loads(model.results[0])


async def test_a_message_to_very_many_reaches_each_and_gives_one_result_for_each(big: bool) -> None:
    count = 10_000 if big else 60
    came = await many(count)
    assert len(came) == count and all("response" in one for one in came)  # type: ignore[operator]
