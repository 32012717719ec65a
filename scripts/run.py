"""`callboard run`: a team from a file, a message, an answer; on a log that remembers."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, cast

import anyio
import structlog
from cyclopts import Parameter
from pydantic import JsonValue, TypeAdapter
from pydantic_core import from_json
from rich.console import Console

from callboard.actors.model import Model
from callboard.actors.ref import Ref, checked_key, checked_message
from callboard.actors.specs import Agent
from callboard.actors.team import Team, load_team
from callboard.events import (
    DeliveryFailed,
    Event,
    EventStore,
    RecordedEvent,
    RequestFailed,
    SQLiteStore,
    TextRefused,
)
from callboard.events.catalog import JobFailed, JobFinished, MessageReceived, Usage
from callboard.events.codec import MAX_TEXT
from callboard.projections import pending, replay
from callboard.projections.answer import Answer, answer_of, open_request
from callboard.projections.words import name_of
from callboard.scripts.border import FINE, FOUND, BadUse, say
from callboard.scripts.group_lines import summary
from callboard.scripts.interactive import interactive as conversed
from callboard.scripts.screen import console, duration, harmless, many, one_line, print_json
from callboard.scripts.serving import limited, model_of, system_of
from callboard.scripts.shipped import team_file
from callboard.scripts.signals import interruptible
from callboard.scripts.transcript import Transcript
from callboard.scripts.typed_lines import standard_input

_ANSWER = TypeAdapter(Answer)


def run(
    team: Path,
    message: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    /,
    *,
    log: Path | None = None,
    to: str | None = None,
    model: str | None = None,
    base_url: str | None = None,
    key: str | None = None,
    params: str | None = None,
    limit: Annotated[list[str] | None, Parameter(negative=())] = None,
    interactive: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Run a team on a log.

    The team remembers what the log holds. If the last run was interrupted, the same command joins the
    request that is still open, and all other open work goes on, too.

    Args:
        team: The team file, TOML; or the name of a team that callboard comes with, one for each pattern:
            consensus, debate, dynamic, handoff, parallel, pipeline, round_robin, route, sleeptime, supervisor,
            voice_sleeptime.
        message: What to say; `-` reads it from standard input. With --interactive it may be left out.
        log: Where everything is recorded; by default the team file's name with `.db`, in the current folder.
        to: Which agent or group is asked; by default the only group, else the only agent.
        model: The model of agents that name none, instead of the team file's.
        base_url: Where the model is, instead of the team file's or OPENAI_BASE_URL.
        key: Names the request: the same key again gives the same answer, and nothing is worked on twice.
        params: What the group's pattern takes with this request, as a JSON object: `{"tasks": {"NAME": "..."}}`
            of parallel, `{"options": ["...", "..."]}` of consensus.
        interactive: Converse: each line of standard input is a request, and what waits for a person is asked.
        limit: What the request may spend, as NAME=VALUE, such as `tokens=20000`; may stand several times.
        json: Print the answer as one JSON object, and nothing else.
    """
    chosen = limited(load_team(team_file(team)), limit)
    recipient, with_it = chosen.recipient(to), _params(params)
    if with_it and isinstance(recipient, Agent):
        raise BadUse(f"--params are for the pattern of a group, and {recipient.name!r} is an agent")
    if interactive:
        _alone(message, key=key, json=json)
    said = checked_message(_read(message)) if message or not interactive else ""
    served, place = model_of(chosen, model, base_url), log or Path(f"{chosen.name}.db")
    if interactive:
        lines, out = standard_input(), console()
        log_to_stderr()
        return conversed(chosen, model=served, log=place, lines=lines, out=out, to=to, first=said, params=with_it)
    out = None if json else console()
    return conversation(chosen, said, model=served, log=place, to=to, key=key, params=with_it, out=out)


def _alone(message: str, *, key: str | None, json: bool) -> None:
    """Refuse what is for one request alone."""
    if key is not None or json or message == "-":
        named = "--key" if key is not None else "--json" if json else "the message -"
        raise BadUse(f"--interactive and {named} are given; a conversation has a key and an answer for each line")


def conversation(
    team: Team,
    message: str,
    *,
    model: Model,
    log: Path | EventStore,
    to: str | None = None,
    key: str | None = None,
    params: Mapping[str, JsonValue] | None = None,
    out: Console | None,
) -> int:
    """Do what `converse` does, from the start of a loop to its end; Ctrl-C and SIGTERM end it in order."""
    log_to_stderr()

    async def work(asking: anyio.CancelScope) -> int:
        return await converse(
            team, message, model=model, log=log, to=to, key=key, params=params, out=out, asking=asking
        )

    return anyio.run(interruptible, work)


async def converse(
    team: Team,
    message: str,
    *,
    model: Model,
    log: Path | EventStore,
    to: str | None = None,
    key: str | None = None,
    params: Mapping[str, JsonValue] | None = None,
    out: Console | None,
    asking: anyio.CancelScope | None = None,
) -> int:
    """Ask `team`, show what happens on `out`, or print JSON where that is None; return the exit code.

    Background work that follows the answer is waited for, too.

    Cancelling `asking` ends the wait for the answer; what is under way ends as when any system is left.

    Raises:
        SpecError: Nobody is called `to`, or the log holds something else of a name in the team.
        TextRefused: The message or the key cannot be taken in.
        KeyReused: The key came before with another message.
        LogError: The log cannot be opened, or not be written.
    """
    recipient = team.recipient(to)
    request = Request(checked_message(message), key if key is None else checked_key(key), dict(params or {}))
    began = anyio.current_time()
    async with AsyncExitStack() as stack:
        store = log if not isinstance(log, Path) else await stack.enter_async_context(SQLiteStore.open(log))
        request = await _joined(store, recipient.stream, request)
        async with system_of(team, store, model) as system:
            for spec in team.roots:
                await system.start(spec)
            outcome, shown = None, Transcript(out) if out else None
            request = replace(request, key=request.key or system.outside.key())
            with asking or anyio.CancelScope():
                outcome = await _ask(Ref(recipient.stream, system), request, shown)
                await _wait_for_jobs(store, recipient.stream, outcome, shown)
            if outcome is not None:
                outcome.seconds = anyio.current_time() - began
                _tell(outcome, log if isinstance(log, Path) else None, out)
                return FOUND if outcome.error else FINE
        if await store.find(recipient.stream, f"re:{request.key}/{recipient.name}") is not None:
            say(f"it was answered meanwhile; the same command with --key {request.key} prints the answer")
        return FOUND


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; without a key it gets one of its own."""

    message: str
    key: str | None = None
    params: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(slots=True)
class Outcome:
    """What came of a request; `error` says why it failed, `shown` up to which position it was followed."""

    answer: Answer
    error: str = ""
    seconds: float = 0.0
    shown: int = 0


# -- the request ------------------------------------------------------------------------------------


async def _joined(store: EventStore, stream: str, request: Request) -> Request:
    """Return the request; without a key, that of an open one that says the same is its key."""
    key = request.key
    turns = [item for item in (await replay(store, pending)).items.values() if item.kind == "turn"]
    found = [await store.find(stream, item.id) for item in turns if item.stream == stream and key is None]
    id = open_request([e for e in found if e and _says(e.data, request)], stream, request.message)
    if id is not None:
        key = id.split("/", 1)[0]
        say(f"joining the request {key}, which says the same and is still open")
    others = dict.fromkeys(item.id.split("/", 1)[0] for item in turns)
    others.pop(key or "", None)
    if others:
        say(f"other open work goes on, too: {', '.join(others)}")
    return replace(request, key=key)


def _says(data: Event, request: Request) -> bool:
    return isinstance(data, MessageReceived) and data.kind == "ask" and data.params == request.params


async def _ask(ref: Ref, request: Request, shown: Transcript | None) -> Outcome:
    """Ask and show what comes; of a request that is known, first what came of it before."""
    store = ref.system.store
    position = store.position
    async with ref.stream(request.message, key=request.key, params=request.params) as run:
        try:
            if shown and request.key is not None:
                async for event in store.read_all(until=position, correlation_id=run.trace):
                    shown.show(event)
            async for item in run:
                if shown:
                    shown.show(item)
                if isinstance(item, RecordedEvent):
                    position = item.position
            outcome = Outcome(await run.answer())
        except (RequestFailed, DeliveryFailed) as error:
            answer = getattr(error, "answer", None)
            if not isinstance(answer, Answer):
                answer = Answer("", "failed", (), Usage(), run.trace)
            outcome = Outcome(answer, error=str(error))
    if shown:
        shown.end(ref.name, outcome.answer.text)
    outcome.shown = position
    return outcome


async def _wait_for_jobs(store: EventStore, stream: str, outcome: Outcome, shown: Transcript | None) -> None:
    """Wait until the work that goes on in the background is done, and show what was not shown of it yet."""
    trace = outcome.answer.trace
    left = {job.id for job in outcome.answer.jobs}
    if not left:
        return
    before = store.read_all(until=outcome.shown, correlation_id=trace)
    left -= {event.data.id async for event in before if isinstance(event.data, JobFinished | JobFailed)}
    if left:
        async for event in store.subscribe(after=outcome.shown):
            if event.data.correlation_id != trace:
                continue
            if shown:
                shown.show(event)
            if isinstance(event.data, JobFinished | JobFailed):
                left.discard(event.data.id)
            if not left:
                break
    events = [event async for event in store.read_all(correlation_id=trace)]
    outcome.answer = answer_of(events, f"{trace}/{name_of(stream)}") or outcome.answer


# -- what is said of it -----------------------------------------------------------------------------


def _tell(outcome: Outcome, log: Path | None, out: Console | None) -> None:
    if outcome.error:
        say(f"the request failed: {outcome.error}")
    if out is None:
        fields = _ANSWER.dump_python(outcome.answer, mode="json")
        print_json({**fields, "error": outcome.error} if outcome.error else fields)
        return
    answer, usage = outcome.answer, outcome.answer.usage
    reason = answer.stop_reason
    ended = "ended" if reason == "end" else f"ended by {reason}"
    facts = [many(len(answer.turns), "turn"), reason if outcome.error else ended]
    if usage.input_tokens or usage.output_tokens:
        facts.append(f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out")
    facts.append(duration(outcome.seconds))
    lines = [*summary(answer), " · ".join(facts), f"trace {answer.trace}" + ("" if log is None else f", log {log}")]
    if log is not None:
        commands = further(str(log), answer.trace)
        width = max(len(command) for command, _ in commands)
        lines += [f"  {command:<{width}}   {about}" for command, about in commands]
    out.out("\n" + harmless("\n".join(lines)), style="dim", highlight=False)


def further(log: str, trace: str) -> list[tuple[str, str]]:
    """Return the commands to look further, each with what it shows. Pure."""
    where = shlex.quote(log)
    return [
        (f"callboard trace {where} {trace}", "what happened, as a tree"),
        (f"callboard replay {where}", "what everybody knows now"),
    ]


# -- what is given ----------------------------------------------------------------------------------


def _read(message: str) -> str:
    """Return `message`, or for `-` what stands on standard input, without the end of its last line."""
    if message != "-":
        return message
    if sys.stdin is None:
        raise TextRefused("there is no standard input; give the message itself")
    if sys.stdin.isatty():
        say("type the message, then Ctrl-D")
    data = sys.stdin.buffer.read(MAX_TEXT + 3)
    if len(data) > MAX_TEXT + 2:
        raise TextRefused(f"standard input has more than {MAX_TEXT:,} bytes, the most that a message may have")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise TextRefused(f"standard input is not UTF-8 at byte {error.start:,}; convert it") from None


def _params(text: str | None) -> dict[str, JsonValue]:
    """Return the options of a request."""
    if text is None:
        return {}
    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise BadUse(f"--params is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadUse(f"--params is {one_line(text, 60)}; a JSON object is wanted, such as '{{\"options\": [..]}}'")
    return cast("dict[str, JsonValue]", found)


def log_to_stderr() -> None:
    """See that warnings do not get between the lines of an answer."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    from callboard.scripts.main import main

    sys.exit(main(["run", *sys.argv[1:]]))
