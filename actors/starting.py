"""How whoever lives in a log begins, with all that it needs. Checked as a whole before anything is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard.events import SpecError
from callboard.events.catalog import (
    AgentChanged,
    AgentStarted,
    ArchiveChanged,
    ArchiveStarted,
    BlockChanged,
    BlockStarted,
    GroupChanged,
    GroupStarted,
)
from callboard.projections import BlockState

from .archive_spec import Archive
from .code import address_of
from .commands import Start
from .forms import check_kept
from .specs import Agent, Block, Group

if TYPE_CHECKING:
    from .system import System

USER = "user"
"""Who asks from outside."""


async def start(system: System, spec: Agent | Group | Block | Archive) -> str:
    """Start `spec` and all that it needs; return its stream.

    Raises:
        SpecError: A name belongs to something else, or a group would change its kind of pattern.
    """
    await check(system, spec)
    return await _start(system, spec)


async def check(system: System, spec: Agent | Group | Block | Archive) -> None:
    """Check whether `spec` and all below it can begin in this log.

    Raises:
        SpecError: A name belongs to something else, a group would change its kind of pattern, or a block holds what
            does not fit its new schema.
    """
    if isinstance(spec, Archive):
        return
    owner, blocks = ("", [spec]) if isinstance(spec, Block) else (spec.name, spec.all_blocks)
    for block in blocks:
        await check_block(system, block, owner)
    if isinstance(spec, Block):
        return
    other = f"agent-{spec.name}" if isinstance(spec, Group) else f"group-{spec.name}"
    if other in system.streams():
        raise SpecError(f"{spec.name!r} is the name of {other.replace('-', ' ', 1)!r} in this log; take another")
    if not isinstance(spec, Group):
        return
    known = (await system.look(spec.stream)).spec
    kind = address_of(type(spec.pattern))
    if known is not None and known.pattern.code != kind:
        raise SpecError(
            f"group {spec.name!r} was started with the pattern {known.pattern.code}, which cannot become "
            f"{kind}; give the group another name"
        )
    for one in spec.everybody:
        await check(system, one)


async def _start(system: System, spec: Agent | Group | Block | Archive) -> str:
    match spec:
        case Agent():
            for block in spec.all_blocks:
                await start_block(system, block, spec.name)
            if spec.passages is not None:
                await start_archive(system, spec.passages)
            for tool in spec.all_tools:
                system.code.register(address_of(tool.function), tool)
                if callable(tool.needs_approval):
                    system.code.register(address_of(tool.needs_approval), tool.needs_approval)
            agent = spec.spec(system.providers.name_of(spec.model))
            begin = Start(spec.name, USER, AgentStarted(spec=agent), AgentChanged(spec=agent))
        case Group():
            for block in spec.all_blocks:
                await start_block(system, block)
            for one in spec.everybody:
                await _start(system, one)
            system.code.register(address_of(type(spec.pattern)), type(spec.pattern))
            group = spec.spec()
            begin = Start(spec.name, USER, GroupStarted(spec=group), GroupChanged(spec=group))
        case Block():
            return await start_block(system, spec, revives=True)
        case Archive():
            return await start_archive(system, spec)
    await system.deliver(spec.stream, begin)
    return spec.stream


async def check_block(system: System, block: Block, agent: str = "") -> None:
    """Check whether what a block holds fits what it is to hold from now on, where that is something else.

    Raises:
        SpecError: It does not.
    """
    state: BlockState = await system.look(f"block-{block.name_for(agent)}")
    spec, known = block.spec(agent), state.spec
    if known is not None and (spec.form, spec.schema_of) != (known.form, known.schema_of):
        check_kept(spec, state.value)


async def start_block(system: System, block: Block, agent: str = "", *, revives: bool = False) -> str:
    """Start a block, as `agent` has it or as one that is shared; return its stream.

    One that is retired stays so, unless this `revives` it.

    Raises:
        SpecError: It holds what does not fit what it is to hold from now on.
    """
    await check_block(system, block, agent)
    stream, data = f"block-{block.name_for(agent)}", block.spec(agent)
    state: BlockState = await system.look(stream)
    known = state.declared
    if state.desk.retired and not revives:
        return stream
    if known is not None:
        data = data.model_copy(update={"value": known.value})
    await system.deliver(stream, Start(data.name, USER, BlockStarted(spec=data), BlockChanged(spec=data)))
    return stream


async def start_archive(system: System, archive: Archive) -> str:
    """Start an archive; return its stream."""
    data = archive.spec()
    await system.deliver(archive.stream, Start(data.name, USER, ArchiveStarted(spec=data), ArchiveChanged(spec=data)))
    return archive.stream
