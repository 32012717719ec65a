"""What archives hold, as `callboard verify` and the audit check it; what was erased of them; and their snapshots."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from callboard import Agent, Archive, SQLiteStore, System
from callboard.actors.archival import INSERT, SEARCH
from callboard.actors.cache_findings import cache_findings
from callboard.actors.testing import ScriptedModel
from callboard.events import RedactionRefused
from callboard.events.cache import FolderCache, folder_of
from callboard.projections import replay
from callboard.projections.archive import archive_state
from callboard.scripts import audit
from callboard.scripts.verify import checked as verified

from . import logs
from .archive_scenarios import ARCHIVES
from .forgeries import Forgery, Rows, at, changed, head_of, healthy, with_data
from .logs import rechained
from .scenarios import SCENARIOS


@cache
def healthy_rows() -> Rows:
    """Return a log of archives whose passages were updated, deleted, and stored twice."""
    return healthy(SCENARIOS.index(ARCHIVES[0]))


def audited(rows: Rows) -> list[tuple[int, str]]:
    found = audit.Audit({}, None)
    for row in rows:
        found.take(row)
    return [(item["position"], item["check"]) for item in found.findings]


def checked(rows: Rows) -> list[tuple[int, str]]:
    return [(one.position, one.check) for one in logs.checked(rows).findings.kept]


def with_number(rows: Rows, type: str, which: int, n: int) -> tuple[Rows, int]:
    i = at(rows, type, which)
    return changed(rows, i, with_data(rows[i], n=n))


def skipped(rows: Rows) -> tuple[Rows, int]:
    return with_number(rows, "PassageInserted", 1, 7)


def numbered_twice(rows: Rows) -> tuple[Rows, int]:
    return with_number(rows, "PassageInserted", 1, 1)


def deleted_twice(rows: Rows) -> tuple[Rows, int]:
    """Let the archive of `own` delete its only passage before that is updated."""
    [update, delete] = [
        next(i for i, row in enumerate(rows) if (row.stream, row.type) == ("archive-own", type))
        for type in ("PassageUpdated", "PassageDeleted")
    ]
    first = rows[update]._replace(
        type="PassageDeleted", data=json.dumps({**json.loads(rows[update].data), "text": None}), content=None, salt=None
    )
    data = {name: value for name, value in json.loads(first.data).items() if name in ("id", "to", "verb", "n")}
    return rechained([*rows[:update], first._replace(data=json.dumps(data)), *rows[update + 1 :]]), delete + 1


def updated_never_stored(rows: Rows) -> tuple[Rows, int]:
    return with_number(rows, "PassageUpdated", 0, 99)


def a_duplicate_unsaid(rows: Rows) -> tuple[Rows, int]:
    i = next(i for i, row in enumerate(rows) if row.type == "PassageInserted" and json.loads(row.data).get("same"))
    return changed(rows, i, with_data(rows[i], same=0, same_at=0))


def a_duplicate_of_nothing(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "PassageInserted", 1)
    return changed(rows, i, with_data(rows[i], same=1, same_at=2))


def in_the_name_of_another(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "PassageInserted", 1)
    return changed(rows, i, with_data(rows[i], to="agent-b"))


def in_a_block(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ArchiveStarted")
    return changed(rows, i, rows[i]._replace(stream="block-team"))


FORGERIES = [
    Forgery("a number skipped", "archive", "passage", skipped),
    Forgery("a number given twice", "archive", "passage", numbered_twice),
    Forgery("deleted twice", "archive", "passage", deleted_twice),
    Forgery("an update of what was never stored", "archive", "passage", updated_never_stored),
    Forgery("a duplicate of which nothing is said", "archive", "", a_duplicate_unsaid),
    Forgery("a duplicate that is none", "archive", "", a_duplicate_of_nothing),
    Forgery("stored in the name of another", "id", "send", in_the_name_of_another),
    Forgery("an archive that begins as a block", "stream", "stream", in_a_block),
]


def test_nothing_is_found_in_a_log_as_it_was() -> None:
    rows = healthy_rows()
    assert not logs.checked(rows, head_of(rows)).findings.kept and not audited(rows)


@pytest.mark.parametrize("forgery", [pytest.param(one, id=one.name) for one in FORGERIES])
def test_verify_names_the_position(forgery: Forgery) -> None:
    forged, position = forgery.forge(healthy_rows())
    assert (position, forgery.verify) in checked(forged)


@pytest.mark.parametrize("forgery", [pytest.param(one, id=one.name) for one in FORGERIES if one.audit])
def test_the_audit_names_the_position(forgery: Forgery) -> None:
    forged, position = forgery.forge(healthy_rows())
    assert (position, forgery.audit) in audited(forged)


async def test_an_erased_passage_reads_as_erased_wherever_it_is_shown_and_is_no_duplicate(path: Path) -> None:
    model = ScriptedModel({"a": [[(INSERT, {"content": "a secret"})], "done", [(SEARCH, {"query": "secret"})], "done"]})
    async with System.open(path, model=model) as system:
        await system.start(Agent("a", "You are a.", tools=[INSERT, SEARCH], archive=Archive("team")))
        await system["a"].ask("go", key="k")
        await system.archive("team").insert("by hand, a secret, too")
        stored = [event async for event in system.store.read_stream("archive-team") if event.type == "PassageInserted"]
        with pytest.raises(RedactionRefused, match="redact the event that said it first"):
            await system.redact([stored[0].position], reason="privacy")
        said, *_ = [event async for event in system.store.read_stream("agent-a") if event.type == "ModelCallFinished"]
        await system.redact([said.position, stored[1].position], reason="privacy")
        assert [passage.text for passage in await system.archive("team").passages()] == ["[erased]"] * 2
        assert await system.archive("team").search("secret") == []
        assert await system.archive("team").insert("a secret") == "stored as p3"
        assert await system.archive("team").insert("[erased]") == "stored as p4"
        assert await system.archive("team").update("p1", "mended") == "p1 is updated"
    report = verified(str(path))
    assert not report.findings.kept and report.redacted == 2


async def test_an_erased_passage_is_in_no_byte_of_the_log_or_its_cache(path: Path) -> None:
    async with System.open(path, model=ScriptedModel({})) as system:
        await system.start(Archive("team"))
        await system.archive("team").insert("the word is xyzzy")
        [stored] = [event async for event in system.store.read_stream("archive-team", after=1)]
        await system.redact([stored.position], reason="privacy")
    kept = [file for file in path.parent.rglob("*") if file.is_file()]
    assert kept and not [file for file in kept if b"xyzzy" in file.read_bytes()]


async def test_the_state_of_a_long_archive_is_kept_in_the_cache_and_equals_a_fold(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        store.cache = FolderCache(folder_of(str(path)), every=10)
        async with System.open(store, model=ScriptedModel({})) as system:
            await system.start(Archive("team"))
            for n in range(30):
                await system.archive("team").insert(f"passage {n % 20}", tags=[f"t{n}"])
            await system.archive("team").delete("p3")
    async with SQLiteStore.open(path, mode="read") as store:
        assert not await cache_findings(str(path), store)
    async with SQLiteStore.open(path) as store:
        store.cache = FolderCache(folder_of(str(path)), every=10)
        async with System.open(store, model=ScriptedModel({})) as system:
            state, version, _ = await system.snapshots.load("archive-team", archive_state.initial())
            assert version > 20 and len(state.passages) > 15
            assert await system.look("archive-team") == await replay(store, archive_state, stream="archive-team")
            assert (await system.archive("team").insert("passage 5")).startswith(
                "stored as p31; the same text stands as"
            )
