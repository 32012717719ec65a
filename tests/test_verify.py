"""`callboard verify`: it finds what is wrong and where, and nothing in a whole log."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from callboard import Agent, Block, SQLiteStore, System
from callboard.actors.testing import ScriptedModel
from callboard.events.anchor import line
from callboard.events.catalog import TYPES
from callboard.events.codec import Row
from callboard.events.rows import MOST_UNREADABLE
from callboard.projections.checks import Report
from callboard.scripts.main import main
from callboard.scripts.verify import SHOWN, checked

from . import logs
from .forgeries import FORGERIES, Forgery, Rows, at, changed, head_of, healthy, of_wrong_size, with_data
from .logs import rechained, write_rows
from .scenarios import SCENARIOS
from .sqlite_files import made, message
from .teams import write_log

DEATHS: tuple[tuple[int, ...], ...] = ((), (11, 4), (3,), (17,))


@pytest.fixture(scope="module")
def rows() -> Rows:
    return healthy(0, 9)


def found(report: Report) -> list[tuple[int, str]]:
    return [(finding.position, finding.check) for finding in report.findings.kept]


def anchor(path: Path, *lines: bytes) -> None:
    Path(f"{path}.anchor").write_bytes(b"".join(one.ljust(4096) for one in lines))


# -- rows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forgery", [pytest.param(f, id=f.name) for f in FORGERIES if f.verify])
def test_the_first_bad_position_is_named(forgery: Forgery, rows: Rows) -> None:
    forged, position = forgery.forge(rows)
    places = found(logs.checked(forged))
    assert (position, forgery.verify) in places
    assert min(places)[0] == position


@pytest.mark.parametrize("scenario", [pytest.param(n, id=one.name) for n, one in enumerate(SCENARIOS)])
def test_nothing_is_found_in_a_whole_log_nor_by_the_independent_audit(scenario: int, ci: bool) -> None:
    for deaths in DEATHS if ci else DEATHS[:2]:
        whole = healthy(scenario, *deaths)
        report = logs.checked(whole, head_of(whole))
        assert not report.findings.kept
        assert report.prompts == sum(row.type == "ModelCallStarted" for row in whole) > 0
        assert (report.events, report.open, report.untold) == (len(whole), 0, 0)
        assert not logs.audited(whole).findings


def test_one_bad_row_does_not_hide_another(rows: Rows) -> None:
    first, second = at(rows, "AgentStarted"), at(rows, "TurnFinished")
    forged, _ = changed(rows, first, rows[first]._replace(data="{}"))
    forged, _ = changed(forged, second, forged[second]._replace(type="TurnInvented"))
    assert {(first + 1, "event"), (second + 1, "event")} <= set(found(logs.checked(forged)))


def test_a_projection_that_breaks_is_named_once(rows: Rows) -> None:
    i = at(rows, "MessageReceived")
    forged = rechained([*rows[:i], *rows[i + 1 :]])
    report = logs.checked(forged)
    broken = [f.found.split()[0] for f in report.findings.kept if f.check == "projection"]
    assert "group" in broken and len(broken) == len(set(broken))


def test_what_is_damaged_is_not_told_of_twice(rows: Rows) -> None:
    i = at(rows, "ToolCallFinished")
    forged, position = changed(rows, i, rows[i]._replace(data='{"id":"x"}'), rechain=False)
    others = {check for at, check in found(logs.checked(forged)) if at > position}
    assert not others & {"projection", "prompt", "chain", "block"}


@pytest.mark.parametrize(
    ("column", "value"), [("version", "one"), ("data", b"\xff"), ("recorded_at", None), ("chain", "text")]
)
def test_a_column_of_another_type_is_named(rows: Rows, column: str, value: object) -> None:
    forged = [*rows[:5], rows[5]._replace(**{column: value}), *rows[6:]]  # type: ignore[arg-type]
    assert (6, "column") in found(logs.checked(forged))


@pytest.mark.parametrize(
    ("fields", "position"),
    [({"position": 9_999}, None), ({"chain": b"x" * 16}, None), ({"log_id": "other"}, 1)],
    ids=["further", "other event", "other log"],
)
def test_a_log_that_is_not_what_its_anchor_saw_is_found(rows: Rows, fields: Any, position: int | None) -> None:
    end = len(rows) + ("position" in fields)
    report = logs.checked(rows, head_of(rows, **fields))
    assert found(report) == [(position or end, "anchor")]


def test_calls_in_doubt_are_counted(rows: Rows) -> None:
    i = at(rows, "ToolCallInDoubt")
    report = logs.checked(rows[: i + 1])
    assert not report.findings.kept and report.in_doubt == 1 and report.open > 1


# -- files ------------------------------------------------------------------------------------------


def test_a_whole_log_gets_a_line_and_exit_code_0(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(path)
    assert main(["verify", str(path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("whole: ") and "3 requests, 0 open, 0 in doubt" in said


def test_findings_get_exit_code_1_and_their_place(path: Path, rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    forged, position = of_wrong_size(rows)
    write_rows(path, forged)
    assert main(["verify", str(path)]) == 1
    assert f"{position} block-plan@{forged[position - 1].version} block: size 4" in capsys.readouterr().out


def test_json_has_what_was_found(path: Path, rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    forged, position = of_wrong_size(rows)
    write_rows(path, forged)
    assert main(["verify", str(path), "--json"]) == 1
    shape = json.loads(capsys.readouterr().out)
    assert shape["events"] == len(forged) and shape["findings"][0]["position"] == position
    assert set(shape["findings"][0]) == {"position", "where", "check", "found", "wanted"}


def test_the_first_findings_are_shown_and_the_rest_counted(
    path: Path, rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(path, [row._replace(chain=bytes(16)) for row in rows])
    assert main(["verify", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{len(rows):,} findings")
    assert lines[-1] == f"and {len(rows) - SHOWN} more"


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but a text that is long enough" * 99])
def test_what_is_no_log_gets_exit_code_2(path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        path.write_bytes(content)
    assert main(["verify", str(path)]) == 2
    assert "is not a callboard log" in capsys.readouterr().err


@pytest.mark.parametrize("left", [0, 100, 4096])
async def test_a_log_that_was_cut_down_to_nothing_readable_is_one_that_lost_all(path: Path, left: int) -> None:
    async with SQLiteStore.open(path):
        pass  # LogCreated, WriterOpened, WriterClosed
    os.truncate(path, left)
    report = checked(str(path))
    assert {(1, "file"), (1, "anchor"), (1, "position")} <= {*found(report)}
    assert "position 3, as the anchor has it" in next(f.wanted for f in report.findings.kept if f.check == "anchor")


@pytest.mark.parametrize("statement", ["DROP TRIGGER events_never_change", "DROP INDEX events_correlation_id",
    "CREATE TABLE notes (text TEXT)", "CREATE TRIGGER evil AFTER INSERT ON events BEGIN SELECT 1; END",
])  # fmt: skip
def test_a_schema_that_was_changed_is_found(path: Path, rows: Rows, statement: str) -> None:
    write_rows(path, rows)
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
    assert found(checked(str(path))) == [(0, "schema")]


def test_a_view_in_the_place_of_the_events_is_never_read(path: Path, rows: Rows) -> None:
    write_rows(path, rows)
    with closing(sqlite3.connect(path)) as database:
        database.executescript("ALTER TABLE events RENAME TO real; CREATE VIEW events AS SELECT * FROM real;")
    assert main(["verify", str(path)]) == 2


def test_keys_that_the_index_would_refuse_are_found(path: Path, rows: Rows) -> None:
    i = at(rows, "TurnFinished")
    write_rows(path, rechained([*rows, rows[i]]), keys=False)
    assert (len(rows) + 1, "key") in found(checked(str(path)))


def test_pages_that_cannot_be_read_are_named_and_the_rest_is_checked(path: Path, rows: Rows) -> None:
    write_rows(path, rows)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    at_row = data.index(rows[40].data.encode())
    data[at_row // 4096 * 4096 : (at_row // 4096 + 1) * 4096] = bytes(4096)
    path.write_bytes(data)
    report = checked(str(path))
    first = min(position for position, _ in found(report) if position)
    assert first <= 41 and report.events >= min(first - 1, len(rows) - MOST_UNREADABLE)
    assert {"file", "position"} & {check for _, check in found(report)}


async def test_a_log_that_is_being_written_is_checked(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        await store.append("agent-a", [message("k/a")], expected_version=0)
        report = checked(str(path))
        assert [check for _, check in found(report)] == ["stream"]  # it begins without AgentStarted
        assert report.events == store.position


def test_a_folder_that_may_not_be_written_is_no_hindrance(tmp_path: Path, rows: Rows) -> None:
    folder = tmp_path / "shut"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "log.db")) as keeps_the_wal:
        keeps_the_wal.execute("PRAGMA journal_mode = WAL")
        keeps_the_wal.execute("CREATE TABLE held (n)")
        keeps_the_wal.execute("DROP TABLE held")
        write_rows(folder / "log.db", rows)
        copies = {name: (folder / name).read_bytes() for name in ("log.db", "log.db-wal")}
    for file in folder.iterdir():
        file.unlink()
    for name, data in copies.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o444)
    folder.chmod(0o555)
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(0o755)
    assert len(copies["log.db-wal"]) > 4096
    program = (
        "import os, sys\n"
        "from callboard.scripts.main import main\n"
        "main(['verify', sys.argv[2]])\n"  # loads all that is loaded late
        "if os.getuid() == 0: os.setuid(65534)\n"
        "sys.exit(main(['verify', sys.argv[1]]))"
    )
    write_rows(tmp_path / "first.db", rows)
    logs = [str(folder / "log.db"), str(tmp_path / "first.db")]
    done = subprocess.run([sys.executable, "-c", program, *logs], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(folder)) == ["log.db", "log.db-wal"]
    assert done.stdout.count(f"whole: {len(rows)} events") == 2


def test_what_the_cache_has_otherwise_is_found(
    path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cache_findings(log: str, store: SQLiteStore) -> list[str]:
        return [f"a snapshot of {Path(log).name} at {store.position} is not what a fold gives"]

    module = "callboard.actors.cache_findings"
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(cache_findings=cache_findings))  # type: ignore[arg-type]
    write_rows(path, rows)
    assert main(["verify", str(path)]) == 1
    assert f"log cache: a snapshot of log.db at {len(rows)}" in capsys.readouterr().out


# -- the anchor, redactions and losses --------------------------------------------------------------


def test_the_anchor_beside_a_log_is_read(path: Path, rows: Rows) -> None:
    write_rows(path, rows)
    anchor(path, line(head_of(rows, position=3, chain=rows[2].chain)), line(head_of(rows)))
    assert not found(checked(str(path)))
    anchor(path, line(head_of(rows, position=len(rows) + 7)), b"callboard log, torn")
    assert found(checked(str(path))) == [(len(rows) + 1, "anchor")]


def test_an_anchor_that_cannot_be_read_is_found(path: Path, rows: Rows) -> None:
    write_rows(path, rows)
    anchor(path, line(head_of(rows)).replace(b"position", b"Position"))
    assert found(checked(str(path))) == [(0, "anchor")]


def appended(rows: Iterable[Row], type: str, **data: Any) -> Rows:
    """Return `rows` with one more in the stream `system`."""
    said = json.dumps(["because"]) if "reason" in data else None
    known = list(rows)
    row = Row(0, "system", 0, type, 1, json.dumps(data), said, b"s" * 16 if said else None, None, None, None, 0, b"")
    return [*known, *rechained([*known, row])[-1:]]


of_log = pytest.mark.skipif("EventRedacted" not in TYPES, reason="the catalogue has no events of a log's life yet")


@of_log
def test_a_log_that_had_a_writer_and_has_no_anchor_is_found(path: Path, rows: Rows) -> None:
    write_rows(path, appended(rows, "WriterOpened", owner="pid 1"))
    assert found(checked(str(path))) == [(0, "anchor")]


def redacted(rows: Rows, type: str) -> tuple[Rows, int]:
    """Return `rows` with the texts of one event erased as it is done, and its index."""
    i = at(rows, type)
    row = rows[i]
    assert row.salt is not None and row.content is not None
    said = hashlib.sha256(row.salt + row.content.encode()).hexdigest()
    rows = appended(rows, "EventRedacted", stream=row.stream, version=row.version, said=said, reason=0)
    return [*rows[:i], row._replace(content=None, salt=None), *rows[i + 1 :]], i


@of_log
@pytest.mark.parametrize("type", ["MessageReceived", "ModelCallFinished", "BlockStarted", "AgentStarted"])
def test_a_redaction_is_no_finding(path: Path, rows: Rows, type: str) -> None:
    write_rows(path, redacted(rows, type)[0])
    report = checked(str(path))
    assert not found(report)
    assert report.redacted == 1 and report.untold > 0


@of_log
def test_a_redaction_that_is_not_what_was_said_is_found(path: Path, rows: Rows) -> None:
    forged, i = redacted(rows, "ModelCallFinished")
    last = with_data(forged[-1], said="00" * 32)
    write_rows(path, [*forged[:-1], *rechained([*rows, last])[-1:]])
    assert found(checked(str(path))) == [(i + 1, "chain")]


@of_log
def test_a_text_that_was_to_be_erased_and_stands_there_is_found(path: Path, rows: Rows) -> None:
    forged, i = redacted(rows, "ModelCallFinished")
    forged[i] = rows[i]
    write_rows(path, forged)
    assert found(checked(str(path))) == [(i + 1, "redaction")]


@of_log
def test_an_accepted_loss_is_not_held_against_the_log(path: Path, rows: Rows) -> None:
    forged = [*rows[:4], rows[4]._replace(chain=bytes(16)), *rows[5:]]
    assert {check for _, check in found(logs.checked(forged))} == {"chain"}
    write_rows(path, appended_as_is(forged))
    report = checked(str(path))
    assert not found(report) and report.losses == 1


def appended_as_is(rows: Rows) -> Rows:
    """Return `rows` with a loss accepted after them, chained to the last as it is."""
    return [*rows, *appended(rows, "LossAccepted", reason=0, expected=9, found=4)[-1:]]


async def test_a_log_of_the_store_is_whole_but_for_what_no_actor_wrote(path: Path) -> None:
    await made(path, message("k/a"))
    assert [check for _, check in found(checked(str(path)))] == ["stream"]


def test_a_prompt_after_its_block_was_changed_is_made_again(path: Path) -> None:
    async def ask(limit: int) -> None:
        agent = Agent("a", "You.", blocks=[Block("plan", "first", limit=limit)])
        async with System.open(path, model=ScriptedModel({"a": ["yes"]})) as system:
            await (await system.start(agent)).ask("hi", key=f"k{limit}")

    for limit in (100, 60):
        anyio.run(ask, limit)
    report = checked(str(path))
    assert not found(report) and report.prompts == 2


@of_log
def test_a_redaction_of_nothing_is_found(path: Path, rows: Rows) -> None:
    write_rows(path, appended(rows, "EventRedacted", stream="agent-nobody", version=1, said="00" * 32, reason=0))
    assert found(checked(str(path))) == [(len(rows) + 1, "redaction")]
