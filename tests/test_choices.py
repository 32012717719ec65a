"""How a group reads choices, knows that a talk is over, and answers failures, as events in and events out."""

import json
from dataclasses import dataclass

import pytest

from callboard import (
    Consensus,
    Dynamic,
    Finish,
    MaxTurns,
    Parallel,
    Pipeline,
    RoundRobin,
    Speak,
    Spoke,
    Supervisor,
    TextMention,
)
from callboard.actors.until import Condition
from callboard.events import SpecError, Text
from callboard.events.catalog import (
    ChoiceMade,
    GroupReset,
    MemberFailed,
    MessageSent,
    SendCancelling,
    SendFailed,
    ToolUse,
    TurnFailed,
    TurnFinished,
)
from callboard.projections import GroupState

from .rule_talks import Talk, talk

NAMES = ("Al", "Bo", "Cy")


def picked(name: str, reason: str = "why not") -> ToolUse:
    return ToolUse(name="choose_next_speaker", arguments=Text(json.dumps({"choice": name, "reason": reason})))


def choosing(**more: object) -> Talk:
    made = talk(Dynamic(max_turns=2), NAMES, manager="boss", **more)  # type: ignore[arg-type]
    made.ask("k")
    return made


def choice(made: Talk) -> ChoiceMade:
    found = made.last(ChoiceMade)
    assert isinstance(found, ChoiceMade)
    return found


# -- choices ------------------------------------------------------------------------------------------


def test_a_choice_by_tool_gives_the_word_and_is_recorded_with_its_reason() -> None:
    made = choosing()
    made.say("boss", "", picked("Bo", "knows tides"))
    assert made.talking == ["Bo"]
    assert choice(made) == ChoiceMade(
        id="k/g", turn=1, by="boss", tool="choose_next_speaker", options=NAMES,
        raw=Text('{"choice": "Bo", "reason": "knows tides"}'), choice="Bo", read="tool", reason=Text("knows tides"),
    )  # fmt: skip


def test_a_choice_by_tool_is_read_in_any_case_also_where_the_tool_refused_it() -> None:
    made = choosing()
    made.say("boss", "", picked(" bO "), stop="refused")
    assert (made.talking, choice(made).read, choice(made).choice) == (["Bo"], "tool", "Bo")


def test_prose_that_names_one_option_counts() -> None:
    made = choosing()
    made.say("boss", "I would hear cy next.")
    assert (made.talking, choice(made).read, choice(made).reason) == (["Cy"], "prose", "I would hear cy next.")


@pytest.mark.parametrize("text", ["also, we should go on", "Al-Bo is one", "ask _Al_", "", "Al or Bo", "nobody"])
def test_prose_that_names_none_as_a_whole_word_or_several_is_asked_again(text: str) -> None:
    made = choosing()
    made.say("boss", text)
    assert made.talking == ["boss"] and made.word("boss").cue.instead == 1
    assert made.heard("boss") == [
        "g: Your answer names no choice, or more than one. Call choose_next_speaker with one of: Al, Bo, Cy."
    ]


def test_the_second_answer_counts_and_no_third_is_asked_for() -> None:
    made = choosing()
    made.say("boss", "hm")
    made.say("boss", "Bo then")
    assert (made.talking, choice(made).read, choice(made).turn) == (["Bo"], "prose", 2)
    made = choosing()
    made.say("boss", "hm")
    made.say("boss", "hm")
    assert (made.talking, choice(made).read, choice(made).reason) == (["Al"], "fallback", "names none")


def test_a_tool_call_refused_twice_is_not_asked_for_again() -> None:
    made = choosing()
    made.say("boss", "", ToolUse(name="choose_next_speaker", arguments=Text("zoe")), stop="refused")
    assert (made.talking, choice(made).read, choice(made).choice) == (["Al"], "fallback", "Al")
    assert choice(made).raw == "zoe"


def test_a_chooser_that_fails_leaves_it_to_the_fallback_for_the_whole_request() -> None:
    made = choosing()
    made.fail("boss")
    assert (made.talking, choice(made).read, choice(made).reason) == (["Al"], "fallback", "failed: no key")
    made.say("Al", "A1")
    assert (made.talking, choice(made).by, choice(made).reason) == (["Bo"], "", "nobody is there to choose")


def test_the_last_speaker_is_no_option_unless_alone_and_the_fallback_is_who_spoke_least() -> None:
    made = choosing()
    made.say("boss", "Bo")
    made.say("Bo", "B1")
    assert made.word("boss").options == ("Al", "Cy") and made.word("boss").cue.fallback == "Al"
    alone = talk(Dynamic(max_turns=2), ("Al",), manager="boss")
    alone.ask("k")
    alone.say("boss", "Al")
    alone.say("Al", "A1")
    assert alone.word("boss").options == ("Al",)


def test_a_chooser_is_told_of_each_what_it_is_how_often_it_spoke_and_how_busy_it_is() -> None:
    made = talk(Dynamic(), ("Al", "Bo"), manager="boss", about={"Al": "a poet"})
    made.waiting = {"Bo": 2}
    made.ask("k")
    question = made.heard("boss")[1]
    assert "- Al: a poet (has not spoken, idle)" in question
    assert "- Bo (has not spoken, 2 requests wait for it)" in question


def test_who_was_chosen_and_left_meanwhile_is_not_asked() -> None:
    made = choosing()
    made.leave("Bo")
    made.say("boss", "", picked("Bo"))
    assert made.talking == ["boss"] and made.word("boss").options == ("Al", "Cy")


def test_a_voter_that_left_is_not_asked_again() -> None:
    made = talk(Consensus(("x", "y")), ("a", "b"))
    made.ask("k")
    made.leave("b")
    made.say("b", "who knows")
    assert choice(made).by == "b" and choice(made).choice == ""
    made.say("a", "x")
    assert isinstance(made.ended, TurnFinished) and made.ended.text == "x"


# -- until --------------------------------------------------------------------------------------------


def ended(made: Talk) -> tuple[str, str]:
    reply = made.ended
    assert isinstance(reply, TurnFinished)
    return reply.text, reply.stop_reason


def rounds(until: Condition | None) -> Talk:
    made = talk(RoundRobin(6), ("a", "b"), until=until.spec if until else None)
    made.ask("k")
    return made


def test_a_mention_ends_the_talk_and_is_taken_out_of_the_answer() -> None:
    made = rounds(TextMention("DONE!"))
    made.say("a", "first")
    made.say("b", "all is said. DONE!")
    assert ended(made) == ("all is said.", "mention: DONE!")


def test_a_mention_alone_gives_the_words_before_it() -> None:
    made = rounds(TextMention("DONE!"))
    made.say("a", "first")
    made.say("b", " DONE! ")
    assert ended(made) == ("first", "mention: DONE!")


def test_a_manager_ends_the_talk_instead_of_choosing() -> None:
    made = choosing(until=TextMention("DONE!").spec)
    made.say("boss", "Al")
    made.say("Al", "A1")
    made.say("boss", "DONE!")
    assert ended(made) == ("A1", "mention: DONE!") and not made.state.unread


def test_a_mention_counts_only_by_those_named_and_in_this_request() -> None:
    made = rounds(TextMention("DONE!", by=["b"]))
    made.say("a", "DONE!")
    assert made.talking == ["b"]
    made.say("b", "no, DONE!")
    assert ended(made)[1] == "mention: DONE!"
    made.ask("l")
    assert made.talking == ["a"]


def test_either_condition_or_both() -> None:
    made = rounds(TextMention("DONE!") | MaxTurns(2))
    made.say("a", "one")
    made.say("b", "two")
    assert ended(made) == ("two", "max_turns")
    made = rounds(TextMention("DONE!") & Spoke("a", "b"))
    made.say("a", "DONE!")
    assert made.talking == ["b"]
    made.say("b", "two")
    assert ended(made) == ("two", "mention: DONE! & spoke: a & spoke: b")


def test_turns_are_counted_when_they_end_and_choices_are_none() -> None:
    made = choosing(until=MaxTurns(1).spec)
    made.say("boss", "Al")
    assert made.talking == ["Al"]
    made.say("Al", "A1")
    assert ended(made) == ("A1", "max_turns")


def test_conditions_that_name_nothing_are_refused() -> None:
    for wrong in (lambda: TextMention(" "), Spoke, lambda: MaxTurns(0)):
        with pytest.raises(SpecError):
            wrong()


def test_what_others_still_do_is_waited_for_when_the_talk_is_over() -> None:
    made = talk(Parallel(), ("a", "b"), until=TextMention("DONE!").spec)
    made.ask("k")
    made.say("a", "DONE! a")
    assert made.talking == ["b"]
    made.say("b", "b")
    assert ended(made)[1] == "mention: DONE!"


@dataclass(frozen=True)
class Careless:
    """A pattern whose data raises."""

    def next(self, group: GroupState) -> Speak | Finish:
        """Return all."""
        return Speak(group.members)

    def data(self, group: GroupState) -> dict[str, object]:
        """Raise."""
        raise ZeroDivisionError("by nothing")


def test_a_pattern_whose_data_raises_fails_the_request_that_a_condition_ends() -> None:
    made = talk(Careless(), ("a",), until=MaxTurns(1).spec)
    made.ask("k")
    made.say("a", "A1")
    assert isinstance(made.ended, TurnFailed) and "Careless raised ZeroDivisionError" in made.ended.text


# -- failures -----------------------------------------------------------------------------------------


def remedies(made: Talk) -> list[tuple[str, str, str]]:
    return [(one.member, one.then, one.to) for one in made.events if isinstance(one, MemberFailed)]


def test_retry_asks_once_more_and_then_goes_on_without() -> None:
    made = talk(RoundRobin(), ("a", "b"), on_failure="retry")
    made.ask("k")
    made.fail("a")
    assert made.heard("a") == ["g: Your last turn failed (no key). Try once more."]
    made.fail("a", "still no key")
    assert made.heard("b") == ["user: go", "a: still no key"]
    assert remedies(made) == [("a", "retry", "a"), ("a", "skip", "")]


def test_an_answer_at_the_second_try_stands_for_the_turn_and_nobody_hears_of_the_failure() -> None:
    made = talk(RoundRobin(), ("a", "b"), on_failure="retry")
    made.ask("k")
    made.fail("a")
    made.say("a", "A1")
    assert made.heard("b") == ["user: go", "a: A1"]
    assert made.state.replies[0][1] is not None and made.state.replies[0][1].text == "A1"


def test_a_retry_of_a_task_of_its_own_hears_nothing_of_the_talk() -> None:
    made = talk(Pipeline(), ("a", "b", "c"), on_failure="retry")
    made.ask("k")
    made.say("a", "A1")
    made.fail("b")
    assert made.heard("b") == ["g: Your last turn failed (no key). Try once more."]


def test_a_retry_of_what_never_arrived_says_it_whole() -> None:
    made = talk(Pipeline(), ("a", "b"), on_failure="retry")
    made.ask("k")
    made.say("a", "A1")
    made.fail("b", "parked", accepted=False)
    assert made.heard("b") == ["a: A1", "g: Your last turn failed (parked). Try once more."]
    made = choosing(on_failure="retry")
    made.fail("boss", "parked", accepted=False)
    assert len(made.heard("boss")) == 3 and made.heard("boss")[1].startswith("g: Choose who speaks next.")


def test_a_manager_that_is_tried_again_leads_on() -> None:
    made = talk(Supervisor(), ("a", "b"), manager="boss", on_failure="retry")
    made.ask("k")
    made.fail("boss")
    assert made.talking == ["boss"]
    made.say("boss", "all is clear")
    assert ended(made) == ("all is clear", "end")


def test_reroute_asks_one_with_a_tag_in_common_with_the_task_of_the_other() -> None:
    made = talk(Pipeline(), ("a", "b", "c"), tags={"a": ["x"], "b": ["y"], "c": ["x"]}, on_failure="reroute")
    made.ask("k")
    made.fail("a")
    assert made.talking == ["c"] and made.heard("c") == ["user: go"]
    made.say("c", "C for a")
    assert made.heard("b") == ["c: C for a"] and remedies(made) == [("a", "reroute", "c")]


def test_reroute_waits_for_one_that_is_busy_and_without_a_like_goes_on() -> None:
    made = talk(Parallel(), ("a", "b"), tags={"a": ["x"], "b": ["x"]}, on_failure="reroute")
    made.ask("k")
    made.fail("a")
    assert made.talking == ["b"] and remedies(made) == []
    made.say("b", "B1")
    assert made.talking == ["b"] and remedies(made) == [("a", "reroute", "b")]
    made.fail("b")
    assert ended(made)[0] == "B1" and remedies(made)[-1] == ("b", "skip", "")


def test_a_failure_ends_the_request_once_the_others_are_called_off() -> None:
    made = talk(Parallel(), ("a", "b"), on_failure="fail")
    made.ask("k")
    events = made.fail("a")
    assert events == [SendCancelling(id="k/g/2/b")]
    made.fail("b", "cancelled")
    assert made.ended == TurnFailed(id="k/g", to="user", text=Text("a failed: no key"))
    assert made.state.desk.turn is None and not made.state.failed


def test_a_standby_gets_the_question_and_serves_until_the_request_ends() -> None:
    made = choosing(standby=("vice", "third"))
    question = made.heard("boss")
    made.fail("boss")
    assert made.heard("vice") == question and remedies(made) == [("boss", "standby", "vice")]
    made.fail("vice")
    assert made.heard("third") == question
    made.say("third", "Bo")
    made.say("Bo", "B1")
    assert made.talking == ["third"]
    made.say("third", "Al")
    made.say("Al", "A1")
    made.ask("l")
    assert made.talking == ["boss"]


def test_what_the_group_itself_sends_and_cannot_deliver_is_no_turn_of_a_member() -> None:
    made = talk(RoundRobin(), ("a", "b"))
    made.ask("k")
    made.add(SendFailed(id="callboard:g:1/g/1/a", text=Text("parked"), accepted=False))
    assert made.talking == ["a"] and not made.state.failed


def test_a_turn_that_never_arrived_still_makes_a_member_forget() -> None:
    made = talk(RoundRobin(), ("a", "b"))
    made.add(GroupReset())
    made.ask("k")
    assert made.word("a").cue.fresh
    made.fail("a", "parked", accepted=False)
    made.say("b", "B1")
    made.ask("l")
    sent = made.last(MessageSent)
    assert isinstance(sent, MessageSent) and sent.cue is not None and sent.cue.fresh
