"""A turn that ends its process each time is found, tried alone, and set aside, while everything else goes on."""

from collections import Counter

import anyio
import pytest

from callboard import Agent, MemoryStore, ModelReply, ModelRequest, RequestFailed, System
from callboard.actors.agent import SET_ASIDE
from callboard.events import NewEvent, Text
from callboard.events.catalog import AgentStarted, MessageDeadLettered, MessageReceived, Part, TurnResumed
from callboard.projections import fold, pending
from callboard.projections.desk import MAX_TAKES

AGENTS = [f"a{n}" for n in range(8)]
POISON = "a3"


class Deadly:
    """A model whose process dies when the poisoned agent is asked; until then, all others hang."""

    def __init__(self, asked: Counter[str], *, together: bool) -> None:
        self.asked, self.together = asked, together
        self.here = list[str]()
        self.died = anyio.CancelScope()

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        self.asked[request.agent] += 1
        self.here.append(request.agent)
        if self.together:
            while len(self.here) < len(AGENTS):
                await anyio.lowlevel.checkpoint()
        if request.agent == POISON:
            self.died.cancel()
            await anyio.sleep_forever()
        if self.together:
            await anyio.sleep_forever()
        return ModelReply("well")


async def life(store: MemoryStore, asked: Counter[str], *, together: bool = False) -> Deadly:
    model = Deadly(asked, together=together)
    with model.died:
        async with System.open(store, model=model) as system:
            for name in AGENTS:
                await (await system.start(Agent(name))).tell("Go.", key=f"k-{name}")
            await system.quiet()
    return model


async def test_only_the_poison_is_set_aside_and_the_innocent_finish() -> None:
    store, asked = MemoryStore(), Counter[str]()
    lives = [await life(store, asked, together=True)]
    assert sorted(lives[0].here) == AGENTS  # all were running at the first death
    while lives[-1].died.cancel_called:
        lives.append(await life(store, asked))
        assert len(lives) < 10
    events = [event async for event in store.read_all()]
    dead = [event for event in events if isinstance(event.data, MessageDeadLettered)]
    assert [event.stream for event in dead] == [f"agent-{POISON}"]
    assert sum(event.type == "TurnFinished" for event in events) == len(AGENTS) - 1
    assert asked[POISON] == MAX_TAKES and fold(pending, events).items == {}
    assert max(asked[name] for name in AGENTS if name != POISON) <= 3


async def test_suspects_are_taken_up_one_at_a_time() -> None:
    store, asked = MemoryStore(), Counter[str]()
    await life(store, asked, together=True)
    await life(store, asked, together=True)
    third = await life(store, asked)
    assert third.died.cancel_called and third.here[-1] == POISON
    events = [event async for event in store.read_all()]
    resumed = {e.stream for e in events if isinstance(e.data, TurnResumed) and e.data.attempt == 3}
    assert resumed == {f"agent-{name}" for name in third.here}


async def test_whoever_asked_is_told_that_it_was_set_aside() -> None:
    store, asked = MemoryStore(), Counter[str]()
    request = MessageReceived(id="k/a3", sender="user", parts=(Part("user", Text("Go.")),))
    await store.append(
        "agent-a3", [NewEvent(AgentStarted(spec=Agent("a3").spec())), NewEvent(request)], expected_version=0
    )
    for _ in range(MAX_TAKES):
        model = Deadly(asked, together=False)
        with model.died:
            async with System.open(store, model=model) as system:
                await system.quiet()
        assert model.died.cancel_called
    async with System.open(store, model=Deadly(asked, together=False)) as system:
        with pytest.raises(RequestFailed, match=SET_ASIDE):
            await system["a3"].ask("Go.", key="k")
