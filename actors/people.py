"""People in the loop: what waits for them, and how what they say reaches the agent that waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from callboard.events import (
    ActorStopped,
    AlreadyDecided,
    CallboardError,
    EventStore,
    KeyReused,
    NotWaiting,
    TextRefused,
)
from callboard.events.calls import POLICY, Decision
from callboard.events.catalog import (
    ApprovalGiven,
    ApprovalRefused,
    LimitDecided,
    LimitKept,
    LimitRaised,
    QuestionAnswered,
)
from callboard.events.store import event_at
from callboard.events.text import ERASED
from callboard.projections import AgentState, Desk, Open, Pending, Projection, agent_state, group_state, replay
from callboard.projections.agent_calls import ToolCall
from callboard.projections.paths import digest_of, named_by
from callboard.projections.words import name_of

from . import approvals, cancelling, raising
from .commands import Delivery, Outcome, TakeDecision
from .inbox import Decide
from .mailbox import WAIT
from .outside import Outside
from .ref import USER, checked_key, checked_message
from .storable import storable

Kind = Literal["approval", "question", "doubt", "limit"]
"""What is awaited of a person."""

Look = Callable[[str], Awaitable[Any]]
"""Gives the state of the agent or group at a stream, as the log holds it."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A tool call, or a turn that reached a limit, that waits for a person.

    Attributes:
        call: Its id; of a limit that of the turn, with `/limit` behind it.
        kind: `approval`: may it begin? `question`: what is the answer? `doubt`: what came of it? `limit`: may the
            turn go on? Then `tool` is the name of the limit, and `arguments` says how it was reached.
        agent: Who called; of a limit, the agent or group that works on the turn.
        attempt: Which attempt an approval is for; 1 but for a call in doubt that is to run again.
        note: Why the function that decides whether to ask could not.
        question: What is asked, with the `options` that there are; none for any answer.
        position: Where the call stands in the log, recorded at `since`.
    """

    call: str
    kind: Kind
    agent: str
    tool: str
    arguments: str
    attempt: int
    position: int
    since: datetime
    note: str = ""
    question: str = ""
    options: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Hash of what is shown here: a decision that comes with it holds for nothing else."""
        return digest_of(self.tool, self.arguments, self.attempt)


class Host(Protocol):
    """What a system has that this needs."""

    store: EventStore
    outside: Outside

    async def pending(self) -> Pending:
        """Return all that is open."""
        ...

    async def look(self, stream: str) -> Any:
        """Return the state of the actor at `stream`."""
        ...

    def streams(self, *, met: bool = False) -> list[str]:
        """Return the streams of all that was ever started."""
        ...

    async def deliver(self, to: str, delivery: Delivery, *, wait: float = WAIT) -> None:
        """Hand `delivery` over; return when it is in the stream of `to`."""
        ...


class People:
    """The part of a system that people decide through."""

    async def waiting(self: Host) -> list[Awaited]:
        """Return the calls that wait for a person, oldest first: approvals, questions, and calls in doubt."""
        return await awaited(self.store, (await self.pending()).awaiting(), self.look)

    async def approve(self: Host, call: Awaited | str, *, key: str | None = None, by: str = USER) -> None:
        """Let a call begin, with the arguments that it has; return when that is recorded. Twice under one key is once.

        Given what `waiting` returned, it holds for the arguments that stand there, and for no others.

        Raises:
            NotWaiting: It waits for no approval.
            AlreadyDecided: Somebody decided before, under another key.
            ApprovalMismatch: Other arguments wait than those that were shown.
        """
        await decide(self, await _said(self, call, "approved", "", key, by))

    async def deny(self: Host, call: Awaited | str, reason: str, *, key: str | None = None, by: str = USER) -> None:
        """Refuse to let a call begin; its model is told `reason`. Else as `approve`."""
        await decide(self, await _said(self, call, "refused", reason, key, by))

    async def answer(self: Host, call: Awaited | str, text: str, *, key: str | None = None, by: str = USER) -> None:
        """Answer the question that a call asks. Else as `approve`.

        Raises:
            TextRefused: The answer is empty, or none of the options that there are.
        """
        await decide(self, await _said(self, call, "answered", text, key, by))

    async def cancel(self: Host, trace: str, *, by: str = USER) -> None:
        """End the request `trace` and all that it caused, wherever that is; return when it is recorded, with who did.

        Raises:
            NotWaiting: Nothing of that request is open.
            TextRefused: `by` cannot be a name.
        """
        await cancelling.cancel(self, trace, checked_name(by))


async def _said(host: Host, call: Awaited | str, outcome: Outcome, text: str, key: str | None, by: str) -> Decide:
    """Return a decision as a command; about a call given by its id, it is about what waits now."""
    id, key = (call if isinstance(call, str) else call.call), key or host.outside.key()
    if not isinstance(call, str):
        return Decide(key=key, call=id, outcome=outcome, text=text, by=by, digest=call.digest)
    stream = await home(host.store, id)
    state = await host.look(stream) if stream in host.streams() else AgentState()
    return Decide(key=key, call=id, outcome=outcome, text=text, by=by, digest=_digest(state, id))


def _digest(state: Any, call: str) -> str:
    """Return the hash of what waits now under the id `call`; empty where nothing does."""
    if raising.turn_of(call):
        purse = state.desk.purse
        return raising.digest(purse.reached) if purse is not None and purse.reached is not None else ""
    return state.tools[call].about if call in state.tools else ""


async def home(store: EventStore, call: str) -> str:
    """Return the stream of the agent or group that `call` is about; empty where there is none."""
    if not raising.turn_of(call):
        return stream_of(call)
    name = raising.turn_of(call).rsplit("/", 1)[-1]
    for stream in (f"agent-{name}", f"group-{name}"):
        async for _ in store.read_stream(stream, until=1):
            return stream
    return ""


def stream_of(call: str) -> str:
    """Return the stream of the agent that made a call, by the id of the call; empty where it is none. Pure."""
    parts = call.split("/")
    return f"agent-{parts[-3]}" if len(parts) > 3 else ""


# -- what waits -------------------------------------------------------------------------------------


async def awaited(store: EventStore, items: Iterable[Open], look: Look) -> list[Awaited]:
    """Return those of the open calls `items` that wait for a person."""
    found: list[Awaited] = []
    for item in items:
        try:
            state = await look(item.stream)
        except ActorStopped:  # it failed too often; what it waits for stands in the log
            state = await states_in(store)(item.stream)
        if item.kind == "turn":
            found += await _limited(store, item, state.desk)
            continue
        call = state.tools.get(item.id)
        kind = approvals.kind_of(state, call) if call is not None else None
        if call is None or kind is None:
            continue
        asked = approvals.question_of(call)
        opened = await event_at(store, item.since)
        found.append(
            Awaited(
                call.id, kind, name_of(item.stream), call.wanted.tool, str(call.wanted.arguments), call.attempt + 1,
                item.since, opened.recorded_at, note=str(call.text) if kind == "approval" else "",
                question=asked.question if asked else "", options=tuple(asked.options) if asked else (),
            )
        )  # fmt: skip
    return found


async def _limited(store: EventStore, item: Open, desk: Desk) -> list[Awaited]:
    purse, turn = desk.purse, desk.turn
    if purse is None or turn is None or turn.id != item.id or not purse.waits or purse.reached is None:
        return []
    opened, name = await event_at(store, item.since), name_of(item.stream)
    limit, text = purse.reached.limit, str(purse.reached.text)
    return [Awaited(item.id + raising.ENDING, "limit", name, limit, text, 1, item.since, opened.recorded_at)]


def states_in(store: EventStore) -> Look:
    """Return a look at the agents and groups of a log that nobody runs; each is folded once."""
    known: dict[str, Any] = {}

    async def look(stream: str) -> Any:
        if stream not in known:
            kind: Projection[Any] = group_state if stream.startswith("group-") else agent_state
            known[stream] = await replay(store, kind, stream=stream)
        return known[stream]

    return look


def named(found: list[Awaited], call: str) -> Awaited:
    """Return the waiting call that `call` is, or the only one whose id ends so.

    Raises:
        NotWaiting: There is none, or more than one; the error names those that there are.
    """
    chosen = [one for one in found if one.call == call] or [one for one in found if named_by(one.call, call)]
    if len(chosen) != 1:
        known = ", ".join(one.call for one in found) or "none"
        raise NotWaiting(call, f"names {len(chosen) or 'no'} call that waits for a person; waiting: {known}")
    return chosen[0]


# -- decisions --------------------------------------------------------------------------------------


async def decide(host: Host, command: Decide) -> None:
    """Hand a decision to the agent that waits for it; return when it is recorded, also by an earlier try.

    Raises:
        NotWaiting, AlreadyDecided, ApprovalMismatch, TextRefused, KeyReused: It does not count; nothing was changed.
    """
    stream = await home(host.store, command.call)
    if stream not in host.streams():
        raise await why_not(host.store, command.call)
    decision = await checked(host.store, host.look, command)
    if decision is None:
        return
    await host.deliver(stream, decision)
    await recorded(host.store, command)


async def recorded(store: EventStore, command: Decide) -> None:
    """See that a decision was recorded; of two at the same time, one is.

    Raises:
        NotWaiting, AlreadyDecided: It was not.
        KeyReused: Another was, under its key.
    """
    stream = await home(store, command.call)
    found = await store.find(stream, f"command:{command.key}")
    if found is None:
        raise await why_not(store, command.call)
    if not _same(found.data, _taken(command)):
        raise KeyReused(stream, f"command:{command.key}")


async def checked(store: EventStore, look: Look, command: Decide) -> TakeDecision | None:
    """Return a decision as its agent takes it in; None where it is recorded.

    Raises:
        NotWaiting, AlreadyDecided, ApprovalMismatch, TextRefused, KeyReused: It does not count.
    """
    stream, decision = await home(store, command.call), _taken(command)
    before = await store.find(stream, f"command:{command.key}")
    if before is not None:
        if not _same(before.data, decision):
            raise KeyReused(stream, f"command:{command.key}")
        return None
    state = await look(stream)
    if raising.turn_of(command.call):
        fault = raising.fault(state.desk, decision)
        if isinstance(fault, NotWaiting):
            fault = await why_not(store, command.call)
        if fault is not None:
            raise fault
        return decision
    call: ToolCall | None = state.tools.get(command.call)
    if call is None or (call.phase != "in doubt" and call.phase not in ("asked", "question")):
        raise await why_not(store, command.call)
    fault = approvals.fault(call, decision)
    if fault is not None:
        raise fault
    return decision


def _taken(command: Decide) -> TakeDecision:
    """Return `command` as an agent takes it in, its texts checked."""
    by, text = checked_name(command.by), command.text
    if command.outcome != "approved":
        checked_message(text)
    told = {"approved": "", "refused": storable(f"refused by {by}: {text}")[0], "answered": text}[command.outcome]
    return TakeDecision(
        command.call, USER, command.outcome, told, by, checked_key(command.key), command.digest,
    )  # fmt: skip


def checked_name(by: str) -> str:
    """Return `by`, if whoever decides can be called so.

    Raises:
        TextRefused: It is empty, too long, holds what cannot be stored, or is the name of a rule.
    """
    if not by.strip() or len(by) > 200 or storable(by)[0] != by or by == POLICY:
        raise TextRefused(f"{by!r} cannot be the name of who decides: 1 to 200 characters but {POLICY!r} are wanted")
    return by


def _same(before: object, decision: TakeDecision) -> bool:
    """Return whether `before` is that decision; a text that was erased is like any. Pure."""
    wanted, same = (raising if raising.turn_of(decision.id) else approvals).decided(decision), False
    if isinstance(before, Decision | LimitDecided) and type(before) is type(wanted):
        texts = [str(getattr(event, "text", "")) for event in (before, wanted)]
        same = (before.id, before.by) == (wanted.id, wanted.by) and texts[0] in (texts[1], ERASED)
    return same


async def why_not(store: EventStore, call: str) -> CallboardError:
    """Return why nothing can be decided of `call`: what was decided before, or that it waits for no person."""
    latest, said = "", ""
    async for event in store.read_all(correlation_id=call.split("/", 1)[0]):
        if event.data.id == (raising.turn_of(call) or call):
            ours = {event.data.goes_on, event.data.closes} & {"tool", "turn"}
            latest = event.type if ours else latest or event.type
            said = _words(event.data) or said
    if not latest:
        return NotWaiting(call, "is no call of this log; `callboard people pending LOG` lists those that wait")
    if said:
        return AlreadyDecided(call, said)
    return NotWaiting(call, f"waits for no person: its last event is {latest}; nothing was changed")


def _words(event: object) -> str:
    match event:
        case ApprovalGiven(by=by, command=key) if key:
            return f"approved by {by} under the key {key!r}"
        case ApprovalRefused(text=text, command=key):
            return f"{text} (under the key {key!r})"
        case LimitRaised(by=by, command=key):
            return f"raised by {by} under the key {key!r}"
        case LimitKept(by=by, text=text, command=key):
            return f"kept by {by}: {str(text)[:200]} (under the key {key!r})"
        case QuestionAnswered(by=by, text=text, command=key):
            return f"answered by {by} with {str(text)[:200]!r} under the key {key!r}"
        case _:
            return ""
