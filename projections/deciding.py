"""What a tool call waits for, as its span in a trace: people who decide, and those whom its messages go to."""

from __future__ import annotations

from typing import Literal

from callboard.events import RecordedEvent
from callboard.events.catalog import (
    ApprovalAsked,
    ApprovalGiven,
    ApprovalRefused,
    MessageSent,
    QuestionAnswered,
    QuestionAsked,
    RecipientsChosen,
    SendAccepted,
    SendAnswered,
    SendFailed,
    ToolCallExpired,
)

from .paths import call_of
from .spans import WAITS, Recipient, ToolSpan, Verdict
from .words import name_of

AWAITS: dict[str, Literal["approval", "answer"]] = {"asked": "approval", "question": "answer"}
"""What an open call awaits of a person, by its phase."""


def decide(call: ToolSpan, event: RecordedEvent) -> None:
    """Fold in what `event` says of people who decide about `call`, or of whom its messages go to."""
    match event.data:
        case ApprovalAsked(text=text):
            call.verdicts.append(Verdict("approval", event.recorded_at, str(text)))
            call.state = WAITS["approval"]
        case QuestionAsked():
            call.verdicts.append(Verdict("answer", event.recorded_at))
            call.state = WAITS["answer"]
        case ApprovalGiven(by=by):
            _said(call, event, "approved", by)
        case ApprovalRefused(by=by, text=text):
            _said(call, event, "refused", by, str(text))
        case QuestionAnswered(by=by, text=text):
            _said(call, event, "answered", by, str(text))
        case RecipientsChosen(recipients=streams):
            call.recipients = [Recipient(name_of(stream)) for stream in streams]
            call.state = "sent" if streams else call.state
        case ToolCallExpired():
            call.expired = True
        case _:
            pass


def _said(call: ToolSpan, event: RecordedEvent, outcome: str, by: str, text: str = "") -> None:
    if not call.verdicts or call.verdicts[-1].outcome:  # nobody was asked
        call.verdicts.append(Verdict("approval"))
    verdict = call.verdicts[-1]
    verdict.outcome, verdict.by, verdict.text, verdict.decided = outcome, by, text, event.recorded_at
    call.state = outcome


def refused(call: ToolSpan) -> bool:
    """Return whether a person's word was that `call` shall not begin. Pure."""
    return bool(call.verdicts) and call.verdicts[-1].outcome == "refused"


def reach(call: ToolSpan, event: RecordedEvent) -> None:
    """Fold in how a message of `call` fares."""
    number = call_of(event.data.id)[1]
    if not 0 < number <= len(call.recipients):
        return
    one = call.recipients[number - 1]
    match event.data:
        case MessageSent():
            one.state = "sent"
        case SendAccepted():
            one.state = "delivered"
        case SendAnswered(text=text):
            one.state, one.text = "answered", str(text)
        case SendFailed(text=text):
            one.state, one.text = "failed", str(text)
        case _:
            pass
