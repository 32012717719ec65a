"""What a command ends with: an exit code, and at most a few plain lines on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO, cast

from cyclopts import CycloptsError

from callboard.events import CallboardError, ModelError, RequestFailed
from callboard.scripts.screen import harmless

FINE, FOUND, UNUSABLE, PIPE_CLOSED, INTERRUPTED = 0, 1, 2, 141, 130
"""Exit codes: all went well; a finding, or a request that failed; bad use, or a log that cannot be used; and
those that shells know for a reader that went away and for Ctrl-C."""


class BadUse(CallboardError):
    """A command line that asks for what cannot be."""


def guarded(work: Callable[[], object]) -> int:
    """Run `work` and return the exit code: what it returns, or that of the error it ends with, said on stderr."""
    if cast(TextIO | None, sys.stdout) is None:  # whoever called closed it
        sys.stdout = open(os.devnull, "w")
    try:
        code = work()
        sys.stdout.flush()
        return code if isinstance(code, int) else FINE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the last flush says it again
        return PIPE_CLOSED
    except BaseExceptionGroup as group:
        return _failed(_first(group))
    except Exception as error:  # the end of the program: nobody above can do more than print it
        return _failed(error)


def _failed(error: BaseException) -> int:
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED
        case CycloptsError():
            say(f"{error}\nsee callboard --help")
        case CallboardError() | OSError():
            say(str(error) or type(error).__name__)
        case _:
            say(f"this is a fault in callboard itself, please report it: {_where(error)}")
    return FOUND if isinstance(error, RequestFailed | ModelError) else UNUSABLE


def say(text: str) -> None:
    """Print an error for people, each line harmless to a terminal."""
    print(f"callboard: {harmless(text).strip()}", file=sys.stderr)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what the group is about: an error of ours before others."""
    ours, _ = group.split(CallboardError)
    error: BaseException = ours or group
    while isinstance(error, BaseExceptionGroup):
        error = cast(BaseException, error.exceptions[0])
    return error


def _where(error: BaseException) -> str:
    place, trace = "", error.__traceback__
    while trace is not None:
        place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{place}"
