"""Audit a log with Python's standard library alone: `python scripts/audit.py LOG [--json]`.

A second reading of the format in `docs/architecture.md`, which shares no code with callboard, so that a mistake of
the one is not one of the other. It changes nothing. Exit codes: 0 fine, 1 findings, 2 the log cannot be read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sqlite3
import struct
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

ROWS, SETS, STEPS = (
    [[part.split() for part in line.split(">")] for line in table.splitlines()]
    for table in Path(__file__).with_name("audit_types.txt").read_text().strip().split("\n\n")
)
"""What a type does to what its `id` names: opens, goes on with, closes it; sets of types; the phases of tool calls."""
PHASES = {type: (before, after) for [type], before, [after] in STEPS}
KIND = {type: kind for [kind], *parts in ROWS for types in parts for type in types}
OPENS, CLOSES = ({type for row in ROWS for type in row[does]} for does in (1, 3))

OWNER = {"turn": -1, "call": -2, "tool": -3, "send": -3, "job": -3}
"""Which part of an id names the actor in whose stream the thing is."""

ANSWERS, REFUSALS, UNBEGUN, CHANGED, OF_GROUP, OF_LOG, STARTED = (set(types) for _, types in SETS)
"""The first two answer a message under the key `re:<id>`; the third close messages that wait, and no others."""
FIRST = {"system": "LogCreated"} | {type.removesuffix("Started").lower(): type for type in STARTED}
"""The first event of each kind of stream."""

ALL = {*KIND, *ANSWERS, *REFUSALS, *OF_GROUP, *CHANGED, *OF_LOG, *FIRST.values()}
TYPES = dict.fromkeys(ALL, 1) | {"ChoiceMade": 2}
"""Every type with its newest schema version."""
ROW = "position stream version type schema_version data content salt key correlation_id causation_id recorded_at chain"
COLUMNS = ROW.split()
APPLICATION_ID, FORMAT, MOST = int.from_bytes(b"call", "big"), 1, 1_000
Data = dict[str, Any]
Pair = tuple[str, str]
Anchor = tuple[str, int, bytes] | None


class Audit:
    """Takes the rows of a log in their order; `findings` are what is wrong, the first `MOST` of them."""

    def __init__(self, redacted: dict[tuple[str, int], bytes], anchor: Anchor) -> None:
        self.redacted, self.anchor, self.findings, self.row = redacted, anchor, list[Data](), Data()
        self.count = self.events = self.requests = self.last = self.losses = 0
        self.texts: dict[str, dict[int, int | None]] = defaultdict(dict)  # how many; None without any
        self.keys, self.chain, self.owned, self.passages = set[Any](), b"", False, defaultdict[str, Any](dict)
        self.latest, self.attempts, self.taken = (defaultdict[Any, int](int) for _ in range(3))
        self.open, self.ended = dict[Pair, list[str]](), dict[Pair, int]()
        self.working, self.retired, self.calls = dict[str, str](), set[str](), dict[str, Data]()
        self.sent, self.answers = dict[Pair, Pair](), dict[Pair, tuple[bool, Any, Any]]()
        self.needs, self.replies = defaultdict[str, set[str]](set), defaultdict[str, list[str]](list)
        self.order, self.waiting = defaultdict[Pair, dict[str, int]](dict), defaultdict[str, dict[str, str]](dict)

    def wrong(self, check: str, found: object, wanted: object) -> None:
        """Note that the row at hand has `found`, not `wanted`."""
        self.count += 1
        if len(self.findings) < MOST:
            where = f"{self.row['stream']}@{self.row['version']}" if self.row else ""
            item = {"position": self.row.get("position", self.last + 1), "where": where, "check": check}
            self.findings.append({**item, "found": str(found)[:300], "wanted": str(wanted)[:300]})

    def take(self, values: Sequence[Any]) -> None:
        """Check one row against all before it."""
        row = self.row = dict(zip(COLUMNS, values, strict=True))
        self.events += 1
        self._place()
        try:
            self.texts[row["stream"]][row["version"]] = None
            said = self.own = json.loads(row["content"] or "[]")
            self.texts[row["stream"]][row["version"]] = len(said) if row["content"] else None
            self.replies |= {row["stream"]: said} if row["type"] == "ModelCallFinished" else {}
            self._refers(data := json.loads(row["data"]))
            self._event(row["type"], data)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            self.wrong("event", f"{row['type']} with {type(error).__name__}: {error}", "the fields of its type")

    def _place(self) -> None:
        row, place = self.row, (self.row["stream"], self.row["version"])
        if row["position"] != self.last + 1:
            self.wrong("position", row["position"], self.last + 1)
        elif self._hashed() != row["chain"]:
            self.wrong("chain", row["chain"], self._hashed())
        self.last, self.chain = row["position"], row["chain"]
        self.latest[row["stream"]], wanted = row["version"], self.latest[row["stream"]] + 1
        if row["version"] != wanted:
            self.wrong("version", row["version"], wanted)
        if place in self.redacted and (row["content"] is not None or row["salt"] is not None):
            self.wrong("redaction", "its texts", "none: EventRedacted says that they were erased")
        if self.anchor and self.anchor[1] == self.last and self.anchor[2] != self.chain:
            self.wrong("anchor", self.chain, self.anchor[2])
        if row["key"] is not None and (row["stream"], row["key"]) in self.keys:
            self.wrong("key", f"{row['key']!r} again", "each key once in a stream")
        self.keys.add((row["stream"], row["key"]))
        if row["causation_id"] is not None:
            stream, _, version = str(row["causation_id"]).rpartition("@")
            if not version[:19].isdecimal() or int(version[:19]) not in self.texts.get(stream, ()):
                self.wrong("cause", row["causation_id"], "an earlier event")

    def _hashed(self) -> bytes:
        content, salt = self.row["content"], self.row["salt"] or b""
        try:
            said = self.redacted.get((self.row["stream"], self.row["version"]), b"")
            said = hashlib.sha256(salt + content.encode(errors="surrogateescape")).digest() if content else said
            hashed = [self.row[name] for name in COLUMNS if name not in ("content", "salt", "chain")]
            return hashlib.sha256(self.chain + compact(hashed) + said).digest()[:16]
        except (AttributeError, TypeError):  # not the types that the columns have
            return b""

    def _refers(self, data: Data) -> None:
        for text in list(text_fields(data)):
            stream, version, n, *_ = self._placed(text)
            count = self.texts.get(stream, {}).get(version, 0)  # none where there is no such event yet
            redacted = count is None and (stream, version) in self.redacted
            if not redacted and n not in range(count or 0):
                self.wrong("reference", text, f"one of {count or 0} texts of an event up to here, or of a redacted one")

    def _event(self, type: str, data: Data) -> None:
        row, id, kind = self.row, data.get("id", ""), self.row["stream"].split("-", 1)[0]
        if type not in TYPES or not 0 < row["schema_version"] <= TYPES[type]:
            self.wrong("schema", f"{type} {row['schema_version']}", f"version {TYPES.get(type, 'of a known type')}")
        again = row["stream"] in self.retired and type == FIRST.get(kind)  # who was retired can begin anew
        if kind not in FIRST or (row["version"] == 1 or again) != (type == FIRST[kind]):
            self.wrong("stream", type, f"{FIRST.get(kind, 'a known kind of stream')} as its first event, only there")
        self.retired ^= {row["stream"]} if again or type.endswith("Retired") else set()
        key = f"re:{id}" if type in ANSWERS | REFUSALS else id if type == "MessageReceived" else None
        key = next((f"{name}:{data[name]}" for name in ("command", "symptom") if data.get(name)), key)
        if row["key"] != key:
            self.wrong("key", row["key"], key)
        if row["correlation_id"] != (id.split("/", 1)[0] or None):
            self.wrong("correlation", row["correlation_id"], "the first part of the id")
        if self._pair(type, id):
            began = "ModelCallStarted" if data.get("sent") is False else type  # what did not go out counts, too
            if began.endswith("CallStarted"):
                self.attempts[began, id] += 1
                if data["attempt"] != self.attempts[began, id]:
                    self.wrong("attempt", data["attempt"], self.attempts[began, id])
            if rule := {"turn": self._of_turn, "tool": self._of_tool, "send": self._of_send}.get(KIND[type]):
                rule(type, id, data)
        if type in ANSWERS | REFUSALS:
            self.answers[row["stream"], id] = type in ANSWERS, self._placed(data.get("text")), self._ended(data)
            if type[:5] in ("Block", "Passa") and "-" in (sender := data.get("by" if "tached" in type else "to", "")):
                self._delivered(sender, id, type[5:11].lower() if "tached" in type else "edit")
        if type in ("AgentStarted", "AgentChanged"):
            self.needs[row["stream"]] = {t["name"] for t in data["spec"].get("tools", ()) if t.get("needs_approval")}
        if type == "LogCreated" and self.anchor and self.anchor[0] not in (data["log_id"], ""):
            self.wrong("anchor", data["log_id"], self.anchor[0])
        if type.startswith("Passage") and (n := data.get("n")):
            there = self.passages[row["stream"]]
            if not (n == len(there) + 1 if type == "PassageInserted" else there.get(n)):
                self.wrong("passage", f"{type} of p{n} after {len(there)}", "the next, or one that is there")
            there[n] = type != "PassageDeleted"
        self.owned |= type == "WriterOpened"
        if type == "LossAccepted":  # it explains what was wrong with the rows before it, not with their events
            left = [item for item in self.findings if item["check"] not in ("chain", "position", "version")]
            self.losses, self.count, self.findings = self.losses + 1, self.count + len(left) - len(self.findings), left

    def _pair(self, type: str, id: str) -> bool:
        if (kind := KIND.get(type)) is None:
            return False
        if type in OPENS:
            if (kind, id) in self.open or (kind, id) in self.ended:
                self.wrong("pair", f"{type} of {id!r} again", "each opened once")
                return False
            self.open[kind, id] = [self.row["stream"], type]
            if ["", "", "", *id.split("/")][OWNER[kind]] != self.row["stream"].partition("-")[2]:
                self.wrong("id", f"{type} of {id!r}", "an id that names whose it is")
            return True
        if (kind, id) not in self.open:
            ended = self.ended.get((kind, id), "no position, since it never began")
            self.wrong("pair", f"{type} of {id!r}, which ended at {ended}", "one that is open")
            return False
        if self.open[kind, id][0] != self.row["stream"]:
            self.wrong("pair", f"{type} of {id!r} here", f"it in {self.open[kind, id][0]}")
        if type == "JobFinished" and self.open[kind, id][1] != "JobStarted":
            self.wrong("pair", f"{type} of {id!r}", "work that was started")
        self.open[kind, id][1] = type
        if type in CLOSES:
            del self.open[kind, id]
            self.ended[kind, id] = self.row["position"]
        return True

    def _of_tool(self, type: str, id: str, data: Data) -> None:
        stream = self.row["stream"]
        if type == "ToolCallRequested":  # it follows the reply that it is of; only an empty text stands in itself
            said, n = (self.own, at) if isinstance(at := data["arguments"], int) else (self.replies[stream], at[2])
            self.calls[id] = {"phase": "", "once": data["effect"] == "once", "what": [data["tool"], *said[n : n + 1]]}
        call, number = self.calls[id], self.attempts["ToolCallStarted", id] + 1
        kind = "needs" * (call["what"][0] in self.needs[stream]) + "once" * call["once"]
        before, after = PHASES.get(f"{type}/{data.get('by', kind)}") or PHASES.get(type, ((), call["phase"]))
        if before and call["phase"] not in before:
            self.wrong("call", f"{type} of {id!r}, which is {call['phase']}", f"one that is {' or '.join(before)}")
        call["phase"] = after
        if "digest" in data:  # where the arguments were erased, it is that of the first event with one
            hashed = hashlib.sha256(compact([*call["what"], number])).hexdigest()[:32]
            wanted: str = hashed if len(call["what"]) > 1 else call.setdefault(str(number), data["digest"])
            if data["digest"] != wanted:
                self.wrong("call", f"{type} for {data['digest']}", f"{wanted}, of tool, arguments and attempt")

    def _of_turn(self, type: str, id: str, data: Data) -> None:
        stream, sender = self.row["stream"], data.get("sender", "")
        if type == "MessageReceived":
            self.requests += "-" not in sender
            self.waiting[stream][id] = sender
            if "-" in sender:
                self._delivered(sender, id, data.get("kind", "ask"))
        elif type == "TurnStarted":
            mine = [one for one, by in self.waiting[stream].items() if by == self.waiting[stream].get(id)]
            if stream in self.working or mine[:1] != [id]:
                self.wrong("order", f"{id!r} is worked on", "the oldest of its sender that waits, one at a time")
            self.working[stream] = id
        elif type in CLOSES and self.working.get(stream) == id:
            if type in UNBEGUN:
                self.wrong("order", f"{type} of {id!r}, which is worked on", "a message that waits")
            del self.working[stream]
        if type == "TurnStarted" or type in CLOSES:
            self.waiting[stream].pop(id, None)

    def _delivered(self, sender: str, id: str, kind: str) -> None:
        stream = self.row["stream"]
        if self.sent.get((sender, id)) != (stream, kind):
            self.wrong("send", f"{id!r} from {sender}", f"MessageSent of that kind to {stream} before it")
        elif (number := self.order[sender, stream][id]) <= self.taken[sender, stream]:
            self.wrong("order", f"{id!r} from {sender}", "messages of one sender in the order sent")
        else:
            self.taken[sender, stream] = number

    def _of_send(self, type: str, id: str, data: Data) -> None:
        stream = self.row["stream"]
        if type == "MessageSent":
            self.sent[stream, id] = data["recipient"], data["kind"]
            self.order[stream, data["recipient"]][id] = self.row["version"]
            return
        recipient, kind = self.sent.get((stream, id), ("", ""))
        known = {(recipient, id), (recipient, f"re:{id}")} & self.keys  # only what begins somebody has no id
        if type == "SendAccepted" and not (recipient in self.latest if kind == "start" else known):
            self.wrong("answer", f"{id!r} is accepted", f"what says so in {recipient}")
        if type == "SendAnswered" or (type == "SendFailed" and data.get("accepted", True)):
            ok, text, ended = self.answers.get((recipient, id), (None, None, None))
            if ok is not (type == "SendAnswered"):
                self.wrong("answer", f"{type} of {id!r}", f"an answer of that kind under re:{id} in {recipient}")
            elif ok and ended != self._ended(data):
                self.wrong("answer", f"it ended with {self._ended(data)}", f"what the answer ended with, {ended}")
            elif kind != "edit" and text is not None and text != self._placed(data["text"]):
                self.wrong("answer", f"text {data['text']}", f"the text of the answer, {text}")

    def _ended(self, data: Data) -> list[Any]:
        uses = ([use["name"], "" if isinstance(at := use["arguments"], int) else at] for use in data.get("uses", ()))
        return [data.get("stop_reason", "end"), *uses]

    def _placed(self, text: Any) -> Any:
        return [self.row["stream"], self.row["version"], text] if isinstance(text, int) else text


def compact(values: list[Any]) -> bytes:
    """Return `values` as they are hashed: compact JSON, UTF-8, unescaped."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogateescape")


def text_fields(data: Data) -> Iterator[Any]:
    """Yield what stands in `data` for a text: a number, or an array that refers to another event."""
    yield from (data[name] for name in ("text", "arguments", "put", "raw", "note", "tools") if name in data)
    more = (data.get(name, ()) for name in ("reason", "params", "metadata", "tags"))
    yield from (one for one in more if isinstance(one, int) or [*map(type, one)][1:2] == [int])  # else plain, as of old
    yield from (one[1] for one in (*data.get("parts", ()), *data.get("quotes", ())))
    yield from (use["arguments"] for use in data.get("uses", ()))
    cue, spec = data.get("cue") or Data(), data.get("spec") or (data.get("scaling") or Data()).get("template") or Data()
    yield from (one[name] for name, one in (("tools", cue), ("instructions", spec), ("value", spec)) if name in one)


def connected(path: str, folder: str) -> sqlite3.Connection:
    """Return a connection that only reads the log; where it may write nothing beside it, to a copy in `folder`."""
    if not os.path.isfile(path) or not os.path.getsize(path):  # of an empty file SQLite would delete the WAL
        raise ValueError("there is no such file, or it is empty")
    try:
        return opened(path)
    except sqlite3.DatabaseError as error:
        copy = os.path.join(folder, "log")
        for end in ("", "-wal"):
            if os.path.exists(path + end):
                shutil.copyfile(path + end, copy + end)
        if not isinstance(error, sqlite3.OperationalError):  # it refuses one whose end is gone, as long as it is
            with open(copy, "r+b") as file:
                page, pages = struct.unpack(">16xH10xI", file.read(32).ljust(32))
                file.truncate(max(os.path.getsize(path), page * pages))
        return opened(copy)


def opened(path: str) -> sqlite3.Connection:
    """Return a connection to the log at `path`, which it is seen to be."""
    connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        found, version = (connection.execute(f"PRAGMA {of}").fetchone()[0] for of in ("application_id", "user_version"))
        kinds = connection.execute("SELECT type FROM sqlite_schema WHERE name = 'events'").fetchall()
        if found != APPLICATION_ID or kinds != [("table",)] or version > FORMAT:
            raise ValueError(f"it is no callboard log of format {FORMAT}")
    except BaseException:
        connection.close()
        raise
    return connection


def anchored(path: str) -> Anchor:
    """Return (log_id, position, chain) that the anchor beside a log says; position -1 where none can be read."""
    if not os.path.exists(f"{os.path.realpath(path)}.anchor"):
        return None
    data = Path(f"{os.path.realpath(path)}.anchor").read_bytes()
    found: list[tuple[int, int, str, bytes]] = []
    for slot in (data[:4096], data[4096:8192]):
        line = re.match(rb"(callboard log (\S+) epoch (\d+) position (\d+) chain (-|\w{32}) crc32 )(\w{8}) *\n", slot)
        if line and b"%08x" % zlib.crc32(line[1]) == line[6]:
            chain = b"" if line[5] == b"-" else bytes.fromhex(line[5].decode())
            found.append((int(line[3]), int(line[4]), line[2].decode(), chain))
    _, position, log_id, chain = max(found, default=(0, -1, "", b""))
    return log_id, position, chain


def redactions(connection: sqlite3.Connection) -> dict[tuple[str, int], bytes]:
    """Return the hash of erased texts by (stream, version)."""
    found = dict[tuple[str, int], bytes]()
    for (data,) in connection.execute("SELECT data FROM events WHERE stream = 'system' AND type = 'EventRedacted'"):
        with suppress(ValueError, KeyError, TypeError):  # the event itself is found wanting when its turn comes
            said = json.loads(data)
            found[said["stream"], said["version"]] = bytes.fromhex(said["said"])
    return found


def audited(path: str) -> Audit:
    """Return the `Audit` of the log at `path`."""
    anchor = anchored(path)  # first: while a team runs, the log is never behind it
    with tempfile.TemporaryDirectory(prefix="audit-") as folder, closing(connected(path, folder)) as connection:
        audit = Audit({}, anchor)
        try:
            connection.execute("BEGIN")  # all that follows sees one state, whatever is appended meanwhile
            with suppress(sqlite3.DatabaseError):  # the rows say where that is
                audit.redacted = redactions(connection)
            select = f"SELECT {', '.join(COLUMNS)} FROM events WHERE position > ? ORDER BY position LIMIT 1"
            while rows := connection.execute(select, (audit.last,)).fetchall():  # one by one, up to the first bad one
                if rows[0][0] <= audit.last:
                    raise sqlite3.DatabaseError(f"position {rows[0][0]} comes after {audit.last}")
                audit.take(rows[0])
            faults = [line for (line,) in connection.execute("PRAGMA integrity_check(20)").fetchall() if line != "ok"]
        except (sqlite3.Error, UnicodeDecodeError) as error:
            faults = [str(error)]
        audit.row = {}
        if os.path.exists(copy := os.path.join(folder, "log")) and os.path.getsize(copy) > os.path.getsize(path):
            faults.insert(0, f"it ends after {os.path.getsize(path)} of {os.path.getsize(copy)} bytes")
        for fault in faults:
            audit.wrong("file", fault, "a file in which SQLite finds nothing wrong")
    if audit.last < (wanted := anchor[1] if anchor else 1):
        audit.wrong("anchor", f"the log ends at {audit.last}", f"position {wanted}")
    if anchor[1] < 0 if anchor else audit.owned:
        audit.wrong("anchor", "none that can be read", "one beside every log that was written to")
    return audit


def main(argv: Sequence[str]) -> int:
    """Audit the log that `argv` names, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description="Audit a callboard log with the standard library alone.")
    parser.add_argument("log")
    parser.add_argument("--json", action="store_true", help="print JSON")
    wanted = parser.parse_args(argv)
    try:
        audit = audited(wanted.log)
    except (sqlite3.Error, ValueError, OSError) as error:
        print(f"audit: {wanted.log}: {error}", file=sys.stderr)
        return 2
    facts: Data = {
        "events": audit.events, "streams": len(audit.latest), "requests": audit.requests, "open": len(audit.open),
        "in_doubt": sum(latest == "ToolCallInDoubt" for _, latest in audit.open.values()),
        "redacted": len(audit.redacted), "losses_accepted": audit.losses, "findings_in_all": audit.count,
    }  # fmt: skip
    if wanted.json:
        print(json.dumps({**facts, "findings": audit.findings[:50]}, indent=2))
    else:
        print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in facts.items()))
        for item in audit.findings[:50]:
            line = f"{item['position']} {item['where']} {item['check']}: {item['found']}; wanted: {item['wanted']}"
            print(line.encode("ascii", "backslashreplace").decode())
    return 1 if audit.count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
