"""Which model an attempt asks for, as rules over data."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from callboard import Agent
from callboard.actors import agent as rules
from callboard.actors.breaker import CIRCUIT_OPEN
from callboard.actors.commands import Begin, Refuse, Resume, TakeAttempt
from callboard.actors.fallbacks import Fallback, after, likely, specs, wanted
from callboard.actors.team import ModelChoice, load_team
from callboard.events import Event, SpecError, TeamFileError
from callboard.events.catalog import AgentStarted, ModelAttemptFailed, ModelCallFailed, ModelCallStarted, TurnFailed
from callboard.events.specs import AgentSpec, FallbackSpec
from callboard.projections import AgentState
from callboard.projections.agent import evolve

from .test_agent import ASKED, given, kinds, run

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAIN: Fallback = {"any": "last", "rate_limit": ["nano", "mini"], "server": "mini"}
SPEC = AgentSpec(name="a", model="own", fallback=specs(CHAIN, "own", "a"))


def asking(spec: AgentSpec = SPEC) -> AgentState:
    """Return an agent whose first attempt runs."""
    state = given(AgentStarted(spec=spec), ASKED)
    while more := rules.follow(state, "log", spec.model):
        for event in more:
            state = evolve(state, event)
    return state


def failed(state: AgentState, kind: str, due: datetime | None = NOW) -> AgentState:
    assert state.model is not None
    return run(state, TakeAttempt("k/a/1", state.model.attempt, kind, "no", due))[0]


def began(state: AgentState) -> tuple[AgentState, str]:
    """Begin the next attempt; return the model that it asks for."""
    model, call = wanted(state), state.model
    assert model is not None and call is not None
    state, [started] = run(state, Begin("k/a/1", after=call.attempt, model=model))
    assert isinstance(started, ModelCallStarted)
    return state, started.model


def test_those_for_any_failure_come_last_and_a_model_stands_there_once() -> None:
    assert SPEC.fallback == (
        FallbackSpec(model="nano", on=("rate_limit",)),
        FallbackSpec(model="mini", on=("rate_limit", "server")),
        FallbackSpec(model="last"),
    )
    assert specs("other", "own", "a") == (FallbackSpec(model="other"),)
    assert specs("", "own", "a") == ()


@pytest.mark.parametrize(
    ("model", "kind", "next"),
    [
        ("own", "rate_limit", "nano"),
        ("own", "server", "mini"),
        ("own", "quota", "last"),
        ("nano", "rate_limit", "mini"),
        ("mini", "rate_limit", "last"),
        ("last", "rate_limit", None),
        ("unknown", "server", "mini"),
    ],
)
def test_the_next_model_is_the_first_behind_that_takes_the_class(model: str, kind: str, next: str | None) -> None:
    assert after(SPEC, model, kind) == next


def test_each_attempt_goes_where_the_failures_before_it_lead() -> None:
    state, asked = asking(), list[str]()
    for kind in ("server", "rate_limit", "server", "server"):
        state, model = began(failed(state, kind))
        asked.append(model)
    assert asked == ["mini", "last", "last", "last"]


def test_an_attempt_that_a_stop_cut_asks_the_same_model_again() -> None:
    state, model = began(failed(asking(), "server"))
    state, _ = run(state, Resume())
    assert (model, wanted(state)) == ("mini", "mini")
    assert began(state)[1] == "mini"


def test_the_next_call_begins_with_the_agent_s_own_model() -> None:
    state = evolve(failed(asking(), "server"), ModelCallFailed(id="k/a/1", text=ASKED.parts[0].text))
    assert likely(state) == "own"


def test_who_lost_its_fallback_meanwhile_asks_its_own_model() -> None:
    state = failed(began(failed(asking(), "server"))[0], "timeout")
    changed = AgentSpec(name="a", model="new")
    assert wanted(evolve(state, AgentStarted(spec=changed))) == "new"


def refused(state: AgentState, model: str = "own", after: int = 0) -> tuple[AgentState, list[Event]]:
    return run(state, Refuse("k/a/1", after, model, "it keeps failing", NOW))


def waiting(spec: AgentSpec = SPEC) -> AgentState:
    """Return an agent whose first attempt has no slot."""
    state = given(AgentStarted(spec=spec), ASKED)
    while more := rules.follow(state, "log", None):
        for event in more:
            state = evolve(state, event)
    return state


def test_a_call_without_a_slot_is_wanted_and_has_not_begun() -> None:
    state = waiting()
    assert state.model is not None
    assert (state.model.phase, state.model.attempt, wanted(state)) == ("wanted", 0, "own")
    assert rules.follow(state, "log", "another model") == []
    assert kinds(rules.follow(state, "log", "own")) == [ModelCallStarted]


def test_an_attempt_that_does_not_go_out_counts_and_leads_to_another_model() -> None:
    state, [event] = refused(waiting())
    assert event == ModelAttemptFailed(
        id="k/a/1", attempt=1, kind=CIRCUIT_OPEN, text=event.text, retry_at=NOW, sent=False, model="own"  # type: ignore[attr-defined]
    )  # fmt: skip
    state, model = began(state)
    assert state.model is not None
    assert (model, state.model.attempt) == ("last", 2)


def test_a_refusal_that_comes_too_late_adds_nothing() -> None:
    assert rules.take(asking(), Refuse("k/a/1", 0, "own", "no", NOW)) == []
    assert rules.take(waiting(), Refuse("k/a/1", 1, "own", "no", NOW)) == []
    assert rules.take(waiting(), Refuse("k/a/1", 0, "mini", "no", NOW)) == []


def test_a_slot_for_another_model_begins_nothing() -> None:
    assert rules.take(failed(asking(), "server"), Begin("k/a/1", after=1, model="own")) == []


def test_the_fifth_attempt_that_does_not_go_out_ends_the_call() -> None:
    state, events = waiting(AgentSpec(name="a")), list[Event]()
    for n in range(5):
        state, events = refused(state, "", n)
    assert kinds(events) == [ModelAttemptFailed, ModelCallFailed, TurnFailed]


@pytest.mark.parametrize(
    ("fallback", "why"),
    [
        ({"ratelimit": "x"}, "agent 'a' names the class 'ratelimit'; did you mean 'rate_limit'?"),
        ({"": "x"}, "agent 'a' names an empty class"),
        ({"any": ""}, "agent 'a' for 'any' is ''; the name of a model is wanted"),
        ({"server": ["x", 3]}, "agent 'a' for 'server' is 3; the name of a model is wanted"),
        ("own", "agent 'a' for 'any' is 'own', its own model; take another"),
    ],
)
def test_a_fallback_that_cannot_be_is_refused(fallback: Fallback, why: str) -> None:
    with pytest.raises(SpecError, match=why):
        Agent("a", model="own", fallback=fallback)


def test_a_model_of_one_s_own_may_have_classes_of_its_own() -> None:
    assert Agent("a", fallback={"asleep": "x"}).spec().fallback == (FallbackSpec(model="x", on=("asleep",)),)


TEAM = """
[model]
name = "big"
at_once = 8

[models.local]
name = "llama3"
base_url = "http://127.0.0.1:11434/v1"

[agents.a]
fallback = { any = "local", rate_limit = ["nano"] }

[agents.b]
fallback = "local"
"""


def test_a_team_file_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(TEAM)
    team = load_team(tmp_path / "team.toml")
    assert team.agents["a"].spec().fallback == specs({"rate_limit": "nano", "any": "local"}, "", "a")
    assert team.agents["b"].spec().fallback == (FallbackSpec(model="local"),)
    assert team.model == ModelChoice("big", "", 8)
    assert team.models == {"local": ModelChoice("llama3", "http://127.0.0.1:11434/v1")}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[models.local]\nnam = 'x'\n[agents.a]\n", "models.local.nam: there is no such key; did you mean 'name'?"),
        ("[model]\nat_once = 0\n[agents.a]\n", "model.at_once: 1 or more is wanted, found 0"),
        ("[agents.a]\nfallback = { sever = 'x' }\n", "did you mean 'server'?"),
    ],
)
def test_a_team_file_that_says_it_wrongly_is_told_where(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(text)
    with pytest.raises(TeamFileError) as caught:
        load_team(tmp_path / "team.toml")
    assert why in str(caught.value)
