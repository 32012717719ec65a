"""`callboard run` with groups: options of a request, background work, and what follows a failure."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from pydantic import JsonValue
from rich.console import Console

from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.patterns import Consensus, Parallel, Pattern, Sleeptime, Supervisor
from callboard.actors.specs import Agent, Block, Group
from callboard.actors.system import System
from callboard.actors.team import Team
from callboard.actors.testing import Scripted, ScriptedModel
from callboard.events import EventStore, MemoryStore, ModelError, TextRefused
from callboard.events.specs import OnFailure
from callboard.scripts.main import main
from callboard.scripts.run import converse

NO = ModelError("no", kind="auth")


def a_team(
    pattern: Pattern, *members: str, manager: str = "", standby: str = "", on_failure: OnFailure = "skip"
) -> Team:
    agents = {name: Agent(name, f"You are {name}.", tags=["all"]) for name in (*members, manager, standby) if name}
    group = Group(
        "g", [agents[name] for name in members], pattern, manager=agents.get(manager), on_failure=on_failure,
        standby=[agents[standby]] if standby else [], blocks=[Block("notes")],
    )  # fmt: skip
    return Team("t", None, {}, agents, {"g": group})


def run(
    team: Team,
    script: Mapping[str, Sequence[Scripted]],
    *,
    store: EventStore | None = None,
    params: Mapping[str, JsonValue] | None = None,
    key: str | None = None,
) -> tuple[int, list[str], ScriptedModel]:
    """Say `Go.` to a team; return the exit code, the lines of the screen, and the model."""
    screen, model = io.StringIO(), ScriptedModel(script)
    out = Console(file=screen, width=200)

    async def talk() -> int:
        log = store or MemoryStore()
        return await converse(team, "Go.", model=model, log=log, key=key, params=params, out=out)

    return anyio.run(talk), screen.getvalue().splitlines(), model


# -- what follows a failure -------------------------------------------------------------------------


def test_another_manager_takes_the_place_of_one_that_fails():
    team = a_team(Supervisor(), "ann", manager="boss", standby="deputy")
    code, lines, _ = run(team, {"boss": [NO], "deputy": ["All done."]})
    assert (code, lines[:6]) == (
        0,
        ["boss:", "[failed] no", "[then] deputy takes its place", "", "deputy:", "All done."],
    )


def test_another_member_is_asked_instead_of_one_that_fails():
    team = a_team(Parallel(), "ann", "bob", on_failure="reroute")
    code, lines, _ = run(team, {"ann": [NO], "bob": ["B"]}, params={"tasks": {"ann": "Do it."}})
    assert (code, lines[:6]) == (0, ["ann:", "[failed] no", "[then] bob is asked instead", "", "bob:", "B"])


def test_a_failure_that_ends_the_request_is_shown_where_it_happened(capsys: pytest.CaptureFixture[str]):
    code, lines, _ = run(a_team(Parallel(), "ann", on_failure="fail"), {"ann": [NO]})
    assert (code, lines[:3]) == (1, ["ann:", "[failed] no", "[then] so the whole request fails"])
    assert "the request failed: ann failed: no" in capsys.readouterr().err


# -- options of a request ---------------------------------------------------------------------------

VOTES: dict[str, list[Scripted]] = {"ann": [[("vote", {"choice": "y"})]], "bob": [[("vote", {"choice": "y"})]]}


def test_params_are_what_the_pattern_sees():
    code, lines, _ = run(a_team(Consensus(), "ann", "bob"), VOTES, params={"options": ["x", "y"]})
    assert code == 0
    assert "votes: y 2" in lines


def test_without_the_options_that_it_wants_the_request_fails(capsys: pytest.CaptureFixture[str]):
    code, _, model = run(a_team(Consensus(), "ann", "bob"), VOTES)
    assert (code, model.requests) == (1, [])
    assert "`options` wants two or more different texts" in capsys.readouterr().err


def cut_short(
    team: Team,
    store: EventStore,
    seen: str,
    told: str,
    params: Mapping[str, JsonValue] | None = None,
    key: str | None = None,
) -> None:
    """Say `Go.`; give up waiting once the screen shows `seen`, and stop at once when it shows `told`."""
    screen = io.StringIO()

    class Stuck(ScriptedModel):
        async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
            if request.agent == "keeper":
                await anyio.sleep_forever()
            return await super().complete(request, say)

    async def work(asking: anyio.CancelScope) -> None:
        model, out = Stuck({"boss": ["Answered."], "ann": ["A"]}), Console(file=screen, width=200)
        await converse(team, "Go.", model=model, log=store, params=params, key=key, out=out, asking=asking)

    async def shown(text: str) -> None:
        while text not in screen.getvalue():
            await anyio.lowlevel.checkpoint()

    async def talk() -> None:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                asking = anyio.CancelScope()
                tasks.start_soon(work, asking)
                await shown(seen)
                asking.cancel()
                await shown(told)
                tasks.cancel_scope.cancel()

    anyio.run(talk)


@pytest.mark.parametrize(("keeper", "joins"), [("x", True), ("z", False)])
def test_an_open_request_is_joined_by_the_same_message_with_the_same_params(
    capsys: pytest.CaptureFixture[str], keeper: str, joins: bool
):
    store, team = MemoryStore(), a_team(Parallel(), "ann", "keeper")
    cut_short(team, store, "A\n", "A\n", {"tasks": {"ann": "a", "keeper": "x"}})
    again: dict[str, JsonValue] = {"tasks": {"ann": "a", "keeper": keeper}}
    code, _, model = run(team, {"ann": ["A"], "keeper": ["K", "K"]}, store=store, params=again)
    assert (code, len(model.requests)) == (0, 1 if joins else 3)
    assert ("joining the request" in capsys.readouterr().err) is joins


@pytest.mark.parametrize(
    ("params", "more", "says"),
    [
        ("{", [], "--params is no JSON: EOF"),
        ('["x"]', [], '--params is ["x"]; a JSON object is wanted'),
        ('{"x": NaN}', [], "--params is no JSON"),
        ('{"x": "\\ud800"}', [], "--params is no JSON"),
        ('{"x": 1}', ["--to", "chair"], "--params are for the pattern of a group, and 'chair' is an agent"),
    ],
)
def test_params_that_cannot_be_are_refused_before_there_is_a_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    params: str,
    more: list[str],
    says: str,
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    assert main(["run", "consensus", "Go.", "--params", params, *more]) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["\ud800", float("nan"), object(), {1, 2}])
async def test_params_that_the_log_cannot_hold_are_refused_and_the_team_goes_on(value: Any):
    model = ScriptedModel({"ann": ["A"]})
    async with System.open(MemoryStore(), model=model) as system:
        group = await system.start(Group("g", [Agent("ann")]))
        with pytest.raises(TextRefused, match="cannot be taken in as JSON"):
            await group.ask("Go.", params={"x": value})
        assert (await group.ask("Go.", params={"x": [1]})).text == "A"


def test_params_of_the_command_line_reach_the_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    vote: list[Scripted] = [[("vote", {"choice": "Quay"})]]
    model = ScriptedModel(dict.fromkeys(("developer", "qa_engineer", "support_lead"), vote))
    monkeypatch.setattr("callboard.scripts.serving.OpenAIModel", lambda *_, **__: model)  # type: ignore[reportUnknown]
    assert main(["run", "consensus", "Go.", "--json", "--params", '{"options": ["Pier", "Quay"]}']) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["text"], answer["data"]["unanimous"]) == ("Quay", True)


# -- background work --------------------------------------------------------------------------------


def sleepy() -> Team:
    return a_team(Sleeptime(every=1), "keeper", manager="boss")


def test_background_work_that_fails_is_shown_and_the_answer_stands():
    code, lines, _ = run(sleepy(), {"boss": ["Answered."], "keeper": [NO]})
    assert (code, lines[:2]) == (0, ["boss:", "Answered."])
    assert "[job] failed: no" in lines
    assert "background work of keeper: failed" in lines


def test_json_has_background_work_as_it_ended(capsys: pytest.CaptureFixture[str]):
    done: list[Scripted] = [[("memory_finish_edits", {})]]
    model = ScriptedModel({"boss": ["Answered."], "keeper": done})

    async def talk() -> int:
        return await converse(sleepy(), "Go.", model=model, log=MemoryStore(), key="k", out=None)

    assert anyio.run(talk) == 0
    assert json.loads(capsys.readouterr().out)["jobs"] == [
        {"id": "k/g/2/keeper", "member": "keeper", "status": "completed", "error": ""}
    ]


def test_ctrl_c_during_background_work_leaves_the_answer_and_the_next_run_goes_on(
    capsys: pytest.CaptureFixture[str],
):
    store = MemoryStore()
    cut_short(sleepy(), store, "[job] works", "background work of keeper: not done yet; it goes on at the next run")
    done: list[Scripted] = [[("memory_finish_edits", {})]]
    code, lines, model = run(sleepy(), {"boss": ["Again."], "keeper": [*done, *done]}, store=store)
    assert (code, lines[1]) == (0, "Again.")
    assert "other open work goes on, too" in capsys.readouterr().err
    assert sum(request.agent == "keeper" for request in model.requests) == 2


@pytest.mark.parametrize("wait", [0, 200])
def test_with_the_same_key_background_work_that_was_cut_short_is_shown_once_to_its_end(wait: int):
    store, screen = MemoryStore(), io.StringIO()
    cut_short(sleepy(), store, "[job] works", "not done yet", key="k")

    class Slow(ScriptedModel):
        async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
            for _ in range(wait):  # 0: done before the answer is read again; 200: after
                await anyio.lowlevel.checkpoint()
            return await super().complete(request, say)

    async def talk() -> int:
        model = Slow({"keeper": [[("memory_finish_edits", {})]]})
        return await converse(sleepy(), "Go.", model=model, log=store, key="k", out=Console(file=screen, width=200))

    assert anyio.run(talk) == 0
    lines = screen.getvalue().splitlines()
    assert lines[3:8] == [
        "keeper:",
        "[job] works in the background on what was said",
        "[again] goes on where the process stopped (attempt 2)",
        "[memory_finish_edits] the memory is up to date",
        "[job] completed",
    ]
    assert "background work of keeper: completed" in lines[8:]


def test_a_key_that_is_known_shows_its_background_work_again_and_asks_nobody():
    store = MemoryStore()
    done: list[Scripted] = [[("memory_finish_edits", {})]]
    first = run(sleepy(), {"boss": ["Answered."], "keeper": done}, store=store, key="k")[1]
    code, lines, model = run(sleepy(), {}, store=store, key="k")
    assert (code, model.requests) == (0, [])
    assert [line for line in lines if line.startswith("[")] == [line for line in first if line.startswith("[")]
    assert "background work of keeper: completed" in lines
