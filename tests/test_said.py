"""What a person or a model wrote is a text of its event, wherever it stands there, and is erased with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from pydantic import JsonValue

from callboard import Agent, Archive, Consensus, Group, MemoryStore, Parallel, System
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import DamagedEvent, Event, NewEvent, SQLiteStore
from callboard.events.catalog import ChoiceMade, MessageReceived, Part, PassageInserted
from callboard.events.codec import Row, decode, encode
from callboard.events.text import ERASED, Text
from callboard.scripts.main import main

SECRET = "the code is 4711"
VOTE = calls(("vote", {"choice": "left", "reason": SECRET}))


def read(row: Row) -> Event:
    return decode(row, lambda ref: ERASED)


EVENTS = (
    MessageReceived(
        id="k1/a", sender="user", parts=(Part("user", Text("go")),), params={"tasks": {"a": SECRET}, "n": [1, None]}
    ),
    PassageInserted(
        id="k1/t", to="user", verb="archival_memory_insert", n=1, text=Text("x"), tags=(SECRET, "é\n"),
        metadata={"by": SECRET},
    ),
    ChoiceMade(id="k1/g", tool="vote", options=("a",), choice="a", read="tool", reason=Text(SECRET)),
)  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_was_written_stands_in_the_content_alone_and_reads_back(event: Event) -> None:
    row = encode("agent-a", 1, NewEvent(event), salt=bytes(16))
    assert SECRET not in row.data and SECRET in str(row.content)
    assert read(row) == event
    gone = read(row._replace(content=None, salt=None))
    assert SECRET not in str(gone) and ERASED in str(gone)


def older(row: Row, version: int, **fields: object) -> Row:
    return row._replace(schema_version=version, data=json.dumps({**json.loads(row.data), **fields}))


def test_older_logs_have_them_as_they_stood_in_the_data() -> None:
    message, passage, choice = (encode("agent-a", 1, NewEvent(event), salt=bytes(16)) for event in EVENTS)
    assert read(older(message, 1, params=EVENTS[0].params)) == EVENTS[0]
    assert read(older(passage, 1, tags=[SECRET, "é\n"], metadata={"by": SECRET})) == EVENTS[1]
    assert read(older(choice, 1, reason=SECRET)) == EVENTS[2]
    with pytest.raises(DamagedEvent):
        read(older(choice, 2, reason=SECRET))


def strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


async def lived(log: SQLiteStore | MemoryStore) -> None:
    """Say a secret in every place where a person or a model may write one."""
    crew = (Agent("a"), Agent("b", tools=["archival_memory_insert"]))
    insert = calls(("archival_memory_insert", {"content": SECRET, "tags": [SECRET]}))
    model = ScriptedModel({"a": [VOTE, "done"], "b": [VOTE, insert, "done"]})
    async with System.open(log, model=model) as system:
        jury = await system.start(Group("jury", crew, Consensus(("left", "right"))))
        answer = await jury.ask(SECRET, key="k1")
        assert answer.data["reasons"] == {"a": SECRET, "b": SECRET}
        field = await system.start(Group("field", crew, Parallel()))
        await field.ask("go", key="k2", params={"tasks": {"a": SECRET}})
        await system.start(Archive("team"))
        await system.archive("team").insert(SECRET, tags=[SECRET], metadata={"of": SECRET}, key="k3")


async def test_nothing_that_was_written_stands_in_the_data_of_a_log() -> None:
    store = MemoryStore()
    await lived(store)
    kept = {text for row in store.rows for text in strings(json.loads(row.data))}
    assert not [text for text in kept if SECRET in text]


async def test_a_log_is_free_of_what_was_erased_and_whole_and_goes_on(path: Path) -> None:
    async with SQLiteStore.open(path) as store:
        await lived(store)
        said = [row.position async for page in store.pages() for row in page if SECRET in str(row.content)]
        await store.redact(said, reason="asked for")
    assert SECRET.encode() not in b"".join(file.read_bytes() for file in path.parent.rglob("*") if file.is_file())
    model = ScriptedModel({"a": ["again"], "b": ["again"]})
    async with System.open(path, model=model) as system:
        answer = await system["field"].ask("go", key="k2", params={"tasks": {"a": SECRET}})
        assert "done" in answer.text and model.requests == []
        assert "again" in (await system["field"].ask("once more", key="k4")).text
        [passage, *_] = await system.archive("team").passages()
        assert (passage.tags, passage.metadata) == ((ERASED,), {ERASED: ERASED})
    assert await anyio.to_thread.run_sync(main, ["verify", str(path)]) == 0
