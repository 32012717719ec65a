"""What came of one request from outside, made from its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import from_json, to_json

from callboard.events import OutputInvalid, RecordedEvent
from callboard.events.catalog import (
    ChoiceMade,
    JobFailed,
    JobFinished,
    JobScheduled,
    JobStarted,
    MessageReceived,
    MessageSent,
    ModelCallFinished,
    OutputRefused,
    Reply,
    SendAnswered,
    SendFailed,
    TurnFinished,
    Usage,
)

from .quotes import whole
from .states import replace
from .words import name_of

M = TypeVar("M", bound=BaseModel)

SPEAKER = "choose_next_speaker"
"""The tool of a choice that gives the word, and is no word itself."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One member's word, or its vote; `error` says why there is no text; `data` is the JSON object that it fits."""

    speaker: str
    text: str
    error: str = ""
    data: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True)
class Job:
    """Background work that followed an answer; `status` is `scheduled`, `running`, `completed` or `failed`."""

    id: str
    member: str
    status: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request.

    Attributes:
        stop_reason: Why it ended there: `end`, `max_turns`, `max_steps`, `empty`, `invalid`, `limit`; `failed`,
            `cancelled`, `expired` or `dropped`.
        turns: Who spoke, in order; one turn where an agent was asked.
        usage: Tokens of every model call that the request led to.
        trace: The request's id, for `callboard trace`.
        data: What the pattern gave besides the text; of an agent whose answers fit a schema, the text as data.
        jobs: Background work that followed, as it stood when this was made.
        limit: Which limit it reached and how, where that ended it.
        faults: Why the text does not fit that schema, where it does not; `data` is empty then.
    """

    text: str
    stop_reason: str
    turns: tuple[Turn, ...]
    usage: Usage
    trace: str
    data: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    jobs: tuple[Job, ...] = ()
    limit: str = ""
    faults: str = ""

    def parsed(self, model: type[M]) -> M:
        """Return the data as a value of a pydantic class.

        Raises:
            OutputInvalid: The data does not fit the class, or there is none; says what is wrong.
        """
        try:
            return model.model_validate_json(to_json(self.data))
        except ValidationError as error:
            found = self.faults or "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".lstrip(": ") for fault in error.errors()
            )
            raise OutputInvalid(model.__name__, self.stop_reason, found) from None

    @property
    def failed(self) -> tuple[str, ...]:
        """Who of the members had the word and no answer, each once."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns if turn.error))


def answer_of(events: Sequence[RecordedEvent], id: str) -> Answer | None:
    """Return the answer to the message `id`, given all events of its request; None while there is none. Pure."""
    reply = next((e for e in events if isinstance(e.data, Reply) and e.data.id == id), None)
    if reply is None:
        return None
    data = reply.data
    assert isinstance(data, Reply)
    words, shaped = str(data.words), _data_of(events)
    reason = data.stop_reason if isinstance(data, TurnFinished) else _failed(reply)
    turns = _turns(events, reply.stream, id, shaped)
    own = Turn(name_of(reply.stream), words if data.ok else "", "" if data.ok else words, shaped.get(id, {}))
    given = whole(data.data, data.quotes) if isinstance(data, TurnFinished) else {}
    faults = [str(e.data.text) for e in events if isinstance(e.data, OutputRefused) and e.data.id == id]
    limit = data.limit if isinstance(data, TurnFinished) else ""
    return Answer(
        words if data.ok else "", reason, turns or (own,), usage_of(events), id.split("/", 1)[0],
        shaped.get(id, given), _jobs(events, id), limit, faults[-1] if faults and reason == "invalid" else "",
    )  # fmt: skip


def _data_of(events: Sequence[RecordedEvent]) -> dict[str, dict[str, JsonValue]]:
    """Return the answers that are data, by the id of the turn; not those whose text was erased."""
    found: dict[str, dict[str, JsonValue]] = {}
    for event in events:
        if isinstance(event.data, TurnFinished) and event.data.is_data:
            with suppress(ValueError):
                found[event.data.id] = from_json(event.data.text)
    return found


def _failed(reply: RecordedEvent) -> str:
    words = {"TurnCancelled": "cancelled", "MessageRefused": "cancelled", "MessageExpired": "expired"}
    return {**words, "MessageDropped": "dropped"}.get(reply.type, "failed")


def _turns(
    events: Sequence[RecordedEvent], stream: str, id: str, shaped: Mapping[str, dict[str, JsonValue]]
) -> tuple[Turn, ...]:
    sent: dict[str, str] = {}
    turns: list[Turn] = []
    jobs = set[str]()
    for event in events:
        if event.stream != stream:
            continue
        match event.data:
            case MessageSent(id=turn, kind="turn", recipient=recipient, cue=cue) if turn.startswith(f"{id}/"):
                if cue is None or not cue.pick:
                    sent[turn] = name_of(recipient)
            case ChoiceMade(id=request, turn=number, by=by, tool=tool, choice=choice) if (
                number and request == id and tool != SPEAKER
            ):
                turns.append(Turn(by, choice, "" if choice else "made no choice"))
            case JobStarted(id=job):
                jobs.add(job)
            case SendAnswered(id=turn, text=text) if turn in sent and turn not in jobs:
                turns.append(Turn(sent[turn], str(text), data=shaped.get(turn, {})))
            case SendFailed(id=turn, text=text) if turn in sent and turn not in jobs:
                turns.append(Turn(sent[turn], "", str(text)))
            case _:
                pass
    return tuple(turns)


def _jobs(events: Sequence[RecordedEvent], id: str) -> tuple[Job, ...]:
    found: dict[str, Job] = {}
    for event in events:
        match event.data:
            case JobScheduled(id=job, member=member) if job.startswith(f"{id}/"):
                found[job] = Job(job, member, "scheduled")
            case JobStarted(id=job) if job in found:
                found[job] = replace(found[job], status="running")
            case JobFinished(id=job) if job in found:
                found[job] = replace(found[job], status="completed")
            case JobFailed(id=job, text=text) if job in found:
                found[job] = replace(found[job], status="failed", error=str(text))
            case _:
                pass
    return tuple(found.values())


def usage_of(events: Sequence[RecordedEvent]) -> Usage:
    """Return the tokens of all model calls in `events`. Pure."""
    found = [e.data.usage for e in events if isinstance(e.data, ModelCallFinished) and e.data.usage]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in found),
        output_tokens=sum(usage.output_tokens for usage in found),
        cached_tokens=sum(usage.cached_tokens for usage in found),
    )


def open_request(events: Sequence[RecordedEvent], stream: str, text: str) -> str | None:
    """Return the id of the oldest request from outside to `stream` that says `text` and has no answer. Pure."""
    waiting: dict[str, str] = {}
    for event in events:
        match event.data:
            case MessageReceived(id=id, sender="user", parts=parts) if event.stream == stream:
                waiting[id] = "".join(part.text for part in parts)
            case Reply(id=id):
                waiting.pop(id, None)
            case _:
                pass
    return next((id for id, said in waiting.items() if said == text), None)
