"""`callboard group`, as somebody at a terminal has it."""

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from callboard import Agent, Group, Handoff, ModelReply, ModelRequest, RoundRobin, Sleeptime, SQLiteStore, System
from callboard.actors.testing import ScriptedModel
from callboard.scripts.main import main

from .talks import TALKS, Clock, write_talk

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "80")

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(["group", *argv])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def made(tmp_path: Path, talk: str) -> str:
    path = tmp_path / f"{talk}.db"
    write_talk(path, talk)
    return str(path)


@pytest.fixture
def three(tmp_path: Path) -> str:
    """Return a log with three groups of which nobody asked anything."""
    poet, clerk, boss = Agent("poet", tags={"verse"}), Agent("clerk", tags={"sums"}), Agent("boss")
    groups = [
        Group("desk", (poet, clerk), RoundRobin(), description="writes"),
        Group("line", (Agent("one"), Agent("two")), Handoff()),
        Group("mind", (clerk,), Sleeptime(), manager=boss),
    ]

    async def leave() -> None:
        async with SQLiteStore.open(path) as store, System.open(store, model=ScriptedModel({})) as system:
            for group in groups:
                await system.start(group)
            await system["desk"].retire()  # type: ignore[attr-defined]

    path = str(tmp_path / "three.db")
    anyio.run(leave)
    return path


def names(ran: tuple[int, str, str]) -> list[str]:
    return [group["name"] for group in json.loads(ran[1])["groups"]]


def test_groups_are_listed_with_kind_phase_members_and_manager(three: str, run: Run) -> None:
    code, out, _ = run(three)
    assert (code, [line.split() for line in out.splitlines()]) == (
        0,
        [
            ["group", "kind", "phase", "open", "manager", "members"],
            ["desk", "RoundRobin", "terminated", "0", "poet,", "clerk"],
            ["line", "Handoff", "ready", "0", "one,", "two"],
            ["mind", "Sleeptime", "ready", "0", "boss", "clerk"],
        ],
    )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], ["desk", "line", "mind"]),
        (["--kind", "round_robin"], ["desk"]),
        (["--kind", "RoundRobin"], ["desk"]),
        (["--kind", "callboard.actors.patterns.handoff:Handoff"], ["line"]),
        (["--tag", "sums"], ["desk", "mind"]),
        (["--member", "clerk"], ["desk", "mind"]),
        (["--member", "boss"], ["mind"]),
        (["--tag", "sums", "--kind", "sleeptime"], ["mind"]),
        (["--member", "nobody"], []),
    ],
)
def test_groups_are_found_by_kind_tag_and_member(three: str, run: Run, words: list[str], found: list[str]) -> None:
    assert names(run(three, *words, "--json")) == found


def test_where_no_group_fits_it_says_so(three: str, run: Run) -> None:
    assert run(three, "--kind", "debate")[:2] == (0, "no group of this log is like that\n")


def test_one_group_shows_who_fares_how(tmp_path: Path, run: Run) -> None:
    code, out, _ = run(made(tmp_path, "retry"), "team")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[:3] == [
        "team 0 open requests".split(), "RoundRobin of writer, critic".split(),
        "ready · 2 turns · 1 request answered · last k1/team".split(),
    ]  # fmt: skip
    assert ["writer", "member", "1", "00:00:05", "1", "0", "00:00:03", "0"] in lines
    assert ["critic", "member", "0", "never", "2", "2", "00:00:08", "0"] in lines
    assert ["team", "critic", "2", "2", "500", "ms", "1.0", "s"] in lines


def test_a_manager_that_failed_and_who_stood_by_are_told_apart(tmp_path: Path, run: Run) -> None:
    shown = json.loads(run(made(tmp_path, "standby"), "team", "--json")[1])
    roles = [(one["stream"], one["role"], one["answered"], one["failures_in_a_row"]) for one in shown["health"]]
    assert roles == [
        ("group-team", "group", 1, 0), ("agent-boss", "manager", 0, 1), ("agent-second", "standby", 1, 0),
        ("agent-writer", "member", 0, 0), ("agent-critic", "member", 1, 0),
    ]  # fmt: skip


def test_who_left_is_still_shown(tmp_path: Path, run: Run) -> None:
    shown = json.loads(run(made(tmp_path, "life"), "team", "--json")[1])
    assert [one["stream"] for one in shown["health"] if one["role"] == "left"] == ["agent-critic"]
    assert shown["phase"] == "terminated"


def test_the_pair_that_took_longest_in_all_is_first(tmp_path: Path, run: Run) -> None:
    pairs = json.loads(run(made(tmp_path, "supervisor"), "team", "--json")[1])["pairs"]
    assert [(one["sender"], one["recipient"], one["count"]) for one in pairs[:2]] == [
        ("user", "group-team", 1), ("group-team", "agent-boss", 3),
    ]  # fmt: skip
    assert [one["seconds"] for one in pairs] == sorted((one["seconds"] for one in pairs), reverse=True)


def test_what_is_open_is_shown_with_who_works_on_it(tmp_path: Path, run: Run) -> None:
    path = str(tmp_path / "open.db")
    anyio.run(leave_open, path)
    assert run(path)[1].splitlines()[1].split()[:4] == ["team", "RoundRobin", "executing", "2"]
    lines = run(path, "team")[1].splitlines()
    assert lines[0] == "team  2 open requests"
    assert ["slow", "-", "-", "-", "-", "0", "k1/team/1/slow"] in [line.split() for line in lines]


async def leave_open(path: str) -> None:
    class Slow:
        async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
            asked.set()
            await anyio.sleep_forever()
            raise AssertionError

    asked = anyio.Event()
    async with SQLiteStore.open(path, now=Clock().now) as store, System.open(store, model=Slow(), grace=0) as system:
        team = await system.start(Group("team", (Agent("slow"),)))
        await team.tell("go", key="k1")
        await team.tell("go on", key="k2")
        await asked.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "there is no group 'nobody' in this log; there are desk, line, mind\n"),
        (["desk", "--kind", "handoff"], "a name and one of --kind, --tag, --member are given; "),
    ],
)
def test_bad_use_says_what_is_wrong_and_exits_with_2(three: str, run: Run, words: list[str], said: str) -> None:
    code, out, err = run(three, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"callboard: {said}")


def test_the_json_keeps_its_names(tmp_path: Path, run: Run) -> None:
    path = made(tmp_path, "dynamic")
    [listed] = json.loads(run(path, "--json")[1])["groups"]
    line = "name description kind phase members manager open answered".split()
    assert list(listed) == line
    one = json.loads(run(path, "team", "--json")[1])
    assert list(one) == [*line, "state", "health", "pairs"]
    assert list(one["pairs"][0]) == "sender recipient count failed seconds mean_seconds".split()


@pytest.mark.parametrize("talk", ["life", "standby", "sleeptime"])
def test_lines_fit_the_terminal(tmp_path: Path, run: Run, talk: str) -> None:
    path = made(tmp_path, talk)
    lines = [*run(path)[1].splitlines(), *run(path, "team")[1].splitlines()]
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "…" in line]
    assert TALKS[talk].group.name in lines[1]
