"""Which model calls had a text of a block in their prompt, and what they did: blame, the other way round."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

from callboard.events import EventStore
from callboard.events.catalog import BlockEdited, ModelCallStarted

from .blame import NotInBlock, Written
from .called import BlockRead, ModelCalled, ToolUsed
from .paths import call_of
from .presence import LINE, Presence
from .provenance import Origins, begun


@dataclass(frozen=True, slots=True)
class EditMade:
    """An edit that landed: the block's stream, and the version that it made."""

    tool: str
    stream: str
    version: int


@dataclass(frozen=True, slots=True)
class Influenced:
    """A model call that had the text in its prompt.

    Attributes:
        shown: The blocks with the text, as its prompt showed them.
        edits: The edits that it made.
        answers: The refused edits in its history, by their tool calls, whose answers showed the text.
    """

    call: ModelCalled
    shown: tuple[BlockRead, ...]
    edits: tuple[EditMade, ...]
    answers: tuple[str, ...] = ()

    @property
    def tools(self) -> list[ToolUsed]:
        """The tools that its reply wanted."""
        return self.call.tools


@dataclass(frozen=True, slots=True)
class Impact:
    """What a text of a block led to.

    Attributes:
        stream: The block's.
        written: The version whose text it is; of a line, the newest that wrote a part of it.
        line: The line that was looked for, 0 where it was a version.
        text: What was written.
        calls: Every model call that had at least one character of it in its prompt, blanks not counted, oldest first.
        followed: What the edits of these calls led to in turn, each version once; empty unless wanted.
    """

    stream: str
    written: Written
    line: int
    text: str
    calls: tuple[Influenced, ...]
    followed: tuple[Impact, ...] = ()


_Read = tuple[int, int, ModelCalled, BlockRead]
"""A block in a prompt: the version shown, the position of the call, the call, and how it was shown."""


async def impact_of(
    store: EventStore,
    stream: str,
    *,
    version: int | None = None,
    line: int | None = None,
    at: int | None = None,
    follow: bool = False,
) -> Impact:
    """Return what a text of the block at `stream` led to: that of a version, or of a line as it was at position `at`.

    Args:
        follow: Whether to say also what the edits led to that were made under its influence.

    Raises:
        NotInBlock: The block has no such version or line, or not just one of them is said.
    """
    match version, line:
        case int(), None if at is None:
            return await Impacts(store).of_version(stream, version, follow=follow)
        case None, int():
            return await Impacts(store).of_line(stream, line, at=at, follow=follow)
        case int(), None:
            raise NotInBlock("`at` is about the number of a line; a version is the same at every position")
        case _:
            raise NotInBlock("either a version is wanted or a line; say one of them")


class Impacts:
    """Looks up impacts in a log. What was read of a stream is kept, and not read again."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._origins = Origins(store)
        self._reads: dict[str, list[_Read]] = {}
        self._since: int | None = None
        self._blocks: dict[str, Presence] = {}
        self._made: dict[str, dict[str, int]] = {}

    async def of_version(self, stream: str, version: int, *, follow: bool = False) -> Impact:
        """Return what the text that `version` of the block at `stream` wrote led to.

        Raises:
            NotInBlock: No edit made that version.
        """
        impact = await self._of(stream, version)
        return impact if not follow else await self._followed(impact)

    async def of_line(self, stream: str, line: int, *, at: int | None = None, follow: bool = False) -> Impact:
        """Return what line `line` of the block, as it was at position `at`, led to, whoever wrote its parts.

        Raises:
            NotInBlock: There is no such line, or the block had not begun by then.
        """
        then = await begun(self._store, stream, at=at)
        runs = then.line(line)
        shown = then.lines()[line - 1]
        found = Presence(runs)
        async for event in self._store.read_stream(stream):
            found.take(event)
        first = min((version for version, _ in shown.parts), default=shown.version)
        calls = await self._calls(stream, found, LINE, then.one(first).position)
        impact = Impact(stream, then.one(shown.version), line, shown.text, calls)
        return impact if not follow else await self._followed(impact)

    async def _of(self, stream: str, version: int) -> Impact:
        presence = await self._presence(stream)
        written = presence.blame.one(version)
        calls = await self._calls(stream, presence, version, written.position)
        return Impact(stream, written, 0, presence.blame.wrote(version), calls)

    async def _followed(self, first: Impact) -> Impact:
        """Return `first` with what its edits led to, and the edits of those, each version once."""
        known, found, waiting = {(first.stream, first.written.version)}, list[Impact](), [first]
        while waiting:
            for edit in (edit for call in waiting.pop(0).calls for edit in call.edits):
                if (edit.stream, edit.version) not in known:
                    known.add((edit.stream, edit.version))
                    found.append(await self._of(edit.stream, edit.version))
                    waiting.append(found[-1])
        return replace(first, followed=tuple(found))

    async def _presence(self, stream: str) -> Presence:
        if stream not in self._blocks:
            found = self._blocks[stream] = Presence()
            async for event in self._store.read_stream(stream):
                found.take(event)
            self._made[stream] = {one.call: version for version, one in found.blame.written.items()}
        return self._blocks[stream]

    async def _calls(self, stream: str, presence: Presence, text: int, since: int) -> tuple[Influenced, ...]:
        """Return the calls that were shown `text`, as `Presence` calls it, which was not there before `since`."""
        reads = (await self._readers(since)).get(stream, [])
        found: dict[int, tuple[ModelCalled, list[BlockRead], list[str]]] = {}
        for start, end in presence.times(text):
            last = len(reads) if end is None else bisect_left(reads, end, key=_version)
            for _, position, call, read in reads[bisect_left(reads, start, key=_version) : last]:
                found.setdefault(position, (call, [], []))[1].append(read)
        for agent, edit in presence.answers(text):
            tool = call_of(edit)[0] if agent.startswith("agent-") else ""
            for call in (await self._origins.calls(agent)).shown(tool) if tool else ():
                found.setdefault(call.started.position, (call, [], []))[2].append(tool)
        return tuple([await self._influenced(*found[position]) for position in sorted(found)])

    async def _influenced(self, call: ModelCalled, shown: list[BlockRead], answers: list[str]) -> Influenced:
        edits = [await self._edit(tool, *edit) for tool in call.tools for edit in tool.edits]
        return Influenced(call, tuple(shown), tuple(edit for edit in edits if edit is not None), tuple(answers))

    async def _edit(self, tool: ToolUsed, block: str, id: str) -> EditMade | None:
        if block in self._blocks:
            version = self._made[block].get(id)
            return EditMade(tool.data.id, block, version) if version else None
        event = await self._store.find(block, f"re:{id}")
        return EditMade(tool.data.id, block, event.version) if event and isinstance(event.data, BlockEdited) else None

    async def _readers(self, since: int) -> dict[str, list[_Read]]:
        """Return who was shown which block, by its stream: of all agents that read a block after position `since`."""
        if self._since is not None and self._since <= since:
            return self._reads
        agents, self._since, self._reads = dict[str, None](), since, {}
        async for event in self._store.read_all(after=since):
            if isinstance(event.data, ModelCallStarted) and event.data.blocks:
                agents[event.stream] = None
        for agent in agents:
            for call in (await self._origins.calls(agent)).models.values():
                for read in call.blocks:
                    place = read.version, call.started.position, call, read
                    self._reads.setdefault(read.stream, []).append(place)
        for reads in self._reads.values():
            reads.sort(key=lambda read: read[:2])
        return self._reads


def _version(read: _Read) -> int:
    return read[0]
