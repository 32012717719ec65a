"""`callboard replay`: every state as of any position, from the log alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue

from callboard.events import EventStore, SQLiteStore
from callboard.projections import replay as folded
from callboard.projections.conversation import Utterance, group_conversation
from callboard.projections.shapes import (
    agent_shape,
    archive_shape,
    block_shape,
    group_shape,
    pending_shape,
    time_shape,
    utterance_shape,
)
from callboard.projections.whole import Whole, whole
from callboard.projections.words import name_of
from callboard.scripts.border import BadUse
from callboard.scripts.main import main
from callboard.scripts.screen import moment, print_json, show, styled
from callboard.scripts.states import states


async def replay(
    log: str,
    /,
    *,
    until: int | None = None,
    at: str | None = None,
    stream: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Show every agent, group, block and archive as of any position of a log.

    Folds what was recorded; runs no model and no tool.

    Parameters
    ----------
    log
        The log: a file.
    until
        The last position to fold, as `callboard trace` shows them after @; by default all.
    at
        A time instead of a position, as ISO 8601, in UTC where it says no zone.
    stream
        One agent, group, block or archive alone, by its name or stream, with all it holds.
    as_json
        Print JSON.
    """
    if until is not None and at is not None:
        raise BadUse("both --until and --at are given; say one of them")
    async with SQLiteStore.open(log, mode="read") as store:
        end = store.position
        until = checked(until, end) if at is None else await position_at(store, moment_of(at))
        only = None if stream is None else await stream_of(store, stream)
        state = await folded(store, whole, stream=only, until=until)
        if only is not None and not state.position:
            raise BadUse(f"{only} had not begun at position {until}")
        talk = await said_in(store, only, until)
    if as_json:
        print_json(shape(state, until, talk))
        return 0
    when = f"  {moment(state.at)}" if only is None else ""
    head = styled((f"position {until:,} of {end:,}", "bold"), (when, "dim"))
    show(head, states(state, full=only is not None, talk=talk))
    return 0


async def said_in(store: EventStore, stream: str | None, until: int) -> list[Utterance]:
    """Return all that was said, passed on and decided in the group at `stream`; nothing for whoever is no group."""
    if stream is None or not stream.startswith("group-"):
        return []
    return (await folded(store, group_conversation, stream=stream, until=until)).lines


def shape(state: Whole, position: int, talk: Sequence[Utterance] = ()) -> dict[str, JsonValue]:
    """Return all states as JSON, `talk` being that of a group alone; `at` is the last event's time. Pure."""
    return {
        "position": position,
        "at": time_shape(state.at),
        "agents": {name_of(stream): agent_shape(one) for stream, one in state.agents.items()},
        "groups": {name_of(stream): group_shape(one) for stream, one in state.groups.items()},
        "blocks": {name_of(stream): block_shape(one) for stream, one in state.blocks.items()},
        "archives": {name_of(stream): archive_shape(one) for stream, one in state.archives.items()},
        "pending": pending_shape(state.pending.items.values()),
        **({"talk": [utterance_shape(line) for line in talk]} if talk else {}),
    }


def checked(until: int | None, end: int) -> int:
    """Return the position to fold up to, in a log of `end` events.

    Raises:
        BadUse: The log has no such position.
    """
    if until is None:
        return end
    if not 1 <= until <= end:
        raise BadUse(f"there is no position {until}; this log has positions 1 to {end}")
    return until


def moment_of(text: str) -> datetime:
    """Return the time that `text` says.

    Raises:
        BadUse: It is no ISO 8601.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadUse(f"{text!r} is not a time; say it like 2026-01-31T14:30 or 2026-01-31T14:30:05Z") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


async def position_at(store: EventStore, time: datetime) -> int:
    """Return the last position that was recorded by `time`, found in a few reads.

    Where the clock was once set back, one of the positions at which it passed `time`.

    Raises:
        BadUse: The log begins later.
    """
    low, high = 0, store.position
    while low < high:
        middle = (low + high + 1) // 2
        async for event in store.read_all(after=middle - 1, until=middle):
            low, high = (middle, high) if event.recorded_at <= time else (low, middle - 1)
    if not low:
        async for first in store.read_all(until=1):
            raise BadUse(f"at {moment(time)} the log had not begun; its first event is of {moment(first.recorded_at)}")
    return low


async def stream_of(store: EventStore, name: str) -> str:
    """Return the stream called `name`, or of the agent, group, block or archive of that name.

    Raises:
        BadUse: There is none, or more than one.
    """
    found: list[str] = []
    for stream in (name, f"agent-{name}", f"group-{name}", f"block-{name}", f"archive-{name}"):
        if stream.split("-", 1)[0] in ("agent", "group", "block", "archive") and not (
            found and stream == f"archive-{name}"
        ):
            found += [event.stream async for event in store.read_stream(stream, until=1)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadUse(f"{name!r} may be {' or '.join(found)}; say which")
    state = await folded(store, whole)
    known = [name_of(stream) for kind in (state.groups, state.agents, state.blocks, state.archives) for stream in kind]
    raise BadUse(f"there is no {name!r} in this log; there are {', '.join(known) or 'no actors'}")


if __name__ == "__main__":
    sys.exit(main(["replay", *sys.argv[1:]]))
