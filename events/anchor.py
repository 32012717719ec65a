"""The anchor beside a log: where its head was, so that a log that lost its end cannot pass for whole.

`<log>.anchor` is 8,192 bytes of text: two slots, one line in each, at 0 and at 4,096, so that no sector of a
disk holds both. They are written alternately, and the line with the greatest (epoch, position) counts:

    callboard log <log_id> epoch <n> position <n> chain <32 hex digits, or -> crc32 <8 hex digits>

The checksum is over all of the line before its own eight digits. A log without events is at position 0.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from zlib import crc32

SLOT, LINE = 4096, 256
"""Bytes from one line to the next, and of a line with its spaces and its end."""

_LINE = re.compile(r"(callboard log (\S+) epoch (\d+) position (\d+) chain ([0-9a-f]{32}|-) crc32 )([0-9a-f]{8}) *")


class Head(NamedTuple):
    """The newest event of a log, as far as its writer of this `epoch` knew."""

    log_id: str
    epoch: int
    position: int
    chain: bytes


class BrokenAnchor(ValueError):
    """Neither line of an anchor can be read."""


class Anchor:
    """The anchor of the log at `log`, for its writer. Nothing is opened until `begin` or `go_on`."""

    def __init__(self, log: str) -> None:
        self._path, self._file, self._slot = anchor_of(log), -1, 0

    def begin(self, head: Head) -> None:
        """Put a whole new anchor where one or none was; it is there when this returns, also after a power cut."""
        fresh = f"{self._path}.new"
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self.close()
        self._file = os.open(fresh, flags, 0o600)
        slot = line(head).ljust(SLOT - 1) + b"\n"
        _write(self._file, slot * 2, 0)
        os.fsync(self._file)
        os.rename(fresh, self._path)
        sync_folder(self._path)

    def go_on(self) -> None:
        """Open the anchor that is there; the line that counts is the last to be written over."""
        self.close()
        self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        first, second = (_age(head) for head in _heads(os.pread(self._file, 2 * SLOT, 0)))
        self._slot = 0 if first < second else 1

    def write(self, head: Head) -> None:
        """Say that the log has come to `head`. It survives this process; a power cut only after `sync`.

        Raises:
            OSError: It could not be written.
        """
        _write(self._file, line(head), self._slot * SLOT)
        self._slot = 1 - self._slot

    def sync(self) -> None:
        """Make what was written survive a power cut.

        Raises:
            OSError: Nobody knows what is on the disk now; write it again.
        """
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def anchor_of(log: str) -> str:
    """Return where the anchor of `log` is."""
    return f"{log}.anchor"


def line(head: Head) -> bytes:
    """Return what the anchor says of `head`. Pure."""
    log_id, epoch, position, chain = head
    text = f"callboard log {log_id} epoch {epoch} position {position} chain {chain.hex() or '-'} crc32 "
    return f"{text}{crc32(text.encode()):08x}".ljust(LINE - 1).encode() + b"\n"


def read_anchor(log: str) -> Head | None:
    """Return the newest head that the anchor of `log` names; None where there is no anchor.

    Raises:
        BrokenAnchor: It names none.
        OSError: It may not be read.
    """
    try:
        file = os.open(anchor_of(log), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        heads = [head for head in _heads(os.pread(file, 2 * SLOT, 0)) if head is not None]
    finally:
        os.close(file)
    if not heads:
        raise BrokenAnchor(f"neither line of {anchor_of(log)} can be read")
    return max(heads, key=_age)


def sync_folder(path: str) -> None:
    """Make the name `path` survive a power cut."""
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _age(head: Head | None) -> tuple[int, int]:
    """Return what orders the lines: by the epoch first, since a writer that was taken over may write once more."""
    return (-1, -1) if head is None else (head.epoch, head.position)


def _heads(data: bytes) -> list[Head | None]:
    return [_head(data[at : at + SLOT]) for at in (0, SLOT)]


def _head(slot: bytes) -> Head | None:
    found = _LINE.fullmatch(slot.split(b"\n", 1)[0].decode("ascii", errors="replace"))
    if found is None or int(found[6], 16) != crc32(found[1].encode()):
        return None
    chain = b"" if found[5] == "-" else bytes.fromhex(found[5])
    return Head(found[2], int(found[3]), int(found[4]), chain)


def _write(file: int, data: bytes, at: int) -> None:
    if (written := os.pwrite(file, data, at)) != len(data):
        raise OSError(f"only {written} of {len(data)} bytes were written")
