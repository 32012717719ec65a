"""What a pattern can want next, and what a pattern is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from callboard.events import Text
from callboard.events.catalog import Part
from callboard.events.specs import ToolSpec
from callboard.projections import GroupState


@dataclass(frozen=True, slots=True)
class Cue:
    """The word for one member, with what there is to say about it.

    Attributes:
        parts: What the member hears, instead of all that it has not heard yet.
        note: What the group says to it besides.
        tools: Tools of this turn alone. A call of one whose effect is `ends` ends the turn, and is in `Said.uses`.
    """

    member: str
    parts: tuple[Part, ...] | None = None
    note: str = ""
    tools: tuple[ToolSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Speak:
    """Give the word to these; to nobody, to wait. Whoever has the word already is not given it again meanwhile."""

    members: tuple[str | Cue, ...] = ()


@dataclass(frozen=True, slots=True)
class Pick:
    """Ask a model to choose; what it chose is in `GroupState.choices`.

    A call of the tool counts, or a text that names exactly one option as a whole word. Otherwise it is asked once
    more, and then the fallback counts.

    Attributes:
        tool: Name of the tool that the choice is made with.
        question: What is asked.
        by: Who chooses; nobody named: the manager.
        fallback: What counts where no choice can be read; empty for none.
    """

    tool: str
    options: tuple[str, ...]
    question: str
    by: tuple[str, ...] = ()
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Choose:
    """Choose by rule, without a model; recorded like any choice, with the reason."""

    tool: str
    options: tuple[str, ...]
    choice: str
    reason: str


@dataclass(frozen=True, slots=True)
class Observe:
    """Look how busy the members are; `GroupState.observed` then is the number of turns assigned."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work in the background for one member, once the request is answered.

    Attributes:
        cut: Where in the transcript the window of this conversation begins from now on; the work is about what left
            it. 0 where nothing leaves, and the work is about all that was said since the last that was finished.
    """

    member: str
    note: str = ""
    tools: tuple[ToolSpec, ...] = ()
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """End the request with `text` as its answer; with None it has failed.

    Attributes:
        reason: What fired: the `stop_reason` of the answer.
        data: What there is besides the text, as JSON; texts of the group's state stay references.
        jobs: Who gets to work in the background.
        why: Why it has failed; where it is empty, what members failed with.
    """

    text: Text | None
    reason: str
    data: Mapping[str, object] = field(default_factory=dict[str, object])
    jobs: tuple[Work, ...] = ()
    why: str = ""


Step = Speak | Pick | Choose | Observe | Finish
"""Anything that a pattern can want next."""


@runtime_checkable
class Pattern(Protocol):
    """Asked at the request, after each turn, and when membership changes, also while others have the word.

    A pattern may also have `data(group)`, which gives what an answer holds besides its text where the group's
    `until` ends the talk; `until`, the text that ends it unless the group says otherwise; and `needs_manager`.
    """

    def next(self, group: GroupState) -> Step:
        """Return what comes next. Pure."""
        ...


def ending(name: str, description: str, properties: Mapping[str, object], *optional: str) -> ToolSpec:
    """Return a tool that ends a turn, with `properties` as its arguments, all but `optional` required. Pure."""
    parameters = {
        "type": "object",
        "properties": dict(properties),
        "required": [one for one in properties if one not in optional],
        "additionalProperties": False,
    }
    return ToolSpec.model_validate(
        {"name": name, "description": description, "parameters": parameters, "effect": "ends"}
    )


def last_answer(group: GroupState) -> Text | None:
    """Return the last answer of this request; None where nobody had one. Pure."""
    return next((said.text for said in reversed(group.said) if not said.failed), None)
