"""`callboard log`: what people do to a log: settle doubts, copy it, erase texts, accept a loss."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

import anyio
from cyclopts import App, Parameter, Token
from pydantic import JsonValue
from rich.console import RenderableType

from callboard.actors import inbox, settle
from callboard.actors.outside import Outside
from callboard.events import CallboardError, LogInUse, NotALog, RecordedEvent, RedactionRefused, SQLiteStore
from callboard.events.anchor import anchor_of
from callboard.events.backup import backup as copied
from callboard.events.catalog import LossAccepted, ToolCallRequested
from callboard.events.store import event_at
from callboard.projections import pending, replay
from callboard.scripts.border import FINE, FOUND, BadUse
from callboard.scripts.main import main
from callboard.scripts.screen import columns, many, print_json, show, styled

log = App(name="log", help="Look after a log: calls in doubt, copies, erasure.", help_format="plaintext")

PATIENCE = 10.0
"""Seconds that a command waits for the owner of the log to take it up."""


def _whole_numbers(_: object, tokens: Sequence[Token]) -> list[int]:
    """Return positions as they were said: what is erased is gone, so that nothing is rounded."""
    for token in tokens:
        if not token.value.isdecimal():
            raise BadUse(f"{token.value!r} is no position; say whole numbers, such as 12")
    return [int(token.value) for token in tokens]


@log.command
async def doubts(log: str, /, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> int:
    """List the tool calls in doubt, which wait for a person; exit code 1 if there are any.

    A call that was cut short is in doubt once its log is opened again for writing; until then it is told as one
    that began and has no outcome, as all are that run now.

    Parameters
    ----------
    log
        The log: a file.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        items = list((await replay(store, pending)).items.values())
        found = [await event_at(store, item.since) for item in items if item.latest == "ToolCallInDoubt"]
        began = [await event_at(store, item.since) for item in items if item.latest == "ToolCallStarted"]
    running = [event for event in began if _may_be_in_doubt(event)]
    if as_json:
        print_json({"doubts": [_shape(event) for event in found], "running": [_shape(event) for event in running]})
    elif found:
        show(columns(*(_line(event) for event in found)))
        show(styled(("settle one: callboard log resolve LOG CALL --returned TEXT | --failed TEXT | --retry", "dim")))
    else:
        show(styled(("no call is in doubt", "dim")))
    if running and not as_json:
        count = many(len(running), "call")
        show(
            styled((f"without an outcome yet: {count}; what was cut short is in doubt when the log is opened next", ""))
        )
        show(columns(*(_line(event) for event in running)))
    return FOUND if found else FINE


@log.command
async def resolve(
    log: str,
    call: str,
    /,
    *,
    returned: str | None = None,
    failed: str | None = None,
    retry: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what came of a call in doubt; the agent that made it goes on from there.

    While a process has the log open, it takes this up; else it is recorded at once, and the agent goes on
    when the log is opened next.

    Parameters
    ----------
    log
        The log: a file.
    call
        The id of the call, or the end of it.
    returned
        It was done, and this is its result.
    failed
        It was not done, and this is why.
    retry
        It was not done, and shall run again.
    """
    outcome, text = _outcome(returned, failed, retry=retry)
    command = inbox.Settle(key=Outside().key(), call=call, outcome=outcome, text=text)
    try:
        async with owned(log) as store:
            call = await settle.settle(store, command)
    except LogInUse as owner:
        await _hand_over(log, command, owner)
        return FINE
    show(styled((f"settled {call}; its agent goes on when the log is opened next", "")))
    return FINE


@log.command
async def backup(log: str, dest: str, /) -> int:
    """Copy a log to a new file, also while a team runs on it.

    Parameters
    ----------
    log
        The log: a file.
    dest
        Where the copy goes; nothing may be there yet.
    """
    position = await copied(log, dest)
    show(styled((f"{dest} holds {log} up to position {position}", "")))
    return FINE


@log.command
async def redact(
    log: str, positions: Annotated[list[int], Parameter(converter=_whole_numbers)], /, *, reason: str
) -> int:
    """Erase the texts of events for good; the log stays verifiable, and says that it was done.

    While a process has the log open, it does this; else it is done at once.

    Parameters
    ----------
    log
        The log: a file.
    positions
        The events that said the texts first; `callboard trace` and `replay` show positions.
    reason
        Why; it is recorded.
    """
    try:
        async with owned(log) as store:
            await store.redact(positions, reason=reason)
    except LogInUse as owner:
        async with SQLiteStore.open(log, mode="read") as store:
            for position in positions:
                await store.redactable(position)  # what cannot be is said at once
        command = inbox.Redact(key=Outside().key(), positions=tuple(positions), reason=reason)
        if not await taken_up(inbox.put(log, command), owner):
            return FINE
        if left := await _still_there(log, positions):
            why = f"{owner.owner} did not redact {_named(left)}; its own log of messages says why"
            raise CallboardError(why) from None
        show(styled((f"redacted the texts of {_named(positions)}; {owner.owner} goes on with it", "")))
        return FINE
    show(styled((f"redacted the texts of {_named(positions)}", "")))
    return FINE


async def _still_there(log: str, positions: Sequence[int]) -> list[int]:
    """Return those of `positions` whose texts were not erased."""
    left = list[int]()
    async with SQLiteStore.open(log, mode="read") as store:
        for position in positions:
            with suppress(RedactionRefused):
                left.append((await store.redactable(position)).position)
    return left


def _named(positions: Sequence[int]) -> str:
    return ", ".join(f"@{position}" for position in positions)


@log.command
async def accept(log: str, /, *, reason: str) -> int:
    """Go on with a log from which something was lost or altered; that it was accepted, and why, is recorded.

    Parameters
    ----------
    log
        The log: a file; `callboard verify LOG` says what is wrong with it.
    reason
        Why; it is recorded.
    """
    async with owned(log, accept_loss=reason) as store:
        accepted = [event async for event in store.read_all() if isinstance(event.data, LossAccepted)]
    said = f"accepted at position {accepted[-1].position}" if accepted else "nothing was lost, and nothing is recorded"
    show(styled((said, "")))
    return FINE


def _outcome(
    returned: str | None, failed: str | None, *, retry: bool
) -> tuple[Literal["returned", "failed", "retry"], str]:
    match returned, failed, retry:
        case str(text), None, False:
            return "returned", text
        case None, str(text), False:
            return "failed", text
        case None, None, True:
            return "retry", ""
        case _:
            raise BadUse("say one of --returned TEXT, --failed TEXT and --retry")


async def _hand_over(log: str, command: inbox.Settle, owner: LogInUse) -> None:
    async with SQLiteStore.open(log, mode="read") as store:
        doubt = inbox.doubt_of(list((await replay(store, pending)).items.values()), command.call)
    await wait_for(inbox.put(log, command.model_copy(update={"call": doubt.id})), f"settled {doubt.id}", owner)


@asynccontextmanager
async def owned(log: str, *, accept_loss: str | None = None) -> AsyncGenerator[SQLiteStore]:
    """Open a log for writing, as long as the context lasts, if it is there: who looks after logs makes none.

    Raises:
        NotALog: There is none.
        LogError: It cannot be opened.
    """
    _check_there(log)
    async with SQLiteStore.open(log, accept_loss=accept_loss) as store:
        yield store


def _check_there(log: str) -> None:
    if os.path.exists(anchor_of(os.path.realpath(log))):
        return  # it was there: that it is gone is a loss
    if not os.path.exists(log):
        raise NotALog(log, "there is no such file")
    if os.path.isfile(log) and not os.path.getsize(log):
        raise NotALog(log, "it is empty")


async def wait_for(file: Path, done: str, owner: LogInUse) -> None:
    """Wait a while until the owner of a log has taken up the command in `file`; say how that went."""
    if await taken_up(file, owner):
        show(styled((f"{done}; {owner.owner} goes on with it", "")))


async def taken_up(file: Path, owner: LogInUse) -> bool:
    """Wait a while until the owner of a log has taken up the command in `file`; say so where it has not.

    Raises:
        CommandRefused: It did not do it.
    """
    with anyio.move_on_after(PATIENCE):
        while file.exists():  # noqa: ASYNC110, ASYNC240 - another process removes it
            await anyio.sleep(0.05)
        if why := inbox.refusal(file):
            raise inbox.CommandRefused(f"{owner.owner} says: {why}")
        return True
    show(styled((f"{owner.owner} has not taken it up yet; it stays in {file.parent} until it is", "")))
    return False


def _may_be_in_doubt(event: RecordedEvent) -> bool:
    return isinstance(event.data, ToolCallRequested) and event.data.effect == "once"


def _shape(event: RecordedEvent) -> dict[str, JsonValue]:
    data = event.data
    assert isinstance(data, ToolCallRequested)
    return {
        "call": data.id,
        "stream": event.stream,
        "tool": data.tool,
        "arguments": str(data.arguments),
        "since": event.recorded_at.isoformat(),
        "position": event.position,
    }


def _line(event: RecordedEvent) -> tuple[RenderableType, ...]:
    data = event.data
    assert isinstance(data, ToolCallRequested)
    return styled((f"@{event.position}", "dim")), styled((data.id, "")), styled((f"{data.tool} {data.arguments}", ""))


if __name__ == "__main__":
    sys.exit(main(["log", *sys.argv[1:]]))
