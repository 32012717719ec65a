"""`callboard replay` and `callboard trace`, as somebody at a terminal has them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from callboard import Agent, ModelReply, ModelRequest, RecordedEvent, RequestFailed, SQLiteStore, System
from callboard.events import LogInUse, SpecError
from callboard.projections import fold
from callboard.projections.block import block_state
from callboard.projections.shapes import time_shape
from callboard.scripts.border import guarded
from callboard.scripts.main import VERBS, main
from callboard.scripts.screen import console, harmless, one_line, shortened

from .teams import LONG, write_log

SCRIPTS = Path(__file__).parent.parent / "scripts"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("log") / "team.db"
    write_log(path)
    return str(path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "100")

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(scope="module")
def events(log: str) -> list[RecordedEvent]:
    async def read() -> list[RecordedEvent]:
        async with SQLiteStore.open(log, mode="read") as store:
            return [event async for event in store.read_all()]

    return anyio.run(read)


def position(events: list[RecordedEvent], kind: str, *, stream: str) -> int:
    return next(e.position for e in events if e.type == kind and e.stream == stream)


# -- trace ------------------------------------------------------------------------------------------


def test_trace_lists_the_requests(log: str, run: Run) -> None:
    code, out, _ = run("trace", log)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0 and [(line[0], line[1], line[2]) for line in lines[1:]] == [
        ("tides", "team", "answered"), ("hand", "plan", "edited"), ("hand2", "plan", "refused"),
        ("shorter", "team", "answered"), ("hello", "critic", "failed"),
    ]  # fmt: skip


def test_trace_shows_messages_calls_tools_edits_and_errors(log: str, run: Run) -> None:
    _, out, _ = run("trace", log, "tides")
    for line in (
        "user: Write about tides.",
        "model call 1 m-1 · 1,200 tokens in, 40 out  2.0 s",
        "attempt 1 rate_limit slow down",
        '{"text":"a b c"}',
        "→ 3",
        "+tides",
        "-Nothing decided yet.",
        "✗ ValueError: no luck",
        "'not there' does not stand",
        "answered (max_turns)",
    ):
        assert line in out


def test_positions_in_a_trace_are_those_of_the_log(log: str, events: list[RecordedEvent], run: Run) -> None:
    _, out, _ = run("trace", log, "tides")
    edited = position(events, "BlockEdited", stream="block-plan")
    assert f"version 2  edited  @{edited}\n" in out


@pytest.mark.parametrize("name", ["shorter", "sh", "shorter/team/1/desk"])
def test_a_trace_is_found_by_its_name_a_beginning_or_an_id(log: str, run: Run, name: str) -> None:
    code, out, _ = run("trace", log, name)
    assert (code, out.split()[:2]) == (0, ["trace", "shorter"])


def test_a_whole_name_wins_over_those_that_begin_with_it(log: str, run: Run) -> None:
    assert run("trace", log, "hand")[1].split()[:2] == ["trace", "hand"]


def test_an_ambiguous_trace_names_the_candidates(log: str, run: Run) -> None:
    code, out, err = run("trace", log, "h")
    assert (code, out) == (2, "")
    assert err == "callboard: 3 traces begin with 'h': hand, hand2, hello; say more of the one you mean\n"


def test_an_unknown_trace_names_those_there_are(log: str, run: Run) -> None:
    code, _, err = run("trace", log, "zz")
    assert (code, err) == (2, "callboard: no trace begins with 'zz'; there are tides, hand, hand2, shorter, hello\n")


def test_long_texts_are_shortened_unless_full_is_wanted(log: str, run: Run) -> None:
    assert out_lines(run("trace", log, "shorter")) < 40
    assert out_lines(run("trace", log, "shorter", "--full")) > LONG.count("\n")
    assert " more characters" in run("trace", log, "shorter")[1]
    assert " more characters" not in run("trace", log, "shorter", "--full")[1]


def out_lines(ran: tuple[int, str, str]) -> int:
    return ran[1].count("\n")


def test_the_json_of_a_trace_keeps_its_names(log: str, run: Run) -> None:
    listed = json.loads(run("trace", log, "--json")[1])
    names = "trace id to text state turns usage started seconds first last awaiting_people"
    assert list(listed["requests"][0]) == names.split()
    one = json.loads(run("trace", log, "tides", "--json")[1])
    assert list(one) == ["trace", "roots"]
    assert one["roots"][0]["steps"][0]["steps"][0]["steps"][0]["usage"]["input_tokens"] == 1200


def test_an_unfinished_request_is_marked_open(tmp_path: Path, run: Run) -> None:
    path = str(tmp_path / "open.db")
    anyio.run(leave_open, path)
    assert "open" in run("trace", path)[1].splitlines()[1].split()
    assert "model call 1  open: running" in run("trace", path, "k")[1]
    assert "works on k/slow asked by user" in run("replay", path)[1]
    assert "ModelCallStarted of slow" in run("replay", path)[1]


async def leave_open(path: str) -> None:
    class Slow:
        async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
            asked.set()
            await anyio.sleep_forever()
            raise AssertionError

    asked = anyio.Event()
    async with System.open(path, model=Slow(), grace=0) as system:
        await (await system.start(Agent("slow"))).tell("go on", key="k")
        await asked.wait()


# -- replay -----------------------------------------------------------------------------------------


def test_replay_shows_every_agent_group_and_block(log: str, events: list[RecordedEvent], run: Run) -> None:
    code, out, _ = run("replay", log)
    assert code == 0
    head, *titles = [line for line in out.splitlines() if line and line[0] != " "]
    assert head == f"position {len(events)} of {len(events)}  2026-01-01 00:00:02 UTC"
    assert titles == ["groups", "agents", "blocks", "pending"]
    assert "memory_append by user" in out
    assert "RoundRobin of desk, editor" in out


def test_until_shows_the_earlier_value(log: str, events: list[RecordedEvent], run: Run) -> None:
    edited = position(events, "BlockEdited", stream="block-plan")
    before = json.loads(run("replay", log, "--until", str(edited - 1), "--json")[1])
    after = json.loads(run("replay", log, "--until", str(edited), "--json")[1])
    assert before["blocks"]["plan"]["value"] == "Nothing decided yet.\nSecond line."
    assert after["blocks"]["plan"]["value"] == "Nothing decided yet.\nSecond line.\ntides"


def test_until_in_the_middle_shows_what_is_under_way(log: str, events: list[RecordedEvent], run: Run) -> None:
    started = position(events, "ToolCallStarted", stream="agent-writer")
    _, out, _ = run("replay", log, "--until", str(started))
    assert "works on tides/team/1/desk/1/writer asked by desk" in out
    assert "the word is with writer (turn 1)" in out
    assert "tool count running" in out
    assert "ToolCallStarted of writer" in out


def test_every_position_is_the_fold_up_to_there(log: str, events: list[RecordedEvent], run: Run) -> None:
    for end in range(1, len(events), 7):
        shown = json.loads(run("replay", log, "--until", str(end), "--json")[1])
        known = [e for e in events[:end] if e.stream == "block-plan"]
        assert shown["blocks"].get("plan", {"value": ""})["value"] == fold(block_state, known).value
        assert shown["at"] == time_shape(events[end - 1].recorded_at)


@pytest.mark.parametrize("at", ["2026-01-01", "2026-01-01T01:00:01+01:00", "2026-01-01T00:00:01.999999"])
def test_at_is_the_last_position_by_then(log: str, events: list[RecordedEvent], run: Run, at: str) -> None:
    later = next(e.position for e in events if e.recorded_at > events[0].recorded_at)
    assert run("replay", log, "--at", at)[1].split()[1] == str(later - 1)


@pytest.mark.parametrize("name", ["plan", "block-plan"])
def test_one_stream_alone_shows_all_it_holds(log: str, run: Run, name: str) -> None:
    _, out, _ = run("replay", log, "--stream", name)
    assert [line for line in out.splitlines() if line and line[0] != " "][1:] == ["blocks", "pending"]
    assert "memory_replace by editor" in out
    assert "-Nothing decided yet." in out


def test_a_group_alone_shows_its_whole_transcript(log: str, run: Run) -> None:
    shown = json.loads(run("replay", log, "--stream", "desk", "--json")[1])
    assert shown["agents"] == {}
    assert [said["speaker"] for said in shown["groups"]["desk"]["transcript"]][:3] == ["user", "writer", "critic"]


def test_the_json_of_states_keeps_its_names(log: str, run: Run) -> None:
    shown = json.loads(run("replay", log, "--json")[1])
    assert list(shown) == "position at agents groups blocks archives pending".split()
    names = "spec desk step model_call tool_calls blocks_seen history conversations"
    assert list(shown["agents"]["writer"]) == names.split()
    assert (
        list(shown["groups"]["team"])
        == (
            "spec desk members assigned has_the_word phase turns answered last_answered manager managers joined left "
            "failed_in_this_request choosing choices jobs windows given_blocks scaling load transcript"
        ).split()
    )
    assert list(shown["blocks"]["plan"]) == "spec value version retired history".split()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--until", "0"], "there is no position 0; this log has positions 1 to "),
        (["--until", "9999"], "there is no position 9999; this log has positions 1 to "),
        (["--until", "x"], 'Invalid value for --until: unable to convert "x" into int.'),
        (["--at", "noon"], "'noon' is not a time; say it like "),
        (["--at", "2020-01-01"], "at 2020-01-01 00:00:00 UTC the log had not begun"),
        (["--at", "2026-01-01", "--until", "3"], "both --until and --at are given; say one of them"),
        (
            ["--stream", "nobody"],
            "there is no 'nobody' in this log; there are desk, team, writer, critic, editor, plan",
        ),
        (["--stream", "plan", "--until", "1"], "block-plan had not begun at position 1"),
        (["--colour"], "Unknown option: --colour."),
    ],
)
def test_bad_use_says_what_is_wrong_and_exits_with_2(log: str, run: Run, words: list[str], said: str) -> None:
    code, out, err = run("replay", log, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"callboard: {said}")


# -- logs that cannot be read, and all other ends ------------------------------------------------------


@pytest.mark.parametrize("verb", ["trace", "replay"])
def test_what_is_no_log_exits_with_2(tmp_path: Path, run: Run, verb: str) -> None:
    (tmp_path / "other").write_text("not a database, but long enough to be taken for one" * 20)
    for name, why in (("missing", "there is no such file"), ("", "it is a directory"), ("other", "")):
        code, out, err = run(verb, str(tmp_path / name))
        assert (code, out) == (2, "")
        assert err.startswith("callboard: ") and f"is not a callboard log: {why}" in err
    assert not (tmp_path / "missing").exists()


def test_a_command_that_is_not_there_names_those_that_are(run: Run) -> None:
    assert run("log", "nope")[::2] == (2, "callboard: there is no command log 'nope'; see callboard log --help\n")
    assert run("nope")[::2] == (2, f"callboard: there is no command 'nope'; there are {', '.join(VERBS)}\n")


def raising(error: BaseException) -> Callable[[], object]:
    def work() -> object:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LogInUse("a.db", "process 7"), 2),
        (SpecError("no such thing"), 2),
        (RequestFailed("nobody had an answer"), 1),
        (ExceptionGroup("tasks", [ValueError("x"), ExceptionGroup("more", [RequestFailed("no")])]), 1),
        (KeyboardInterrupt(), 130),
        (PermissionError(13, "Permission denied"), 2),
        (ValueError("a fault"), 2),
    ],
)
def test_every_end_has_its_exit_code_and_no_traceback(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    assert guarded(raising(error)) == code
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert err.startswith("callboard: ") or isinstance(error, KeyboardInterrupt)


@pytest.mark.parametrize("code", [0, 1])
def test_a_verb_that_returns_a_code_exits_with_it(code: int) -> None:
    assert guarded(lambda: code) == code


def test_a_reader_that_went_away_is_no_error(log: str) -> None:
    command = [sys.executable, SCRIPTS / "replay.py", log, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=60)) == (b"", 141)


# -- what reaches a terminal ------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["trace LOG tides", "replay LOG --stream writer", "trace LOG tides --json"])
def test_texts_of_the_log_reach_the_terminal_harmless(log: str, run: Run, words: str) -> None:
    _, out, _ = run(*(log if word == "LOG" else word for word in words.split()))
    assert not {"\x1b", "\x9b"} & set(out)
    assert "[bold]high[/]" in out


def test_a_terminal_that_shows_colour_still_gets_no_escape_from_a_text(
    log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, SCRIPTS / "trace.py", log, "tides"]
    coloured = subprocess.run(command, env={**os.environ, "FORCE_COLOR": "1"}, capture_output=True, check=True).stdout
    assert b"\x1b[1;36mteam" in coloured
    assert b"[bold]high[/] \xe2\x90\x9b[31mred\xef\xbf\xbd." in coloured


def test_a_text_that_looks_like_markup_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[bold]x[/] :smile:")
    assert capsys.readouterr().out == "[bold]x[/] :smile:\n"


def test_no_color_is_honoured(log: str) -> None:
    command = [sys.executable, SCRIPTS / "trace.py", log, "tides"]
    environment = {**os.environ, "FORCE_COLOR": "1", "NO_COLOR": "1"}
    plain = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert b"\x1b[3" not in plain and b"\x1b[1;3" not in plain


def test_lines_fit_the_terminal_and_end_without_blanks(log: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for words in (["trace"], ["replay"]):
        lines = run(*words, log)[1].splitlines()
        assert max(map(len, lines)) <= 60
        assert lines == [line.rstrip() for line in lines]


def test_signs_stand_for_what_a_terminal_would_obey() -> None:
    assert harmless("a\tb\nc\r\nd\re\x1b[2J\x7f\x9b\u202e") == "a\tb\nc\nd\u240de\u241b[2J\u2421\ufffd\ufffd"


def test_a_shortened_text_says_how_much_is_left() -> None:
    assert shortened("a\nb\nc\nd").plain == "a\nb\nc … 2 more characters"
    assert shortened("x" * 400).plain == "x" * 300 + " … 100 more characters"
    assert shortened("a\nb\nc\n").plain == "a\nb\nc\n"


def test_one_line_is_cut_to_its_width() -> None:
    assert one_line("a\n b\tc", 5) == "a b c"
    assert one_line("a long text", 6) == "a lon…"


# -- what is loaded ---------------------------------------------------------------------------------


def test_help_loads_no_model_and_no_database() -> None:
    program = (
        "import sys; from callboard.scripts.main import main; code = main(['--help'])\n"
        "heavy = {'openai', 'aiosqlite', 'callboard.actors.system', 'callboard.scripts.trace'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert all(verb in ran.stdout for verb in VERBS)


def test_reading_a_log_loads_no_model(log: str) -> None:
    program = (
        f"import sys; from callboard.scripts.main import main; code = main(['trace', {log!r}])\n"
        "assert 'openai' not in sys.modules and 'callboard.actors.system' not in sys.modules\n"
        "sys.exit(code)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


def test_version_is_that_of_the_package(run: Run) -> None:
    from importlib.metadata import version

    assert run("--version")[:2] == (0, f"{version('callboard')}\n")


@pytest.mark.parametrize("script", ["main", "replay", "trace"])
def test_each_script_runs_as_a_file(script: str, tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, SCRIPTS / f"{script}.py", "--help"], capture_output=True, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"") and ran.stdout.startswith(b"Usage: callboard")
