"""Groups and how those in them fare, as JSON. Public like all shapes. All functions are pure."""

from __future__ import annotations

from pydantic import JsonValue

from .group import GroupState
from .group_shapes import Shape
from .health import Health, HealthTable
from .shapes import group_shape, time_shape


def kind_of(state: GroupState) -> str:
    """Return the kind of pattern of a group, such as `RoundRobin`."""
    return state.spec.pattern.code.rpartition(":")[2] if state.spec else ""


def open_requests(state: GroupState) -> int:
    """Return how many requests a group has not answered, those that wait included."""
    return len(state.desk.backlog) + (state.desk.turn is not None)


def people(state: GroupState, table: HealthTable) -> list[tuple[str, str]]:
    """Return (stream, role) of all who work or worked for a group, itself first.

    A role is `group`, `manager`, `standby`, `member`, or `left` for who was asked once and is not here now.
    """
    assert state.spec is not None
    spec, own = state.spec, f"group-{state.spec.name}"
    found = {own: "group"}
    for stream, role in ((spec.manager, "manager"), *((one, "standby") for one in spec.standby)):
        if stream:
            found.setdefault(stream, role)
    for use in spec.members:
        found.setdefault(use.stream, "member")
    for sender, asked in table.pairs:
        if sender == own:
            found.setdefault(asked, "left")
    return list(found.items())


def group_listing_shape(state: GroupState) -> Shape:
    """Return a group of the listing."""
    assert state.spec is not None
    return {
        "name": state.spec.name,
        "description": state.spec.description,
        "kind": kind_of(state),
        "phase": state.phase,
        "members": [*state.members],
        "manager": state.manager,
        "open": open_requests(state),
        "answered": state.answered,
    }


def group_health_shape(state: GroupState, table: HealthTable) -> Shape:
    """Return a group, how those in it fare, and how long each pair took, the longest in all first."""
    everybody = people(state, table)
    health: list[JsonValue] = [
        {"stream": stream, "role": role, **health_shape(table.of(stream))} for stream, role in everybody
    ]
    return {
        **group_listing_shape(state),
        "state": group_shape(state),
        "health": health,
        "pairs": [_pair(table, pair) for pair in table.slowest(*(stream for stream, _ in everybody))],
    }


def health_shape(health: Health) -> Shape:
    """Return how one agent or group fares."""
    return {
        "answered": health.answered,
        "failed": health.failed,
        "cancelled": health.cancelled,
        "failures_in_a_row": health.failures,
        "last_answered": time_shape(health.last_answered),
        "last_failed": time_shape(health.last_failed),
        "mean_seconds": _rounded(health.mean_waited),
        "last_seconds": _rounded(health.last_waited),
        "mean_work_seconds": _rounded(health.mean_worked),
        "last_work_seconds": _rounded(health.last_worked),
        "restarts": health.restarts,
        "backlog": health.backlog,
        "open": health.open or None,
        "awaits_people": [
            {"call": call, "for": wait.about, "tool": wait.tool, "since": time_shape(wait.since)}
            for call, wait in health.awaits.items()
        ],
    }


def _pair(table: HealthTable, pair: tuple[str, str]) -> Shape:
    one = table.pairs[pair]
    return {
        "sender": pair[0],
        "recipient": pair[1],
        "count": one.count,
        "failed": one.failed,
        "seconds": round(one.seconds, 6),
        "mean_seconds": round(one.mean, 6),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
