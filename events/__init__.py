"""Recorded facts: event types, stores and subscriptions. Imports nothing else of callboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import catalog, specs
from .errors import (
    ActorParked,
    ActorStopped,
    AlreadyDecided,
    AppendRejected,
    ApprovalMismatch,
    BackupRefused,
    CallboardError,
    CallEnded,
    DamagedEvent,
    DeliveryFailed,
    Fenced,
    KeyReused,
    LogDamaged,
    LogError,
    LogInUse,
    LogUnwritable,
    LossFound,
    MailboxFull,
    MessageChanged,
    ModelError,
    NewerFormat,
    NoSuchActor,
    NoSuchArchive,
    NoSuchBlock,
    NoSuchVersion,
    NotALog,
    NotWaiting,
    OutcomeUnknown,
    OutputInvalid,
    RedactionRefused,
    RedactionUnfinished,
    RequestFailed,
    ScriptEnded,
    SpecError,
    StoreClosed,
    TeamFileError,
    TextRefused,
    Undelivered,
    WaitsInCircle,
    WrongExpectedVersion,
)
from .event import Event, NewEvent, RecordedEvent
from .memory import MemoryStore
from .store import EventStore
from .text import Reference, Text

if TYPE_CHECKING:
    from .sqlite import SQLiteStore


def __getattr__(name: str) -> object:
    if name == "SQLiteStore":  # aiosqlite is loaded when a file is opened, not before
        from .sqlite import SQLiteStore

        return SQLiteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ActorParked",
    "ActorStopped",
    "AlreadyDecided",
    "AppendRejected",
    "ApprovalMismatch",
    "BackupRefused",
    "CallEnded",
    "CallboardError",
    "DamagedEvent",
    "DeliveryFailed",
    "Event",
    "EventStore",
    "Fenced",
    "KeyReused",
    "LogDamaged",
    "LogError",
    "LogInUse",
    "LogUnwritable",
    "LossFound",
    "MailboxFull",
    "MemoryStore",
    "MessageChanged",
    "ModelError",
    "NewEvent",
    "NewerFormat",
    "NoSuchActor",
    "NoSuchArchive",
    "NoSuchBlock",
    "NoSuchVersion",
    "NotALog",
    "NotWaiting",
    "OutcomeUnknown",
    "OutputInvalid",
    "RecordedEvent",
    "RedactionRefused",
    "RedactionUnfinished",
    "Reference",
    "RequestFailed",
    "SQLiteStore",
    "ScriptEnded",
    "SpecError",
    "StoreClosed",
    "TeamFileError",
    "Text",
    "TextRefused",
    "Undelivered",
    "WaitsInCircle",
    "WrongExpectedVersion",
    "catalog",
    "specs",
]
