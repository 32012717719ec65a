"""Who never has its turn: a member of a group, or a message in a backlog. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callboard.projections.words import name_of

from .case import Queue, Turn, Waits
from .symptom import Symptom, Thresholds, latest

REMEMBERED = 512
"""Turns of one agent or group that are remembered while something waits there."""


def left_out(
    turn: Turn, trace: str, group: str, member: str, members: Sequence[str], position: int, limits: Thresholds
) -> Iterator[Symptom]:
    """Count a turn that a group gives, and yield who of its members was passed over too long, if anybody was."""
    if member not in members:
        return
    for one in members:
        turn.word.setdefault(one, turn.given)  # who joins meanwhile has not waited yet
    turn.given += 1
    turn.word[member], turn.last[member] = turn.given, position
    limit = limits.turns_away * len(members)
    for one in members if limit else ():
        count = turn.given - turn.word[one]
        if count >= limit:
            text = (
                f"{name_of(one)} had no turn in {name_of(group)} while {count} turns went to "
                f"the other {len(members) - 1} members"
            )
            positions = (turn.last.get(one, turn.position), position)
            yield Symptom("starvation", trace, (one, group), "member", positions, text, count, limit)


def begun(queue: Queue, trace: str, id: str, stream: str, position: int, limits: Thresholds) -> Iterator[Symptom]:
    """Count a turn that was begun, and yield that another message waits too long meanwhile, if it does."""
    queue.waiting.pop(id, None)
    queue.begun.append(trace)
    if len(queue.begun) > REMEMBERED:
        queue.dropped += 1
        del queue.begun[0]
    if queue.told or not limits.waiting:
        return
    first = next((one for one in queue.waiting.values() if one.trace != trace), None)
    count = _since(queue, first, trace) if first else 0
    if first and count >= limits.waiting:
        queue.told = True
        name = name_of(stream)
        text = f"a message waits for {name} while {name} had {count} turns of the request {trace}"
        positions = latest([first.position, position])
        yield Symptom("starvation", first.trace, (stream,), "backlog", positions, text, count, limits.waiting)


def _since(queue: Queue, message: Waits, trace: str) -> int:
    return queue.begun[max(message.after - queue.dropped, 0) :].count(trace)
