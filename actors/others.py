"""The border to others' code: whatever it raises is an outcome, and only a true cancellation goes through."""

from __future__ import annotations

import anyio


class ToolFailed(Exception):
    """What a model is told of a call that gave no result. Never leaves the actor."""


def words_of(error: BaseException) -> str:
    """Return what kind of error this is and what it says, even if it cannot say it."""
    try:
        said = str(error)
    except BaseException as worse:  # others' code, too
        said = f"(saying why failed with {type(worse).__name__})"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def is_ours(error: BaseException) -> bool:
    """Return whether `error` ends the task that it came through, and so is nothing that others' code raised by itself.

    A task that is cancelled has a scope around it that says so. Where no loop runs, a coroutine is being thrown away.
    """
    if isinstance(error, Exception):
        return False
    try:
        return anyio.current_effective_deadline() == -float("inf")
    except RuntimeError:
        return True
