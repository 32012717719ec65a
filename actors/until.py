"""When a group's talk is over, besides what its pattern says: conditions, as values and as rules. All pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callboard.events import SpecError, Text
from callboard.events.specs import Until
from callboard.projections import GroupState


@dataclass(frozen=True, slots=True)
class Condition:
    """When a talk is over; two make a third with `|` (either) and `&` (both)."""

    spec: Until

    def __or__(self, other: Condition | str) -> Condition:
        return Condition(Until(kind="any", parts=(self.spec, until(other))))

    def __and__(self, other: Condition | str) -> Condition:
        return Condition(Until(kind="all", parts=(self.spec, until(other))))


def TextMention(text: str, by: Iterable[str] = ()) -> Condition:
    """Return the condition that somebody, of those named if any are, has said `text`. It is taken out of the answer.

    Raises:
        SpecError: The text is empty.
    """
    if not text.strip():
        raise SpecError("a text that ends a talk is empty; say which one, such as 'DONE!'")
    return Condition(Until(kind="mention", text=text, by=tuple(by)))


def Spoke(*names: str) -> Condition:
    """Return the condition that all of these have answered in this request."""
    if not names:
        raise SpecError("Spoke() names nobody; name one or more members")
    parts = tuple(Until(kind="spoke", by=(name,)) for name in names)
    return Condition(parts[0] if len(parts) == 1 else Until(kind="all", parts=parts))


def MaxTurns(turns: int) -> Condition:
    """Return the condition that so many turns were given in this request."""
    if turns < 1:
        raise SpecError(f"MaxTurns({turns}): at least 1 turn is wanted")
    return Condition(Until(kind="turns", turns=turns))


def until(given: Condition | Until | str) -> Until:
    """Return a condition as data; a plain text is one that somebody says."""
    match given:
        case str():
            return TextMention(given).spec
        case Condition():
            return given.spec
        case _:
            return given


def fired(condition: Until, state: GroupState) -> str:
    """Return the name of what fired, as a `stop_reason`; empty while nothing has."""
    match condition.kind:
        case "mention":
            said = [(name, text) for name, text in _words(state) if not condition.by or name in condition.by]
            return f"mention: {condition.text}" if any(condition.text in text for _, text in said) else ""
        case "spoke":
            return f"spoke: {condition.by[0]}" if any(name == condition.by[0] for name, _ in _words(state)) else ""
        case "turns":
            given = len(state.turns) - len(state.open)
            return "max_turns" if given >= condition.turns else ""
        case "any":
            return next((name for part in condition.parts if (name := fired(part, state))), "")
        case "all":
            names = [fired(part, state) for part in condition.parts]
            return " & ".join(names) if all(names) else ""


def _words(state: GroupState) -> list[tuple[str, Text]]:
    """Return what was said in this request by members and managers, also instead of a choice, oldest first."""
    said = [(one.speaker, one.text) for one in state.said if not one.failed]
    return said + [(ended.word.member, ended.text) for ended in state.unread.values() if not ended.failed]


def final_words(condition: Until, state: GroupState) -> Text:
    """Return the last thing said that is more than the mark that ended the talk, without the mark."""
    marks = _marks(condition)
    for _, text in reversed(_words(state)):
        bare = str(text)
        for mark in marks:
            bare = bare.replace(mark, "")
        if bare == text:
            return text
        if bare.strip():
            return Text(bare.strip())
    return Text("")


def _marks(condition: Until) -> list[str]:
    own = [condition.text] if condition.kind == "mention" else []
    return own + [mark for part in condition.parts for mark in _marks(part)]
