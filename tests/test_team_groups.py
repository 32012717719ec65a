"""Groups in team files: managers, shared blocks, patterns, and when a talk is over."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from callboard.actors.patterns import (
    NAMED,
    Consensus,
    Debate,
    Dynamic,
    Handoff,
    Parallel,
    Pattern,
    Pipeline,
    RoundRobin,
    Route,
    Sleeptime,
    Supervisor,
    VoiceSleeptime,
)
from callboard.actors.specs import Agent, Block, Group
from callboard.actors.until import Condition, MaxTurns, Spoke, TextMention
from callboard.events import TeamFileError
from callboard.projections import GroupState

from .team_files import refused, team

PEOPLE = "".join(f"[agents.{name}]\n" for name in ("ann", "bob", "boss", "deputy"))
"""Four agents, of whom two are members of the group `g` below."""

BLOCKS = "[blocks.plan]\nvalue = 'Nothing yet.'\n[blocks.rules]\n"
G = PEOPLE + "[groups.g]\nmembers = ['ann', 'bob']\n"
LED = G + "manager = 'boss'\n"


@pytest.fixture(autouse=True)
def unchanged_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """See that the folders of these files are importable only meanwhile."""
    monkeypatch.setattr("sys.path", list(sys.path))


def weights(group: GroupState) -> dict[str, float]:
    """Let the first member fit."""
    return {group.members[0]: 1.0}


def test_a_group_has_every_key_of_its_table(tmp_path: Path):
    read = team(
        tmp_path,
        BLOCKS
        + LED
        + "pattern = { kind = 'supervisor', max_rounds = 3, results = 'as_they_come' }\nstandby = ['deputy']\n"
        + "blocks = [{ label = 'plan', writers = ['boss'] }, { label = 'rules', access = 'read' }]\n"
        + "description = 'plans'\nuntil = 'DONE!'\non_failure = 'reroute'\n",
    )
    ann, bob, boss, deputy = read.agents.values()
    assert read.groups["g"] == Group(
        "g", [ann, bob], Supervisor(3, "as_they_come"), manager=boss, standby=[deputy], description="plans",
        blocks=[Block("plan", "Nothing yet.").written_by("boss"), Block("rules").read_only()],
        until=TextMention("DONE!"), on_failure="reroute",
    )  # fmt: skip


def test_who_leads_a_group_is_started_with_it(tmp_path: Path):
    read = team(tmp_path, LED + "standby = ['deputy']\n[agents.scout]\n")
    assert [spec.name for spec in read.roots] == ["g", "scout"]


def test_one_agent_may_lead_a_group_and_be_a_member_of_another(tmp_path: Path):
    read = team(tmp_path, LED + "[groups.outer]\nmembers = ['g', 'boss']\n")
    assert [spec.name for spec in read.roots] == ["outer", "deputy"]


KINDS: list[tuple[str, Pattern]] = [
    ("{ kind = 'round_robin', max_turns = 4 }", RoundRobin(4)),
    ("{ kind = 'dynamic', max_turns = 3 }", Dynamic(3)),
    ("{ kind = 'supervisor' }", Supervisor()),
    ("{ kind = 'pipeline', stages = { ann = 'draft', bob = 'final' } }", Pipeline({"ann": "draft", "bob": "final"})),
    ("{ kind = 'parallel', max_concurrency = 2 }", Parallel(2)),
    ("{ kind = 'handoff', first = 'bob', max_handoffs = 1 }", Handoff("bob", 1)),
    ("{ kind = 'route', by = 'description', default = 'bob' }", Route("description", "bob")),
    ("{ kind = 'route', by = 'tests.test_team_groups:weights' }", Route(weights)),
    (
        "{ kind = 'consensus', options = ['x', 'y'], quorum = 2, max_rounds = 3, tie = 'manager' }",
        Consensus(["x", "y"], 2, 3, "manager"),
    ),
    ("{ kind = 'debate', rounds = 0 }", Debate(0)),
    ("{ kind = 'sleeptime', every = 2 }", Sleeptime(2)),
    (
        "{ kind = 'voice_sleeptime', max_message_buffer_length = 10, min_message_buffer_length = 5 }",
        VoiceSleeptime(10, 5),
    ),
]


@pytest.mark.parametrize(("text", "pattern"), KINDS)
def test_a_pattern_is_written_by_its_name(tmp_path: Path, text: str, pattern: Pattern):
    led = LED.replace(", 'bob'", "") if isinstance(pattern, VoiceSleeptime) else LED
    assert team(tmp_path, f"{led}pattern = {text}\n").groups["g"].pattern == pattern


def test_every_pattern_with_a_name_was_written():
    assert {type(pattern) for _, pattern in KINDS} == set(NAMED.values())


CONDITIONS: list[tuple[str, Condition]] = [
    ("'DONE!'", TextMention("DONE!")),
    ("{ mention = 'DONE!' }", TextMention("DONE!")),
    ("{ mention = 'DONE!', by = ['ann', 'boss'] }", TextMention("DONE!", ["ann", "boss"])),
    ("{ spoke = ['ann'] }", Spoke("ann")),
    ("{ spoke = ['ann', 'bob'] }", Spoke("ann", "bob")),
    ("{ turns = 5 }", MaxTurns(5)),
    ("{ any = ['DONE!', { turns = 5 }] }", TextMention("DONE!") | MaxTurns(5)),
    ("{ all = [{ spoke = ['ann'] }, { turns = 2 }] }", Spoke("ann") & MaxTurns(2)),
    ("{ any = [{ all = ['x', { turns = 2 }] }, 'y'] }", (TextMention("x") & MaxTurns(2)) | "y"),
]


@pytest.mark.parametrize(("text", "condition"), CONDITIONS)
def test_a_talk_is_over_when_the_file_says_so(tmp_path: Path, text: str, condition: Condition):
    assert team(tmp_path, f"{LED}until = {text}\n").groups["g"].until == condition


def test_an_agent_may_list_the_tools_of_a_block_that_a_group_around_it_shares(tmp_path: Path):
    text = "[blocks.plan]\n[agents.ann]\ntools = ['memory_append']\n[groups.g]\nmembers = ['ann']\n"
    outer = "[groups.outer]\nmembers = ['g']\nblocks = ['plan']\n"
    assert list(team(tmp_path, text + outer).groups) == ["g", "outer"]
    alone = refused(tmp_path, text + outer.replace("'plan'", "{ label = 'plan', access = 'read' }"))
    assert alone.where == "agents.ann.tools[0]"


MANAGERS = [
    ("manager = 'bos'", "manager", "no agent 'bos'; did you mean 'boss'?"),
    ("manager = 3", "manager", "a string is wanted, found 3"),
    ("manager = 'ann'", "manager", "'ann' is a member of the group, and cannot lead it, too"),
    ("manager = 'h'\n[groups.h]\nmembers = ['boss']", "manager", "'h' is a group; an agent is wanted"),
    ("manager = ''", "manager", "there is no manager: an agent is wanted; write manager = 'NAME'"),
    ("standby = ['boss']", "manager", "there is a standby, and nobody whose place it could take"),
    ("manager = 'boss'\nstandby = ['boss']", "standby[0]", "'boss' leads the group already"),
    ("manager = 'boss'\nstandby = ['deputy', 'deputy']", "standby[1]", "or stands by; one place is enough"),
    ("manager = 'boss'\nstandby = ['depty']", "standby[0]", "did you mean 'deputy'?"),
    ("manager = 'boss'\nstandby = ['bob']", "standby[0]", "'bob' is a member of the group"),
    ("standby = 'boss'", "standby", 'a list is wanted, found "boss"'),
    *(
        (f"pattern = {{ kind = '{kind}' }}", "manager", f"the pattern '{kind}' needs one")
        for kind in ("dynamic", "supervisor", "debate", "sleeptime")
    ),
    ("pattern = { kind = 'consensus', tie = 'manager' }", "manager", "the pattern 'consensus' needs one"),
    ("manger = 'boss'", "manger", "no such key; did you mean 'manager'?"),
    ("on_failure = 'ignore'", "on_failure", "'skip', 'retry', 'reroute' or 'fail' is wanted, found \"ignore\""),
]
SHARED = [
    ("blocks = ['plam']", "blocks[0]", "no block 'plam'; did you mean 'plan'?"),
    ("blocks = 'plan'", "blocks", 'a list is wanted, found "plan"'),
    ("blocks = [7]", "blocks[0]", "a table is wanted, found 7"),
    ("blocks = ['plan', { label = 'plan' }]", "blocks[1]", "'plan' stands there twice"),
    ("blocks = [{ writers = ['ann'] }]", "blocks[0].label", "it is missing"),
    ("blocks = [{ label = 'plan', writer = ['ann'] }]", "blocks[0].writer", "did you mean 'writers'?"),
    ("blocks = [{ label = 'plan', writers = 'ann' }]", "blocks[0].writers", 'a list is wanted, found "ann"'),
    (
        "blocks = [{ label = 'plan', writers = ['ann', 'deputy'] }]",
        "blocks[0].writers[1]",
        "'deputy' is not in the group; there are: ann, bob",
    ),
    ("blocks = [{ label = 'plan', writers = ['an'] }]", "blocks[0].writers[0]", "did you mean 'ann'?"),
    ("blocks = [{ label = 'plan', access = 'none' }]", "blocks[0].access", "'write' or 'read' is wanted"),
    (
        "blocks = [{ label = 'plan', access = 'read', writers = ['ann'] }]",
        "blocks[0]",
        "say access or writers, not both",
    ),
]
ENDS = [
    ("until = 3", "until", "a text that somebody says, or a table is wanted, found 3"),
    ("until = ''", "until", "a text that ends a talk is empty"),
    ("until = { mention = ' ' }", "until.mention", "a text that ends a talk is empty"),
    ("until = {}", "until", "one of mention, spoke, turns, any, all is wanted, found none of them"),
    ("until = { by = ['ann'] }", "until", "one of mention, spoke, turns, any, all is wanted"),
    ("until = { mention = 'x', turns = 2 }", "until", "found mention and turns; write any = [..] or all = [..]"),
    ("until = { turns = 2, by = ['ann'] }", "until.by", "it goes with mention, not with turns"),
    ("until = { turns = 0 }", "until.turns", "1 or more is wanted, found 0"),
    ("until = { turn = 2 }", "until.turn", "no such key; did you mean 'turns'?"),
    ("until = { spoke = 'ann' }", "until.spoke", 'a list is wanted, found "ann"'),
    ("until = { spoke = [] }", "until.spoke", "it is empty"),
    ("until = { spoke = ['ann', 'anna'] }", "until.spoke[1]", "'anna' is not in the group; did you mean 'ann'?"),
    ("until = { mention = 'x', by = ['boss'] }", "until.by[0]", "'boss' is not in the group; there are: ann, bob"),
    ("until = { any = [] }", "until.any", "it is empty"),
    ("until = { any = ['x', { turns = 'y' }] }", "until.any[1].turns", 'a whole number is wanted, found "y"'),
    ("until = { all = [{ any = [4] }] }", "until.all[0].any[0]", "or a table is wanted, found 4"),
]
FIELDS = [
    ("{ kind = 'rout' }", "pattern.kind", "did you mean 'route'?"),
    ("{ kind = 'superviser' }", "pattern.kind", "did you mean 'supervisor'?"),
    ("{ kind = 'handoff', first = 'boby' }", "pattern.first", "no member 'boby'; did you mean 'bob'?"),
    ("{ kind = 'handoff', max_handoffs = -1 }", "pattern", "max_handoffs is -1, at least 0 is wanted"),
    ("{ kind = 'route', default = 'boss' }", "pattern.default", "no member 'boss'; there are: ann, bob"),
    ("{ kind = 'route', by = 3 }", "pattern.by", "a string is wanted, found 3"),
    ("{ kind = 'route', by = 'tag' }", "pattern", "'tag' is not the address of code; write it as 'module:name'"),
    ("{ kind = 'pipeline', stages = { anna = 'x' } }", "pattern.stages.anna", "did you mean 'ann'?"),
    ("{ kind = 'pipeline', stages = ['x'] }", "pattern.stages", 'found ["x"]'),
    ("{ kind = 'pipeline', stages = { ann = 'x', bob = 'x' } }", "pattern", "x names more than one stage"),
    ("{ kind = 'consensus', options = 'x' }", "pattern.options", 'found "x"'),
    ("{ kind = 'consensus', options = ['x', 2] }", "pattern.options[1]", "a string is wanted, found 2"),
    ("{ kind = 'consensus', tie = 'boss' }", "pattern.tie", "'manager', 'first' or 'none' is wanted"),
    ("{ kind = 'parallel', max_concurrency = 0 }", "pattern", "max_concurrency is 0, at least 1 is wanted"),
    ("{ kind = 'parallel', max_concurency = 2 }", "pattern.max_concurency", "did you mean 'max_concurrency'?"),
]
FAULTS = [*MANAGERS, *SHARED, *ENDS, *((f"pattern = {text}", *rest) for text, *rest in FIELDS)]


@pytest.mark.parametrize(("text", "where", "says"), FAULTS)
def test_a_fault_of_a_group_is_named_with_its_path_and_what_is_wanted(tmp_path: Path, text: str, where: str, says: str):
    error = refused(tmp_path, BLOCKS + G + text)
    assert error.where == f"groups.g.{where}"
    assert says in str(error)
    assert isinstance(error, TeamFileError)
    assert len(error.faults) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[agents.z]\npersona = 'calm'\n[blocks.persona]\n[groups.g]\nmembers = ['z']\nblocks = ['persona']",
            "of its own",
        ),
        (
            "[blocks.b]\n[agents.z]\n[agents.y]\nblocks = ['b']\n[groups.g]\nmembers = ['z']\nblocks = ['b']\n"
            "manager = 'y'\npattern = { kind = 'sleeptime' }",
            "edit in the background",
        ),
    ],
)
def test_what_only_the_whole_group_shows_is_said_of_the_group(tmp_path: Path, text: str, says: str):
    error = refused(tmp_path, text)
    assert error.where == "groups.g"
    assert says in str(error)


def test_a_fault_of_a_manager_is_none_of_its_group(tmp_path: Path):
    text = LED.replace("[agents.boss]", "[agents.boss]\nmodle = 'x'") + "pattern = { kind = 'debate' }\n"
    error = refused(tmp_path, text)
    assert isinstance(error, TeamFileError)
    assert [fault.where for fault in error.faults] == ["agents.boss.modle"]


def test_all_faults_of_a_group_are_said_at_once(tmp_path: Path):
    error = refused(
        tmp_path,
        G
        + "manager = 'bos'\nblocks = ['plan']\npattern = { kind = 'handoff', first = 'x', last = 'y' }\n"
        + "until = { any = [{ spoke = ['cy'] }, { turns = 0 }] }\n",
    )
    assert isinstance(error, TeamFileError)
    assert [fault.where for fault in error.faults] == [
        "groups.g.pattern.last",
        "groups.g.pattern.first",
        "groups.g.manager",
        "groups.g.blocks[0]",
        "groups.g.until.any[0].spoke[0]",
        "groups.g.until.any[1].turns",
    ]


def test_code_that_ends_the_program_is_a_fault_of_the_key_that_names_it(tmp_path: Path):
    (tmp_path / "ends_here.py").write_text("raise SystemExit(3)\n")
    error = refused(tmp_path, G + "pattern = { kind = 'route', by = 'ends_here:weights' }")
    assert (error.where, "ended the program" in str(error)) == ("groups.g.pattern", True)


def test_agents_of_a_group_are_those_of_the_file(tmp_path: Path):
    group = team(tmp_path, LED.replace("[agents.boss]", "[agents.boss]\ninstructions = 'You lead.'")).groups["g"]
    assert group.manager == Agent("boss", "You lead.")
