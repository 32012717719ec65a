"""Where what a call stores or shares goes, and what that is, as the log has it at that moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callboard.events import CallboardError
from callboard.projections import AgentState, BlockState, GroupState
from callboard.projections.agent import ToolCall
from callboard.projections.words import name_of

from . import archives, directory, sharing, storing
from .archival import Search
from .archive_spec import Archive
from .directory import Told
from .memory import ArchiveLines, lines_of
from .messaging import Ask, Share
from .starting import start_archive
from .storable import storable

if TYPE_CHECKING:
    from .system import System


@dataclass(frozen=True, slots=True)
class Found:
    """The streams that the sends of a call go to, and the text that was looked up for them."""

    streams: tuple[str, ...]
    text: str = ""


async def of_talk(system: System, state: AgentState, asked: storing.Store) -> Found | Told:
    """Return where lines of the talk that the open turn tells are stored; nothing is, where a chunk is wrong."""
    assert state.desk.turn is not None
    if faults := storing.faults_in(state.desk.turn, asked):
        return Told(f"refused: {faults}", ok=False)
    return Found((await archive_for(system, state),) * len(asked.chunks))


async def of_block(system: System, state: AgentState, call: ToolCall, asked: ArchiveLines) -> Found | Told:
    """Return where lines of a block are stored, and the lines, as they stand in it now."""
    assert state.spec is not None
    block: BlockState = await system.look(call.wanted.recipient)
    why, place = _refused(block, call, f"agent-{state.spec.name}"), lines_of(block.value, asked)
    if why or isinstance(place, str):
        return Told(f"refused: {why or place}; nothing was stored", ok=False)
    text = block.value[slice(*place)]
    if not text.strip():
        return Told(f"refused: lines {asked.first} to {asked.last} are empty; nothing was stored", ok=False)
    streams = (await archive_for(system, state), call.wanted.recipient)
    return Found(streams, storing.arguments(text, list(asked.tags), {"block": name_of(call.wanted.recipient)}))


def _refused(block: BlockState, call: ToolCall, me: str) -> str:
    """Return why no line leaves the block; empty where that is not known before."""
    assert block.spec is not None
    if block.spec.read_only:
        return f"the memory block {block.spec.label!r} is read-only"
    if block.spec.form != "text":
        return f"the memory block {block.spec.label!r} holds data, not lines of text"
    others = " and ".join(name_of(stream) for stream in block.others_since(call.wanted.seen, me))
    return f"{others} changed the block since you read it; it reads:\n{block.value}" if others else ""


async def to_share(system: System, state: AgentState, asked: Share) -> Found | Told:
    """Search before anybody is told anything; return whom to tell what was found."""
    assert state.spec is not None
    to = await directory.look_up(system, f"agent-{state.spec.name}", Ask(message=asked.query, other_agent=asked.to))
    if isinstance(to, Told):
        return to
    archive = state.spec.archive
    try:
        wanted = Search.model_construct(query=asked.query, top_k=asked.limit)  # what is wrong with it, the search says
        found = await archives.searched(system, archive, wanted)
    except CallboardError as error:
        return Told(storable(f"the search failed: {error}; nothing was sent")[0], ok=False)
    if not found:
        return Told(sharing.NOTHING.format(query=asked.query))
    return Found(to, storable(sharing.bullets(state.spec.name, archive, asked.query, found))[0])


async def archive_for(system: System, state: AgentState) -> str:
    """Return the stream of the archive that an agent stores in; it begins where it is not there yet.

    That is the archive of the foreground that the agent works for in the background; else its own. Who has not named
    one has one of its own name.
    """
    turn, spec = state.desk.turn, state.spec
    assert turn is not None and spec is not None
    if turn.sender.startswith("group-"):
        group: GroupState = await system.look(turn.sender)
        if group.managers:
            foreground: AgentState = await system.look(group.streams[group.managers[0]])
            spec = foreground.spec or spec
    stream = spec.archive or f"archive-{spec.name}"
    if stream not in system.streams():  # a look would find it in the log before mail can reach it
        await start_archive(system, Archive(name_of(stream)))
    return stream
