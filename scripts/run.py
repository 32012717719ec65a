"""`callboard run`: a team from a file, a message, an answer; on a log that remembers."""

from __future__ import annotations

import logging
import shlex
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import anyio
import structlog
from cyclopts import Parameter
from pydantic import TypeAdapter
from rich.console import Console

from callboard.actors.model import Model
from callboard.actors.openai_model import OpenAIModel
from callboard.actors.ref import Ref, checked_key, checked_message
from callboard.actors.system import System
from callboard.actors.team import ModelChoice, Team, load_team
from callboard.events import (
    DeliveryFailed,
    Event,
    EventStore,
    RequestFailed,
    SpecError,
    SQLiteStore,
    TextRefused,
)
from callboard.events.catalog import MessageReceived, Usage
from callboard.events.codec import MAX_TEXT
from callboard.projections import pending, replay
from callboard.projections.answer import Answer, open_request
from callboard.scripts.border import FINE, FOUND, say
from callboard.scripts.screen import console, duration, harmless, many, print_json
from callboard.scripts.signals import interruptible
from callboard.scripts.transcript import Transcript

_ANSWER = TypeAdapter(Answer)


def run(
    team: Path,
    message: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    log: Path | None = None,
    to: str | None = None,
    model: str | None = None,
    base_url: str | None = None,
    key: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Run a team on a log.

    The team remembers what the log holds. If the last run was interrupted, the same command joins the
    request that is still open, and all other open work goes on, too.

    Args:
        team: The team file, TOML.
        message: What to say; `-` reads it from standard input.
        log: Where everything is recorded; by default the team file's name with `.db`, in the current folder.
        to: Which agent or group is asked; by default the only group, else the only agent.
        model: The model of agents that name none, instead of the team file's.
        base_url: Where the model is, instead of the team file's or OPENAI_BASE_URL.
        key: Names the request: the same key again gives the same answer, and nothing is worked on twice.
        json: Print the answer as one JSON object, and nothing else.
    """
    chosen = load_team(team)
    chosen.recipient(to)
    said = checked_message(_read(message))
    served = _model(chosen, model, base_url)
    place = log or Path(f"{chosen.name}.db")
    return conversation(chosen, said, model=served, log=place, to=to, key=key, out=None if json else console())


def conversation(
    team: Team,
    message: str,
    *,
    model: Model,
    log: Path | EventStore,
    to: str | None = None,
    key: str | None = None,
    out: Console | None,
) -> int:
    """Do what `converse` does, from the start of a loop to its end; Ctrl-C and SIGTERM end it in order."""
    log_to_stderr()

    async def work(asking: anyio.CancelScope) -> int:
        return await converse(team, message, model=model, log=log, to=to, key=key, out=out, asking=asking)

    return anyio.run(interruptible, work)


async def converse(
    team: Team,
    message: str,
    *,
    model: Model,
    log: Path | EventStore,
    to: str | None = None,
    key: str | None = None,
    out: Console | None,
    asking: anyio.CancelScope | None = None,
) -> int:
    """Ask `team`, show what happens on `out`, or print JSON where that is None; return the exit code.

    Cancelling `asking` ends the wait for the answer; what is under way ends as when any system is left.

    Raises:
        SpecError: Nobody is called `to`, or the log holds something else of a name in the team.
        TextRefused: The message or the key cannot be taken in.
        KeyReused: The key came before with another message.
        LogError: The log cannot be opened, or not be written.
    """
    recipient = team.recipient(to)
    checked_message(message)
    key = key if key is None else checked_key(key)
    began = anyio.current_time()
    async with AsyncExitStack() as stack:
        store = log if not isinstance(log, Path) else await stack.enter_async_context(SQLiteStore.open(log))
        key = await _joined(store, recipient.stream, message, key)
        system = await stack.enter_async_context(System.open(store, model=model))
        for spec in team.roots:
            await system.start(spec)
        outcome = None
        with asking or anyio.CancelScope():
            outcome = await _ask(Ref(recipient.stream, system), message, key, out)
        if outcome is None:
            return FOUND
        outcome.seconds = anyio.current_time() - began
        _tell(outcome, log if isinstance(log, Path) else None, out)
        return FOUND if outcome.error else FINE


@dataclass(slots=True)
class Outcome:
    """What came of a request; `error` says why it failed."""

    answer: Answer
    error: str = ""
    seconds: float = 0.0


# -- the request ------------------------------------------------------------------------------------


async def _joined(store: EventStore, stream: str, message: str, key: str | None) -> str | None:
    """Return the key to ask under: the given one, or that of an open request that says the same."""
    turns = [item for item in (await replay(store, pending)).items.values() if item.kind == "turn"]
    found = [await store.find(stream, item.id) for item in turns if item.stream == stream and key is None]
    id = open_request([event for event in found if event and _is_plain_ask(event.data)], stream, message)
    if id is not None:
        key = id.split("/", 1)[0]
        say(f"joining the request {key}, which says the same and is still open")
    others = dict.fromkeys(item.id.split("/", 1)[0] for item in turns)
    others.pop(key or "", None)
    if others:
        say(f"other open work goes on, too: {', '.join(others)}")
    return key


def _is_plain_ask(data: Event) -> bool:
    return isinstance(data, MessageReceived) and data.kind == "ask" and not data.params


async def _ask(ref: Ref, message: str, key: str | None, out: Console | None) -> Outcome:
    """Ask and show what comes; of a request that is known, first what came of it before."""
    shown = Transcript(out) if out else None
    position = ref.system.store.position
    async with ref.stream(message, key=key) as run:
        try:
            if shown and key is not None:
                async for event in ref.system.store.read_all(until=position, correlation_id=run.trace):
                    shown.show(event)
            async for item in run:
                if shown:
                    shown.show(item)
            outcome = Outcome(await run.answer())
        except (RequestFailed, DeliveryFailed) as error:
            answer = getattr(error, "answer", None)
            if not isinstance(answer, Answer):
                answer = Answer("", "failed", (), Usage(), run.trace)
            outcome = Outcome(answer, error=str(error))
    if shown:
        shown.end(ref.name, outcome.answer.text)
    return outcome


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
    facts = [many(len(answer.turns), "turn"), reason if outcome.error else f"ended by {reason}"]
    if usage.input_tokens or usage.output_tokens:
        facts.append(f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out")
    facts.append(duration(outcome.seconds))
    lines = [" · ".join(facts), f"trace {answer.trace}" + ("" if log is None else f", log {log}")]
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


def _model(team: Team, name: str | None, base_url: str | None) -> OpenAIModel:
    choice = team.model or ModelChoice()
    named = [agent.model for agent in team.agents.values()]
    name = name or choice.name or (named[0] if all(named) else "")
    if not name:
        raise SpecError("no model is named; give --model, or write [model] and its name in the team file")
    return OpenAIModel(name, base_url=base_url or choice.base_url or None)


def log_to_stderr() -> None:
    """See that warnings do not get between the lines of an answer."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    from callboard.scripts.main import main

    sys.exit(main(["run", *sys.argv[1:]]))
