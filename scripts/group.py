"""`callboard group`: the groups of a log, or one of them and how those in it fare."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue

from callboard.events import SQLiteStore
from callboard.projections import GroupState
from callboard.projections.health import HealthTable
from callboard.projections.health_shapes import group_health_shape, group_listing_shape
from callboard.projections.whole import Whole
from callboard.projections.words import name_of
from callboard.scripts.border import BadUse
from callboard.scripts.group_tables import details, listing
from callboard.scripts.main import main
from callboard.scripts.screen import print_json, show, styled


async def group(
    log: str,
    name: Annotated[str, Parameter(show_default=False)] = "",
    /,
    *,
    kind: str | None = None,
    tag: str | None = None,
    member: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Show the groups of a log, or one with how each in it fares.

    Folds what was recorded; runs no model and no tool.

    Parameters
    ----------
    log
        The log: a file.
    name
        Which group. Without it, all are listed.
    kind
        Only groups with this kind of pattern, such as round_robin.
    tag
        Only groups of which a member has this tag.
    member
        Only groups that this agent or group is in, or manages.
    as_json
        Print JSON.
    """
    if name and (kind or tag or member):
        raise BadUse("a name and one of --kind, --tag, --member are given; name one group, or search among all")
    async with SQLiteStore.open(log, mode="read") as store:
        state, table = Whole(), HealthTable()
        async for event in store.read_all():
            state.take(event)
            table.take(event)
    if name:
        _show_one(named(state.groups, name), table, as_json=as_json)
    else:
        found = [one for one in state.groups.values() if one.fits(kind=kind or "", tag=tag or "", member=member or "")]
        _show_all(found, as_json=as_json)
    return 0


def _show_one(state: GroupState, table: HealthTable, *, as_json: bool) -> None:
    if as_json:
        print_json(group_health_shape(state, table))
    else:
        show(details(state, table))


def _show_all(found: list[GroupState], *, as_json: bool) -> None:
    if as_json:
        shown: list[JsonValue] = [group_listing_shape(state) for state in found]
        print_json({"groups": shown})
    else:
        show(listing(found) if found else styled(("no group of this log is like that", "dim")))


def named(groups: dict[str, GroupState], name: str) -> GroupState:
    """Return the group called `name`, or of that stream.

    Raises:
        BadUse: There is none.
    """
    found = groups.get(name) or groups.get(f"group-{name}")
    if found is None:
        known = ", ".join(map(name_of, groups)) or "no groups"
        raise BadUse(f"there is no group {name!r} in this log; there are {known}")
    return found


if __name__ == "__main__":
    sys.exit(main(["group", *sys.argv[1:]]))
