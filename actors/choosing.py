"""Choices by a model: how they are asked for, and how an answer is read. All pure."""

from __future__ import annotations

import re
from typing import cast

from pydantic_core import from_json

from callboard.events import Event, Text
from callboard.events.catalog import ChoiceMade, CueSpec, MessageReceived
from callboard.events.groups import Read
from callboard.events.specs import ToolSpec
from callboard.projections import GroupState
from callboard.projections.words import Ended

from .cues import again, given
from .patterns import Choose, Cue, Pick, ending


def ask(state: GroupState, turn: MessageReceived, pick: Pick) -> list[Event]:
    """Return the messages that ask for a choice; where nobody can be asked, or nothing chosen, the fallback."""
    choosers = pick.by or ((state.manager,) if state.manager else ())
    if not choosers or not pick.options:
        why = "nobody is there to choose" if pick.options else "there is nothing to choose from"
        return [_made(turn, Choose(pick.tool, pick.options, pick.fallback, why), "fallback")]
    tool = tool_of(pick)
    cues = [
        (Cue(name, note=_question(pick), tools=(tool,)), _spec(pick)) for name in choosers if name not in state.talking
    ]
    return list(given(state, turn, cues))


def tool_of(pick: Pick) -> ToolSpec:
    """Return the tool that a choice is made with."""
    choice = {"type": "string", "enum": list(pick.options), "description": "Your choice."}
    reason = {"type": "string", "description": "Why, in a few words."}
    return ending(pick.tool, "Say what you choose, and why.", {"choice": choice, "reason": reason}, "reason")


def _question(pick: Pick) -> str:
    return f"{pick.question}\nCall {pick.tool} with one of: {', '.join(pick.options)}."


def _spec(pick: Pick) -> CueSpec:
    return CueSpec(pick=pick.tool, fallback=pick.fallback)


def by_rule(turn: MessageReceived, choose: Choose) -> list[Event]:
    """Return the event of a choice that no model was asked for."""
    return [_made(turn, choose, "rule")]


def _made(turn: MessageReceived, choose: Choose, read: Read) -> ChoiceMade:
    reason = Text(choose.reason)
    return ChoiceMade(
        id=turn.id, tool=choose.tool, options=choose.options, choice=choose.choice, read=read, reason=reason
    )


def read(state: GroupState, turn: MessageReceived) -> list[Event]:
    """Return what the oldest answer to a choice is read as, or the question once more."""
    ended = next(iter(state.unread.values()))
    word, options = ended.word, ended.word.options
    choice, how, reason = _reading(ended)
    again_may_help = not ended.failed and not word.cue.instead and ended.stop_reason != "refused"
    if not choice and again_may_help and word.member in state.streams:
        return [_once_more(state, turn, ended)]
    raw = next((use.arguments for use in ended.uses if use.name == word.cue.pick), ended.text)
    return [
        ChoiceMade(
            id=turn.id, turn=word.turn, by=word.member, tool=word.cue.pick, options=options, raw=raw,
            choice=choice or word.cue.fallback, read=how, reason=reason,
        )
    ]  # fmt: skip


def _once_more(state: GroupState, turn: MessageReceived, ended: Ended) -> Event:
    options = ", ".join(ended.word.options)
    note = f"Your answer names no choice, or more than one. Call {ended.word.cue.pick} with one of: {options}."
    return again(state, turn, ended, ended.word.member, note)


def _reading(ended: Ended) -> tuple[str, Read, Text]:
    """Return the choice in an answer, how it was read, and the reason given; an empty choice where there is none."""
    if ended.failed:
        return "", "fallback", Text(f"failed: {ended.text}")
    for use in ended.uses:
        if use.name == ended.word.cue.pick:
            called = _called(use.arguments)
            named = {option.casefold(): option for option in ended.word.options}
            choice = named.get(str(called.get("choice", "")).strip().casefold(), "")
            if choice:
                return choice, "tool", use.arguments.pick("reason") if "reason" in called else Text()
    found = [option for option in ended.word.options if _names(ended.text, option)]
    if len(found) == 1:
        return found[0], "prose", ended.text
    return "", "fallback", Text("names several" if found else "names none")


def _called(arguments: str) -> dict[str, object]:
    try:
        found = from_json(arguments)
    except ValueError:
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _names(text: str, option: str) -> bool:
    """Return whether `option` stands in `text` as a whole word, in any case."""
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text, re.IGNORECASE) is not None
