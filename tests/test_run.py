"""`callboard run`."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.specs import Agent, Block, Group
from callboard.actors.team import Team
from callboard.actors.testing import Scripted, ScriptedModel, words_in
from callboard.events import EventStore, KeyReused, MemoryStore, ModelError, TextRefused
from callboard.scripts.main import main
from callboard.scripts.run import converse

FILE = """
[agents.writer]
instructions = "You write."
"""


def count(text: str) -> int:
    """Count words."""
    return len(text.split())


def a_team() -> Team:
    plan = Block("plan", "Nothing yet.")
    writer = Agent("writer", "You write.", blocks=[plan], tools=[count])
    critic = Agent("critic", "You judge.")
    group = Group("essay", [writer, critic])
    return Team("essay", None, {"plan": plan}, {"writer": writer, "critic": critic}, {"essay": group})


ACTS: list[Scripted] = [
    [("memory_append", {"label": "plan", "text": "tides"}), ("count", {"text": "a b c"})],
    "Tides rise.",
]


class Talk:
    """A team on a log, and what it printed."""

    def __init__(self, log: Path | EventStore, *, terminal: bool = False) -> None:
        self.log, self.screen = log, io.StringIO()
        kind = "truecolor" if terminal else None
        self.out = Console(file=self.screen, force_terminal=terminal, width=60, color_system=kind)

    def say(
        self, message: str, writer: list[Scripted], critic: list[Scripted], key: str | None = None
    ) -> tuple[int, ScriptedModel]:
        model = ScriptedModel({"writer": writer, "critic": critic})

        async def talk() -> int:
            return await converse(a_team(), message, model=model, log=self.log, key=key, out=self.out)

        return anyio.run(talk), model

    @property
    def printed(self) -> str:
        return self.screen.getvalue()


def stopping(log: Path, message: str) -> None:
    """Ask, and end as by Ctrl-C once the critic has the word."""
    asked = anyio.Event()

    class Stuck(ScriptedModel):
        async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
            if request.agent == "critic":
                asked.set()
                await anyio.sleep_forever()
            return await super().complete(request, say)

    async def talk() -> None:
        async with anyio.create_task_group() as tasks:
            model = Stuck({"writer": ["Tides rise."]})
            tasks.start_soon(lambda: converse(a_team(), message, model=model, log=log, out=Talk(log).out))
            await asked.wait()
            tasks.cancel_scope.cancel()

    anyio.run(talk)


def test_piped_lines_name_who_speaks_and_what_the_tools_gave():
    talk = Talk(MemoryStore())
    code, model = talk.say("Write about tides.", ACTS, ["Weak: rise."])
    assert code == 0
    lines = talk.printed.split("\n")
    assert (lines[0], *sorted(lines[1:3]), *lines[3:7]) == (
        "writer:",
        '[tool] count(text="a b c") -> 3',
        '[tool] memory_append(label="plan", text="tides") -> done; the block holds 18 of 5,000 characters now',
        "Tides rise.",
        "",
        "critic:",
        "Weak: rise.",
    )
    assert lines[8].startswith("2 turns · ended by max_turns · ")
    assert "\x1b" not in talk.printed
    model.assert_finished()


def test_the_end_names_the_commands_that_look_further(tmp_path: Path):
    talk = Talk(tmp_path / "my log.db")
    talk.say("Hi", ["Ho"], ["Hm"])
    last = [line.strip() for line in talk.printed.splitlines()[-2:]]
    assert last[0].startswith(f"callboard trace '{tmp_path}/my log.db' ")
    assert last[1].startswith(f"callboard replay '{tmp_path}/my log.db' ")


def test_on_a_terminal_text_is_wrapped_and_said_once(tmp_path: Path):
    talk = Talk(tmp_path / "log.db", terminal=True)
    words = " ".join(f"word{n}" for n in range(40))
    talk.say("Hi", [words], ["Hm"])
    shown = " ".join(line.strip() for line in talk.printed.splitlines() if line.startswith("  word"))
    assert shown == words
    assert max(len(line) for line in talk.printed.splitlines() if line.startswith("  word")) <= 60
    assert "\x1b[1;36mwriter" in talk.printed


def test_an_attempt_that_failed_is_shown_with_what_comes_next():
    talk = Talk(MemoryStore(), terminal=True)
    busy = ModelError("429: busy", kind="rate_limit", retry=True, retry_after=0.0)
    assert talk.say("Hi", [busy, "Ho"], ["Hm"])[0] == 0
    assert "↻ attempt 2 in 0.0 s: 429: busy" in re.sub("\x1b[^m]*m", "", talk.printed)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_model_says_is_neither_markup_nor_control(terminal: bool):
    talk = Talk(MemoryStore(), terminal=terminal)
    talk.say("Hi", ["[red]a[/red] \x1b[2Jb\x9bc\rd\te\x07"], ["Hm"])
    assert "[red]a[/red] ␛[2Jb\ufffdc␍d" in talk.printed
    assert not [part for part in ("\x1b[2J", "\x9b", "\x07", "\r") if part in talk.printed]


def test_json_is_one_object_with_the_names_of_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    talk = Talk(tmp_path / "log.db")
    talk.out = None  # type: ignore[assignment]
    assert talk.say("Hi", ACTS, ["Hm"])[0] == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"text", "stop_reason", "turns", "usage", "trace", "data", "jobs", "limit", "faults"}
    assert answer["turns"] == [
        {"speaker": "writer", "text": "Tides rise.", "error": "", "data": {}},
        {"speaker": "critic", "text": "Hm", "error": "", "data": {}},
    ]


def test_a_failed_request_says_why_and_exits_with_1(capsys: pytest.CaptureFixture[str]):
    talk = Talk(MemoryStore())
    no = ModelError("wrong key", kind="auth")
    assert talk.say("Hi", [no], [no])[0] == 1
    assert "the request failed: nobody in the group had an answer" in capsys.readouterr().err
    assert "writer:\n[failed] wrong key" in talk.printed
    assert "\n\n2 turns · failed · " in talk.printed


def test_a_failed_request_as_json_has_the_turns_and_the_error(capsys: pytest.CaptureFixture[str]):
    talk = Talk(MemoryStore())
    talk.out = None  # type: ignore[assignment]
    no = ModelError("wrong key", kind="auth")
    assert talk.say("Hi", [no], [no])[0] == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"].startswith("nobody in the group had an answer")
    assert [turn["error"] for turn in answer["turns"]] == ["wrong key", "wrong key"]


def test_the_answer_is_shown_again_where_another_spoke_last():
    talk = Talk(MemoryStore())
    assert talk.say("Hi", ["Ho"], [ModelError("wrong key", kind="auth")])[0] == 0
    assert "critic:\n[failed] wrong key\n\nessay:\nHo\n" in talk.printed


def test_a_second_run_on_the_log_remembers_the_first(tmp_path: Path):
    Talk(tmp_path / "log.db").say("Write about tides.", ACTS, ["Hm"])
    _, model = Talk(tmp_path / "log.db").say("Shorter.", ["Tides."], ["Good."])
    said = [words_in(message) for message in model.requests[0].messages]
    assert "Nothing yet.\ntides" in str(said[0])
    assert said[-1] == "user (essay): Shorter."
    assert "Tides rise." in said


def test_the_same_message_joins_the_request_that_an_interrupted_run_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    stopping(tmp_path / "log.db", "Write about tides.")
    talk = Talk(tmp_path / "log.db")
    code, model = talk.say("Write about tides.", [], ["Hm"])
    assert code == 0
    assert "joining the request" in capsys.readouterr().err
    assert [request.agent for request in model.requests] == ["critic"]
    assert "writer:\nTides rise.\n\ncritic:\n" in talk.printed


def test_another_message_is_a_request_of_its_own_and_the_open_one_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    stopping(tmp_path / "log.db", "Write about tides.")
    code, model = Talk(tmp_path / "log.db").say("Write about wind.", ["Wind."], ["Hm", "Hm"])
    assert code == 0
    assert "other open work goes on, too" in capsys.readouterr().err
    assert sorted(request.agent for request in model.requests) == ["critic", "critic", "writer"]


def test_an_answered_message_said_again_is_a_new_request(tmp_path: Path):
    Talk(tmp_path / "log.db").say("Hi", ["Ho"], ["Hm"])
    assert Talk(tmp_path / "log.db").say("Hi", ["Ho"], ["Hm"])[1].leftovers == {}


def test_a_key_that_is_known_gives_the_first_answer_and_asks_nobody(tmp_path: Path):
    Talk(tmp_path / "log.db").say("Hi", ["Ho"], ["Hm"], key="monday")
    talk = Talk(tmp_path / "log.db")
    code, model = talk.say("Hi", [], [], key="monday")
    assert (code, model.requests) == (0, [])
    assert "writer:\nHo\n\ncritic:\nHm\n" in talk.printed
    assert "trace monday" in talk.printed


def test_a_key_with_another_message_is_refused(tmp_path: Path):
    Talk(tmp_path / "log.db").say("Hi", ["Ho"], ["Hm"], key="monday")
    with pytest.raises(KeyReused):
        Talk(tmp_path / "log.db").say("Hey", [], [], key="monday")


@pytest.mark.parametrize(
    ("message", "key", "says"),
    [(" \n", None, "empty"), ("a\0", None, "NUL"), ("\udc80", None, "surrogate"), ("Hi", "a/b", "a key")],
)
def test_what_cannot_be_taken_in_is_refused_before_there_is_a_log(
    tmp_path: Path, message: str, key: str | None, says: str
):
    with pytest.raises(TextRefused, match=says):
        Talk(tmp_path / "log.db").say(message, [], [], key=key)
    assert list(tmp_path.iterdir()) == []


# -- the whole command, up to the model -------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with `team.toml`, as the current one, and no word of a provider."""
    (tmp_path / "team.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedModel:
    """Return a model that says `Ho` to the writer, in the place of the provider's."""
    model = ScriptedModel({"writer": ["Ho"]})
    monkeypatch.setattr("callboard.scripts.serving.OpenAIModel", lambda *_, **__: model)  # type: ignore[reportUnknown]
    return model


def typed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_log_has_the_name_of_the_team_file_by_default(here: Path, scripted: ScriptedModel):
    assert main(["run", "team.toml", "Hi", "--model", "small-1"]) == 0
    assert (here / "team.db").exists()


def test_a_dash_reads_the_message_from_standard_input(
    here: Path, scripted: ScriptedModel, monkeypatch: pytest.MonkeyPatch
):
    typed(monkeypatch, "Grüße\n".encode())
    assert main(["run", "team.toml", "-", "--model", "small-1"]) == 0
    assert scripted.requests[0].messages[-1]["content"] == "user: Grüße"


def test_ten_megabytes_are_a_message_that_no_model_takes_in(
    here: Path, scripted: ScriptedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    typed(monkeypatch, b"x" * 10_000_000)
    assert main(["run", "team.toml", "-", "--model", "small-1"]) == 1
    assert "the prompt alone has about 3,333,4" in capsys.readouterr().err and not scripted.requests


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"x" * (17 * 2**20), "more than 16,777,216 bytes"),
        (b"x" * (2**24 + 1), "16,777,216 bytes of UTF-8 are the most"),
        (b"", "the message is empty"),
        (b"\xff", "not UTF-8 at byte 0"),
    ],
)
def test_what_standard_input_may_not_be_is_refused(
    here: Path,
    scripted: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: bytes,
    says: str,
):
    typed(monkeypatch, data)
    assert main(["run", "team.toml", "-", "--model", "small-1"]) == 2
    assert says in capsys.readouterr().err
    assert not (here / "team.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["team.toml", "Hi", "--to", "writter", "--model", "m"], "'writter'; did you mean 'writer'?"),
        (["nowhere.toml", "Hi"], "there is no file nowhere.toml"),
        (["team.toml", "Hi"], "no model is named; give --model"),
        (["team.toml", "Hi", "--model", "m"], "no API key for the model 'm'"),
        (["team.toml", "Hi", "--model", "m", "--base-url", "there"], "neither http:// nor https://"),
        (["team.toml", "Hi", "--key", "a/b", "--model", "m", "--base-url", "http://127.0.0.1:1"], "a key"),
    ],
)
def test_bad_use_is_said_and_leaves_nothing_behind(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
):
    assert main(["run", *arguments]) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert (printed.out, sorted(path.name for path in here.iterdir())) == ("", ["team.toml"])
