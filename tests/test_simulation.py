"""Whole systems under a seeded scheduler, clock and store."""

import subprocess
import sys

import anyio
import pytest

from .loop import SeededLoop, Stuck
from .simulation import ALL, COMPARED, campaign, digest

SEEDS, CI_SEEDS, BIG_SEEDS = 30, 1_000, 20_000
FAULTS = ("die", "rejected", "lost", "late", "restart", "neighbour", "haunted", "busy")


def run(seed: int, work: object) -> object:
    return anyio.run(work, backend_options={"loop_factory": lambda: SeededLoop(seed)})  # type: ignore[arg-type]


def test_faults_never_break_the_contract_and_all_ends_when_they_stop(ci: bool, big: bool) -> None:
    seeds = BIG_SEEDS if big else CI_SEEDS if ci else SEEDS
    counts, found = campaign(range(seeds))
    assert not found, "\n".join(one[:2000] for one in found[:3])
    met = {kind: counts[kind] for kind in (*FAULTS, COMPARED)}
    assert min(met.values()) > seeds // 25, met


def test_the_same_seed_gives_the_same_log_in_another_process(ci: bool) -> None:
    seeds = range(len(ALL) if ci else len(ALL) // 4)
    program = f"from tests.simulation import digest; print(digest(range({seeds.stop})))"
    here = digest(seeds)
    for hashes in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": hashes, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert done.stdout.strip() == here


def test_another_seed_gives_another_log() -> None:
    assert digest(range(1)) != digest(range(len(ALL), len(ALL) + 1))


def test_the_loop_runs_tasks_in_an_order_that_the_seed_gives() -> None:
    async def said() -> str:
        order: list[str] = []

        async def say(name: str) -> None:
            order.append(name)

        async with anyio.create_task_group() as tasks:
            for name in "abcdef":
                tasks.start_soon(say, name)
        return "".join(order)

    orders = [run(seed, said) for seed in range(20)]
    assert orders == [run(seed, said) for seed in range(20)]
    assert len(set(orders)) > 10


def test_time_passes_at_once_when_nothing_else_can_be_done() -> None:
    async def slept() -> float:
        await anyio.sleep(86_400)
        return anyio.current_time()

    assert run(1, slept) == 86_400


def test_a_system_that_can_never_go_on_is_found() -> None:
    with pytest.raises(Stuck, match="nothing is due"):
        run(1, anyio.Event().wait)


def test_a_system_that_spins_is_found() -> None:
    async def spin() -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    with pytest.raises(Stuck, match="no end"):
        anyio.run(spin, backend_options={"loop_factory": lambda: SeededLoop(1, most=1_000)})
