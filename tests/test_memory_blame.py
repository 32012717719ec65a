"""`callboard memory blame` and `callboard memory impact`, as somebody at a terminal has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from callboard import Agent, Block, SQLiteStore, System
from callboard.actors.testing import ScriptedModel, calls
from callboard.events.catalog import ModelCallFinished
from callboard.scripts.main import main

from .teams import write_log

Run = Callable[..., tuple[int, str, str]]
PAGE = (Path(__file__).parent.parent / "docs" / "blame.md").read_text()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("log") / "team.db"
    write_log(path)
    return str(path)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A log with an empty block, emoji, a long line, controls, and a text that was erased."""
    path = tmp_path_factory.mktemp("odd") / "odd.db"
    anyio.run(write_odd, path)
    return str(path)


async def write_odd(path: Path) -> None:
    odd = "  indented [bold]x[/]\n\n🌊 tide\n\x1b[31mred" + "long " * 100
    blocks = [Block("plan", odd), Block("empty", "")]
    script = {"a": [calls(("memory_append", {"label": "plan", "text": "secret 1234"})), "ok"]}
    async with System.open(path, model=ScriptedModel({**script})) as system:
        agent = await system.start(Agent("a", blocks=blocks, human="Ada"))
        await agent.ask("Go.", key="k")
    async with SQLiteStore.open(path) as store:
        said = [event.position async for event in store.read_all() if isinstance(event.data, ModelCallFinished)]
        await store.redact(said[:1], reason="it was a secret")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "100")

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(["memory", *argv])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_blame_shows_each_line_with_version_who_and_how(log: str, run: Run) -> None:
    code, out, _ = run("blame", log, "plan")
    rows = [line.split(maxsplit=5) for line in out.splitlines()[2:6]]
    assert code == 0 and [(row[0], row[1]) for row in rows] == [("1", "v4"), ("2", "v1"), ("3", "v2"), ("4", "v5")]
    assert rows[0][3:] == ["editor", "memory_replace", "Write of tides."]
    assert rows[3][3:] == ["user", "memory_append", "by hand"]


def test_below_stands_where_each_version_comes_from_down_to_the_request(log: str, run: Run) -> None:
    out = " ".join(run("blame", log, "plan")[1].split())
    assert "v1 @3 the first value" in out and "v5 @75 memory_append by user ← request hand" in out
    assert " memory_append by writer ← model call tides/team/1/desk/1/writer/1 @20 that had read" in out
    assert "← turn of desk @12 for team ← turn of team @9 for user: Write about tides." in out


def test_the_origin_of_a_line_is_a_tree_of_what_its_call_had_read(log: str, run: Run) -> None:
    _, out, _ = run("blame", log, "plan", "--line", "1")
    told = (
        "version 4 of plan", "memory_replace  tides/team/2/editor/2/1", "model call 2 of editor", "block plan@2",
        "user  group-team@2: Write about tides.", "memory_replace gave  block-plan@3: refused",
        "turn of team, request tides from user",
    )  # fmt: skip
    for part in told:
        assert part in out, part
    assert "version 1 of plan" not in out


def test_a_block_is_shown_as_it_was_at_a_position(log: str, run: Run) -> None:
    _, out, _ = run("blame", log, "plan", "--at", "40")
    assert "version 2 · 3 lines" in out and "Nothing decided yet." in out and "by hand" not in out


def test_the_json_of_blame_keeps_its_names(log: str, run: Run) -> None:
    found = json.loads(run("blame", log, "plan", "--json")[1])
    assert list(found) == "block label version position characters lines origins".split()
    assert list(found["lines"][0]) == "line version text parts".split()
    assert sum(part["characters"] for line in found["lines"] for part in line["parts"]) + 3 == found["characters"]
    one = found["origins"]["2"]
    names = "version position at by person verb id tool_call model_call turns request"
    assert list(one) == names.split() and one["request"] == "tides"
    assert list(one["model_call"]) == "id agent started position at attempt model text blocks read earlier".split()
    assert [turn["stream"] for turn in one["turns"]] == ["agent-writer", "group-desk", "group-team"]
    assert found["origins"]["1"]["tool_call"] is None and found["origins"]["5"]["by"] == "user"


def test_odd_texts_are_harmless_and_in_their_lines(odd: str, run: Run) -> None:
    _, out, _ = run("blame", odd, "plan")
    lines = out.splitlines()
    assert "indented [bold]x[/]" in lines[2] and "🌊 tide" in lines[4] and "\x1b" not in out
    assert lines[5].endswith("…") and all(len(line) <= 100 for line in lines[:8])
    assert lines[6].split()[-1] == "[erased]" and "v2 @" in out
    assert "long long" in run("blame", odd, "plan", "--full")[1]


def test_an_empty_block_says_so_and_who_left_it_so(odd: str, run: Run) -> None:
    _, out, _ = run("blame", odd, "empty")
    assert "version 1 · empty · 0 characters" in out and "the first value" in out and "--line" not in out


def test_a_block_is_found_by_its_label(odd: str, run: Run) -> None:
    assert "Ada" in run("blame", odd, "human")[1]


def test_impact_shows_who_was_shown_a_version_and_what_they_did(log: str, run: Run) -> None:
    _, out, _ = run("impact", log, "plan", "v2")
    assert "8 model calls had it in their prompt" in out
    assert "editor  model call tides/team/2/editor/2  @62  was shown plan@2" in out
    assert "memory_replace → plan@4  @64" in out and "memory_replace failed" in out and "failed: bad key" in out
    assert run("impact", log, "plan", "--version", "2")[1] == out
    assert "version 4 of plan" not in out and "version 4 of plan" in run("impact", log, "plan", "v2", "--follow")[1]


def test_impact_of_a_line_is_said_in_two_ways(log: str, run: Run) -> None:
    _, out, _ = run("impact", log, "plan", "l3")
    assert out == run("impact", log, "plan", "--line", "3")[1] and out.startswith("line 3, version 2 of plan")


def test_the_json_of_impact_keeps_its_names(log: str, run: Run) -> None:
    found = json.loads(run("impact", log, "plan", "v2", "--follow", "--json")[1])
    assert list(found) == "stream line text written calls followed".split()
    assert list(found["calls"][0]) == "id agent started position at model shown answers text tools".split()
    edits = [tool["edit"] for call in found["calls"] for tool in call["tools"] if tool["edit"]]
    assert edits == [{"stream": "block-plan", "version": 4}] and found["followed"][0]["written"]["version"] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("blame nope", "there is no block 'nope' in this log; there are plan"),
        ("blame plan --line 9", "there is no line 9; the block has 4"),
        ("blame plan --line 0", "there is no line 0"),
        ("blame plan --version 3", "no edit made version 3; there are 1, 2, 4, 5"),
        ("blame plan --version 1 --line 1", "both --line and --version are given"),
        ("blame plan --at 2", "there is no block plan at position 2 yet"),
        ("blame plan --at 999", "there is no position 999; this log has positions 1 to 116"),
        ("impact plan", "say one of v12"),
        ("impact plan v2 --line 1", "say one of v12"),
        ("impact plan 3", "v3 is a version, l3 a line"),
        ("impact plan vv", "neither a version, such as v12, nor a line"),
        ("impact plan v3", "no edit made version 3"),
        ("impact plan l9", "there is no line 9"),
        ("impact plan l1 --at 2", "there is no block plan at position 2 yet"),
        ("impact plan v2 --at 40", "a version is the same at every position"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(log: str, run: Run, words: str, said: str) -> None:
    verb, *rest = words.split()
    code, out, err = run(verb, log, *rest)
    assert (code, out) == (2, "") and said in err


# -- the page ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The log of the demo that the page is about."""
    path = str(tmp_path_factory.mktemp("demo") / "callboard-demo.db")
    assert main(["demo", "--log", path]) == 0
    return path


def loose(text: str) -> list[str]:
    """Return the words of a transcript, less times, positions and keys, which are new in each run."""
    plain = re.sub(r"\b\d\d:\d\d:\d\d\b|\d{4}-\d\d-\d\d|@\d+|\b[0-9a-z]{12}\b(?=/|\s+from)|[│├└─…]", " ", text)
    return plain.split()


TRANSCRIPTS = re.findall(r"\$ callboard memory (.*?)\n(.*?)(?=\n\$ |\n?```)", PAGE, re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), TRANSCRIPTS, ids=[command for command, _ in TRANSCRIPTS])
def test_the_page_shows_what_the_demo_prints(demo: str, run: Run, command: str, printed: str) -> None:
    words = [demo if word == "callboard-demo.db" else word for word in command.split()]
    _, out, _ = run(*words)
    assert sorted(loose(out)) == sorted(loose(printed))


def test_the_page_has_transcripts() -> None:
    assert len(TRANSCRIPTS) == 3
