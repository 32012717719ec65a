"""What a person types, or a pipe brings: a line when it is asked for, so that none is read before its time."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Protocol

import anyio

from callboard.events import TextRefused
from callboard.events.codec import MAX_TEXT

PIECE = 65_536
"""Bytes that are read at once."""


class Source(Protocol):
    """Where lines come from.

    Attributes:
        live: Whether a person types them, and may do so at any time; else each stands ready until it is wanted.
    """

    live: bool

    async def next(self) -> str | None:
        """Return the next line without its end, None after the last.

        Raises:
            TextRefused: It cannot be taken in; the next call gives the line after it.
        """
        ...


class Typed:
    """The lines of an open file, such as a terminal or a pipe; nobody is blocked while none is there."""

    def __init__(self, file: int, *, live: bool = False, most: int = MAX_TEXT) -> None:
        """Read from the file descriptor `file`; a line has at most `most` bytes."""
        self.live = live
        self._file, self._most = file, most
        self._rest, self._searched, self._ended = bytearray(), 0, False

    async def next(self) -> str | None:
        """Return the next line without its end, None after the last.

        Raises:
            TextRefused: It is too long, or no UTF-8; it was passed over.
        """
        passed_over = 0
        while (end := self._rest.find(b"\n", self._searched)) < 0 and not self._ended:
            self._searched = len(self._rest)
            if passed_over or len(self._rest) > self._most:
                passed_over += len(self._rest)
                self._rest, self._searched = bytearray(), 0
            await self._read()
        line = bytes(self._rest if end < 0 else self._rest[:end])
        self._rest, self._searched = self._rest[len(line) + 1 :], 0
        if passed_over or len(line) > self._most:
            size = passed_over + len(line)
            raise TextRefused(f"the line has {size:,} bytes, and {self._most:,} are the most; it was passed over")
        if not line and end < 0:
            return None
        try:
            return line.decode().removesuffix("\r")
        except UnicodeDecodeError as error:
            raise TextRefused(f"the line is not UTF-8 at byte {error.start:,}; it was passed over") from None

    async def _read(self) -> None:
        with suppress(PermissionError):  # what is no terminal, pipe or socket makes nobody wait
            await anyio.wait_readable(self._file)
        piece = os.read(self._file, PIECE)
        self._rest += piece
        self._ended = not piece


def standard_input() -> Typed:
    """Return the lines of standard input.

    Raises:
        TextRefused: There is none.
    """
    if sys.stdin is None:
        raise TextRefused("there is no standard input to read lines from")
    return Typed(sys.stdin.fileno(), live=sys.stdin.isatty())
