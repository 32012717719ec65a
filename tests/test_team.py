"""Team files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from callboard.actors.patterns import RoundRobin
from callboard.actors.specs import Agent, Block, Group
from callboard.actors.team import EmbedderChoice, ModelChoice, load_team
from callboard.events import SpecError, TeamFileError

from .team_files import refused, team

WHOLE = """
[model]
name = "small-1"
base_url = "http://127.0.0.1:1/v1"
[blocks.plan]
value = "Nothing yet."
limit = 2000
description = "what we do"
[agents.writer]
instructions = "You write."
description = "writes"
persona = "calm"
human = "a reader"
model = "large-1"
blocks = ["plan"]
tags = ["worker"]
tools = ["team_tools:count", "team_tools:look", "memory_append"]
metadata = { rank = 1, seen = [true, "x"] }
max_steps = 7
[agents.critic]
blocks = [{ label = "plan", access = "read" }]
[groups.outer]
members = ["inner", "critic"]
pattern = { kind = "team_tools:Once", times = 2 }
[groups.inner]
members = ["writer"]
pattern = { kind = "round_robin", max_turns = 4 }
description = "writes and nothing else"
"""

TOOLS = '''
"""Tools and a pattern of a user."""
from dataclasses import dataclass
from callboard import Finish, tool

def count(text: str) -> int:
    """Count words."""
    return len(text.split())

@tool(effect="read")
def look() -> str:
    """Look."""
    return "nothing"

def many(*numbers: int) -> int:
    """No model can fill this."""
    return sum(numbers)

@dataclass(frozen=True)
class Once:
    times: int = 1
    def next(self, group):
        return Finish(None, "once")

answer = 42
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with `team_tools.py`; what is imported from it is forgotten afterwards."""
    (tmp_path / "team_tools.py").write_text(TOOLS)
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.delitem(sys.modules, "team_tools", raising=False)
    return tmp_path


def test_a_file_gives_the_specs_that_it_says(folder: Path):
    read = team(folder, WHOLE)
    assert (read.name, read.model) == ("essay", ModelChoice("small-1", "http://127.0.0.1:1/v1"))
    plan = Block("plan", "Nothing yet.", limit=2000, description="what we do")
    critic = Agent("critic", blocks=[plan.read_only()])
    assert (read.blocks, read.agents["critic"]) == ({"plan": plan}, critic)
    inner = read.groups["inner"]
    assert inner == Group("inner", [read.agents["writer"]], RoundRobin(4), description="writes and nothing else")
    assert read.groups["outer"].all_members == (inner, critic)
    assert getattr(read.groups["outer"].pattern, "times", 0) == 2


def test_an_agent_has_every_key_of_its_table(folder: Path):
    writer = team(folder, WHOLE).agents["writer"]
    assert (writer.instructions, writer.description, writer.model) == ("You write.", "writes", "large-1")
    assert [block.label for block in writer.all_blocks] == ["persona", "human", "plan"]
    assert (writer.tags, writer.metadata, writer.max_steps) == (
        ("worker",),
        {"rank": 1, "seen": [True, "x"]},
        7,
    )
    assert [(tool.name, tool.effect) for tool in writer.all_tools] == [("count", "once"), ("look", "read")]
    assert "memory_append" in {tool.name for tool in writer.spec().tools}


def test_a_team_has_an_embedder_where_its_file_names_one(folder: Path):
    keys = "name = 'small'\nbase_url = 'http://127.0.0.1:1/v1'\n"
    assert team(folder, "[agents.a]\n").embedder is None
    for more, dimensions in (("", None), ("dimensions = 64\n", 64)):
        read = team(folder, f"[embedder]\n{keys}{more}[agents.a]\n")
        assert read.embedder == EmbedderChoice("small", "http://127.0.0.1:1/v1", dimensions)


def test_whoever_starts_the_roots_starts_everybody(folder: Path):
    roots = team(folder, WHOLE + '[agents.scout]\ninstructions = "x"\n').roots
    assert [spec.name for spec in roots] == ["outer", "scout"]


def test_a_byte_order_mark_is_no_fault(folder: Path):
    assert list(team(folder, b"\xef\xbb\xbf[agents.a]\n").agents) == ["a"]


@pytest.mark.parametrize(
    ("text", "to", "found"),
    [
        ("[agents.a]", None, "a"),
        ("[agents.a]\n[agents.b]\n[groups.g]\nmembers = ['a']", None, "g"),
        ("[agents.a]\n[agents.b]\n[groups.g]\nmembers = ['a']", "b", "b"),
    ],
)
def test_a_message_is_for_the_only_group_else_the_only_agent(folder: Path, text: str, to: str | None, found: str):
    assert team(folder, text).recipient(to).name == found


@pytest.mark.parametrize(
    ("text", "to", "says"),
    [
        ("[agents.a]\n[agents.b]", None, "say for whom: a, b"),
        (
            "[agents.a]\n[groups.g]\nmembers=['a']\n[groups.h]\nmembers=['a']",
            None,
            "say for whom: g, h, a",
        ),
        ("[agents.writer]", "writter", "'writter'; did you mean 'writer'?"),
    ],
)
def test_without_an_only_one_the_error_lists_them(folder: Path, text: str, to: str | None, says: str):
    with pytest.raises(SpecError) as caught:
        team(folder, text).recipient(to)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1\nb = oops\n", "line 2, column 5: not TOML: Invalid value"),
        ("[agents.a]\n[agents.a]\n", "line 2, column 10: not TOML: Cannot declare"),
        ("[agents.a", "line 1: not TOML"),
        (b"# \n# \xff", "line 2: not UTF-8"),
        (f"a = {'[' * 10_000}", "nested too deeply"),
    ],
)
def test_what_is_no_toml_is_refused_with_its_line(folder: Path, text: str | bytes, says: str):
    assert says in str(refused(folder, text))


def test_what_is_no_file_is_refused(tmp_path: Path):
    with pytest.raises(SpecError, match=r"there is no file .*nowhere.toml"):
        load_team(tmp_path / "nowhere.toml")
    with pytest.raises(SpecError, match="is a directory"):
        load_team(tmp_path)
    with pytest.raises(SpecError, match=r"there is no file|cannot be read"):
        load_team("no\0where.toml")


A = "[agents.a]\n"
FAULTS = [
    ("", "", "there are no agents"),
    ("[agent.a]", "agent", "no such key; did you mean 'agents'?"),
    ("agents = 1", "agents", "a table is wanted, found 1; write [agents.NAME]"),
    ("model = 1", "model", "a table is wanted, found 1"),
    ("[model]\nnam = 'x'", "model.nam", "no such key; did you mean 'name'?"),
    ("[model]\nname = 1", "model.name", "a string is wanted, found 1"),
    ("[blocks.b]\nsize = 1", "blocks.b.size", "no such key; there are: value, limit, description"),
    ("[blocks.b]\nlimit = true", "blocks.b.limit", "a whole number is wanted, found true"),
    ("[blocks.b]\nlimit = 0", "blocks.b.limit", "1 or more is wanted, found 0"),
    (
        "[blocks.b]\nvalue = 'abc'\nlimit = 2",
        "blocks.b.value",
        "has 3 characters, its limit is 2; shorten it",
    ),
    ('[blocks.b]\nvalue = "\\u0000"', "blocks.b.value", "holds a NUL character"),
    ("[blocks.'my plan']", 'blocks."my plan"', "'my plan' cannot be the name of a block"),
    ("blocks.b = 3", "blocks.b", "a table is wanted, found 3"),
    ("[agents.user]", "agents.user", "it is reserved; take another"),
    (f"[agents.{'a' * 65}]", f"agents.{'a' * 65}", "1 to 64 letters"),
    (A + "instruction = 'x'", "agents.a.instruction", "no such key; did you mean 'instructions'?"),
    (A + "instructions = ['x']", "agents.a.instructions", 'a string is wanted, found ["x"]'),
    ("[agents.a]\n[embedder]\nbase_url = 'x'", "embedder.name", "is missing"),
    ("[agents.a]\n[embedder]\nname = 'x'\ndimensions = 0", "embedder.dimensions", "1 or more is wanted, found 0"),
    (A + "max_steps = 0", "agents.a.max_steps", "1 or more is wanted, found 0"),
    (A + "tags = 'x'", "agents.a.tags", 'a list is wanted, found "x"'),
    (A + "tags = ['x', 1]", "agents.a.tags[1]", "a string is wanted, found 1"),
    (A + "metadata = { day = [2020-01-01] }", "agents.a.metadata.day", 'found "2020-01-01"'),
    (A + "metadata = { big = inf }", "agents.a.metadata.big", "found Infinity"),
    ("[blocks.plan]\n" + A + "blocks = ['plam']", "agents.a.blocks[0]", "'plam'; did you mean 'plan'?"),
    (A + "blocks = ['plan']", "agents.a.blocks[0]", "no block 'plan'; there are none"),
    (A + "blocks = [4]", "agents.a.blocks[0]", "a table is wanted, found 4"),
    (
        "[blocks.plan]\n" + A + "blocks = [{label='plan', access='none'}]",
        "agents.a.blocks[0].access",
        "'write' or 'read' is wanted",
    ),
    ("[blocks.b]\n" + A + "blocks = ['b', 'b']", "agents.a", "b stands there more than once"),
    (A + "tools = ['nowhere_to_be:x']", "agents.a.tools[0]", "No module named 'nowhere_to_be'"),
    (
        A + "tools = ['team_tools:cuont']",
        "agents.a.tools[0]",
        "no attribute 'cuont'; did you mean 'team_tools:count'?",
    ),
    (A + "tools = ['json:word_count']", "agents.a.tools[0]", "no attribute 'word_count'; json is /"),
    (A + "tools = ['team_tools:answer']", "agents.a.tools[0]", "is int, a function is wanted"),
    (A + "tools = ['team_tools:many']", "agents.a.tools[0]", "only plain named parameters can be filled"),
    (A + "tools = ['count']", "agents.a.tools[0]", "there are: memory_append, memory_replace,"),
    (A + "tools = ['memory_apend']", "agents.a.tools[0]", "did you mean 'memory_append'?"),
    (A + "tools = ['memory_append']", "agents.a.tools[0]", "needs a block that the agent may edit"),
    (
        "[blocks.b]\n" + A + "blocks = ['b']\ntools = ['memory_summarise']",
        "agents.a.tools[0]",
        "'memory_summarise' is none of callboard's own tools",
    ),
    ("[groups.g]\nmembers = []\n" + A, "groups.g.members", "it is empty; at least one is wanted"),
    ("[groups.g]\n" + A, "groups.g.members", "it is missing"),
    ("[groups.g]\nmembers = ['b']\n" + A, "groups.g.members[0]", "no agent or group 'b'; there are: a, g"),
    (
        "[agents.writer]\n[groups.g]\nmembers = ['writer', 'writter']",
        "groups.g.members[1]",
        "'writter'; did you mean 'writer'?",
    ),
    ("[groups.g]\nmembers = ['a', 'a']\n" + A, "groups.g.members[1]", "'a' stands there twice"),
    ("[groups.a]\nmembers = ['b']\n[agents.b]\n" + A, "groups.a", "an agent is called 'a', too"),
    ("[groups.g]\nmembers = ['a', 'g']\n" + A, "groups.g.members[1]", "inside itself (g > g)"),
    (
        "[groups.g]\nmembers = ['h']\n[groups.h]\nmembers = ['a', 'g']\n" + A,
        "groups.h.members[1]",
        "inside itself (g > h > g)",
    ),
]
PATTERNS = [
    ("'round_robin'", "groups.g.pattern", 'a table is wanted, found "round_robin"'),
    ("{ max_turns = 1 }", "groups.g.pattern.kind", "a string is wanted, such as kind = 'round_robin'"),
    ("{ kind = 'round_robbin' }", "groups.g.pattern.kind", "did you mean 'round_robin'?"),
    ("{ kind = 'team_tools:Onc' }", "groups.g.pattern.kind", "did you mean 'team_tools:Once'?"),
    ("{ kind = 'team_tools:count' }", "groups.g.pattern.kind", "a frozen dataclass with next(group)"),
    (
        "{ kind = 'round_robin', max_turn = 1 }",
        "groups.g.pattern.max_turn",
        "did you mean 'max_turns'?",
    ),
    (
        "{ kind = 'round_robin', max_turns = '4' }",
        "groups.g.pattern.max_turns",
        'a whole number is wanted, found "4"',
    ),
    ("{ kind = 'round_robin', max_turns = 0 }", "groups.g.pattern", "max_turns is 0, at least 1 is wanted"),
    ("{ kind = 'team_tools:Once', times = 'x' }", "groups.g.pattern.times", "a whole number is wanted"),
]
OF_PATTERNS = [(f"{A}[groups.g]\nmembers = ['a']\npattern = {text}", *rest) for text, *rest in PATTERNS]


@pytest.mark.parametrize(("text", "where", "says"), FAULTS + OF_PATTERNS)
def test_a_fault_is_named_with_its_path_and_what_is_wanted(folder: Path, text: str, where: str, says: str):
    error = refused(folder, text)
    assert error.where == where
    assert says in str(error)
    assert isinstance(error, TeamFileError)
    assert len(error.faults) == 1


def test_all_faults_of_a_file_are_said_at_once(folder: Path):
    error = refused(folder, "nam = 1\n[agents.a]\nx = 1\ntools = ['y']\n[groups.g]\nmembers = ['b']\n")
    assert isinstance(error, TeamFileError)
    assert [fault.where for fault in error.faults] == ["nam", "agents.a.x", "groups.g.members[0]"]
    assert str(error).count("\n") == 3


def test_of_many_faults_ten_are_shown_and_the_others_counted(folder: Path):
    text = str(refused(folder, "\n".join(f"x{n} = 1" for n in range(25))))
    assert text.startswith(f"{folder / 'essay.toml'} has 25 faults:")
    assert (text.count("\n"), text.endswith("... and 15 more")) == (11, True)


def test_tools_beside_the_file_are_found_from_another_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert team(folder, A + "tools = ['team_tools:count']").agents["a"].all_tools[0].name == "count"


def test_a_file_beside_the_team_never_takes_the_place_of_an_installed_module(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (folder / "colorsys.py").write_text("def rgb_to_hsv(r: float, g: float, b: float) -> str: return 'mine'\n")
    tool = team(folder, A + "tools = ['colorsys:rgb_to_yiq']").agents["a"].all_tools[0]
    assert tool.function(0, 0, 0) == (0, 0, 0)
