"""The teams that callboard comes with: what is said to each, what their models say, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from callboard.actors.testing import Scripted, calls
from callboard.events import ModelError


@dataclass(frozen=True, slots=True)
class Play:
    """A talk with one of them.

    Attributes:
        messages: What is said, one request each, on one log.
        script: What the models say, by agent.
        speakers: Who had the word in the last request.
        answer: What it is answered.
        lines: How the screen begins.
        facts: How it ends, up to the time.
    """

    messages: Sequence[str]
    script: Mapping[str, Sequence[Scripted]]
    speakers: Sequence[str]
    answer: str
    lines: str
    facts: str
    params: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


NO = ModelError("no", kind="auth")
BOARD = '{"active_tasks": [{"id": "task-001", "assigned_to": "developer", "status": "in_progress"}]}'

PLAYS = {
    "round_robin": Play(
        ["A note: breakfast is later."],
        {"writer": ["Breakfast is at nine."], "critic": ["Breakfast is at nine. DONE!"]},
        ["writer", "critic"],
        "Breakfast is at nine.",
        "writer:\nBreakfast is at nine.\n\ncritic:\nBreakfast is at nine. DONE!\n\ndesk:\nBreakfast is at nine.\n",
        "2 turns · ended by mention: DONE!",
    ),
    "dynamic": Play(
        ["What do we change in the sign-in?"],
        {
            "project_manager": [
                [("choose_next_speaker", {"choice": "developer", "reason": "effort first"})],
                "Now qa_engineer.",
                "We send a link. DONE!",
            ],
            "developer": ["A link by mail, two days."],
            "qa_engineer": ["Links expire."],
        },
        ["developer", "qa_engineer"],
        "We send a link.",
        "project_manager:\n[choose_next_speaker] developer: effort first\n\n"
        "developer:\nA link by mail, two days.\n\n"
        "project_manager:\nNow qa_engineer.\n[choose_next_speaker] qa_engineer (read from the text)\n\n"
        "qa_engineer:\nLinks expire.\n\nproject_manager:\nWe send a link. DONE!\n\nmeeting:\nWe send a link.\n",
        "2 turns · ended by mention: DONE!",
    ),
    "supervisor": Play(
        ["Plan a page."],
        {
            "project_manager": [
                [("memory_rewrite", {"label": "board", "text": BOARD})],
                calls(("delegate", {"worker": "developer", "task": "Design the API."}), text="First this."),
                [("send_message_to_all_agents_in_group", {"message": "Anything else?"})],
                "We build one endpoint.",
            ],
            "developer": ["One endpoint.", "No."],
            "designer": ["No."],
            "qa_engineer": [NO, "No."],
        },
        ["project_manager", "developer", "project_manager", *["?"] * 4, "project_manager"],
        "We build one endpoint.",
        "",
        "8 turns · ended",
    ),
    "pipeline": Play(
        ["Why tides?"],
        {"researcher": ["The moon."], "writer": [NO], "editor": ["Moon: it pulls."]},
        ["researcher", "writer", "editor"],
        "Moon: it pulls.",
        "researcher:\nThe moon.\n\nwriter:\n[failed] no\n\neditor:\nMoon: it pulls.\n",
        "stages that failed: draft\n3 turns · ended",
    ),
    "parallel": Play(
        ["The sign-in"],
        {"security": ["S"], "usability": [NO, NO], "editor": ["Fix S."]},
        ["?"] * 3 + ["editor"],
        "Fix S.",
        "",
        "without an answer: usability\n4 turns · ended",
        {"tasks": {"security": "Look at the link.", "usability": "Count steps."}},
    ),
    "handoff": Play(
        ["Your invoice is wrong.", "When is it mended?"],
        {
            "triage": [[("hand_off", {"to": "billing", "reason": "about money", "message": "Invoice of March."})]],
            "billing": ["We mend it.", "Tomorrow."],
        },
        ["billing"],
        "Tomorrow.",
        "triage:\n[hand_off] billing: about money; Invoice of March.\n\nbilling:\nWe mend it.\n\nthe next message goes",
        "the next message goes to billing\n1 turn · ended",
    ),
    "route": Play(
        ["The layout of the page breaks."],
        {"designer": ["Less padding."]},
        ["designer"],
        "Less padding.",
        "desk:\n[route] designer: fits best by tags (2)\n\ndesigner:\nLess padding.\n",
        "1 turn · ended",
    ),
    "consensus": Play(
        ["Which name?"],
        {
            "developer": [[("vote", {"choice": "Pier", "reason": "short"})]] * 2,
            "qa_engineer": [[("vote", {"choice": "Quay", "reason": "odd"})]] * 2,
            "support_lead": ["Neither.", "No.", "Still neither.", "No."],
            "chair": [[("break_tie", {"choice": "Quay", "reason": "nobody else has it"})]],
        },
        ["?"] * 6 + ["chair"],
        "Quay",
        "",
        "votes: Pier 1, Quay 1 · abstained: support_lead\n7 turns · ended by manager",
        {"options": ["Pier", "Quay"]},
    ),
    "debate": Play(
        ["Redo every page first?"],
        {"designer": ["First.", "Some."], "developer": ["Later.", "Some."], "mediator": ["Half now."]},
        ["?", "?", "designer", "developer", "mediator"],
        "Half now.",
        "",
        "5 turns · ended",
    ),
    "sleeptime": Play(
        ["I moved to Lisbon."],
        {
            "aide": ["Welcome there."],
            "keeper": [
                [("memory_append", {"label": "person", "text": "Lives in Lisbon."})],
                [("memory_finish_edits", {})],
            ],
        },
        ["aide"],
        "Welcome there.",
        "aide:\nWelcome there.\n\nkeeper:\n[job] works in the background on what was said\n"
        '[tool] memory_append(label="person", text="Lives in Lisbon.") -> '
        "done; the block holds 16 of 3,000 characters now\n"
        "[memory_finish_edits] the memory is up to date\n[job] completed\n",
        "background work of keeper: completed\n1 turn · ended",
    ),
    "voice_sleeptime": Play(
        ["This is Ann.", "I moved to Lisbon.", "And now?", "Really?", "Why?", "Bye."],
        {
            "aide": ["Hello Ann.", "Welcome there.", "A walk.", "Yes.", "The air.", "Bye, Ann."],
            "keeper": [
                [
                    (
                        "store_memories",
                        {"chunks": [{"start_index": 1, "end_index": 4, "context": "Ann says who she is."}]},
                    )
                ],
                [("rethink_user_memory", {"new_memory": "Ann. Lives in Lisbon."})],
                [("finish_rethinking_memory", {})],
            ],
        },
        ["aide"],
        "Bye, Ann.",
        "aide:\nHello Ann.\n",
        "background work of keeper: completed\n1 turn · ended",
    ),
}
"""By the name of the team. Where several speak at once, nothing is said of their order."""
