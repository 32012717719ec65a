"""What people decided, as `callboard verify` and the audit check it; the two share no code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callboard.scripts import audit

from . import logs
from .forgeries import Forgery, Rows, at, head_of
from .people_forgeries import PAID, PEOPLE_FORGERIES, approvals, erased, for_other_arguments, place, questions


def audited(rows: Rows, careful: audit.Audit | None = None) -> list[tuple[int, str]]:
    found = careful or audit.Audit({}, None)
    for row in rows:
        found.take(row)
    return [(item["position"], item["check"]) for item in found.findings]


def checked(rows: Rows) -> list[tuple[int, str]]:
    return [(one.position, one.check) for one in logs.checked(rows).findings.kept]


EACH = [pytest.param(log, one, id=one.name) for log, one in PEOPLE_FORGERIES]


@pytest.mark.parametrize("log", [approvals, questions])
def test_nothing_is_found_in_a_log_as_it_was(log: Callable[[], Rows]) -> None:
    rows = log()
    assert not logs.checked(rows, head_of(rows)).findings.kept and not audited(rows)


@pytest.mark.parametrize(("log", "forgery"), EACH)
def test_verify_names_the_position(log: Callable[[], Rows], forgery: Forgery) -> None:
    forged, position = forgery.forge(log())
    places = checked(forged)
    assert (position, forgery.verify) in places and min(at for at, check in places if check != "cause") == position


@pytest.mark.parametrize(("log", "forgery"), EACH)
def test_the_audit_names_the_position(log: Callable[[], Rows], forgery: Forgery) -> None:
    forged, position = forgery.forge(log())
    places = audited(forged)
    assert (position, forgery.audit) in places and min(at for at, check in places if check != "cause") == position


def test_where_the_arguments_were_erased_the_approval_is_that_of_the_question() -> None:
    rows = erased(approvals())
    reply = rows[at(rows, "ModelCallFinished")]
    redacted = {(reply.stream, reply.version): bytes(32)}
    assert "call" not in {check for _, check in audited(rows, audit.Audit(redacted, None))}
    forged, position = for_other_arguments(rows)
    assert (position, "call") in audited(forged, audit.Audit(redacted, None))
    assert place(rows, "ApprovalGiven", PAID) + 1 == position
