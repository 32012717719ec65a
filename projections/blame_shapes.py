"""Who wrote what of a block, where it comes from and what it led to, as JSON. Public. All functions are pure."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from callboard.events.catalog import Part

from .blame import BlamedLine, Written
from .called import BlockRead, ModelCalled, Reading, ToolUsed
from .impact import Impact, Influenced
from .provenance import Origin, TurnAsked
from .shapes import Shape, time_shape
from .words import name_of


def line_shape(line: BlamedLine) -> Shape:
    """Return a line with the version that wrote it, and the parts that it is made of."""
    parts: list[Shape] = [{"version": version, "characters": size} for version, size in line.parts]
    return {"line": line.number, "version": line.version, "text": line.text, "parts": [*parts]}


def written_shape(written: Written) -> Shape:
    """Return what is known of a version from the block alone."""
    return {
        "version": written.version,
        "position": written.position,
        "at": time_shape(written.at),
        "by": written.by,
        "person": written.person,
        "verb": written.verb,
        "id": written.call,
    }


def origin_shape(origin: Origin, *, full: bool = False) -> Shape:
    """Return where a version comes from; with `full`, model calls with all of the history that they had read."""
    return {
        **written_shape(origin.written),
        "tool_call": _tool(origin.tool) if origin.tool else None,
        "model_call": _call(origin.call, full=full) if origin.call else None,
        "turns": [_turn(turn, full=full) for turn in origin.turns],
        "request": origin.request.data.id.split("/", 1)[0] if origin.request else None,
    }


def _tool(tool: ToolUsed) -> Shape:
    return {
        "id": tool.data.id,
        "position": tool.requested.position,
        "tool": tool.data.tool,
        "arguments": str(tool.data.arguments),
        "seen": tool.data.seen or None,
    }


def _call(call: ModelCalled, *, full: bool) -> Shape:
    return {
        "id": call.data.id,
        "agent": name_of(call.stream),
        "started": call.started.ref,
        "position": call.started.position,
        "at": time_shape(call.started.recorded_at),
        "attempt": call.data.attempt,
        "model": call.model,
        "text": str(call.text),
        "blocks": _blocks(call.blocks),
        "read": [_reading(one) for one in ((*call.history, *call.heard) if full else call.heard)],
        "earlier": 0 if full else call.earlier,
    }


def _blocks(blocks: Iterable[BlockRead]) -> list[JsonValue]:
    return [
        {"label": block.label, "stream": block.stream, "version": block.version, "news": block.news} for block in blocks
    ]


def _reading(reading: Reading) -> Shape:
    return {
        "role": reading.role,
        "speaker": reading.speaker,
        "to": reading.to,
        "text": str(reading.text),
        "said_at": reading.ref or None,
    }


def _turn(turn: TurnAsked, *, full: bool) -> Shape:
    return {
        "id": turn.data.id,
        "stream": turn.stream,
        "position": turn.message.position,
        "at": time_shape(turn.message.recorded_at),
        "sender": turn.data.sender,
        "wants": turn.data.kind,
        "asked": [_part(part) for part in turn.data.parts],
        "tool_call": _tool(turn.tool) if turn.tool else None,
        "model_call": _call(turn.call, full=full) if turn.call else None,
    }


def _part(part: Part) -> Shape:
    ref = part.text.ref
    said_at = f"{ref[0]}@{ref[1]}" if ref else None
    return {"speaker": part.speaker, "text": str(part.text), "failed": part.failed, "said_at": said_at}


def impact_shape(impact: Impact) -> Shape:
    """Return what a text of a block led to."""
    return {
        "stream": impact.stream,
        "line": impact.line or None,
        "text": impact.text,
        "written": written_shape(impact.written),
        "calls": [_influenced(one) for one in impact.calls],
        "followed": [impact_shape(one) for one in impact.followed],
    }


def _influenced(one: Influenced) -> Shape:
    call, edits = one.call, {edit.tool: edit for edit in one.edits}
    tools: list[Shape] = []
    for tool in one.tools:
        edit = edits.get(tool.data.id)
        made: Shape | None = {"stream": edit.stream, "version": edit.version} if edit else None
        tools.append({**_tool(tool), "outcome": tool.outcome, "text": str(tool.text), "edit": made})
    return {
        "id": call.data.id,
        "agent": name_of(call.stream),
        "started": call.started.ref,
        "position": call.started.position,
        "at": time_shape(call.started.recorded_at),
        "model": call.model,
        "shown": _blocks(one.shown),
        "answers": list(one.answers),
        "text": str(call.text),
        "tools": [*tools],
    }
