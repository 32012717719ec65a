"""A block that comes back holds what it held, for all who read the log; so does a text that becomes a board."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from callboard import Agent, Block, Board, System
from callboard.actors.testing import ScriptedModel
from callboard.events import SQLiteStore
from callboard.projections import BlockState, block_state, replay
from callboard.projections.board import board_history
from callboard.projections.symptoms import Detector
from callboard.scripts.main import main

from .homes import home

pytestmark = pytest.mark.anyio

LATE = {"active_tasks": [{"id": "t1", "description": "map", "due_date": "2020-01-01"}]}
Run = Callable[..., tuple[int, str]]


async def late(system: System) -> list[str]:
    detector = Detector()
    async for event in system.store.read_all():
        detector.take(event)
    return [one.about for one in detector.end(datetime.now(UTC)) if one.kind == "overdue_task"]


async def test_blame_of_a_block_that_came_back_is_as_it_was() -> None:
    async with home() as here:
        plan = await here.system.start(Block("plan", "one"))
        await plan.append("two", by="Ana")
        before = [(line.text, line.version) for line in (await plan.blame()).lines]
        await plan.retire()
        await here.system.start(Block("plan"))
        assert [(line.text, line.version) for line in (await plan.blame()).lines] == before == [("one", 1), ("two", 2)]
        await plan.append("three")
        assert [line.text for line in (await plan.blame()).lines] == ["one", "two", "three"]


async def test_a_board_that_came_back_says_who_changed_a_task_before() -> None:
    async with home() as here:
        tasks = await here.system.start(Board(value=LATE))
        await tasks.edit("task_claim", id="t1", by="Ana")
        await tasks.retire()
        await here.system.start(Board())
        history = await replay(here.system.store, board_history, stream="block-tasks")
        assert history.touched["t1"].editor == "Ana"


async def test_a_task_is_late_by_what_stands_on_a_board_that_came_back_and_not_while_it_is_retired() -> None:
    async with home() as here:
        tasks = await here.system.start(Board(value=LATE))
        await tasks.edit("task_add", description="draw", due_date="2021-01-01")
        await tasks.edit("task_complete", id="t1")
        await tasks.retire()
        assert await late(here.system) == []
        await here.system.start(Board())
        assert await late(here.system) == ["tasks/task-001"]
        await tasks.edit("task_complete", id="task-001")
        assert await late(here.system) == []


async def test_a_text_that_becomes_a_board_is_one_for_whoever_looks(run: Run, tmp_path: Path) -> None:
    async with System.open(tmp_path / "team.db", model=ScriptedModel({})) as system:
        await system.start(Agent("a", blocks=[Block("tasks", "soon")]))
        await system.block("tasks").rewrite(json.dumps(LATE), by="Ana")
        await system.start(Agent("a", blocks=[Board("tasks")]))
        assert await late(system) == ["tasks/t1"]
    code, said = await anyio.to_thread.run_sync(run, "board", tmp_path / "team.db")
    assert code == 0 and "1 task, 1 overdue" in said and "Ana changed it" in said


# -- at the command line ----------------------------------------------------------------------------


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*words: object) -> tuple[int, str]:
        code = main(["memory", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return command


async def lived(path: Path) -> None:
    async with System.open(path, model=ScriptedModel({})) as system:
        await system.start(Board(value=LATE))
        await system.start(Board("more"))
        await system.start(Board("old"))
        await system.start(Block("rules", "x", locked=True))
        await system.block("tasks").rename("jobs")
        await system.block("old").retire()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    anyio.run(lived, tmp_path / "team.db")
    return tmp_path / "team.db"


def test_a_board_goes_by_the_label_that_it_has_now(run: Run, log: Path) -> None:
    for name in ("jobs", "tasks", "block-tasks"):
        code, said = run("board", log, name)
        assert code == 0 and said.startswith("tasks (label jobs)  1 task, 1 overdue")
    code, said = run("board", log, "nope")
    assert code == 2 and "there are: tasks (label jobs), more, old" in said
    assert run("rename", log, "more", "tasks")[0] == 0
    code, said = run("board", log, "tasks")
    assert code == 2 and "'tasks' names 2 boards of tasks" in said


def test_a_retired_board_is_shown_to_whoever_names_it(run: Run, log: Path) -> None:
    assert "old" not in run("board", log)[1]
    assert run("board", log, "old") == (0, "old, retired  0 tasks\n")


def test_the_list_says_what_a_block_is_called_now_and_whether_it_is_in_use(run: Run, log: Path) -> None:
    rows = [" ".join(line.split()) for line in run("list", log)[1].splitlines()]
    assert rows[0].startswith("tasks (label jobs) version 2") and rows[1].startswith("more version 1")
    assert [row.rpartition(" edits")[2] for row in rows] == ["", "", ", retired", ", locked"]


def test_the_line_ends_of_a_file_stay_as_they_are(run: Run, tmp_path: Path) -> None:
    async def begin() -> None:
        async with System.open(tmp_path / "one.db", model=ScriptedModel({})) as system:
            await system.start(Block("plan"))

    async def held() -> str:
        async with SQLiteStore.open(tmp_path / "one.db", mode="read") as store:
            state: BlockState = await replay(store, block_state, stream="block-plan")
            return state.value

    anyio.run(begin)
    (tmp_path / "plan.txt").write_bytes("a\r\nü\n".encode())
    assert run("edit", tmp_path / "one.db", "plan", "--file", tmp_path / "plan.txt")[0] == 0
    assert anyio.run(held) == "a\r\nü\n"
