"""Groups that live: they are changed, joined, left, reset and retired while they work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint

from callboard import (
    Agent,
    Block,
    Consensus,
    Debate,
    Dynamic,
    Group,
    GroupRef,
    Handoff,
    MaxTurns,
    Parallel,
    RequestFailed,
    RoundRobin,
    Sleeptime,
    Supervisor,
)
from callboard.actors.testing import calls
from callboard.events import NoSuchActor, SpecError
from callboard.events.catalog import MessageReceived

from .harness import open_in, states, unlike
from .homes import Echo, home

pytestmark = pytest.mark.anyio


# -- what there is, and changes -------------------------------------------------------------------------


async def test_groups_are_found_by_kind_tag_and_member_until_they_retire() -> None:
    async with home() as here:
        poet, boss = Agent("poet", tags={"verse"}), Agent("boss")
        await here.system.start(Group("one", [poet, Agent("b")]))
        two = await here.system.start(Group("two", [poet], Debate(), manager=boss))
        found = here.system.groups
        assert [one.name for one in await found()] == ["one", "two"]
        assert [one.name for one in await found(kind="debate")] == [one.name for one in await found(kind="Debate")]
        assert [one.name for one in await found(tag="verse")] == ["one", "two"] and not await found(tag="sums")
        assert [one.name for one in await found(member="b")] == ["one"]
        assert [one.name for one in await found(member="boss", kind="debate")] == ["two"]
        await two.retire()
        assert [one.name for one in await found(member="poet")] == ["one"]


async def test_each_field_can_be_changed_and_cleared_alone() -> None:
    async with home() as here:
        group = await here.group("a", "b", description="one", until="DONE!")
        await group.change(on_failure="retry")
        await group.change(pattern=RoundRobin(max_turns=3), until=MaxTurns(2))
        spec = (await group.state()).spec
        assert spec and (spec.description, spec.on_failure) == ("one", "retry")
        assert spec.until and spec.until.kind == "turns" and spec.pattern.fields == {"max_turns": 3}
        await group.change(description=None, until=None)
        spec = (await group.state()).spec
        assert spec and (spec.description, spec.until, spec.on_failure) == ("", None, "retry")
        assert len((await group.ask("go")).turns) == 3


async def test_a_change_of_nothing_or_of_the_kind_appends_nothing() -> None:
    async with home() as here:
        group = await here.group("a", "b")
        before = here.store.position
        await group.change()
        for wrong in ({"pattern": Parallel()}, {"on_failure": "cry"}, {"description": 7}, {"until": " "}):
            with pytest.raises(SpecError):
                await group.change(**wrong)  # type: ignore[arg-type]
        with pytest.raises(SpecError, match="cannot become"):
            await here.group("a", "b", pattern=Parallel())
        assert here.store.position == before


async def test_another_start_changes_what_differs_and_keeps_who_joined() -> None:
    async with home() as here:
        group = await here.group("a", "b")
        await group.add(Agent("late"))
        await here.group("a", "b", description="new")
        state = await group.state()
        assert state.members == ("a", "b", "late") and state.spec and state.spec.description == "new"
        await here.group("b", "a", description="new")
        assert (await group.state()).members == ("b", "a")


# -- retiring and forgetting ----------------------------------------------------------------------------


async def test_a_retired_group_finishes_what_it_does_and_tells_all_others() -> None:
    model = Echo(hold=anyio.Event())
    answers: dict[str, str] = {}
    async with home(model) as here:
        group = await here.group("a")

        async def ask(key: str) -> None:
            try:
                answers[key] = (await group.ask("go", key=key)).text
            except RequestFailed as failure:
                answers[key] = str(failure)

        async with anyio.create_task_group() as tasks:
            for key in ("k1", "k2"):
                tasks.start_soon(ask, key)
                while await here.store.find("group-g", f"{key}/g") is None:
                    await checkpoint()
            await group.retire()
            await ask("k3")
            assert model.hold is not None
            model.hold.set()
        assert answers["k1"] == "a spoke" and (await group.state()).phase == "terminated"
        assert all("is retired" in answers[key] for key in ("k2", "k3"))


async def test_a_retired_group_comes_back_with_all_that_it_knew() -> None:
    async with home() as here:
        group = await here.group("a")
        await group.ask("remember the tides")
        await group.retire()
        await here.group("a")
        await group.ask("go")
        assert "remember the tides" in here.model.prompts["a"][-1]


async def test_after_a_reset_neither_the_group_nor_its_members_remember_and_the_log_does() -> None:
    async with home() as here:
        group = await here.group("a", "b")
        await here.system["a"].ask("my own secret")
        await group.ask("the old tides")
        await group.reset()
        await group.ask("the new moon")
        for name in ("a", "b"):
            prompt = here.model.prompts[name][-1]
            assert "the new moon" in prompt and "old tides" not in prompt
        assert "my own secret" in here.model.prompts["a"][-1]
        said = [e.data.parts[0].text async for e in here.store.read_all() if isinstance(e.data, MessageReceived)]
        assert "the old tides" in said


async def test_a_reset_reaches_the_members_of_a_member_group() -> None:
    async with home() as here:
        inner = Group("inner", [Agent("d"), Agent("e")])
        group = await here.system.start(Group("g", [Agent("a"), inner]))
        await group.ask("the old tides")
        await group.reset()
        await group.ask("the new moon")
        for name in ("a", "d", "e"):
            assert "old tides" not in here.model.prompts[name][-1] and "the new moon" in here.model.prompts[name][-1]


async def test_a_reset_in_the_middle_of_a_request_leaves_that_request_whole() -> None:
    model = Echo(hold=anyio.Event())
    async with home(model) as here, anyio.create_task_group() as tasks:
        group = await here.group("a", "b")
        tasks.start_soon(group.ask, "the tides")
        while not model.requests:
            await checkpoint()
        await group.reset()
        assert model.hold is not None
        model.hold.set()
        await here.rest()
        assert "the tides" in model.prompts["b"][-1] and "a spoke" in model.prompts["b"][-1]


async def test_who_left_before_a_reset_and_comes_back_remembers_nothing() -> None:
    async with home() as here:
        group = await here.group("a", "b")
        await group.ask("the old tides")
        await group.remove("b")
        await group.reset()
        await group.ask("go")
        await group.add("b")
        await group.ask("on")
        assert "old tides" not in here.model.prompts["b"][-1]


# -- joining and leaving ------------------------------------------------------------------------------


async def run_with(at: int, change: Callable[[GroupRef], Awaitable[None]]) -> int:
    """Run two requests, with a change once the log has `at` events; check what is left, return its length."""
    async with home() as here:
        group = await here.group("a", "b", "c", pattern=RoundRobin(max_turns=4), blocks=[Block("plan", "none")])

        async def changing() -> None:
            while here.store.position < at:
                await checkpoint()
            await change(group)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(changing)
            for key in ("k1", "k2"):
                assert len((await group.ask("go", key=key)).turns) == 4
            await here.rest()
            tasks.cancel_scope.cancel()
        await here.rest()
        events = [event async for event in here.store.read_all()]
        assert not unlike(events)
        for stream, state in states(events).items():
            assert not open_in(state) and state == await here.system.look(stream), stream
        return len(events)


async def test_one_joins_at_every_event_of_a_run(ci: bool) -> None:
    """Else at every second."""
    whole = await run_with(10**9, lambda group: group.add(Agent("late")))
    for at in range(1, whole, 1 if ci else 2):
        assert await run_with(at, lambda group: group.add(Agent("late"))) > 0


async def test_one_leaves_at_every_event_of_a_run(ci: bool) -> None:
    """Else at every second."""
    whole = await run_with(10**9, lambda group: group.remove("b"))
    for at in range(2, whole, 1 if ci else 2):
        assert await run_with(at, lambda group: group.remove("b")) > 0


async def test_who_joins_hears_all_that_was_said_and_who_left_keeps_what_it_knows() -> None:
    async with home() as here:
        group = await here.group("a", "b")
        await group.ask("of tides")
        await group.add(Agent("late"))
        await group.remove("a")
        await group.ask("go on")
        assert "of tides" in here.model.prompts["late"][-1] and "a spoke" in here.model.prompts["late"][-1]
        await here.system["a"].ask("and you?")
        assert "of tides" in here.model.prompts["a"][-1]


async def test_what_cannot_be_is_refused_at_once_and_nothing_is_appended() -> None:
    async with home() as here:
        group = await here.group("a", "b", manager=Agent("boss"))
        outer = await here.system.start(Group("outer", [Group("mid", [Group("deep", [Agent("x")])])]))
        before = here.store.position
        await group.add("b")  # twice is once
        deep = here.system.group("deep")
        refused: list[tuple[Callable[[], Awaitable[object]], type[Exception]]] = [
            (lambda: group.add("zoe"), NoSuchActor),
            (lambda: group.add("boss"), SpecError),
            (lambda: group.add("g"), SpecError),
            (lambda: deep.add("outer"), SpecError),
            (lambda: deep.add(Group("new", [Group("deep", [Agent("y")])])), SpecError),
            (lambda: group.remove("zoe"), SpecError),
            (lambda: outer.remove("mid"), SpecError),
            (lambda: group.detach("plan"), SpecError),
            (lambda: group.attach(Block("own", owned=True)), SpecError),
        ]
        for call, kind in refused:
            with pytest.raises(kind):
                await call()
        assert (await group.state()).members == ("a", "b") and here.store.position == before


def test_a_group_that_cannot_be_is_refused_when_it_is_made() -> None:
    a, b = Agent("a"), Agent("b")
    wrong: list[Callable[[], object]] = [
        lambda: Group("g", []),
        lambda: Group("g", [a, a]),
        lambda: Group("g", [a, b], manager=a),
        lambda: Group("g", [a], standby=[b]),
        lambda: Group("g", [a], Dynamic()),
        lambda: Group("g", [a], Supervisor()),
        lambda: Group("g", [a], Sleeptime()),
        lambda: Group("g", [a], Debate()),
        lambda: Group("g", [a], Consensus(["x", "y"], tie="manager")),
        lambda: Group("g", [Group("g", [a])]),
        lambda: Group("g", [a], manager=Group("m", [b])),  # type: ignore[arg-type]
        lambda: Group("g", [a], blocks=[Block("x"), Block("x")]),
        lambda: Group("g", [a], blocks=[Block("x").written_by("zoe")]),
    ]
    for make in wrong:
        with pytest.raises(SpecError):
            make()


# -- what never reached a member ----------------------------------------------------------------------


async def test_a_member_that_was_retired_meanwhile_hears_what_it_missed_once_it_is_back() -> None:
    async with home() as here:
        group = await here.group("a", "b")
        await here.system["b"].retire()
        answer = await group.ask("the first tides")
        assert answer.failed == ("b",)
        await here.system.start(Agent("b"))
        await group.ask("go on")
        assert "user (g): the first tides" in here.model.prompts["b"][-1]


async def test_a_turn_that_was_cancelled_before_it_began_is_heard_next_time() -> None:
    async with home() as here:
        here.model.hold = anyio.Event()
        await here.group("a")
        other = await here.system.start(Group("other", [Agent("a"), Agent("b")]))
        await here.system["g"].tell("keep it busy")
        await anyio.wait_all_tasks_blocked()
        await other.tell("the lost tides", key="k")
        await anyio.wait_all_tasks_blocked()
        await other.cancel("k")
        here.model.hold.set()
        await here.rest()
        await other.ask("go on")
        assert "user (other): the lost tides" in here.model.prompts["a"][-1]


async def test_a_name_that_is_taken_is_not_given_to_a_member_that_a_group_makes() -> None:
    async with home() as here:
        group = await here.group("a")
        await here.system.start(Agent("w-1", "I am precious."))
        with pytest.raises(SpecError, match="w-1 is there already"):
            await group.scale(Agent("w", "You work."), between=(1, 2))


async def test_who_joins_may_not_have_a_block_of_its_own_under_a_shared_label() -> None:
    async with home() as here:
        group = await here.system.start(Group("g", [Agent("a")], blocks=[Block("persona", "all of us")]))
        before = here.store.position
        with pytest.raises(SpecError, match="'b' has its own block 'persona'"):
            await group.add(Agent("b", persona="me"))
        assert here.store.position == before


async def test_tools_of_a_turn_that_are_called_wrongly_twice_and_no_word_are_a_failure() -> None:
    wrong = calls(("hand_off", {"to": "zoe", "reason": "r", "message": "m"}))
    async with home(Echo({"a": wrong})) as here:
        group = await here.group("a", "b", pattern=Handoff())
        with pytest.raises(RequestFailed, match="wrongly twice"):
            await group.ask("go")
