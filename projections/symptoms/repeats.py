"""What one agent does again and again: the same call, the same words, or nothing but talk to itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from callboard.events.symptoms import Kind
from callboard.projections.words import name_of

from .case import Asked, Case, Tally, Turn, renewed, tallied
from .symptom import Symptom, Thresholds, latest, mark


def same_call(
    case: Case, turn: Turn, trace: str, stream: str, call: Asked, result: str, position: int, limits: Thresholds,
    declared: int = 0,
) -> Iterator[Symptom]:  # fmt: skip
    """Count a call that ended, and yield that it was made too often, if it was.

    Args:
        result: Hash of what came of it.
        declared: How often the tool itself says that it may be called; 0 for nothing.
    """
    mine = mark(call.tool, call.arguments)
    here = tallied(turn.results, mark(mine, result), position)
    all = tallied(case.mind(stream).calls, mine, position)
    limit, name = limits.of_tool(call.tool, declared), name_of(stream)
    if not limit:
        return
    if here.count >= limit:
        text = f"{name} called {call.tool} {here.count} times in one turn, with the same arguments and the same result"
        yield _found("same_call", trace, stream, f"{call.tool} {mine}", here, text, limit)
    elif all.count >= limit * limits.with_news:
        text = f"{name} called {call.tool} {all.count} times in one request, with the same arguments"
        yield _found("same_call", trace, stream, f"{call.tool} {mine}", all, text, limit * limits.with_news)


def same_words(
    case: Case, trace: str, stream: str, heard: str, said: str, position: int, limits: Thresholds
) -> Iterator[Symptom]:
    """Count what a turn ended with, and yield that it comes again and again, if it does."""
    mind, limit, name = case.mind(stream), limits.same_state, name_of(stream)
    states, alone = tallied(mind.states, mark(heard, said), position), tallied(mind.said, said, position)
    if not limit:
        return
    if states.count >= limit:
        text = f"{name} heard the same and said the same to it {states.count} times in one request"
        yield _found("same_state", trace, stream, f"reply {said}", states, text, limit)
    elif alone.count >= limit * limits.with_news:
        text = f"{name} said the same {alone.count} times in one request, whatever it heard"
        yield _found("same_state", trace, stream, f"reply {said}", alone, text, limit * limits.with_news)


def same_prompt(
    case: Case, trace: str, stream: str, prompt: str, position: int, limits: Thresholds
) -> Iterator[Symptom]:
    """Count what a model is asked, and yield that it was asked the very same too often, if it was."""
    tally, limit = tallied(case.mind(stream).prompts, prompt, position), limits.same_state
    if limit and tally.count >= limit:
        text = f"the model of {name_of(stream)} was asked the very same {tally.count} times in one request"
        yield _found("same_state", trace, stream, f"prompt {prompt}", tally, text, limit)


def monologue(case: Case, trace: str, stream: str, position: int, limits: Thresholds) -> Iterator[Symptom]:
    """Count a model call, and yield that nothing new comes between too many of them, if it is so."""
    alone, limit = case.mind(stream).alone, limits.monologue
    alone.add(position)
    if limit and alone.count >= limit:
        text = f"{name_of(stream)} made {alone.count} model calls since it heard or found anything new"
        yield _found("monologue", trace, stream, "", alone, text, limit)


def notice(case: Case, turn: Turn, stream: str, call: Asked, result: str, *, ok: bool) -> None:
    """Note what came of a call: anything new, or somebody else's words, ends a monologue."""
    mind = case.mind(stream)
    found = mark(call.tool, call.arguments if ok else "", result)
    fresh = found not in mind.seen
    renewed(mind.seen, found, True)
    if fresh or call.sends:
        mind.alone = Tally()
    turn.news |= fresh and ok and not call.sends


def _found(kind: Kind, trace: str, stream: str, about: str, tally: Tally, text: str, limit: int) -> Symptom:
    return Symptom(kind, trace, (stream,), about, latest(tally.positions), text, tally.count, limit)
