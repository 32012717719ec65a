"""`callboard trace LOG --findings`, as somebody at a terminal has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callboard.actors.thresholds import load_thresholds
from callboard.events import SpecError
from callboard.scripts.main import main

from .logs import write_rows
from .sick_scenarios import HEALTHY, SICK
from .symptom_logs import kept


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def written(folder: Path, name: str) -> str:
    """Return a file with the kept log `name`."""
    path = folder / f"{name}.db"
    write_rows(path, kept(name))
    return str(path)


def test_findings_are_a_table_of_eighty_columns_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", written(tmp_path, "same_state"), "--findings"]) == 1
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    words = " ".join(out.split())
    assert "same_state k1 5 of 5 a heard the same and said the same to it 5 times in one request" in words
    assert out.splitlines()[0].split() == ["kind", "request", "counted", "found"]
    assert out.splitlines()[-1] == "2 findings in 1 request"


def test_json_is_an_object_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", written(tmp_path, "same_state"), "--findings", "--json"]) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert list(first) == "kind trace who about measured threshold text positions key".split()
    assert (first["who"], first["measured"], first["threshold"], second["who"]) == (["a"], 5, 5, ["b"])


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_healthy_log_is_exit_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
    assert main(["trace", written(tmp_path, "polling"), "--findings", *flags]) == 0
    assert capsys.readouterr().out == ("" if flags else "no findings\n")


@pytest.mark.parametrize("name", [*SICK, *HEALTHY][::3])
def test_every_kept_log_is_read_from_a_file(tmp_path: Path, name: str) -> None:
    assert main(["trace", written(tmp_path, name), "--findings"]) == (1 if name in SICK else 0)
    assert main(["verify", str(tmp_path / f"{name}.db")]) == 0


def test_one_request_is_named_by_a_beginning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "same_call")
    assert main(["trace", path, "k", "--findings"]) == 1
    assert main(["trace", path, "zz", "--findings"]) == 2
    assert "no trace begins with 'zz'; there are k1" in capsys.readouterr().err
    assert main(["trace", written(tmp_path, "many-requests"), "k2", "--findings"]) == 0


def test_thresholds_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, file = written(tmp_path, "same_call"), tmp_path / "limits.toml"
    file.write_text("monologue = 4\n[tools]\nsearch = 0\n")
    assert main(["trace", path, "--findings", "--thresholds", str(file)]) == 1
    assert "monologue" in (out := capsys.readouterr().out) and "same_call" not in out
    assert load_thresholds(file).model_dump(exclude_defaults=True) == {"monologue": 4, "tools": {"search": 0}}


@pytest.mark.parametrize(
    "text, said",
    [
        ("monolog = 4", "monolog: there is no such key; did you mean 'monologue'?"),
        ("monologue = '4'", 'monologue: a whole number is wanted, found "4"'),
        ("monologue = -1", "monologue: 0 or more is wanted, found -1"),
        ("monologue = ", "limits.toml, line 1"),
        ("undoing = 33", "undoing: "),
    ],
)
def test_a_wrong_threshold_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_thresholds(file)
    assert said in str(caught.value)


def test_what_cannot_be_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "same_call")
    assert main(["trace", str(tmp_path / "none.db"), "--findings"]) == 2
    assert main(["trace", path, "--findings", "--thresholds", str(tmp_path / "none.toml")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert main(["trace", path, "--thresholds", "x.toml"]) == 2
    assert "--thresholds is for --findings" in capsys.readouterr().err
