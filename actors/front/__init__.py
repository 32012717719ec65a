"""Teams of LLM agents as event-sourced actors. All that most programs need, loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callboard.actors.model import Model, ModelReply, ModelRequest
    from callboard.actors.openai_model import OpenAIModel
    from callboard.actors.patterns import Finish, Pattern, RoundRobin, Speak
    from callboard.actors.ref import BlockRef, Ref
    from callboard.actors.specs import Agent, Block, Group
    from callboard.actors.streaming import TextDelta
    from callboard.actors.system import System
    from callboard.actors.tool import Tool, ToolContext, tool
    from callboard.events.errors import CallboardError, RequestFailed
    from callboard.events.event import RecordedEvent
    from callboard.events.memory import MemoryStore
    from callboard.events.sqlite import SQLiteStore
    from callboard.projections.answer import Answer, Turn
    from callboard.projections.projection import Projection, replay

_HOMES = {
    "Agent": "actors.specs",
    "Answer": "projections.answer",
    "Block": "actors.specs",
    "BlockRef": "actors.ref",
    "CallboardError": "events.errors",
    "Finish": "actors.patterns",
    "Group": "actors.specs",
    "MemoryStore": "events.memory",
    "Model": "actors.model",
    "ModelReply": "actors.model",
    "ModelRequest": "actors.model",
    "OpenAIModel": "actors.openai_model",
    "Pattern": "actors.patterns",
    "Projection": "projections.projection",
    "RecordedEvent": "events.event",
    "Ref": "actors.ref",
    "RequestFailed": "events.errors",
    "RoundRobin": "actors.patterns",
    "SQLiteStore": "events.sqlite",
    "Speak": "actors.patterns",
    "System": "actors.system",
    "TextDelta": "actors.streaming",
    "Tool": "actors.tool",
    "ToolContext": "actors.tool",
    "Turn": "projections.answer",
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
    "Block",
    "BlockRef",
    "CallboardError",
    "Finish",
    "Group",
    "MemoryStore",
    "Model",
    "ModelReply",
    "ModelRequest",
    "OpenAIModel",
    "Pattern",
    "Projection",
    "RecordedEvent",
    "Ref",
    "RequestFailed",
    "RoundRobin",
    "SQLiteStore",
    "Speak",
    "System",
    "TextDelta",
    "Tool",
    "ToolContext",
    "Turn",
    "replay",
    "tool",
]
