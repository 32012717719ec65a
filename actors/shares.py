"""The blocks that a group shares, and what must hold of the names in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard.events import SpecError
from callboard.events.specs import BlockShare

if TYPE_CHECKING:
    from .specs import Block, Group


def share(block: Block, group: Group) -> BlockShare:
    """Return `block` as the group shares it: with Sleeptime the members write it, else all, unless it says who."""
    return share_of(block, members_write=getattr(group.pattern, "members_write", False))


def share_of(block: Block, *, members_write: bool) -> BlockShare:
    """Return `block` as a group shares it whose members write what does not say who else."""
    writers = () if block.writers is None and block.access == "read" else block.writers
    by_members = members_write and writers is None
    return BlockShare(
        label=block.label, stream=f"block-{block.label}", writers=writers, by_members=by_members, form=block.form
    )


def check_shares(group: Group) -> None:
    """Check the blocks of a group against those that each in it has of its own.

    Raises:
        SpecError: One is owned, twice there, written by a stranger, or has the label of another block of a member.
    """
    refuse_twice([block.label for block in group.all_blocks], f"blocks of group {group.name!r}")
    names = {one.name for one in group.everybody}
    for block in group.all_blocks:
        if block.owned:
            raise SpecError(f"block {block.label!r} of group {group.name!r} is owned by each agent; share another")
        strangers = sorted(set(block.writers or ()) - names)
        if strangers:
            raise SpecError(f"block {block.label!r} is written by {', '.join(strangers)}, not in group {group.name!r}")
        for one in group.everybody:
            for own in one.all_blocks:
                if own.label == block.label and own.owned:
                    raise SpecError(
                        f"{one.name!r} has a block {own.label!r} of its own; group {group.name!r} shares one"
                    )
    if group.manager is not None and getattr(group.pattern, "members_write", False):
        theirs = {b.label for one in group.all_members for b in one.all_blocks if b.access == "write" and not b.owned}
        theirs |= {block.label for block in group.all_blocks}
        both = sorted(b.label for b in group.manager.all_blocks if b.access == "write" and b.label in theirs)
        if both:
            raise SpecError(
                f"the manager {group.manager.name!r} may edit {', '.join(both)}, which the members of "
                f"{group.name!r} edit in the background; let it only read them"
            )


def refuse_twice(names: list[str], what: str) -> None:
    """Check that no name stands there twice.

    Raises:
        SpecError: One does.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"{what}: {', '.join(twice)} stands there more than once")
