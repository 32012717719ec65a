"""The state of a group on a terminal: who is in it, what it is doing, and the end of what was said."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from callboard.projections import GroupState, Said
from callboard.projections.conversation import Utterance
from callboard.projections.words import Word
from callboard.scripts.screen import Piece, arguments, many, shortened, styled

PHASES = {"ready": "dim", "terminated": "dim"}
"""The style of a phase that asks for no attention."""


def group_lines(state: GroupState) -> list[Text]:
    """Return what a group is made of and what it does, a line each; what is empty is left out. Pure."""
    return [_members(state), *_managers(state), _phase(state), *_shares(state), *_work(state)]


def _members(state: GroupState) -> Text:
    pattern = state.spec.pattern.code.rpartition(":")[2] if state.spec else ""
    first = state.declared.members if state.declared else ()
    gone = [use.name for use in first if use.name not in state.members]
    new = [name for name in state.members if name not in [use.name for use in first]]
    notes = [f"{', '.join(names)} {verb}" for names, verb in ((new, "joined"), (gone, "left")) if names]
    return styled((f"{pattern} of ", "dim"), ", ".join(state.members), (_noted(notes), "dim"))


def _noted(notes: Sequence[str]) -> str:
    return f"; {', '.join(notes)}" if notes else ""


def _managers(state: GroupState) -> list[Text]:
    found: list[Text] = []
    if state.managers:
        standby = state.managers[1:]
        by = f"; {', '.join(standby)} {'stands' if len(standby) == 1 else 'stand'} by" if standby else ""
        instead = f"; now {state.manager or 'nobody'}" if state.manager != state.managers[0] else ""
        found.append(styled(("managed by ", "dim"), state.managers[0], (by, "dim"), (instead, "yellow")))
    if state.down:
        found.append(styled(("failed in this request: ", "dim"), (", ".join(sorted(state.down)), "red")))
    return found


def _phase(state: GroupState) -> Text:
    facts = [many(state.counter, "turn"), f"{many(state.answered, 'request')} answered"]
    last = f" · last {state.processed}" if state.processed else ""
    return styled((state.phase, PHASES.get(state.phase, "yellow")), (f" · {' · '.join(facts)}{last}", "dim"))


def _shares(state: GroupState) -> list[Text]:
    lines: list[Text] = []
    for share in state.spec.blocks if state.spec else ():
        who = share.editors
        lines.append(styled(("shares ", "dim"), (share.label, "green"), (f" written by {who}", "dim")))
    for group, use in state.given:
        lines.append(styled(("was given ", "dim"), (use.label, "green"), (f" by {group.partition('-')[2]}", "dim")))
    if state.scaling is not None:
        scaling = state.scaling
        about = f" from {scaling.least} to {scaling.most}, as {scaling.rule.rpartition(':')[2]} says"
        lines.append(styled(("scales ", "dim"), scaling.template.name, (about, "dim")))
    return lines


def _work(state: GroupState) -> list[Text]:
    words = [word for word in state.open.values() if not word.cue.pick]
    asked = [word for word in state.open.values() if word.cue.pick]
    lines: list[Text] = []
    if words:
        names = ", ".join(f"{word.member} (turn {word.turn}{_again(word)})" for word in words)
        lines.append(styled(("the word is with ", "dim"), (names, "yellow")))
    for word in asked:
        among = f"  of {', '.join(word.options)} · {word.cue.pick} · turn {word.turn}{_again(word)}"
        lines.append(styled((f"{word.member} is to choose", "yellow"), (among, "dim")))
    for choice in state.choices:
        who = choice.by or "a rule"
        lines.append(styled((f"{who} chose ", "dim"), choice.choice or "nothing", (f" ({choice.tool})", "dim")))
    for job in state.jobs.values():
        about: list[Piece] = [("background work of ", "dim"), job.member, (f" {job.phase}", "yellow")]
        lines.append(styled(*about, (f" {job.id}", "dim")))
    return lines


def _again(word: Word) -> str:
    return f", instead of turn {word.cue.instead}" if word.cue.instead else ""


# -- what was said ----------------------------------------------------------------------------------


def last_words(shown: Sequence[Said]) -> list[tuple[Text, ...]]:
    """Return rows of what was said in a group, each with what the speaker passed on, shortened. Pure."""
    return [row for said in shown for row in _said(said)]


def _said(said: Said) -> list[tuple[Text, ...]]:
    speaker = styled((said.speaker, "cyan"))
    rows: list[tuple[Text, ...]] = []
    if said.text or not said.uses:
        rows.append((speaker, _words(said.text, failed=said.failed)))
    return rows + [(speaker, _called(use.name, use.arguments)) for use in said.uses]


def _words(text: str, *, failed: bool, full: bool = False) -> Text:
    return styled(("did not answer: ", "red") if failed else "") + shortened(text, full=full)


def _called(tool: str, text: str, *, full: bool = False) -> Text:
    return styled((f"{tool}  ", "blue")) + arguments(text, full=full)


def talk_rows(talk: Sequence[Utterance]) -> list[tuple[Text, ...]]:
    """Return rows of a group's talk, whole, with what it decided, each with its position. Pure."""
    return [(styled((f"@{line.position}", "dim")), styled((line.speaker, "cyan")), _line(line)) for line in talk]


def _line(line: Utterance) -> Text:
    match line.kind:
        case "choice":
            chose = styled(("chose ", "magenta"), line.to or "nothing", ": " if line.text else "")
            return chose + shortened(line.text, full=True)
        case "note":
            return styled((line.text, "yellow"))
        case "tool call":
            return _called(line.to, line.text, full=True)
        case _:
            return _words(line.text, failed=line.kind == "failure", full=True)
