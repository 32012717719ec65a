"""`callboard memory`: edits by people in a log that nobody has open, and through the inbox of one that somebody has."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from callboard import Agent, Block, System
from callboard.actors import inbox
from callboard.actors.inbox import Edit
from callboard.actors.testing import ScriptedModel
from callboard.events import SQLiteStore
from callboard.projections import BlockState, block_state, replay
from callboard.scripts import audit
from callboard.scripts.main import main

pytestmark = pytest.mark.anyio


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """A log with the blocks `plan`, which was edited once, and `w.notes`; nobody has it open."""
    path = tmp_path / "team.db"
    async with System.open(path, model=ScriptedModel({})) as system:
        await system.start(Agent("w", blocks=[Block("plan", "one"), Block("notes", "mine", owned=True)]))
        await system.block("plan").append("two")
    return path


async def command(*words: object) -> int:
    return await anyio.to_thread.run_sync(main, ["memory", *map(str, words)])


async def block(log: Path, name: str = "plan") -> BlockState:
    async with SQLiteStore.open(log, mode="read") as store:
        return await replay(store, block_state, stream=f"block-{name}")


async def test_the_help_of_an_edit_offers_nothing_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert await command("edit", "--help") == 0
    assert "--empty" not in capsys.readouterr().out


EDITS = [
    (["--append", "- three"], "one\ntwo\n- three"),
    (["--replace", "two", "2"], "one\n2"),
    (["--insert", "1", "x"], "one\nx\ntwo"),
    (["--insert", "-1", "x"], "one\ntwo\nx"),
    (["--rewrite", "all new"], "all new"),
]


@pytest.mark.parametrize(("words", "value"), EDITS)
async def test_a_person_edits_a_log_that_nobody_has_open(
    log: Path, words: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("edit", log, "plan", *words, "--by", "mary-ann") == 0
    assert capsys.readouterr().out.startswith("done; the block holds")
    assert (await block(log)).value == value and not audit.audited(str(log)).findings
    async with System.open(log, model=ScriptedModel({})) as system:
        assert [v.editor for v in (await system.block("plan").history()).versions] == ["", "user", "mary-ann"]


async def test_the_owner_of_a_log_edits_for_another_process_and_what_the_block_says_is_printed(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with System.open(log, model=ScriptedModel({})) as system:
        assert await command("edit", log, "plan", "--append", "three", "--by", "Ana") == 0
        assert capsys.readouterr().out.startswith("done; the block holds 13 of 5,000")
        assert await command("edit", log, "plan", "--replace", "nowhere", "x") == 1
        assert "'nowhere' does not stand in the block" in capsys.readouterr().err
        assert await command("undo", log, "plan") == 0
        assert await system.block("plan").value() == "one\ntwo"
        assert await command("redo", log, "plan") == 0
        assert await command("rename", log, "plan", "schedule") == 0
        assert "renamed plan to schedule" in capsys.readouterr().out
        assert (await system.block("plan").spec()).label == "schedule"
        assert await command("rename", log, "schedule", "notes") == 2
        assert "'w' has 'plan' and another block 'notes' (block-w.notes)" in capsys.readouterr().err
        assert await command("retire", log, "schedule") == 0
        assert await command("edit", log, "plan", "--append", "x") == 1
        assert "is retired" in capsys.readouterr().err
    assert not list(inbox.folder_of(log).iterdir()) and not audit.audited(str(log)).findings


async def test_an_edit_that_was_recorded_and_not_removed_counts_once(log: Path) -> None:
    append = Edit(key="c", block="plan", verb="memory_append", fields={"text": "x"})
    back = Edit(key="u", block="plan", verb="undo")
    files = [inbox.put(log, append), inbox.put(log, back)]
    async with System.open(log, model=ScriptedModel({})) as system:
        await gone(*files)
        await gone(inbox.put(log, append), inbox.put(log, back))
        new = Edit(key="r", block="plan", verb="rename", fields={"label": "schedule"})
        await gone(inbox.put(log, new))
        await gone(inbox.put(log, Edit(key="r2", block="plan", verb="rename", fields={"label": "plan"})))
        await gone(inbox.put(log, new))
        assert (await system.block("plan").spec()).label == "plan"
    state = await block(log)
    assert (state.value, len(state.changes)) == ("one\ntwo", 3)
    assert state.spec is not None and state.spec.label == "plan"


async def gone(*files: Path) -> None:
    """Wait until the owner of a log has taken up commands: it says so by removing the files."""
    with anyio.fail_after(10):
        while any(file.exists() for file in files):  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_undo_redo_rename_and_retire_in_a_log_that_nobody_has_open(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("undo", log, "plan") == 0 and (await block(log)).value == "one"
    assert await command("undo", log, "plan") == 1
    assert "there is nothing to undo" in capsys.readouterr().err
    assert await command("redo", log, "plan") == 0 and (await block(log)).value == "one\ntwo"
    assert await command("rename", log, "plan", "notes") == 2
    assert await command("rename", log, "plan", "schedule") == 0
    assert await command("edit", log, "schedule", "--append", "x", "--seen", 2) == 0
    assert await command("retire", log, "schedule", "--by", "Ana") == 0
    assert (await block(log)).desk.retired and not audit.audited(str(log)).findings


async def test_a_rewrite_of_what_somebody_else_changed_since_it_was_read_is_refused(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.txt"
    file.write_text("mine")
    assert await command("edit", log, "plan", "--append", "three", "--by", "Bob") == 0
    assert await command("edit", log, "plan", "--file", file, "--seen", 2, "--by", "Ana") == 1
    said = capsys.readouterr().err
    assert "Bob changed the block since you read it" in said and "-mine" in said and "+three" in said
    assert await command("edit", log, "plan", "--file", file, "--by", "Ana") == 0
    assert (await block(log)).value == "mine"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["plan"], "say one of --append TEXT"),
        (["plan", "--append", "x", "--rewrite", "y"], "say one of --append TEXT"),
        (["nope", "--append", "x"], "there is no block 'nope' in this log; there are: block-plan (label 'plan')"),
        (["plan", "--append", "x", "--by", ""], "cannot be the name"),
        (["plan", "--file", "nowhere.txt"], "nowhere.txt"),
        (["plan", "--append", "\ud800"], "half of a surrogate pair"),
    ],
)
async def test_what_cannot_be_done_is_said_and_changes_nothing(
    log: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await block(log)
    assert await command("edit", log, *words) == 2
    assert why in capsys.readouterr().err and await block(log) == before


async def test_a_name_that_two_blocks_go_by_lists_both_and_a_stream_names_one(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with System.open(log, model=ScriptedModel({})) as system:
        await system.start(Block("other", "else"))
        await system.block("other").rename("plan")
    assert await command("show", log, "plan") == 2
    assert "'plan' names 2 blocks: block-plan (label 'plan'), block-other (label 'plan')" in capsys.readouterr().err
    assert await command("show", log, "block-other") == 0
    assert capsys.readouterr().out == "else\n"


async def test_what_a_block_holds_and_held_is_printed_line_by_line(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SQLiteStore.open(log, mode="read") as store:
        positions = [event.position async for event in store.read_stream("block-plan")]
    assert await command("show", log, "plan", "--at", positions[0]) == 0
    assert capsys.readouterr().out == "one\n"
    assert await command("show", log, "plan", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["value"], shown["version"], shown["position"]) == ("one\ntwo", 2, positions[1])
    assert await command("show", log, "plan", "--at", 1) == 2
    assert "it began at position" in capsys.readouterr().err
    assert await command("show", log, "w.notes") == 0


async def test_the_history_of_a_block_is_listed_with_refusals_and_differences(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await command("edit", log, "plan", "--replace", "x", "y", "--by", "Ana")
    await command("undo", log, "plan")
    capsys.readouterr()
    assert await command("history", log, "plan") == 0
    said = capsys.readouterr().out
    assert "memory_replace by Ana" in said and "✗ refused" in said and "undo of version 2 by user" in said
    assert await command("history", log, "plan", "--json") == 0
    assert [one["verb"] for one in json.loads(capsys.readouterr().out)["history"]] == [
        "start", "memory_append", "memory_replace", "undo",
    ]  # fmt: skip
    assert await command("diff", log, "plan", 1, 2) == 0
    assert capsys.readouterr().out == " one\n+two\n"
    assert await command("diff", log, "plan", 1) == 0
    assert capsys.readouterr().out == "they are the same\n"
    assert await command("diff", log, "plan", 1, 9) == 2
    assert "has no version 9; it has 1 to 4" in capsys.readouterr().err


async def test_the_blocks_of_a_log_are_listed_with_how_full_each_is(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("list", log) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert rows == ["plan version 2 7 of 5,000 characters 1 edit", "w.notes version 1 4 of 5,000 characters 0 edits"]
    assert await command("list", log, "--json") == 0
    assert list(json.loads(capsys.readouterr().out)["blocks"]) == ["plan", "w.notes"]
    async with SQLiteStore.open(tmp_path / "empty.db"):
        pass
    assert await command("list", tmp_path / "empty.db") == 0
    assert capsys.readouterr().out == "this log has no memory blocks\n"
