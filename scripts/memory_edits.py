"""`callboard memory edit`, `undo`, `redo`, `rename` and `retire`: what people change of a block, from any process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from pydantic import JsonValue

from callboard.actors import editing, inbox
from callboard.actors.library import Library
from callboard.actors.outside import Outside
from callboard.actors.ref import USER
from callboard.events import CallboardError, LogInUse, SQLiteStore
from callboard.projections.words import name_of
from callboard.scripts.border import FINE, BadUse
from callboard.scripts.log import owned, taken_up
from callboard.scripts.screen import show, styled

Words = Annotated[str | None, Parameter(allow_leading_hyphen=True)]


async def edit(
    log: str,
    label: str,
    /,
    *,
    append: Words = None,
    replace: Annotated[tuple[str, str] | None, Parameter(allow_leading_hyphen=True, negative="")] = None,
    insert: Annotated[tuple[int, str] | None, Parameter(allow_leading_hyphen=True, negative="")] = None,
    rewrite: Words = None,
    file: Path | None = None,
    seen: int = 0,
    by: str = USER,
) -> int:
    """Edit a memory block, as a person.

    While a process has the log open, it does this; else it is recorded at once.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name in the log, or the label that it has now.
    append
        A text that is added as new lines at the end.
    replace
        A passage that stands there exactly once, and what stands there instead.
    insert
        After which line, 0 for the top and -1 for the end, and the text.
    rewrite
        The whole new value.
    file
        A file with the whole new value.
    seen
        The version that you have read: a rewrite is refused if somebody else changed the block since, and the
        line of an insert is one of that version. The one that there is now, if it is left out.
    by
        Who says so; it is recorded.
    """
    if len([given for given in (append, replace, insert, rewrite, file) if given is not None]) != 1:
        raise BadUse("say one of --append TEXT, --replace OLD NEW, --insert LINE TEXT, --rewrite TEXT and --file PATH")
    rewrite = await _text(file) if file is not None else rewrite
    verb, fields = _wanted(append, replace, insert, rewrite or "")
    return await _done(log, label, verb, fields, seen=seen, by=by)


def _wanted(
    append: str | None, replace: tuple[str, str] | None, insert: tuple[int, str] | None, rewrite: str
) -> tuple[str, dict[str, JsonValue]]:
    if append is not None:
        return "memory_append", {"text": append}
    if replace is not None:
        return "memory_replace", {"old": replace[0], "new": replace[1]}
    if insert is not None:
        return "memory_insert", {"line": insert[0], "text": insert[1]}
    return "memory_rewrite", {"text": rewrite}


async def undo(log: str, label: str, /, *, by: str = USER) -> int:
    """Take the newest edit of a block back, by an edit.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name in the log, or the label that it has now.
    by
        Who says so; it is recorded.
    """
    return await _done(log, label, "undo", {}, by=by)


async def redo(log: str, label: str, /, *, by: str = USER) -> int:
    """Make the edit of a block again that was taken back last, where nobody edited since.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name in the log, or the label that it has now.
    by
        Who says so; it is recorded.
    """
    return await _done(log, label, "redo", {}, by=by)


async def rename(log: str, label: str, new: str, /, *, by: str = USER) -> int:
    """Give a block another label in the prompts of all who have it; its name in the log stays.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name in the log, or the label that it has now.
    new
        The label that it gets.
    by
        Who says so; it is recorded.
    """
    return await _done(log, label, "rename", {"label": new}, by=by)


async def retire(log: str, label: str, /, *, by: str = USER) -> int:
    """Let a block take no edits any more, and stand in no prompt; its history stays.

    Parameters
    ----------
    log
        The log: a file.
    label
        The block: its name in the log, or the label that it has now.
    by
        Who says so; it is recorded.
    """
    return await _done(log, label, "retire", {}, by=by)


async def _text(file: Path) -> str:
    try:
        return (await anyio.Path(file).read_bytes()).decode()  # its line ends stay as they are
    except UnicodeDecodeError as error:
        raise BadUse(f"{file} is no text in UTF-8 ({error}); convert it first") from None


async def _done(log: str, label: str, verb: str, fields: dict[str, JsonValue], *, seen: int = 0, by: str) -> int:
    key = Outside().key()
    try:
        async with owned(log) as store:
            command = await _command(store, label, key, verb, fields, seen, by)
            said = await editing.edit_alone(store, command)
    except LogInUse as owner:
        async with SQLiteStore.open(log, mode="read") as store:
            command = await _command(store, label, key, verb, fields, seen, by)
            await editing.delivery_of(await Library.in_store(store), command)  # what cannot be is said at once
        if not await taken_up(inbox.put(log, command), owner):
            return FINE
        async with SQLiteStore.open(log, mode="read") as store:
            said = await editing.outcome(store, command)
            if not said and verb not in editing.OF_LIFE:
                raise CallboardError(f"{owner.owner} did not record it; its own log of messages says why") from None
    done = {"rename": f"renamed {command.block} to {fields.get('label')}", "retire": f"retired {command.block}"}
    show(styled((said or done[verb], "")))
    return FINE


async def _command(
    store: SQLiteStore, label: str, key: str, verb: str, fields: dict[str, JsonValue], seen: int, by: str
) -> inbox.Edit:
    block = name_of(await (await Library.in_store(store)).named(label))
    return inbox.Edit(key=key, block=block, verb=verb, fields=editing.checked_words(fields), seen=seen, by=by)
