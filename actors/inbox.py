"""Commands from other processes: files put into a folder beside the log, each taken up exactly once.

Only the owner of a log writes to it. Who wants something of it from elsewhere puts a file by rename into
`<log>.inbox`; the owner takes it up, records it under the file's key, and removes it. A file that was
recorded and not yet removed when the owner stopped is recognised by its key. Why one was refused stands in
`<key>.refused`, until whoever wanted it has read that.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from callboard.events import CallboardError, LogUnwritable, SpecError
from callboard.projections import Open
from callboard.projections.paths import named_by

from .commands import Outcome, Resolve
from .ref import USER
from .storable import storable

POLL = 0.25
"""Seconds between two looks into an inbox."""

REFUSED = ".refused"
"""End of the file that says why a command was refused; it is there before the command is gone."""


class NotInDoubt(CallboardError):
    """A call that is not in doubt, or not any more, was to be settled."""


class CommandRefused(CallboardError):
    """The owner of a log did not do what another process wanted; the message says why."""


class Settle(BaseModel):
    """Say what came of a call in doubt; with `retry` it runs again.

    Attributes:
        call: The id of the tool call.
        key: Names this very decision.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["settle"] = "settle"
    key: str
    call: str
    outcome: Literal["returned", "failed", "retry"]
    text: str = ""

    def delivery(self) -> Resolve:
        """Return this as what the agent is told."""
        failed = storable(f"it failed: {self.text}")[0]
        told = {"returned": self.text, "failed": failed, "retry": None}[self.outcome]
        return Resolve(self.call, USER, told, USER, self.key)


class Redact(BaseModel):
    """Erase the texts that were said first in the events at `positions`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["redact"] = "redact"
    key: str
    positions: tuple[int, ...]
    reason: str


class Requeue(BaseModel):
    """Put the message whose id is `letter`, which was set aside, into its mailbox again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["requeue"] = "requeue"
    key: str
    letter: str


class Drop(BaseModel):
    """Drop the message whose id is `letter`, which waits.

    Attributes:
        reason: Why; whoever asked is told.
        by: Who says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["drop"] = "drop"
    key: str
    letter: str
    reason: str
    by: str = USER


class Decide(BaseModel):
    """Say what a person decides of a call that waits for it.

    Attributes:
        call: The id of the tool call.
        key: Names this very decision.
        text: Of a refusal the reason, of a question the answer.
        digest: Of an approval or its refusal, the hash of what the person looked at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["decide"] = "decide"
    key: str
    call: str
    outcome: Outcome
    text: str = ""
    by: str = USER
    digest: str = ""


class End(BaseModel):
    """End the request `trace` and all that it caused; `by` is who says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["end"] = "end"
    key: str
    trace: str
    by: str = USER


class Keep(BaseModel):
    """Change an archive as a person does.

    Attributes:
        archive: Its name.
        verb: The name of the change, such as `archival_memory_insert`.
        fields: The arguments of the change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["keep"] = "keep"
    key: str
    archive: str
    verb: str
    fields: dict[str, JsonValue]


class Edit(BaseModel):
    """Change a block as a person does.

    Attributes:
        block: Its name in the log.
        verb: The name of an edit, `undo`, `redo`, `rename` or `retire`.
        fields: The arguments of the edit, but the label.
        seen: The version that whoever asks had read; 0 for the one that there is when this is taken up.
        by: Who asks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["edit"] = "edit"
    key: str
    block: str
    verb: str
    fields: dict[str, JsonValue] = {}
    seen: int = 0
    by: str = USER


AnyRequest = Settle | Redact | Requeue | Drop | Decide | End | Keep | Edit
"""Anything that another process may want of the owner of a log."""

_REQUEST: TypeAdapter[AnyRequest] = TypeAdapter(Annotated[AnyRequest, Field(discriminator="kind")])


def folder_of(path: str | os.PathLike[str]) -> Path:
    """Return the inbox of the log at `path`."""
    return Path(f"{os.path.realpath(path)}.inbox")


def put(path: str | os.PathLike[str], command: AnyRequest) -> Path:
    """Put `command` into the inbox of the log at `path`; return its file, which is gone once it was taken up.

    Raises:
        LogUnwritable: It cannot be put there; nothing of it is.
    """
    folder = folder_of(path)
    file = folder / f"{command.key}.json"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _place(file, command.model_dump_json())
    except OSError as error:
        raise LogUnwritable(str(folder), error.strerror or str(error)) from None
    return file


def _place(file: Path, content: str) -> None:
    draft = file.with_name(f".{file.stem}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.rename(draft, file)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def refuse(file: Path, why: str) -> None:
    """Leave for whoever put the command in `file` why it was refused; where there is no room for that, nothing."""
    with suppress(OSError):
        _place(file.with_suffix(REFUSED), why)


def refusal(file: Path) -> str:
    """Return why the command that was in `file` was refused, once; nothing where it was done."""
    said = file.with_suffix(REFUSED)
    try:
        why = said.read_text()
        said.unlink()
    except FileNotFoundError:
        return ""
    return why


def waiting(folder: Path) -> list[Path]:
    """Return the files that wait in `folder`, oldest first."""
    try:
        files = [file for file in folder.iterdir() if file.suffix == ".json" and not file.name.startswith(".")]
        return sorted(files, key=lambda file: file.stat().st_mtime_ns)
    except OSError:
        return []


def read(file: Path) -> AnyRequest:
    """Return the command in `file`.

    Raises:
        SpecError: It holds none; it is set aside as `<name>.bad`.
    """
    try:
        return _REQUEST.validate_json(file.read_bytes())
    except (ValidationError, OSError) as error:
        file.rename(file.with_suffix(".bad"))
        raise SpecError(f"{file.name} holds no command ({error}); it is set aside as {file.stem}.bad") from None


def doubt_of(items: list[Open], call: str) -> Open:
    """Return the open call in doubt that `call` is, or the only one whose id ends so.

    Raises:
        NotInDoubt: There is none; the error names those that there are.
    """
    doubts = [item for item in items if item.latest == "ToolCallInDoubt"]
    found = [item for item in doubts if item.id == call] or [item for item in doubts if named_by(item.id, call)]
    if len(found) != 1:
        known = ", ".join(item.id for item in doubts) or "none"
        raise NotInDoubt(f"{call!r} names {len(found) or 'no'} call in doubt; in doubt: {known}")
    return found[0]
