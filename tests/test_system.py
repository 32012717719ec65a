"""The asyncio face: start, ask, tell, stream, cancel, and what happens when it ends."""

import threading
from asyncio import gather
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from callboard import (
    Agent,
    Answer,
    Block,
    Group,
    MemoryStore,
    ModelReply,
    RecordedEvent,
    RequestFailed,
    RoundRobin,
    SQLiteStore,
    System,
    TextDelta,
    Turn,
    replay,
)
from callboard.actors.testing import ScriptedModel, calls, words_in
from callboard.events import KeyReused, ModelError, NoSuchActor, SpecError, TextRefused
from callboard.events.catalog import AgentChanged, ModelCallFinished, TurnFinished, Usage
from callboard.projections import agent_state, block_state, group_state
from callboard.projections.prompt import MARKS

WRITER = Agent("writer", "You write one short paragraph.")
CRITIC = Agent("critic", "You name the weakest sentence, and why.")


async def types(store: MemoryStore) -> list[str]:
    return [event.type async for event in store.read_all()]


async def test_an_agent_answers() -> None:
    model = ScriptedModel({"writer": [ModelReply("Tides rise.", usage=Usage(input_tokens=9, output_tokens=3))]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(WRITER)
        answer = await writer.ask("Write about tides.", key="k")
    usage = Usage(input_tokens=9, output_tokens=3)
    assert answer == Answer("Tides rise.", "end", (Turn("writer", "Tides rise."),), usage, "k")


async def test_a_group_answers_with_every_turn() -> None:
    model = ScriptedModel({"writer": ["One.", "Two."], "critic": ["Weak."]})
    async with System.open(MemoryStore(), model=model) as system:
        essay = await system.start(Group("essay", [WRITER, CRITIC], RoundRobin(max_turns=3)))
        answer = await essay.ask("Go.")
    assert [(turn.speaker, turn.text) for turn in answer.turns] == [
        ("writer", "One."),
        ("critic", "Weak."),
        ("writer", "Two."),
    ]
    assert (answer.text, answer.stop_reason) == ("Two.", "max_turns")
    model.assert_finished()


async def test_what_an_agent_reads_names_every_speaker() -> None:
    model = ScriptedModel({"writer": ["One."], "critic": ["Weak."]})
    async with System.open(MemoryStore(), model=model) as system:
        essay = await system.start(Group("essay", [WRITER, CRITIC]))
        await essay.ask("Go.")
    said = [(message["role"], words_in(message)) for message in model.requests[1].messages]
    assert said == [
        ("system", f"You name the weakest sentence, and why.\n\n{MARKS}"),
        ("user", "user (essay): Go."),
        ("user", "writer (essay): One."),
    ]


async def test_the_same_key_gives_the_same_answer_and_another_text_is_refused() -> None:
    model = ScriptedModel({"writer": ["One."]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(WRITER)
        first = await writer.ask("Go.", key="k")
        assert await writer.ask("Go.", key="k") == first
        with pytest.raises(KeyReused):
            await writer.ask("Stop.", key="k")


async def test_who_is_started_twice_in_the_same_instant_is_what_was_said_last() -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        for first, second in (("One.", "Two."), ("Three.", "Four.")):
            await gather(*(system.start(Agent("a", text)) for text in (first, second, second)))
            assert (await system.look("agent-a")).spec.instructions == second
        changes = [event.type async for event in system.store.read_stream("agent-a")]
        assert changes == ["AgentStarted", *["AgentChanged"] * 3]


async def test_two_who_ask_something_else_under_one_key_at_once_do_not_hear_one_answer() -> None:
    model = ScriptedModel({"writer": ["One."]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(WRITER)
        answer, refused = await gather(writer.ask("Go.", key="k"), writer.ask("Stop.", key="k"), return_exceptions=True)
        assert isinstance(refused, KeyReused) and answer == await writer.ask("Go.", key="k")


async def test_two_who_ask_under_one_key_at_once_hear_one_answer() -> None:
    model = ScriptedModel({"writer": ["One."]})
    answers: list[Answer] = []
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(WRITER)

        async def ask() -> None:
            answers.append(await writer.ask("Go.", key="k"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
    assert answers[0] == answers[1] and len(model.requests) == 1


async def test_a_tell_is_worked_on_and_answered_to_nobody() -> None:
    store, model = MemoryStore(), ScriptedModel({"writer": ["Noted."]})
    async with System.open(store, model=model) as system:
        writer = await system.start(WRITER)
        assert await writer.tell("Remember this.", key="t") == "t"
        await system.quiet()
    finished = [e.data async for e in store.read_all() if isinstance(e.data, TurnFinished)]
    assert [event.to for event in finished] == [""]
    assert model.requests[0].messages[-1]["content"] == "user (no reply is awaited): Remember this."


async def test_a_request_can_be_followed_event_by_event_and_piece_by_piece() -> None:
    model = ScriptedModel({"writer": ["abcdef"]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(WRITER)
        async with writer.stream("Go.") as run:
            items = [item async for item in run]
            answer = await run.answer()
    assert "".join(item.text for item in items if isinstance(item, TextDelta)) == answer.text == "abcdef"
    names = [item.type for item in items if isinstance(item, RecordedEvent)]
    assert names[0] == "MessageReceived" and names[-1] == "TurnFinished"


async def test_following_a_request_that_fails_raises_at_its_end() -> None:
    model = ScriptedModel({"writer": [ModelError("wrong key", kind="auth")]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(WRITER)
        seen: list[object] = []
        with pytest.raises(RequestFailed, match="wrong key"):
            async with writer.stream("Go.") as run:
                async for item in run:
                    seen.append(item)
        assert seen


async def test_following_an_answered_request_ends_at_once() -> None:
    model = ScriptedModel({"writer": ["One."]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(WRITER)
        await writer.ask("Go.", key="k")
        async with writer.stream("Go.", key="k") as run:
            assert [item async for item in run] == []
            assert (await run.answer()).text == "One."


async def test_a_model_that_fails_ends_as_a_failed_request_with_what_there_is() -> None:
    model = ScriptedModel({"writer": ["One."], "critic": [ModelError("no credit", kind="quota")]})
    async with System.open(MemoryStore(), model=model) as system:
        essay = await system.start(Group("essay", [WRITER, CRITIC]))
        answer = await essay.ask("Go.")
        assert answer.turns[1] == Turn("critic", "", "no credit")
        critic = system["critic"]
        with pytest.raises(RequestFailed) as failed:
            await critic.ask("Go.")
    assert isinstance(failed.value.answer, Answer) and failed.value.answer.stop_reason == "failed"


async def test_a_bug_in_a_model_is_a_recorded_failure() -> None:
    model = ScriptedModel({"writer": [ZeroDivisionError("by nothing")]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(WRITER)
        with pytest.raises(RequestFailed, match="ZeroDivisionError: by nothing"):
            await writer.ask("Go.")


async def test_a_plain_function_is_a_tool_and_runs_in_a_thread() -> None:
    threads: list[object] = []

    def count(text: str, times: int = 1) -> int:
        """Count words."""
        threads.append(threading.current_thread())
        return len(text.split()) * times

    model = ScriptedModel({"writer": [[("count", {"text": "a b"}), ("count", {"times": "x"})], "Counted."]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(Agent("writer", tools=[count]))
        await writer.ask("Go.")
    results = [words_in(message) for message in model.requests[1].messages if message["role"] == "tool"]
    assert "2" in results and threads != [threading.main_thread()]
    assert any("text: Field required; times: Input should be a valid integer" in str(result) for result in results)


async def test_a_timed_out_ask_stops_waiting_and_the_request_goes_on() -> None:
    store, free = MemoryStore(), anyio.Event()

    class Slow:
        async def complete(self, request: object, say: object) -> ModelReply:
            await free.wait()
            return ModelReply("late")

    async with System.open(store, model=Slow()) as system:
        writer = await system.start(WRITER)
        with pytest.raises(TimeoutError):
            await writer.ask("Go.", key="k", timeout=0.01)
        free.set()
        assert (await writer.ask("Go.", key="k")).text == "late"


async def test_a_cancelled_request_ends_and_says_so() -> None:
    class Never:
        async def complete(self, request: object, say: object) -> ModelReply:
            await anyio.sleep_forever()
            raise AssertionError

    async with System.open(MemoryStore(), model=Never(), grace=0) as system:
        writer = await system.start(WRITER)
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(RequestFailed, match="cancelled") as failed:
                    await writer.ask("Go.", key="k")
                assert isinstance(failed.value.answer, Answer) and failed.value.answer.stop_reason == "cancelled"

            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await writer.cancel("k")


async def test_a_start_twice_is_once_and_a_change_is_recorded() -> None:
    store = MemoryStore()
    async with System.open(store, model=ScriptedModel({})) as system:
        for instructions in ("a", "a", "b"):
            await system.start(Agent("writer", instructions))
    assert await types(store) == ["LogCreated", "AgentStarted", "AgentChanged"]


async def test_a_change_holds_from_the_next_model_call() -> None:
    store, model = MemoryStore(), ScriptedModel({"writer": ["One.", "Two."]})
    async with System.open(store, model=model) as system:
        writer = await system.start(Agent("writer", "Old."))
        await writer.ask("Go.")
        await system.start(Agent("writer", "New."))
        await writer.ask("On.")
    assert [request.messages[0]["content"] for request in model.requests] == [f"Old.\n\n{MARKS}", f"New.\n\n{MARKS}"]
    assert any(isinstance(event.data, AgentChanged) for event in [e async for e in store.read_all()])


async def test_a_first_value_never_overwrites_what_was_edited() -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        await system.start(Agent("writer", blocks=[Block("plan", "first")]))
        await system.block("plan").append("second")
        await system.start(Agent("writer", blocks=[Block("plan", "other", limit=9_000)]))
        assert await system.block("plan").value() == "first\nsecond"


async def test_names_are_one_space_and_patterns_keep_their_kind() -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        await system.start(Group("essay", [WRITER]))
        with pytest.raises(SpecError, match="'essay' is the name of 'group essay'"):
            await system.start(Agent("essay"))


async def test_persona_and_human_are_blocks_of_ones_own() -> None:
    model = ScriptedModel({"writer": [[("memory_append", {"label": "human", "text": "Likes tides."})], "Noted."]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(Agent("writer", "Write.", persona="I am dry.", human="Name: Ada."))
        await writer.ask("I like tides.")
        assert await system.block("writer.human").value() == "Name: Ada.\nLikes tides."
    system_text = words_in(model.requests[0].messages[0])
    assert system_text.index("I am dry.") < system_text.index("Name: Ada.")


async def test_an_edit_by_others_during_a_turn_is_told_at_the_end_and_the_prefix_stays() -> None:
    release = anyio.Event()

    async def wait() -> str:
        """Wait."""
        await release.wait()
        return "waited"

    plan = Block("plan", "<old>")
    model = ScriptedModel({"writer": [[("wait", {})], "Done.", "Again."]})
    async with System.open(MemoryStore(), model=model) as system:
        writer = await system.start(Agent("writer", "Write.", blocks=[plan], tools=[wait]))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.ask, "Go.")
            while not model.requests:
                await anyio.lowlevel.checkpoint()
            await system.block("plan").rewrite("new & better")
            release.set()
        await writer.ask("On.")
    first, second, third = (request.messages for request in model.requests)
    assert list(second[: len(first)]) == list(first)
    assert "changed meanwhile" in words_in(second[-1]) and "new &amp; better" in words_in(second[-1])
    assert "&lt;old&gt;" in words_in(second[0]) and "new &amp; better" in words_in(third[0])
    assert not any("meanwhile" in words_in(message) for message in third)


@pytest.mark.parametrize("text", ["", " \n", "a\0b", "\ud800", "x" * (16 * 2**20 + 1), None, 5])
async def test_a_message_that_cannot_be_taken_in_changes_nothing(text: str) -> None:
    store = MemoryStore()
    async with System.open(store, model=ScriptedModel({})) as system:
        writer = await system.start(WRITER)
        with pytest.raises(TextRefused):
            await writer.ask(text)
    assert await types(store) == ["LogCreated", "AgentStarted"]


@pytest.mark.parametrize("key", ["", "a/b", "x" * 201, "a\0"])
async def test_a_key_that_cannot_be_is_refused(key: str) -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        writer = await system.start(WRITER)
        with pytest.raises(TextRefused):
            await writer.ask("Go.", key=key)


async def test_nobody_of_that_name_says_who_there_is() -> None:
    async with System.open(MemoryStore(), model=ScriptedModel({})) as system:
        await system.start(WRITER)
        with pytest.raises(NoSuchActor, match="there are writer"):
            system["wrietr"]


async def test_ten_megabytes_pass_through_a_team() -> None:
    text = "tide " * 2_000_000
    model = ScriptedModel(
        {"writer": [lambda request: words_in(request.messages[-1])[-len(text) :]], "critic": ["Long."]}
    )
    store = MemoryStore()
    async with System.open(store, model=model) as system:
        essay = await system.start(Group("essay", [replace(one, window=9_000_000) for one in (WRITER, CRITIC)]))
        answer = await essay.ask(text)
    assert answer.turns[0].text == text
    assert sum(len(row.content or "") for row in store.rows) < 2.1 * len(text)


async def test_what_a_model_cannot_say_is_replaced_and_flagged() -> None:
    store = MemoryStore()
    bad = [("note", '{"text": "a\\ud800b"}'), ("no\0te", "{}")]
    model = ScriptedModel({"writer": [ModelReply("x\0\ud800", bad), "Done."]})
    async with System.open(store, model=model) as system:
        await (await system.start(WRITER)).ask("Go.")
    replies = [e.data async for e in store.read_all() if isinstance(e.data, ModelCallFinished)]
    assert (replies[0].text, replies[0].replaced) == ("x\ufffd\ufffd", 4)
    assert replies[0].uses[0].arguments == '{"text":"a\ufffdb"}'


async def test_state_folded_live_and_in_replay_is_equal(path: Path) -> None:
    plan = Block("plan", "Nothing decided yet.")
    edit = calls(("memory_append", {"label": "plan", "text": "Tides."}), ("nope", {}))
    model = ScriptedModel({"writer": [edit, "One."], "critic": ["Weak."]})
    async with System.open(path, model=model) as system:
        group = Group("essay", [Agent("writer", blocks=[plan]), Agent("critic", blocks=[plan.read_only()])])
        await (await system.start(group)).ask("Go.")
        streams = {
            "agent-writer": agent_state,
            "agent-critic": agent_state,
            "group-essay": group_state,
            "block-plan": block_state,
        }
        live = {stream: await system.look(stream) for stream in streams}
    async with SQLiteStore.open(path, mode="read") as store:
        for stream, projection in streams.items():
            assert await replay(store, projection, stream=stream) == live[stream]  # type: ignore[reportArgumentType]


async def test_an_error_in_the_body_waits_for_nothing_and_comes_out_as_it_is() -> None:
    class Never:
        async def complete(self, request: object, say: object) -> ModelReply:
            await anyio.sleep_forever()
            raise AssertionError

    with anyio.fail_after(5), pytest.raises(ZeroDivisionError):
        async with System.open(MemoryStore(), model=Never()) as system:
            await (await system.start(WRITER)).tell("Go.")
            raise ZeroDivisionError


async def test_leaving_waits_for_what_goes_on() -> None:
    store, model = MemoryStore(), ScriptedModel({"writer": ["Noted."]})
    async with System.open(store, model=model) as system:
        await (await system.start(WRITER)).tell("Go.")
    assert (await types(store))[-1] == "TurnFinished"
