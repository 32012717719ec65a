"""The README says what is so."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from callboard.actors.team import load_team

README = (Path(__file__).parent.parent / "README.md").read_text()


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_program_prints_what_stands_below_it_also_the_second_time(tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", block("python")], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.stdout == block("text"), done.stderr


def test_the_team_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(block("toml"))
    assert set(load_team(tmp_path / "team.toml").agents) == {"writer", "critic"}
    assert tomllib.loads(block("toml"))["model"]["name"] == "gpt-5-mini"


def test_the_commands_are_those_that_there_are() -> None:
    help = subprocess.run([sys.executable, "-m", "callboard.scripts.main", "--help"], capture_output=True, text=True)
    for verb in re.findall(r"^\| `callboard (\w+)", README, re.MULTILINE):
        assert re.search(rf"\b{verb}\b", help.stdout), verb


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parent.parent / target).exists(), target
