"""The teams that callboard comes with."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.patterns import NAMED
from callboard.actors.system import System
from callboard.actors.team import Team, load_team
from callboard.actors.testing import ScriptedModel
from callboard.events import MemoryStore
from callboard.scripts.border import BadUse
from callboard.scripts.main import main
from callboard.scripts.run import converse
from callboard.scripts.shipped import NAMES, TEAMS, team_file

from .shipped import PLAYS, Play

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def unchanged_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """See that the folder of the teams is importable only meanwhile."""
    monkeypatch.setattr("sys.path", list(sys.path))


def shipped(name: str) -> Team:
    return load_team(team_file(Path(name)))


def performed(name: str, play: Play, *, json: bool = False) -> str:
    """Say all that the play says to a team; return what is printed of it."""
    screen, model, store = io.StringIO(), ScriptedModel(play.script), MemoryStore()
    out = None if json else Console(file=screen, width=200)

    async def talk() -> None:
        for message in play.messages:
            code = await converse(shipped(name), message, model=model, log=store, params=play.params, out=out)
            assert code == 0

    anyio.run(talk)
    model.assert_finished()
    return screen.getvalue()


def test_there_is_a_team_for_each_pattern_and_no_other_file():
    assert sorted(path.name for path in TEAMS.iterdir()) == sorted(f"{kind}.toml" for kind in NAMED)
    assert set(NAMES) == set(PLAYS) == set(NAMED)


@pytest.mark.parametrize("name", NAMES)
def test_a_team_shows_the_pattern_that_it_is_named_after(name: str):
    team = shipped(name)
    [group] = team.groups.values()
    assert type(group.pattern) is NAMED[name]
    assert team.roots == (group,)
    assert team.recipient() == group
    assert team.model is not None
    assert all(agent.instructions and agent.description for agent in team.agents.values())


class Agreeing:
    """A model that says the same whatever it is asked."""

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        return ModelReply("Yes.")


@pytest.mark.parametrize("name", NAMES)
def test_a_team_says_in_its_first_lines_how_it_is_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("callboard.scripts.serving.OpenAIModel", lambda *_, **__: Agreeing())  # type: ignore[reportUnknown]
    comments = [line[1:] for line in team_file(Path(name)).read_text().splitlines() if line.startswith("#")]
    indented = " ".join(line.strip() for line in comments if line.startswith("     "))
    commands = indented.split("callboard run ")[1:]
    assert commands
    for command in commands:
        words = shlex.split(command)
        assert (words[0], main(["run", *words])) == (name, 0)


@pytest.mark.parametrize("name", NAMES)
async def test_a_team_starts_and_all_of_it_is_in_the_log(name: str):
    team = shipped(name)
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        for spec in team.roots:
            await system.start(spec)
        started = {stream.split("-", 1)[1] for stream in system.streams() if stream.startswith(("agent-", "group-"))}
        assert started == {*team.agents, *team.groups}
        assert system.parked() == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_talk_with_a_team_gives_the_answer_with_who_had_the_word(name: str, capsys: pytest.CaptureFixture[str]):
    performed(name, PLAYS[name], json=True)
    decoder, text = json.JSONDecoder(), capsys.readouterr().out
    answers: list[dict[str, object]] = []
    while text.strip():
        answer, end = decoder.raw_decode(text)
        answers.append(answer)
        text = text[end:].lstrip()
    last = answers[-1]
    turns: list[dict[str, str]] = last["turns"]  # type: ignore[assignment]
    assert last["text"] == PLAYS[name].answer
    spoken = zip((turn["speaker"] for turn in turns), PLAYS[name].speakers, strict=True)
    assert [given if wanted == "?" else wanted for given, wanted in spoken] == [turn["speaker"] for turn in turns]


@pytest.mark.parametrize("name", NAMES)
def test_the_end_of_the_screen_says_why_it_ended_there_and_what_is_in_the_data(name: str):
    play = PLAYS[name]
    printed = performed(name, play)
    assert re.search(rf"\n\n{re.escape(play.facts)} · [\d.]+ m?s\ntrace \w+\n$", printed), printed


@pytest.mark.parametrize("name", [name for name in NAMES if PLAYS[name].lines])
def test_the_screen_shows_who_speaks_and_what_the_pattern_does(name: str):
    assert performed(name, PLAYS[name]).startswith(PLAYS[name].lines)


def shown(name: str) -> list[str]:
    return performed(name, PLAYS[name]).splitlines()


def test_tasks_and_second_tries_are_shown():
    lines = shown("supervisor")
    assert lines[0] == "project_manager:"
    assert "[delegate] developer: Design the API." in lines
    assert "[send_message_to_all_agents_in_group] everybody: Anything else?" in lines
    assert lines[lines.index("[failed] no") + 1] == "[then] asked once more"


def test_votes_are_shown_with_how_they_were_read():
    lines = shown("consensus")
    assert lines.count("[vote] Pier: short") == 2
    assert lines.count("[vote] nothing: the answer names none") == 2
    assert "[break_tie] Quay: nobody else has it" in lines
    assert not any(line.endswith(":") and not following for line, following in pairwise(lines))


def test_only_the_board_of_the_supervisor_is_written_by_its_manager():
    [share] = shipped("supervisor").groups["project"].spec().blocks
    assert share.writers == ("project_manager", "deputy")


# -- by their names ---------------------------------------------------------------------------------


def test_a_bare_name_is_a_team_that_callboard_comes_with_unless_there_is_such_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert team_file(Path("debate")) == TEAMS / "debate.toml"
    (tmp_path / "debate").write_text("[agents.a]\n")
    assert team_file(Path("debate")) == Path("debate")


@pytest.mark.parametrize("given", ["debate.toml", "there/debate", "/debate"])
def test_what_is_more_than_a_name_is_a_file(given: str):
    assert team_file(Path(given)) == Path(given)


def test_a_name_that_nothing_has_is_refused_with_the_nearest():
    with pytest.raises(BadUse, match="no team of that name comes with callboard; did you mean 'supervisor'"):
        team_file(Path("superviser"))


def test_the_help_says_which_teams_there_are(capsys: pytest.CaptureFixture[str]):
    main(["run", "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert all(re.search(rf"\b{name}\b", said) for name in NAMES), said


def test_they_are_installed_with_the_package():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folder = ROOT / setuptools["package-dir"]["callboard.scripts"]
    found = {path for glob in setuptools["package-data"]["callboard.scripts"] for path in folder.glob(glob)}
    assert {path.stem for path in found if path.suffix == ".toml"} == set(NAMED)


def test_a_shipped_team_leaves_its_log_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    model = ScriptedModel(PLAYS["route"].script)
    monkeypatch.setattr("callboard.scripts.serving.OpenAIModel", lambda *_, **__: model)  # type: ignore[reportUnknown]
    assert main(["run", "route", PLAYS["route"].messages[0]]) == 0
    assert (tmp_path / "route.db").exists()
