"""The independent audit: it finds what `callboard verify` finds, and shares nothing with it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from callboard import Agent, MemoryStore, ModelReply, System
from callboard.actors.testing import ScriptedModel
from callboard.events.anchor import line
from callboard.events.catalog import TYPES
from callboard.scripts import audit

from . import logs
from .forgeries import FORGERIES, Forgery, Rows, at, head_of, healthy, of_wrong_size, reordered, silenced
from .harness import run
from .logs import write_rows
from .people_scenarios import transfer
from .scenarios import CANCELS, Scenario
from .teams import write_log

SCRIPT = Path(audit.__file__)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return healthy(0, 9)


def found(audit: audit.Audit) -> list[tuple[int, str]]:
    return [(item["position"], item["check"]) for item in audit.findings]


def alone(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the script with nothing installed and nothing of the environment."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


def test_it_imports_the_standard_library_alone() -> None:
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level and (node.module or "").split(".")[0] in sys.stdlib_module_names
        elif isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names


def test_it_knows_every_type_of_the_catalogue() -> None:
    of_log = {"WriterOpened", "WriterClosed", "LossAccepted", "EventRedacted"}
    assert {name: kind.schema_version for name, kind in TYPES.items()} == {
        name: version for name, version in audit.TYPES.items() if name in TYPES or name not in of_log
    }
    for verb, known in (("opens", audit.OPENS), ("closes", audit.CLOSES)):
        assert known == {name for name, kind in TYPES.items() if getattr(kind, verb)}
    kinds = {name: kind.opens or kind.goes_on or kind.closes for name, kind in TYPES.items()}
    assert {name: kind for name, kind in kinds.items() if kind} == audit.KIND


def test_it_runs_alone_and_says_what_it_found(path: Path, rows: Rows) -> None:
    write_log(path)
    done = alone(path, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    assert (facts["requests"], facts["open"], facts["findings"]) == (3, 0, [])


def test_a_finding_is_exit_code_1_with_its_place(path: Path, rows: Rows) -> None:
    forged, position = silenced(rows)
    write_rows(path, forged)
    done = alone(path)
    row = forged[position - 1]
    assert done.returncode == 1 and f"{position} {row.stream}@{row.version} chain: " in done.stdout


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but a text that is long enough" * 99])
def test_what_is_no_log_is_exit_code_2(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    done = alone(path)
    assert done.returncode == 2 and done.stderr.startswith("audit: ") and "Traceback" not in done.stderr


@pytest.mark.parametrize("forgery", [pytest.param(f, id=f.name) for f in FORGERIES if f.audit])
def test_the_first_bad_position_is_named(forgery: Forgery, rows: Rows) -> None:
    forged, position = forgery.forge(rows)
    places = found(logs.audited(forged))
    assert (position, forgery.audit) in places
    assert min(places)[0] == position


def test_edits_that_overtake_each_other_are_found() -> None:
    forged, position = reordered(healthy(1))
    assert (position, "order") in found(logs.audited(forged))


def test_a_size_is_beyond_it(rows: Rows) -> None:
    assert not found(logs.audited(of_wrong_size(rows)[0]))  # it reads no specs and splices no blocks


async def test_a_person_may_be_asked_about_a_call_whose_model_wrote_no_arguments() -> None:
    store, said = MemoryStore(), ModelReply("", [("transfer", "{}"), ("transfer", "")])
    async with System.open(store, model=ScriptedModel({"a": [said]})) as system:
        await system.start(Agent("a", tools=[transfer]))
        await system["a"].tell("go")
        await system.quiet()
        assert len(await system.waiting()) == 2
    assert not found(logs.audited(logs.rows_of(store)))


@pytest.mark.parametrize("scenario", [pytest.param(one, id=one.name) for one in CANCELS[::5]])
async def test_nothing_is_found_where_much_was_cancelled(scenario: Scenario) -> None:
    outcome = await run(scenario, (7,), 1)
    rows = logs.rows_of(outcome.log)
    assert not found(logs.audited(rows))
    assert not logs.checked(rows).findings.kept


def test_a_text_that_was_to_be_erased_and_stands_there_is_found(rows: Rows) -> None:
    row = rows[at(rows, "ModelCallFinished")]
    careful = audit.Audit({(row.stream, row.version): bytes(32)}, None)
    for one in rows:
        careful.take(one)
    assert found(careful) == [(row.position, "redaction")]


def test_the_anchor_beside_a_log_is_read(path: Path, rows: Rows) -> None:
    write_rows(path, rows)
    beside = Path(f"{path}.anchor")
    for head, findings in (
        (head_of(rows), []),
        (head_of(rows, position=len(rows) + 3), [(len(rows) + 1, "anchor")]),
        (head_of(rows, chain=bytes(16)), [(len(rows), "anchor")]),
        (head_of(rows, log_id="other"), [(1, "anchor")]),
    ):
        beside.write_bytes(line(head).ljust(4096) + b"torn")
        assert found(audit.audited(str(path))) == findings
    beside.write_bytes(b"torn")
    assert found(audit.audited(str(path))) == [(len(rows) + 1, "anchor")]
