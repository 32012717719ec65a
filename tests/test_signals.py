"""Ctrl-C and SIGTERM, in a process of its own."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

INTERRUPTED = """
    import os, pathlib, signal, sys, anyio
    from callboard import ModelReply
    from callboard.actors.team import load_team
    from callboard.scripts.run import conversation

    class Slow:
        calls = 0
        async def complete(self, request, say):
            Slow.calls += 1
            os.kill(os.getpid(), signal.{signal})
            if {second}:
                os.kill(os.getpid(), signal.{signal})
                await anyio.sleep_forever()
            await anyio.sleep(0.2)
            return ModelReply("done")

    code = conversation(load_team("team.toml"), "Go.", model=Slow(), log=pathlib.Path("team.db"), out=None)
    print(code, Slow.calls, flush=True)
    sys.exit(code)
"""


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("second", [False, True])
def test_a_signal_lets_what_is_under_way_end_and_a_second_one_stops_at_once(
    tmp_path: Path, signal: str, code: int, second: bool
) -> None:
    (tmp_path / "team.toml").write_text('[agents.clerk]\ninstructions = "Work."\n')
    program = textwrap.dedent(INTERRUPTED).format(signal=signal, second=second)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "again to stop at once" in done.stderr and "the same command goes on" in done.stderr
    assert done.stdout == ("" if second else f"{code} 1\n")
    with closing(sqlite3.connect(tmp_path / "team.db")) as log:
        [[ended]] = log.execute("SELECT count(*) FROM events WHERE type = 'TurnFinished'").fetchall()
    assert ended == (0 if second else 1)
    assert ("it was answered meanwhile; the same command with --key " in done.stderr) is not second
