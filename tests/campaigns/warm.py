"""Processes forked from one that has loaded everything: to live, and to be killed, in milliseconds."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, TypeVar

Case = TypeVar("Case")
Report = TypeVar("Report")

CORES = min(2, os.cpu_count() or 1)


def fork(work: Callable[[], object]) -> int:
    """Do `work` in a child; return its process id. It exits with what `work` returns, if that is a number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        result = work()
        code = result if isinstance(result, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(child: int) -> int:
    """Wait for `child`; return its exit code, or the signal that killed it, as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def lived(work: Callable[[], object]) -> int:
    """Do `work` in a child, and return how that ended."""
    return ended(fork(work))


def each(work: Callable[[Case], Report], cases: Iterable[Case]) -> Iterator[Report]:
    """Work on all cases, on every core, in processes forked from this one; give the reports in their order."""
    with ProcessPoolExecutor(CORES, get_context("fork"), _work.append, (work,)) as pool:
        yield from pool.map(_do, cases, chunksize=4)


_work: list[Callable[[Any], Any]] = []
"""What a process of the pool does. It comes to it by the fork: what `work` holds is large, and takes long to pickle."""


def _do(case: Any) -> Any:
    return _work[-1](case)


def some(cases: Sequence[Case], every: int) -> list[Case]:
    """Return one of `every` so many cases, drawn from all of them, in their order."""
    chosen = Random(7).sample(range(len(cases)), -(-len(cases) // every))
    return [cases[n] for n in sorted(chosen)]


def folder() -> Path:
    """Make a folder in memory, where there is such a place: a kill leaves there what it leaves on a disk."""
    memory = "/dev/shm"
    return Path(mkdtemp(prefix="callboard-", dir=memory if os.access(memory, os.W_OK) else None)).resolve()
