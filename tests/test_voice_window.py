"""What the foreground of VoiceSleeptime still has before it, and what became of the rest, whatever happens. T26."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from callboard import VoiceSleeptime
from callboard.events import Event, Text
from callboard.events.catalog import (
    AgentStarted,
    GroupReset,
    JobFinished,
    JobScheduled,
    JobStarted,
    MessageReceived,
    MessageSent,
    ModelCallFinished,
    ModelCallRequested,
    Part,
    SendFailed,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from callboard.events.specs import AgentSpec
from callboard.projections import AgentState
from callboard.projections.agent import evolve
from callboard.projections.contexts import Context, contexts
from callboard.projections.prompt import Heard, Replied

from .rule_talks import Talk, talk

MOST, LEAST = 8, 5


@dataclass
class Pair:
    """A group and its foreground, each a fold of what the other says."""

    made: Talk = field(default_factory=lambda: talk(VoiceSleeptime(MOST, LEAST), ("night",), manager="day"))
    day: AgentState = field(default_factory=lambda: evolve(AgentState(), AgentStarted(spec=AgentSpec(name="day"))))
    asked: int = 0

    def ask(self, conversation: str, outcome: str) -> None:
        """Ask in a conversation; the foreground answers, fails, or is not reached."""
        id = f"k{self.asked}/g"
        self.asked += 1
        parts = (Part("user", Text(f"Q{self.asked}")),)
        self.made.add(MessageReceived(id=id, sender="user", parts=parts, conversation=conversation))
        sent = self.made.word("day").sent
        if outcome == "lost":
            self.made.fail("day", accepted=False)
            return
        self._hear(sent, f"A{self.asked}" if outcome == "answers" else "")
        if outcome == "answers":
            self.made.say("day", f"A{self.asked}")
        else:
            self.made.fail("day")

    def _hear(self, sent: MessageSent, text: str) -> None:
        cue = sent.cue
        received = MessageReceived(
            id=sent.id, sender="group-g", kind="turn", parts=sent.parts, conversation=sent.conversation,
            fresh=cue is not None and cue.fresh, since=cue.since if cue is not None else "",
        )  # fmt: skip
        call = f"{sent.id}/1"
        said: list[Event] = [ModelCallRequested(id=call), ModelCallFinished(id=call, text=Text(text))] if text else []
        end = TurnFinished(id=sent.id, text=Text(text)) if text else TurnFailed(id=sent.id, text=Text("no key"))
        self.day = reduce(evolve, [received, TurnStarted(id=sent.id), *said, end], self.day)

    def work(self, outcome: str) -> None:
        """Begin the background work that waits, or end the one that runs."""
        running = [job for job in self.made.state.jobs.values() if job.phase == "running"]
        if running:
            self.made.end_job("night", "boom" if outcome == "fails" else "")
        else:
            self.made.begin_jobs()

    def seen(self, conversation: str) -> list[str]:
        """Return the requests and answers that the foreground has before it."""
        found: list[str] = []
        for line in contexts(self.day).get(conversation, ()):
            if isinstance(line, Heard):
                found += [str(part.text) for part in line.parts if part.speaker == "user"]
            elif isinstance(line, Replied):
                found.append(str(line.text))
        return found


TALKS = st.sampled_from(["main", "main", "main", "x"])
STEPS = st.one_of(
    st.tuples(st.just("ask"), TALKS, st.sampled_from(["answers"] * 8 + ["fails", "lost"])),
    st.tuples(st.just("work"), st.sampled_from(["ends", "fails"]), st.just("")),
)


def test_the_foreground_sees_its_window_and_every_other_line_was_worked_on_or_waits_for_it(ci: bool) -> None:
    @settings(max_examples=300 if ci else 60)
    @given(st.lists(STEPS, min_size=20, max_size=60))
    def holds(steps: list[tuple[str, str, str]]) -> None:
        pair = Pair()
        for step, what, outcome in steps:
            if step == "work":
                pair.work(what)
                continue
            pair.ask(what, outcome)
            if outcome == "answers":
                assert pair.seen(what) == _since_the_cut(pair.made, what)[-len(pair.seen(what)) :]
                assert len(pair.seen(what)) <= MOST + 2 or _unanswered(pair.made)
        _worked_on_once(pair.made)
        assert pair.made.folded() == pair.made.state

    holds()


def _since_the_cut(made: Talk, conversation: str) -> list[str]:
    """Return what stays of a conversation; the words of the cut reach the foreground with its next turn."""
    lines = [said for said in made.state.transcript if said.conversation == conversation and not said.failed]
    return [str(said.text) for said in lines]


def _unanswered(made: Talk) -> bool:
    return any(isinstance(event, SendFailed) for event in made.events)


def _worked_on_once(made: Talk) -> None:
    """Check that finished work of each conversation is about what left it, in order, without a gap or a repetition."""
    ends, started, talks = dict[str, int](), dict[str, JobStarted](), dict[str, str]()
    for event in made.events:
        if isinstance(event, JobScheduled):
            talks[event.id] = event.conversation
        elif isinstance(event, JobStarted):
            started[event.id] = event
        elif isinstance(event, JobFinished):
            window, job = started[event.id], talks[event.id]
            assert window.since == ends.get(job, 0) < window.upto
            ends[job] = window.upto
    for conversation, end in ends.items():
        assert end <= made.state.cuts[conversation]


def test_with_no_failures_the_window_is_never_longer_and_keeps_all_from_a_request_on() -> None:
    pair = Pair()
    for n in range(40):
        pair.ask("main", "answers")
        seen = pair.seen("main")
        assert len(seen) <= MOST + 2 and seen[-2:] == [f"Q{n + 1}", f"A{n + 1}"]
        assert seen[0].startswith("Q") and seen == _since_the_cut(pair.made, "main")[-len(seen) :]


def test_after_a_reset_the_window_holds_what_was_said_since() -> None:
    pair = Pair()
    for _ in range(6):
        pair.ask("main", "answers")
    pair.made.add(GroupReset())
    for _ in range(6):
        pair.ask("main", "answers")
    assert pair.seen("main")[0] == f"Q{13 - len(pair.seen('main')) // 2}"


def test_what_another_told_the_foreground_in_the_same_conversation_stays() -> None:
    pair = Pair()
    alone = [
        MessageReceived(id="z/day", sender="user", parts=(Part("user", Text("alone")),)),
        TurnStarted(id="z/day"),
        TurnFinished(id="z/day", text=Text("ok")),
    ]
    pair.day = reduce(evolve, alone, pair.day)
    for _ in range(8):
        pair.ask("main", "answers")
    assert pair.seen("main")[0] == "alone" and len(pair.seen("main")) <= MOST + 3


def test_where_the_first_that_stays_is_gone_itself_nothing_is_dropped() -> None:
    line = Heard("k3/g/1/day", "turn", (Part("user", Text("Q3")),), "g")
    context = Context().plus(line, 2)
    assert context.since("g", "k2/g", "k4/g", 2) is context
    assert list(context.since("g", "k4/g", "k4/g", 2).lines) == []
    assert list(context.since("other", "k4/other", "k4/other", 2).lines) == [line]
