"""Every guard that is broken on purpose is noticed, so that the campaigns are known to look."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .mutants import ALL_MUTANTS, MUTANTS, ROOT, hunted, mutate
from .mutations import Mutant


def test_every_broken_guard_is_noticed(ci: bool, big: bool) -> None:
    if not ci:
        pytest.skip("breaks every guard in turn, for minutes; run with --ci, or with --big for all of them")
    chosen = ALL_MUTANTS if big else (*MUTANTS, *ALL_MUTANTS[len(MUTANTS) :: 8])
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(hunted, chosen))
    assert len(verdicts) > 70
    assert not [verdict.name for verdict in verdicts if not verdict.caught]


def test_a_guard_that_is_gone_is_an_error(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "actors", tmp_path / "actors")
    with pytest.raises(LookupError, match="0 times"):
        mutate(Mutant("none", "actors/agent.py", "what nobody wrote", ""), tmp_path)


def test_what_is_not_broken_is_not_noticed() -> None:
    same = "        recorded = await self._append(new)\n"
    assert not hunted(Mutant("none", "actors/actor.py", same, same, ("hunt", "4"))).caught
    assert not hunted(Mutant("none", "actors/actor.py", same, same, ("tests/test_guards.py",))).caught
