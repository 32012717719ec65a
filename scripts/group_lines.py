"""What a group does, as lines of a transcript: choices, tasks, handoffs, failures, background work."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from callboard.actors.patterns import handoff, sleeptime, supervisor, voice
from callboard.events import Event
from callboard.events.catalog import (
    ChoiceMade,
    JobFailed,
    JobFinished,
    JobStarted,
    MemberFailed,
    ToolCallRequested,
)
from callboard.projections.answer import Answer
from callboard.projections.words import name_of
from callboard.scripts.screen import one_line

REASON = 200
"""Characters that are shown of a reason."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line under whoever it is about.

    Attributes:
        turn: Id of the turn that it belongs to.
        kind: What it is, in a word.
        failed: Whether something went wrong.
    """

    name: str
    turn: str
    kind: str
    text: str
    failed: bool = False


def line_of(stream: str, event: Event) -> Line | None:
    """Return how an event of a group is shown; None where it is not. Pure."""
    match event:
        case ChoiceMade(id=id, turn=turn, by=by, tool=tool):
            return Line(by or name_of(stream), f"{id}/{turn}/{by}" if by else id, tool, _choice(event))
        case MemberFailed(id=id, turn=turn, member=member) if text := _remedy(event):
            return Line(member, f"{id}/{turn}/{member}", "then", text, event.then == "fail")
        case JobStarted(id=id):
            return Line(id.rpartition("/")[2], id, "job", "works in the background on what was said")
        case JobFinished(id=id):
            return Line(id.rpartition("/")[2], id, "job", "completed")
        case JobFailed(id=id, text=text):
            return Line(id.rpartition("/")[2], id, "job", f"failed: {text}", failed=True)
        case _:
            return None


def _choice(made: ChoiceMade) -> str:
    chosen = made.choice or "nothing"
    if made.read == "prose":
        return f"{chosen} (read from the text)"
    why = f"the answer {made.reason}" if made.reason.startswith("names ") and made.read == "fallback" else made.reason
    return f"{chosen}: {one_line(why, REASON)}" if why else chosen


def _remedy(failed: MemberFailed) -> str:
    match failed.then:
        case "retry":
            return "asked once more"
        case "reroute":
            return f"{failed.to} is asked instead"
        case "standby":
            return f"{failed.to} takes its place"
        case "fail":
            return "so the whole request fails"
        case _:
            return ""


def ending_text(requested: ToolCallRequested) -> str:
    """Return what a call says that ended its turn; nothing of a choice, which is an event of its own. Pure."""
    given = _arguments(requested)
    match requested.tool:
        case supervisor.DELEGATE if given:
            return f"{given.get('worker')}: {given.get('task')}"
        case supervisor.BROADCAST if given:
            return f"everybody: {given.get('message')}"
        case handoff.TOOL if given:
            return f"{given.get('to')}: {given.get('reason')}; {given.get('message')}"
        case sleeptime.FINISH | voice.FINISH:
            return "the memory is up to date"
        case _:
            return "" if "choice" in given else one_line(str(requested.arguments), REASON) or "{}"


def _arguments(requested: ToolCallRequested) -> dict[str, JsonValue]:
    try:
        found = json.loads(str(requested.arguments))
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, JsonValue]", found) if isinstance(found, dict) else {}


# -- what came of it --------------------------------------------------------------------------------


def summary(answer: Answer) -> list[str]:
    """Return what an answer holds besides its text, as lines for people. Pure."""
    lines: list[str] = []
    match answer.data:
        case {"counts": dict(counts), "abstained": list(abstained)}:
            votes = [f"{option} {count}" for option, count in counts.items()] or ["none"]
            without = [f"abstained: {', '.join(str(name) for name in abstained)}"] if abstained else []
            lines.append(" · ".join([f"votes: {', '.join(votes)}", *without]))
        case {"results": list(results)}:
            failed = [str(one["agent"]) for one in results if isinstance(one, dict) and one.get("status") == "error"]
            lines += [f"without an answer: {', '.join(failed)}"] if failed else []
        case {"failed": dict(failed)} if failed:
            lines.append(f"stages that failed: {', '.join(failed)}")
        case {"active": str(active)} if active:
            lines.append(f"the next message goes to {active}")
        case _:
            pass
    for job in answer.jobs:
        goes_on = job.status in ("scheduled", "running")
        status = "not done yet; it goes on at the next run" if goes_on else job.status
        lines.append(f"background work of {job.member}: {status}")
    return lines
