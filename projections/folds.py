"""Every projection over a whole log, side by side, each on its own: one that breaks leaves the others standing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callboard.events import CallboardError, RecordedEvent
from callboard.events.catalog import ModelCallStarted

from .agent import AgentState, agent_state
from .archive import archive_state
from .block import BlockState
from .conversation import Conversation, agent_conversation, group_conversation, request_conversation
from .findings import Findings, Place
from .group_folds import group_state
from .growing import Growing
from .passages import passages
from .projection import Projection
from .prompt import Shown
from .request import fingerprint, shown, unknown_layout, wanted
from .states import replace
from .trace import traces
from .usage import usage
from .versions import BlockHistory, block_history

BREAKS = (
    ArithmeticError, AssertionError, AttributeError, CallboardError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What a fold over a damaged log may end with."""

OF_STREAM: dict[str, tuple[Projection[Any], ...]] = {
    "agent": (agent_state, agent_conversation),
    "group": (group_state, group_conversation),
    "block": (block_history,),
    "archive": (archive_state, passages),
}
OF_LOG: tuple[Projection[Any], ...] = (traces, usage)


class Folds:
    """Takes the events of a log in their order; notes where a projection breaks, or a prompt is not rebuilt.

    Attributes:
        prompts: Prompts that were made again and are those that were sent.
        untold: Prompts that cannot be made again, since a text was redacted or an event is damaged.
    """

    def __init__(self, findings: Findings) -> None:
        self.prompts = self.untold = 0
        self._findings = findings
        self._states: dict[tuple[str, str], Any] = {}
        self._broken: set[tuple[str, str]] = set()
        self._dim: set[str] = set()
        self._blocks: dict[tuple[str, int], tuple[BlockState, int]] = {}

    def take(self, event: RecordedEvent, place: Place) -> None:
        """Fold `event` into every projection that it concerns."""
        for projection, over in _concerned(event.stream, event.data.correlation_id):
            key = projection.name, over
            if key in self._broken:
                continue
            state = self._states[key] if key in self._states else projection.initial()
            try:
                self._states[key] = projection.evolve(state, event)
            except BREAKS as error:
                self._broken.add(key)
                why = f"{projection.name} breaks: {type(error).__name__}: {error}"
                self._findings.add(place, "projection", why, "every projection folds")
            if isinstance(state, Conversation):
                state.lines.clear()  # no fold reads them
        self._remember_block(event)
        if isinstance(event.data, ModelCallStarted):
            self._prompt(event, event.data, place)

    def lose(self, stream: str, correlation_id: str | None) -> None:
        """Fold no further what an event concerns that cannot be read."""
        self._broken.update((projection.name, over) for projection, over in _concerned(stream, correlation_id))
        self._dim.add(stream)

    def dim(self, stream: str) -> None:
        """Note that a text of `stream` is gone: what is made of it reads differently now."""
        self._dim.add(stream)

    def _remember_block(self, event: RecordedEvent) -> None:
        history = self._states.get((block_history.name, event.stream))
        if isinstance(history, BlockHistory):
            bare = replace(history.state, value="", changes=Growing())  # the values stand in the history
            self._blocks.setdefault((event.stream, history.state.version), (bare, len(history.values)))

    def _block(self, stream: str, version: int) -> BlockState:
        state, edits = self._blocks[stream, version]
        history: BlockHistory = self._states[block_history.name, stream]
        return replace(state, value=history.values.after(edits))

    def _prompt(self, event: RecordedEvent, started: ModelCallStarted, place: Place) -> None:
        state = self._states.get((agent_state.name, event.stream))
        if not isinstance(state, AgentState) or (agent_state.name, event.stream) in self._broken:
            self.untold += 1
            return
        if fault := unknown_layout(state, started):
            self._findings.add(place, "prompt", f"the call {fault}", "the layout that its agent was given")
            return
        try:
            blocks = self._shown(event.stream, state)
            made = None if blocks is None else fingerprint(state, blocks)
        except BREAKS as error:
            why = f"the prompt cannot be made again: {type(error).__name__}: {error}"
            self._findings.add(place, "prompt", why, started.prompt)
            return
        if made is None:
            self.untold += 1
        elif made != started.prompt:
            self._findings.add(place, "prompt", f"made again from the log it is {made}", started.prompt)
        else:
            self.prompts += 1

    def _shown(self, stream: str, state: AgentState) -> dict[tuple[str, int], Shown] | None:
        """Return the blocks in the prompt of `state`; None where a text of it is gone."""
        uses, items = state.reads, wanted(state)
        if stream in self._dim or any(uses[label].stream in self._dim for label, _ in items):
            return None
        return {
            (label, at): shown(
                self._block(uses[label].stream, at), label, me=stream, seen=None, read_only=uses[label].read_only
            )
            for label, at in items
        }


def _concerned(stream: str, correlation_id: str | None) -> Iterator[tuple[Projection[Any], str]]:
    """Yield the projections that an event concerns, each with what it is folded over."""
    for projection in OF_STREAM.get(stream.split("-", 1)[0], ()):
        yield projection, stream
    if correlation_id is not None:
        yield request_conversation, correlation_id
    for projection in OF_LOG:
        yield projection, ""
