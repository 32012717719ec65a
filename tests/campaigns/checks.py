"""Whether the ledgers and the log agree, asked of SQLite alone."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

from callboard.scripts import audit

from .ledgers import ACKNOWLEDGED, ANSWERED, ASKED, LOG, RAN, noted
from .server import look

_EVENTS = "SELECT position, stream, version, type, json_extract(data, '$.id') FROM events ORDER BY position"


def disagreements(folder: Path) -> list[str]:
    """Return what the log of a finished case does not say as the ledgers do."""
    return [*lost(folder), *unrecorded(folder), *repeated(folder), *audited(folder / LOG)]


def lost(folder: Path) -> list[str]:
    """Return what was acknowledged and is not in the log, and what was refused and is."""
    rows = look(folder / LOG, _EVENTS)
    held = {(stream, version): (position, type, id or "") for position, stream, version, type, id in rows}
    found: list[str] = []
    lines = noted(folder / ACKNOWLEDGED)
    known = {(line["stream"], line["version"]) for line in lines if "position" in line}
    for line in lines:
        if "failed" in line:
            place = (line["stream"], line["after"] + 1)
            if line["failed"] == "OutcomeUnknown":
                known.add(place)  # from then on; whoever tries again does not know of the first time either
            if line["failed"] == "AppendRejected" and place in held and place not in known:
                found.append(f"rejected, and written: {line}")
        elif "wrong" in line:
            found.append(line["wrong"])
        elif "position" in line:
            fact = (line["position"], line["type"], line["id"])
            if held.get((line["stream"], line["version"])) != fact:
                found.append(f"acknowledged and lost: {line}")
    answers: dict[str, set[str]] = {}
    for line in noted(folder / ANSWERED):
        answers.setdefault(line["id"], set()).add(line["text"])
    return found + [f"answers of {id}: {texts}" for id, texts in answers.items() if len(texts) > 1]


def unrecorded(folder: Path) -> list[str]:
    """Return the requests that a model server saw and the log did not hold, or held as finished."""
    asked = noted(folder / ASKED)
    found = [f"asked before it was recorded: {line['id']}" for line in asked if not line["started"]]
    found += [f"asked again: {line['id']}" for line in asked if line["finished"]]
    seen = Counter((line["id"], line["attempt"]) for line in asked)
    return found + [f"asked {n} times: {attempt}" for attempt, n in seen.items() if n > 1]


def repeated(folder: Path) -> list[str]:
    """Return the tools that ran twice and may run once, or have a result and never ran, or were never wanted."""
    ran = Counter(line["of"] for line in noted(folder / RAN))
    rows = look(
        folder / LOG,
        "SELECT json_extract(data, '$.id'), coalesce(json_extract(data, '$.effect'), 'once') FROM events"
        " WHERE type = 'ToolCallRequested'",
    )
    once = {id for id, effect in rows if effect == "once"}
    finished = {id for (id,) in look(
        folder / LOG, "SELECT json_extract(data, '$.id') FROM events WHERE type = 'ToolCallFinished'"
    )}  # fmt: skip
    found = [f"ran {n} times: {call}" for call, n in ran.items() if call in once and n > 1]
    found += [f"ran and was not wanted: {call}" for call in ran.keys() - {id for id, _ in rows}]
    started = {id for (id,) in look(
        folder / LOG, "SELECT json_extract(data, '$.id') FROM events WHERE type = 'ToolCallStarted'"
    )}  # fmt: skip
    return found + [f"finished and did not run: {call}" for call in finished & started - ran.keys()]


def audited(log: Path) -> list[str]:
    """Return what the independent audit finds."""
    return [f"audit: {finding}" for finding in audit.audited(str(log)).findings]


def unacknowledged(folder: Path) -> int:
    """Return how many events the log of a case holds that nobody has been told of."""
    if not (folder / LOG).exists():
        return 0
    told = {line["position"] for line in noted(folder / ACKNOWLEDGED) if "position" in line}
    try:
        rows = look(folder / LOG, "SELECT position, stream FROM events")
    except sqlite3.OperationalError:  # killed before there was a table
        return 0
    return len({position for position, stream in rows if stream != "system"} - told)
