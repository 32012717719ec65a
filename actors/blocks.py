"""The part of a system that its blocks are found through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from callboard.projections import BlockState
from callboard.projections.words import name_of

from . import attaching
from .block_ref import BlockRef
from .library import Library
from .specs import Block

if TYPE_CHECKING:
    from .system import System


class Blocks:
    """The blocks of a system."""

    def block(self, name: str) -> BlockRef:
        """Return the address of the block called `name`: its first label, or `<agent>.<label>` of one that is owned."""
        return BlockRef(f"block-{name}", cast("System", self))

    async def attach(self, address: str, block: Block | BlockRef | str, *, read_only: bool = False) -> None:
        """Give the agent at `address` a block; see `Ref.attach`."""
        await attaching.attach(cast("System", self), address, block, read_only=read_only)

    async def detach(self, address: str, label: str) -> None:
        """Take a block from the agent at `address`; see `Ref.detach`."""
        await attaching.detach(cast("System", self), address, label)

    async def blocks(
        self, *, match_all: Sequence[str] = (), match_some: Sequence[str] = (), text: str = ""
    ) -> list[BlockRef]:
        """Return the blocks that are not retired and fit, by name.

        Args:
            match_all: Tags that they all have.
            match_some: Tags of which they have at least one.
            text: What stands in their name, label or description, in any case.
        """
        library, found = Library.of(cast("System", self)), list[BlockRef]()
        for stream in sorted(library.blocks):
            state: BlockState = await library.look(stream)
            if state.spec is None or state.desk.retired:
                continue
            tags = set(state.spec.tags)
            words = f"{name_of(stream)} {state.spec.label} {state.spec.description}".casefold()
            fits = set(match_all) <= tags and (not match_some or bool(set(match_some) & tags))
            if fits and text.casefold() in words:
                found.append(self.block(name_of(stream)))
        return found
