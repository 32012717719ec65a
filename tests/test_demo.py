"""`callboard demo`, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from callboard.events import SQLiteStore
from callboard.events.catalog import BlockEdited, BlockEditRefused, ModelAttemptFailed, ToolCallFinished
from callboard.projections import block_state, pending, replay
from callboard.scripts.main import main

DEMO = Path(__file__).parent.parent / "scripts" / "demo.py"


def played(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo in `folder` as `python scripts/demo.py`."""
    command = [sys.executable, str(DEMO), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Return the log of two demos, the second going on with the first, and what each printed."""
    folder = tmp_path_factory.mktemp("demo")
    first = played(folder)
    second = played(folder, "--log", "callboard-demo.db")
    assert (first.returncode, first.stderr, second.returncode, second.stderr) == (0, "", 0, "")
    return folder / "callboard-demo.db", first.stdout, second.stdout


async def events_of(log: Path, kind: type) -> list[object]:
    async with SQLiteStore.open(log, mode="read") as store:
        return [event.data async for event in store.read_all() if isinstance(event.data, kind)]


def test_the_first_line_says_that_it_is_scripted(told: tuple[Path, str, str]):
    assert told[1].startswith("The replies of this demo are scripted: no model is called")


@pytest.mark.parametrize(
    "part",
    [
        "It is recorded in callboard-demo.db.",
        '[tool] memory_append(label="plan"',
        "[retry] attempt 2 in",
        "[tool] dough(guests=6, each=2) -> 12 scones from 660 g flour",
        "[failed] memory_rewrite(label=",
        "refused: lookout changed the block since you read it",
        "Food: 12 scones from 660 g flour, 168 g butter, 300 ml milk, and plum jam\nBring: a chair",
        "\n├── baker",
        "\n  callboard trace callboard-demo.db ",
    ],
)
def test_a_stranger_sees_the_point(told: tuple[Path, str, str], part: str):
    assert part in told[1]


def test_the_story_goes_on_from_what_the_log_holds(told: tuple[Path, str, str]):
    assert "dough(guests=8, each=2) -> 16 scones" in told[2]
    assert "Bring: a chair with arms for Ada, the blue umbrella\n" in told[2]
    assert "When: Sunday, 3 pm, after the rain" in told[2]


@pytest.mark.parametrize(
    ("kind", "count"), [(BlockEdited, 8), (BlockEditRefused, 2), (ModelAttemptFailed, 2), (ToolCallFinished, 10)]
)
async def test_all_of_it_happened(told: tuple[Path, str, str], kind: type, count: int):
    assert len(await events_of(told[0], kind)) == count


async def test_the_log_replays_and_nothing_is_left_open(told: tuple[Path, str, str]):
    async with SQLiteStore.open(told[0], mode="read") as store:
        plan = await replay(store, block_state, stream="block-plan")
        assert not (await replay(store, pending)).items
    assert f"\n{plan.value}\n" in told[2]


async def test_the_position_it_names_shows_the_plan_as_the_critic_read_it(told: tuple[Path, str, str]):
    until = int(told[1].partition("--until ")[2].split()[0])
    async with SQLiteStore.open(told[0], mode="read") as store:
        plan = await replay(store, block_state, stream="block-plan", until=until)
    assert "When: Sunday, 3 pm\nFood: 12 scones" in plan.value


def free(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    from callboard.scripts import demo

    monkeypatch.chdir(folder)
    return demo._free  # pyright: ignore[reportPrivateUsage]


def test_a_new_demo_leaves_earlier_logs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "callboard-demo.db").touch()
    assert free(tmp_path, monkeypatch)() == Path("callboard-demo-2.db")


def test_the_log_of_another_team_is_refused_and_left_as_it_is(tmp_path: Path):
    from .test_run import Talk

    Talk(tmp_path / "mine.db").say("Hi", ["Ho"], ["Hm"])
    before = (tmp_path / "mine.db").read_bytes()
    refused = played(tmp_path, "--log", "mine.db")
    assert refused.returncode == 2
    assert "which is not of the demo; give it a log of its own" in refused.stderr
    assert (tmp_path / "mine.db").read_bytes() == before


def test_the_crash_demo_is_killed_twice_and_repeats_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--crash", "--log", str(tmp_path / "c.db")]) == 0
    shown = capsys.readouterr().out
    assert shown.count(": killed ") == 2 and "Done twice: nothing" in shown
