"""What a command prints where its output is closed, or a terminal of no width."""

from __future__ import annotations

import subprocess
import sys

import pytest

from callboard.scripts.screen import show, styled


def test_a_terminal_without_columns_shows_what_a_pipe_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    show(styled("the tide turns"))
    assert capsys.readouterr().out == "the tide turns\n"


def test_a_closed_output_is_no_fault() -> None:
    program = "import sys; sys.stdout = None; from callboard.scripts.main import main; sys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
