"""A prompt fits its window: the oldest lines are summed up first, and nothing is lost (T58)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard import Agent, Limits, MemoryStore, RequestFailed, System, Window
from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import ModelError, RecordedEvent, SpecError, Text
from callboard.events.catalog import (
    AgentStarted,
    ContextSummarised,
    MessageReceived,
    ModelCallDeferred,
    Part,
    TurnStarted,
    Usage,
)
from callboard.events.specs import AgentSpec, WindowSpec
from callboard.projections import AgentState, agent_state, replay
from callboard.projections.agent import evolve
from callboard.projections.contexts import with_line
from callboard.projections.estimate import tokens_of
from callboard.projections.prompt import Heard, Line, Replied, Result, Summed, messages_of
from callboard.projections.request import rebuilt
from callboard.projections.windows import leaving

SMALL = Window(2_000, at=0.5)


class Talk:
    """A model that says much, sums up in a few words, and fails as `fault` says."""

    def __init__(self, fault: Callable[[ModelRequest], Exception | None] = lambda request: None) -> None:
        self.requests = list[ModelRequest]()
        self._fault = fault

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        self.requests.append(replace(request, messages=list(request.messages)))
        if (fault := self._fault(request)) is not None:
            raise fault
        text = f"SUM {request.summarises}" if request.summarises else "word " * 100 + request.id
        say(text)
        return ModelReply(text)

    @property
    def own(self) -> list[ModelRequest]:
        """The requests for a word of the agent's own."""
        return [request for request in self.requests if not request.summarises]


async def talked(store: MemoryStore, model: Talk, turns: int, agent: Agent) -> None:
    async with System.open(store, model=model) as system:
        ref = await system.start(agent)
        for n in range(turns):
            await ref.ask(f"question {n}", key=f"k{n}")


async def events(store: MemoryStore, kind: str) -> list[RecordedEvent]:
    return [event async for event in store.read_all() if event.type == kind]


async def test_a_long_conversation_stays_within_the_window_and_begins_with_what_was_said_before() -> None:
    store, model = MemoryStore(), Talk()
    await talked(store, model, 30, Agent("a", "You talk.", window=SMALL))
    assert max(tokens_of(request.messages) for request in model.requests) <= 1_000
    first = words_in(model.own[-1].messages[1])
    assert first.startswith("callboard: the first ") and "SUM" in str(model.own[-1].messages[1]["content"])
    assert words_in(model.own[-1].messages[-1]) == "user: question 29"
    asked = [event.data.parts[0].text async for event in store.read_all() if isinstance(event.data, MessageReceived)]
    assert asked == [f"question {n}" for n in range(30)]  # the log has all of it


async def test_every_prompt_can_be_made_again_those_of_summaries_too() -> None:
    store, model = MemoryStore(), Talk()
    await talked(store, model, 12, Agent("a", "You talk.", window=SMALL))
    started = await events(store, "ModelCallStarted")
    made = [await rebuilt(store, event.stream, event.version) for event in started]
    assert made == [list(request.messages) for request in model.requests]
    assert [request.summarises for request in model.requests if request.summarises]


async def test_live_state_and_replay_are_one_across_summaries() -> None:
    store, model = MemoryStore(), Talk()
    async with System.open(store, model=model) as system:
        ref = await system.start(Agent("a", "You talk.", window=SMALL))
        for n in range(8):
            await ref.ask(f"question {n}")
        assert await system.look("agent-a") == await replay(store, agent_state, stream="agent-a")


async def test_a_summary_counts_all_lines_since_the_beginning() -> None:
    store = MemoryStore()
    await talked(store, Talk(), 20, Agent("a", window=SMALL))
    state = await replay(store, agent_state, stream="agent-a")
    first, *rest = state.lines
    assert isinstance(first, Summed) and len(await events(store, "ContextSummarised")) > 1
    assert first.lines + len(rest) == 40


async def test_all_but_what_is_worked_on_leaves_where_the_mode_is_all() -> None:
    store, model = MemoryStore(), Talk()
    await talked(store, model, 12, Agent("a", window=replace(SMALL, mode="all")))
    after = [later for one, later in zip(model.requests, model.requests[1:], strict=False) if one.summarises]
    assert after and {len(request.messages) for request in after} == {3}


async def test_without_a_summary_the_lines_leave_and_the_turn_goes_on() -> None:
    failing = Talk(lambda request: ModelError("down", kind="auth", retry=False) if request.summarises else None)
    store = MemoryStore()
    await talked(store, failing, 12, Agent("a", window=SMALL))
    texts = [str(event.data.text) for event in await events(store, "ContextSummarised")]  # type: ignore[attr-defined]
    assert texts == [""] * len(texts) != []
    assert words_in(failing.own[-1].messages[1]).endswith("are not shown any more.")
    assert len(await events(store, "TurnFinished")) == 12


async def test_what_the_provider_finds_too_long_is_summed_up_and_asked_again() -> None:
    def strict(request: ModelRequest) -> Exception | None:
        long = len(request.messages) > 6 and not request.summarises
        return ModelError("too long", kind="context", retry=False) if long else None

    store, model = MemoryStore(), Talk(strict)
    await talked(store, model, 8, Agent("a", window=100_000))
    assert len(await events(store, "TurnFinished")) == 8 and await events(store, "ModelCallDeferred")


async def test_a_prompt_that_alone_is_too_large_is_a_clear_error_and_is_not_sent() -> None:
    model = Talk()
    async with System.open(MemoryStore(), model=model) as system:
        ref = await system.start(Agent("a", "You read.", window=2_000))
        await ref.ask("short")
        with pytest.raises(RequestFailed, match=r"the prompt alone has about .* tokens, and the model takes in 2,000"):
            await ref.ask("x " * 10_000)
    assert [words_in(request.messages[-1])[:11] for request in model.own] == ["user: short"]


async def test_summaries_are_no_steps_of_the_turn() -> None:
    model = ScriptedModel({"a": ["word " * 300, "SUM", calls(("nope", {})), "done"]})
    async with System.open(MemoryStore(), model=model) as system:
        ref = await system.start(Agent("a", window=SMALL, max_steps=2))
        await ref.ask("first")
        assert (await ref.ask("x " * 600)).text == "done"
    assert [request.summarises > 0 for request in model.requests] == [False, True, False, False]


async def test_a_call_that_is_deferred_costs_nothing_of_a_limit_of_calls() -> None:
    model = ScriptedModel({"a": ["word " * 300, "SUM", "done"]})
    async with System.open(MemoryStore(), model=model) as system:
        ref = await system.start(Agent("a", window=SMALL))
        await ref.ask("first")
        answer = await ref.ask("x " * 600, limits=Limits(model_calls=2))
    assert (answer.text, answer.stop_reason) == ("done", "end")


async def test_a_summary_is_not_streamed_as_a_word_of_the_agent() -> None:
    heard = list[str]()
    async with System.open(MemoryStore(), model=Talk()) as system:
        ref = await system.start(Agent("a", window=SMALL))
        for n in range(8):
            async with ref.stream(f"question {n}") as run:
                heard += [item.text async for item in run if not isinstance(item, RecordedEvent)]
    assert heard and not any("SUM" in text for text in heard)


async def test_a_stateless_agent_begins_each_turn_with_no_history() -> None:
    store, model = MemoryStore(), Talk()
    await talked(store, model, 3, Agent("a", stateless=True))
    assert [[words_in(one) for one in request.messages[1:]] for request in model.requests] == [
        [f"user: question {n}"] for n in range(3)
    ]


async def test_a_long_result_is_cut_in_the_prompt_and_whole_in_the_log() -> None:
    def read() -> str:
        """Read."""
        return "start " + "x" * 100_000 + " end"

    store, model = MemoryStore(), ScriptedModel({"a": [calls(("read", {})), "done"]})
    async with System.open(store, model=model) as system:
        ref = await system.start(Agent("a", tools=[read], window=4_000))
        await ref.ask("go")
    shown = words_in(model.requests[1].messages[-1])
    assert shown.startswith("start ") and shown.endswith(" end") and "characters left out here" in shown
    assert tokens_of([{"content": shown}]) < 0.25 * 4_000
    [finished] = await events(store, "ToolCallFinished")
    assert len(finished.data.text) == 100_010  # type: ignore[attr-defined]


async def test_how_a_provider_counts_is_learnt_from_what_it_says() -> None:
    class Counts(Talk):
        async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
            reply = await super().complete(request, say)
            return replace(reply, usage=Usage(input_tokens=2 * tokens_of(request.messages)))

    store = MemoryStore()
    await talked(store, Counts(), 12, Agent("a", window=Window(8_000, at=0.5)))
    state = await replay(store, agent_state, stream="agent-a")
    assert 1.9 < state.weights[""] < 2.1
    deferred = [event.data for event in await events(store, "ModelCallDeferred")]
    assert deferred and all(isinstance(one, ModelCallDeferred) and one.tokens > 4_000 for one in deferred)


async def test_the_start_of_a_call_says_how_large_it_is() -> None:
    store, model = MemoryStore(), Talk()
    await talked(store, model, 2, Agent("a", "You talk."))
    said = [event.data.tokens for event in await events(store, "ModelCallStarted")]  # type: ignore[attr-defined]
    assert said == [tokens_of(request.messages) for request in model.requests]


@pytest.mark.parametrize(
    "given",
    [0, 999, True, "big", {"tokens": 5}, Window],
    ids=["none", "too few", "a bool", "text", "a dict", "a class"],
)
def test_what_is_no_window_is_refused(given: object) -> None:
    with pytest.raises(SpecError, match="wanted"):
        Agent("a", window=given)  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{"at": 0.0}, {"at": 1.5}, {"evict": 0.0}, {"mode": "none"}, {"tokens": 10}])
def test_a_window_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="wanted"):
        Window(**fields)  # type: ignore[arg-type]


def test_a_window_is_that_of_the_model_where_its_name_is_known() -> None:
    pytest.importorskip("genai_prices")
    assert Window().spec("gpt-5-mini").tokens == 400_000
    assert Window().spec("my-own").tokens == Window().spec("").tokens == 128_000
    assert Window(5_000).spec("gpt-5-mini").tokens == 5_000


# -- what leaves, as a rule -------------------------------------------------------------------------

_SAID = st.text("ab ", min_size=1, max_size=300)


@st.composite
def histories(draw: st.DrawFn) -> list[Line]:
    """Return a history as agents have them: each reply is followed by the results of its calls."""
    lines: list[Line] = []
    for n in range(draw(st.integers(1, 12))):
        turn = f"k{n}/a"
        lines.append(Heard(turn, "ask", (Part("user", Text(draw(_SAID))),)))
        for step in range(draw(st.integers(0, 3))):
            uses = draw(st.integers(0, 3))
            names = [f"call_{n}_{step}_{use}" for use in range(uses)]
            lines.append(Replied(turn, Text(draw(_SAID)), tuple((name, "t", Text("{}")) for name in names)))
            lines += [Result(turn, name, Text(draw(_SAID))) for name in names]
    return lines


def state_of(lines: list[Line], mode: str) -> AgentState:
    last = lines[-1].turn
    spec = AgentSpec(name="a", rendering=2, window=WindowSpec.model_validate({"tokens": 1_000, "mode": mode}))
    received = MessageReceived(id=last, sender="user", kind="ask", parts=(Part("user", Text("x")),))
    state = AgentState()
    for event in (AgentStarted(spec=spec), received, TurnStarted(id=last)):
        state = evolve(state, event)
    state = replace(state, lines=type(state.lines)(), digest=b"", tokens=0)
    for line in lines:
        state = with_line(state, line)
    return state


@given(histories(), st.sampled_from(["sliding", "all"]))
def test_calls_are_never_parted_from_their_results_and_the_request_stays(lines: list[Line], mode: str) -> None:
    state = state_of(lines, mode)
    count = leaving(state, state.tokens + 100)
    if not count:
        return
    after = evolve(state, ContextSummarised(id=lines[-1].turn, lines=count, text=Text("sum")))
    used = [name for line in after.lines if isinstance(line, Replied) for name, _, _ in line.uses]
    got = [line.name for line in after.lines if isinstance(line, Result)]
    assert used == got
    [request] = [line for line in lines if isinstance(line, Heard) and line.turn == lines[-1].turn]
    assert request in after.lines and isinstance(after.lines[0], Summed)
    assert len(after.lines) < len(lines) + 1 and after.tokens == tokens_of_lines(after)


def tokens_of_lines(state: AgentState) -> int:
    return sum(tokens_of(messages_of(line, 2)) for line in state.lines)


@given(histories())
def test_summing_up_again_and_again_comes_to_an_end(lines: list[Line]) -> None:
    state = state_of(lines, "sliding")
    for _ in range(len(lines) + 1):
        count = leaving(state, 10_000)
        if not count:
            break
        state = evolve(state, ContextSummarised(id=lines[-1].turn, lines=count, text=Text("s")))
    assert leaving(state, 10_000) == 0
