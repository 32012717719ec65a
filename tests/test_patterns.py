"""What each pattern does, as events in and events out."""

import json
from typing import Any

import pytest

from callboard import (
    Consensus,
    Debate,
    Handoff,
    Parallel,
    Pipeline,
    RoundRobin,
    Route,
    Sleeptime,
    Supervisor,
)
from callboard.events import SpecError, Text
from callboard.events.catalog import (
    ChoiceMade,
    JobFailed,
    JobFinished,
    JobScheduled,
    JobStarted,
    MemberLeft,
    ToolUse,
    TurnFailed,
    TurnFinished,
)
from callboard.projections import GroupState
from callboard.projections.quotes import whole
from callboard.projections.words import tools_in

from .rule_talks import Talk, talk


def answer(made: Talk) -> TurnFinished:
    found = made.ended
    assert isinstance(found, TurnFinished), found
    return found


def data(made: Talk) -> dict[str, Any]:
    found = answer(made)
    return dict(whole(found.data, found.quotes))


def use(name: str, **arguments: str) -> ToolUse:
    return ToolUse(name=name, arguments=Text(json.dumps(arguments)))


def delegate(worker: str, task: str) -> ToolUse:
    return use("delegate", worker=worker, task=task)


def to_all(message: str) -> ToolUse:
    return use("send_message_to_all_agents_in_group", message=message)


def tools_of(made: Talk, name: str) -> list[str]:
    return [tool.name for tool in tools_in(made.word(name).cue.tools)]


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


# -- parallel -----------------------------------------------------------------------------------------


def test_no_more_work_at_once_than_wanted_and_the_manager_merges() -> None:
    made = talk(Parallel(max_concurrency=2), manager="boss")
    made.ask("k")
    assert made.talking == ["a", "b"]
    made.say("b", "B1")
    assert made.talking == ["a", "c"]
    made.say("c", "C1")
    made.fail("a")
    assert made.heard("boss")[-1] == "g: These are the results. Make one answer of them."
    made.say("boss", "merged")
    assert answer(made).text == "merged"
    assert [one["status"] for one in data(made)["results"]] == ["error", "success", "success"]


def test_tasks_as_a_list_may_name_a_member_twice_and_results_keep_their_order() -> None:
    made = talk(Parallel(), ("a", "b"))
    tasks = [{"agent": "a", "task": "one"}, {"agent": "b", "task": "two"}, {"agent": "a", "task": "three"}]
    made.ask("k", params={"tasks": tasks})  # type: ignore[dict-item]
    assert made.heard("a") == ["user: one"]
    made.say("b", "B2")
    made.say("a", "A1")
    assert made.heard("a") == ["user: three"]
    made.say("a", "A3")
    found = data(made)["results"]
    assert isinstance(found, list) and [one["response"] for one in found] == ["A1", "B2", "A3"]


@pytest.mark.parametrize("tasks", [{}, [], "a", 7, {"zoe": "x"}, {"a": ""}, {"a": 1}, [{"agent": "a"}], ["a"]])
def test_tasks_that_cannot_be_are_refused_before_anybody_works(tasks: object) -> None:
    made = talk(Parallel(), ("a",))
    made.ask("k", params={"tasks": tasks})  # type: ignore[dict-item]
    assert isinstance(made.ended, TurnFailed) and "`tasks` wants" in made.ended.text
    assert not made.state.counter


def test_a_task_of_one_that_left_before_it_began_is_an_error_and_the_others_count() -> None:
    made = talk(Parallel(max_concurrency=1), ("a", "b"))
    made.ask("k", params={"tasks": {"a": "one", "b": "two"}})
    made.leave("b")
    made.say("a", "A1")
    assert answer(made).text == "A1"
    assert data(made)["results"] == [
        {"agent": "a", "status": "success", "response": "A1"},
        {"agent": "b", "status": "error", "error": "left the group"},
    ]


# -- handoff ------------------------------------------------------------------------------------------


def hand(to: str) -> ToolUse:
    return use("hand_off", to=to, reason="knows it", message="be brief")


def test_who_was_handed_to_is_told_why_and_is_active_at_the_next_request() -> None:
    made = talk(Handoff(), ("a", "b"))
    made.ask("k")
    made.say("a", "", hand("b"))
    assert made.heard("b") == ["user: go", "g: a hands over to you: knows it\nbe brief"]
    made.say("b", "B1")
    assert data(made) == {"active": "b", "handoffs": [{"from": "a", "to": "b", "reason": "knows it"}]}
    made.ask("l")
    assert made.talking == ["b"]


def test_nobody_can_be_handed_to_but_the_others() -> None:
    made = talk(Handoff(), ("a", "b", "c"))
    made.ask("k")
    tool = tools_in(made.word("a").cue.tools)[0]
    assert tool.parameters["properties"]["to"]["enum"] == ["b", "c"]  # type: ignore[index,call-overload]
    alone = talk(Handoff(), ("a",))
    alone.ask("k")
    assert tools_of(alone, "a") == []


@pytest.mark.parametrize("arguments", ['{"to": "a"}', '{"to": "zoe", "reason": "x", "message": "y"}', "no json", "{}"])
def test_a_handoff_that_was_refused_is_none(arguments: str) -> None:
    made = talk(Handoff(), ("a", "b"))
    made.ask("k")
    made.say("a", "A1", ToolUse(name="hand_off", arguments=Text(arguments)), stop="refused")
    assert answer(made).text == "A1" and data(made) == {"active": "a", "handoffs": []}


def test_handoffs_are_counted_and_the_last_active_has_no_tool() -> None:
    made = talk(Handoff("b", max_handoffs=1), ("a", "b"))
    made.ask("k")
    made.say("b", "", hand("a"))
    assert tools_of(made, "a") == []
    made.say("a", "A1")
    assert (answer(made).text, answer(made).stop_reason) == ("A1", "max_handoffs")


def test_who_was_handed_to_and_left_is_not_asked() -> None:
    made = talk(Handoff(), ("a", "b", "c"))
    made.ask("k")
    made.leave("b")
    made.say("a", "", hand("b"))
    assert made.talking == ["a"]


# -- pipeline, debate, route --------------------------------------------------------------------------


def test_each_stage_hears_the_output_before_it_and_nothing_else() -> None:
    made = talk(Pipeline({"a": "draft"}))
    made.ask("k")
    made.say("a", "A1")
    assert made.heard("b") == ["a: A1"]
    made.fail("b")
    assert made.heard("c") == ["a: A1"]
    made.say("c", "C1")
    assert answer(made).text == "C1"
    assert data(made) == {"stages": {"draft": "A1", "c": "C1"}, "failed": {"b": "no key"}}


def test_a_pipeline_whose_stages_all_failed_fails_and_says_why() -> None:
    made = talk(Pipeline(), ("a", "b"))
    made.ask("k")
    made.fail("a")
    assert made.heard("b") == ["user: go"]
    made.fail("b", "no luck")
    assert isinstance(made.ended, TurnFailed) and "a: no key; b: no luck" in made.ended.text
    with pytest.raises(SpecError, match="more than one stage"):
        Pipeline({"a": "x", "b": "x"})


def test_views_are_stated_without_the_others_then_answered_in_turn_then_mediated() -> None:
    made = talk(Debate(), ("a", "b"), manager="boss")
    made.ask("k")
    assert made.talking == ["a", "b"] and made.heard("b") == ["user: go", "g: State your view, and why."]
    made.say("a", "A1")
    made.say("b", "B1")
    assert made.talking == ["a"] and made.heard("a")[0] == "b: B1"
    made.say("a", "A2")
    assert made.heard("b")[:2] == ["a: A1", "a: A2"]
    made.say("b", "B2")
    made.say("boss", "peace")
    assert answer(made).text == "peace"
    assert [one["text"] for one in data(made)["views"]] == ["A1", "B1", "A2", "B2", "peace"]


def fits(group: GroupState) -> dict[str, float]:
    return {"b": 2.0, "zoe": 9.0}


def routed(pattern: Route, text: str, **busy: int) -> tuple[str, str]:
    about = {"a": "writes poems about water", "b": "counts", "c": "counts"}
    made = talk(pattern, tags={"a": ["Poetry"], "b": ["sums", "high tide"], "c": ["sums"]}, about=about)
    made.waiting = busy
    made.ask("k", text)
    choice = made.last(ChoiceMade)
    assert isinstance(choice, ChoiceMade) and choice.read == "rule" and made.talking == [choice.choice]
    return choice.choice, choice.reason


def test_a_request_goes_to_whom_its_tags_or_words_fit_and_of_those_to_the_least_busy() -> None:
    assert routed(Route(), "some POETRY, please")[0] == "a"
    assert routed(Route(), "sums at high tide") == ("b", "fits best by tags (2)")
    assert routed(Route(), "sums", b=1) == ("c", "fits best by tags (1); least busy of b, c")
    assert routed(Route("description"), "poems on water")[0] == "a"
    assert routed(Route(fits), "anything")[0] == "b"


def test_a_request_that_fits_nobody_goes_to_the_default_or_the_least_busy() -> None:
    assert routed(Route(default="c"), "weather") == ("c", "nobody fits by tags; the default")
    assert routed(Route(), "weather", a=2, b=1)[0] == "c"
    assert routed(Route(default="zoe"), "poetical")[0] == "a"


def test_the_one_that_was_chosen_answers_and_its_failure_is_that_of_the_request() -> None:
    made = talk(Route(), ("a", "b"))
    made.ask("k")
    made.say("a", "A1")
    assert answer(made).text == "A1" and data(made)["agent"] == "a"
    made.ask("l")
    made.fail("a")
    assert isinstance(made.ended, TurnFailed)
