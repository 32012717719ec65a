"""How a person at the terminal is asked about a call that waits, and how what they say is understood."""

from __future__ import annotations

from callboard.actors.inbox import Settle
from callboard.actors.people import Awaited
from callboard.actors.system import System
from callboard.events import TextRefused
from callboard.scripts.screen import one_line

SHOWN = 2_000
"""Characters of arguments or of a question that are shown; `/show` shows all."""

NO_REASON = "no reason was given"
"""What a model is told of a refusal without one."""

HOW = {
    "approval": "y, or n and why",
    "question": "the answer",
    "limit": "y, or n and why",
    "doubt": "returned RESULT, failed WHY, or retry",
}
"""What can be said of a call that waits, by what it waits for."""


def asked(one: Awaited, *, full: bool = False) -> str:
    """Return what is asked about a call, as lines. Pure."""
    match one.kind:
        case "approval":
            head, note = f"{one.agent} wants to begin {one.tool}", f"asked since {one.note}" if one.note else ""
            lines = [head, _cut(one.arguments or "{}", full=full), note]
        case "question":
            options = [f"  {number} {option}" for number, option in enumerate(one.options, start=1)]
            lines = [f"{one.agent} asks: {_cut(one.question, full=full)}", *options]
        case "limit":
            lines = [f"{one.agent} reached its limit of {one.tool}: {one.arguments}", "may it spend as much again?"]
        case "doubt":
            head = f"{one.tool} of {one.agent} began, and nobody knows what came of it"
            lines = [head, _cut(one.arguments or "{}", full=full)]
    return "\n".join(filter(None, lines))


def _cut(text: str, *, full: bool) -> str:
    left = len(text) - SHOWN
    return text if full or left <= 0 else f"{text[:SHOWN]} … {left:,} more characters; /show shows them"


def how(one: Awaited) -> str:
    """Return what can be said of it, in a few words. Pure."""
    return "the number of an option, or its text" if one.options else HOW[one.kind]


async def decide(system: System, one: Awaited, line: str) -> None:
    """Carry out what `line` says of a call that waits; return when it is recorded.

    Raises:
        TextRefused: It says nothing that counts; the call still waits.
        NotWaiting, AlreadyDecided, ApprovalMismatch, NotInDoubt: Meanwhile it was decided, or is another.
    """
    word, _, rest = line.strip().partition(" ")
    match one.kind:
        case "approval" | "limit" if word.lower() in ("y", "yes") and not rest:
            await system.approve(one)
        case "approval" | "limit" if word.lower() in ("n", "no"):
            await system.deny(one, rest.strip() or NO_REASON)
        case "question" if line.strip():
            await system.answer(one, _option(one, line.strip()))
        case "doubt" if word in ("returned", "failed") and rest.strip():
            outcome = "returned" if word == "returned" else "failed"
            await system.settle(Settle(key=system.outside.key(), call=one.call, outcome=outcome, text=rest.strip()))
        case "doubt" if word == "retry" and not rest:
            await system.settle(Settle(key=system.outside.key(), call=one.call, outcome="retry"))
        case _:
            found = repr(one_line(line, 60)) if line.strip() else "an empty line"
            raise TextRefused(f"{found} decides nothing; say {how(one)}")


def _option(one: Awaited, line: str) -> str:
    """Return the option that is meant, by its text or else its number. Pure."""
    if line in one.options or not line.isdecimal() or len(line) > 4:
        return line
    number = int(line)
    return one.options[number - 1] if 1 <= number <= len(one.options) else line
