"""Edits by several agents against a plain string: none is lost, and none lands on text that has moved on."""

from __future__ import annotations

import json

import anyio
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from callboard.actors.commands import Receive
from callboard.actors.memory import decide
from callboard.events import MemoryStore, NewEvent, Text
from callboard.events.catalog import BlockEdited, BlockEditRefused, BlockStarted
from callboard.events.specs import BlockSpec
from callboard.projections import BlockState, block_history, block_state, replay
from callboard.projections.block import evolve

from .machines import Stage, run

WORDS = st.sampled_from(["a", "b", "ab", "aa", "one\ntwo", "c\n", "", "\n"])
AGENTS = st.sampled_from(["agent-a", "agent-b", "agent-c"])
LIMIT = 24


class Edits(Stage):
    """A block; `value` is what it should hold, and `changed` who set it to that, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.log, self.state, self.edits = MemoryStore(), BlockState(), 0
        self.value, self.seen = "a\nb", dict[str, int]()
        self.changed: list[tuple[int, str, str]] = []
        self.record(BlockStarted(spec=BlockSpec(name="p", label="p", value=Text(self.value), limit=LIMIT)))

    def record(self, event: BlockStarted | BlockEdited | BlockEditRefused) -> None:
        self.state = evolve(self.state, event)
        self.wait(self.log.append("block-p", [NewEvent(event)], expected_version=self.log.position - 1))

    def edit(self, agent: str, verb: str, wanted: str | None, seen: int | None = None, **arguments: object) -> None:
        """Ask for an edit that should make the value `wanted`, or be refused where that is None."""
        self.edits += 1
        said, seen = Text(json.dumps({"label": "p", **arguments})), seen or self.seen.get(agent, 1)
        event = decide(self.state, Receive(f"k/{self.edits}", agent, "edit", (), verb, said, seen))
        assert isinstance(event, BlockEdited | BlockEditRefused)
        self.record(event)
        if wanted is not None and len(wanted) > max(LIMIT, len(self.value)):
            wanted = None
        assert isinstance(event, BlockEditRefused) == (wanted is None), (self.value, wanted, event)
        if wanted is not None:
            self.value = wanted
            self.changed.append((self.log.position - 1, agent, wanted))

    @rule(agent=AGENTS)
    def look(self, agent: str) -> None:
        self.seen[agent] = self.state.version

    @rule(agent=AGENTS, text=WORDS)
    def append(self, agent: str, text: str) -> None:
        gap = "\n" if self.value and self.value[-1] != "\n" else ""
        self.edit(agent, "memory_append", self.value + gap + text, text=text)

    @rule(agent=AGENTS, old=WORDS.filter(bool), new=WORDS)
    def replace(self, agent: str, old: str, new: str) -> None:
        places = [n for n in range(len(self.value)) if self.value.startswith(old, n)]
        wanted = self.value[: places[0]] + new + self.value[places[0] + len(old) :] if len(places) == 1 else None
        self.edit(agent, "memory_replace", wanted, old=old, new=new)

    @rule(agent=AGENTS, line=st.integers(-1, 4), text=WORDS)
    def insert(self, agent: str, line: int, text: str) -> None:
        end = "\n" if self.value.endswith("\n") else ""
        lines = self.value.removesuffix("\n").split("\n") if self.value else []
        at = len(lines) if line == -1 else line
        wanted = None
        if at <= len(lines):
            wanted = "\n".join([*lines[:at], text, *lines[at:]]) + (end if at < len(lines) else "")
        self.edit(agent, "memory_insert", wanted, self.state.version, line=line, text=text)

    @rule(agent=AGENTS, text=WORDS)
    def rewrite(self, agent: str, text: str) -> None:
        since = self.seen.get(agent, 1)
        others = any(version > since and by != agent for version, by, _ in self.changed)
        self.edit(agent, "memory_rewrite", None if others else text, text=text)

    @invariant()
    def it_holds_what_was_edited(self) -> None:
        assert self.state.value == self.value

    def teardown(self) -> None:
        again = self.wait(replay(self.log, block_state, stream="block-p"))
        assert again == self.state
        history = self.wait(replay(self.log, block_history, stream="block-p"))
        landed = [(one.version, one.by, one.value) for one in history.versions[1:] if not one.refused]
        assert landed == self.changed
        assert len(history.versions) == self.edits + 1
        anyio.run(self._ends_as_it_was)

    async def _ends_as_it_was(self) -> None:
        for version, _, value in self.changed:
            events = self.log.read_stream("block-p", until=version)
            state = BlockState()
            async for event in events:
                state = evolve(state, event.data)
            assert state.value == value


def test_every_edit_that_lands_is_in_the_value_and_in_the_history(big: bool) -> None:
    run(Edits, examples=3_000 if big else 60)
