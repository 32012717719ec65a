"""What one agent shares of its archive with another: checklist 9.4, "Share memories"."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from callboard import Agent, Hit, MemoryStore, System
from callboard.actors.testing import ScriptedModel, calls
from callboard.events.catalog import MessageSent, RecipientsChosen

from .test_storing import Kept

pytestmark = pytest.mark.anyio


def hit(number: int, text: str, tags: tuple[str, ...] = ()) -> Hit:
    """Return a passage as a search finds it."""
    at = datetime(2026, 3, 4, tzinfo=UTC)
    return Hit("archive-ann", "passage", "", "ann", text, at, 9, "archive-ann", 2, number, tags, 1.0, "")


@dataclass
class Finding:
    """A search that always finds the same, and notes what it was asked."""

    hits: Sequence[Hit]
    asked: list[tuple[str, tuple[str, ...], int]] = field(default_factory=list[tuple[str, tuple[str, ...], int]])

    async def search(
        self, query: str, *, owners: Collection[str], kinds: Collection[Any], limit: int = 10, **more: object
    ) -> Sequence[Hit]:
        self.asked.append((query, tuple(owners), limit))
        return self.hits[:limit]


async def shared(hits: Sequence[Hit], use: dict[str, object]) -> tuple[Kept, Finding]:
    kept, index = Kept(MemoryStore()), Finding(hits)
    model = ScriptedModel({"ann": [calls(("share_memories", use)), "ok"], "bob": ["thanks"]})
    async with System.open(kept.store, model=model) as system:
        system.index = index  # type: ignore[assignment]
        await system.start(Agent("bob"))
        ann = await system.start(Agent("ann", tools=["share_memories"]))
        await ann.ask("share")
        await system.quiet()
    return kept, index


HITS = [hit(3, "Sings in a choir.\nAlto.", ("music", "ann")), hit(7, "Moved in May.")]
SAID = (
    "Memories of ann about 'choir', from the archive ann:\n"
    "- p3 (2026-03-04; music, ann): Sings in a choir.\n  Alto.\n- p7 (2026-03-04): Moved in May."
)


async def test_what_is_found_is_recorded_and_told_to_the_other_with_where_it_comes_from() -> None:
    kept, index = await shared(HITS, {"query": "choir", "to": "bob"})
    assert index.asked == [("choir", ("archive-ann",), 5)]
    [chosen] = await kept.all(RecipientsChosen)
    [sent] = [one for one in await kept.all(MessageSent) if one.recipient == "agent-bob"]
    assert chosen.text == sent.parts[0].text == SAID and sent.parts[0].text.ref == chosen.text.ref
    assert (sent.kind, sent.parts[0].speaker) == ("tell", "ann")
    assert await kept.told("share_memories") == ["bob was sent p3, p7: delivered; it cannot be lost any more"]


async def test_where_nothing_is_found_nothing_is_sent() -> None:
    kept, _ = await shared([], {"query": "choir", "to": "bob"})
    assert await kept.told("share_memories") == ["nothing in your archive fits 'choir'; nothing was sent"]
    assert not await kept.all(RecipientsChosen) and not [
        one for one in await kept.all(MessageSent) if one.kind == "tell"
    ]


@pytest.mark.parametrize(
    ("use", "why"),
    [
        ({"query": "choir", "to": "zoe"}, "zoe"),
        ({"query": "choir", "to": "ann"}, "that is yourself"),
        ({"query": "", "to": "bob"}, "bad arguments: query"),
        ({"query": "choir", "to": "bob", "limit": 0}, "bad arguments: limit"),
        ({"query": "choir", "to": "bob", "limit": 51}, "bad arguments: limit"),
        ({"query": "choir"}, "bad arguments: to"),
    ],
)
async def test_what_cannot_be_shared_is_said(use: dict[str, object], why: str) -> None:
    kept, index = await shared(HITS, use)
    assert why in (await kept.told("share_memories"))[0] and not index.asked


async def test_as_many_are_shared_as_are_asked_for() -> None:
    kept, index = await shared(HITS, {"query": "choir", "to": "bob", "limit": 1})
    assert index.asked[0][2] == 1 and (await kept.told("share_memories"))[0].startswith("bob was sent p3: ")


async def test_a_query_that_is_too_long_is_told_to_the_model_and_the_agent_goes_on() -> None:
    kept = Kept(MemoryStore())
    model = ScriptedModel({"ann": [calls(("share_memories", {"query": "x" * 10_001, "to": "bob"})), "ok"]})
    async with System.open(kept.store, model=model) as system:
        await system.start(Agent("bob"))
        ann = await system.start(Agent("ann", tools=["share_memories"]))
        with anyio.fail_after(10):
            assert (await ann.ask("share")).text == "ok"
    [told] = await kept.told("share_memories")
    assert "the query has 10,001 characters, 10,000 are the most" in told and told.endswith("nothing was sent")
