"""What is found when a log is not what was acknowledged: lost ends, damage, edits by hand, and its anchor."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from callboard.events import LogDamaged, LossFound, SQLiteStore
from callboard.events.anchor import SLOT, Anchor, BrokenAnchor, Head, line, read_anchor
from callboard.events.catalog import LossAccepted
from callboard.events.committer import Committer

from .sqlite_files import heads, made, message, started

Damage = Callable[[Path], object]


async def ten(path: Path) -> None:
    """A log whose positions 3 to 12 are messages, and whose 13 closes it."""
    await made(path, *(message(f"r/{n}", f"text {n} " * 50) for n in range(10)))


async def found(path: Path, *, damage: Damage | None = None) -> LossFound:
    """What opening the log for writing finds; it changes no byte."""
    if damage:
        damage(path)
    before = path.read_bytes() if path.exists() else b""
    with pytest.raises(LossFound) as caught:
        async with SQLiteStore.open(path):
            pass
    assert (path.read_bytes() if path.exists() else b"") == before
    return caught.value


async def copied_while_open(path: Path, target: Path) -> None:
    """Leave at `target` what a kill would leave: all events but the first two are in the WAL alone."""
    async with SQLiteStore.open(path) as store:
        for n in range(10):
            await store.append("agent-a", [message(f"r/{n}", f"text {n} " * 50)], expected_version=n)
        for end in ("", "-wal", ".anchor"):
            shutil.copyfile(f"{path}{end}", f"{target}{end}")


def by_hand(*statements: str) -> Damage:
    def run(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            for trigger in ("events_are_never_deleted", "events_never_change"):
                database.execute(f"DROP TRIGGER {trigger}")
            for statement in statements:
                database.execute(statement)
            database.commit()

    return run


def flip(file: Path | str, at: int) -> None:
    data = bytearray(Path(file).read_bytes())
    data[at] ^= 1
    Path(file).write_bytes(data)


def flip_in_text(path: Path) -> None:
    flip(path, path.read_bytes().index(b"text 4 text 4") + 20)


def without_anchor(path: Path) -> None:
    os.unlink(f"{path}.anchor")


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


# -- losses ------------------------------------------------------------------------------------------


async def test_a_log_that_was_killed_is_whole(path: Path, tmp_path: Path) -> None:
    await copied_while_open(path, tmp_path / "copy.db")
    async with SQLiteStore.open(tmp_path / "copy.db") as store:
        assert len(await heads(store)) == 10


async def test_a_crash_on_the_way_to_the_wal_is_rolled_back(path: Path, tmp_path: Path) -> None:
    await ten(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA cache_size = 1")
        database.execute("PRAGMA cache_spill = 1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE unfinished AS SELECT * FROM events, (VALUES (1), (2), (3), (4))")
        for end in ("", "-journal", ".anchor"):
            shutil.copyfile(f"{path}{end}", f"{tmp_path}/copy.db{end}")
    async with SQLiteStore.open(tmp_path / "copy.db") as store:
        assert len(await heads(store)) == 10


async def test_a_lost_wal_is_found(path: Path, tmp_path: Path) -> None:
    await copied_while_open(path, tmp_path / "copy.db")
    os.unlink(tmp_path / "copy.db-wal")
    loss = await found(tmp_path / "copy.db")
    assert loss.expected == 12 and loss.whole < 12
    assert "but" in str(loss) and "accept_loss" in str(loss)


async def test_one_flipped_bit_anywhere_in_the_wal_is_found(path: Path, tmp_path: Path, big: bool) -> None:
    copy, at = tmp_path / "copy.db", tmp_path / "try.db"
    await copied_while_open(path, copy)
    size = Path(f"{copy}-wal").stat().st_size
    for seed in range(2_000 if big else 40):
        for end in ("", "-wal", ".anchor"):
            shutil.copyfile(f"{copy}{end}", f"{at}{end}")
        where = Random(seed).randrange(32, size)
        flip(f"{at}-wal", where)
        wal = Path(f"{at}-wal").read_bytes()
        assert (await found(at)).whole < 12, where
        assert Path(f"{at}-wal").read_bytes() == wal  # for whoever can mend it
        for end in ("-shm", ".lock"):
            Path(f"{at}{end}").unlink(missing_ok=True)


async def test_a_flipped_bit_in_a_text_is_named(path: Path) -> None:
    await ten(path)
    loss = await found(path, damage=flip_in_text)
    assert (loss.whole, loss.expected) == (6, 13) and "first bad position is 7" in str(loss)


async def test_a_file_cut_short_is_found(path: Path) -> None:
    await ten(path)
    loss = await found(path, damage=truncate)
    assert loss.expected == 13 and "the first bad position is 1, but" in str(loss) and "accept_loss" not in str(loss)


async def test_a_file_cut_to_nothing_is_found_and_its_wal_left(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    await copied_while_open(path, copy)
    wal = Path(f"{copy}-wal").read_bytes()
    assert (await found(copy, damage=lambda path: os.truncate(path, 0))).expected == 12
    assert Path(f"{copy}-wal").read_bytes() == wal


async def test_a_file_that_is_gone_is_not_begun_anew(path: Path) -> None:
    await ten(path)
    assert (await found(path, damage=Path.unlink)).expected == 13
    assert not path.exists()


@pytest.mark.parametrize(
    ("statements", "bad"),
    [
        (["UPDATE events SET data = replace(data, 'user', 'root') WHERE position = 5"], 5),
        (["UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 5"], 5),
        (["UPDATE events SET content = NULL, salt = NULL WHERE position = 5"], 5),
        (["UPDATE events SET chain = x'00' WHERE position = 5"], 5),
        (["UPDATE events SET position = -1 WHERE position = 5", "UPDATE events SET position = 5 WHERE position = 6",
          "UPDATE events SET position = 6 WHERE position = -1"], 5),
        (["DELETE FROM events WHERE position = 5"], 5),
        (["DELETE FROM events WHERE position = 1"], 1),
        (["DELETE FROM events WHERE position = 13"], 13),
        (["DELETE FROM events WHERE position > 9"], 10),
    ],
)  # fmt: skip
async def test_rows_changed_by_hand_are_found(path: Path, statements: Sequence[str], bad: int) -> None:
    await ten(path)
    loss = await found(path, damage=by_hand(*statements))
    assert loss.whole == bad - 1
    assert ("it is missing" in loss.found) == (statements[0].startswith("DELETE") and bad < 10)


async def test_versions_out_of_turn_are_found_though_the_chain_is_right(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SQLiteStore.open(path) as store:
        monkeypatch.setattr("callboard.events.committer.Committer._load_heads", skipping)
        await store.append("agent-a", [started()], expected_version=4)
    loss = await found(path)
    assert loss.whole == 2 and "agent-a@5" in str(loss)


async def skipping(committer: Committer, streams: set[str]) -> None:
    for stream in streams:
        committer._heads.setdefault(stream, 4)  # pyright: ignore[reportPrivateUsage]


async def test_an_index_that_lost_an_event_is_found_and_made_again(path: Path) -> None:
    await ten(path)
    with closing(sqlite3.connect(path)) as database:
        [root] = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events_key'").fetchone()
    page = path.read_bytes()[4096 * (root - 1) : 4096 * root]
    flip(path, 4096 * (root - 1) + page.index(b"agent-ar/4") + 8)
    assert "index" in (await found(path)).found
    async with SQLiteStore.open(path, accept_loss="a test") as store:
        assert await store.find("agent-a", "r/4") is not None
    async with SQLiteStore.open(path):
        pass


async def test_what_is_older_than_the_window_is_left_to_verify(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await ten(path)
    monkeypatch.setattr("callboard.events.loss.WINDOW", 7)
    by_hand("UPDATE events SET recorded_at = 0 WHERE position = 6")(path)
    async with SQLiteStore.open(path):
        pass
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE events SET recorded_at = 0 WHERE position = 11")
    assert (await found(path)).whole == 10


async def test_reading_refuses_nothing_that_can_be_decoded(path: Path) -> None:
    await ten(path)
    os.unlink(f"{path}.anchor")
    by_hand("DELETE FROM events WHERE position > 9")(path)
    async with SQLiteStore.open(path, mode="read") as store:
        assert len(await heads(store)) == 7
    assert not os.path.exists(f"{path}.anchor")


# -- the anchor --------------------------------------------------------------------------------------


async def test_a_log_without_its_anchor_is_found(path: Path) -> None:
    await ten(path)
    assert f"{path}.anchor" in (await found(path, damage=without_anchor)).found


async def test_the_anchor_of_another_log_is_found(path: Path, tmp_path: Path) -> None:
    await ten(path)
    await ten(tmp_path / "other.db")
    loss = await found(path, damage=lambda path: os.replace(tmp_path / "other.db.anchor", f"{path}.anchor"))
    assert "its anchor is that of the log" in loss.wanted


async def test_an_older_copy_without_its_anchor_is_found(path: Path, tmp_path: Path) -> None:
    await ten(path)
    shutil.copyfile(path, tmp_path / "older.db")
    async with SQLiteStore.open(path):
        pass
    loss = await found(path, damage=lambda path: os.replace(tmp_path / "older.db", path))
    assert (loss.whole, loss.expected) == (13, 15)


async def test_another_history_of_the_same_length_is_found(path: Path, tmp_path: Path) -> None:
    await made(path, started())
    for end in ("", ".anchor"):
        shutil.copyfile(f"{path}{end}", f"{tmp_path}/fork.db{end}")
    for name in (path, tmp_path / "fork.db"):
        async with SQLiteStore.open(name):
            pass
    loss = await found(path, damage=lambda path: os.replace(tmp_path / "fork.db", path))
    assert loss.whole == 5 and loss.expected == 6


@pytest.mark.parametrize("slots", [(0,), (SLOT,), (0, SLOT)])
async def test_one_line_of_the_anchor_is_enough(path: Path, slots: tuple[int, ...]) -> None:
    await ten(path)
    for slot in slots:
        flip(f"{path}.anchor", slot + 20)
    if len(slots) == 2:
        assert "neither line" in (await found(path)).found
    else:
        async with SQLiteStore.open(path) as store:
            assert len(await heads(store)) == 10


async def test_an_anchor_that_is_behind_is_gone_on_with(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        early = Path(f"{path}.anchor").read_bytes()
        await store.append("agent-a", [started()], expected_version=0)
    Path(f"{path}.anchor").write_bytes(early)
    async with SQLiteStore.open(path) as store:
        seen = read_anchor(str(path))
        assert seen is not None and seen.position == store.position == 5


async def test_the_anchor_is_written_before_an_append_returns(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        for version in range(3):
            [event] = await store.append("agent-a", [started()], expected_version=version)
            assert read_anchor(str(path)) == Head(store.log_id, 2, event.position, event.chain)


def test_the_newer_line_counts_and_the_older_is_written_over(path: Path) -> None:
    first, second, third = (Head("log", 2, n, bytes(16)) for n in (1, 2, 3))
    anchor = Anchor(str(path))
    anchor.begin(first)
    for head in (second, third):
        anchor.write(head)
        assert read_anchor(str(path)) == head
    assert line(second) in Path(f"{path}.anchor").read_bytes()
    anchor.close()
    anchor.go_on()
    anchor.write(Head("log", 3, 1, bytes(16)))
    anchor.close()
    lines = Path(f"{path}.anchor").read_bytes().splitlines(keepends=True)
    assert line(third) in lines and line(second) not in lines
    assert read_anchor(str(path)) == Head("log", 3, 1, bytes(16))


def test_no_flipped_bit_changes_what_the_anchor_says(path: Path) -> None:
    anchor = Anchor(str(path))
    anchor.begin(head := Head("0123456789abcdef", 7, 1_234, bytes(range(16))))
    anchor.close()
    flip(f"{path}.anchor", SLOT + 10)
    for at in range(len(line(head).rstrip())):
        flip(f"{path}.anchor", at)
        with pytest.raises(BrokenAnchor):
            read_anchor(str(path))
        flip(f"{path}.anchor", at)


# -- accepting a loss --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "expected", "whole"),
    [
        (flip_in_text, 13, 6),
        (by_hand("DELETE FROM events WHERE position > 9"), 13, 9),
        (by_hand("DELETE FROM events WHERE position = 5"), 13, 4),
        (Path.unlink, 13, 0),
        (without_anchor, 13, 13),
    ],
    ids=["flipped bit", "lost end", "a hole", "all gone", "no anchor"],
)
async def test_an_accepted_loss_is_an_event_and_the_next_opening_is_clean(
    path: Path, damage: Damage, expected: int, whole: int
) -> None:
    await ten(path)
    damage(path)
    async with SQLiteStore.open(path, accept_loss="the disk died") as store:
        events = [event.data async for event in store.read_stream("system")]
        await store.append("agent-b", [started()], expected_version=0)
    assert [e for e in events if isinstance(e, LossAccepted)] == [
        LossAccepted(reason="the disk died", expected=expected, found=whole)  # type: ignore[arg-type]
    ]
    async with SQLiteStore.open(path, accept_loss="not needed") as store:
        assert sum([event.type == "LossAccepted" async for event in store.read_all()]) == 1


async def test_damage_after_an_accepted_loss_is_found_again(path: Path) -> None:
    await ten(path)
    flip_in_text(path)
    async with SQLiteStore.open(path, accept_loss="the disk died") as store:
        [event] = await store.append("agent-b", [message("r/x", "said later")], expected_version=0)
    flip(path, path.read_bytes().index(b"said later"))
    assert (await found(path)).whole == event.position - 1


async def test_a_file_that_sqlite_cannot_read_is_not_accepted(path: Path) -> None:
    await ten(path)
    truncate(path)
    with pytest.raises(LogDamaged, match=r"ends after 16,384 of 32,768 bytes; restore a backup"):
        async with SQLiteStore.open(path, accept_loss="never mind"):
            pass
