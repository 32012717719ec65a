"""Who wrote what of a block on a terminal: a table of lines, where a version comes from, and what a text led to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from callboard.projections.blame import BlamedLine, Written
from callboard.projections.called import BlockRead, ModelCalled, Reading, ToolUsed
from callboard.projections.impact import Impact, Influenced
from callboard.projections.provenance import Origin, TurnAsked
from callboard.projections.words import name_of
from callboard.scripts.screen import Piece, arguments, many, moment, one_line, shortened, styled

READ = 12
"""Messages of a turn that are shown of what a model call had read, the first and the last ones."""

CALLS = 20
"""Model calls that are shown of an impact."""

ANSWERS = 3
"""Refused edits that are named of a model call whose history has their answers."""


def lines_table(lines: Iterable[BlamedLine], written: Mapping[int, Written], *, full: bool) -> Table:
    """Return the lines of a block, each with the version that wrote it; no date where all are of one day. Pure."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    lines = list(lines)
    one_day = len({_day(written[line.version].at) for line in lines}) == 1
    table.add_column("line", justify="right", no_wrap=True)
    table.add_column("version", justify="right", no_wrap=True)
    table.add_column("time", no_wrap=True)
    table.add_column("who", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("how", no_wrap=True, overflow="ellipsis")
    table.add_column("", ratio=1, no_wrap=not full, overflow="fold" if full else "ellipsis", min_width=20)
    for line in lines:
        one = written[line.version]
        table.add_row(
            styled((f"{line.number}", "dim")),
            styled((f"v{line.version}{'+' if len(line.parts) > 1 else ''}", "bold")),
            styled((_time(one.at, one_day=one_day), "dim")),
            styled((one.editor, "cyan")),
            styled((one.verb, "blue")),
            styled(line.text if full else line.text[:1_000]),
        )
    return table


def parts_line(line: BlamedLine) -> Text:
    """Return who wrote which part of a line, from left to right. Pure."""
    pieces, at = list[Piece](), 0
    for version, size in line.parts:
        pieces += [("  " if pieces else "", ""), (f"v{version} ", "bold"), line.text[at : at + size]]
        at += size
    return styled(*pieces)


def _day(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d}"


def _time(time: datetime, *, one_day: bool) -> str:
    time = time.astimezone(UTC)
    return f"{time:%H:%M:%S}" if one_day else f"{time:%Y-%m-%d %H:%M}"


def days(written: Iterable[Written]) -> str:
    """Return the days of these versions in words. Pure."""
    found = sorted({_day(one.at) for one in written})
    return " to ".join(dict.fromkeys((found[0], found[-1]))) + " UTC" if found else ""


# -- where a version comes from ---------------------------------------------------------------------


def chain(origin: Origin) -> Text:
    """Return where a version comes from in one line, the request last. Pure."""
    written, pieces = origin.written, list[Piece]()
    pieces += [(f"v{written.version}", "bold"), (f" @{written.position}", "dim")]
    if not written.call:
        return styled(*pieces, " the first value")
    pieces += [f" {written.verb} by ", (written.editor, "cyan")]
    if origin.call is not None:
        mine = [block for block in origin.call.blocks if block.stream == origin.stream]
        rest = len(origin.call.blocks) - len(mine)
        blocks = "".join(f", {_block(block)}" for block in mine) + (f", {many(rest, 'other block')}" if rest else "")
        messages = many(len(origin.call.heard), "message")
        pieces += [(" ← ", "dim"), f"model call {origin.call.data.id}", (f" @{origin.call.started.position}", "dim")]
        older = f" and {many(origin.call.earlier, 'older line')}" if origin.call.earlier else ""
        pieces.append(f" that had read {messages}{older}{blocks}")
    for turn in origin.turns:
        via = f" {turn.tool.data.tool} by" if turn.tool else ""
        pieces += [(" ← ", "dim"), f"turn of {name_of(turn.stream)}", (f" @{turn.message.position}", "dim")]
        pieces += [" for", via, " ", (name_of(turn.data.sender), "cyan")]
    if (request := origin.request) is not None:
        pieces.append(f": {one_line(' '.join(part.text for part in request.data.parts), 100)}")
    elif "-" not in written.by:
        pieces += [(" ← ", "dim"), f"request {written.call.split('/', 1)[0]}"]
    return styled(*pieces)


def origin_tree(origin: Origin, *, full: bool) -> RenderableType:
    """Return where a version comes from as a tree: the edit, the tool call, the model call, up to the request. Pure."""
    written = origin.written
    head = styled(
        (f"version {written.version}", "bold"),
        (" of ", "dim"),
        (name_of(origin.stream), "bold green"),
        (f"  {moment(written.at)}  @{written.position}", "dim"),
    )
    root = Tree(head, guide_style="dim")
    if not written.call:
        root.add(styled("the first value: the block began with it"))
        return root
    if origin.tool is None:
        who = (written.editor, "bold cyan")
        root.add(styled(f"{written.verb} by ", who, (f"  request {written.call.split('/', 1)[0]}", "dim")))
        return root
    node = _add_call(root, origin.tool, origin.call, full=full, whole=True)
    for turn in origin.turns:
        node = _add_turn(node, turn, full=full)
    return root


def _add_call(node: Tree, tool: ToolUsed, call: ModelCalled | None, *, full: bool, whole: bool) -> Tree:
    """Put a tool call and the model call that wanted it below `node`; return where what came before it goes."""
    head = styled((tool.data.tool, "blue"), (f"  {tool.data.id}  @{tool.requested.position}", "dim"))
    node = node.add(Group(head, arguments(tool.data.arguments, full=full)))
    if call is None:
        return node
    model = f" {call.model}" if call.model else ""
    head = styled(
        (f"model call {call.data.id.rpartition('/')[2]}", "magenta"),
        (" of ", "dim"),
        (name_of(call.stream), "bold cyan"),
        (f"{model}  @{call.started.position}", "dim"),
    )
    node = node.add(Group(head, shortened(call.text, full=full)) if call.text else head)
    if whole or full:
        _add_read(node.add(styled(("had read", "dim"))), call, full=full)
    return node


def _add_read(node: Tree, call: ModelCalled, *, full: bool) -> None:
    for block in call.blocks:
        node.add(styled(("block ", "dim"), (_block(block), "green"), " as others had changed it" if block.news else ""))
    if call.earlier and not full:
        node.add(styled((f"… {many(call.earlier, 'older line')} of its history", "dim")))
    read = (*call.history, *call.heard) if full else call.heard
    shown: Sequence[Reading | None] = read
    if not full and len(read) > READ:
        shown = (*read[: READ // 2], None, *read[-READ // 2 :])
    for one in shown:
        node.add(_reading(one, full=full) if one else styled((f"… {len(read) - READ} more", "dim")))


def _block(block: BlockRead) -> str:
    return f"{block.label}@{block.version}"


def _reading(reading: Reading, *, full: bool) -> Text:
    who = f"{reading.speaker} → {reading.to}" if reading.to else reading.speaker
    verb = " gave" if reading.role == "result" else ""
    ref = (f"  {reading.ref}" if reading.ref else "", "dim")
    said = shortened(reading.text, full=True) if full else styled(one_line(reading.text, 200))
    return styled((f"{who}{verb}", "cyan"), ref, (": ", "dim")) + said


def _add_turn(node: Tree, turn: TurnAsked, *, full: bool) -> Tree:
    outside = "-" not in turn.data.sender
    what = (
        f"request {turn.data.id.split('/', 1)[0]}" if outside else "the word" if turn.data.kind == "turn" else "message"
    )
    head = styled(
        ("turn of ", "dim"),
        (name_of(turn.stream), "bold cyan"),
        (f", {what} from ", "dim"),
        (name_of(turn.data.sender), "cyan"),
        (f"  @{turn.message.position}", "dim"),
    )
    parts = [styled((f"{part.speaker}: ", "cyan")) + shortened(part.text, full=full) for part in turn.data.parts]
    told = outside or turn.tool is not None or full  # what a group passes on stands in what was read
    node = node.add(Group(head, *parts) if told else head)
    return _add_call(node, turn.tool, turn.call, full=full, whole=False) if turn.tool else node


# -- what a text led to -----------------------------------------------------------------------------


def impact_tree(impact: Impact, *, full: bool) -> RenderableType:
    """Return the model calls that had a text in their prompt, and what they did. Pure."""
    written = impact.written
    what = f"line {impact.line}, version {written.version}" if impact.line else f"version {written.version}"
    by = f"  {written.verb} by {written.editor}" if written.by else "  the first value"
    head = styled(
        (what, "bold"), (" of ", "dim"), (name_of(impact.stream), "bold green"), by, (f"  @{written.position}", "dim")
    )
    whose = "its prompt" if len(impact.calls) == 1 else "their prompt"
    count = f"{many(len(impact.calls), 'model call')} had it in {whose}"
    if not impact.calls:
        count = "no model call had it in its prompt"
    said = impact.text.strip("\n")
    text = shortened(said, full=full) if said.strip() else styled(("nothing but blanks", "dim"))
    root = Tree(Group(head, text, styled((count, "dim"))), guide_style="dim")
    for one in impact.calls if full else impact.calls[:CALLS]:
        _add_influenced(root, one, full=full)
    if not full and (left := len(impact.calls) - CALLS) > 0:
        root.add(styled((f"… {many(left, 'more call')}", "dim")))
    return root


def _add_influenced(root: Tree, one: Influenced, *, full: bool) -> None:
    call = one.call
    shown = [f"{_block(block)}{' as news' if block.news else ''}" for block in one.shown]
    shown += [f"the answer to {tool}" for tool in one.answers[:ANSWERS]]
    shown += [many(left, "more answer")] if (left := len(one.answers) - ANSWERS) > 0 else []
    head = styled(
        (name_of(call.stream), "bold cyan"),
        (f"  model call {call.data.id}  @{call.started.position}", "dim"),
        ("  was shown ", "dim"),
        (", ".join(shown), "green"),
    )
    mark = styled(("failed: ", "red")) if call.failed else Text()
    said = [mark + shortened(call.text, full=full, lines=1, characters=200)] if call.text else []
    node = root.add(Group(head, *said))
    edits = {edit.tool: edit for edit in one.edits}
    for tool in one.tools:
        edit = edits.get(tool.data.id)
        made = f" → {name_of(edit.stream)}@{edit.version}" if edit else ""
        state = "" if tool.outcome == "finished" else f" {tool.outcome}"
        node.add(
            styled((tool.data.tool, "blue"), (state, "red"), (made, "green"), (f"  @{tool.requested.position}", "dim"))
        )
    if call.ended is None:
        node.add(styled(("has no reply yet", "yellow")))
    if call.deferred:
        node.add(styled(("was too long for the model, and was asked anew after a summary", "yellow")))
