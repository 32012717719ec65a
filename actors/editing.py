"""How people change blocks: the same rules whether a system runs, or nobody has the log open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue
from pydantic_core import to_json

from callboard.events import EventStore, NewEvent, NoSuchBlock, RequestFailed, Text, TextRefused
from callboard.events.catalog import BlockRetired, Reply
from callboard.projections import BlockState, block_state, replay
from callboard.projections.request import block_at

from . import inbox, undoing
from .block import done, take
from .commands import Alter, Configure, Delivery, Receive
from .library import Library
from .outside import Outside
from .people import checked_name
from .ref import USER
from .storable import storable

if TYPE_CHECKING:
    from .system import System

OF_LIFE = ("rename", "retire")
"""What people do to a block besides editing its value."""


def checked_words(fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the arguments of an edit, if the log can hold them.

    Raises:
        TextRefused: A text holds NUL or half of a surrogate pair, or is too long, or an argument is no JSON.
    """
    for name, value in fields.items():
        if not _is_storable(value):
            raise TextRefused(f"{name} holds a NUL character or half of a surrogate pair, or is too long; mend it")
    try:
        to_json(dict(fields))
    except ValueError as error:
        raise TextRefused(f"the arguments are no JSON: {error}") from None
    return dict(fields)


def _is_storable(value: JsonValue) -> bool:
    """Return whether the log can hold every text in `value`."""
    match value:
        case str():
            return storable(value)[0] == value
        case dict():
            return all(_is_storable(key) and _is_storable(one) for key, one in value.items())
        case list():
            return all(map(_is_storable, value))
        case _:
            return True


async def edit(system: System, command: inbox.Edit) -> str:
    """Do what `command` says of a block; return what the block answers. Twice under one key is once.

    Raises:
        RequestFailed: It was refused; says why.
        SpecError: A new label cannot be.
        TextRefused: A text or a name cannot be recorded.
        NoSuchBlock: There is no such block.
        KeyReused: Something else was done under its key.
    """
    stream = f"block-{command.block}"
    said = await delivery_of(Library.of(system), command)
    if isinstance(said, Receive):
        return await system.request(stream, said)
    await system.deliver(stream, said)
    return ""


async def edit_alone(store: EventStore, command: inbox.Edit) -> str:
    """Do what `command` says in a log that nobody has open; else as `edit`.

    Raises:
        KeyReused: Something else was done under its key.
    """
    stream = f"block-{command.block}"
    said = await delivery_of(await Library.in_store(store), command)
    state: BlockState = await replay(store, block_state, stream=stream)
    if not await done(store, stream, said, state.spec.form if state.spec else "text"):
        events = [NewEvent(event) for event in take(state, said, Outside().now()) or ()]
        await store.append(stream, events, expected_version=state.events)
    return await outcome(store, command)


async def outcome(store: EventStore, command: inbox.Edit) -> str:
    """Return what a block answered to `command`; nothing where it was no edit.

    Raises:
        RequestFailed: It was refused; says why.
    """
    reply = await store.find(f"block-{command.block}", f"re:{command.key}/{command.block}")
    if reply is None or not isinstance(reply.data, Reply):
        return ""
    if not reply.data.ok:
        raise RequestFailed(reply.data.words)
    return reply.data.words


async def delivery_of(library: Library, command: inbox.Edit) -> Delivery:
    """Return `command` as what the block is told.

    Raises:
        SpecError, TextRefused, NoSuchBlock: As for `edit`.
    """
    stream, id = f"block-{command.block}", f"{command.key}/{command.block}"
    by = "" if command.by == USER else checked_name(command.by)
    if stream not in library.streams:
        raise NoSuchBlock(command.block, await library.labels())
    if command.verb == "retire":
        return Alter(id, USER, BlockRetired(id=id, by=by))
    if command.verb == "rename":
        label = await library.checked_label(stream, command.fields.get("label"))
        return Configure(id, USER, {"label": label}, by or USER, command.key)
    state: BlockState = await library.look(stream)
    assert state.spec is not None
    fields = checked_words(command.fields)
    if command.verb in undoing.VERBS:
        fields = await _restoring(library.store, stream, state, command.verb)
    arguments = Text(to_json({"label": state.spec.label, **fields}).decode())
    seen = command.seen or state.version
    return Receive(id, USER, "edit", edit=command.verb, arguments=arguments, seen=seen, by=by)


async def _restoring(store: EventStore, stream: str, state: BlockState, verb: str) -> dict[str, JsonValue]:
    version = undoing.about(state, verb)
    if not version:
        return {"of": 0}
    before, after = [(await block_at(store, stream, at)).value for at in (version - 1, version)]
    return undoing.wanted(state, verb, before, after)
