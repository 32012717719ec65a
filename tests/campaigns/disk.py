"""A disk as it may be found after a power cut: what was synced, and of the rest whatever chance left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

SECTOR = 512
"""Bytes that a disk writes in one go."""

TRACED = (
    "openat,pwrite64,write,writev,pwritev,fsync,fdatasync,ftruncate,truncate,unlink,unlinkat,rename,renameat,renameat2"
)
"""System calls to record; one that changes a file and is not understood here is an error."""

RECORD = ("-y", "-xx", "-s", "10000000", "-e", f"trace={TRACED}")
"""What strace is told, so that `operations` can read it."""

_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_UNFINISHED = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"|\d+<((?:\\x[0-9a-f]{2})*)>')


@dataclass(frozen=True)
class Operation:
    """One change of one file: `write`, `cut`, `make`, `remove`, `rename`, or `sync` of a file or folder.

    Attributes:
        before: Of a sync: how many operations there were when it began; only they are on the disk when it ends.
    """

    kind: str
    name: str
    at: int = 0
    data: bytes = b""
    before: int = 0


def operations(trace: str, folder: Path) -> list[Operation]:
    """Return what was done in `folder`, in order; the name of the folder itself is empty.

    Locks and shared memory are left out: they are of no use after a restart.
    """
    found, waiting = list[Operation](), dict[str, tuple[str, str, int]]()
    names = set[str]()
    for line in trace.splitlines():
        if match := _UNFINISHED.match(line):
            thread, call, arguments = match.groups()
            waiting[thread] = call, arguments, len(found)
            continue
        if match := _RESUMED.match(line):
            call, start, before = waiting.pop(match[1])
            arguments, result = start + match[2], int(match[3])
        elif match := _LINE.match(line):
            call, arguments, result, before = match[2], match[3], int(match[4]), len(found)
        else:
            continue
        if result >= 0:
            found += _understood(call, arguments, before, str(folder), names)
    return found


def _understood(call: str, arguments: str, before: int, folder: str, names: set[str]) -> Iterator[Operation]:
    said = [bytes.fromhex((a or b).replace("\\x", "")) for a, b in _TEXT.findall(arguments)]
    path = said[0].decode(errors="replace") if said else ""
    if not path.startswith(folder):
        return
    name, numbers = path[len(folder) + 1 :], arguments.rsplit(", ", 1)
    if name.endswith(("-shm", ".lock")):
        return
    match call:
        case "openat" if "O_CREAT" in arguments and name not in names:
            names.add(name)
            yield Operation("make", name)
        case "openat":
            pass
        case "pwrite64":
            yield Operation("write", name, int(numbers[1]), said[1])
        case "write":
            yield Operation("write", name, -1, said[1])
        case "ftruncate":
            yield Operation("cut", name, int(numbers[1]))
        case "fsync" | "fdatasync":
            yield Operation("sync", name, before=before)
        case "unlink":
            names.discard(name)
            yield Operation("remove", name)
        case "rename":
            other = said[1].decode()[len(folder) + 1 :]
            names.discard(name)
            names.add(other)
            yield Operation("rename", name, data=other.encode())
        case _:
            raise ValueError(f"a power cut in the middle of {call} is not understood")


@dataclass
class _File:
    """What is safe of a file, and what was done to it since, as (number, operation)."""

    safe: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, Operation]] = field(default_factory=list[tuple[int, Operation]])


class Disk:
    """Takes operations one by one, and can say at any time what a power cut might leave.

    Names are safe when their folder was synced, and reach the disk in order; contents when their file was,
    and reach it in any order, whole or in sectors.
    """

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._names: dict[str, _File] = {}
        self._changes: list[tuple[int, Operation, _File]] = []
        self._done = 0

    def take(self, operation: Operation) -> None:
        """Do `operation`."""
        number, name = self._done, operation.name
        self._done += 1
        match operation.kind:
            case "make":
                self._files[name] = _File()
                self._changes.append((number, operation, self._files[name]))
            case "remove":
                self._changes.append((number, operation, self._files.pop(name)))
            case "rename":
                file = self._files[operation.data.decode()] = self._files.pop(name)
                self._changes.append((number, operation, file))
            case "sync" if not name:
                while self._changes and self._changes[0][0] < operation.before:
                    _, change, file = self._changes.pop(0)
                    _rename(self._names, change, file)
            case "sync":
                file = self._files[name]
                while file.since and file.since[0][0] < operation.before:
                    _apply(file.safe, file.since.pop(0)[1])
            case _:
                self._files[name].since.append((number, operation))

    def after_a_cut(self, chance: Random) -> dict[str, bytes]:
        """Return a content of the folder that a power cut might leave now."""
        names, luck = dict(self._names), chance.random()
        for _, change, file in self._changes[: chance.randint(0, len(self._changes))]:
            _rename(names, change, file)
        image: dict[str, bytes] = {}
        for name, file in sorted(names.items()):
            content = bytearray(file.safe)
            for _, operation in file.since:
                if chance.random() < luck:
                    _apply(content, operation, chance if chance.random() < 0.3 else None)
            image[name] = bytes(content)
        return image


def _rename(names: dict[str, _File], change: Operation, file: _File) -> None:
    if change.kind != "make":
        names.pop(change.name, None)
    if change.kind != "remove":
        names[change.data.decode() if change.kind == "rename" else change.name] = file


def _apply(content: bytearray, operation: Operation, torn: Random | None = None) -> None:
    """Do what `operation` does; of a write that is `torn` only some sectors."""
    if operation.kind == "cut":
        content[operation.at :] = bytes(max(0, operation.at - len(content)))
        return
    at = operation.at if operation.at >= 0 else len(content)
    for start, piece in _sectors(at, operation.data):
        if torn is None or torn.random() < 0.5:
            content.extend(bytes(max(0, start - len(content))))
            content[start : start + len(piece)] = piece


def _sectors(at: int, data: bytes) -> Sequence[tuple[int, bytes]]:
    """Return `data` in pieces that each lie in one sector."""
    cuts = [at, *range((at // SECTOR + 1) * SECTOR, at + len(data), SECTOR), at + len(data)]
    return [(start, data[start - at : end - at]) for start, end in pairwise(cuts)]
