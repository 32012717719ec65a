"""The teams that callboard comes with, each in a process of its own, against a model server that others wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from callboard.actors.patterns import NAMED

from .wireserver import WireServer

pytestmark = pytest.mark.wire


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said to a team, and what comes of it; the models' replies are in `fixtures/teams.json`.

    Attributes:
        speakers: Who had the word; members that worked at once in one set.
        data: A part of the answer's data.
    """

    message: str
    speakers: list[str | set[str]]
    text: str
    reason: str = "end"
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    options: tuple[str, ...] = ()


TASKS = '{"tasks": {"security": "Look at the reset link.", "usability": "Count the steps."}}'

TALKS: dict[str, list[Talk]] = {
    "round_robin": [
        Talk(
            "A note to the guests: breakfast is later on Sunday.",
            ["writer", "critic"],
            "Breakfast is at nine on Sunday.",
            "mention: DONE!",
        )
    ],
    "dynamic": [
        Talk(
            "Customers forget their passwords.",
            ["developer", "qa_engineer"],
            "We send a link that lives for an hour.",
            "mention: DONE!",
        )
    ],
    "supervisor": [
        Talk(
            "Plan a page where customers can move a delivery to another day.",
            ["project_manager", {"developer", "designer"}, "project_manager"],
            "One endpoint, and one page with a calendar.",
            data={
                "plan": [
                    {"agent": "developer", "task": "Design the interface that moves a delivery."},
                    {"agent": "designer", "task": "Describe the page that moves a delivery."},
                ]
            },
        )
    ],
    "pipeline": [
        Talk(
            "Why do tides come twice a day?",
            ["researcher", "writer", "editor"],
            "Twice a day: the moon pulls, the water rises.",
            data={
                "stages": {
                    "notes": "The moon pulls the water on both sides: certain.",
                    "draft": "The moon pulls, and the water rises twice.",
                    "article": "Twice a day: the moon pulls, the water rises.",
                }
            },
        )
    ],
    "parallel": [
        Talk(
            "The sign-in",
            [{"security", "usability"}, "editor"],
            "First the link (security), then the steps (usability).",
            data={
                "results": [
                    {
                        "agent": "security",
                        "status": "success",
                        "response": "A link in a mail is as safe as the mail.",
                    },
                    {"agent": "usability", "status": "success", "response": "Six steps are four too many."},
                ]
            },
            options=("--params", TASKS),
        )
    ],
    "handoff": [
        Talk(
            "Your invoice of March names a plan that we never had.",
            ["triage", "billing"],
            "We take the plan off the invoice.",
            data={"active": "billing"},
        ),
        Talk("And when is the money back?", ["billing"], "The money is back on Friday.", data={"handoffs": []}),
    ],
    "route": [
        Talk(
            "The layout of the start page breaks.",
            ["designer"],
            "Give the menu a width of its own.",
            data={"agent": "designer"},
        )
    ],
    "consensus": [
        Talk(
            "Shall we release on Friday?",
            [{"developer", "qa_engineer", "support_lead"}],
            "release",
            "quorum",
            {"counts": {"release": 2, "wait": 1}, "unanimous": False},
        )
    ],
    "debate": [
        Talk(
            "Do we redo every page before the launch?",
            [{"designer", "developer"}, "designer", "developer", "mediator"],
            "Both want a good start: redo the first page by Monday, and launch on Tuesday.",
        )
    ],
    "sleeptime": [
        Talk("I moved to Lisbon in May.", ["aide"], "Welcome to Lisbon."),
        Talk("What could I do on Thursday evenings?", ["aide"], "There is a choir by the river."),
    ],
    "voice_sleeptime": [
        Talk("Hello, this is Ann. I moved to Lisbon in May.", ["aide"], "Hello Ann, how is Lisbon?"),
        Talk("What did I tell you about my choir?", ["aide"], "It sings by the river."),
    ],
}


def callboard(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "callboard.scripts.main", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def grouped(names: list[str], wanted: list[str | set[str]]) -> list[str | set[str]]:
    """Return `names` with sets where they are wanted."""
    found: list[str | set[str]] = []
    for one in wanted:
        many = 1 if isinstance(one, str) else len(one)
        taken, names = names[:many], names[many:]
        found.append(set(taken) if isinstance(one, set) else "".join(taken))
    return [*found, *names]


def told(folder: Path, name: str, talk: Talk) -> dict[str, Any]:
    """Say it to the team; check what comes of it, and return the answer."""
    answer = json.loads(callboard(folder, "run", name, talk.message, "--json", *talk.options))
    assert (answer["text"], answer["stop_reason"]) == (talk.text, talk.reason)
    speakers = [turn["speaker"] for turn in answer["turns"]]
    assert grouped(speakers, talk.speakers) == talk.speakers
    assert not any(turn["error"] for turn in answer["turns"])
    assert {key: answer["data"].get(key) for key in talk.data} == talk.data
    return answer


def test_every_team_is_talked_to():
    assert set(TALKS) == set(NAMED)


@pytest.mark.parametrize("name", TALKS)
def test_a_team_answers_and_its_log_is_whole(name: str, tmp_path: Path, wire: WireServer):
    traces = [told(tmp_path, name, talk)["trace"] for talk in TALKS[name]]
    assert all(entry["response"]["status"] == 200 for entry in wire.journal())
    for trace in traces:
        assert callboard(tmp_path, "trace", f"{name}.db", trace)
    callboard(tmp_path, "verify", f"{name}.db")


def test_what_the_keeper_wrote_is_read_in_the_next_run(tmp_path: Path, wire: WireServer):
    for talk in TALKS["sleeptime"]:
        answer = told(tmp_path, "sleeptime", talk)
        assert [(job["member"], job["status"]) for job in answer["jobs"]] == [("keeper", "completed")]
    asked = [entry["body"]["messages"] for entry in wire.journal()]
    aides = [said for said in asked if "everyday questions" in said[0]["content"]]
    assert ["Moved to Lisbon in May." in said[0]["content"] for said in aides] == [False, True]
