"""Groups on a terminal: a listing, and one group with the health of those in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from callboard.projections import GroupState
from callboard.projections.health import HealthTable
from callboard.projections.health_shapes import kind_of, open_requests, people
from callboard.projections.spans import WAITS
from callboard.projections.words import name_of
from callboard.scripts.screen import columns, duration, many, moment, one_line, styled
from callboard.scripts.states_groups import PHASES, group_lines


def listing(groups: Sequence[GroupState]) -> Table:
    """Return groups, a line each. Pure."""
    table = _table(("group", "kind", "phase"), ("open",))
    table.add_column("manager", no_wrap=True)
    table.add_column("members", no_wrap=True, overflow="ellipsis", ratio=1, min_width=10)
    for state in groups:
        assert state.spec is not None
        table.add_row(
            styled((state.spec.name, "bold cyan")),
            styled(kind_of(state)),
            styled((state.phase, PHASES.get(state.phase, "yellow"))),
            f"{open_requests(state):,}",
            styled(state.manager),
            styled(one_line(", ".join(state.members), 200)),
        )
    return table


def _table(left: tuple[str, ...], right: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    for title in left:
        table.add_column(title, no_wrap=True)
    for title in right:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def details(state: GroupState, table: HealthTable) -> RenderableType:
    """Return one group, how those in it fare, and who took how long for whom. Pure."""
    assert state.spec is not None
    head = styled((state.spec.name, "bold cyan"), (f"  {many(open_requests(state), 'open request')}", "dim"))
    about = [styled((state.spec.description, "dim"))] if state.spec.description else []
    everybody = people(state, table)
    day = max(_moments(everybody, table), default=None)
    of_day = f"turns; times are of {day.astimezone(UTC):%Y-%m-%d}, UTC" if day else "turns"
    parts: list[RenderableType] = [head, *about, *group_lines(state)]
    parts += [styled(), styled((of_day, "dim")), _turns(everybody, table, day)]
    parts += [styled(), styled(("from a message to its reply, and at work on it", "dim")), _times(everybody, table)]
    if waits := _waits(everybody, table):
        parts += [styled(), styled(("who waits for a person", "dim")), waits]
    pairs = table.slowest(*(stream for stream, _ in everybody))
    if pairs:
        parts += [styled(), styled(("who waited for whom, the longest in all first", "dim")), _pairs(pairs, table)]
    return Group(*parts)


def _turns(everybody: Sequence[tuple[str, str]], table: HealthTable, day: datetime | None) -> Table:
    drawn = _table(("who", "role"), ("answered", "last at", "failed", "in a row", "last at", "waiting"))
    drawn.add_column(ratio=1)
    for stream, role in everybody:
        one = table.of(stream)
        drawn.add_row(
            styled((name_of(stream), "cyan")),
            styled((role, "dim")),
            f"{one.answered:,}",
            _when(one.last_answered, day),
            _bad(one.failed),
            _bad(one.failures),
            _when(one.last_failed, day),
            f"{one.backlog:,}",
            "",
        )
    return drawn


def _moments(everybody: Sequence[tuple[str, str]], table: HealthTable) -> list[datetime]:
    found = [at for stream, _ in everybody for at in (table.of(stream).last_answered, table.of(stream).last_failed)]
    return [at for at in found if at is not None]


def _when(at: datetime | None, newest: datetime | None) -> Text:
    """Return the time of day in UTC, or the day where it is not that of the `newest`."""
    if at is None or newest is None:
        return styled(("never", "dim"))
    at, newest = at.astimezone(UTC), newest.astimezone(UTC)
    return styled(f"{at:%H:%M:%S}" if at.date() == newest.date() else f"{at:%y-%m-%d}")


def _bad(count: int) -> Text:
    return styled((f"{count:,}", "red" if count else "dim"))


def _times(everybody: Sequence[tuple[str, str]], table: HealthTable) -> Table:
    drawn = _table(("who",), ("mean", "last", "at work, mean", "last", "restarts"))
    drawn.add_column("works on", overflow="fold", ratio=1)
    for stream, _ in everybody:
        one = table.of(stream)
        times = (one.mean_waited, one.last_waited, one.mean_worked, one.last_worked)
        drawn.add_row(
            styled((name_of(stream), "cyan")), *map(_time, times), _bad(one.restarts), styled((one.open, "yellow"))
        )
    return drawn


def _time(seconds: float | None) -> Text:
    return styled(("-", "dim")) if seconds is None else styled(duration(seconds))


def _waits(everybody: Sequence[tuple[str, str]], table: HealthTable) -> Table | None:
    rows = [
        (styled((name_of(stream), "cyan")), styled((WAITS[wait.about], "yellow")), styled(wait.tool), styled(call),
         styled((f"since {moment(wait.since)}", "dim")))
        for stream, _ in everybody for call, wait in table.of(stream).awaits.items()
    ]  # fmt: skip
    return columns(*rows) if rows else None


def _pairs(pairs: Sequence[tuple[str, str]], table: HealthTable) -> Table:
    drawn = _table(("who asked", "whom"), ("replies", "failed", "mean", "in all"))
    drawn.add_column(ratio=1)
    for sender, asked in pairs:
        one = table.pairs[sender, asked]
        names = (styled((name_of(sender), "cyan")), styled((name_of(asked), "cyan")))
        drawn.add_row(*names, f"{one.count:,}", _bad(one.failed), duration(one.mean), duration(one.seconds), "")
    return drawn
