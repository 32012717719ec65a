"""Answers that are data: told to the model, checked by the schema, mended once, and given as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from callboard import Agent, Answer, Group, MemoryStore, RoundRobin, System
from callboard.actors import agent as rules
from callboard.actors.commands import Command, TakeReply
from callboard.actors.outputs import MOST, misfits
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import Event, OutputInvalid, SpecError, Text
from callboard.events.catalog import (
    AgentStarted,
    MessageReceived,
    ModelCallRequested,
    ModelCallStarted,
    OutputRefused,
    TurnFinished,
)
from callboard.projections import AgentState
from callboard.projections.agent import evolve
from callboard.projections.conversation import agent_conversation
from callboard.projections.projection import fold
from callboard.projections.prompt import MARKS, WANTED
from callboard.projections.request import rebuilt
from callboard.projections.spans import TurnSpan
from callboard.projections.trace import trace_roots

from .team_files import refused, team


class Place(BaseModel):
    name: str
    metres: int = Field(ge=0)


class Trip(BaseModel):
    places: list[Place]


GOOD, BAD = '{"name": "Brest", "metres": 3}', '{"name": "Brest", "metres": -1}'
GUIDE = Agent("a", "You guide.", output=Place)

# -- rules, as data ---------------------------------------------------------------------------------


def run(state: AgentState, *commands: Command) -> tuple[AgentState, list[Event]]:
    """Take in commands and follow until nothing more, as a step does."""
    events: list[Event] = []
    for command in commands:
        for event in rules.take(state, command) or []:
            state = evolve(state, event)
            events.append(event)
    while more := rules.follow(state, "log"):
        for event in more:
            state = evolve(state, event)
        events += more
    return state, events


def heard(kind: Any = "ask", **spec: Any) -> AgentState:
    state = evolve(AgentState(), AgentStarted(spec=GUIDE.spec().model_copy(update=spec)))
    return run(evolve(state, MessageReceived(id="k/a", sender="user", kind=kind, parts=())))[0]


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events][1:]


def test_a_text_that_fits_ends_the_turn_as_data() -> None:
    _, events = run(heard(), TakeReply("k/a/1", GOOD))
    assert events[1:] == [TurnFinished(id="k/a", to="user", text=Text(GOOD), is_data=True)]


def test_what_does_not_fit_is_refused_once_and_the_model_asked_again() -> None:
    state, events = run(heard(), TakeReply("k/a/1", BAD))
    assert kinds(events) == [OutputRefused, ModelCallRequested, ModelCallStarted]
    refused = events[1]
    assert isinstance(refused, OutputRefused)
    assert refused.text == "your answer does not fit its schema: metres: -1 is less than the minimum of 0"
    assert run(state, TakeReply("k/a/2", GOOD))[1][1:] == [
        TurnFinished(id="k/a", to="user", text=Text(GOOD), is_data=True)
    ]


def test_after_that_the_turn_ends_as_it_is() -> None:
    state, _ = run(heard(), TakeReply("k/a/1", BAD))
    _, events = run(state, TakeReply("k/a/2", "sorry"))
    assert kinds(events) == [OutputRefused, TurnFinished]
    assert events[2] == TurnFinished(id="k/a", to="user", text=Text("sorry"), stop_reason="invalid")


def test_the_last_step_is_not_repaired() -> None:
    _, events = run(heard(max_steps=1), TakeReply("k/a/1", BAD))
    assert kinds(events) == [OutputRefused, TurnFinished]
    assert events[2] == TurnFinished(id="k/a", to="user", text=Text(BAD), stop_reason="invalid")


def test_the_next_turn_may_be_repaired_again() -> None:
    state, _ = run(heard(), TakeReply("k/a/1", BAD))
    state, _ = run(state, TakeReply("k/a/2", GOOD))
    state, _ = run(evolve(state, MessageReceived(id="k2/a", sender="user", parts=())))
    assert kinds(run(state, TakeReply("k2/a/1", BAD))[1])[:2] == [OutputRefused, ModelCallRequested]


def test_who_awaits_no_answer_gets_no_check() -> None:
    _, events = run(heard("tell"), TakeReply("k/a/1", "noted"))
    assert events[1:] == [TurnFinished(id="k/a", text=Text("noted"))]


@pytest.mark.parametrize("fence", ["```json\n%s\n```", "```\n%s\n```\n", "\n ```JSON\n%s\n  ```"])
def test_json_in_a_fence_is_taken_out_of_it(fence: str) -> None:
    _, events = run(heard(), TakeReply("k/a/1", fence % GOOD))
    assert events[1:] == [TurnFinished(id="k/a", to="user", text=Text(GOOD), is_data=True)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Brest", "it is no JSON"),
        ("here: " + GOOD, "it is no JSON"),
        ('{"name": "x", "metres": NaN}', "it is no JSON"),
        ('{"name": "\\ud800", "metres": 1}', "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[1]", "it is JSON, but no object: [1]"),
        ("{}", "'metres' is a required property; 'name' is a required property"),
        ('{"name": 1, "metres": "x"}', "metres: 'x' is not of type 'integer'; name: 1 is not of type 'string'"),
    ],
)
def test_the_model_is_told_what_is_wrong(text: str, why: str) -> None:
    assert misfits(text, GUIDE.spec().output).startswith(why)


def test_what_is_wrong_is_never_too_long_to_be_told() -> None:
    assert len(misfits('{"metres": "' + "y" * 100_000 + '"}', GUIDE.spec().output)) <= MOST + 3


def test_a_schema_without_end_is_a_fault_and_no_crash() -> None:
    assert "without end" in misfits("{}", {"$ref": "#"})


# -- specs ------------------------------------------------------------------------------------------


def test_the_spec_holds_the_schema_and_where_the_class_is() -> None:
    spec = GUIDE.spec()
    assert spec.output["required"] == ["name", "metres"] and spec.output_code == "tests.test_outputs:Place"
    assert Agent("a").spec().output == {} and Agent("a", output={"type": "object"}).spec().output_code == ""


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (str, "a pydantic class or a JSON schema is wanted"),
        ({}, "a pydantic class or a JSON schema is wanted"),
        ({"type": "text"}, "is no JSON schema"),
        ({"type": "array"}, "answers are objects"),
        ({"properties": {"a": {"$ref": "https://example.org/a.json"}}}, "refers to 'https://example.org/a.json'"),
        ({"$ref": "#/$defs/Nobody"}, "refers to '#/$defs/Nobody'"),
        ({"enum": [object()]}, "is no JSON"),
    ],
)
def test_a_schema_that_cannot_be_is_refused(output: Any, why: str) -> None:
    with pytest.raises(SpecError, match="output of agent 'a'") as caught:
        Agent("a", output=output)
    assert why in str(caught.value)


def test_a_team_file_has_the_schema_or_the_address_of_a_class(tmp_path: Path) -> None:
    text = '[agents.a]\noutput = "tests.test_outputs:Place"\n[agents.b.output]\ntype = "object"\nrequired = ["x"]\n'
    read = team(tmp_path, text).agents
    assert read["a"].spec() == GUIDE.spec().model_copy(update={"instructions": Text()})
    assert read["b"].spec().output == {"type": "object", "required": ["x"]}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ('"tests.test_outputs:Nobody"', "Nobody"),
        ('"tests.test_outputs:GOOD"', "a pydantic class or a JSON schema is wanted"),
        ('{type = "array"}', "answers are objects"),
    ],
)
def test_a_team_file_with_a_wrong_output_says_where(tmp_path: Path, value: str, why: str) -> None:
    error = refused(tmp_path, f"[agents.a]\noutput = {value}\n")
    assert "agents.a.output" in str(error) and why in str(error) and "faults" not in str(error)


# -- whole systems ----------------------------------------------------------------------------------


async def asked(model: ScriptedModel, spec: Agent | Group = GUIDE, store: MemoryStore | None = None) -> Answer:
    async with System.open(store or MemoryStore(), model=model) as system:
        ref = await system.start(spec)
        return await ref.ask("go", key="k")


async def test_an_answer_is_data_and_a_value_of_the_class() -> None:
    model = ScriptedModel({"a": [f"```json\n{GOOD}\n```"]})
    answer = await asked(model)
    assert (answer.text, answer.data) == (GOOD, {"name": "Brest", "metres": 3})
    assert answer.parsed(Place) == Place(name="Brest", metres=3) and answer.turns[0].data == answer.data
    told = words_in(model.requests[0].messages[0])
    assert told.startswith(f"You guide.\n\n{MARKS}\n\n{WANTED}") and '"minimum":0' in told
    assert model.requests[0].output == GUIDE.spec().output


async def test_the_repair_stands_in_the_log_the_prompt_the_trace_and_the_conversation() -> None:
    store, model = MemoryStore(), ScriptedModel({"a": [BAD, GOOD]})
    assert (await asked(model, store=store)).parsed(Place).metres == 3
    why = "callboard: your answer does not fit its schema: metres: -1 is less than the minimum of 0"
    assert model.requests[1].messages[-1] == {"role": "user", "content": why}
    events = [event async for event in store.read_all()]
    last = [event for event in events if isinstance(event.data, ModelCallStarted)][-1]
    assert await rebuilt(store, last.stream, last.version) == model.requests[1].messages
    [root] = trace_roots(events)
    assert isinstance(root, TurnSpan) and len(root.faults) == 1
    lines = fold(agent_conversation, [event for event in events if event.stream == "agent-a"]).lines
    assert [(line.speaker, line.kind) for line in lines][2] == ("callboard", "failure")


async def test_an_answer_that_never_fits_keeps_its_text_and_says_why() -> None:
    answer = await asked(ScriptedModel({"a": [BAD, "sorry"]}))
    assert (answer.text, answer.stop_reason, answer.data) == ("sorry", "invalid", {})
    assert answer.faults.startswith("your answer does not fit its schema: it is no JSON")
    with pytest.raises(OutputInvalid, match=r"stop_reason 'invalid'.* is no Place: your answer does not fit"):
        answer.parsed(Place)


async def test_data_of_another_class_is_a_clear_error() -> None:
    answer = await asked(ScriptedModel({"a": [GOOD]}))
    with pytest.raises(OutputInvalid, match="is no Trip: places: Field required"):
        answer.parsed(Trip)


async def test_the_data_of_a_member_is_in_its_turn() -> None:
    group = Group("team", [GUIDE, Agent("b")], RoundRobin(max_turns=2))
    answer = await asked(ScriptedModel({"a": [BAD, GOOD], "b": ["fine"]}), group)
    assert [(turn.speaker, turn.data) for turn in answer.turns] == [("a", {"name": "Brest", "metres": 3}), ("b", {})]
    assert answer.data == {}


async def test_who_asks_by_a_tool_gets_the_json() -> None:
    ask = ("send_message_to_agent_and_wait_for_reply", {"message": "where?", "other_agent": "a"})
    model = ScriptedModel({"a": [f"```json\n{GOOD}\n```"], "c": [calls(ask), "done"]})
    async with System.open(MemoryStore(), model=model) as system:
        await system.start(GUIDE)
        await (await system.start(Agent("c", tools=[ask[0]]))).ask("go")
    assert words_in(model.requests[-1].messages[-1]) == GOOD


async def test_a_pydantic_value_is_asked_and_told_as_its_json() -> None:
    model = ScriptedModel({"b": ["one", "two"]})
    async with System.open(MemoryStore(), model=model) as system:
        ref = await system.start(Agent("b"))
        await ref.ask(Place(name="Brest", metres=1))
        await ref.tell(Trip(places=[]))
        await system.quiet()
    said = [words_in(request.messages[-1]) for request in model.requests]
    assert said == ['user: {"name":"Brest","metres":1}', 'user (no reply is awaited): {"places":[]}']


async def test_tools_come_before_the_answer_and_are_not_checked() -> None:
    def look() -> str:
        return "3 m"

    model = ScriptedModel({"a": [calls(("look", {}), text="let me see"), GOOD]})
    spec = Agent("a", tools=[look], output=Place)
    assert (await asked(model, spec)).parsed(Place).name == "Brest"


async def test_an_erased_answer_is_no_data_any_more() -> None:
    store = MemoryStore()
    async with System.open(store, model=ScriptedModel({"a": [GOOD]})) as system:
        ref = await system.start(GUIDE)
        await ref.ask("go", key="k")
        said = [e.position async for e in store.read_all() if e.type == "ModelCallFinished"]
        await system.redact(said, reason="asked to")
        answer = await ref.ask("go", key="k")
    assert (answer.text, answer.data) == ("[erased]", {})
