"""`callboard mail`: what waits, what was given up and how it is put back, and who talked with whom."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter
from pydantic import JsonValue

from callboard.actors import inbox, letters, post, settle
from callboard.actors.outside import Outside
from callboard.actors.ref import USER
from callboard.events import LogInUse, SQLiteStore
from callboard.projections import pending, replay
from callboard.projections.shapes import utterance_shape
from callboard.projections.threads import conversations as all_conversations
from callboard.projections.threads import threads as all_threads
from callboard.projections.threads import words_between
from callboard.scripts.border import FINE, FOUND
from callboard.scripts.log import owned, taken_up, wait_for
from callboard.scripts.mail_lines import (
    conversation_line,
    conversation_shape,
    dead_line,
    dead_shape,
    mail_line,
    mail_shape,
    said_line,
    thread_line,
    thread_shape,
)
from callboard.scripts.main import main
from callboard.scripts.screen import columns, print_json, show, styled

mail = App(
    name="mail", help="Look after mail: what waits, dead letters, who talked with whom.", help_format="plaintext"
)

AsJson = Annotated[bool, Parameter(name="--json", negative="")]


@mail.command(name="list")
async def listing(log: str, name: str = "", /, *, as_json: AsJson = False) -> int:
    """List the messages that nobody works on yet: in whose mailbox they wait, and those on their way.

    Parameters
    ----------
    log
        The log: a file.
    name
        The agent or group whose mail is wanted; all, if it is left out.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        found = await post.listed(store, await replay(store, pending), post.desks_in(store), name)
    if as_json:
        print_json({"mail": [mail_shape(one) for one in found]})
    elif found:
        show(columns(*(mail_line(one) for one in found)))
        show(styled(("drop what waits: callboard mail drop LOG ID --reason TEXT", "dim")))
    else:
        show(styled(("no mail waits", "dim")))
    return FINE


@mail.command
async def drop(log: str, letters: list[str], /, *, reason: str, by: str = USER) -> int:
    """Drop messages that wait, for good; they become dead letters, and whoever asked is told why.

    While a process has the log open, it does this; else it is recorded at once.

    Parameters
    ----------
    log
        The log: a file.
    letters
        The ids of the messages, or the ends of them.
    reason
        Why; whoever asked is told.
    by
        Who says so; it is recorded.
    """
    for letter in letters:
        await _drop(log, inbox.Drop(key=Outside().key(), letter=letter, reason=reason, by=by))
    return FINE


async def _drop(log: str, command: inbox.Drop) -> None:
    try:
        async with owned(log) as store:
            id = await settle.drop(store, command)
    except LogInUse as owner:
        async with SQLiteStore.open(log, mode="read") as store:
            open, look = await replay(store, pending), post.desks_in(store)
            wanted = await post.checked(store, open, look, command)
        id = command.letter if wanted is None else wanted[1].id
        if wanted is not None and await taken_up(inbox.put(log, command.model_copy(update={"letter": id})), owner):
            async with SQLiteStore.open(log, mode="read") as store:
                await post.recorded(store, *wanted)
        elif wanted is not None:
            return
    show(styled((f"dropped {id}", "")))


@mail.command
async def dead(log: str, /, *, as_json: AsJson = False) -> int:
    """List dead letters: messages set aside, expired or dropped; exit code 1 if there are any that were not put back.

    Parameters
    ----------
    log
        The log: a file.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        found = await letters.dead_letters(store)
    if as_json:
        print_json({"dead": [dead_shape(letter) for letter in found]})
    elif found:
        show(columns(*(dead_line(letter) for letter in found)))
        show(styled(("put one back: callboard mail requeue LOG ID", "dim")))
    else:
        show(styled(("there are no dead letters", "dim")))
    return FOUND if any(not letter.requeued for letter in found) else FINE


@mail.command
async def requeue(log: str, letter: str, /) -> int:
    """Put a dead letter into its mailbox again, under a new id; it expires no more.

    While a process has the log open, it takes this up; else it is recorded at once, and worked on when the log
    is opened next.

    Parameters
    ----------
    log
        The log: a file.
    letter
        The id of the message, or the end of it.
    """
    command = inbox.Requeue(key=Outside().key(), letter=letter)
    try:
        async with owned(log) as store:
            id = await settle.requeue(store, command)
    except LogInUse as owner:
        async with SQLiteStore.open(log, mode="read") as store:
            known = (await letters.letter_of(store, letter)).message.id
        await wait_for(inbox.put(log, command.model_copy(update={"letter": known})), f"requeued {known}", owner)
        return FINE
    show(styled((f"requeued as {id}; it is worked on when the log is opened next", "")))
    return FINE


@mail.command
async def conversations(log: str, name: str = "", /, *, as_json: AsJson = False) -> int:
    """List the conversations that each agent and group keeps apart, with who took part.

    Parameters
    ----------
    log
        The log: a file.
    name
        The agent or group whose conversations are wanted; all, if it is left out.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        found = (await replay(store, all_conversations)).found(name)
    shapes: list[JsonValue] = [conversation_shape(one) for one in found]
    if as_json:
        print_json({"conversations": shapes})
    else:
        show(columns(*(conversation_line(one) for one in found)) if found else styled(("nobody was asked", "dim")))
    return FINE


@mail.command
async def threads(log: str, name: str = "", other: str = "", /, *, as_json: AsJson = False) -> int:
    """List who talked with whom, and how much; of two that are named, what they said.

    Parameters
    ----------
    log
        The log: a file.
    name
        Who takes part, an agent, a group or `user`; anybody, if it is left out.
    other
        The other of the two.
    as_json
        Print JSON.
    """
    if other:
        return await _thread(log, name, other, as_json=as_json)
    async with SQLiteStore.open(log, mode="read") as store:
        found = (await replay(store, all_threads)).found(name)
    shapes: list[JsonValue] = [thread_shape(one) for one in found]
    if as_json:
        print_json({"threads": shapes})
    else:
        show(columns(*(thread_line(one) for one in found)) if found else styled(("nobody was asked", "dim")))
    return FINE


async def _thread(log: str, name: str, other: str, *, as_json: bool) -> int:
    async with SQLiteStore.open(log, mode="read") as store:
        said = (await replay(store, words_between(name, other))).lines
    shapes: list[JsonValue] = [utterance_shape(line) for line in said]
    nothing = styled((f"{name} and {other} said nothing to each other", "dim"))
    if as_json:
        print_json({"lines": shapes})
    else:
        show(columns(*(said_line(line) for line in said)) if said else nothing)
    return FINE


if __name__ == "__main__":
    sys.exit(main(["mail", *sys.argv[1:]]))
