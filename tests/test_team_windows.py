"""The window of an agent in a team file: what is wrong with it is said once, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard import Window

from .team_files import refused, team


def text(window: str) -> str:
    return f'[agents.a]\ninstructions = "You talk."\nwindow = {window}\n'


@pytest.mark.parametrize(
    ("window", "made"),
    [
        ("16000", 16_000),
        ('{ tokens = 16000, mode = "all" }', Window(16_000, mode="all")),
        ("{ at = 0.8 }", Window(at=0.8)),
    ],
)
def test_a_window_is_a_number_or_a_table(tmp_path: Path, window: str, made: object) -> None:
    assert team(tmp_path, text(window)).agents["a"].window == made


@pytest.mark.parametrize(
    ("window", "says"),
    [
        ('"big"', 'agents.a.window: a number of tokens or a table is wanted, found "big"'),
        ("true", "agents.a.window: a number of tokens or a table is wanted, found true"),
        ("-1", "agents.a.window: a window of -1 tokens; 1,000 or more are wanted"),
        ("{ tokens = 5 }", "agents.a.window: a window of 5 tokens; 1,000 or more are wanted"),
        ("{ toknes = 5000 }", "agents.a.window.toknes: there is no such key; did you mean 'tokens'?"),
        ('{ at = "x" }', 'agents.a.window.at: a number is wanted, found "x"'),
    ],
)
def test_what_is_no_window_is_one_fault(tmp_path: Path, window: str, says: str) -> None:
    assert str(refused(tmp_path, text(window))).endswith(f"essay.toml: {says}")
