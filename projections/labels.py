"""What blocks are called, and which stream a name means."""

from __future__ import annotations

from collections.abc import Iterable

from callboard.events import CallboardError, EventStore, RecordedEvent

from .block import BlockState, evolve
from .projection import Projection, replay
from .words import name_of


class NoSuchBlock(CallboardError):
    """A name that no block has, or more than one; says which there are."""


def _take(blocks: dict[str, BlockState], event: RecordedEvent) -> dict[str, BlockState]:
    if event.stream.startswith("block-"):
        blocks[event.stream] = evolve(blocks.get(event.stream, BlockState()), event.data)
    return blocks


_blocks: Projection[dict[str, BlockState]] = Projection("blocks", dict, _take)


async def block_stream(store: EventStore, label: str) -> str:
    """Return the stream of the block that `label` is the stream or the name of; else of the one that has it as label.

    Raises:
        NoSuchBlock: There is none, or more than one.
    """
    for stream in [label] * label.startswith("block-") + [f"block-{label}"]:
        async for event in store.read_stream(stream, until=1):
            return event.stream
    blocks = await replay(store, _blocks)
    found = [stream for stream, state in blocks.items() if state.spec is not None and state.spec.label == label]
    if len(found) == 1:
        return found[0]
    if found:
        raise NoSuchBlock(f"{label!r} is the label of {_names(found)}; say which of these you mean")
    raise NoSuchBlock(f"there is no block {label!r} in this log; there are {_names(blocks) or 'none'}")


def _names(streams: Iterable[str]) -> str:
    return ", ".join(name_of(stream) for stream in streams)
