"""The contract, for every scenario and every place where it can be cut short."""

import pytest

from .crash import points
from .scenarios import BASIC, CANCELS, SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_a_crash_anywhere_changes_nothing(scenario: Scenario, ci: bool, big: bool) -> None:
    for seed in (0, 1, 2) if big else (1,):
        most = 100_000 if big else 10 if ci else 5 if scenario in BASIC else 3
        counts, found = await points(scenario, seed, twice=60 if big else 5, every=1 if big else 7, most=most)
        assert not found, found[0][:3000]
        assert counts["runs"] > 2 and counts["death 1 after append"] > 0


@pytest.mark.parametrize("scenario", CANCELS, ids=lambda scenario: scenario.name)
async def test_a_cancel_at_any_time_leaves_nothing_open(scenario: Scenario, ci: bool, big: bool) -> None:
    for seed in (0, 1, 2) if big else (1,):
        _, found = await points(
            scenario, seed, twice=60 if big else 2, every=1 if big else 17, most=100_000 if ci or big else 4
        )
        assert not found, found[0][:3000]
