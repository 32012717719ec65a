"""The rules of a group and of round-robin, tested as data."""

from dataclasses import dataclass

from hypothesis import given as forall
from hypothesis import strategies as st

from callboard import Finish, RoundRobin, Speak
from callboard.actors.group import follow
from callboard.actors.patterns import Pattern
from callboard.events import Event, Text
from callboard.events.catalog import (
    GroupStarted,
    MessageReceived,
    MessageSent,
    Part,
    SendAnswered,
    SendFailed,
    TurnFailed,
    TurnFinished,
)
from callboard.events.specs import GroupSpec, MemberUse, PatternSpec
from callboard.projections import GroupState
from callboard.projections.group_folds import evolve


def group(*members: str) -> GroupState:
    spec = GroupSpec(
        name="g", members=tuple(MemberUse(stream=f"agent-{m}") for m in members), pattern=PatternSpec(code="m:C")
    )
    return evolve(GroupState(), GroupStarted(spec=spec))


def asked(state: GroupState, key: str, text: str) -> GroupState:
    part = Part(speaker="user", text=Text(text))
    return evolve(state, MessageReceived(id=f"{key}/g", sender="user", parts=(part,)))


def run(state: GroupState, pattern: Pattern) -> tuple[GroupState, list[Event]]:
    events: list[Event] = []
    while more := follow(pattern, state):
        for event in more:
            state = evolve(state, event)
        events += more
    return state, events


def heard(events: list[Event]) -> list[str]:
    sent = events[-1]
    assert isinstance(sent, MessageSent)
    return [f"{part.speaker}: {part.text}" for part in sent.parts]


def answered(state: GroupState, id: str, text: str) -> GroupState:
    return evolve(state, SendAnswered(id=id, text=Text(text)))


def test_members_hear_all_that_they_have_not_heard_and_never_their_own_words() -> None:
    state, events = run(asked(group("a", "b"), "k", "tides"), RoundRobin(3))
    assert heard(events) == ["user: tides"]
    state, events = run(answered(state, "k/g/1/a", "A1"), RoundRobin(3))
    assert heard(events) == ["user: tides", "a: A1"]
    state, events = run(answered(state, "k/g/2/b", "B1"), RoundRobin(3))
    assert heard(events) == ["b: B1"]
    state, events = run(answered(state, "k/g/3/a", "A2"), RoundRobin(3))
    assert events[-1] == TurnFinished(id="k/g", to="user", text=Text("A2"), stop_reason="max_turns")


def test_what_was_said_last_is_heard_at_the_next_request_which_starts_at_the_first_member() -> None:
    state, _ = run(asked(group("a", "b"), "k", "tides"), RoundRobin())
    state, _ = run(answered(state, "k/g/1/a", "A1"), RoundRobin())
    state, _ = run(answered(state, "k/g/2/b", "B1"), RoundRobin())
    state, events = run(asked(state, "l", "shorter"), RoundRobin())
    assert heard(events) == ["b: B1", "user: shorter"]
    assert isinstance(events[-1], MessageSent) and events[-1].recipient == "agent-a"


def test_a_member_that_fails_is_told_to_the_others_and_the_round_goes_on() -> None:
    state, _ = run(asked(group("a", "b"), "k", "tides"), RoundRobin())
    state = evolve(state, SendFailed(id="k/g/1/a", text=Text("no key")))
    state, events = run(state, RoundRobin())
    sent = events[-1]
    assert isinstance(sent, MessageSent) and sent.parts[-1] == Part(speaker="a", text=Text("no key"), failed=True)
    _, events = run(answered(state, "k/g/2/b", "B1"), RoundRobin())
    assert isinstance(events[-1], TurnFinished)


def test_a_request_that_nobody_could_answer_fails_and_says_why() -> None:
    state, _ = run(asked(group("a"), "k", "tides"), RoundRobin())
    _, events = run(evolve(state, SendFailed(id="k/g/1/a", text=Text("no key"))), RoundRobin())
    assert isinstance(events[-1], TurnFailed) and "a: no key" in events[-1].text


def test_what_never_arrived_is_heard_next_time() -> None:
    state, _ = run(asked(group("a", "b"), "k", "tides"), RoundRobin(3))
    state = evolve(state, SendFailed(id="k/g/1/a", text=Text("parked"), accepted=False))
    state, _ = run(state, RoundRobin(3))
    _, events = run(answered(state, "k/g/2/b", "B1"), RoundRobin(3))
    assert heard(events) == ["user: tides", "b: B1"]


def test_a_member_alone_is_told_to_go_on() -> None:
    state, _ = run(asked(group("a"), "k", "tides"), RoundRobin(2))
    _, events = run(answered(state, "k/g/1/a", "A1"), RoundRobin(2))
    assert heard(events) == ["g: Nobody else has spoken since. Go on."]


@dataclass(frozen=True)
class Broken:
    """A pattern that raises."""

    def next(self, group: GroupState) -> Speak | Finish:
        """Raise."""
        raise ZeroDivisionError("by nothing")


@dataclass(frozen=True)
class Stranger:
    """A pattern that gives the word to nobody's member."""

    def next(self, group: GroupState) -> Speak | Finish:
        """Return a stranger."""
        return Speak(("zoe",))


def test_a_pattern_that_raises_or_names_a_stranger_fails_the_request() -> None:
    _, events = run(asked(group("a"), "k", "go"), Broken())
    assert isinstance(events[-1], TurnFailed) and "Broken raised ZeroDivisionError: by nothing" in events[-1].text
    _, events = run(asked(group("a"), "k", "go"), Stranger())
    assert isinstance(events[-1], TurnFailed) and "gave the word to zoe; members are a" in events[-1].text


@forall(st.integers(1, 5), st.integers(1, 12), st.data())
def test_round_robin_ends_and_everyone_hears_everything_once(n: int, turns: int, data: st.DataObject) -> None:
    names = [f"m{i}" for i in range(n)]
    state, known = asked(group(*names), "k", "go"), {name: list[str]() for name in names}
    for turn in range(1, turns + 1):
        state, events = run(state, RoundRobin(turns))
        speaker = names[(turn - 1) % n]
        known[speaker] += [line for line in heard(events) if not line.startswith("g: ")]
        state = answered(state, f"k/g/{turn}/{speaker}", f"said {turn}")
    _, events = run(state, RoundRobin(turns))
    assert isinstance(events[-1], TurnFinished) and events[-1].text == f"said {turns}"
    for name in names:
        assert len(set(known[name])) == len(known[name])
        assert not any(line.startswith(f"{name}:") for line in known[name])
