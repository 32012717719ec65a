"""Break each guard of the library once, and see that something notices: `python -m tests.mutants [part of a name]`.

A mutant is a replacement of text in a copy of the tree. It is hunted by simulated systems, or by named tests.
A mutant whose text is gone is an error, so that none is forgotten when the code changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .archive_mutations import ARCHIVE_MUTANTS
from .blame_mutations import BLAME_MUTANTS
from .board_mutations import BOARD_MUTANTS
from .limit_mutations import LIMIT_MUTANTS
from .mail_mutations import MAIL_MUTANTS
from .model_mutations import MODEL_MUTANTS
from .mutations import MUTANTS, Mutant
from .people_mutations import PEOPLE_MUTANTS
from .reader_mutations import READER_MUTANTS
from .search_mutations import SEARCH_MUTANTS
from .tool_mutations import TOOL_MUTANTS
from .voice_mutations import VOICE_MUTANTS
from .watch_mutations import WATCH_MUTANTS
from .window_mutations import WINDOW_MUTANTS

ROOT = Path(__file__).parent.parent
FOLDERS = ("actors", "events", "projections", "scripts", "tests")
OTHERS = (
    *PEOPLE_MUTANTS,
    *LIMIT_MUTANTS,
    *MODEL_MUTANTS,
    *TOOL_MUTANTS,
    *READER_MUTANTS,
    *MAIL_MUTANTS,
    *WATCH_MUTANTS,
    *WINDOW_MUTANTS,
    *ARCHIVE_MUTANTS,
    *SEARCH_MUTANTS,
    *BLAME_MUTANTS,
    *BOARD_MUTANTS,
    *VOICE_MUTANTS,
)
ALL_MUTANTS = (*MUTANTS, *OTHERS)
SEEDS = 1_000
"""Simulations after which a mutant has escaped."""


@dataclass(frozen=True)
class Verdict:
    """What came of hunting a mutant; `why` is what noticed it."""

    name: str
    caught: bool
    why: str


def copied(home: Path) -> None:
    """Copy the tree to `home`, as a project of its own."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, home / folder, symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", home)


def mutate(mutant: Mutant, home: Path) -> None:
    """Break the guard in the copy.

    Raises:
        LookupError: Its text is not there, or not just once.
    """
    path = home / mutant.path
    text = path.read_text()
    for old, new in ((mutant.old, mutant.new), (mutant.gone, "")):
        if old and text.count(old) != 1:
            raise LookupError(f"{mutant.name}: {mutant.path} says {text.count(old)} times: {old}")
        text = text.replace(old, new) if old else text
    path.write_text(text)
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()


def hunted(mutant: Mutant) -> Verdict:
    """Hunt one mutant in a copy of the tree.

    Raises:
        LookupError: Its text is gone.
        RuntimeError: The copy does not even begin to run.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        copied(home)
        mutate(mutant, home)
        simulated = mutant.by[0] == "hunt"
        how = (
            ["tests.mutants", *mutant.by]
            if simulated
            else ["pytest", "-qx", "-n0", "-p", "no:cacheprovider", *mutant.by]
        )
        done = subprocess.run(
            [sys.executable, "-m", *how], cwd=home, capture_output=True, text=True, timeout=300,
            env={**os.environ, "PYTHONPATH": str(home / "tests/typings"), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    marks = ("breach: ",) if simulated else ("E  ", "FAILED ")
    said = [line for line in done.stdout.splitlines() if line.startswith(marks)]
    if done.returncode > 1 or bool(done.returncode) != bool(said):
        raise RuntimeError(f"{mutant.name}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return Verdict(mutant.name, bool(said), said[0][:200] if said else "")


def hunt(scenarios: range) -> int:
    """Simulate systems until one breaks the contract; return 1 where one does."""
    from .simulation import ALL, check, quiet

    quiet()
    for seed in range(SEEDS):
        if seed % len(ALL) in scenarios:
            _, found = check(seed)
            if found:
                print(f"breach: {found[0]}")
                return 1
    return 0


def main(arguments: list[str]) -> int:
    """Hunt the mutants whose name holds the argument, two at a time; return how many escaped."""
    match arguments:
        case ["hunt"]:
            return hunt(range(1_000))
        case ["hunt", scenario]:
            return hunt(range(int(scenario), int(scenario) + 1))
        case _:
            pass
    chosen = [mutant for mutant in ALL_MUTANTS if not arguments or arguments[0] in mutant.name]
    escaped = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for verdict in pool.map(hunted, chosen):
            escaped += not verdict.caught
            print(f"{'caught ' if verdict.caught else 'ESCAPED'} {verdict.name}: {verdict.why}", flush=True)
    print(f"{len(chosen) - escaped} of {len(chosen)} caught")
    return escaped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
