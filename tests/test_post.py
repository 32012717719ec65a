"""Mail is listed and dropped: in Python, in a log that nobody has open, and through the owner of one; once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import pytest

from callboard import Agent, Answer, MemoryStore, RequestFailed, SQLiteStore, System
from callboard.actors import inbox, letters, post, settle
from callboard.actors.inbox import Drop
from callboard.events import AlreadyDecided, NewEvent, NotWaiting, Text, TextRefused
from callboard.events.catalog import AgentStarted, MessageDropped, MessageReceived, MessageSent, Part
from callboard.events.specs import AgentSpec
from callboard.projections import pending, replay
from callboard.scripts.main import main

from .gated import Gated, seen, types


@pytest.fixture
async def log(path: Path) -> Path:
    """A log in which `a` works on one message, and two wait; one of `b` is on its way to it."""
    model = Gated("a")
    async with System.open(path, model=model, grace=0) as system:
        a, _ = await system.start(Agent("a")), await system.start(Agent("b"))
        await a.tell("first", key="k1")
        await model.begun.wait()
        await a.tell("second", key="k2")
        await a.tell("third", key="k3", conversation="x", expires=1e9)
    sent = MessageSent(id="k4/b/1/1.1.1/a", recipient="agent-a", kind="ask", parts=(Part("b", Text("fourth")),))
    async with SQLiteStore.open(path) as store:
        await store.append("agent-b", [NewEvent(sent)], expected_version=1)
    return path


async def command(*words: object) -> int:
    return await anyio.to_thread.run_sync(main, ["mail", *map(str, words)])


def drop(letter: str, reason: str = "spam", by: str = "anna") -> Drop:
    return Drop(key="d", letter=letter, reason=reason, by=by)


async def dead(log: Path) -> list[tuple[str, str]]:
    async with SQLiteStore.open(log, mode="read") as store:
        return [(one.message.id, str(one.died.data.text)) for one in await letters.dead_letters(store)]  # type: ignore[attr-defined]


async def test_mail_is_listed_by_recipient_with_its_place_and_what_is_on_its_way(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("list", log) == 0
    shown = capsys.readouterr().out
    assert "k1/a" not in shown and "k2/a" in shown and "user in x: third (expires 20" in shown and "to a" in shown
    assert await command("list", log, "a", "--json") == 0
    second, third, fourth = json.loads(capsys.readouterr().out)["mail"]
    assert (second["id"], second["place"], second["state"], second["sender"]) == ("k2/a", 1, "waiting", "user")
    assert (third["place"], third["conversation"], third["expires"][:2]) == (2, "x", "20")
    assert (fourth["state"], fourth["place"], fourth["sender"]) == ("on_its_way", None, "b")
    assert await command("list", log, "b") == 0 and "no mail waits" in capsys.readouterr().out


async def test_a_message_is_dropped_in_a_log_that_nobody_has_open_and_put_back(log: Path) -> None:
    assert await command("drop", log, "k2/a", "k3/a", "--reason", "spam", "--by", "anna") == 0
    assert await dead(log) == [("k2/a", "dropped by anna: spam"), ("k3/a", "dropped by anna: spam")]
    assert await command("requeue", log, "k2/a") == 0
    async with System.open(log, model=Gated()) as system:
        await system.quiet()
        [again, *_] = (await letters.dead_letters(system.store))[0].requeued
        assert await system.store.find("agent-a", f"re:{again}") is not None
        assert (await system.store.find("agent-a", "re:k3/a")).type == "MessageDropped"  # type: ignore[union-attr]


async def test_the_owner_of_a_log_drops_for_another_process(log: Path) -> None:
    async with System.open(log, model=Gated("a"), grace=0) as system:
        words = ["drop", str(log), "k2/a", "--reason", "spam"]
        done = await anyio.run_process([sys.executable, "-m", "callboard.scripts.main", "mail", *words])
        assert b"dropped k2/a" in done.stdout
        assert [mail.id for mail in await system.mail("a") if mail.place == 1] == ["k3/a"]
    assert await dead(log) == [("k2/a", "dropped by user: spam")] and not list(inbox.folder_of(log).iterdir())


async def test_a_command_that_comes_twice_counts_once(log: Path) -> None:
    async with SQLiteStore.open(log) as store:
        assert [await settle.drop(store, drop("k2/a")) for _ in range(2)] == ["k2/a"] * 2
        dropped = [event.data async for event in store.read_all() if isinstance(event.data, MessageDropped)]
    assert [(one.id, one.by) for one in dropped] == [("k2/a", "anna")]
    async with System.open(log, model=Gated("a"), grace=0) as system:
        await post.drop(system, drop("k2/a"))
        file = inbox.put(log, drop("k2/a"))
        with anyio.fail_after(10):
            while file.exists():  # noqa: ASYNC110 - the owner removes it
                await anyio.sleep(0.01)
    assert len(await dead(log)) == 1


@pytest.mark.parametrize(
    ("letter", "why"),
    [
        ("k1/a", "is worked on already; `callboard people cancel LOG k1` ends its request"),
        ("k4/b/1/1.1.1/a", "is on its way to a still"),
        ("a", "names 3 messages that wait: k2/a, k3/a, k4/b/1/1.1.1/a; name one"),
        ("k9/a", "names no message that waits; `callboard mail list LOG`"),
    ],
)
async def test_what_does_not_wait_is_not_dropped_and_it_is_said_why(log: Path, letter: str, why: str) -> None:
    async with SQLiteStore.open(log) as store:
        with pytest.raises(NotWaiting) as error:
            await settle.drop(store, drop(letter))
    assert why in str(error.value) and not await dead(log)


async def test_another_word_about_what_was_dropped_is_refused_with_the_first(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SQLiteStore.open(log) as store:
        await settle.drop(store, drop("k2/a"))
        with pytest.raises(AlreadyDecided, match="dropped by anna: spam"):
            await settle.drop(store, drop("k2/a", by="ben"))
    assert await command("drop", log, "k2/a", "--reason", "boring") == 2
    assert "was decided before: dropped by anna: spam" in capsys.readouterr().err


@pytest.mark.parametrize(("reason", "by"), [("", "anna"), ("\0", "anna"), ("spam", " "), ("spam", "x" * 201)])
async def test_a_drop_without_a_reason_or_a_name_is_refused(log: Path, reason: str, by: str) -> None:
    async with SQLiteStore.open(log) as store:
        with pytest.raises(TextRefused):
            await settle.drop(store, drop("k2/a", reason, by))


async def test_whoever_asked_is_told_who_dropped_it_and_why() -> None:
    model, store = Gated("a"), MemoryStore()
    failed: list[RequestFailed] = []

    async def ask() -> None:
        try:
            await system["a"].ask("second", key="k2")
        except RequestFailed as error:
            failed.append(error)

    with anyio.fail_after(10):
        async with System.open(store, model=model) as system:
            await (await system.start(Agent("a"))).tell("first", key="k1")
            await model.begun.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await seen(store, "MessageReceived", 2)
                [mail] = await system.mail()
                await system.drop(mail, "not needed", by="anna")
            model.gate.set()
    assert failed[0].text == "dropped by anna: not needed"
    assert isinstance(failed[0].answer, Answer) and failed[0].answer.stop_reason == "dropped"
    assert await types(store, "k2/a") == ["MessageReceived", "MessageDropped"]


async def test_a_message_that_is_taken_up_meanwhile_is_not_dropped() -> None:
    store = MemoryStore()
    async with System.open(store, model=Gated()) as system:
        await (await system.start(Agent("a"))).ask("first", key="k1")
        with pytest.raises(NotWaiting, match="has ended: TurnFinished at agent-a@"):
            await post.recorded(store, "agent-a", post.Drop("k1/a", "user", "dropped by anna: spam", "anna"))


async def test_nothing_is_listed_that_was_answered_or_refused(path: Path) -> None:
    sent = MessageSent(id="k/b/1/1.1.1/a", recipient="agent-a", kind="ask")
    received = MessageReceived(id=sent.id, sender="agent-b", parts=(Part("b", Text("hi")),))
    async with SQLiteStore.open(path) as store:
        begin = [NewEvent(AgentStarted(spec=AgentSpec(name="b"))), NewEvent(sent)]
        await store.append("agent-b", begin, expected_version=0)
        begin = [NewEvent(AgentStarted(spec=AgentSpec(name="a"))), NewEvent(received)]
        await store.append("agent-a", begin, expected_version=0)
        found = await post.listed(store, await replay(store, pending), post.desks_in(store))
    assert [(mail.state, mail.place) for mail in found] == [("waiting", 1)]
