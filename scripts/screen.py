"""How text gets on a terminal: harmless whatever it says, shortened, and plain where nobody looks."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import UTC, datetime
from typing import cast

from pydantic import JsonValue
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing: controls but newline and tab, and marks that turn text around."""

PIPED_WIDTH = 100
"""Columns where the output is no terminal and COLUMNS is not set."""

LINES, CHARACTERS = 3, 300
"""What is shown of a long text."""

Piece = str | tuple[str, str]
"""A text, or (text, style)."""


def harmless(text: str) -> str:
    """Return `text` with a visible sign for each control character. Pure."""
    return UNSEEN.sub(_sign, text.replace("\r\n", "\n"))


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def styled(*pieces: Piece) -> Text:
    """Return `pieces` side by side, nothing in them taken as markup. Pure."""
    text = Text()
    for piece in pieces:
        words, style = (piece, "") if isinstance(piece, str) else piece
        text.append(harmless(words), style)
    return text


def shortened(
    text: str, *, full: bool = False, style: str = "", lines: int = LINES, characters: int = CHARACTERS
) -> Text:
    """Return the beginning of `text`, and how much is left out; all of it with `full`. Pure."""
    shown = text
    if not full:
        shown = "\n".join(text.split("\n", lines)[:lines])[:characters].rstrip()
    left = len(text.rstrip()) - len(shown)
    more = (f" … {left:,} more characters", "dim") if not full and left > 0 else ""
    return styled((shown if more else text, style), more)


def one_line(text: str, width: int = 80) -> str:
    """Return `text` as one line of at most `width` characters. Pure."""
    line = " ".join(text[: 4 * width].split())
    return line if len(line) <= width and len(text) <= 4 * width else f"{line[: width - 1]}…"


def arguments(text: str, *, full: bool = False) -> Text:
    """Return the arguments of a tool, each with its name, long ones cut unless `full`. Pure."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return shortened(text, full=full, style="dim")
    pieces: list[Piece] = []
    for key, value in cast("dict[str, object]", found).items():
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        pieces += ["  " if pieces else "", (f"{key}: ", "dim"), said if full else one_line(said, 200)]
    return styled(*pieces)


def duration(seconds: float | None) -> str:
    """Return a duration for people. Pure."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60:,} min {int(seconds) % 60} s"


def moment(time: datetime | None) -> str:
    """Return a time for people, in UTC. Pure."""
    return "" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def many(count: int, noun: str) -> str:
    """Return how many, such as `1 turn` or `2 turns`. Pure."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def columns(*rows: tuple[RenderableType, ...]) -> Table:
    """Return rows as a grid, the last column as wide as there is room. Pure."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        grid.add_row(*row)
    return grid


def console() -> Console:
    """Return the terminal, or plain text where stdout is none; NO_COLOR is honoured."""
    _never_fail("replace")
    columns_wanted = os.environ.get("COLUMNS", "")
    if columns_wanted.isdecimal() and not int(columns_wanted):
        width = PIPED_WIDTH  # a terminal that says it has none; nothing would be shown
    else:
        width = None if sys.stdout.isatty() or columns_wanted else PIPED_WIDTH
    return Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)


def show(*drawn: RenderableType) -> None:
    """Print what is drawn; where stdout is no terminal, without the blanks that fill up its lines."""
    screen = console()
    if screen.is_terminal:
        screen.print(*drawn, sep="\n")
        return
    with screen.capture() as captured:
        screen.print(*drawn, sep="\n")
    for line in captured.get().splitlines():
        print(line.rstrip())


def print_json(value: JsonValue, *, indent: int | None = 2) -> None:
    """Print `value` as JSON that a terminal cannot obey; without `indent` on one line."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    _never_fail("backslashreplace")
    print(re.sub(UNSEEN, _escaped, text))


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _never_fail(errors: str) -> None:
    """Let characters that stdout has no bytes for give way to a sign."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # what a test puts there may have none
    if reconfigure is not None:
        reconfigure(errors=errors)
