"""What is written down outside the log, so that it can tell what the log should hold."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

LOG, ACKNOWLEDGED, ASKED, RAN, ANSWERED = "team.db", "acknowledged", "asked", "ran", "answered"
"""Names in the folder of a case: the log, and the ledgers."""


class Ledger:
    """A file of JSON lines, each written in one go: a kill leaves only whole ones, and those stay."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __del__(self) -> None:
        os.close(self._file)

    def note(self, **facts: object) -> None:
        """Add a line."""
        os.write(self._file, json.dumps(facts).encode() + b"\n")


def noted(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a ledger; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Counted(Counter[str]):
    """A counter that is a ledger too: what was counted by a process that was killed counts on."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        for line in noted(path):
            super().__setitem__(line["of"], self[line["of"]] + 1)
        self._ledger = Ledger(path)

    def __setitem__(self, key: str, value: int) -> None:
        for _ in range(value - self[key]):
            self._ledger.note(of=key)
        super().__setitem__(key, value)
