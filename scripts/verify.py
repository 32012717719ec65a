"""`callboard verify`: everything that can be checked of a log, from its file alone."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue

from callboard.events import LogDamaged, NotALog, SQLiteStore
from callboard.events.anchor import BrokenAnchor, Head, read_anchor
from callboard.events.rows import Rows, Unreadable, open_rows
from callboard.projections.checks import Checks, Report, Said
from callboard.projections.findings import Finding, Place
from callboard.scripts.border import FINE, FOUND
from callboard.scripts.main import main
from callboard.scripts.screen import many, one_line, print_json, show, styled

SHOWN = 50
"""Findings that are shown."""


async def verify(
    log: str,
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Check a log: that it is whole, unchanged, and holds together.

    Checks the chain, positions, versions, keys, causes, references, pairs, blocks, the anchor, that every
    prompt can be made again, and that every projection folds. Changes nothing. Exit code 1 on a finding.

    Parameters
    ----------
    log
        The log: a file.
    as_json
        Print JSON.
    """
    report = checked(log)
    if not report.findings.count:
        for found in await cached(real(log)):
            report.findings.add(Place(0), "cache", found, "what a fold of the log gives; delete the cache")
    if as_json:
        print_json(shape(report))
    else:
        _show(report)
    return FOUND if report.findings.count else FINE


def checked(log: str) -> Report:
    """Return what a check of the log at `log` comes to; a log that is being written to, up to where it is now.

    Raises:
        LogError: It cannot be read at all, or is no log.
    """
    head, broken = remembered(log)  # before the log is opened: it is never ahead of a whole log
    try:
        with open_rows(log) as rows:
            return _checked(rows, head, broken)
    except (LogDamaged, NotALog) as error:
        if head is None or not head.position or not os.path.isfile(log):
            raise
        return _nothing_left(error.why, head)


def _checked(rows: Rows, head: Head | None, broken: str) -> Report:
    checks = Checks(rows.texts, redacted(rows), head)
    if broken:
        checks.findings.add(Place(0), "anchor", broken, "where the log was at least")
    for found, wanted in rows.schema_faults:
        checks.findings.add(Place(0), "schema", found, wanted)
    if rows.cut is not None:
        checks.findings.add(Place(0), "file", str(rows.cut), "all of it; restore a backup")
    for row in rows.read():
        if isinstance(row, Unreadable):
            checks.unreadable(*row)
        else:
            checks.take(row)
    for fault in rows.faults():
        checks.findings.add(Place(0), "file", f"SQLite says: {fault}", "ok")
    return checks.report()


def _nothing_left(why: str, head: Head) -> Report:
    """Return the report on a file that can be read no more, beside the anchor of the log that it was."""

    def none(stream: str, version: int, *, fresh: bool = False) -> None:
        return None

    checks = Checks(none, none, head)
    checks.findings.add(Place(1), "file", f"no event can be read: {why}", f"the log {head.log_id}; restore a backup")
    return checks.report()


def real(log: str) -> str:
    """Return the one name of `log`, beside which its anchor and its cache are."""
    return os.path.realpath(log)


async def cached(log: str) -> list[str]:
    """Return what the cache beside a whole log holds otherwise than the log gives it."""
    try:
        module = import_module("callboard.actors.cache_findings")
    except ModuleNotFoundError:  # this callboard keeps no cache
        return []
    async with SQLiteStore.open(log, mode="read") as store:
        return await module.cache_findings(log, store)


def remembered(log: str) -> tuple[Head | None, str]:
    """Return where the log at `log` was at least, as far as its anchor says; and what is wrong with that."""
    try:
        return read_anchor(real(log)), ""
    except (BrokenAnchor, OSError) as error:
        return None, str(error)


def redacted(rows: Rows) -> Said:
    """Return what gives the salted hash of the texts that a log had redacted by now."""
    known: dict[tuple[str, int], bytes] = {}

    def read() -> None:
        for data in rows.data_of("system", "EventRedacted"):
            match data:
                case {"stream": str(stream), "version": int(version), "said": str(said)}:
                    known[stream, version] = _bytes(said)
                case _:
                    pass

    def said(stream: str, version: int, *, fresh: bool = False) -> bytes | None:
        if fresh and (stream, version) not in known:
            read()
        return known.get((stream, version))

    read()
    return said


def _bytes(hexadecimal: str) -> bytes:
    try:
        return bytes.fromhex(hexadecimal)
    except ValueError:
        return b""


def shape(report: Report) -> dict[str, JsonValue]:
    """Return a report as JSON, its first findings with it. Pure."""
    kept = report.findings.kept[:SHOWN]
    return {
        "events": report.events,
        "streams": report.streams,
        "requests": report.requests,
        "open": report.open,
        "in_doubt": report.in_doubt,
        "prompts": report.prompts,
        "prompts_without_text": report.untold,
        "redacted": report.redacted,
        "losses_accepted": report.losses,
        "findings_in_all": report.findings.count,
        "findings": [_finding(finding) for finding in kept],
    }


def _finding(finding: Finding) -> dict[str, JsonValue]:
    return {
        "position": finding.position,
        "where": finding.where,
        "check": finding.check,
        "found": finding.found,
        "wanted": finding.wanted,
    }


def _show(report: Report) -> None:
    findings = report.findings
    show(styled((_summary(report), "bold" if findings.count else "green")))
    for finding in findings.kept[:SHOWN]:
        place = f"{finding.position} {finding.where}".strip() if finding.position else "log"
        found, wanted = one_line(finding.found, 160), one_line(finding.wanted, 160)
        show(styled((place, "bold cyan"), (f" {finding.check}: ", "yellow"), found, ("; wanted: ", "dim"), wanted))
    if findings.count > SHOWN:
        show(styled((f"and {findings.count - SHOWN:,} more", "dim")))


def _summary(report: Report) -> str:
    facts = [
        many(report.events, "event"),
        many(report.streams, "stream"),
        many(report.requests, "request"),
        f"{report.open:,} open",
        f"{report.in_doubt:,} in doubt",
        f"{report.redacted:,} redacted",
        f"{report.losses:,} losses accepted",
    ]
    verdict = many(report.findings.count, "finding") if report.findings.count else "whole"
    return f"{verdict}: {', '.join(facts)}"


if __name__ == "__main__":
    sys.exit(main(["verify", *sys.argv[1:]]))
