"""What agents, blocks and groups refuse when they are made, and what the log gets of them."""

import pytest

from callboard import Agent, Block, Group, RoundRobin, Speak
from callboard.events import SpecError
from callboard.projections import GroupState

A = Agent("a")


@pytest.mark.parametrize(
    "name", ["", "-a", "_a", "a b", "a/b", "a.b", "é", "x" * 65, "user", "callboard", "system", None, 5]
)
def test_names_that_cannot_be_are_refused(name: str) -> None:
    for kind in (Agent, Block):
        with pytest.raises(SpecError, match="cannot be the name of"):
            kind(name)
    with pytest.raises(SpecError, match="cannot be the name of a group"):
        Group(name, [A])


def test_a_value_over_its_limit_says_both() -> None:
    with pytest.raises(SpecError, match="has 6 characters, its limit is 5"):
        Block("plan", "123456", limit=5)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(SpecError, match="at least 1 character"):
        Block("plan", limit=limit)


@pytest.mark.parametrize("text", ["a\0b", "\ud800", 5])
def test_texts_that_cannot_be_stored_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        Agent("a", text)
    with pytest.raises(SpecError):
        Block("plan", text)


def test_an_agent_has_each_tool_and_block_once() -> None:
    def look() -> str:
        return ""

    with pytest.raises(SpecError, match="tools of agent 'a': look stands there more than once"):
        Agent("a", tools=[look, look])
    with pytest.raises(SpecError, match="blocks of agent 'a': persona stands there more than once"):
        Agent("a", persona="x", blocks=[Block("persona")])


def test_a_string_is_no_set_of_tags() -> None:
    with pytest.raises(SpecError, match="a set of strings is wanted"):
        Agent("a", tags="worker")


def test_a_group_needs_members_of_its_own_kind() -> None:
    with pytest.raises(SpecError, match="has no members"):
        Group("g", [])
    with pytest.raises(SpecError, match="an Agent or a Group is wanted"):
        Group("g", ["a"])  # type: ignore[list-item]
    with pytest.raises(SpecError, match="those in group 'g': a stands there more than once"):
        Group("g", [A, A])
    with pytest.raises(SpecError, match="is inside itself"):
        Group("g", [Group("h", [Group("g", [A])])])


def test_a_pattern_is_a_value_with_next() -> None:
    with pytest.raises(SpecError, match="a value with next"):
        Group("g", [A], "round robin")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="at least 1 is wanted"):
        RoundRobin(0)
    assert RoundRobin().next(GroupState()) != Speak(("x",))


def test_who_reaches_a_writable_block_gets_the_memory_tools() -> None:
    def names(agent: Agent) -> list[str]:
        return [tool.name for tool in agent.spec().tools]

    four = ["memory_append", "memory_replace", "memory_insert", "memory_rewrite"]
    assert names(Agent("a")) == names(Agent("a", blocks=[Block("plan").read_only()])) == []
    assert names(Agent("a", blocks=[Block("plan"), Block("notes").read_only()])) == names(Agent("a", human="x")) == four


def test_owned_blocks_are_named_after_their_agent() -> None:
    spec = Agent("a", persona="x", blocks=[Block("plan"), Block("notes", owned=True)]).spec()
    assert [block.stream for block in spec.blocks] == ["block-a.persona", "block-plan", "block-a.notes"]


def test_specs_are_values() -> None:
    assert Agent("a", tags=["y", "x"], tools=[len]) == Agent("a", tags={"x", "y"}, tools=[len])
    assert hash(Block("plan")) == hash(Block("plan"))
