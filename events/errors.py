"""Every error of callboard's own, as one tree.

CallboardError
├── LogError                    the log itself
│   ├── NotALog                 no file, a directory, another program's file
│   ├── LogDamaged              a file that SQLite cannot read any more
│   ├── NewerFormat             written by a newer callboard
│   ├── LogInUse                another process owns it for writing
│   ├── LogUnwritable           the folder or the file may not be written
│   ├── LossFound               acknowledged events are gone or altered
│   ├── DamagedEvent            an event that does not decode
│   ├── WrongExpectedVersion    someone who does not own the stream has appended to it
│   ├── KeyReused               a key came again with other content
│   ├── AppendRejected          definitely not written
│   ├── OutcomeUnknown          nobody can say whether it was written
│   ├── Fenced                  another process has taken the log over
│   ├── RedactionRefused        a text that cannot be erased; nothing was
│   ├── RedactionUnfinished     erased, but a reader keeps the old bytes in the file
│   ├── BackupRefused           a copy that cannot be made there
│   └── StoreClosed             used after its end
├── SpecError                   an agent, block, group, tool or team file that cannot be
│   └── TeamFileError           everything that is wrong in a team file
├── TextRefused                 a text that cannot be taken in
├── DeliveryFailed              a message that is in nobody's stream
│   ├── NoSuchActor             nobody of that name was ever started
│   │   ├── NoSuchArchive       no archive of that name
│   │   └── NoSuchBlock         no block is meant by a name, or more than one
│   ├── ActorParked             its code cannot be found; `start` it
│   ├── ActorStopped            it failed too often; mend the cause and `start` it
│   ├── WaitsInCircle           whoever is asked waits for the asker
│   ├── CallEnded               a tool reaches others after its call has ended
│   ├── MessageChanged          a tool that runs again sends another thing than before
│   ├── MailboxFull             no room in time
│   └── Undelivered             the recipient stopped first; deliver again
├── NotWaiting                  a call, a request or a message that does not wait for what is said of it
│   └── AlreadyDecided          a person decided before
├── NoSuchVersion               a version of a block that there is not, or not yet
├── ApprovalMismatch            a decision about other arguments than those of the call
├── OutputInvalid               an answer that is not the data that is wanted
├── RequestFailed               a request that ended without an answer
└── ModelError                  a model call that gave no whole reply
    └── ScriptEnded             a scripted model was asked once too often
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class CallboardError(Exception):
    """Anything that callboard itself finds wrong."""


class LogError(CallboardError):
    """Something about a log."""


class NotALog(LogError):
    """There is no callboard log at `path`."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} is not a callboard log: {why}")
        self.path, self.why = path, why


class LogDamaged(LogError):
    """The file of a log is damaged so that SQLite cannot open it."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} is a damaged callboard log: {why}; restore a backup (`callboard verify` says what is left of it)"
        )
        self.path, self.why = path, why


class NewerFormat(LogError):
    """The log, or an event in it, was written by a newer callboard."""

    def __init__(self, what: str, *, found: int, known: int) -> None:
        super().__init__(f"{what} has format {found}, this callboard reads up to {known}; upgrade callboard")
        self.what, self.found, self.known = what, found, known


class LogInUse(LogError):
    """Another process owns the log for writing."""

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(
            f"{path} is in use by {owner}; wait until that ends, or take another log (reading it is always possible)"
        )
        self.path, self.owner = path, owner


class LogUnwritable(LogError):
    """The log cannot be opened for writing."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be written: {why}; choose a log in a folder that you may write to")
        self.path, self.why = path, why


class LossFound(LogError):
    """Acknowledged events are gone or altered; nothing was written.

    Attributes:
        expected: Position that the log had come to, as far as that is known; 0 where it is not.
        whole: Position up to which it is as it was.
    """

    def __init__(self, path: str, found: str, wanted: str, *, expected: int, whole: int, readable: bool = True) -> None:
        """Say what is lost; what SQLite does not find `readable` cannot be gone on with."""
        more = ", or go on with what is there: accept_loss='why', or `callboard log accept LOG --reason why`"
        mend = "restore a backup" + more * readable
        super().__init__(f"{path} is not what was written: {found}, but {wanted}; {mend}")
        self.path, self.found, self.wanted = path, found, wanted
        self.expected, self.whole = expected, whole


class DamagedEvent(LogError):
    """An event of the log does not decode."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"event {where} cannot be read: {why}")
        self.where, self.why = where, why


class WrongExpectedVersion(LogError):
    """Someone who does not own the stream has appended to it."""

    def __init__(self, stream: str, *, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream!r} is at version {actual}, not {expected}; read it again before appending")
        self.stream, self.expected, self.actual = stream, expected, actual


class KeyReused(LogError):
    """A key came again with other content, or in other company, than the first time."""

    def __init__(self, stream: str, key: str) -> None:
        super().__init__(f"stream {stream!r} holds {key!r} with other content; take a new key")
        self.stream, self.key = stream, key


class AppendRejected(LogError):
    """An append was definitely not written."""

    def __init__(self, stream: str, why: str) -> None:
        super().__init__(f"nothing was written to stream {stream!r}: {why}")
        self.stream, self.why = stream, why


class OutcomeUnknown(LogError):
    """An append may have been written; read the stream to know."""

    def __init__(self, stream: str, why: str) -> None:
        super().__init__(f"an append to {stream!r} may or may not be written ({why}); read the stream to know")
        self.stream, self.why = stream, why


class Fenced(LogError):
    """Another process has taken the log over: this one can append nothing any more."""

    def __init__(self, path: str, *, epoch: int, newest: int) -> None:
        super().__init__(
            f"{path} was taken over: its writer is that of system@{newest}, this process is that of system@{epoch}"
            " and can append nothing any more; end it, or open the log again"
        )
        self.path, self.epoch, self.newest = path, epoch, newest


class RedactionRefused(LogError):
    """A text cannot be erased; nothing was changed."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"nothing was redacted: {what} {why}")
        self.what, self.why = what, why


class RedactionUnfinished(LogError):
    """The events are redacted, but their old bytes are still in the file: somebody reads it, or the disk failed."""

    def __init__(self, path: str, positions: Sequence[int], why: str) -> None:
        named = ", ".join(map(str, positions))
        super().__init__(
            f"position {named} of {path} is redacted, but the old text stays in the file or its WAL for now ({why});"
            " end its readers, then close the log and open it again for writing"
        )
        self.path, self.positions, self.why = path, tuple(positions), why


class BackupRefused(LogError):
    """A copy of a log cannot be made at `path`; nothing that stood there was touched."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"no backup was made at {path}: {why}; choose a new name in a folder that you may write to")
        self.path, self.why = path, why


class StoreClosed(LogError):
    """The store was used after its `async with` ended."""

    def __init__(self) -> None:
        super().__init__("the log is closed; use it inside its `async with`")


class SpecError(CallboardError):
    """An agent, block, group, tool or team file that cannot be; `where` is its path in the file, if any."""

    def __init__(self, what: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what, self.where = what, where


class TeamFileError(SpecError):
    """A team file with faults: `faults` has each with its path; `what` and `where` are those of the first."""

    def __init__(self, path: str, faults: Sequence[SpecError], *, most: int = 10) -> None:
        if len(faults) == 1:
            text = f"{path}: {faults[0]}"
        else:
            shown = "".join(f"\n  {fault}" for fault in faults[:most])
            more = f"\n  ... and {len(faults) - most} more" if len(faults) > most else ""
            text = f"{path} has {len(faults)} faults:{shown}{more}"
        Exception.__init__(self, text)
        self.path, self.faults = path, tuple(faults)
        self.what, self.where = faults[0].what, faults[0].where


class TextRefused(CallboardError):
    """A text from outside that cannot be taken in; nothing was recorded."""


class DeliveryFailed(CallboardError):
    """A message is in nobody's stream."""


class NoSuchActor(DeliveryFailed):
    """Nobody of that name was ever started."""

    def __init__(self, name: str, known: str = "") -> None:
        super().__init__(f"nobody called {name!r} was started in this log" + (f"; there are {known}" if known else ""))
        self.name = name


class NoSuchArchive(NoSuchActor):
    """No archive of that name was ever started, or whoever is asked has none."""

    def __init__(self, name: str, known: str = "") -> None:
        super().__init__(name, known)
        self.args = (f"there is no archive {name!r} in this log; there are: {known or 'none'}",)


class NoSuchBlock(NoSuchActor):
    """No block is meant by a name, or `many` are; `labels` has those that there are, by stream, as they are now."""

    def __init__(self, name: str, labels: Mapping[str, str], *, many: int = 0) -> None:
        listed = ", ".join(f"{stream} (label {label!r})" for stream, label in labels.items()) or "none"
        text = f"{name!r} names {many} blocks: {listed}; say which, by its stream"
        super().__init__(name)
        self.args = (text if many > 1 else f"there is no block {name!r} in this log; there are: {listed}",)
        self.labels, self.many = dict(labels), many


class ActorParked(DeliveryFailed):
    """The code of an actor cannot be found, so it waits for `start`."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} is parked: {why}; call system.start with its spec to go on")
        self.name, self.why = name, why


class ActorStopped(DeliveryFailed):
    """An actor failed too often, and was stopped."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} is stopped: {why}; mend the cause, then call system.start with its spec to go on")
        self.name, self.why = name, why


class WaitsInCircle(DeliveryFailed):
    """A message would make actors wait for each other in a circle, for ever."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"nobody would ever answer: {' waits for '.join(names)}; answer with what you know, or ask somebody else"
        )
        self.names = tuple(names)


class CallEnded(DeliveryFailed):
    """A tool reaches others though its call has ended: it returned, was cancelled, or its time was up."""

    def __init__(self, call: str) -> None:
        super().__init__(f"the tool call {call!r} has ended, so nothing was sent; reach others while it runs")
        self.call = call


class MessageChanged(DeliveryFailed):
    """A tool that runs again sends another thing, or to another, than what is recorded as its `n`-th message."""

    def __init__(self, call: str, n: int) -> None:
        super().__init__(
            f"message {n} of the tool call {call!r} is recorded with another text, kind or recipient; let a tool that "
            "may run again send the same in the same order, or declare it effect='once'"
        )
        self.call, self.n = call, n


class MailboxFull(DeliveryFailed):
    """A request found no room in time; nothing was recorded."""

    def __init__(self, name: str, sender: str, capacity: int) -> None:
        super().__init__(f"the mailbox of {name} holds {capacity:,} requests of {sender}; send again later")
        self.name, self.sender, self.capacity = name, sender, capacity


class Undelivered(DeliveryFailed):
    """The recipient stopped before it accepted a message; deliver it again."""


class NotWaiting(CallboardError):
    """A decision about a call, a cancel of a request or a drop of a message that does not wait for it."""

    def __init__(self, call: str, why: str) -> None:
        super().__init__(f"{call!r} {why}")
        self.call, self.why = call, why


class AlreadyDecided(NotWaiting):
    """Somebody decided before, under another key; `decided` says what, by whom and under which key."""

    def __init__(self, call: str, decided: str) -> None:
        super().__init__(call, f"was decided before: {decided}; nothing was changed")
        self.decided = decided


class NoSuchVersion(CallboardError):
    """A block had no value at that version or position."""

    def __init__(self, block: str, what: str, wanted: str) -> None:
        super().__init__(f"the block {block!r} has no {what}; {wanted}")
        self.block = block


class ApprovalMismatch(CallboardError):
    """A decision is about another tool, other arguments or another attempt than those that wait."""

    def __init__(self, call: str, *, found: str, wanted: str) -> None:
        super().__init__(
            f"the decision about {call!r} is about {found or 'nothing'}, and {wanted or 'nothing'} is what waits; "
            "look at the arguments again, and decide on these"
        )
        self.call, self.found, self.wanted = call, found, wanted


class OutputInvalid(CallboardError):
    """An answer is not what a pydantic class takes; `faults` says what is wrong."""

    def __init__(self, wanted: str, stop_reason: str, faults: str) -> None:
        super().__init__(
            f"the answer (stop_reason {stop_reason!r}) is no {wanted}: {faults}; its text is in `answer.text`"
        )
        self.wanted, self.stop_reason, self.faults = wanted, stop_reason, faults


class RequestFailed(CallboardError):
    """A request ended without an answer; `answer` holds what there is: turns, usage, trace."""

    def __init__(self, text: str, answer: object = None) -> None:
        super().__init__(text)
        self.text, self.answer = text, answer


class ModelError(CallboardError):
    """A model call gave no whole reply.

    Attributes:
        kind: A word for the class of failure, such as `rate_limit`, `timeout`, `cut`, `auth`.
        retry: Whether another attempt may end better.
        retry_after: Seconds that the provider asked to wait; None where it did not say.
    """

    def __init__(
        self, text: str, *, kind: str = "error", retry: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(text)
        self.kind, self.retry, self.retry_after = kind, retry, retry_after


class ScriptEnded(ModelError):
    """A scripted model was asked once more than its script goes."""
