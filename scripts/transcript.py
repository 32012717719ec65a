"""A request on the screen while it goes on: who speaks, the text as it arrives, tools, attempts.

On a terminal, text appears piece by piece and nothing is ever redrawn, so what scrolled away stays right.
Only one speaks at a time: what others say meanwhile is shown when it has ended. Where the output is no
terminal, there are plain lines, each when it is whole.
"""

from __future__ import annotations

import re

from rich.cells import cell_len, chop_cells
from rich.console import Console

from callboard.actors.streaming import TextDelta
from callboard.events import RecordedEvent
from callboard.events.catalog import (
    MessageDropped,
    MessageExpired,
    ModelAttemptFailed,
    ModelCallFailed,
    ModelCallFinished,
    ModelCallStarted,
    SendFailed,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallInDoubt,
    ToolCallRequested,
    ToolCallResolved,
    TurnCancelled,
    TurnCancelling,
    TurnFailed,
    TurnResumed,
)
from callboard.projections.words import name_of
from callboard.scripts.group_lines import Line, ending_text, line_of
from callboard.scripts.people_lines import call_of
from callboard.scripts.people_lines import line_of as person_line
from callboard.scripts.screen import harmless, one_line

INDENT = "  "
"""What stands before all that somebody says or does, on a terminal."""

ROOM = 40
"""Columns that a result wants behind its call; with less, it goes below."""

FAILURE, FAILURE_LINE = 8, 400
"""Lines that are shown of why something failed, and characters of each."""

OTHER_SIGN = "→"
_SIGNS = {
    "tool": "▸",
    "retry": "↻",
    "failed": "✗",
    "again": "↻",
    "result": "=",
    "doubt": "?",
    "person": "?",
    "note": "·",
}


class Words:
    """Text that arrives in pieces, wrapped between words as it goes."""

    def __init__(self, screen: Console, indent: str, style: str = "") -> None:
        self._screen, self._indent, self._style = screen, indent, style
        self._column, self._spaces, self._word = 0, "", ""

    def add(self, piece: str) -> None:
        """Put `piece` behind what stands there; its last word may wait for its end."""
        out: list[str] = []
        for token in re.findall(r"\n|[^\S\n]+|\S+", harmless(piece)):
            if token == "\n":
                self._flush(out)
                out.append("\n")
                self._column, self._spaces = 0, ""
            elif token.isspace():
                self._flush(out)
                self._spaces += token.replace("\t", "    ")
            else:
                self._word += token
                if len(self._word) > self._screen.width:
                    self._flush(out)
        self._screen.out("".join(out), end="", style=self._style, highlight=False)

    def end(self) -> None:
        """Put the last word, and end the line."""
        out: list[str] = []
        self._flush(out)
        if self._column:
            out.append("\n")
        self._screen.out("".join(out), end="", style=self._style, highlight=False)
        self._column, self._spaces = 0, ""

    def _flush(self, out: list[str]) -> None:
        word, self._word = self._word, ""
        if not word:
            return
        room = self._screen.width - 1
        width = len(self._spaces) + cell_len(word)
        if self._column and self._column + width > room:
            out.append("\n")
            self._column, self._spaces = 0, ""
        if not self._column:
            out.append(self._indent)
            self._column = len(self._indent)
        whole = self._spaces + word
        first, *more = chop_cells(whole, max(1, room - self._column))
        out.append(first)
        for part in more:
            out.append(f"\n{self._indent}{part}")
        self._column = cell_len(more[-1]) + len(self._indent) if more else self._column + cell_len(first)
        self._spaces = ""


class Transcript:
    """Shows the events of one request, and pieces of text, in the order they come."""

    def __init__(self, screen: Console, *, asks: bool = False) -> None:
        """Show on `screen`; `asks` says that somebody else asks the person there for what waits."""
        self._screen, self._live, self._asks = screen, screen.is_terminal, asks
        self._turn = ""
        self._tools: dict[str, ToolCallRequested] = {}
        self._called = ""
        self._speaking: tuple[str, int] | None = None
        self._heard: dict[tuple[str, int], list[str]] = {}
        self._words = Words(screen, INDENT)
        self._held: list[RecordedEvent] = []
        self._asked = set[str]()
        self._cancelled: dict[str, str] = {}
        self.said = ""

    @property
    def speaking(self) -> bool:
        """Whether a text on the screen has not come to its end."""
        return self._speaking is not None

    def show(self, item: RecordedEvent | TextDelta) -> None:
        """Show `item`, or keep it until whoever speaks has ended."""
        if isinstance(item, TextDelta):
            if self._live:
                self._hear(item)
        elif self._speaking and getattr(item.data, "id", "") != self._speaking[0]:
            self._held.append(item)
        else:
            self._show(item)
            while self._held and not self._speaking:
                self._show(self._held.pop(0))

    def end(self, name: str, answer: str) -> None:
        """End the last line; where the `answer` of `name` is not what was said last, show it."""
        self._hush()
        while self._held:
            self._show(self._held.pop(0))
        self._end_line()
        if answer and answer != self.said:
            self._say(name, "", answer)

    def note(self, text: str) -> None:
        """Show a line of the program's own under whoever speaks."""
        self._hush()
        self._line("note", text, "dim")

    def aside(self) -> None:
        """End the line, so that something else can be shown; whoever goes on after that is named anew."""
        self._hush()
        self._end_line()
        self._turn = ""

    # -- text -----------------------------------------------------------------------------------

    def _hear(self, delta: TextDelta) -> None:
        call = (delta.call, delta.attempt)
        heard = self._heard.setdefault(call, [])
        heard.append(delta.text)
        if self._speaking == call:
            self._words.add(delta.text)
        elif self._speaking is None:
            self._heading(delta.agent, delta.call.rpartition("/")[0])
            self._end_line()
            self._speaking = call
            self._words.add("".join(heard))

    def _hush(self) -> None:
        if self._speaking:
            self._words.end()
            self._speaking = None

    def _say(self, name: str, id: str, text: str) -> None:
        """Show the whole `text` of a reply, or what is not shown of it yet."""
        self.said = text or self.said
        shown = "".join(self._heard.get(self._speaking, ())) if self._speaking else ""
        self._heard = {call: heard for call, heard in self._heard.items() if call[0] != id}
        if self._speaking and text.startswith(shown):
            self._words.add(text[len(shown) :])
            self._hush()
            return
        self._hush()  # pieces were lost on the way: the whole once more
        if not text:
            return
        self._heading(name, id.rpartition("/")[0])
        self._end_line()
        if self._live:
            self._words.add(text)
            self._words.end()
        else:
            self._screen.out(harmless(text).rstrip("\n"), highlight=False)

    # -- events ---------------------------------------------------------------------------------

    def _show(self, event: RecordedEvent) -> None:
        name, data = name_of(event.stream), event.data
        match data:
            case ModelCallStarted(id=id):
                if self._live and self._asked <= {id}:  # of several that begin at once, the first
                    self._heading(name, id.rpartition("/")[0])
                self._asked.add(id)
            case ModelAttemptFailed():
                self._retry(event, name, data)
            case ModelCallFinished(id=id, summarises=lines) if lines:
                self._asked.discard(id)
                self._line("summary", f"takes the place of {lines:,} lines of the history", "dim")
            case ModelCallFinished(id=id, text=text):
                self._asked.discard(id)
                self._say(name, id, str(text))
            case ModelCallFailed(id=id):
                self._asked.discard(id)
                self._hush()
            case ToolCallRequested() | ToolCallInDoubt():
                self._call(name, data)
            case ToolCallFinished(id=id, text=text) | ToolCallResolved(id=id, text=text):
                self._result(name, id, str(text), failed=False)
            case ToolCallFailed(id=id, text=text):
                self._result(name, id, str(text), failed=True)
            case TurnFailed(id=id, text=text) | TurnCancelled(id=id, text=text) if event.stream.startswith("agent-"):
                self._heading(name, id)
                self._line("failed", str(text) + self._cancelled.pop(id, ""), "red")
                self.said = ""
            case MessageExpired(id=id, text=text) | MessageDropped(id=id, text=text):
                self._heading(name, id)
                self._line("failed", str(text), "red")
            case TurnResumed(id=id, attempt=attempt):
                self._heading(name, id)
                self._line("again", f"goes on where the process stopped (attempt {attempt})", "yellow")
            case SendFailed(id=id, text=text, accepted=False):
                self._heading(id.rpartition("/")[2], id)
                self._line("failed", str(text), "red")
            case _:
                self._of_group(event, person_line(data, self._tools.get(data.id), asks=self._asks))

    def _of_group(self, event: RecordedEvent, line: Line | None) -> None:
        if isinstance(event.data, TurnCancelling) and event.data.by:
            self._cancelled[event.data.id] = f" by {name_of(event.data.by)}"
        line = line or line_of(event.stream, event.data)
        if line is not None:
            self._heading(line.name, line.turn)
            self._line(line.kind, line.text, "red" if line.failed else "blue")

    def _heading(self, name: str, turn: str) -> None:
        if turn == self._turn:
            return
        self._end_line()
        before = "\n" if self._turn else ""
        self._turn = turn
        self._screen.out(before, end="", highlight=False)
        self._screen.out(name if self._live else f"{name}:", style="bold cyan", highlight=False)

    def _retry(self, event: RecordedEvent, name: str, failed: ModelAttemptFailed) -> None:
        lost = self._speaking is not None
        self._hush()
        self._heard.pop((failed.id, failed.attempt), None)
        if failed.retry_at is None:
            return  # the turn fails, and says why
        self._heading(name, failed.id.rpartition("/")[0])
        pause = max(0.0, (failed.retry_at - event.recorded_at).total_seconds())
        note = " (what was said above is not kept)" if lost else ""
        self._line("retry", f"attempt {failed.attempt + 1} in {pause:.1f} s: {failed.text}{note}", "yellow")

    def _call(self, name: str, data: ToolCallRequested | ToolCallInDoubt) -> None:
        if isinstance(data, ToolCallRequested) and data.effect == "ends":
            self._tools[data.id] = data  # shown when it has ended the turn
            return
        self._heading(name, data.id.rsplit("/", 2)[0])
        if isinstance(data, ToolCallInDoubt):
            self._line("doubt", f"{self._tool(data.id)}: nobody knows whether it ran", "yellow")
            return
        self._tools[data.id] = data
        if self._live:  # the result, when nothing comes between, goes on the same line
            self._end_line()
            self._called = f"{INDENT}{_SIGNS['tool']} {call_of(data)}"
            self._screen.out(self._called, end="", style="magenta", highlight=False)

    def _result(self, name: str, id: str, text: str, *, failed: bool) -> None:
        requested = self._tools.pop(id, None)
        called = call_of(requested) if requested else id
        style = "red" if failed else "green"
        ended = ending_text(requested) if requested and requested.effect == "ends" and not failed else None
        if ended == "":
            return
        self._heading(name, id.rsplit("/", 2)[0])
        if requested and ended:
            self._line(requested.tool, ended, "blue")
            return
        if not self._live:
            verb = "failed" if failed else "tool"
            self._screen.out(f"[{verb}] {called} -> {one_line(harmless(text), 200)}", highlight=False)
            return
        if self._called != f"{INDENT}{_SIGNS['tool']} {called}":
            self._end_line()
            self._called = f"{INDENT}{_SIGNS['result']} {requested.tool if requested else id}"
            self._screen.out(self._called, end="", style="magenta", highlight=False)
        room = self._screen.width - cell_len(self._called) - 4
        if failed or (room < ROOM and len(text) > room):
            self._end_line()
            self._lines(text, style)
        else:
            self._called = ""
            self._screen.out(f" → {one_line(harmless(text), room)}", style=style, highlight=False)

    # -- lines ----------------------------------------------------------------------------------

    def _tool(self, id: str) -> str:
        requested = self._tools.get(id)
        return call_of(requested) if requested else id

    def _line(self, kind: str, text: str, style: str) -> None:
        self._end_line()
        if self._live:
            sign = _SIGNS.get(kind) or f"{OTHER_SIGN} {one_line(kind)}"
            self._lines(f"{sign} {text}", style, INDENT)
        else:
            self._screen.out(f"[{one_line(harmless(kind))}] {one_line(harmless(text), 400)}", highlight=False)

    def _lines(self, text: str, style: str, indent: str = INDENT * 2) -> None:
        lines = harmless(text).rstrip().split("\n")
        words = Words(self._screen, indent, style)
        words.add("\n".join(line[:FAILURE_LINE] for line in lines[:FAILURE]))
        words.add("\n…" if len(lines) > FAILURE else "")
        words.end()

    def _end_line(self) -> None:
        if self._called:
            self._called = ""
            self._screen.out("", highlight=False)
