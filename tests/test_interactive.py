"""`callboard run --interactive`: a conversation, with what waits for a person asked in between."""

from __future__ import annotations

import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint
from rich.console import Console

from callboard import Agent, MemoryStore, ModelReply, ModelRequest, SQLiteStore, Tool
from callboard.actors import inbox
from callboard.actors.inbox import Decide
from callboard.actors.model import Model
from callboard.actors.team import Team
from callboard.actors.testing import Scripted, ScriptedModel, calls
from callboard.events import EventStore, TextRefused
from callboard.events.catalog import ApprovalAsked
from callboard.events.codec import MAX_TEXT
from callboard.scripts.interactive import talk
from callboard.scripts.main import main
from callboard.scripts.typed_lines import Typed

ran: list[str] = []


def pay(amount: int) -> str:
    """Pay."""
    ran.append(f"pay {amount}")
    return "paid"


CLERK = Agent("clerk", "You pay.", tools=[Tool(pay, needs_approval=True), "ask_human"])
PAY = calls(("pay", {"amount": 7}))
ASK = calls(("ask_human", {"question": "left or right?", "options": ["left", "right"]}))
FREE = calls(("ask_human", {"question": "how much?"}))


@pytest.fixture(autouse=True)
def fresh() -> None:
    ran.clear()


class Given:
    """Lines that a test gives."""

    def __init__(self, *lines: str, live: bool = False) -> None:
        self.live, self.left, self.screen = live, list(lines), io.StringIO()

    async def shown(self, text: str) -> None:
        """Wait until `text` is on the screen."""
        while text not in self.screen.getvalue():
            await checkpoint()

    async def next(self) -> str | None:
        """Return the next line."""
        return self.left.pop(0) if self.left else None


class Signals:
    """Ctrl-C, as often as somebody presses it."""

    def __init__(self) -> None:
        self.send, self.stops = anyio.create_memory_object_stream[int](8)

    def press(self) -> None:
        """Press it."""
        self.send.send_nowait(signal.SIGINT)


async def said(
    log: Path | EventStore,
    script: Model | Sequence[Scripted],
    *lines: str,
    source: Given | None = None,
    first: str = "",
    signals: Signals | None = None,
) -> tuple[int, str]:
    """Converse; return the exit code and what was on the screen."""
    given, signals = source or Given(*lines), signals or Signals()
    out = Console(file=given.screen, force_terminal=given.live, width=90, color_system=None)
    model = ScriptedModel({"clerk": list(script)}) if isinstance(script, Sequence) else script
    team = Team("desk", None, {}, {"clerk": CLERK}, {})
    with anyio.fail_after(15), signals.send, signals.stops:
        code = await talk(team, model=model, log=log, lines=given, out=out, first=first, stops=signals.stops)
    return code, given.screen.getvalue()


async def types(store: EventStore) -> list[str]:
    return [event.type async for event in store.read_all()]


async def test_each_line_is_a_request_and_the_end_of_the_input_leaves() -> None:
    code, shown = await said(MemoryStore(), ["Hello.", "Fine."], "Hi", "How are you?")
    assert code == 0
    assert re.search(r"clerk:\nHello\.\n1 turn · .* · trace \w{12}\nclerk:\nFine\.\n", shown)


async def test_an_approval_is_asked_in_line_with_the_very_arguments() -> None:
    _, shown = await said(MemoryStore(), [PAY, "Done."], "Pay the bill.", "y")
    assert '? clerk wants to begin pay\n{"amount": 7}\n  y, or n and why\n' in shown
    assert shown.index("? clerk wants") < shown.index("was approved by user") < shown.index("Done.")
    assert ran == ["pay 7"]


async def test_a_refusal_says_why_to_the_model() -> None:
    store = MemoryStore()
    _, shown = await said(store, [PAY, "Not paid."], "Pay the bill.", "n too much")
    assert "[failed] pay(amount=7) -> refused by user: too much" in shown and ran == []
    assert "ApprovalRefused" in await types(store)


@pytest.mark.parametrize(("answer", "result"), [("right", "right"), ("2", "right"), ("1", "left")])
async def test_a_question_is_answered_by_an_option_or_its_number(answer: str, result: str) -> None:
    _, shown = await said(MemoryStore(), [ASK, "Thanks."], "Go.", answer)
    assert "? clerk asks: left or right?\n  1 left\n  2 right\n" in shown and f"-> {result}\n" in shown


async def test_a_question_without_options_takes_any_text_also_one_with_a_slash() -> None:
    _, shown = await said(MemoryStore(), [FREE, "Thanks."], "Go.", "//all of it")
    assert "-> /all of it\n" in shown


BAD = [
    ("", "an empty line decides nothing; say y, or n and why"),
    ("yes please", "'yes please' decides nothing; say y, or n and why"),
    ("/approve", "there is no '/approve'; there are /help, /people, /show, /cancel and /quit"),
    ("/people all", "there is no '/people'"),
    ("y" * 10_000_000, "decides nothing; say y, or n and why"),
]


@pytest.mark.parametrize(("line", "word"), BAD, ids=["empty", "wordy", "unknown", "too much", "long"])
async def test_a_line_that_decides_nothing_gets_a_clear_word_and_nothing_is_lost(line: str, word: str) -> None:
    _, shown = await said(MemoryStore(), [PAY, "Done."], "Pay.", line, "y")
    assert word in shown and len(shown) < 3_000 and ran == ["pay 7"]


@pytest.mark.parametrize("line", ["up", "3", "0", "left right", "9" * 5_000])
async def test_what_is_no_option_is_asked_again(line: str) -> None:
    _, shown = await said(MemoryStore(), [ASK, "Thanks."], "Go.", line, "left")
    assert "is none of the options" in shown and "-> left\n" in shown


async def test_an_empty_line_and_an_unknown_command_between_requests_are_said_and_nothing_is_sent() -> None:
    store = MemoryStore()
    _, shown = await said(store, ["Hello."], " ", "/what", "/cancel", "/show", "//Hi")
    assert "the message is empty" in shown and "there is no '/what'" in shown
    assert "/cancel: nothing is under way" in shown and "/show: nothing is asked" in shown
    received = [event.data async for event in store.read_all() if event.type == "MessageReceived"]
    assert [str(message.parts[0].text) for message in received] == ["/Hi"]  # type: ignore[attr-defined]


async def test_a_long_request_is_taken_in_whole() -> None:
    store, text = MemoryStore(), "x" * 10_000_000
    await said(store, ["Long."], text)
    received = [event.data async for event in store.read_all() if event.type == "MessageReceived"]
    assert [str(message.parts[0].text) for message in received] == [text]  # type: ignore[attr-defined]


async def test_long_arguments_are_cut_and_shown_whole_when_wanted() -> None:
    long = calls(("ask_human", {"question": "z" * 5_000}))
    _, shown = await said(MemoryStore(), [long, "Done."], "Go.", "/show", "yes")
    assert "more characters; /show shows them" in shown and "z" * 5_000 in shown


async def test_what_waits_is_listed_and_help_names_the_commands() -> None:
    _, shown = await said(MemoryStore(), [PAY, "Done."], "/people", "Pay.", "/help", "/people", "y")
    assert "nothing waits for a person" in shown and "/quit  leave" in shown
    assert re.search(r"\w+/clerk/1/1 approval: clerk wants to begin pay", shown)


# -- leaving, and coming back -----------------------------------------------------------------------


async def test_who_leaves_is_asked_first_when_the_log_is_opened_again() -> None:
    store = MemoryStore()
    code, shown = await said(store, [PAY], "Pay the bill.", "/quit")
    assert code == 0 and "1 call of a tool waits for a person, and is asked about next time" in shown
    assert ran == []
    _, shown = await said(store, ["Done.", "Again."], "y", "More?")
    assert shown.index("? clerk wants to begin pay") < shown.index("going on with the request")
    assert "pay(amount=7) -> paid\nDone.\n" in shown and "clerk:\nAgain.\n" in shown and ran == ["pay 7"]


async def test_the_end_of_the_input_leaves_what_is_asked_as_it_is() -> None:
    store = MemoryStore()
    code, _ = await said(store, [PAY], "Pay the bill.")
    assert code == 0 and "ApprovalGiven" not in await types(store) and ran == []


async def test_a_request_that_waits_is_cancelled_and_the_conversation_goes_on() -> None:
    store = MemoryStore()
    _, shown = await said(store, [PAY, "Fine."], "Pay the bill.", "/cancel", "And now?")
    assert "cancelled by user" in shown and "the request failed: cancelled" in shown and "clerk:\nFine.\n" in shown
    assert ran == [] and "TurnCancelled" in await types(store)


class Thinking:
    """A model that presses Ctrl-C so often when it is asked first, and thinks until that is seen; later it answers."""

    def __init__(self, lines: Given, signals: Signals, presses: int) -> None:
        self.lines, self.signals, self.presses = lines, signals, presses

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        """Reply."""
        presses, self.presses = self.presses, 0
        for _ in range(presses):
            self.signals.press()
        if presses:
            await self.lines.shown("cancelling")
        return ModelReply("Here.")


async def test_ctrl_c_cancels_the_request_under_way_and_the_conversation_goes_on() -> None:
    signals, lines = Signals(), Given("Think.", "Hello?")
    code, shown = await said(MemoryStore(), Thinking(lines, signals, 1), source=lines, signals=signals)
    assert code == 0 and "cancelled by user" in shown and "Here.\n" in shown


async def test_a_second_ctrl_c_leaves() -> None:
    store, signals, lines = MemoryStore(), Signals(), Given("Think.", "Hello?")
    code, shown = await said(store, Thinking(lines, signals, 2), source=lines, signals=signals)
    assert code == 130 and "Here." not in shown and "TurnCancelling" in await types(store)


async def test_ctrl_c_leaves_where_nothing_is_under_way() -> None:
    signals = Signals()
    signals.press()
    assert (await said(MemoryStore(), ["Hello."], signals=signals))[0] == 130


class Person(Given):
    """Somebody at a terminal, who types at any time; a function is one who looks first, and then types."""

    def __init__(self, *does: str | Callable[[], Awaitable[str]]) -> None:
        super().__init__(live=True)
        self.does = list(does)

    async def next(self) -> str | None:
        """Return the next line."""
        if not self.does:
            return None
        one = self.does.pop(0)
        return one if isinstance(one, str) else await one()


async def test_a_line_typed_too_early_is_a_request_for_later_and_approves_nothing() -> None:
    async def decide() -> str:
        await lines.shown("? clerk wants to begin pay")
        return "n never"

    lines = Person("Pay.", "y", decide)
    _, shown = await said(MemoryStore(), Slowly(lines, [PAY, "Not paid.", "What?"]), source=lines)
    assert "that is asked when this has ended" in shown and "refused by user: never" in shown and ran == []
    assert shown.index("Not paid.") < shown.index("What?")


class Slowly(ScriptedModel):
    """A model that answers first when the person has typed once more."""

    def __init__(self, lines: Person, script: Sequence[Scripted]) -> None:
        super().__init__({"clerk": list(script)})
        self.lines = lines

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        """Reply."""
        if not self.requests:
            await self.lines.shown("that is asked when this has ended")
        return await super().complete(request, say)


async def test_what_is_decided_elsewhere_is_asked_no_more_and_the_line_is_not_taken(path: Path) -> None:
    async def decided() -> str:
        await lines.shown("? clerk wants to begin pay")
        async with SQLiteStore.open(path, mode="read") as store:
            [asked] = [event.data async for event in store.read_all() if isinstance(event.data, ApprovalAsked)]
        decision = Decide(key="c", call=asked.id, outcome="approved", digest=asked.digest, by="anna")
        inbox.put(path, decision)
        await lines.shown("waits no more")
        return "y"

    lines = Person("Pay.", decided)
    _, shown = await said(path, [PAY, "Done."], source=lines)
    assert "was approved by anna" in shown and "so the line was not taken" in shown and ran == ["pay 7"]


# -- where lines come from --------------------------------------------------------------------------


async def test_lines_of_a_pipe_are_read_one_by_one_also_without_an_end() -> None:
    out, into = os.pipe()
    os.write(into, b"one\r\ntwo\n\nthree")
    os.close(into)
    lines = Typed(out)
    assert [await lines.next() for _ in range(5)] == ["one", "two", "", "three", None]
    os.close(out)


async def test_a_line_that_is_too_long_or_no_text_is_passed_over_and_the_next_is_read(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"x" * 200_000 + b"\n\xff\nnext\n")
    file = os.open(tmp_path / "lines", os.O_RDONLY)
    lines = Typed(file, most=100_000)
    for match in ("200,000 bytes, and 100,000 are the most", "not UTF-8 at byte 0"):
        with pytest.raises(TextRefused, match=match):
            await lines.next()
    assert [await lines.next(), await lines.next()] == ["next", None]
    os.close(file)


async def test_the_longest_line_there_can_be_is_read_and_one_more_byte_is_not(tmp_path: Path) -> None:
    for size, whole in ((MAX_TEXT, True), (MAX_TEXT + 1, False)):
        (tmp_path / "lines").write_bytes(b"x" * size + b"\n")
        file = os.open(tmp_path / "lines", os.O_RDONLY)
        try:
            assert len(await Typed(file).next() or "") == size and whole
        except TextRefused:
            assert not whole
        os.close(file)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json"], "--interactive and --json are given"),
        (["--key", "k"], "--interactive and --key are given"),
        (["-"], "--interactive and the message - are given"),
    ],
)
def test_what_is_for_one_request_alone_is_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("team.toml").write_text('[agents.clerk]\ninstructions = "Work."\n')
    assert main(["run", "team.toml", *words, "--interactive", "--model", "m"]) == 2
    assert said in capsys.readouterr().err


# -- signals ----------------------------------------------------------------------------------------

PRESSED = """
    import io, os, pathlib, signal, sys, anyio
    from rich.console import Console
    from callboard.actors.team import load_team
    from callboard.scripts.interactive import interactive
    from callboard.scripts.typed_lines import standard_input

    class Slow:
        async def complete(self, request, say):
            with anyio.CancelScope(shield=True):
                for seen in ("cancelling", "leaving", "never"):
                    os.kill(os.getpid(), signal.SIGINT)
                    while seen not in screen.getvalue():
                        await anyio.lowlevel.checkpoint()

    screen = io.StringIO()
    team, log = load_team("team.toml"), pathlib.Path("team.db")
    sys.exit(interactive(team, model=Slow(), log=log, lines=standard_input(), out=Console(file=screen)))
"""


def test_once_it_is_left_another_ctrl_c_stops_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text('[agents.clerk]\ninstructions = "Work."\n')
    program = [sys.executable, "-c", textwrap.dedent(PRESSED)]
    done = subprocess.run(program, cwd=tmp_path, input="Think.\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 130 and "Traceback" not in done.stderr
    assert "stopped at once" in done.stderr
    with closing(sqlite3.connect(tmp_path / "team.db")) as log:
        types = [type for (type,) in log.execute("SELECT type FROM events").fetchall()]
    assert "MessageReceived" in types and "TurnCancelling" in types
