"""The cache beside a log: what was derived from it, as bytes. Never needed, and deletable at any moment.

It is a folder, `<log>.cache`, with a file for each entry, each put there whole by a rename. So no two of them
depend on each other, a process that is killed leaves the old or the new one, and whoever deletes the folder while
a team runs deletes all there is. Nothing is synced: what a power cut damages does not fit its own hash.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from glob import escape, glob
from hashlib import blake2b
from typing import Protocol

import anyio.to_thread
from anyio import CapacityLimiter
from pydantic_core import from_json, to_json

EVERY = 500
"""Events of one stream after which what is kept of it is worth writing again."""

_SUFFIX, _UNFINISHED = ".entry", ".new"
_HEX = 32


class Cache(Protocol):
    """Where entries are kept, by name. Knows bytes only."""

    @property
    def every(self) -> int:
        """Events of one stream after which what is kept of it is worth writing again."""
        ...

    async def read(self, name: str) -> bytes | None:
        """Return the entry `name`; None where there is none that can be read."""
        ...

    async def write(self, name: str, made: Callable[[], bytes]) -> None:
        """Put what `made` returns in the place of the entry `name`; `made` may run in another thread.

        Raises:
            OSError: It could not be written; the old entry, or none, is there.
        """
        ...

    async def delete(self, name: str) -> None:
        """Forget the entry `name`."""
        ...

    async def all(self) -> list[bytes]:
        """Return every entry."""
        ...


class MemoryCache:
    """A `Cache` in a dictionary; makes everything at once, in the caller's own thread."""

    def __init__(self, *, every: int = EVERY) -> None:
        """Make an empty cache."""
        self.every = every
        self.entries: dict[str, bytes] = {}

    async def read(self, name: str) -> bytes | None:
        """Return the entry `name`, or None."""
        return self.entries.get(name)

    async def write(self, name: str, made: Callable[[], bytes]) -> None:
        """Put what `made` returns in the place of the entry `name`."""
        self.entries[name] = made()

    async def delete(self, name: str) -> None:
        """Forget the entry `name`."""
        self.entries.pop(name, None)

    async def all(self) -> list[bytes]:
        """Return every entry."""
        return list(self.entries.values())


class FolderCache:
    """A `Cache` in a folder; works in a thread of its own, one entry after another."""

    def __init__(self, folder: str, *, every: int = EVERY) -> None:
        """Name the folder; it is made when the first entry is written."""
        self.every = every
        self._folder = folder
        self._one = CapacityLimiter(1)

    async def read(self, name: str) -> bytes | None:
        """Return the entry `name`; None where there is none that can be read."""
        return await anyio.to_thread.run_sync(_read, self._path(name), limiter=self._one)

    async def write(self, name: str, made: Callable[[], bytes]) -> None:
        """Put what `made` returns in the place of the entry `name`."""
        await anyio.to_thread.run_sync(self._write, self._path(name), made, limiter=self._one)

    async def delete(self, name: str) -> None:
        """Forget the entry `name`."""
        await anyio.to_thread.run_sync(_unlink, self._path(name), limiter=self._one)

    async def all(self) -> list[bytes]:
        """Return every entry."""
        return await anyio.to_thread.run_sync(self._all, limiter=self._one)

    def _path(self, name: str) -> str:
        # Hashed: names differ in case alone where some file systems see one.
        return os.path.join(self._folder, blake2b(name.encode(), digest_size=8).hexdigest() + _SUFFIX)

    def _write(self, path: str, made: Callable[[], bytes]) -> None:
        content, unfinished = made(), path + _UNFINISHED
        if not os.path.isdir(self._folder):
            os.mkdir(self._folder, 0o700)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
                file.write(content)
            os.replace(unfinished, path)
        except OSError:
            _unlink(unfinished)
            raise

    def _all(self) -> list[bytes]:
        try:
            files = sorted(name for name in os.listdir(self._folder) if name.endswith(_SUFFIX))
        except OSError:
            return []
        found = [_read(os.path.join(self._folder, name)) for name in files]
        return [content for content in found if content is not None]


def _read(path: str) -> bytes | None:
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as file:
            return file.read() if stat.S_ISREG(os.fstat(number).st_mode) else None
    except OSError:
        return None


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def folder_of(log: str) -> str:
    """Return where the cache of the log at `log` is: beside the file itself, by whatever name it was called."""
    return f"{os.path.realpath(log)}.cache"


def delete(log: str) -> None:
    """Delete all that begins with the name of the cache of `log`. What owns the log for writing may make it anew.

    Raises:
        OSError: Some of it is still there.
    """
    for path in glob(f"{escape(folder_of(log))}*"):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


@dataclass(frozen=True, slots=True)
class Entry:
    """What was derived from a log, and from which state of which log.

    Attributes:
        place: Version of the stream, or position in the log, up to which it was folded.
        chain: Hash of the event at that place, and so of all before it.
        code: What made it: other code may fold to another state.
    """

    log_id: str
    name: str
    place: int
    chain: bytes
    code: str
    body: bytes


def sealed(entry: Entry) -> bytes:
    """Return `entry` as bytes that know whether they are whole. Pure."""
    head = to_json([entry.log_id, entry.name, entry.place, entry.chain.hex(), entry.code])
    whole = head + b"\n" + entry.body
    return _hash(whole) + b"\n" + whole


def unsealed(content: bytes) -> Entry | None:
    """Return the entry in `content`; None where the bytes are not those that were sealed. Pure."""
    known, _, whole = content.partition(b"\n")
    if known != _hash(whole):
        return None
    head, _, body = whole.partition(b"\n")
    try:
        log_id, name, place, chain, code = from_json(head)
    except ValueError:
        return None
    return Entry(log_id, name, place, bytes.fromhex(chain), code, body)


def _hash(content: bytes) -> bytes:
    return blake2b(content, digest_size=_HEX // 2).hexdigest().encode()
