"""How a group gives the word: the message to a member, first and again. All pure."""

from __future__ import annotations

from callboard.events import Text
from callboard.events.catalog import CueSpec, MessageReceived, MessageSent, Part
from callboard.events.specs import ToolSpec
from callboard.projections import GroupState, cuts
from callboard.projections.words import Ended, as_json

from .patterns import Cue

NOTHING_NEW = "Nobody else has spoken since. Go on."
"""What a member hears that has heard all there is."""


def given(state: GroupState, turn: MessageReceived, cues: list[tuple[Cue, CueSpec]]) -> list[MessageSent]:
    """Return the messages that give each the word, with what is said of it."""
    return [
        MessageSent(
            id=f"{turn.id}/{n}/{cue.member}",
            recipient=state.streams[cue.member],
            kind="turn",
            parts=_parts(state, cue),
            hops=turn.hops + 1,
            conversation=turn.conversation,
            cue=_or_none(spec.model_copy(update=_more(state, cue))),
        )
        for n, (cue, spec) in enumerate(cues, start=state.assigned + 1)
    ]


def again(state: GroupState, turn: MessageReceived, ended: Ended, to: str, note: str = "") -> MessageSent:
    """Return the message that gives the word once more, to the same member or another."""
    word = ended.word
    assert state.spec is not None
    knows = to == word.member and ended.accepted
    before = word.sent.parts if word.cue.apart else tuple(p for p in word.sent.parts if p.speaker == state.spec.name)
    parts = () if word.cue.apart else state.unheard(to)
    parts = (*parts, *(() if knows else before), *((Part(state.spec.name, Text(note)),) if note else ()))
    forgets = {"fresh": to in state.fresh, "since": cuts.since_of(state, to)}
    cue = word.cue.model_copy(update={"instead": word.root, **forgets})
    n = state.assigned + 1
    return MessageSent(
        id=f"{turn.id}/{n}/{to}", recipient=state.streams[to], kind="turn", parts=parts or nothing_new(state),
        hops=turn.hops + 1, conversation=turn.conversation, cue=cue,
    )  # fmt: skip


def _parts(state: GroupState, cue: Cue) -> tuple[Part, ...]:
    assert state.spec is not None
    heard = state.unheard(cue.member) if cue.parts is None else cue.parts
    note = (Part(speaker=state.spec.name, text=Text(cue.note)),) if cue.note else ()
    return (*heard, *note) or nothing_new(state)


def nothing_new(state: GroupState) -> tuple[Part, ...]:
    """Return what stands where there is nothing to hear: a message says something."""
    assert state.spec is not None
    return (Part(speaker=state.spec.name, text=Text(NOTHING_NEW)),)


def _more(state: GroupState, cue: Cue) -> dict[str, object]:
    return {
        "tools": brought(state, cue.tools),
        "apart": cue.parts is not None,
        "fresh": cue.member in state.fresh,
        "since": cuts.since_of(state, cue.member),
    }


def brought(state: GroupState, tools: tuple[ToolSpec, ...]) -> Text:
    """Return `tools` as one text."""
    return phrase(state, as_json(tools))


def phrase(state: GroupState, text: str) -> Text:
    """Return `text` of the group's own: the one that was said before, if it was."""
    return next((said for said in state.offered if said == text), Text(text))


def _or_none(cue: CueSpec) -> CueSpec | None:
    return None if cue == CueSpec() else cue
