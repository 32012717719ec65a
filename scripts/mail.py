"""`callboard mail`: messages that were set aside, and how they are put into the mailbox again."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter
from pydantic import JsonValue
from rich.console import RenderableType

from callboard.actors import inbox, letters
from callboard.actors.letters import DeadLetter
from callboard.actors.outside import Outside
from callboard.events import LogInUse, SQLiteStore
from callboard.scripts.border import FINE, FOUND
from callboard.scripts.log import wait_for
from callboard.scripts.main import main
from callboard.scripts.screen import columns, moment, one_line, print_json, show, styled

mail = App(name="mail", help="Look after mail: dead letters.", help_format="plaintext")


@mail.command
async def dead(log: str, /, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> int:
    """List the messages that were set aside; exit code 1 if there are any that were not put back.

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
        print_json({"dead": [_shape(letter) for letter in found]})
    elif found:
        show(columns(*(_line(letter) for letter in found)))
        show(styled(("put one back: callboard mail requeue LOG ID", "dim")))
    else:
        show(styled(("there are no dead letters", "dim")))
    return FOUND if any(not letter.requeued for letter in found) else FINE


@mail.command
async def requeue(log: str, letter: str, /) -> int:
    """Put a message that was set aside into its mailbox again, under a new id.

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
        async with SQLiteStore.open(log) as store:
            id = await letters.requeue(store, command)
    except LogInUse as owner:
        async with SQLiteStore.open(log, mode="read") as store:
            known = (await letters.letter_of(store, letter)).message.id
        await wait_for(inbox.put(log, command.model_copy(update={"letter": known})), f"requeued {known}", owner)
        return FINE
    show(styled((f"requeued as {id}; it is worked on when the log is opened next", "")))
    return FINE


def _shape(letter: DeadLetter) -> dict[str, JsonValue]:
    return {
        "id": letter.message.id,
        "stream": letter.died.stream,
        "sender": letter.message.sender,
        "text": "\n".join(part.text for part in letter.message.parts),
        "why": str(getattr(letter.died.data, "text", "")),
        "died": letter.died.recorded_at.isoformat(),
        "position": letter.died.position,
        "requeued": list(letter.requeued),
    }


def _line(letter: DeadLetter) -> tuple[RenderableType, ...]:
    said = one_line(" ".join(part.text for part in letter.message.parts))
    again = f" (requeued as {', '.join(letter.requeued)})" if letter.requeued else ""
    return (
        styled((f"@{letter.died.position}", "dim")),
        styled((moment(letter.died.recorded_at), "dim")),
        styled((letter.message.id, "")),
        styled((f"{said}{again}", "")),
    )


if __name__ == "__main__":
    sys.exit(main(["mail", *sys.argv[1:]]))
