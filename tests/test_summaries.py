"""What a summary may be, what stays beside it, and what is learnt from odd counts."""

from __future__ import annotations

import pytest

from callboard import Agent, MemoryStore, System, Window
from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import Text
from callboard.events.catalog import (
    AgentStarted,
    ContextSummarised,
    MessageReceived,
    ModelCallRequested,
    Part,
    SymptomFound,
    TurnStarted,
    Usage,
)
from callboard.events.specs import AgentSpec, WindowSpec
from callboard.projections import AgentState
from callboard.projections.agent import evolve
from callboard.projections.contexts import of
from callboard.projections.estimate import tokens_of
from callboard.projections.prompt import Heard, Replied, Summed, messages_of
from callboard.projections.windows import request

SMALL = Window(2_000, at=0.5)


def said(speaker: str, text: str) -> Part:
    return Part(speaker, Text(text))


def state_of(*parts: Part, sender: str = "user") -> AgentState:
    """Return the state of an agent whose turn has begun with `parts`."""
    spec = AgentSpec(name="a", rendering=2, window=WindowSpec(tokens=4_000))
    received = MessageReceived(id="k/g/1/a", sender=sender, kind="turn", parts=parts)
    state = AgentState()
    for event in (AgentStarted(spec=spec), received, TurnStarted(id=received.id)):
        state = evolve(state, event)
    return state


def summarised(lines: int, text: str, state: AgentState) -> AgentState:
    return evolve(state, ContextSummarised(id="k/g/1/a", lines=lines, text=Text(text)))


def test_a_summary_takes_no_more_room_than_what_it_stands_for() -> None:
    before = state_of(said("b", "tides " * 50), said("b", "moons " * 50), said("user", "and now?"), sender="group-g")
    after = summarised(2, "long " * 2_000, before)
    [summary, _] = after.lines
    assert isinstance(summary, Summed) and tokens_of(messages_of(summary, 2)) < before.tokens + 60
    assert after.tokens < 1.3 * before.tokens


async def test_a_summary_of_blanks_is_none() -> None:
    model = ScriptedModel({"a": ["word " * 300, " \n ", "done"]})
    async with System.open(MemoryStore(), model=model) as system:
        ref = await system.start(Agent("a", window=SMALL))
        await ref.ask("first")
        await ref.ask("x " * 600)
    assert words_in(model.requests[2].messages[1]).endswith("are not shown any more.")


def test_what_a_group_notes_besides_is_not_what_the_turn_is_about() -> None:
    state = state_of(said("user", "Shall we?"), said("g", "State your view, and why."), sender="group-g")
    found = request(state)
    assert isinstance(found, Heard) and found.parts == (said("user", "Shall we?"),)


def test_where_there_is_only_a_note_the_turn_is_about_that() -> None:
    found = request(state_of(said("g", "Go on."), sender="group-g"))
    assert isinstance(found, Heard) and found.parts[0].text == "Go on."


def test_a_remark_of_callboard_is_not_what_the_turn_is_about() -> None:
    state = state_of(said("user", "Shall we?"))
    found = SymptomFound(
        id="k", symptom="s", kind="same_call", then="tell", who=("agent-a",), measured=3, limit=3, positions=(1,),
        text=Text("a called look 3 times"),
    )  # fmt: skip
    for event in (found, ModelCallRequested(id="k/g/1/a/1")):
        state = evolve(state, event)
    assert len(state.lines) == 2
    kept = request(state)
    assert isinstance(kept, Heard) and kept.parts[0].text == "Shall we?"


def test_a_window_that_is_cut_drops_the_summary_of_what_was_before() -> None:
    old, now = Heard("j/g/1/a", "turn", (said("user", "old"),)), Heard("k/g/1/a", "turn", (said("user", "new"),))
    summed = Summed("k/g/1/a", Text("what was before"), 4, 100)
    lines = [summed, old, Replied("j/g/1/a", Text("yes")), now]
    assert list(of(lines, 2).since("g", "k/g", "l/g", 2).lines) == [now]


@pytest.mark.parametrize("counted", [10**8, 1])
async def test_nothing_is_learnt_from_a_count_that_cannot_be(counted: int) -> None:
    class Odd:
        async def complete(self, request: ModelRequest, say: object) -> ModelReply:
            return ModelReply("ok", usage=Usage(input_tokens=counted))

    async with System.open(MemoryStore(), model=Odd()) as system:
        ref = await system.start(Agent("a", "You are a. " * 2_000, window=20_000))
        assert [(await ref.ask(f"question {n}")).text for n in range(2)] == ["ok", "ok"]
        assert (await system.look("agent-a")).weights == {}


async def test_results_share_what_instructions_and_tools_leave_of_the_window() -> None:
    def read(page: int) -> str:
        """Read."""
        return "x" * 100_000

    many = calls(*(("read", {"page": n}) for n in range(20)))
    model = ScriptedModel({"a": [many, "done"]})
    async with System.open(MemoryStore(), model=model) as system:
        ref = await system.start(Agent("a", "You read. " * 2_400, tools=[read], window=16_000))
        assert (await ref.ask("go")).text == "done"
    assert 12_000 < tokens_of(model.requests[1].messages) <= 0.9 * 16_000
