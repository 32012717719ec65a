"""Teams of LLM agents as event-sourced actors. All that most programs need, loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callboard.actors.archive_spec import Archive
    from callboard.actors.archives import ArchiveRef
    from callboard.actors.block_ref import BlockRef
    from callboard.actors.board import Board
    from callboard.actors.breaker import Breaker
    from callboard.actors.embedder import Embedder
    from callboard.actors.group_ref import GroupRef
    from callboard.actors.limits import Limits
    from callboard.actors.model import Model, ModelReply, ModelRequest
    from callboard.actors.openai_embedder import OpenAIEmbedder
    from callboard.actors.openai_model import OpenAIModel
    from callboard.actors.patterns import (
        Choose,
        Consensus,
        Cue,
        Debate,
        Dynamic,
        Finish,
        Handoff,
        Observe,
        Parallel,
        Pattern,
        Pick,
        Pipeline,
        RoundRobin,
        Route,
        Sleeptime,
        Speak,
        Supervisor,
        VoiceSleeptime,
        Work,
    )
    from callboard.actors.prices import Price
    from callboard.actors.ref import Ref
    from callboard.actors.search import Hit, Hits
    from callboard.actors.specs import Agent, Block, Group
    from callboard.actors.streaming import TextDelta
    from callboard.actors.system import System
    from callboard.actors.tool import Tool, ToolContext, tool
    from callboard.actors.until import MaxTurns, Spoke, TextMention
    from callboard.actors.watch import Watch
    from callboard.actors.windows import Window
    from callboard.events.errors import CallboardError, RequestFailed
    from callboard.events.event import RecordedEvent
    from callboard.events.memory import MemoryStore
    from callboard.events.sqlite import SQLiteStore
    from callboard.projections.answer import Answer, Job, Turn
    from callboard.projections.board import Task, TaskBoard
    from callboard.projections.group import GroupState
    from callboard.projections.impact import Impact, impact_of
    from callboard.projections.projection import Projection, replay
    from callboard.projections.provenance import Blamed, blamed
    from callboard.projections.symptoms import Thresholds

_HOMES = {
    "Agent": "actors.specs",
    "Answer": "projections.answer",
    "Archive": "actors.archive_spec",
    "ArchiveRef": "actors.archives",
    "Blamed": "projections.provenance",
    "Block": "actors.specs",
    "BlockRef": "actors.block_ref",
    "Board": "actors.board",
    "Breaker": "actors.breaker",
    "CallboardError": "events.errors",
    "Choose": "actors.patterns",
    "Consensus": "actors.patterns",
    "Cue": "actors.patterns",
    "Debate": "actors.patterns",
    "Dynamic": "actors.patterns",
    "Embedder": "actors.embedder",
    "Finish": "actors.patterns",
    "Group": "actors.specs",
    "GroupRef": "actors.group_ref",
    "GroupState": "projections.group",
    "Handoff": "actors.patterns",
    "Hit": "actors.search",
    "Hits": "actors.search",
    "Impact": "projections.impact",
    "Job": "projections.answer",
    "Limits": "actors.limits",
    "MaxTurns": "actors.until",
    "MemoryStore": "events.memory",
    "Model": "actors.model",
    "ModelReply": "actors.model",
    "ModelRequest": "actors.model",
    "Observe": "actors.patterns",
    "OpenAIEmbedder": "actors.openai_embedder",
    "OpenAIModel": "actors.openai_model",
    "Parallel": "actors.patterns",
    "Pattern": "actors.patterns",
    "Pick": "actors.patterns",
    "Pipeline": "actors.patterns",
    "Price": "actors.prices",
    "Projection": "projections.projection",
    "RecordedEvent": "events.event",
    "Ref": "actors.ref",
    "RequestFailed": "events.errors",
    "RoundRobin": "actors.patterns",
    "Route": "actors.patterns",
    "SQLiteStore": "events.sqlite",
    "Sleeptime": "actors.patterns",
    "Speak": "actors.patterns",
    "Spoke": "actors.until",
    "Supervisor": "actors.patterns",
    "System": "actors.system",
    "Task": "projections.board",
    "TaskBoard": "projections.board",
    "TextDelta": "actors.streaming",
    "TextMention": "actors.until",
    "Thresholds": "projections.symptoms",
    "Tool": "actors.tool",
    "ToolContext": "actors.tool",
    "Turn": "projections.answer",
    "VoiceSleeptime": "actors.patterns",
    "Watch": "actors.watch",
    "Window": "actors.windows",
    "Work": "actors.patterns",
    "blamed": "projections.provenance",
    "impact_of": "projections.impact",
    "replay": "projections.projection",
    "tool": "actors.tool",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"callboard.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)


__all__ = [
    "Agent",
    "Answer",
    "Archive",
    "ArchiveRef",
    "Blamed",
    "Block",
    "BlockRef",
    "Board",
    "Breaker",
    "CallboardError",
    "Choose",
    "Consensus",
    "Cue",
    "Debate",
    "Dynamic",
    "Embedder",
    "Finish",
    "Group",
    "GroupRef",
    "GroupState",
    "Handoff",
    "Hit",
    "Hits",
    "Impact",
    "Job",
    "Limits",
    "MaxTurns",
    "MemoryStore",
    "Model",
    "ModelReply",
    "ModelRequest",
    "Observe",
    "OpenAIEmbedder",
    "OpenAIModel",
    "Parallel",
    "Pattern",
    "Pick",
    "Pipeline",
    "Price",
    "Projection",
    "RecordedEvent",
    "Ref",
    "RequestFailed",
    "RoundRobin",
    "Route",
    "SQLiteStore",
    "Sleeptime",
    "Speak",
    "Spoke",
    "Supervisor",
    "System",
    "Task",
    "TaskBoard",
    "TextDelta",
    "TextMention",
    "Thresholds",
    "Tool",
    "ToolContext",
    "Turn",
    "VoiceSleeptime",
    "Watch",
    "Window",
    "Work",
    "blamed",
    "impact_of",
    "replay",
    "tool",
]
