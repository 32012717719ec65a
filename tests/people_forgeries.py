"""Logs in which somebody changed what people decided: each kind with the first bad position, and who must name it."""

from __future__ import annotations

import json
from functools import cache

from callboard.projections.paths import digest_of

from .forgeries import Forgery, Rows, at, changed, healthy, with_data
from .logs import rechained
from .scenarios import SCENARIOS

PAID, DENIED, ASKED = "k1/a/1/1", "k1/a/1/3", "k1/team/2/b/1/2"
"""A call that was approved, one that was refused, and a question; in the logs of two scenarios."""


@cache
def approvals() -> Rows:
    """Return a log with approvals by a person and by rule, and a refusal."""
    return _of("approvals, one denied")


@cache
def questions() -> Rows:
    """Return a log with a question, and with a call in doubt."""
    return _of("two wait at once, in doubt, too")


def _of(scenario: str) -> Rows:
    return healthy([one.name for one in SCENARIOS].index(scenario))


def place(rows: Rows, type: str, id: str) -> int:
    """Return the index of the event of a type about the call `id`."""
    return next(i for i, row in enumerate(rows) if row.type == type and json.loads(row.data)["id"] == id)


def without(rows: Rows, type: str, id: str, then: str) -> tuple[Rows, int]:
    """Remove an event about `id`; what shows it is the first event of the type `then` about it after that."""
    i = place(rows, type, id)
    forged = rechained([*rows[:i], *rows[i + 1 :]])
    return forged, place(forged[i:], then, id) + i + 1


def repeated(rows: Rows, type: str, id: str, *, key: str) -> tuple[Rows, int]:
    """Put an event about `id` behind itself once more, under another key."""
    i = place(rows, type, id)
    again = with_data(rows[i], command=key)._replace(key=f"command:{key}")
    return rechained([*rows[: i + 1], again, *rows[i + 1 :]]), i + 2


def for_other_arguments(rows: Rows) -> tuple[Rows, int]:
    i = place(rows, "ApprovalGiven", PAID)
    return changed(rows, i, with_data(rows[i], digest=digest_of("transfer", '{"amount": 9}', 1)))


def about_other_arguments(rows: Rows) -> tuple[Rows, int]:
    i = place(rows, "ApprovalAsked", PAID)
    return changed(rows, i, with_data(rows[i], digest=digest_of("transfer", "{}", 2)))


def by_rule_for_other_arguments(rows: Rows) -> tuple[Rows, int]:
    i = place(rows, "ApprovalGiven", "k1/a/1/2")
    return changed(rows, i, with_data(rows[i], digest=digest_of("spend", '{"amount": 999}', 1)))


def in_the_name_of_the_rule(rows: Rows) -> tuple[Rows, int]:
    i = place(rows, "ApprovalGiven", PAID)
    data = {name: value for name, value in json.loads(rows[i].data).items() if name != "command"}
    return changed(rows, i, rows[i]._replace(key=None, data=json.dumps({**data, "by": "policy"})))


def used_twice(rows: Rows) -> tuple[Rows, int]:
    """Let an approved call be in doubt, and begin once more under the approval that it had."""
    i = place(rows, "ToolCallStarted", PAID)
    id = {"id": PAID}
    doubt = rows[i]._replace(type="ToolCallInDoubt", data=json.dumps(id))
    retried = rows[i]._replace(type="ToolCallRetried", data=json.dumps({**id, "by": "user"}))
    again = with_data(rows[i], attempt=2)
    return rechained([*rows[: i + 1], doubt, retried, again, *rows[i + 1 :]]), i + 4


def begun_twice(rows: Rows) -> tuple[Rows, int]:
    i = place(rows, "ToolCallStarted", PAID)
    return rechained([*rows[: i + 1], with_data(rows[i], attempt=2), *rows[i + 1 :]]), i + 2


def begun_though_refused(rows: Rows) -> tuple[Rows, int]:
    i = place(rows, "ApprovalRefused", DENIED)
    start = rows[place(rows, "ToolCallStarted", PAID)]
    begun = with_data(start, id=DENIED)
    return rechained([*rows[: i + 1], begun, *rows[i + 1 :]]), i + 2


def decided_when_closed(rows: Rows) -> tuple[Rows, int]:
    i, end = place(rows, "ApprovalGiven", PAID), place(rows, "ToolCallFinished", PAID)
    late = with_data(rows[i], command="late")._replace(key="command:late")
    return rechained([*rows[: end + 1], late, *rows[end + 1 :]]), end + 2


def answered_unasked(rows: Rows) -> tuple[Rows, int]:
    i = place(rows, "ApprovalAsked", PAID)
    answer = rows[place(rows, "ApprovalRefused", DENIED)]
    said = with_data(answer, id=PAID, command="x")._replace(type="QuestionAnswered", key="command:x")
    data = {name: value for name, value in json.loads(said.data).items() if name != "digest"}
    said = said._replace(data=json.dumps(data))
    return rechained([*rows[: i + 1], said, *rows[i + 1 :]]), i + 2


PEOPLE_FORGERIES = [
    (approvals, Forgery("an approval of other arguments", "person", "call", for_other_arguments)),
    (approvals, Forgery("a person asked about another attempt", "person", "call", about_other_arguments)),
    (approvals, Forgery("an approval by rule of other arguments", "person", "call", by_rule_for_other_arguments)),
    (approvals, Forgery("a rule that approves what a person was asked", "person", "call", in_the_name_of_the_rule)),
    (approvals, Forgery("begun without the approval that it needs", "person", "call",
                        lambda rows: without(rows, "ApprovalGiven", PAID, "ToolCallStarted"))),
    (approvals, Forgery("begun without a word of its rule", "person", "call",
                        lambda rows: without(rows, "ApprovalGiven", "k1/a/1/2", "ToolCallStarted"))),
    (approvals, Forgery("an approval of what nobody asked", "person", "call",
                        lambda rows: without(rows, "ApprovalAsked", PAID, "ApprovalGiven"))),
    (approvals, Forgery("a refusal of what nobody asked", "person", "call",
                        lambda rows: without(rows, "ApprovalAsked", DENIED, "ApprovalRefused"))),
    (approvals, Forgery("an approval used twice", "person", "call", used_twice)),
    (approvals, Forgery("begun twice under one approval", "person", "call", begun_twice)),
    (approvals, Forgery("begun though it was refused", "person", "call", begun_though_refused)),
    (approvals, Forgery("approved twice", "person", "call",
                        lambda rows: repeated(rows, "ApprovalGiven", PAID, key="again"))),
    (approvals, Forgery("decided when it was closed", "pair", "pair", decided_when_closed)),
    (approvals, Forgery("an answer to no question", "person", "call", answered_unasked)),
    (questions, Forgery("an answer to a question that nobody asked", "person", "call",
                        lambda rows: without(rows, "QuestionAsked", ASKED, "QuestionAnswered"))),
    (questions, Forgery("answered twice", "person", "call",
                        lambda rows: repeated(rows, "QuestionAnswered", ASKED, key="again"))),
    (questions, Forgery("a result of a question that nobody answered", "person", "call",
                        lambda rows: without(rows, "QuestionAnswered", ASKED, "ToolCallFinished"))),
]  # fmt: skip


def erased(rows: Rows) -> Rows:
    """Return `rows` with the arguments of every call gone, and all that refers to them."""
    i = at(rows, "ModelCallFinished")
    return rechained([*rows[:i], rows[i]._replace(content=None, salt=None), *rows[i + 1 :]])
