"""A running system that watches for loops: what it records, whom it stops, and how that survives."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from callboard import Agent, MemoryStore, RequestFailed, System, tool
from callboard.actors.commands import Alter, Cancel, Delivery
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.actors.watch import Watch, as_event
from callboard.events import MailboxFull, RecordedEvent, SpecError
from callboard.events.catalog import MessageReceived, ModelCallRequested, SymptomFound, TurnCancelled
from callboard.projections import Desk, replay
from callboard.projections.conversation import agent_conversation
from callboard.projections.remarks import ADVICE, spoken
from callboard.projections.remarks import noted as remarked
from callboard.projections.symptoms import Thresholds, symptoms

from .harness import Outcome, breaches, run
from .scripted import Scenario, agent
from .sick_scenarios import HEALTHY, SICK
from .symptom_logs import golden
from .watch_scenarios import WATCHED


@tool(effect="read")
async def look(query: str) -> str:
    """Look."""
    await checkpoint()
    return "nothing"


CALLED, STOPPED, TOLD = WATCHED


def noted(events: list[RecordedEvent]) -> list[SymptomFound]:
    return [event.data for event in events if isinstance(event.data, SymptomFound)]


def watched(scenario: Scenario, watch: Watch, *deaths: int) -> Outcome:
    return anyio.run(run, replace(scenario, watch=watch), deaths)


async def test_a_symptom_is_recorded_where_it_belongs_with_what_was_seen() -> None:
    outcome = await run(CALLED)
    [event] = [event for event in outcome.events if isinstance(event.data, SymptomFound)]
    [seen] = symptoms(outcome.events)
    data = event.data
    assert isinstance(data, SymptomFound)
    assert (event.stream, data.correlation_id, data.then) == ("agent-a", "k1", "warn")
    assert (data.symptom, str(data.text), data.positions) == (seen.key, seen.text, seen.positions)
    assert event.position > seen.position


@pytest.mark.parametrize("name", [name for name in SICK if name not in ("starvation", "fan_out")])  # these are long
def test_a_watched_run_records_what_its_log_shows(name: str) -> None:
    outcome = watched(SICK[name][0], Watch())
    assert [one.symptom for one in noted(outcome.events)] == [one.key for one in symptoms(outcome.events)]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_is_left_alone(name: str) -> None:
    assert not noted(watched(HEALTHY[name], Watch(default="stop")).events)


def test_a_death_at_any_tick_loses_and_repeats_no_record() -> None:
    whole = anyio.run(run, CALLED)
    for at in range(1, len(whole.ticks[0]) + 1, 2):
        outcome = anyio.run(run, CALLED, (at,))
        assert [one.symptom for one in noted(outcome.events)] == [one.key for one in symptoms(whole.events)], at
        assert not breaches(outcome, whole)


def test_stop_ends_the_request_wherever_it_is_with_the_symptom_as_the_reason() -> None:
    outcome = anyio.run(run, STOPPED)
    [one] = noted(outcome.events)
    assert (one.kind, one.then, one.who) == ("alternation", "stop", ("agent-a", "agent-b"))
    ended = [event.data for event in outcome.events if isinstance(event.data, TurnCancelled)]
    assert {str(end.text) for end in ended} == {f"stopped: {one.text}"}
    called = Counter(type(event.data) for event in outcome.events)[ModelCallRequested]
    assert called < 30  # 61 without


def test_what_is_to_be_stopped_is_stopped_also_where_the_process_dies() -> None:
    whole = anyio.run(run, STOPPED)
    for at in range(1, len(whole.ticks[0]) + 1, 9):
        outcome = anyio.run(run, STOPPED, (at,))
        assert [one.kind for one in noted(outcome.events)] == ["alternation"], at
        assert any(isinstance(event.data, TurnCancelled) for event in outcome.events), at
        assert not breaches(outcome, whole, loose=True)


async def test_whoever_asked_is_told_why_it_was_stopped() -> None:
    model = ScriptedModel({"a": [calls(("look", {"query": "x"}))] * 9})
    store, found = MemoryStore(), "a called look 2 times in one turn"
    watch = Watch({"same_call": "stop"}, thresholds=Thresholds(same_call=2))
    async with System.open(store, model=model, watch=watch) as system:
        await system.start(agent("a", look))
        with pytest.raises(RequestFailed, match=f"stopped: {found}"):
            await system["a"].ask("go")


async def test_tell_is_heard_at_the_next_model_call() -> None:
    model = ScriptedModel({"a": [*[calls(("look", {"query": "x"}))] * 5, "I stop."]})
    watch = Watch({"same_call": "tell"}, thresholds=Thresholds(same_call=2))
    store = MemoryStore()
    async with System.open(store, model=model, watch=watch) as system:
        await system.start(agent("a", look))
        assert (await system["a"].ask("go")).text == "I stop."
    heard = [[words_in(message) for message in request.messages] for request in model.requests]
    told = "callboard: a called look 2 times in one turn, with the same arguments and the same result"
    assert [told in one for one in heard][:2] == [False, False]  # what it says of two calls is heard after them
    assert told in heard[3] and told in heard[4]
    assert f"callboard: {ADVICE}" in heard[-1]
    assert heard[-1].count(told) == 1
    view = await replay(store, agent_conversation, stream="agent-a")
    assert [line.text for line in view.lines if line.speaker == "callboard"] == [told.removeprefix("callboard: ")]


def test_all_who_have_to_do_with_it_are_told_once_wherever_the_process_dies() -> None:
    whole = anyio.run(run, TOLD)
    for at in range(0, len(whole.ticks[0]) + 1, 9):
        outcome = anyio.run(run, TOLD, (at,))
        assert [(one.kind, one.then) for one in noted(outcome.events)] == [("undoing", "tell")] * 2, at
        streams = {event.stream for event in outcome.events if isinstance(event.data, SymptomFound)}
        assert streams == {"agent-a", "agent-b"}
        assert not breaches(outcome, whole, loose=True)


def test_a_remark_about_another_request_is_not_heard() -> None:
    found = noted(anyio.run(run, TOLD).events)[0]
    remarks = remarked((), found)
    turn = MessageReceived(id="k1/a", sender="user", parts=())
    assert [line.turn for line in spoken(remarks, Desk(turn=turn))] == ["k1/a"]
    assert not list(spoken(remarks, Desk(turn=turn.model_copy(update={"id": "k2/a"}))))
    assert not remarked((), found.model_copy(update={"then": "warn"}))


async def test_who_cannot_be_reached_does_not_end_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    deliver = System.deliver

    async def failing(self: System, to: str, delivery: Delivery, *, wait: float = 0) -> None:
        if isinstance(delivery, Alter | Cancel):
            raise MailboxFull(to, delivery.sender, 1)
        await deliver(self, to, delivery)

    monkeypatch.setattr(System, "deliver", failing)
    model, store = ScriptedModel({"a": [*[calls(("look", {"query": "x"}))] * 3, "I go on."]}), MemoryStore()
    watch = Watch(default="stop", thresholds=Thresholds(same_call=2))
    async with System.open(store, model=model, watch=watch) as system:
        await system.start(agent("a", look))
        assert (await system["a"].ask("go")).text == "I go on."
    monkeypatch.undo()
    async with System.open(store, model=model, watch=watch):  # it is found again
        pass
    assert [one.then async for event in store.read_all() for one in noted([event])] == ["stop"]


async def test_what_is_delivered_twice_is_recorded_once() -> None:
    store, [one] = MemoryStore(), symptoms(golden("same_call"))
    found = as_event(one, "warn")
    async with System.open(store, model=ScriptedModel({"a": ["Yes."]})) as system:
        await system.start(agent("a"))
        for _ in range(2):
            await system.deliver("agent-a", Alter(found.key, "user", found))
        assert (await system["a"].ask("go")).text == "Yes."
    assert noted([event async for event in store.read_all()]) == [found]


@pytest.mark.parametrize("first, open", [("warn", 1), ("stop", 0)])
async def test_what_was_decided_when_it_was_recorded_counts(first: Any, open: int) -> None:
    store, waiting = MemoryStore(), Agent("a", "You are a.", tools=[look, "ask_human"])
    limits = Thresholds(same_call=2)
    model = ScriptedModel({"a": [calls(("look", {"query": "x"}))] * 2 + [calls(("ask_human", {"question": "?"}))]})
    async with System.open(store, model=model, watch=Watch(default=first, thresholds=limits)) as system:
        await system.start(waiting)
        await system["a"].tell("go", key="k1")
        await system.quiet()
    async with System.open(store, model=model, watch=Watch(default="stop", thresholds=limits)) as system:
        await system.quiet()
        assert len(await system.waiting()) == open
    assert [one.then async for event in store.read_all() for one in noted([event])] == [first]


async def test_a_log_that_was_not_watched_is_looked_through_from_a_position_on() -> None:
    store = (await run(SICK["same_call"][0])).log
    before = store.position

    async def opened(**changed: Any) -> list[str]:
        async with System.open(store, model=ScriptedModel({}), watch=Watch(**changed)):
            pass
        return [one.kind async for event in store.read_all() for one in noted([event])]

    assert await opened(after=before) == []
    assert await opened(default="off") == []
    assert await opened() == ["same_call"]
    assert await opened() == ["same_call"]


@pytest.mark.parametrize(
    "policies, default, said",
    [
        ({"monolog": "warn"}, "warn", "no kind of symptom 'monolog'; there are alternation, same_call"),
        ({"monologue": "shout"}, "warn", "'shout' is no policy; there are off, warn"),
        ({}, "shout", "'shout' is no policy"),
    ],
)
def test_a_wrong_policy_is_refused(policies: Any, default: Any, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Watch(policies, default)


def test_a_log_in_memory_is_watched_in_one_event_loop_after_the_other() -> None:
    store = MemoryStore()

    async def ask(key: str) -> None:
        async with System.open(store, model=ScriptedModel({"a": [key]}), watch=Watch()) as system:
            await system.start(agent("a"))
            assert (await system["a"].ask("go", key=key)).text == key
            await system.quiet()

    anyio.run(ask, "k1")
    anyio.run(ask, "k2")
