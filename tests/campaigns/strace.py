"""strace on a process that is already warm: to count its system calls, to break them, and to write them down."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from .warm import ended, fork

PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, ctypes.c_ulong(-1)

_CALL = re.compile(r"(\d+) +(\w+)\(")


def unavailable() -> str:
    """Return why system calls cannot be traced here; empty where they can."""
    if not shutil.which("strace"):
        return "strace is not installed (apt-get install strace)"
    done = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, text=True)
    return f"strace cannot trace here: {done.stderr.strip()}" if done.returncode else ""


def traced(work: Callable[[], object], *options: str, output: Path | None = None) -> int:
    """Do `work` in a child under `strace -f` with `options`; return how the child ended, as `warm.ended` does."""
    held, go = os.pipe()

    def waits() -> object:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)
        os.close(go)
        os.read(held, 1)
        return work()

    child = fork(waits)
    os.close(held)
    command = ["strace", "-f", "-o", str(output or os.devnull), *options, "-p", str(child)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        said = strace.stderr.readline()
        os.close(go)  # the child reads the end of the pipe, and goes on
        code = ended(child)
        said += strace.stderr.read()
    if "attached" not in said:
        raise RuntimeError(f"strace: {said}")
    return code


def counted(output: Path) -> Counter[str]:
    """Return how often each system call was made by the thread that made it most, as strace counts for `when=`."""
    calls = Counter((match[1], match[2]) for line in output.read_text().splitlines() if (match := _CALL.match(line)))
    most = Counter[str]()
    for (_, call), n in calls.items():
        most[call] = max(most[call], n)
    return most


def only(paths: Sequence[Path]) -> list[str]:
    """Return the options that confine strace to `paths`."""
    return [option for path in paths for option in ("-P", str(path))]
