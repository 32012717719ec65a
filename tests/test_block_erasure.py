"""A block of which texts were erased: what was written around them stays where it stood."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callboard import Block, MemoryStore, System
from callboard.actors.testing import ScriptedModel
from callboard.events import Text
from callboard.events.catalog import BlockEdited
from callboard.events.text import ERASED
from callboard.projections import block_state, replay
from callboard.projections.block import spliced

WORDS = st.text("abc\n", min_size=1, max_size=12)


async def test_what_was_added_after_an_erased_text_stays_after_it() -> None:
    store = MemoryStore()
    async with System.open(store, model=ScriptedModel({})) as system:
        await system.start(Block("plan", "head"))
        plan = system.block("plan")
        await plan.append("my card is 1234 5678 9012")
        await plan.append("tail")
        await plan.replace("tail", "TAIL")
        [secret] = [e.position async for e in store.read_all() if "1234" in str(getattr(e.data, "put", ""))]
        await system.redact([secret], reason="a card")
        assert await plan.value() == f"head\n{ERASED.ljust(25)}\nTAIL"
        await plan.append("end")
    value = (await replay(store, block_state, stream="block-plan")).value
    assert value == f"head\n{ERASED.ljust(25)}\nTAIL\nend"


@st.composite
def lives(draw: st.DrawFn) -> tuple[str, list[BlockEdited], set[int]]:
    """Return a first value, edits of it, and the numbers of those that are erased; 0 is the first value."""
    first = draw(WORDS)
    size, edits = len(first), list[BlockEdited]()
    for n in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, size))
        cut, put = draw(st.integers(0, size - at)), draw(WORDS)
        size += len(put) - cut
        more = {"to": "user", "verb": "memory_replace", "limit": 500}
        edits.append(
            BlockEdited.model_validate({"id": f"k{n}/b", "at": at, "cut": cut, "put": put, "size": size, **more})
        )
    return first, edits, draw(st.sets(st.integers(1, len(edits))))


@given(lives())
def test_every_text_that_was_not_erased_stands_where_it_stood(life: tuple[str, list[BlockEdited], set[int]]) -> None:
    first, edits, erased = life
    true = [(char, 0) for char in first]
    value = first
    for n, edit in enumerate(edits, start=1):
        true[edit.at : edit.at + edit.cut] = [(char, n) for char in edit.put]
        value = spliced(value, edit.model_copy(update={"put": Text(ERASED)}) if n in erased else edit)
        assert len(value) == edit.size
    assert all(value[n] == char for n, (char, of) in enumerate(true) if of not in erased)


@given(WORDS, WORDS)
def test_an_erased_first_value_has_the_room_that_the_first_edit_tells(first: str, added: str) -> None:
    more = {"to": "user", "verb": "memory_append", "limit": 500, "size": len(first) + len(added)}
    edit = BlockEdited.model_validate({"id": "k/b", "at": len(first), "put": added, **more})
    assert spliced(ERASED, edit) == f"{ERASED[: len(first)].ljust(len(first))}{added}"
