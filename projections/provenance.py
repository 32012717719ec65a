"""Where a version of a block comes from: the tool call, the model call with what it had read, up to the request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callboard.events import EventStore, RecordedEvent
from callboard.events.catalog import MessageReceived

from .blame import Blame, BlamedLine, NotInBlock, Written, blame
from .called import AgentCalls, ModelCalled, ToolUsed
from .paths import call_of
from .projection import replay
from .words import name_of


@dataclass(frozen=True, slots=True)
class TurnAsked:
    """A turn, and what led to its message: a tool call and its model call where an agent's tool sent it.

    Attributes:
        message: The event with which it was accepted.
    """

    message: RecordedEvent
    data: MessageReceived
    tool: ToolUsed | None = None
    call: ModelCalled | None = None

    @property
    def stream(self) -> str:
        """Whose turn it is."""
        return self.message.stream


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version of a block comes from.

    Attributes:
        stream: The block's.
        tool: The tool call that was the edit; None for a person's edit and for the first value.
        call: The model call that wanted it.
        turns: The turn of that call, then that in which its message was sent, and so on up to the request from outside.
    """

    stream: str
    written: Written
    tool: ToolUsed | None = None
    call: ModelCalled | None = None
    turns: tuple[TurnAsked, ...] = ()

    @property
    def request(self) -> TurnAsked | None:
        """The request from outside that it came of; None where there was none, or the log does not hold it."""
        last = self.turns[-1] if self.turns else None
        return last if last and "-" not in last.data.sender else None


@dataclass(frozen=True, slots=True)
class Blamed:
    """A block as it was at some position: its lines, who wrote them, and where each version in it comes from.

    Attributes:
        version: The version that set the value.
        spans: Who wrote the value, from its beginning to its end, as (version, characters); newlines are counted.
        origins: By version, of those that wrote a part of the value.
    """

    stream: str
    version: int
    value: str
    lines: tuple[BlamedLine, ...]
    spans: tuple[tuple[int, int], ...]
    origins: dict[int, Origin]


async def blamed(store: EventStore, stream: str, *, at: int | None = None) -> Blamed:
    """Return who wrote what of the block at `stream`, as it was at position `at`, and where that comes from.

    Raises:
        NotInBlock: The block had not begun by then.
    """
    state = await begun(store, stream, at=at)
    lines, spans = tuple(state.lines()), tuple(state.spans())
    standing = sorted({version for version, _ in spans})
    origins = await Origins(store).of(stream, [state.written[version] for version in standing])
    return Blamed(stream, state.version, state.value, lines, spans, origins)


async def begun(store: EventStore, stream: str, *, at: int | None = None) -> Blame:
    """Return who wrote what of the block at `stream`, as it was at position `at`, from its own stream alone.

    Raises:
        NotInBlock: The block had not begun by then.
    """
    state = await replay(store, blame, stream=stream, until=at)
    if not state.version:
        raise NotInBlock(f"there is no block {name_of(stream)}" + (f" at position {at} yet" if at else ""))
    return state


class Origins:
    """Looks up origins in a log. What was read of an agent's stream is kept, and not read again."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._agents: dict[str, AgentCalls] = {}
        self._turns: dict[str, TurnAsked | None] = {}

    async def of(self, stream: str, written: Iterable[Written]) -> dict[int, Origin]:
        """Return the origin of each of these versions of the block at `stream`, by version."""
        written, last = list(written), dict[str, int]()
        for one in written:
            last[one.by] = max(last.get(one.by, 0), one.position)
        for agent, position in last.items():
            if agent.startswith("agent-"):
                await self.calls(agent, position)
        return {one.version: await self._origin(stream, one) for one in written}

    async def calls(self, agent: str, until: int | None = None) -> AgentCalls:
        """Return the calls of the agent whose stream is `agent`, at least up to the position `until`."""
        calls = self._agents.setdefault(agent, AgentCalls(self._store, agent))
        await calls.read(until)
        return calls

    async def _origin(self, stream: str, written: Written) -> Origin:
        agent = self._agents.get(written.by)
        tool = agent.tools.get(written.tool) if agent else None
        if agent is None or tool is None:
            return Origin(stream, written)
        call = agent.call_of(written.tool)
        return Origin(stream, written, tool, call, await self.turns(written.by, written.tool.rsplit("/", 2)[0]))

    async def turns(self, stream: str, turn: str) -> tuple[TurnAsked, ...]:
        """Return the turn of `stream`, then the one in which its message was sent, up to the request from outside."""
        found: list[TurnAsked] = []
        while (asked := await self._asked(stream, turn)) is not None:
            found.append(asked)
            if turn.count("/") < 3:  # nobody within sent it
                break
            stream, turn = asked.data.sender, turn.rsplit("/", 2)[0]
        return tuple(found)

    async def _asked(self, stream: str, turn: str) -> TurnAsked | None:
        if turn not in self._turns:
            self._turns[turn] = await self._found(stream, turn)
        return self._turns[turn]

    async def _found(self, stream: str, turn: str) -> TurnAsked | None:
        read = self._agents.get(stream)
        event = (read and read.messages.get(turn)) or await self._store.find(stream, turn)
        if event is None or not isinstance(event.data, MessageReceived):
            return None
        if not event.data.sender.startswith("agent-"):
            return TurnAsked(event, event.data)
        calls = await self.calls(event.data.sender, event.position)
        sent = call_of(turn)[0]
        return TurnAsked(event, event.data, calls.tools.get(sent), calls.call_of(sent))
