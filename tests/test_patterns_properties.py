"""What holds for every pattern, whatever members answer, in whatever order, and whoever joins or leaves."""

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, settings
from hypothesis import given as forall
from hypothesis import strategies as st

from callboard import (
    Consensus,
    Debate,
    Dynamic,
    Handoff,
    Parallel,
    Pipeline,
    RoundRobin,
    Route,
    Sleeptime,
    Supervisor,
    VoiceSleeptime,
)
from callboard.actors.patterns import Pattern
from callboard.events import Text
from callboard.events.catalog import GroupReset, SendAnswered, SendFailed, ToolUse, TurnFinished
from callboard.events.specs import BlockShare, ToolSpec, Until
from callboard.projections.words import Word, tools_in

from .rule_talks import Talk, talk

PATTERNS: dict[str, list[Pattern]] = {
    "round robin": [RoundRobin(), RoundRobin(max_turns=5)],
    "dynamic": [Dynamic(), Dynamic(max_turns=5)],
    "supervisor": [Supervisor(max_rounds=3), Supervisor(max_rounds=3, results="as_they_come")],
    "sleeptime": [Sleeptime(every=2), Sleeptime(every=1)],
    "voice sleeptime": [VoiceSleeptime(6, 5)],
    "pipeline": [Pipeline(), Pipeline({"m0": "draft"})],
    "parallel": [Parallel(), Parallel(max_concurrency=1)],
    "handoff": [Handoff(), Handoff("m1", max_handoffs=2)],
    "consensus": [Consensus(("x", "y"), max_rounds=2, tie=tie) for tie in ("manager", "first", "none")],
    "debate": [Debate(), Debate(rounds=0), Debate(rounds=2)],
    "route": [Route(), Route("description", default="m1")],
}
TURNS_FOR_ALL = (RoundRobin, Parallel, Pipeline, Consensus, Debate)
BY_PATTERN = ("end", "max_turns", "quorum", "first", "manager", "no_quorum")
"""Why a talk ends where no condition of the group ends it."""
MOST_ACTIONS = 250
PHASES = tuple(Phase)
UNTIL = [
    None,
    Until(kind="mention", text="DONE!"),
    Until(kind="spoke", by=("m0",)),
    Until(kind="turns", turns=3),
    Until(kind="all", parts=(Until(kind="mention", text="DONE!", by=("m1",)), Until(kind="turns", turns=2))),
]
SHARED = BlockShare(label="plan", stream="block-plan")


@dataclass
class Chance:
    """What is drawn: answers, failures, and what happens to the group meanwhile."""

    data: st.DataObject
    talk: Talk
    said: int = 0
    changes: int = 4
    gone: set[str] = field(default_factory=set[str])

    def one(self, *things: object) -> object:
        return self.data.draw(st.sampled_from(things))

    def act(self) -> None:
        """Let one thing happen."""
        if self.changes and self.data.draw(st.integers(0, 7)) == 0:
            self.changes -= 1
            self._change()
        elif self.talk.state.open:
            self._end(self.data.draw(st.sampled_from(list(self.talk.state.open.values()))))

    def _change(self) -> None:
        members, spec = self.talk.state.members, self.talk.state.spec
        assert spec is not None
        match self.one("join", "back", "leave", "reset", "until", "failure"):
            case "join":
                self.talk.join(f"j{self.changes}", "x")
            case "back":
                self.talk.join(str(self.one("m0", "m1", "m2")), "y")
            case "leave" if members:
                name = str(self.one(*members))
                self.gone.add(name)
                self.talk.leave(name)
            case "reset":
                self.talk.add(GroupReset())
            case "until":
                self.talk.alter(until=self.one(*UNTIL[1:]))
            case _:
                self.talk.alter(on_failure=self.one("skip", "retry", "reroute", "fail"))

    def _end(self, word: Word) -> None:
        self.said += 1
        if self.data.draw(st.integers(0, 4)) == 0:
            accepted = bool(self.one(True, False))
            self.talk.add(SendFailed(id=word.sent.id, text=Text(f"boom {self.said}"), accepted=accepted))
            return
        text, uses, stop = self._answer(word)
        self.talk.add(SendAnswered(id=word.sent.id, text=Text(text), uses=uses, stop_reason=stop))

    def _answer(self, word: Word) -> tuple[str, tuple[ToolUse, ...], str]:
        tools = tools_in(word.cue.tools)
        plain = str(self.one(f"said {self.said}", f"said {self.said} DONE!", f"m0 {self.said}", f"x y {self.said}", ""))
        if not tools or self.one("use", "use", "say") == "say":
            return plain, (), "end"
        if self.one(*range(5)) == 0:
            raw = str(self.one("no json", "{}", '{"to": 3}', '{"worker": "zoe", "task": "t"}', '{"choice": "zoe"}'))
            return plain, (ToolUse(name=tools[0].name, arguments=Text(raw)),), "refused"
        return plain, tuple(self._use(tools) for _ in range(self.data.draw(st.integers(1, 3)))), "end"

    def _use(self, tools: tuple[ToolSpec, ...]) -> ToolUse:
        tool = self.data.draw(st.sampled_from(tools))
        properties = tool.parameters["properties"]
        assert isinstance(properties, dict)
        given: dict[str, str] = {}
        for name, about in properties.items():
            options = about.get("enum") if isinstance(about, dict) else None
            given[name] = str(self.one(*options)) if isinstance(options, list) else f"{name} {self.said}"
        return ToolUse(name=tool.name, arguments=Text(json.dumps(given)))


def begun(data: st.DataObject, name: str) -> Chance:
    def one(*things: object) -> object:
        return data.draw(st.sampled_from(things))

    pattern = data.draw(st.sampled_from(PATTERNS[name]))
    managed = bool(getattr(pattern, "needs_manager", False)) or bool(one(True, False))
    members = [f"m{n}" for n in range(data.draw(st.integers(1, 3)))]
    made = talk(
        pattern,
        members,
        manager="boss" if managed else "",
        standby=("vice",) if managed and one(True, False) else (),
        tags={"m0": ["x"], "m1": ["x", "go"], "m2": ["y"]},
        until=one(*UNTIL),  # type: ignore[arg-type]
        on_failure=one("skip", "retry", "reroute", "fail"),  # type: ignore[arg-type]
        blocks=(SHARED,) if one(True, False) else (),
    )
    return Chance(data, made)


def answered(chance: Chance, key: str) -> None:
    """Ask, and let things happen until there is an answer."""
    made = chance.talk
    made.ask(key)
    for _ in range(MOST_ACTIONS):
        if made.state.desk.turn is None:
            break
        assert made.state.open, f"nobody has the word, and nothing ends: {made.events[-3:]}"
        chance.act()
    assert made.state.desk.turn is None, "there is no end to it"
    while made.begin_jobs() or made.state.jobs:
        for job in list(made.state.jobs.values()):
            made.end_job(job.member, str(chance.one("", "boom")))


@pytest.mark.parametrize("name", PATTERNS)
def test_every_request_ends_whatever_happens_and_all_hear_all_in_order(name: str, ci: bool) -> None:
    @settings(max_examples=100 if ci else 60, phases=PHASES)
    @forall(st.data())
    def ends(data: st.DataObject) -> None:
        chance = begun(data, name)
        for key in ("k", "l"):
            answered(chance, key)
        assert chance.talk.folded() == chance.talk.state

    ends()


@pytest.mark.parametrize("name", [n for n, some in PATTERNS.items() if isinstance(some[0], TURNS_FOR_ALL)])
def test_who_stays_a_member_has_its_turn(name: str, ci: bool) -> None:
    @settings(max_examples=120 if ci else 40, phases=PHASES)
    @forall(st.data())
    def has(data: st.DataObject) -> None:
        chance = begun(data, name)
        made = chance.talk
        if getattr(made.pattern, "max_turns", None):
            return
        made.alter(cleared=("until",))
        there = set(made.state.members)
        chance.changes = 2
        answered(chance, "k")
        ended = made.ended
        if isinstance(ended, TurnFinished) and ended.stop_reason in BY_PATTERN:
            had = {word for event in made.events for word in _given(event)}
            assert there - chance.gone <= had

    has()


def _given(event: object) -> list[str]:
    recipient = getattr(event, "recipient", "") if getattr(event, "kind", "") == "turn" else ""
    return [recipient.split("-", 1)[1]] if recipient else []
