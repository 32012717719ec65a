"""What round-robin, supervisor, sleeptime and consensus do, as events in and events out."""

import pytest

from callboard import Consensus, Debate, Handoff, Parallel, Pipeline, RoundRobin, Route, Sleeptime, Supervisor
from callboard.events import Text
from callboard.events.catalog import (
    JobFailed,
    JobFinished,
    JobScheduled,
    JobStarted,
    MemberLeft,
    ToolUse,
    TurnFailed,
    TurnFinished,
)

from .rule_talks import Talk, answer, data, talk, tools_of, use


def delegate(worker: str, task: str) -> ToolUse:
    return use("delegate", worker=worker, task=task)


def to_all(message: str) -> ToolUse:
    return use("send_message_to_all_agents_in_group", message=message)


# -- round robin --------------------------------------------------------------------------------------


def test_round_robin_goes_on_after_the_last_speaker_that_is_still_there() -> None:
    made = talk(RoundRobin(5))
    made.ask("k")
    made.say("a", "A1")
    made.leave("b")
    made.say("b", "B1")  # it finishes the turn that it has
    assert made.talking == ["c"]
    made.say("c", "C1")
    assert made.talking == ["a"] and made.state.members == ("a", "c")


def test_round_robin_without_members_fails_and_does_not_wait() -> None:
    made = talk(RoundRobin(), ("a",))
    made.ask("k")
    made.leave("a")
    made.fail("a")
    assert isinstance(made.ended, TurnFailed) and "nobody is a member" in made.ended.text


@pytest.mark.parametrize("pattern", [Debate(), Supervisor(), Parallel(), Pipeline(), Handoff(), Route(), Sleeptime()])
def test_a_request_to_nobody_ends(pattern: RoundRobin) -> None:
    made = talk(pattern, ("a",))
    made.add(MemberLeft(name="a"))
    made.ask("k")
    assert isinstance(made.ended, TurnFailed) and made.state.desk.turn is None


# -- supervisor ---------------------------------------------------------------------------------------


def led(pattern: Supervisor | None = None, members: tuple[str, ...] = ("a", "b")) -> Talk:
    made = talk(pattern or Supervisor(), members, manager="boss", about={"a": "looks up"})
    made.ask("k")
    return made


def test_a_supervisor_plans_delegates_at_once_and_answers_with_plan_and_results() -> None:
    made = led()
    assert "- a: looks up\n- b: a worker" in made.heard("boss")[1]
    made.say("boss", "", delegate("a", "look"), delegate("b", "write"))
    assert made.talking == ["a", "b"] and made.heard("b") == ["boss: write"]
    made.say("b", "B1")
    assert made.talking == ["a"]
    made.say("a", "A1")
    assert made.heard("boss")[:2] == ["b: B1", "a: A1"]
    made.say("boss", "whole")
    assert (answer(made).text, answer(made).stop_reason) == ("whole", "end")
    assert data(made)["plan"] == [{"agent": "a", "task": "look"}, {"agent": "b", "task": "write"}]
    assert data(made)["results"] == [
        {"agent": "a", "status": "success", "response": "A1"},
        {"agent": "b", "status": "success", "response": "B1"},
    ]


def test_a_supervisor_is_told_results_one_by_one_where_it_wants_them_so() -> None:
    made = led(Supervisor(results="as_they_come"))
    made.say("boss", "", to_all("go"))
    made.say("b", "B1")
    assert made.talking == ["a", "boss"] and made.heard("boss")[0] == "b: B1"
    made.say("boss", "not yet")
    assert made.talking == ["a"]
    made.say("a", "A1")
    assert made.heard("boss")[0] == "a: A1"


def test_two_tasks_for_one_worker_are_done_one_after_the_other() -> None:
    made = led()
    made.say("boss", "", delegate("a", "one"), delegate("a", "two"))
    assert made.talking == ["a"] and made.heard("a") == ["boss: one"]
    made.say("a", "A1")
    assert made.talking == ["a"] and made.heard("a") == ["boss: two"]


def test_every_supervisor_has_the_tools_and_the_last_word_has_none() -> None:
    made = talk(Supervisor(max_rounds=2), ("a",), manager="boss", standby=("vice",))
    made.ask("k")
    both = ["delegate", "send_message_to_all_agents_in_group"]
    assert tools_of(made, "boss") == both
    made.fail("boss")
    assert tools_of(made, "vice") == both
    made.say("vice", "", to_all("go"))
    made.say("a", "A1")
    assert tools_of(made, "vice") == [] and "nothing more can be delegated" in made.heard("vice")[-1]
    made.say("vice", "enough")
    assert answer(made).stop_reason == "max_rounds"


def test_a_worker_that_failed_or_left_is_an_error_among_the_results() -> None:
    made = led()
    made.say("boss", "", delegate("a", "one"), delegate("b", "two"), delegate("b", "three"))
    made.fail("a")
    made.leave("b")
    made.say("b", "B1")
    assert made.heard("boss")[-1].startswith("g: b left the group.")
    made.say("boss", "whole")
    assert data(made)["results"] == [
        {"agent": "a", "status": "error", "error": "no key"},
        {"agent": "b", "status": "success", "response": "B1"},
        {"agent": "b", "status": "error", "error": "left the group"},
    ]


def test_tasks_that_were_refused_are_none() -> None:
    made = led()
    made.say("boss", "I cannot say it better", delegate("zoe", "x"), stop="refused")
    assert answer(made).text == "I cannot say it better" and data(made)["plan"] == []


def test_without_a_manager_that_works_all_are_asked_and_what_they_say_is_joined() -> None:
    made = led()
    made.fail("boss")
    assert made.talking == ["a", "b"]
    made.say("a", "A1")
    made.say("b", "B1")
    assert (answer(made).text, answer(made).stop_reason) == ("a: A1\n\nb: B1", "manager_failed")


# -- sleeptime ----------------------------------------------------------------------------------------


def remembered(*answers: str, every: int = 2) -> Talk:
    made = talk(Sleeptime(every=every), ("night",), manager="day")
    for n, text in enumerate(answers):
        made.ask(f"k{n}", f"Q{n}")
        made.say("day", text)
    return made


def windows(made: Talk) -> list[tuple[int, int]]:
    return [(one.since, one.upto) for one in made.events if isinstance(one, JobStarted)]


def test_background_work_follows_every_nth_answer_and_never_delays_it() -> None:
    made = remembered("A0")
    assert made.events[-1] == TurnFinished(id="k0/g", to="user", text=Text("A0"))
    made.ask("k1", "Q1")
    events = made.say("day", "A1")
    assert [type(event) for event in events] == [JobScheduled, TurnFinished]
    made.begin_jobs()
    assert windows(made) == [(0, 4)]
    made.end_job("night")
    assert isinstance(made.events[-1], JobFinished) and made.state.marks == {"night": 4}


def test_work_that_failed_loses_no_window() -> None:
    made = remembered("A0", "A1")
    made.begin_jobs()
    made.end_job("night", "no key")
    assert isinstance(made.events[-1], JobFailed) and made.state.marks == {}
    for n in (2, 3):
        made.ask(f"k{n}", f"Q{n}")
        made.say("day", f"A{n}")
    made.begin_jobs()
    assert windows(made) == [(0, 4), (0, 8)]


def test_work_that_waits_for_work_is_one_and_takes_in_all_that_was_said_meanwhile() -> None:
    made = remembered("A0", every=1)
    made.begin_jobs()
    for n in (1, 2, 3):
        made.ask(f"k{n}", f"Q{n}")
        made.say("day", f"A{n}")
    assert [job.phase for job in made.state.jobs.values()] == ["running", "scheduled"]
    made.end_job("night")
    made.begin_jobs()
    assert windows(made) == [(0, 2), (2, 8)]


def test_work_of_one_that_left_ends_and_a_window_that_comes_too_late_is_none() -> None:
    made = remembered("A0", every=1)
    made.leave("night")
    assert made.last(JobFailed) == JobFailed(id="k0/g/2/night", text=Text("night left the group"))
    assert made.begin_jobs() == [] and not made.state.jobs


def test_a_foreground_that_failed_leaves_no_work() -> None:
    made = talk(Sleeptime(every=1), ("night",), manager="day")
    made.ask("k")
    made.fail("day")
    assert isinstance(made.ended, TurnFailed) and not made.state.jobs


# -- consensus ----------------------------------------------------------------------------------------


def voted(pattern: Consensus, *votes: str, manager: str = "") -> Talk:
    made = talk(pattern, [f"m{n}" for n in range(len(votes))], manager=manager)
    made.ask("k")
    for n, vote in enumerate(votes):
        if vote:
            made.say(f"m{n}", "", use("vote", choice=vote, reason=f"r{n}"))
        else:
            made.fail(f"m{n}")
    return made


def test_more_than_half_decide_and_votes_with_reasons_are_in_the_data() -> None:
    made = voted(Consensus(("x", "y")), "x", "y", "x")
    assert (answer(made).text, answer(made).stop_reason) == ("x", "quorum")
    assert data(made) == {
        "votes": {"m0": "x", "m1": "y", "m2": "x"},
        "reasons": {"m0": "r0", "m1": "r1", "m2": "r2"},
        "counts": {"x": 2, "y": 1},
        "winner": "x",
        "unanimous": False,
        "abstained": [],
    }


def test_who_failed_abstained_and_counts_for_the_quorum_still() -> None:
    made = voted(Consensus(("x", "y")), "x", "", "")
    assert answer(made).stop_reason == "no_quorum" and data(made)["abstained"] == ["m1", "m2"]
    made = voted(Consensus(("x", "y"), quorum=1), "x", "", "")
    assert answer(made).text == "x" and data(made)["unanimous"] is False


def test_in_the_next_round_each_sees_all_votes_and_reasons() -> None:
    made = voted(Consensus(("x", "y"), max_rounds=2), "x", "y")
    assert "- m0: x (r0)\n- m1: y (r1)" in made.heard("m0")[-1]
    for name in ("m0", "m1"):
        made.say(name, "", use("vote", choice="y", reason="fine"))
    assert answer(made).text == "y" and data(made)["unanimous"] is True


def test_a_tie_goes_to_the_manager_to_the_first_or_to_nobody() -> None:
    made = voted(Consensus(("x", "y"), tie="manager"), "y", "x", manager="boss")
    assert made.talking == ["boss"] and made.word("boss").options == ("x", "y")
    made.say("boss", "", use("break_tie", choice="y", reason="why not"))
    assert (answer(made).text, answer(made).stop_reason) == ("y", "manager")
    assert (answer(voted(Consensus(("y", "x"), tie="first"), "x", "y")).text) == "y"
    made = voted(Consensus(("x", "y")), "x", "y")
    assert answer(made).stop_reason == "no_quorum" and data(made)["winner"] is None


def test_options_come_with_the_request_or_it_fails() -> None:
    made = talk(Consensus(), ("a",))
    made.ask("k", params={"options": ["u", "v"]})
    assert made.word("a").options == ("u", "v")
    for n, wrong in enumerate(([], ["u"], ["u", "u"], "uv", [1, 2], None)):
        made = talk(Consensus(), ("a",))
        made.ask(f"k{n}", params={"options": wrong})  # type: ignore[dict-item]
        assert isinstance(made.ended, TurnFailed) and "two or more different texts" in made.ended.text


def test_who_joins_late_votes_as_often_as_the_others() -> None:
    made = talk(Consensus(("x", "y")), ("a", "b"))
    made.ask("k")
    made.join("c")
    made.say("a", "x")
    made.say("b", "y")
    assert made.talking == ["c"]
    made.say("c", "y")
    assert answer(made).text == "y"
