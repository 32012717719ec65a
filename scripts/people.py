"""`callboard people`: what waits for a person in a log, what people decide of it, and the end of a request."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter
from pydantic import JsonValue
from rich.console import RenderableType

from callboard.actors import cancelling, inbox, settle
from callboard.actors import people as loop
from callboard.actors.commands import Outcome
from callboard.actors.outside import Outside
from callboard.actors.people import Awaited
from callboard.actors.ref import USER, checked_key
from callboard.events import LogInUse, SQLiteStore
from callboard.projections import pending as all_pending
from callboard.projections import replay
from callboard.projections.paths import named_by
from callboard.scripts.border import FINE, FOUND
from callboard.scripts.log import owned, taken_up, wait_for
from callboard.scripts.main import main
from callboard.scripts.screen import columns, moment, one_line, print_json, show, styled

people = App(name="people", help="Decide what waits for a person; cancel a request.", help_format="plaintext")

HOW = {
    "approval": "callboard people approve LOG CALL, or deny LOG CALL REASON",
    "question": "callboard people answer LOG CALL TEXT",
    "limit": "callboard people approve LOG CALL, or deny LOG CALL REASON",
    "doubt": "callboard log resolve LOG CALL --returned TEXT | --failed TEXT | --retry",
}
"""The command that decides each kind."""


@people.command
async def pending(log: str, /, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> int:
    """List the calls that wait for a person; exit code 1 if there are any.

    Parameters
    ----------
    log
        The log: a file.
    as_json
        Print JSON.
    """
    async with SQLiteStore.open(log, mode="read") as store:
        found = await _waiting(store)
    if as_json:
        print_json({"waiting": [_shape(one) for one in found]})
    elif found:
        show(columns(*(_line(one) for one in found)))
        show(*(styled((HOW[kind], "dim")) for kind in HOW if any(one.kind == kind for one in found)))
    else:
        show(styled(("nothing waits for a person", "dim")))
    return FOUND if found else FINE


@people.command
async def approve(log: str, call: str, /, *, digest: str = "", by: str = USER, key: str | None = None) -> int:
    """Let a call begin, once, with the arguments that it has.

    While a process has the log open, it takes this up; else it is recorded at once, and the call begins when the
    log is opened next. So with all decisions.

    Parameters
    ----------
    log
        The log: a file.
    call
        The id of the call, or the end of it.
    digest
        What was looked at, as `pending --json` has it: with other arguments, nothing is approved.
    by
        Who decides; it is recorded.
    key
        Names this decision: given twice, it counts once.
    """
    return await _decide(log, call, "approved", "", by, key, digest)


@people.command
async def deny(log: str, call: str, reason: str, /, *, digest: str = "", by: str = USER, key: str | None = None) -> int:
    """Refuse to let a call begin; its model is told why.

    Parameters
    ----------
    log
        The log: a file.
    call
        The id of the call, or the end of it.
    reason
        Why; the model reads it.
    digest, by, key
        As for `approve`.
    """
    return await _decide(log, call, "refused", reason, by, key, digest)


@people.command
async def answer(log: str, call: str, text: str, /, *, by: str = USER, key: str | None = None) -> int:
    """Answer a question of an agent.

    Parameters
    ----------
    log
        The log: a file.
    call
        The id of the call that asks, or the end of it.
    text
        The answer; where there are options, one of them.
    by, key
        As for `approve`.
    """
    return await _decide(log, call, "answered", text, by, key, "")


@people.command
async def cancel(log: str, trace: str, /, *, by: str = USER) -> int:
    """End a request and all that it caused.

    While a process has the log open, it does this; else it is recorded at once, and carried out when the log is
    opened next.

    Parameters
    ----------
    log
        The log: a file.
    trace
        The request; `callboard trace LOG` lists them.
    by
        Who cancels; it is recorded.
    """
    loop.checked_name(by)
    try:
        async with owned(log) as store:
            places = await settle.cancel(store, trace, by)
    except LogInUse as owner:
        async with SQLiteStore.open(log, mode="read") as store:
            if not cancelling.ends(await replay(store, all_pending), trace):
                raise cancelling.nothing_open(trace) from None
        await wait_for(inbox.put(log, inbox.End(key=Outside().key(), trace=trace, by=by)), f"cancelling {trace}", owner)
        return FINE
    show(styled((f"cancelling {trace} at {places} places; it ends when the log is opened next", "")))
    return FINE


async def _decide(log: str, call: str, outcome: Outcome, text: str, by: str, key: str | None, digest: str) -> int:
    name = Outside().key() if key is None else checked_key(key)
    async with SQLiteStore.open(log, mode="read") as store:
        known = await _known(store, call)
        id, seen = (call, "") if known is None else (known.call, known.digest)
        command = inbox.Decide(key=name, call=id, outcome=outcome, text=text, by=by, digest=digest or seen)
        await loop.checked(store, loop.states_in(store), command)
    done = f"{outcome} {id}"
    try:
        async with owned(log) as store:
            await settle.decide(store, command)
    except LogInUse as owner:
        if await taken_up(inbox.put(log, command), owner):
            async with SQLiteStore.open(log, mode="read") as store:
                await loop.recorded(store, command)
            show(styled((f"{done}; {owner.owner} goes on with it", "")))
        return FINE
    show(styled((f"{done}; its agent goes on when the log is opened next", "")))
    return FINE


async def _waiting(store: SQLiteStore) -> list[Awaited]:
    items = (await replay(store, all_pending)).awaiting()
    return await loop.awaited(store, items, loop.states_in(store))


async def _known(store: SQLiteStore, call: str) -> Awaited | None:
    """Return the waiting call that `call` names; None where it is the whole id of one that waits no more."""
    found = await _waiting(store)
    if loop.stream_of(call) and not any(named_by(one.call, call) for one in found):
        return None
    return loop.named(found, call)


def _shape(one: Awaited) -> dict[str, JsonValue]:
    return {
        "call": one.call,
        "kind": one.kind,
        "agent": one.agent,
        "tool": one.tool,
        "arguments": one.arguments,
        "attempt": one.attempt,
        "digest": one.digest,
        "question": one.question,
        "options": list(one.options),
        "note": one.note,
        "since": one.since.isoformat(),
        "position": one.position,
    }


def _line(one: Awaited) -> tuple[RenderableType, ...]:
    said = one_line(one.question or f"{one.tool} {one.arguments}", 500)
    options = f" ({one_line(' | '.join(one.options), 200)})" if one.options else ""
    note = f" (asked since {one_line(one.note, 200)})" if one.note else ""
    return (
        styled((f"@{one.position}", "dim")),
        styled((moment(one.since), "dim")),
        styled((one.kind, "yellow")),
        styled((one.call, "")),
        styled((f"{said}{options}{note}", "")),
    )


if __name__ == "__main__":
    sys.exit(main(["people", *sys.argv[1:]]))
