"""The address of a group, with all that can be done to one while it lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from callboard.events import Event, SpecError
from callboard.events.catalog import (
    BlockShared,
    BlockUnshared,
    GroupAltered,
    GroupReset,
    GroupRetired,
    MemberJoined,
    MemberLeft,
    ScalingSet,
)
from callboard.events.specs import MemberUse, OnFailure, Scaling
from callboard.projections import AgentState, GroupState
from callboard.projections.words import name_of

from .block_ref import BlockRef
from .code import address_of, load
from .commands import Alter
from .library import Library
from .names import checked_text
from .patterns import Pattern
from .ref import USER, Ref
from .scaling import Load, one_each
from .shares import share_of
from .specs import Agent, Block, Group, member_use, names_below, pattern_spec
from .starting import start, start_archive, start_block
from .until import Condition
from .until import until as as_until


class _Unset:
    """Stands for what a call leaves as it is."""


UNSET = _Unset()


@dataclass(frozen=True, slots=True)
class GroupRef(Ref):
    """The address of a group. What is changed holds from the next choice on, and is an event."""

    async def state(self) -> GroupState:
        """Return where the group stands, as the log holds it."""
        return await self.system.look(self.address)

    async def add(self, member: Agent | Group | str) -> None:
        """Let somebody join: a spec, which is started, or the name of one that was started; twice is once.

        Raises:
            SpecError: It is the manager, or the group would be inside itself.
            NoSuchActor: Nobody of that name was ever started.
        """
        name = member if isinstance(member, str) else member.name
        state = await self.state()
        if name in state.managers:
            raise SpecError(f"{name!r} manages {self.name!r}, and is no member of it; take another")
        if name == self.name or (isinstance(member, Group) and self._inside(member)):
            raise SpecError(f"group {self.name!r} would be inside itself")
        if not isinstance(member, str):
            self._check_labels(state, member)
            await start(self.system, member)
        await self._alter(MemberJoined(member=await self._use(member)))

    def _check_labels(self, state: GroupState, member: Agent | Group) -> None:
        shared = {share.label for share in state.spec.blocks} if state.spec else set[str]()
        both = sorted(shared & {block.label for block in member.all_blocks if block.owned})
        if both:
            raise SpecError(f"{member.name!r} has its own block {both[0]!r}; group {self.name!r} shares one")

    def _members_write(self, state: GroupState) -> bool:
        assert state.spec is not None
        return bool(getattr(self.system.code.find(state.spec.pattern.code), "members_write", False))

    def _inside(self, group: Group) -> bool:
        return self.name in names_below(group)

    async def _use(self, member: Agent | Group | str) -> MemberUse:
        if not isinstance(member, str):
            return member_use(member)
        address = self.system[member].address
        if address.startswith("group-") and await self._holds(address):
            raise SpecError(f"group {self.name!r} would be inside itself")
        state: AgentState | GroupState = await self.system.look(address)
        assert state.spec is not None
        tags = state.spec.tags if isinstance(state, AgentState) else ()
        return MemberUse(stream=address, description=state.spec.description, tags=tags)

    async def _holds(self, address: str) -> bool:
        """Return whether this group is inside the one at `address`, at any depth."""
        if address == self.address:
            return True
        state: GroupState = await self.system.look(address)
        inner = [stream for stream in state.streams.values() if stream.startswith("group-")]
        return any([await self._holds(stream) for stream in inner])

    async def remove(self, name: str) -> None:
        """Let a member go: it finishes the turn that it has, and what it knows stays.

        Raises:
            SpecError: It is no member, or the last one.
        """
        members = (await self.state()).members
        if name not in members:
            raise SpecError(f"{name!r} is no member of {self.name!r}; members are {', '.join(members)}")
        if members == (name,):
            raise SpecError(f"{name!r} is the last member of {self.name!r}; add another first, or retire the group")
        await self._alter(MemberLeft(name=name))

    async def change(
        self,
        *,
        description: str | _Unset | None = UNSET,
        pattern: Pattern | _Unset = UNSET,
        until: Condition | str | _Unset | None = UNSET,
        on_failure: OnFailure | _Unset = UNSET,
    ) -> None:
        """Change what is given; None clears it. The kind of pattern never changes, its fields do.

        Raises:
            SpecError: A value cannot be, or the pattern is of another kind.
        """
        fields: dict[str, object] = {}
        if not isinstance(description, _Unset) and description is not None:
            fields["description"] = checked_text(description, "the description")
        if not isinstance(pattern, _Unset):
            fields["pattern"] = await self._same_kind(pattern)
        if not isinstance(until, _Unset) and until is not None:
            fields["until"] = as_until(until)
        if not isinstance(on_failure, _Unset):
            if on_failure not in get_args(OnFailure):
                raise SpecError(f"on_failure is {on_failure!r}; one of {', '.join(get_args(OnFailure))} is wanted")
            fields["on_failure"] = on_failure
        cleared = [name for name, value in (("description", description), ("until", until)) if value is None]
        if fields or cleared:
            await self._alter(GroupAltered.model_validate({**fields, "cleared": cleared}))

    async def _same_kind(self, pattern: Pattern) -> object:
        state, spec = await self.state(), pattern_spec(pattern)
        assert state.spec is not None
        if state.spec.pattern.code != spec.code:
            raise SpecError(
                f"group {self.name!r} was started with the pattern {state.spec.pattern.code}, which cannot become "
                f"{spec.code}; give the group another name"
            )
        return spec

    async def attach(self, block: Block | BlockRef | str, *, read_only: bool = False) -> None:
        """Share `block` with all who are in the group, and with those who join later.

        Args:
            block: One that is started with it; or of one that there is, its address, its name in the log, or its label.

        Raises:
            SpecError: It is owned by each agent.
            NoSuchBlock: There is no such block.
        """
        if not isinstance(block, Block):
            name = block.name if isinstance(block, BlockRef) else block
            block = Block(name_of(await Library.of(self.system).living(name)).replace(".", "-"), owned="." in name)
        elif not block.owned:
            await start_block(self.system, block)
        if block.owned:
            raise SpecError(f"block {block.label!r} is owned by each agent; share another")
        block = block.read_only() if read_only else block
        share = share_of(block, members_write=self._members_write(await self.state()))
        await self._alter(BlockShared(share=share))

    async def detach(self, label: str) -> None:
        """Take a shared block away from all who have it from this group; what it holds stays.

        Raises:
            SpecError: The group shares no such block.
        """
        spec = (await self.state()).spec
        labels = [share.label for share in spec.blocks] if spec else []
        if label not in labels:
            raise SpecError(f"{self.name!r} shares no block {label!r}; it shares {', '.join(labels) or 'none'}")
        await self._alter(BlockUnshared(label=label))

    async def scale(
        self, template: Agent | None, *, between: tuple[int, int] = (1, 8), by: Callable[[Load], int] = one_each
    ) -> None:
        """Let the group grow and shrink: at each request `by` says how many members made from `template` there are.

        They are called `<template>-1` and so on; those that go are retired. None ends this, and whoever is
        there stays.

        Args:
            by: A pure function that can be imported; it is recorded by its address.

        Raises:
            SpecError: The bounds are wrong, the template has memory of its own, or the rule cannot be found again.
        """
        if template is None:
            return await self._alter(ScalingSet(scaling=None))
        least, most = between
        if not 0 <= least <= most or most < 1:
            raise SpecError(f"between={between}: two numbers are wanted, the first not above the second")
        if template.owns_archive or any(block.owned for block in template.all_blocks):
            raise SpecError(f"the template {template.name!r} has memory of its own; give it what is shared")
        await self._check_names(template.name, most)
        for tool in template.all_tools:
            self.system.code.register(address_of(tool.function), tool)
        for block in template.all_blocks:
            await start_block(self.system, block)
        if template.passages is not None:
            await start_archive(self.system, template.passages)
        rule = address_of(by)
        if load(rule) is not by:
            raise SpecError(f"the rule {rule!r} is not what can be imported under that name; write a plain function")
        await self._alter(ScalingSet(scaling=Scaling(template=template.spec(), least=least, most=most, rule=rule)))

    async def _check_names(self, template: str, most: int) -> None:
        """See that nobody else has a name that a member to be made will get."""
        members = (await self.state()).members
        wanted = {f"{template}-{n}" for n in range(1, most + 1)} - set(members)
        taken = sorted(
            wanted & {name_of(stream) for stream in self.system.streams() if stream.startswith(("agent-", "group-"))}
        )
        alive = [name for name in taken if not (await self.system.look(self.system[name].address)).desk.retired]
        if alive:
            raise SpecError(f"{', '.join(alive)} is there already; give the template {template!r} another name")

    async def reset(self) -> None:
        """Let the next request begin with no history, for the group and for what members heard in it."""
        await self._alter(GroupReset())

    async def retire(self) -> None:
        """Take nothing up any more. What is under way is finished; members and history stay."""
        id = f"{self.system.outside.key()}/{self.name}"
        await self.system.deliver(self.address, Alter(id, USER, GroupRetired(id=id)))

    async def _alter(self, event: Event) -> None:
        key = self.system.outside.key()
        await self.system.deliver(self.address, Alter(f"{key}/{self.name}", USER, event))
