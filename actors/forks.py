"""A tool that forks: its child may do what it likes, but never comes back into the system that its parent runs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn
from weakref import WeakValueDictionary

from .others import ToolFailed, words_of

CODE = 70
"""Exit code of a child that came back from the tool that forked it."""

SAID = b"callboard: a tool forked, and its child came back from the tool; it ends here, the parent goes on\n"

_loops: WeakValueDictionary[int, asyncio.AbstractEventLoop] = WeakValueDictionary()
"""The loop that tools run on, by its thread."""


def noted() -> int:
    """Note that a tool begins on the loop of this thread; return the process that it begins in."""
    _loops[threading.get_ident()] = asyncio.get_running_loop()
    return os.getpid()


def end_child(process: int) -> None:
    """End this process, unless it is `process`: then a tool has forked it."""
    if os.getpid() != process:
        _end()


def alone(function: Callable[..., Any], arguments: Sequence[object], values: Mapping[str, object]) -> Any:
    """Call `function` in a worker thread; a child that it forks there ends with it.

    Raises:
        ToolFailed: It raised what is no `Exception`: on the loop, some of these would end more than this call.
    """
    process = os.getpid()
    try:
        return function(*arguments, **values)
    except Exception:
        raise
    except BaseException as error:
        raise ToolFailed(words_of(error)) from error
    finally:
        end_child(process)


def _end() -> NoReturn:
    os.write(2, SAID)
    os._exit(CODE)  # without what the parent has left to do at its end


def _in_child() -> None:
    """See that a child that waits for anything, and so gives the loop back, ends before all that is ready there."""
    loop = _loops.get(threading.get_ident())
    if loop is None or not loop.is_running():
        return
    loop.call_soon(_end)
    ready = getattr(loop, "_ready", None)
    if isinstance(ready, deque):
        ready.rotate(1)  # type: ignore[reportUnknownMemberType]


os.register_at_fork(after_in_child=_in_child)
