"""Who is there: agents and groups by name, tag and description, as their streams say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callboard.events import NoSuchActor, TextRefused
from callboard.projections import AgentState
from callboard.projections.words import name_of

from . import messaging
from .conversation_search import ConversationSearch, conversation

if TYPE_CHECKING:
    from .system import System


@dataclass(frozen=True, slots=True)
class Told:
    """What a model is told at once, without a message to anybody."""

    text: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who is there."""

    stream: str
    description: str
    tags: tuple[str, ...]


async def entries(system: System) -> list[Entry]:
    """Return all agents and groups that are not retired, by name."""
    found: list[Entry] = []
    for stream in sorted(system.streams(), key=name_of):
        if not stream.startswith(("agent-", "group-")) or stream in system.supervisor.stopped:
            continue
        state: Any = await system.look(stream)
        if state.spec is not None and not state.desk.retired:
            tags = state.spec.tags if isinstance(state, AgentState) else ()
            found.append(Entry(stream, state.spec.description, tags))
    return found


async def look_up(system: System, sender: str, asked: object) -> tuple[str, ...] | Told:
    """Return the streams that a message goes to; or what the model is told instead."""
    match asked:
        case messaging.Ask(other_agent=name) | messaging.Tell(other_agent=name):
            return _one(system, sender, name)
        case ConversationSearch():
            return await _searched(system, sender, asked)
        case messaging.Find(tags=tags, text=text):
            return Told(_listed(await matching(system, match_all=tags, text=text)))
        case messaging.Broadcast(match_all=every, match_some=some):
            found = await matching(system, match_all=every, match_some=some)
        case messaging.BroadcastAll(tags=every):
            found = await matching(system, match_all=every)
        case _:
            raise TypeError(f"{asked!r} is no message")
    streams = tuple(entry.stream for entry in found if entry.stream != sender)
    return streams or Told("nobody else has these tags; nothing was sent")


async def _searched(system: System, sender: str, asked: ConversationSearch) -> Told:
    turn = system.actor(sender).state.desk.turn
    try:
        return Told(await conversation(system.index, sender, asked, turn=turn.id if turn else ""))
    except TextRefused as error:
        return Told(str(error), ok=False)


def _one(system: System, sender: str, name: str) -> tuple[str, ...] | Told:
    try:
        stream = system[name].address
    except NoSuchActor as error:
        return Told(str(error), ok=False)
    return Told("that is yourself; think, and answer", ok=False) if stream == sender else (stream,)


async def matching(
    system: System, *, match_all: Sequence[str] = (), match_some: Sequence[str] = (), text: str = ""
) -> list[Entry]:
    """Return who has all of the tags `match_all`, one of `match_some`, and `text` in its name or description."""
    return [
        entry
        for entry in await entries(system)
        if set(match_all) <= set(entry.tags)
        and (not match_some or set(match_some) & set(entry.tags))
        and text.casefold() in f"{name_of(entry.stream)} {entry.description}".casefold()
    ]


def _listed(found: list[Entry]) -> str:
    lines = [
        f"- {name_of(one.stream)}: {one.description or 'no description'}"
        + (f" (tags: {', '.join(one.tags)})" if one.tags else "")
        for one in found
    ]
    return "\n".join(lines) or "nobody like that is there"


async def cycle(system: System, sender: str, recipient: str) -> list[str]:
    """Return the names along a circle that `sender` would close by waiting for `recipient`; empty if there is none.

    Who waits for whom is what the open turn of each has sent and not got an answer to. Only sends that went out count:
    of two that would close a circle together, the one that goes out later does.
    """
    paths, seen = [[recipient]], {recipient}
    while paths:
        path = paths.pop()
        if path[-1] == sender:
            return [name_of(stream) for stream in (sender, *path)]
        if path[-1] in system.supervisor.stopped:
            continue
        await system.look(path[-1])  # what it waits for is known once its log is read
        for stream in system.actor(path[-1]).waits_for():
            if stream not in seen:
                seen.add(stream)
                paths.append([*path, stream])
    return []
