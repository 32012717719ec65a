"""Carries the sends of one actor to one recipient: one at a time, in the order they were opened."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from callboard.events import ActorParked, ActorStopped, KeyReused, MailboxFull, NoSuchActor, WaitsInCircle
from callboard.events.catalog import AgentChanged, AgentStarted, CueSpec, MessageSent

from . import directory
from .commands import Delivery, Receive, Start, TakeAccepted, TakeAnswer

if TYPE_CHECKING:
    from .actor import Actor


ANSWERED = ("ask", "turn", "edit")
"""Kinds of messages that are open until they are answered; others until they are in the recipient's stream."""


class Courier:
    """Hands over what waits; the next goes out when the one before is in the recipient's stream."""

    def __init__(self, actor: Actor[Any], recipient: str) -> None:
        self._actor = actor
        self._recipient = recipient
        self._waiting: deque[Receive] = deque()

    def post(self, sent: MessageSent, cause: str | None) -> None:
        """Carry `sent`, after what waits already; what waits itself is carried once."""
        if any(message.id == sent.id for message in self._waiting):
            return
        cue = sent.cue or CueSpec()
        self._waiting.append(
            Receive(
                sent.id, self._actor.stream, sent.kind, sent.parts, sent.edit, sent.arguments, sent.seen,
                params=sent.params, tools=cue.tools, fresh=cue.fresh, since=cue.since, hops=sent.hops,
                grant=sent.grant, use=sent.use, spec=sent.spec, conversation=sent.conversation,
                expires=sent.expires, cause=cause,
            )
        )  # fmt: skip
        if len(self._waiting) == 1:
            self._actor.spawn(self._carry)

    async def _carry(self) -> None:
        while self._waiting:
            message = self._waiting[0]
            try:
                await self._check(message)
                await self._actor.system.deliver(self._recipient, _delivery(message))
            except (NoSuchActor, ActorParked, ActorStopped, MailboxFull, KeyReused, WaitsInCircle) as error:
                failed = TakeAnswer(message.id, str(error), ok=False, accepted=False, cause=message.cause)
                self._actor.put(failed)
            else:
                if message.kind not in ANSWERED:
                    self._actor.put(TakeAccepted(message.id, cause=message.cause))
            self._waiting.popleft()

    async def _check(self, message: Receive) -> None:
        """See that nobody who waits for us is waited for; what arrived before a restart is not taken back.

        Raises:
            WaitsInCircle: Somebody is; names all in the circle.
        """
        if message.kind in ("ask", "turn"):
            system = self._actor.system
            names = await directory.cycle(system, self._actor.stream, self._recipient)
            if names and await system.store.find(self._recipient, message.id) is None:
                raise WaitsInCircle(names)
            self._actor.out.intersection_update(self._actor.state.desk.sends)  # what was answered is forgotten
            self._actor.out.add(message.id)


def _delivery(message: Receive) -> Delivery:
    """Return `message` as its recipient takes it."""
    if message.spec is None:
        return message
    started, changed = AgentStarted(spec=message.spec), AgentChanged(spec=message.spec)
    return Start(message.id, message.sender, started, changed, cause=message.cause)
