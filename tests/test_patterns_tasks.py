"""What parallel, handoff, pipeline, debate and route do, as events in and events out."""

import pytest

from callboard import Debate, Handoff, Parallel, Pipeline, Route
from callboard.events import SpecError, Text
from callboard.events.catalog import ChoiceMade, ToolUse, TurnFailed
from callboard.projections import GroupState
from callboard.projections.words import tools_in

from .rule_talks import answer, data, talk, tools_of, use

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
    assert [one["response"] for one in data(made)["results"]] == ["A1", "B2", "A3"]


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
