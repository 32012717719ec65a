"""How people give blocks to agents, and take them away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_core import to_json

from callboard.events import SpecError, Text
from callboard.events.specs import BlockUse
from callboard.projections import AgentState
from callboard.projections.words import name_of

from .block_ref import BlockRef
from .commands import Receive
from .library import Library
from .memory import tool_specs
from .ref import USER
from .specs import Block
from .starting import start_block

if TYPE_CHECKING:
    from .system import System


async def attach(system: System, address: str, block: Block | BlockRef | str, *, read_only: bool) -> None:
    """Give the agent at `address` a block; twice is once.

    Raises:
        SpecError: It has another block of that label, or this one with other access.
        NoSuchBlock: There is no such block.
    """
    library, agent = Library.of(system), name_of(address)
    state: AgentState = await library.look(address)
    assert state.spec is not None
    if isinstance(block, Block):
        stream, label = f"block-{block.name_for(agent)}", block.label
        if stream in library.streams:
            label = await library.label(await library.living(stream))
    else:
        stream = await library.living(block.address if isinstance(block, BlockRef) else block)
        label = await library.label(stream)
    reads = read_only or (isinstance(block, Block) and block.access == "read")
    form = block.form if isinstance(block, Block) else (await library.look(stream)).spec.form
    use = BlockUse(label=label, stream=stream, read_only=reads, form=form)
    for has in state.spec.blocks:
        if has.stream == stream and has.read_only == use.read_only:
            return
        if has.stream == stream:
            raise SpecError(f"{agent!r} has the block {label!r} with other access; detach it first")
        if label in (has.label, await library.label(has.stream)):
            raise SpecError(f"{agent!r} has a block {label!r} ({has.stream}); detach that one, or rename one of them")
    if isinstance(block, Block):
        await start_block(system, block, agent)
    id = f"{system.outside.key()}/{agent}"
    tools = Text() if use.read_only else Text(to_json(tool_specs(form)).decode())
    await system.deliver(address, Receive(id, USER, "attach", use=use, tools=tools))


async def detach(system: System, address: str, label: str) -> None:
    """Take a block from the agent at `address`, whoever gave it; what it holds stays.

    Raises:
        SpecError: The agent has no such block.
    """
    library = Library.of(system)
    state: AgentState = await library.look(address)
    assert state.spec is not None
    found = [use for use in state.spec.blocks if label in (use.label, await library.label(use.stream))]
    if not found:
        labels = ", ".join([await library.label(use.stream) for use in state.spec.blocks]) or "none"
        raise SpecError(f"{name_of(address)!r} has no block {label!r}; it has: {labels}")
    id = f"{system.outside.key()}/{name_of(address)}"
    await system.deliver(address, Receive(id, USER, "detach", use=found[0]))
