"""A file that was cut off: named with the first bad position by whoever looks, and never gone on with."""

import os
from pathlib import Path

import anyio
import pytest

from callboard.events import LossFound, SQLiteStore
from callboard.events.file import Cut, cut_off, unreadable
from callboard.scripts import audit
from callboard.scripts.main import main
from callboard.scripts.verify import checked

from .teams import write_log

PAGE = 4096


@pytest.fixture
def whole(path: Path) -> Path:
    """A log whose file has all that is in it."""
    write_log(path)
    assert path.stat().st_size > 5 * PAGE and not Path(f"{path}-wal").exists()
    return path


def loss(log: Path) -> LossFound:
    """Return what opening `log` for writing finds; it changes no byte."""

    async def opened() -> None:
        async with SQLiteStore.open(log):
            pass

    before = log.read_bytes()
    with pytest.raises(LossFound) as caught:
        anyio.run(opened)
    assert log.read_bytes() == before
    return caught.value


def test_at_every_page_all_name_the_same_first_bad_position(whole: Path) -> None:
    data, met = whole.read_bytes(), set[int]()
    for size in range(len(data) - PAGE, PAGE, -PAGE):
        whole.write_bytes(data[:size])
        assert cut_off(str(whole)) == Cut(size, len(data))
        found, cut = loss(whole), f"the file ends after {size:,} of {len(data):,} bytes"
        first = found.whole + 1
        assert f"{cut}, and the first bad position is {first}" in str(found) and "accept_loss" not in str(found)
        findings = checked(str(whole)).findings.kept
        assert (findings[0].check, findings[0].found) == ("file", cut)
        assert first == min(one.position for one in findings if one.position)
        assert first == min(one["position"] for one in audit.audited(str(whole)).findings)
        assert main(["verify", str(whole)]) == audit.main([str(whole)]) == 1
        met.add(first)
    assert len(met) > 5


def test_at_every_page_that_cannot_be_read_all_name_the_same_first_bad_position(whole: Path) -> None:
    data, met = whole.read_bytes(), set[int]()
    for page in range(PAGE, len(data), PAGE):
        whole.write_bytes(data[:page] + bytes(PAGE) + data[page + PAGE :])
        found = loss(whole)
        assert main(["verify", str(whole)]) == audit.main([str(whole)]) == 1
        if found.whole == found.expected:  # it is a page of an index, which can be made again
            assert "first bad position" not in str(found)
            continue
        assert f"the first bad position is {found.whole + 1}" in str(found)
        assert found.whole + 1 == min(one.position for one in checked(str(whole)).findings.kept if one.position)
        assert found.whole + 1 == min(one["position"] for one in audit.audited(str(whole)).findings)
        met.add(found.whole)
    assert len(met) > 5


def test_whoever_reads_it_is_told_what_it_is(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = whole.stat().st_size
    os.truncate(whole, 2 * PAGE)
    assert main(["trace", str(whole)]) == 2
    assert f"is a damaged callboard log: the file ends after 8,192 of {size:,} bytes" in capsys.readouterr().err
    os.truncate(whole, 100)  # nothing is left but the header
    assert main(["verify", str(whole)]) == 1
    assert "the file ends after 100 of" in capsys.readouterr().out


def test_a_log_that_is_whole_and_any_other_file_is_not_cut_off(whole: Path, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"SQLite format 3\0" + bytes(100))
    for file in (whole, other, Path(__file__)):
        assert cut_off(str(file)) is None
    assert "is not a callboard log" in str(unreadable(str(other), "file is not a database"))
    header = bytearray(whole.read_bytes())
    header[28:32] = b"\xff\xff\xff\xff"  # of pages; no log has so many
    whole.write_bytes(header)
    assert cut_off(str(whole)) is None


def test_a_file_that_is_cut_off_is_read_where_nothing_may_be_written(whole: Path) -> None:
    os.truncate(whole, whole.stat().st_size - PAGE)
    whole.parent.chmod(0o500)
    try:
        assert checked(str(whole)).findings.count
    finally:
        whole.parent.chmod(0o700)
