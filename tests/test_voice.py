"""What VoiceSleeptime does, as events in and events out. T24, T25, and of T26 the window."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard import Agent, Block, Group, Sleeptime, System, VoiceSleeptime
from callboard.actors.commands import TakeWindow
from callboard.actors.group import take
from callboard.actors.testing import ScriptedModel
from callboard.events import SpecError, TeamFileError
from callboard.events.catalog import (
    GroupReset,
    JobFailed,
    JobFinished,
    JobScheduled,
    JobStarted,
    MessageReceived,
    MessageSent,
    Part,
    TurnCancelling,
    TurnFinished,
)
from callboard.events.text import Text
from callboard.projections.cuts import MOST
from callboard.projections.words import tools_in
from callboard.scripts.verify import checked

from .rule_talks import Talk, talk
from .team_files import team

# -- how long the window may be ---------------------------------------------------------------------


@pytest.mark.parametrize(("most", "least"), [(10, 5), (6, 5), (None, None), (1000, 999)])
def test_both_lengths_or_none(most: int | None, least: int | None) -> None:
    assert VoiceSleeptime(most, least).window == (most or 30, least or 15)


@pytest.mark.parametrize(
    ("most", "least"),
    [
        (10, None),
        (None, 5),
        (5, 5),
        (6, 7),
        (4, 5),
        (5, 4),
        (1, 10),
        (10, 1),
        (10, 0),
        (-10, -20),
        (10.0, 5),
        (True, 5),
    ],
)
def test_lengths_that_cannot_be(most: int, least: int) -> None:
    with pytest.raises(SpecError, match=r"wanted|greater|both"):
        VoiceSleeptime(most, least)


def test_exactly_one_agent_works_in_the_background_for_a_manager() -> None:
    night, day = Agent("night"), Agent("day")
    assert Group("g", [night], VoiceSleeptime(), manager=day)
    for members in ([night, Agent("late")], [Group("inner", [night])]):
        with pytest.raises(SpecError, match="wants exactly 1, an agent"):
            Group("g", members, VoiceSleeptime(), manager=day)
    with pytest.raises(SpecError, match="needs one"):
        Group("g", [night], VoiceSleeptime())


PAIR = "[agents.night]\n[agents.day]\n[groups.g]\nmembers = ['night']\nmanager = 'day'\n"


@pytest.mark.parametrize("keys", ["max_message_buffer_length = 10", "min_message_buffer_length = 5"])
def test_a_team_file_with_one_of_the_lengths_is_refused(tmp_path: Path, keys: str) -> None:
    with pytest.raises(TeamFileError, match="give both, or none"):
        team(tmp_path, f"{PAIR}pattern = {{ kind = 'voice_sleeptime', {keys} }}\n")


# -- where it is cut --------------------------------------------------------------------------------


def spoken(*answers: str, most: int = 6, least: int = 5, conversation: str = "main", made: Talk | None = None) -> Talk:
    """Return a talk with a request for each answer; an empty answer fails."""
    made = made or talk(VoiceSleeptime(most, least), ("night",), manager="day")
    for text in answers:
        n = sum(isinstance(event, MessageReceived) for event in made.events)
        asked = (Part("user", Text(f"Q{n}")),)
        made.add(MessageReceived(id=f"k{n}/g", sender="user", parts=asked, conversation=conversation))
        made.say("day", text) if text else made.fail("day")
    return made


def works(made: Talk) -> list[JobScheduled]:
    return [one for one in made.events if isinstance(one, JobScheduled)]


def windows(made: Talk) -> list[tuple[int, int]]:
    return [(one.since, one.upto) for one in made.events if isinstance(one, JobStarted)]


def told(made: Talk) -> list[list[str]]:
    """Return the lines that the member was told, by work."""
    sent = [one for one in made.events if isinstance(one, MessageSent) and one.recipient == "agent-night"]
    return [[f"{part.speaker}: {part.text}" for part in one.parts[:-1]] for one in sent]


def words(made: Talk) -> list[tuple[str, str]]:
    """Return what the foreground was told to forget, by the id of its turn."""
    sent = [one for one in made.events if isinstance(one, MessageSent) and one.recipient == "agent-day"]
    return [(one.id, one.cue.since) for one in sent if one.cue is not None and one.cue.since]


def test_up_to_its_length_nothing_leaves_and_beyond_it_is_cut_at_a_request() -> None:
    made = spoken("A0", "A1", "A2")
    assert not works(made)
    made = spoken("A3", made=made)
    assert [(one.cut, one.conversation) for one in works(made)] == [(4, "main")]
    assert made.state.transcript[4].text == "Q2" and made.state.cuts == {"main": 4}


def test_the_answer_does_not_wait_for_the_work() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    assert [type(event) for event in made.events[-2:]] == [JobScheduled, TurnFinished]


def test_the_foreground_forgets_with_its_next_word_and_once() -> None:
    made = spoken("A0", "A1", "A2", "A3", "A4")
    assert words(made) == [("k4/g/1/day", "k2/g")] and made.state.trims == {}


def test_the_member_gets_what_left_and_what_stays_as_one_numbered_talk() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    made.begin_jobs()
    left = ["[1] user: Q0", "[2] day: A0", "[3] user: Q1", "[4] day: A1"]
    stays = ["[5, newer] user: Q2", "[6, newer] day: A2", "[7, newer] user: Q3", "[8, newer] day: A3"]
    assert told(made) == [[*left, *stays]] and windows(made) == [(0, 4)]


def test_the_member_begins_with_no_history_and_has_its_three_tools() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    [sent] = [one for one in made.begin_jobs() if isinstance(one, MessageSent)] or [made.last(MessageSent)]
    assert isinstance(sent, MessageSent) and sent.cue is not None and (sent.cue.fresh, sent.cue.apart) == (True, True)
    names = ["store_memories", "rethink_user_memory", "finish_rethinking_memory"]
    assert [tool.name for tool in tools_in(sent.cue.tools)] == names


def test_what_leaves_next_begins_where_finished_work_ended() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    made.begin_jobs()
    made.end_job("night")
    assert isinstance(made.events[-1], JobFinished) and made.state.marks == {"/main": 4}
    spoken("A4", "A5", made=made)
    made.begin_jobs()
    assert windows(made) == [(0, 4), (4, 8)] and told(made)[1][:2] == ["[1] user: Q2", "[2] day: A2"]


def test_lines_whose_work_failed_come_again() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    made.begin_jobs()
    made.end_job("night", "no key")
    assert isinstance(made.events[-1], JobFailed) and made.state.marks == {}
    spoken("A4", "A5", made=made)
    made.begin_jobs()
    assert windows(made) == [(0, 4), (0, 8)] and told(made)[1][0] == "[1] user: Q0"


def test_while_work_runs_the_window_is_cut_all_the_same_and_each_cut_is_worked_on_once() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    made.begin_jobs()
    spoken("A4", "A5", "A6", "A7", made=made)
    assert [one.cut for one in works(made)] == [4, 8, 12]
    for _ in works(made):
        made.end_job("night")
        made.begin_jobs()
    assert windows(made) == [(0, 4), (4, 8), (8, 12)]


def test_a_window_that_was_looked_at_too_early_counts_for_nothing() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    [job] = made.state.jobs.values()
    events = take(made.state, TakeWindow(job.id, 7, 7, ())) or []
    assert [(one.since, one.upto) for one in events if isinstance(one, JobStarted)] == [(0, 4)]


def test_it_waits_for_a_request_that_was_answered_and_failed_lines_leave_with_the_rest() -> None:
    made = spoken("A0", "A1", "", "", "", "A5")
    assert [one.cut for one in works(made)] == [10]
    made.begin_jobs()
    assert "[6] day: no key" in told(made)[0][5]


def test_a_request_of_several_parts_is_not_cut_in_its_midst() -> None:
    made = talk(VoiceSleeptime(6, 5), ("night",), manager="day")
    for n in range(3):
        parts = (Part("a", Text(f"first {n}")), Part("b", Text(f"second {n}")))
        made.add(MessageReceived(id=f"k{n}/g", sender="group-outer", kind="turn", parts=parts))
        made.say("day", f"A{n}")
    assert [one.cut for one in works(made)] == [6]


def test_where_work_failed_often_its_lines_come_in_pieces() -> None:
    made = spoken(*(f"A{n}" for n in range(4)))
    while len(works(made)) * 4 <= MOST:
        made.begin_jobs()
        if any(job.phase == "running" for job in made.state.jobs.values()):
            made.end_job("night", "no key")
        spoken("A", "A", made=made)
    made.begin_jobs()
    assert windows(made)[-1] == (0, MOST) and len([line for line in told(made)[-1] if "newer" not in line]) == MOST
    made.end_job("night")
    assert made.state.marks == {"/main": MOST}


def test_conversations_are_cut_apart() -> None:
    made = spoken("A0", "A1", "A2")
    spoken("B0", "B1", "B2", "B3", conversation="x", made=made)
    assert [(one.cut, one.conversation) for one in works(made)] == [(10, "x")]
    made.begin_jobs()
    assert told(made)[0][0] == "[1] user: Q3" and len(told(made)[0]) == 8
    made.end_job("night")
    spoken("A3", made=made)
    assert works(made)[1].conversation == "main" and made.state.cuts == {"x": 10, "main": 4}
    made.begin_jobs()
    assert told(made)[1][0] == "[1] user: Q0" and windows(made)[1] == (0, 4)
    spoken("A4", made=made)
    assert words(made) == [("k8/g/1/day", "k2/g")]


def test_a_reset_begins_the_window_anew_and_what_had_left_is_worked_on() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    made.add(GroupReset())
    spoken("A4", made=made)
    assert words(made) == [] and made.state.trims == {}
    made.begin_jobs()
    assert len(told(made)[0]) == 8 and windows(made) == [(0, 4)]
    made.end_job("night")
    spoken("A5", "A6", "A7", made=made)
    made.begin_jobs()
    assert told(made)[1][0] == "[1] user: Q4"


def test_a_word_that_did_not_arrive_is_given_again_with_what_to_forget() -> None:
    made = spoken("A0", "A1", "A2", "A3")
    made.ask("k4")
    made.fail("day", "is parked", accepted=False)
    assert made.state.trims == {"day": "k2/g"}
    spoken("A5", made=made)
    assert words(made)[-1][1] == "k2/g"


def test_one_who_stands_by_is_told_the_window_and_not_what_left_it() -> None:
    made = talk(VoiceSleeptime(6, 5), ("night",), manager="day", standby=("spare",))
    made.ask("k0", "old")
    made.fail("day")
    made.say("spare", "S0")
    for n in range(1, 5):
        made.ask(f"k{n}", f"Q{n}")
        made.say("day", f"A{n}")
    made.ask("k5", "Q5")
    made.fail("day")
    heard = made.heard("spare")
    assert "user: old" not in heard and heard[0] == f"user: {made.state.transcript[made.state.cuts['main']].text}"
    assert made.word("spare").cue.since == "k5/g"


def test_one_who_stands_by_and_never_spoke_is_told_the_window_alone() -> None:
    made = talk(VoiceSleeptime(6, 5), ("night",), manager="day", standby=("spare",))
    spoken("A0", "A1", "A2", "A3", made=made)
    made.ask("k4", "Q4")
    made.fail("day")
    assert made.heard("spare") == ["user: Q2", "day: A2", "user: Q3", "day: A3", "user: Q4"]


def test_without_a_member_nothing_leaves() -> None:
    made = talk(VoiceSleeptime(6, 5), ("night",), manager="day")
    made.leave("night")
    assert not works(spoken("A0", "A1", "A2", "A3", "A4", made=made))


def test_a_cancelled_request_leaves_no_work() -> None:
    made = spoken("A0", "A1", "A2")
    made.ask("k3")
    made.add(TurnCancelling(id="k3/g"))
    made.say("day", "A3")
    assert not works(made)


def test_the_state_folds_alike_from_the_log() -> None:
    made = spoken("A0", "A1", "A2", "A3", "A4")
    assert made.folded() == made.state


def test_the_group_shares_its_blocks_for_the_member_to_write() -> None:
    pair = Group("g", [Agent("night")], VoiceSleeptime(), manager=Agent("day"), blocks=[Block("human")])
    [share] = pair.spec().blocks
    assert share.by_members


async def test_a_log_whose_group_was_reset_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    model = ScriptedModel({"day": ["A"] * 4, "night": ["B"] * 2})
    async with System.open(log, model=model) as system:
        group = await system.start(Group("g", [Agent("night")], Sleeptime(every=2), manager=Agent("day")))
        for n in range(4):
            await group.ask(f"Q{n}")
            await system.quiet()
            if n == 0:
                await group.reset()
    assert not checked(str(log)).findings.kept
