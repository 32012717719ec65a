"""The campaigns on real processes and real files: a few cases of some, with `--ci` many of each, with `--big` all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from .campaigns.disk import SECTOR, Disk, Operation, operations
from .campaigns.strace import unavailable

ROOT = Path(__file__).parent.parent

WHY_NOT = unavailable()

traceable = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture
def lengthy(ci: bool) -> None:
    """Leave a campaign to the runs that have minutes for it."""
    if not ci:
        pytest.skip("takes seconds of the disk and both cores; run with --ci")


def campaign(name: str, size: str, *, big: bool) -> str:
    """Run a campaign in a process of its own, since it forks; return what it printed."""
    command = [sys.executable, "-m", f"tests.campaigns.{name}", "big" if big else size]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5_000:]
    return done.stdout


@pytest.mark.usefixtures("lengthy")
def test_a_process_killed_at_named_points_repeats_and_loses_nothing(big: bool) -> None:
    printed = campaign("points", "1150", big=big)
    assert re.search(r"\d{4,} cases, \d{4,} kills, \d{3,} killed again in recovery, 0 breaches", printed)


@traceable
def test_a_process_killed_at_a_system_call_repeats_and_loses_nothing(ci: bool, big: bool) -> None:
    printed = campaign("kills", "1" if ci else "25", big=big)
    assert re.search(r"\d{2,} kills, \d+ left committed events that nobody was told of, 0 breaches", printed)


def test_twenty_agents_edit_one_block_through_kills_and_no_line_is_lost(big: bool) -> None:
    printed = campaign("edits", "small", big=big)
    assert re.search(r"20 agents, (300|10000) edits, \d kills, 0 refused, 0 breaches", printed)


@traceable
@pytest.mark.usefixtures("lengthy")
def test_a_power_cut_loses_nothing_that_was_synced_and_the_control_does(big: bool) -> None:
    printed = campaign("power", "1000", big=big)
    assert re.search(r"disk: \d{3,} images, \d{3,} different, 0 lost, 0 not opened\n", printed)
    assert re.search(r"process: \d{3,} images, \d{3,} different, [1-9]\d+ lost", printed)


@traceable
@pytest.mark.usefixtures("lengthy")
def test_a_disk_that_fails_loses_nothing_that_was_acknowledged(big: bool) -> None:
    printed = campaign("faults", "1", big=big)
    assert re.search(r"\d{3,} faults, 0 breaches", printed)
    assert "AppendRejected" in printed and "went on" in printed


# -- the disk itself ----------------------------------------------------------------------------------


def cut(*done: Operation) -> list[dict[str, bytes]]:
    """Return the different images that many power cuts after `done` leave."""
    disk = Disk()
    for operation in done:
        disk.take(operation)
    images = [disk.after_a_cut(Random(seed)) for seed in range(200)]
    return [image for n, image in enumerate(images) if image not in images[:n]]


MADE = (Operation("make", "a"), Operation("sync", "", before=1))


def test_what_was_synced_survives_a_power_cut() -> None:
    write = Operation("write", "a", 0, b"one")
    assert cut(*MADE, write, Operation("sync", "a", before=3)) == [{"a": b"one"}]


def test_what_was_written_during_a_sync_may_be_lost() -> None:
    write = Operation("write", "a", 0, b"one")
    assert sorted(image["a"] for image in cut(*MADE, write, Operation("sync", "a", before=2))) == [b"", b"one"]


def test_a_file_whose_folder_was_not_synced_may_be_gone() -> None:
    images = cut(Operation("make", "a"), Operation("write", "a", 0, b"one"), Operation("sync", "a", before=2))
    assert {} in images and {"a": b"one"} in images


def test_a_write_is_torn_at_sectors_and_writes_change_places() -> None:
    long = Operation("write", "a", 0, b"x" * 2 * SECTOR)
    contents = [image["a"] for image in cut(*MADE, long, Operation("write", "a", 2 * SECTOR, b"y"))]
    assert bytes(SECTOR) + b"x" * SECTOR in contents and bytes(2 * SECTOR) + b"y" in contents
    assert all(len(content) in (0, SECTOR, 2 * SECTOR, 2 * SECTOR + 1) for content in contents)


def test_a_trace_is_read_in_the_order_in_which_calls_ended() -> None:
    name = "".join(f"\\x{byte:02x}" for byte in b"/f/a")
    trace = f"""
1 openat(AT_FDCWD, "{name}", O_RDWR|O_CREAT, 0600) = 3
1 pwrite64(3<{name}>, "\\x6f\\x6e", 2, 4) = 2
1 fdatasync(3<{name}> <unfinished ...>
2 ftruncate(3<{name}>, 1) = 0
1 <... fdatasync resumed>) = 0
2 pwrite64(3<{name}>, "\\x6f", 1, 0) = -1 EIO (Input/output error)
"""
    assert operations(trace, Path("/f")) == [
        Operation("make", "a"),
        Operation("write", "a", 4, b"on"),
        Operation("cut", "a", 1),
        Operation("sync", "a", before=2),
    ]
