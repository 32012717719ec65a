"""A text and the place where it was said first."""

from callboard import MemoryStore
from callboard.events import NewEvent, Text
from callboard.events.catalog import SendAnswered

EMPTY = Text()


async def test_an_empty_text_that_events_of_two_logs_share_is_read_from_each() -> None:
    for stream in ("group-first", "group-second"):
        store = MemoryStore()
        await store.append(stream, [NewEvent(SendAnswered(id="k/g/1/a", text=EMPTY))], expected_version=0)
        read = [event.data async for event in store.read_stream(stream)]
        assert read == [SendAnswered(id="k/g/1/a", text=Text(""))]
    assert EMPTY.ref is None
