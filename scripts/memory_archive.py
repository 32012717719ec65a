"""Verbs of `callboard memory` for archives: what they hold, and passages that people store and delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue
from rich.console import RenderableType

from callboard.actors import archives, inbox, settle
from callboard.actors.archival import DELETE, INSERT
from callboard.actors.outside import Outside
from callboard.actors.ref import checked_message
from callboard.events import LogInUse, NoSuchArchive, SQLiteStore
from callboard.projections import replay as folded
from callboard.projections.passages import Passage, passages
from callboard.projections.shapes import archive_shape, time_shape
from callboard.projections.whole import whole
from callboard.projections.words import name_of
from callboard.scripts.border import FINE
from callboard.scripts.log import taken_up
from callboard.scripts.screen import columns, many, moment, one_line, print_json, show, styled

AsJson = Annotated[bool, Parameter(name="--json", negative="")]
Tags = Annotated[tuple[str, ...], Parameter(name="--tag", negative="")]


async def archive(log: str, name: str = "", /, *, as_json: AsJson = False) -> int:
    """List the archives of a log, or the passages of one, oldest first.

    Parameters
    ----------
    log
        The log: a file.
    name
        The archive whose passages are wanted; an agent's own is called like the agent.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        found = (await folded(store, whole)).archives
        known = [name_of(stream) for stream in found]
        if name and name not in known:
            raise NoSuchArchive(name, ", ".join(known))
        held = (await folded(store, passages, stream=f"archive-{name}")).found if name else {}
    shapes: list[JsonValue] = [_shape(one) for one in held.values()]
    if as_json:
        print_json(
            {"passages": shapes} if name else {"archives": {name_of(s): archive_shape(a) for s, a in found.items()}}
        )
    elif name:
        show(columns(*map(_line, held.values())) if held else styled(("this archive holds no passages", "dim")))
    elif found:
        rows = ((name_of(s), a.standing, a.spec.description if a.spec else "") for s, a in found.items())
        show(
            columns(
                *(
                    (styled((n, "bold")), styled(many(count, "passage")), styled((what, "dim")))
                    for n, count, what in rows
                )
            )
        )
    else:
        show(styled(("this log has no archives", "dim")))
    return FINE


async def insert(log: str, name: str, text: str, /, *, tags: Tags = ()) -> int:
    """Store a passage in an archive.

    While a process has the log open, it does this; else it is recorded at once.

    Parameters
    ----------
    log
        The log: a file.
    name
        The archive.
    text
        What the passage says.
    tags
        A word to find it by; may be given several times.
    """
    return await _keep(log, name, INSERT, {"content": checked_message(text), "tags": [*tags]})


async def forget(log: str, name: str, passage: str, /) -> int:
    """Delete a passage of an archive: it is found no more. To erase what it said: callboard log redact.

    While a process has the log open, it does this; else it is recorded at once.

    Parameters
    ----------
    log
        The log: a file.
    name
        The archive.
    passage
        The id of the passage, such as p12.
    """
    return await _keep(log, name, DELETE, {"id": passage})


async def _keep(log: str, name: str, verb: str, fields: dict[str, JsonValue]) -> int:
    command = inbox.Keep(key=Outside().key(), archive=name, verb=verb, fields=fields)
    async with SQLiteStore.open(log, mode="read") as store:
        await archives.request_of(store, command)  # before a log is made of a name that was mistyped
    try:
        async with SQLiteStore.open(log) as store:
            await settle.keep(store, command)
            said = await archives.outcome(store, command)
    except LogInUse as owner:
        if not await taken_up(inbox.put(log, command), owner):
            return FINE
        async with SQLiteStore.open(log, mode="read") as store:
            said = await archives.outcome(store, command)
    show(styled((said, "")))
    return FINE


def _shape(passage: Passage) -> dict[str, JsonValue]:
    tags: Sequence[JsonValue] = passage.tags
    return {
        "id": passage.id,
        "text": passage.text,
        "tags": [*tags],
        "metadata": passage.metadata,
        "at": time_shape(passage.at),
        "by": passage.by,
        "call": passage.call,
        "changed": time_shape(passage.changed),
        "changed_by": passage.changed_by,
        "changed_call": passage.changed_call,
        "position": passage.position,
    }


def _line(passage: Passage) -> tuple[RenderableType, ...]:
    by, at = (passage.changed_by, passage.changed) if passage.changed else (passage.by, passage.at)
    tags = f"({', '.join(passage.tags)}) " if passage.tags else ""
    return (
        styled((passage.id, "bold")),
        styled((f"{moment(at)} by {name_of(by)} @{passage.position}", "dim")),
        styled((tags, "cyan"), one_line(passage.text, 100)),
    )
