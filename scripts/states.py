"""The states of a log on a terminal: agents, groups, blocks, and what is pending."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from callboard.events.catalog import MessageReceived
from callboard.projections import AgentState, BlockHistory, Desk, GroupState
from callboard.projections.agent_calls import ModelCall, ToolCall
from callboard.projections.archive import ArchiveState
from callboard.projections.contexts import MAIN, contexts
from callboard.projections.conversation import Utterance
from callboard.projections.deciding import AWAITS
from callboard.projections.pending import Open
from callboard.projections.prompt import Heard, Line, Replied, Summed
from callboard.projections.spans import WAITS
from callboard.projections.whole import Whole
from callboard.projections.words import name_of
from callboard.scripts.screen import columns, many, moment, one_line, shortened, styled
from callboard.scripts.states_groups import group_lines, last_words, talk_rows

VALUE_LINES, VALUE = 12, 1_000
"""Lines and characters that are shown of a block, unless all are asked for."""

LAST = 4
"""Lines of a history or transcript that are shown, unless all are asked for."""

ASKED = ("ApprovalAsked", "QuestionAsked")
"""Events after which a call waits for a person, whatever its tool says."""

WORDS = {"turn": "turn", "send": "message", "call": "model call", "tool": "tool call", "job": "background work"}


def states(whole: Whole, *, full: bool, talk: Sequence[Utterance] = ()) -> RenderableType:
    """Return every state; with `full` whole histories and long texts, of a group alone its `talk`. Pure."""
    found: list[RenderableType] = []
    parts = (
        ("groups", [(name_of(s), group(state, talk=talk)) for s, state in whole.groups.items()]),
        ("agents", [(name_of(s), agent(state, full=full)) for s, state in whole.agents.items()]),
        ("blocks", [(name_of(s), block(history, full=full)) for s, history in whole.blocks.items()]),
        ("archives", [(name_of(s), archive(state)) for s, state in whole.archives.items()]),
    )
    for title, rows in parts:
        if rows:
            named = columns(*((styled((name, "bold cyan")), drawn) for name, drawn in rows))
            found += [styled(), styled((title, "bold")), Padding(named, (0, 0, 0, 2))]
    found += [styled(), styled(("pending", "bold")), Padding(pending(list(whole.pending.items.values())), (0, 0, 0, 2))]
    return Group(*found)


# -- agents -----------------------------------------------------------------------------------------


def agent(state: AgentState, *, full: bool) -> RenderableType:
    """Return what an agent does now, and the end of its history. Pure."""
    lines = [_doing(state.desk)]
    if state.model is not None:
        lines.append(_model_call(state.model))
    for call in state.tools.values():
        lines.append(_tool_call(call))
    lines += _backlog(state.desk)
    if state.seen:
        seen = ", ".join(f"{label} at version {version}" for label, version in state.seen.items())
        lines.append(styled((f"has read {seen}", "dim")))
    found: list[RenderableType] = [*lines]
    for name, said in contexts(state).items():
        shown = said[:] if full else said[-LAST:]
        where = "in its history" if name == MAIN else f"in the conversation {name}"
        found.append(_count("message", where, len(said), len(shown)))
        found += _columns([row for line in shown for row in _history(line, full=full)])
    return Group(*found)


def _doing(desk: Desk) -> Text:
    if desk.turn is None:
        return styled(("retired" if desk.retired else "idle", "dim"))
    again = f", taken up {desk.attempt} times" if desk.attempt > 1 else ""
    state = "cancelling" if desk.turn.id in desk.cancelling else "works on"
    asked = desk.turn.sender if "-" not in desk.turn.sender else name_of(desk.turn.sender)
    return styled((f"{state} ", "yellow"), desk.turn.id, (f" asked by {asked}{again}", "dim"))


def _model_call(call: ModelCall) -> Text:
    attempt = f", attempt {call.attempt}" if call.attempt else ""
    due = f" until {moment(call.due)}" if call.due else ""
    why = f": {one_line(call.failure)}" if call.failure else ""
    number = call.id.rpartition("/")[2]
    return styled((f"model call {number} ", "dim"), (f"{call.phase}{due}", "yellow"), (f"{attempt}{why}", "dim"))


def _tool_call(call: ToolCall) -> Text:
    if (wanted := AWAITS.get(call.phase)) is None:
        return styled(("tool ", "dim"), call.wanted.tool, (f" {call.phase}", "yellow"), (_reached(call), "dim"))
    given = one_line(str(call.wanted.arguments), 200)
    note = f" asked since {one_line(call.text, 200)}" if call.phase == "asked" and call.text else ""
    return styled(
        ("tool ", "dim"), call.wanted.tool, (f" {WAITS[wanted]} ", "bold yellow"), call.id, (f" {given}{note}", "dim")
    )


def _reached(call: ToolCall) -> str:
    """Return whom the messages of a call go to, and how many came to something; nothing of other calls. Pure."""
    if not call.recipients:
        return ""
    names = one_line(", ".join(map(name_of, call.recipients)), 200)
    due = f", until {moment(call.due)}" if call.due else ""
    return f" to {names}; {len(call.came):,} of {len(call.recipients):,} came{due}"


def _backlog(desk: Desk) -> list[Text]:
    return [styled(("waiting ", "dim"), message.id, (f" {_asked(message)}", "dim")) for message in desk.backlog]


def _asked(message: MessageReceived) -> str:
    return one_line(" ".join(f"{part.speaker}: {part.text}" for part in message.parts))


def _history(line: Line, *, full: bool) -> list[tuple[Text, Text]]:
    match line:
        case Heard(parts=parts):
            return [_spoken(p.speaker, p.text, failed=p.failed, full=full) for p in parts]
        case Replied(text=text, uses=uses):
            said = [(styled(("said", "magenta")), shortened(text, full=full))] if text else []
            return said + [
                (styled((f"{tool} called", "blue")), shortened(arguments, full=full, style="dim"))
                for _, tool, arguments in uses
            ]
        case Summed(text=text, lines=count):
            what = styled((f"sum of {many(count, 'line')}", "magenta"))
            return [(what, shortened(text, full=full) if text else styled(("none could be had", "dim")))]
        case _:
            return [(styled(("got back", "dim")), shortened(line.text, full=full))]


def _spoken(speaker: str, text: str, *, failed: bool, full: bool) -> tuple[Text, Text]:
    why = styled(("did not answer: ", "red")) if failed else styled()
    return styled((speaker, "cyan")), why + shortened(text, full=full)


def _count(noun: str, what: str, known: int, shown: int) -> Text:
    if not known:
        return styled((f"nothing {what}", "dim"))
    end = f"; the last {shown}:" if shown < known else ":"
    return styled((f"{many(known, noun)} {what}{end}", "dim"))


def _columns(rows: Sequence[tuple[Text, ...]]) -> list[RenderableType]:
    return [columns(*rows)] if rows else []


# -- groups and blocks ------------------------------------------------------------------------------


def group(state: GroupState, *, talk: Sequence[Utterance]) -> RenderableType:
    """Return who is in a group, what it does, and the end of its transcript; all of it where `talk` is given. Pure."""
    doing = [_doing(state.desk)] if state.desk.turn else []  # else its phase says enough
    lines = [*group_lines(state), *doing, *_backlog(state.desk)]
    if talk:
        return Group(*lines, _count("line", "of its talk", len(talk), len(talk)), *_columns(talk_rows(talk)))
    shown = state.transcript[-LAST:]
    lines.append(_count("line", "said", len(state.transcript), len(shown)))
    return Group(*lines, *_columns(last_words(shown)))


def block(history: BlockHistory, *, full: bool) -> RenderableType:
    """Return what a block holds, and who changed it last; with `full` every edit. Pure."""
    state = history.state
    limit = f" of {state.spec.limit:,}" if state.spec else ""
    retired = " · retired" if state.desk.retired else ""
    edits = [version for version in history.versions if version.is_edit]
    refused = sum(bool(version.refused) for version in history.versions)
    last = f" · {edits[-1].verb} by {edits[-1].editor} @{edits[-1].position}" if edits else " · never edited"
    facts = f"version {state.version} · {len(state.value):,}{limit} characters{retired}{last}"
    head = styled((facts + (f" · {many(refused, 'edit')} refused" if refused else ""), "dim"))
    value = (
        shortened(state.value, full=full, lines=VALUE_LINES, characters=VALUE)
        if state.value
        else styled(("(empty)", "dim"))
    )
    return Group(head, value, *([_edits(history)] if full else []))


def _edits(history: BlockHistory) -> RenderableType:
    rows: list[tuple[RenderableType, ...]] = []
    for version in history.versions:
        who = styled(
            (f"@{version.position}", "dim"), f" {version.verb}", f" by {version.editor}" if version.editor else ""
        )
        if version.refused:
            rows.append((who, styled(("✗ ", "red")) + shortened(version.refused)))
        else:
            colours = {"+": "green", "-": "red"}
            lines = [styled((line, colours.get(line[:1], "dim"))) for line in version.diff]
            rows.append((who, Group(*lines)))
    return Group(styled(("its edits:", "dim")), columns(*rows))


def archive(state: ArchiveState) -> RenderableType:
    """Return how many passages an archive holds, and which is the newest. Pure."""
    deleted = len(state.passages) - state.standing
    facts = many(state.standing, "passage") + (f" · {deleted:,} deleted" if deleted else "")
    if not state.standing:
        return styled((facts, "dim"))
    newest = state.passages[state.newest]
    tags = f" ({', '.join(newest.tags)})" if newest.tags else ""
    return styled((f"{facts} · the newest is p{state.newest}{tags}, of version {newest.version}", "dim"))


# -- pending ----------------------------------------------------------------------------------------


def pending(items: list[Open]) -> RenderableType:
    """Return what was begun and has not ended. Pure."""
    if not items:
        return styled(("nothing", "dim"))
    table = Table.grid(padding=(0, 2, 0, 0))
    for item in items:
        waits = f"waits for {name_of(item.recipient)}" if item.recipient else ""
        waits = "waits for a person" if item.latest in ASKED else waits
        due = f"due {moment(item.due)}" if item.due else ""
        table.add_row(
            styled((f"@{item.since}", "dim")),
            styled((WORDS.get(item.kind, item.kind), "yellow")),
            styled(item.id),
            styled((f"{item.latest} of {name_of(item.stream)}", "dim")),
            styled((" ".join(filter(None, (waits, due))), "dim")),
        )
    return table
