"""Makes the model calls of one agent: the pause and the slot before an attempt, its prompt, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio

from callboard.events import ModelError
from callboard.events.catalog import ModelCallStarted, Usage
from callboard.events.specs import BlockUse
from callboard.projections import AgentState, Growing
from callboard.projections import request as requests
from callboard.projections.agent_calls import ModelCall
from callboard.projections.contexts import layout_of
from callboard.projections.estimate import tokens_in
from callboard.projections.prompt import Line, Message, Shown, messages_of
from callboard.projections.uses import named
from callboard.projections.uses import reads as reading

from . import calls, fallbacks
from .breaker import CIRCUIT_OPEN
from .commands import Begin, Command, Refuse, TakeAttempt, TakeReply
from .model import ModelReply, ModelRequest
from .providers import Hand
from .slots import Refused, Slot, as_model_error
from .storable import storable, storable_arguments, storable_name

if TYPE_CHECKING:
    from .agent_actor import AgentActor
    from .system import System

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second attempt of a model call; it doubles up to the longest, where the provider names none."""


class Calling:
    """What an agent has in hand for its model calls; nothing of it is needed to go on after a restart."""

    def __init__(self, actor: AgentActor) -> None:
        """Call models for `actor`."""
        self._actor = actor
        self._shown: dict[tuple[str, int], Shown] = {}
        self._messages: list[Message] = []
        self._rendered: Growing[Line] = Growing()
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._dropped = False
        self._reads: Mapping[str, BlockUse] = {}
        self._erasures = 0
        self._preparing = anyio.CancelScope()
        self._hand = Hand(actor.system.providers, actor.stream)

    @property
    def slot(self) -> str | None:
        """The model that there is a slot for; None without one."""
        return None if self._actor.system.treasury.watches else self._hand.name

    def reach(self) -> None:
        """Take a slot where one is free and may be needed, so that a call can begin in the append that wants it."""
        self._hand.reach(fallbacks.likely(self._actor.state))

    def keep(self, *, offered: bool) -> None:
        """Give back a slot that is not needed; and what a call may cost that was offered to begin and did not."""
        call = self._actor.state.model
        if offered and (call is None or call.phase != "running"):
            self._actor.system.treasury.free(self._actor.stream)
        self._hand.keep(fallbacks.wanted(self._actor.state))

    def drop(self) -> None:
        """Give back all slots: the actor stops."""
        self._dropped = True
        self._actor.system.treasury.free(self._actor.stream)
        self._hand.drop()

    def turn_started(self) -> None:
        """Forget the blocks of the turn before."""
        self._shown.clear()
        self._reads = {}

    async def read_again(self) -> None:
        """Read the blocks of the turn again, since texts were erased, and prepare what is to begin anew."""
        self._erasures += 1
        known, self._shown, self._reads = self._shown, {}, self._actor.state.reads
        for label, version in known:
            if label in self._reads:
                self._shown[label, version] = await self._block(label, version, self._reads[label])
        self.prepare(f"{self._actor.stream}@{self._actor.version}")

    def standing(self, results: list[Command]) -> list[Command]:
        """Return `results` less what was prepared before texts were erased, which is prepared anew."""
        found: list[Command] = []
        for one in results:
            if isinstance(one, Begin) and one.erasures != self._erasures:
                self._actor.system.treasury.free(self._actor.stream)
                continue
            if isinstance(one, Begin):
                self._shown |= requests.by_version((*one.shown, *one.current))
                self._reads = one.reads
            found.append(one)
        return found

    def given_up(self, id: str) -> None:
        """Break off an attempt that runs."""
        if id in self._scopes:
            self._scopes[id].cancel()

    def prepare(self, cause: str) -> None:
        """See that the open model call begins, once its pause is over and the blocks are read.

        What was prepared until now is let go: of two that wait for a slot, each might have what the other waits for.
        """
        call = self._actor.state.model
        if call is not None and call.phase in ("wanted", "stopped", "waiting"):
            self._preparing.cancel()
            self._preparing = anyio.CancelScope()
            self._actor.spawn(self._prepared, self._preparing, call, cause)

    async def _prepared(self, scope: anyio.CancelScope, call: ModelCall, cause: str) -> None:
        with scope:
            await self._prepare(call, cause)

    async def _prepare(self, call: ModelCall, cause: str) -> None:
        if call.due is not None:
            pause = (call.due - self._actor.system.outside.now()).total_seconds()
            await self._actor.system.outside.sleep(max(0.0, pause))
        model = fallbacks.wanted(self._actor.state)
        if self._actor.state.model != call or model is None:
            return  # it goes on without this, or no more
        refused = await self._hand.wait(model)
        state = self._actor.state
        if state.model != call or fallbacks.wanted(state) != model:
            self._hand.keep(fallbacks.wanted(state))
            return
        if refused is not None:
            self._actor.put(self._refuse(call, model, refused, cause))
            return
        assert state.spec is not None
        uses, erasures = state.spec.blocks, self._erasures
        current = [] if call.summarises else await self._current(state)
        items = [] if call.summarises else requests.wanted(state)
        reads = reading(state, {block.label: block.use or block.label for block in current})
        shown = [await self._block(label, version, reads[label]) for label, version in items]
        price = self._actor.system.prices.of(self._actor.system.providers.name_of(model))
        read = None if call.summarises else uses
        begin = Begin(call.id, current, shown, call.attempt, read, model, price, None, reads, erasures, cause=cause)
        if self._actor.system.treasury.watches:
            tokens = calls.tokens(state, call, current, shown)
            begin = replace(begin, room=await self._actor.system.treasury.hold(self._actor.stream, tokens, price))
        self._actor.put(begin)

    async def _current(self, state: AgentState) -> list[Shown]:
        """Return the blocks that the agent has, as they are now."""
        uses = state.spec.blocks if state.spec else ()
        blocks = {use.stream: await self._actor.system.look(use.stream) for use in uses}
        return [
            requests.shown(
                blocks[use.stream], label, me=self._actor.stream, seen=state.seen.get(label),
                read_only=use.read_only, use=use.label,
            )
            for label, use in named(state, blocks).items()
        ]  # fmt: skip

    def _refuse(self, call: ModelCall, model: str, refused: Refused, cause: str) -> Refuse:
        """Say that an attempt does not go out; another model is asked at once, this one when it may be."""
        assert self._actor.state.spec is not None
        other = fallbacks.after(self._actor.state.spec, model, CIRCUIT_OPEN)
        due = refused.until if other is None else self._actor.system.outside.now()
        until = f"{refused.until:%H:%M:%S} UTC"
        text = f"{model or 'the model'} keeps failing ({refused.why}); it is not asked before {until}"
        return Refuse(call.id, call.attempt, model, text, due, cause=cause)

    async def _block(self, label: str, version: int, use: BlockUse) -> Shown:
        """Return a block as an earlier call of this turn was shown it, or would be now that its use is another."""
        known = self._shown.get((label, version))
        if known is not None and self._reads.get(label) == use:
            return known
        block = await requests.block_at(self._actor.system.store, use.stream, version)
        return requests.shown(block, label, me=self._actor.stream, seen=None, read_only=use.read_only)

    def start(self, started: ModelCallStarted, cause: str) -> None:
        """Make the attempt whose start is recorded, unless it was cancelled in the same append."""
        call, spec, id, attempt = self._actor.state.model, self._actor.state.spec, started.id, started.attempt
        if call is None or (call.id, call.attempt, call.phase) != (id, attempt, "running") or spec is None:
            return
        slot = self._hand.use()
        assert slot is not None or self._dropped, "an attempt began without a slot"
        if slot is None:
            return
        key = f"{self._actor.system.store.log_id}/{id}"
        prompt, tools = self._prompt(), requests.tools(self._actor.state)
        output = {} if call.summarises else spec.output
        hold, sums = started.hold, call.summarises
        request = ModelRequest(id, attempt, spec.name, call.model, prompt, tools, key, hold, output, sums)
        self._actor.spawn(self._call_model, request, slot, cause)

    def _prompt(self) -> Sequence[Message]:
        """Return the whole prompt; what was rendered for the call before is used again."""
        state = self._actor.state
        if state.model is not None and state.model.summarises:
            return requests.messages(state, {})
        if state.notes:
            self._rendered = Growing()
            return requests.messages(state, self._shown)
        if not (self._rendered and state.lines.continues(self._rendered)):
            self._messages, self._rendered = [{}], Growing()
        for line in state.lines.since(len(self._rendered)):
            self._messages += messages_of(line, layout_of(state))
        self._rendered = state.lines
        self._messages[0] = requests.head(state, self._shown)
        return list(self._messages)  # one that was given up may still be on its way out, and is not to grow

    async def _call_model(self, request: ModelRequest, slot: Slot, cause: str) -> None:
        """Make an attempt, for as long as the call is open."""
        with anyio.CancelScope() as scope:
            self._scopes[request.id] = scope
            try:
                self._actor.put(await self._attempt(request, slot, cause))
            finally:
                self._actor.system.treasury.free(self._actor.stream)
        if self._scopes.get(request.id) is scope:
            del self._scopes[request.id]

    async def _attempt(self, request: ModelRequest, slot: Slot, cause: str) -> Command:
        try:
            say = self._actor.system.deltas.sayer(request, aloud=not request.summarises)
            reply = await slot.complete(request, say)
            return _taken(request, reply, self._actor.system, cause)
        except Exception as error:  # a border to others' code
            failure = as_model_error(error)
            due = self._retry_at(request, failure)
            text = storable(str(failure))[0]
            return TakeAttempt(request.id, request.attempt, failure.kind, text, due, cause=cause)

    def _retry_at(self, request: ModelRequest, failure: ModelError) -> datetime | None:
        """Return when the next attempt is due: of another model at once, of the same one after a pause."""
        spec = self._actor.state.spec
        if spec is not None and fallbacks.after(spec, request.model, failure.kind) is not None:
            return self._actor.system.outside.now()
        if not failure.retry:
            return None
        pause = failure.retry_after
        if pause is None:
            longest = min(FIRST_PAUSE * 2 ** (request.attempt - 1), LONGEST_PAUSE)
            pause = longest * (0.5 + self._actor.system.outside.random.random() / 2)
        return self._actor.system.outside.now() + timedelta(seconds=pause)


def _taken(request: ModelRequest, reply: ModelReply, system: System, cause: str) -> TakeReply:
    """Return `reply` as a command, with what cannot be stored replaced."""
    text, replaced = storable(reply.text)
    uses: list[tuple[str, str]] = []
    for name, arguments in reply.uses:
        clean, n = storable_arguments(arguments)
        named, m = storable_name(name)
        uses.append((named, clean))
        replaced += n + m
    usage, model, reason = reply.usage, storable(reply.model)[0], storable(reply.finish_reason)[0]
    if usage is None and request.hold is not None:
        said = tokens_in(text) + sum(tokens_in(name + arguments) for name, arguments in uses)
        usage = Usage(input_tokens=request.hold.input, output_tokens=said, estimated=True)
    usd = system.prices.cost(system.providers.name_of(request.model), usage) if usage is not None else None
    return TakeReply(request.id, text, uses, usage, model, reason, replaced, usd, cause=cause)
