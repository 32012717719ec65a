"""Bounds in time, as models and people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from callboard.events import TextRefused
from callboard.events.codec import to_micros

Moment = datetime | date | str | None
"""A time; without a zone it is in UTC. A date alone is the whole day. Empty or None for no bound."""


def moment(value: Moment, what: str, *, end: bool = False) -> int | None:
    """Return `value` in microseconds since 1970, the last one of a day where it is the `end`; None for no bound. Pure.

    Raises:
        TextRefused: It is neither a date nor a time.
    """
    found = _read(value, what) if isinstance(value, str) else value
    match found:
        case None:
            return None
        case datetime():
            return to_micros(found if found.tzinfo else found.replace(tzinfo=UTC))
        case date():
            at = datetime.combine(found, time.max if end else time.min, UTC)
            return to_micros(at)
        case _:
            raise _none(found, what)


def span(start: Moment, end: Moment) -> tuple[int | None, int | None]:
    """Return both bounds in microseconds since 1970; None for no bound. Pure.

    Raises:
        TextRefused: One is neither a date nor a time, or the start is after the end.
    """
    first, last = moment(start, "start"), moment(end, "end", end=True)
    if first is not None and last is not None and first > last:
        raise TextRefused(f"start is {_shown(start)}, which is after end, {_shown(end)}; the earlier one is the start")
    return first, last


def _shown(value: Moment) -> str:
    return repr(value if isinstance(value, str) else str(value))


def _read(text: str, what: str) -> datetime | date | None:
    if not text.strip():
        return None
    for kind in (date, datetime):
        try:
            return kind.fromisoformat(text.strip())
        except ValueError:
            pass
    raise _none(text, what)


def _none(value: object, what: str) -> TextRefused:
    shown = repr(value)[:80]
    return TextRefused(f"{what} is {shown}; a date such as 2026-11-20 or a time such as 2026-11-20T17:30 is wanted")
