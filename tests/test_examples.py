"""The examples of the docs run, from files outside the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from callboard import GroupState, MemoryStore, ModelReply, ModelRequest, Pick, Speak, System
from callboard.actors.team import load_team
from callboard.actors.testing import ScriptedModel, calls
from callboard.projections import fold, group_state

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_shows_the_example_as_it_is() -> None:
    assert f"```python\n{(DOCS / 'examples' / 'review.py').read_text()}```" in (DOCS / "patterns.md").read_text()


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """The example in a folder of its own."""
    for name in ("review.py", "review.toml"):
        shutil.copy(DOCS / "examples" / name, tmp_path)
    return tmp_path / "review.toml"


def review(choice: str, reason: str) -> ModelReply:
    return calls(("review", {"choice": choice, "reason": reason}))


async def test_a_pattern_in_a_file_of_ones_own_runs_and_can_be_asked_about_the_past(team: Path) -> None:
    model = ScriptedModel(
        {
            "author": ["Tides rise.", "Tides rise and fall."],
            "editor": [review("approve", "fine"), "I approve."],
            "checker": [review("revise", "they fall, too"), review("approve", "true")],
        }
    )
    store, spec = MemoryStore(), load_team(team).groups["article"]
    async with System.open(store, model=model) as system:
        answer = await (await system.start(spec)).ask("Write about tides.")
    assert (answer.text, answer.stop_reason) == ("Tides rise and fall.", "approved")
    assert answer.data == {"drafts": 2, "open": []}
    assert "- checker: they fall, too" in str(model.requests[3].messages[-1]["content"])
    await the_rule_says_again_what_it_said(store, spec.pattern)


async def the_rule_says_again_what_it_said(store: MemoryStore, pattern: object) -> None:
    """Ask the pattern at two moments of the recorded run."""
    events = [event async for event in store.read_stream("group-article")]
    first = next(n for n, event in enumerate(events) if event.type == "TurnStarted")
    answered = next(n for n, event in enumerate(events) if event.type == "SendAnswered")
    states: list[GroupState] = [fold(group_state, events[: n + 1]) for n in (first, answered)]
    steps = [pattern.next(state) for state in states]  # type: ignore[attr-defined]
    assert steps[0] == Speak(("author",))
    assert isinstance(steps[1], Pick) and steps[1].by == ("editor", "checker")


def test_a_team_file_finds_the_pattern_beside_it_in_a_process_of_its_own(team: Path) -> None:
    look = (
        "import sys; from callboard.actors.team import load_team; "
        "print(load_team(sys.argv[1]).groups['article'].pattern)"
    )
    done = subprocess.run(
        [sys.executable, "-c", look, str(team)], capture_output=True, text=True, cwd=team.parent, check=True
    )
    assert done.stdout == "Review(rounds=2)\n"


def test_the_example_is_about_a_page() -> None:
    assert len((DOCS / "examples" / "review.py").read_text().splitlines()) < 40


async def test_a_request_of_the_example_without_a_draft_fails(team: Path) -> None:
    def refuses(request: ModelRequest) -> Exception:
        return ValueError(f"{request.agent} has no pen")

    spec = load_team(team).groups["article"]
    async with System.open(MemoryStore(), model=ScriptedModel({"author": [refuses]})) as system:
        group = await system.start(spec)
        with pytest.raises(Exception, match="has no pen"):
            await group.ask("Write.")


def test_the_code_of_the_tools_page_is_what_it_says() -> None:
    page, names = (DOCS / "tools.md").read_text(), dict[str, Any]()
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(f"from __future__ import annotations\n{block}", "tools.md", "exec"), names)
    assert names["clerk"].spec().tools[0].parameters["properties"]["city"] == {
        "description": "Where.",
        "type": "string",
    }
    assert "context" not in names["review"].spec().parameters["properties"] and names["review"].timeout == 600
    assert names["counter"].spec().output["required"] == ["title", "words"]
