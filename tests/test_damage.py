"""Damaged copies of a log: a clear error, a finding, or a correct read; never anything else."""

from pathlib import Path

import pytest

from .damage import campaign, folder_in_memory, judged, whole_logs


async def test_damage_is_told_or_does_no_harm(ci: bool, big: bool) -> None:
    with folder_in_memory() as folder:
        counts, breaches = await campaign(10_000 if big else 300 if ci else 60, Path(folder))
    assert not breaches, "\n".join(breaches[:5])
    assert counts.total() >= 60 and len({kind for _, kind, *_ in counts}) > 8


async def test_a_copy_without_damage_is_whole_to_all(tmp_path: Path) -> None:
    for log in await whole_logs(tmp_path):
        copy = tmp_path / log.name
        copy.mkdir()
        for end, data in log.files.items():
            (copy / f"log.db{end}").write_bytes(data)
        outcome, wrong = await judged(log, copy)
        assert not wrong
        assert outcome == {"read": "whole", "verify": "silent", "audit": "silent", "write": "opened"}


@pytest.mark.parametrize("seed", [1934, 2272, 2562])
async def test_what_once_was_a_hang_or_a_traceback_is_an_error(seed: int, tmp_path: Path) -> None:
    _, breaches = await campaign(1, tmp_path, first=seed)
    assert not breaches
