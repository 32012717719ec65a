"""What groups do beside giving the word, as `callboard verify` and the audit check it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from callboard import Agent, Group, MemoryStore, ModelReply, Supervisor, System
from callboard.actors.agent import MAX_REFUSED
from callboard.actors.testing import ScriptedModel

from . import logs
from .forgeries import Rows, at, changed, head_of, with_data
from .logs import rechained, rows_of
from .talks import TALKS, log_in_memory

Forge = Callable[[Rows], tuple[Rows, int]]


def rows(talk: str) -> Rows:
    return rows_of(log_in_memory(talk))


def where(found: list[Any]) -> list[tuple[int, str]]:
    return [(one.position, one.check) for one in found]


def audited(rows: Rows) -> list[tuple[int, str]]:
    return [(item["position"], item["check"]) for item in logs.audited(rows).findings]


@pytest.mark.parametrize("talk", TALKS)
def test_nothing_is_found_in_a_talk_as_it_was(talk: str) -> None:
    whole = rows(talk)
    report = logs.checked(whole, head_of(whole))
    assert not report.findings.kept
    assert (report.open, report.prompts) == (0, sum(row.type == "ModelCallStarted" for row in whole))
    assert not audited(whole)


def with_field(type: str, n: int = 0, **fields: object) -> Forge:
    """Return what gives the n-th event of a type other fields."""

    def forge(rows: Rows) -> tuple[Rows, int]:
        i = at(rows, type, n)
        return changed(rows, i, with_data(rows[i], **fields))

    return forge


def without(type: str, then: str) -> Forge:
    """Return what removes the first event of a type; what shows it is the first of another type after it."""

    def forge(rows: Rows) -> tuple[Rows, int]:
        i = at(rows, type)
        forged = rechained([*rows[:i], *rows[i + 1 :]])
        return forged, next(row.position for row in forged[i:] if row.type == then)

    return forge


def once_more(type: str) -> Forge:
    """Return what puts the first event of a type behind itself again."""

    def forge(rows: Rows) -> tuple[Rows, int]:
        i = at(rows, type)
        return rechained([*rows[: i + 1], *rows[i:]]), i + 2

    return forge


def elsewhere(type: str, stream: str) -> Forge:
    """Return what puts the first event of a type at the end of another stream."""

    def forge(rows: Rows) -> tuple[Rows, int]:
        return rechained([*rows, rows[at(rows, type)]._replace(stream=stream)]), len(rows) + 1

    return forge


def received_by_the_retired(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "GroupRetired")
    row = rows[at(rows, "MessageReceived")]
    message = with_data(row, id="k9/team")._replace(key="k9/team", correlation_id="k9", content='["moon"]')
    return rechained([*rows[: i + 1], message, *rows[i + 1 :]]), i + 2


def begun_twice(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "AgentStarted")
    return rechained([*rows, rows[i]]), len(rows) + 1


def chosen_beside(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ChoiceMade")
    return changed(rows, i, with_data(rows[i], choice="editor"))


def quoted_nowhere(rows: Rows) -> tuple[Rows, int]:
    i = next(i for i, row in enumerate(rows) if row.type == "TurnFinished" and "quotes" in row.data)
    quotes = json.loads(rows[i].data)["quotes"]
    return changed(rows, i, with_data(rows[i], quotes=[["/nowhere/3", quotes[0][1]], *quotes[1:]]))


def unlike_the_answer(rows: Rows) -> tuple[Rows, int]:
    i = next(i for i, row in enumerate(rows) if row.type == "SendAnswered" and "uses" in row.data)
    uses = json.loads(rows[i].data)["uses"]
    return changed(rows, i, with_data(rows[i], uses=[{**uses[0], "name": "pay"}, *uses[1:]]))


NOWHERE = ["group-team", 999, 0]


@dataclass(frozen=True)
class Forgery:
    """A way to change the log of a talk; an empty check is not that tool's."""

    name: str
    talk: str
    verify: str
    audit: str
    forge: Forge


FORGERIES = [
    Forgery("a choice of nobody's turn", "dynamic", "group", "", with_field("ChoiceMade", turn=7)),
    Forgery("a choice of what was not offered", "dynamic", "group", "", chosen_beside),
    Forgery("a choice from no event", "dynamic", "reference", "reference", with_field("ChoiceMade", raw=NOWHERE)),
    Forgery("a choice of no request", "dynamic", "pair", "pair", with_field("ChoiceMade", id="k7/team")),
    Forgery("a choice in the stream of an agent", "dynamic", "stream", "", elsewhere("ChoiceMade", "agent-boss")),
    Forgery("a failure of a turn that did not fail", "retry", "group", "", with_field("MemberFailed", turn=2)),
    Forgery("a failure dealt with twice", "retry", "group", "", once_more("MemberFailed")),
    Forgery("a load that nobody asked for", "route", "group", "", without("LoadAsked", "LoadObserved")),
    Forgery("scaling that does not add up", "life", "group", "", with_field("GroupScaled", wanted=3)),
    Forgery("work finished that was not scheduled", "sleeptime", "pair", "pair", without("JobScheduled", "JobStarted")),
    Forgery("work finished that was not started", "sleeptime", "group", "pair", without("JobStarted", "JobFinished")),
    Forgery("work scheduled twice", "sleeptime", "pair", "pair", once_more("JobScheduled")),
    Forgery("work that leaves something out", "sleeptime", "group", "", with_field("JobStarted", 1, since=6)),
    Forgery("work that ends before it begins", "sleeptime", "group", "", with_field("JobStarted", upto=-1)),
    Forgery("a window that is cut where it was cut before", "voice", "group", "", with_field("JobScheduled", 1, cut=4)),
    Forgery("work about what stays in the window", "voice", "group", "", with_field("JobStarted", upto=5)),
    Forgery("work that takes up what was done before", "voice", "group", "", with_field("JobStarted", 1, since=3)),
    Forgery("a note of no event", "sleeptime", "reference", "reference", with_field("JobScheduled", note=NOWHERE)),
    Forgery("tools of no event", "sleeptime", "reference", "reference", with_field("JobScheduled", 1, tools=NOWHERE)),
    Forgery("a cue with tools of no event", "life", "reference", "reference",
            with_field("MessageSent", 3, cue={"tools": NOWHERE})),
    Forgery("a template of no event", "life", "reference", "reference",
            with_field("ScalingSet", scaling={"template": {"name": "hand", "instructions": NOWHERE}, "least": 2,
                                              "most": 3, "rule": "m:f"})),
    Forgery("a spec to start with of no event", "life", "reference", "reference",
            with_field("MessageSent", 9, spec={"name": "hand-1", "instructions": NOWHERE})),
    Forgery("a block given unasked", "life", "group", "send", with_field("BlockAttached", id="x/team/7/writer")),
    Forgery("a block taken away unasked", "life", "group", "send", with_field("BlockDetached", id="x/team/7/critic")),
    Forgery("received while retired", "life", "group", "", received_by_the_retired),
    Forgery("begun twice", "life", "stream", "stream", begun_twice),
    Forgery("a text where data has none", "supervisor", "group", "", quoted_nowhere),
    Forgery("a quote of no event", "supervisor", "reference", "reference",
            with_field("TurnFinished", -1, quotes=[["/plan/0/task", NOWHERE]])),
    Forgery("another tool than the answer ended with", "supervisor", "", "answer", unlike_the_answer),
]  # fmt: skip


@pytest.mark.parametrize("forgery", [pytest.param(f, id=f.name) for f in FORGERIES if f.verify])
def test_verify_names_the_position(forgery: Forgery) -> None:
    forged, position = forgery.forge(rows(forgery.talk))
    assert (position, forgery.verify) in where(logs.checked(forged).findings.kept)


@pytest.mark.parametrize("forgery", [pytest.param(f, id=f.name) for f in FORGERIES if f.audit])
def test_the_audit_names_the_position(forgery: Forgery) -> None:
    forged, position = forgery.forge(rows(forgery.talk))
    assert (position, forgery.audit) in audited(forged)


@pytest.mark.parametrize("arguments", ["", "null", '{"agent": "nobody"}'])
async def test_a_member_that_wants_in_vain_what_it_cannot_have_and_says_nothing_has_failed(arguments: str) -> None:
    log, wants = MemoryStore(), ModelReply("", [("delegate", arguments)])
    model = ScriptedModel({"lead": [wants] * MAX_REFUSED + ["Done."], "b": ["B."]})
    async with System.open(log, model=model) as system:
        lead = Agent("lead")
        group = await system.start(Group("g", [Agent("b")], Supervisor(), manager=lead, on_failure="skip"))
        assert (await group.ask("go")).text == "Done."
    rows = rows_of(log)
    assert [row.type for row in rows].count("MemberFailed") == 1
    assert not logs.checked(rows, head_of(rows)).findings.kept
    assert not audited(rows)
