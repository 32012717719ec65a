"""The blocks of a log, and which agents have them, whether a system runs or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callboard.events import ActorStopped, EventStore, NoSuchBlock, SpecError
from callboard.projections import AgentState, BlockState, Projection, agent_state, block_state, replay
from callboard.projections.words import name_of

from .people import Look
from .specs import checked_name

if TYPE_CHECKING:
    from .system import System


@dataclass(frozen=True, slots=True)
class Library:
    """The blocks of a log.

    Attributes:
        look: Gives the state of an agent or a block, as the log holds it.
        streams: All that was ever started.
    """

    store: EventStore
    look: Look
    streams: Sequence[str]

    @classmethod
    def of(cls, system: System) -> Library:
        """Return the blocks of a system that runs."""
        alone = _look_in(system.store)

        async def look(stream: str) -> Any:
            try:
                return await system.look(stream)
            except ActorStopped:  # it failed too often; what it holds stands in the log
                return await alone(stream)

        return cls(system.store, look, system.streams())

    @classmethod
    async def in_store(cls, store: EventStore) -> Library:
        """Return the blocks of a log that nobody has open. Reads all of it."""
        streams = dict.fromkeys([event.stream async for event in store.read_all()])
        return cls(store, _look_in(store), list(streams))

    @property
    def blocks(self) -> list[str]:
        """The streams of all blocks."""
        return [stream for stream in self.streams if stream.startswith("block-")]

    async def living(self, name: str) -> str:
        """Return the stream of the block that is meant by `name`, which is not retired.

        Raises:
            NoSuchBlock: As for `named`.
            SpecError: It is retired.
        """
        stream = await self.named(name)
        if (await self.look(stream)).desk.retired:
            raise SpecError(f"the block {name_of(stream)!r} is retired; start it to bring it back")
        return stream

    async def label(self, stream: str) -> str:
        """Return the label that a block has now."""
        state: BlockState = await self.look(stream)
        return state.spec.label if state.spec else name_of(stream)

    async def labels(self) -> dict[str, str]:
        """Return the labels of all blocks, by stream."""
        return {stream: await self.label(stream) for stream in self.blocks}

    async def named(self, name: str) -> str:
        """Return the stream of the block that is meant by `name`: its name in the log, or the label that it has now.

        Raises:
            NoSuchBlock: There is none, or more than one; says which there are.
        """
        if name in self.blocks:
            return name
        labels = await self.labels()
        found = [stream for stream, label in labels.items() if name in (label, name_of(stream))]
        if len(found) == 1:
            return found[0]
        raise NoSuchBlock(name, {stream: labels[stream] for stream in found} or labels, many=len(found))

    async def checked_label(self, stream: str, label: object) -> str:
        """Return `label`, if the block at `stream` can be called so.

        Raises:
            SpecError: It cannot be a label, or an agent that has the block has another one of that label.
        """
        wanted = checked_name(label, "a block")
        for agent in [one for one in self.streams if one.startswith("agent-")]:
            state: AgentState = await self.look(agent)
            uses = state.spec.blocks if state.spec else ()
            if stream not in [use.stream for use in uses]:
                continue
            for use in uses:
                if use.stream != stream and wanted in (use.label, await self.label(use.stream)):
                    raise SpecError(
                        f"{name_of(agent)!r} has {name_of(stream)!r} and another block {wanted!r} "
                        f"({use.stream}); take another label, or detach one of them"
                    )
        return wanted


def _look_in(store: EventStore) -> Look:
    known: dict[str, Any] = {}

    async def look(stream: str) -> Any:
        if stream not in known:
            kind: Projection[Any] = block_state if stream.startswith("block-") else agent_state
            known[stream] = await replay(store, kind, stream=stream)
        return known[stream]

    return look
