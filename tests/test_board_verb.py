"""`callboard memory board` and `callboard trace --findings` of what is late, as somebody at a terminal has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from callboard import Agent, Block, Board, System
from callboard.actors.testing import ScriptedModel, calls
from callboard.scripts.main import main

from .test_board import MISSION

Run = Callable[..., tuple[int, str, str]]
NOTED = ("task_update", {"label": "tasks", "id": "task-002", "notes": "The east is done.\nThe west waits."})
CLAIM = ("task_claim", {"label": "tasks", "id": "task-002"})


async def lived(path: Path) -> None:
    model = ScriptedModel({"worker_2": [calls(CLAIM, NOTED), "I have it."]})
    async with System.open(str(path), model=model) as system:
        await system.start(Agent("worker_2", blocks=[Board("tasks", MISSION), Block("plan", "x")]))
        words = "Check the figures of the eastern region against those of the year before, twice"
        await system.block("tasks").edit("task_add", description=words, due_date="2999-01-01T12:00:00+01:00", key="e1")
        await system["worker_2"].ask("go", key="k1")
        await system.block("tasks").edit("task_complete", id="task-003", result="22 \x1b[31mslides", key="e2")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("log") / "team.db"
    anyio.run(lived, path)
    return str(path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "80")

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_board_is_a_table_of_eighty_columns(log: str, run: Run) -> None:
    code, out, _ = run("memory", "board", log)
    lines = out.splitlines()
    assert (code, max(map(len, lines))) == (0, 80) or max(map(len, lines)) < 80
    assert lines[0] == "tasks  4 tasks, 2 overdue"
    assert lines[1] == "Focus on highlighting Q1 growth trends in the eastern region"
    assert lines[2].split() == ["id", "status", "who", "due", "task"]
    assert lines[3].split() == "task-001 in_progress worker_1 2025-04-15 late Analyze quarterly sales data".split()
    words = " ".join(out.split())
    assert "task-002 in_progress worker_2 2025-04-20 late Create summary report The east is done." in words
    assert "worker_2 changed it @" in words and "user changed it @" in words
    assert "task-004 not_started - 2999-01-01 11:00 Check the figures" in words
    assert "22 \u241b[31mslides" in words and "\x1b" not in out


def test_the_board_is_json(log: str, run: Run) -> None:
    found = json.loads(run("memory", "board", log, "tasks", "--json")[1])["boards"]["tasks"]
    assert found["last_updated"] > "2026" and found["version"] == 5
    late = {task["id"]: (task["overdue"], task["changed"]["by"]) for task in found["tasks"]}
    assert list(late.values()) == [(True, None), (True, "worker_2"), (False, "user"), (False, "user")]


def test_the_board_as_it_was(log: str, run: Run) -> None:
    found = json.loads(run("memory", "board", log, "--at", "4", "--json")[1])["boards"]["tasks"]
    assert [task["status"] for task in found["tasks"]] == ["in_progress", "pending", "not_started"]
    assert json.loads(run("memory", "board", log, "--at", "1", "--json")[1]) == {"boards": {}}
    assert "this log has no boards" in run("memory", "board", log, "--at", "1")[1]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("plan",), "there is no board of tasks 'plan'; there are: tasks"),
        (("tasks", "--at", "9999"), "there is no position 9999"),
        (("tasks", "--at", "0"), "there is no position 0"),
    ],
)
def test_what_there_is_not_is_bad_use(log: str, run: Run, words: tuple[str, ...], why: str) -> None:
    code, _, err = run("memory", "board", log, *words)
    assert code == 2 and why in err


def test_late_tasks_are_findings(log: str, run: Run) -> None:
    code, out, _ = run("trace", log, "--findings", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 1 and [one["kind"] for one in found] == ["overdue_task"] * 3
    assert [one["about"] for one in found] == ["tasks/task-001", "tasks/task-002", "tasks/task-003"]
    assert found[1]["text"] == "the task task-002 on the board tasks was due 2025-04-20 and is pending; worker_2 has it"


async def late_and_idle(path: Path) -> None:
    async with System.open(str(path), model=ScriptedModel({})) as system:
        await system.start(
            Board("tasks", {"active_tasks": [{"id": "t", "description": "x", "due_date": "2020-01-01"}]})
        )


def test_what_nobody_has_worked_on_since_is_late_now(tmp_path: Path, run: Run) -> None:
    anyio.run(late_and_idle, tmp_path / "idle.db")
    code, out, _ = run("trace", str(tmp_path / "idle.db"), "--findings", "--json")
    assert code == 1 and json.loads(out)["who"] == ["tasks"]


async def erased(path: Path) -> None:
    async with System.open(str(path), model=ScriptedModel({})) as system:
        await system.start(Agent("worker_2", blocks=[Board("tasks")]))
        await system.block("tasks").edit("task_add", description="the code is 4711", key="e1")
        found = [event.position async for event in system.store.read_all() if event.type == "BlockEdited"]
        await system.redact(found, reason="a secret")


def test_a_board_that_cannot_be_read_since_an_erasure_says_so_and_is_not_empty(path: Path, run: Run) -> None:
    anyio.run(erased, path)
    code, out, _ = run("memory", "board", str(path))
    assert code == 0 and "cannot be read" in out and "since a text of it was erased" in " ".join(out.split())
    assert "0 tasks" not in out and "mend it: callboard memory show" in out
    [board] = json.loads(run("memory", "board", str(path), "--json")[1])["boards"].values()
    assert board["tasks"] == [] and "erased" in board["unreadable"]
