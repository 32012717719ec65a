"""Calls of which the arguments were erased while they waited for others: they come to their end."""

from __future__ import annotations

import anyio
import pytest

from callboard import Agent, MemoryStore, ModelReply, ModelRequest, System
from callboard.actors import archival, block, storing
from callboard.actors.archival import DELETE, INSERT
from callboard.actors.commands import Receive
from callboard.actors.messaging import ASK, BROADCAST
from callboard.actors.testing import calls
from callboard.events import Event, Text
from callboard.events.catalog import (
    BlockEdited,
    MessageReceived,
    PassageDeleted,
    PassageInserted,
    ToolCallRequested,
)
from callboard.events.text import ERASED
from callboard.projections.agent_calls import ToolCall


class Asking:
    """The model of one who asks another, who answers when it may."""

    def __init__(self, tool: str) -> None:
        self.uses = {ASK: {"other_agent": "b"}, BROADCAST: {"match_all": ["worker"]}}[tool]
        self.tool, self.asked, self.may = tool, anyio.Event(), anyio.Event()

    async def complete(self, request: ModelRequest, say: object) -> ModelReply:
        """Reply."""
        if request.agent == "b":
            self.asked.set()
            await self.may.wait()
            return ModelReply("b answers")
        told = any(message["role"] == "tool" for message in request.messages)
        return ModelReply("done") if told else calls((self.tool, {"message": "the code is 4711", **self.uses}))


@pytest.mark.parametrize("tool", [ASK, BROADCAST])
async def test_who_asked_another_goes_on_though_its_question_was_erased(tool: str) -> None:
    answers, model, store = list[str](), Asking(tool), MemoryStore()

    async def ask() -> None:
        answers.append((await system["a"].ask("go")).text)

    with anyio.fail_after(10):
        async with System.open(store, model=model) as system:
            await system.start(Agent("a", tools=[tool]))
            await system.start(Agent("b", tags={"worker"}))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await model.asked.wait()
                said = [event.position async for event in store.read_all() if event.type == "ModelCallFinished"]
                await system.redact(said, reason="a secret")
                model.may.set()
    assert answers == ["done"] and "ActorRestarted" not in [event.type async for event in store.read_all()]


def stored(tool: str) -> ToolCall:
    """Return a call that stores, its arguments erased, one of whose two sends went out."""
    wanted = ToolCallRequested(id="k/a/1/1", tool=tool, arguments=Text(ERASED), effect="send")
    came = {1: (Text("stored as p1"), True)}
    return ToolCall(wanted, "c1", "sending", recipients=("archive-a", "archive-a"), sent=1, came=came)


@pytest.mark.parametrize("tool", ["store_memories", "archive_memory"])
def test_what_is_to_be_stored_is_let_be_once_it_is_erased(tool: str) -> None:
    call = stored(tool)
    assert storing.sends(MessageReceived(id="k/a", sender="user", parts=()), call, 16) == []
    text, ok = storing.result(call)
    assert "stored as p1" in text and not ok


EDITED = BlockEdited(id="k/b", to="agent-a", verb="memory_append", put=Text(ERASED), at=0, size=8, limit=9)


@pytest.mark.parametrize("put", [ERASED, "new"])
def test_an_edit_come_again_is_known_though_what_it_asked_for_is_erased(put: str) -> None:
    asked = Receive("k/b", "agent-a", "edit", edit="memory_append", arguments=Text(ERASED))
    edited = EDITED.model_copy(update={"put": Text(put)})
    assert block.is_of(edited, asked, "text")
    assert not block.is_of(edited.model_copy(update={"verb": "memory_rewrite"}), asked, "text")


@pytest.mark.parametrize(
    ("verb", "event"),
    [
        (INSERT, PassageInserted(id="k/t", to="agent-a", verb=INSERT, n=1, text=Text(ERASED))),
        (DELETE, PassageDeleted(id="k/t", to="agent-a", verb=DELETE, n=1)),
    ],
)
def test_a_change_of_an_archive_come_again_is_known_though_it_is_erased(verb: str, event: Event) -> None:
    asked = Receive("k/t", "agent-a", "edit", edit=verb, arguments=Text(ERASED))
    assert archival.is_of(event, asked)
    other = {INSERT: DELETE, DELETE: INSERT}[verb]
    assert not archival.is_of(event, Receive("k/t", "agent-a", "edit", edit=other, arguments=Text(ERASED)))
