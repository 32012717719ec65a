"""Boards of tasks. Of Letta's checklist 9.4: team_tasks, the task queue, workers that log progress in shared memory."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from callboard import Agent, Block, Board, Group, MemoryStore, RequestFailed, RoundRobin, System, Task, TaskBoard
from callboard.actors.commands import Receive
from callboard.actors.memory import decide
from callboard.actors.team import load_team
from callboard.actors.testing import ScriptedModel, calls
from callboard.events import SpecError, Text
from callboard.events.catalog import BlockEdited, BlockEditRefused, BlockStarted
from callboard.events.errors import TeamFileError
from callboard.projections import BlockState, replay
from callboard.projections.block import evolve
from callboard.projections.board import board_history, deadline

from .board_scenarios import BOARDS
from .harness import run
from .homes import home
from .test_structured import Facts

MISSION = """{"active_tasks": [
  {"id": "task-001", "description": "Analyze quarterly sales data", "assigned_to": "worker_1", "status": "in_progress", "due_date": "2025-04-15"},
  {"id": "task-002", "description": "Create summary report", "assigned_to": "worker_2", "status": "pending", "due_date": "2025-04-20"},
  {"id": "task-003", "description": "Prepare presentation slides", "assigned_to": "worker_3", "status": "not_started", "due_date": "2025-04-25"}],
 "team_notes": "Focus on highlighting Q1 growth trends in the eastern region", "last_updated": "2025-04-09T08:00:00Z"}"""  # noqa: E501

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TASK_TOOLS = ["task_add", "task_claim", "task_update", "task_complete"]


def board(value: str | dict[str, object] = "") -> BlockState:
    return evolve(BlockState(), BlockStarted(spec=Board("tasks", value).spec()))


def ask(verb: str, *, by: str = "a", **fields: JsonValue) -> Receive:
    written = Text(json.dumps({"label": "tasks", **fields}), ("agent-a", 1, 0))
    return Receive("k/1", f"agent-{by}", "edit", edit=verb, arguments=written, seen=1)


def after(state: BlockState, *requests: Receive) -> BlockState:
    for request in requests:
        event = decide(state, request, NOW)
        assert isinstance(event, BlockEdited), event
        state = evolve(state, event)
        TaskBoard.model_validate_json(state.value)
    return state


def answer(state: BlockState, request: Receive) -> str:
    """Return what whoever asks is told, and check that a refusal changes nothing."""
    event = decide(state, request, NOW)
    assert isinstance(event, BlockEdited | BlockEditRefused)
    assert isinstance(event, BlockEdited) or evolve(state, event).value == state.value
    return event.words


def tasks(state: BlockState) -> dict[str, Task]:
    return {task.id: task for task in TaskBoard.model_validate_json(state.value).active_tasks}


# -- what stands on it --------------------------------------------------------------------------------


def test_the_json_of_the_mission_loads_as_it_is() -> None:
    state = board(MISSION)
    assert json.loads(state.value) == json.loads(MISSION)
    assert [line.strip()[:17] for line in state.value.splitlines()[2:5]] == [f'{{"id": "task-00{n}"' for n in "123"]
    found = TaskBoard.model_validate_json(state.value)
    assert found.active_tasks[1] == Task(
        id="task-002", description="Create summary report", assigned_to="worker_2", status="pending",
        due_date=date(2025, 4, 20),
    )  # fmt: skip
    assert found.last_updated == datetime(2025, 4, 9, 8, tzinfo=UTC)
    assert Board(value=json.loads(MISSION)) == Board(value=found) == Board("tasks", MISSION)


def one(**fields: object) -> dict[str, object]:
    return {"active_tasks": [{"id": "t1", "description": "x", **fields}]}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("[]", "$: Input should be a valid dictionary"),
        ("{}", "$.active_tasks: Field required"),
        (one(status="done"), "$.active_tasks[0].status: Input should be 'not_started', 'pending', 'in_progress'"),
        (one(due_date="soon"), "$.active_tasks[0].due_date: 'soon' is no date; 2025-04-15 or"),
        (one(due_date="2025-02-30"), "'2025-02-30' is no date"),
        (one(due_date=20250415), "20250415 is no date"),
        (one(id=""), "$.active_tasks[0].id: '' is no id; one line of 1 to 100 characters"),
        (one(id="a\nb"), "'a\\nb' is no id"),
        (one(id="x" * 101), "is no id"),
        (one(id=1), "$.active_tasks[0].id: Input should be a valid string"),
        ({"active_tasks": [*one()["active_tasks"]] * 2}, "$.active_tasks: 't1' stands there more than once"),  # type: ignore[misc]
        ({**one(), "last_updated": "never"}, "$.last_updated: 'never' is no date"),
        ({"active_tasks": [float("nan")]}, "is no JSON"),
        ({"active_tasks": object()}, "is no JSON"),
    ],
)
def test_what_is_no_board_cannot_be_declared(value: str | dict[str, object], why: str) -> None:
    with pytest.raises(SpecError) as raised:
        Board("tasks", value)
    assert why in str(raised.value)


def test_other_fields_are_kept_and_what_may_be_left_out_may_be_null() -> None:
    state = board({**one(assigned_to=None, notes=None, due_date="", rank=3), "project": {"x": 1}})
    state = after(state, ask("task_update", id="t1", notes="begun"))
    assert json.loads(state.value)["project"] == {"x": 1}
    task = json.loads(state.value)["active_tasks"][0]
    assert (task["rank"], task["assigned_to"], task["due_date"], task["notes"]) == (3, None, "", "begun")


def test_a_day_ends_with_its_end_and_a_time_without_a_zone_is_in_utc() -> None:
    assert deadline(date(2025, 4, 15)) == datetime(2025, 4, 15, 23, 59, 59, 999999, UTC)
    assert deadline(datetime(2025, 4, 15, 9)) == datetime(2025, 4, 15, 9, tzinfo=UTC)
    assert deadline(None) is None
    assert Task(id="t", description="x", status="cancelled", due_date=date(2025, 4, 15)).due is None


# -- edits --------------------------------------------------------------------------------------------


def test_a_task_is_added_claimed_worked_on_and_completed() -> None:
    state = after(board(), ask("task_add", description="Map the coast", due_date="2026-02-01"))
    state = after(state, ask("task_claim"), ask("task_update", id="task-001", notes="half done\nand wet"))
    state = after(state, ask("task_complete", id="task-001", result="a map"))
    assert tasks(state)["task-001"] == Task(
        id="task-001", description="Map the coast", assigned_to="a", status="completed", due_date=date(2026, 2, 1),
        notes="half done\nand wet\na map",
    )  # fmt: skip
    assert "last_updated" not in json.loads(state.value)


def test_ids_are_numbered_on_and_unique() -> None:
    state = after(board(MISSION), ask("task_add", description="x"), ask("task_add", description="y", id="z"))
    assert list(tasks(state)) == ["task-001", "task-002", "task-003", "task-004", "z"]
    assert "there is a task 'z' already" in answer(state, ask("task_add", description="y", id="z"))
    assert "'a\\nb' is no id" in answer(state, ask("task_add", description="y", id="a\nb"))
    state = after(state, ask("task_add", description="quoted", id='"q"'), ask("task_complete", id='"q"'))
    assert tasks(state)['"q"'].status == "completed"


def test_a_claim_is_of_one_alone_and_says_who_has_it() -> None:
    state = board(MISSION)
    assert "worker_1 has task-001 (in_progress); claim another" in answer(state, ask("task_claim", id="task-001"))
    assert "no task that nobody has; yours: task-002" in answer(state, ask("task_claim", by="worker_2"))
    state = after(state, ask("task_claim", by="worker_2", id="task-002"))
    assert tasks(state)["task-002"].status == "in_progress"
    again = answer(state, ask("task_claim", by="worker_2", id="task-002"))
    assert again == "refused: task-002 is yours already (in_progress); go on with it"
    state = after(state, ask("task_complete", id="task-003"))
    assert "task-003 is completed" in answer(state, ask("task_claim", by="worker_3", id="task-003"))
    assert "there is no 'task-9'; there are: task-001, task-002" in answer(state, ask("task_claim", id="task-9"))


def test_the_answer_to_a_claim_says_which_task_it_is() -> None:
    state = board({"active_tasks": [{"id": "t1", "description": "Sound\nthe bay"}]})
    assert answer(state, ask("task_claim")).startswith("done: t1 is yours: Sound\nthe bay; the block holds ")


def test_a_task_is_given_back_given_on_and_not_taken_away_by_an_update() -> None:
    state = board(MISSION)
    why = answer(state, ask("task_update", id="task-001", assigned_to="a"))
    assert "worker_1 has task-001; it is not yours to take" in why
    state = after(state, ask("task_update", by="worker_1", id="task-001", assigned_to="nobody"))
    assert (tasks(state)["task-001"].assigned_to, tasks(state)["task-001"].status) == ("", "pending")
    state = after(state, ask("task_claim"), ask("task_update", by="boss", id="task-001", assigned_to="worker_3"))
    assert tasks(state)["task-001"].assigned_to == "worker_3"


@pytest.mark.parametrize(
    ("verb", "fields", "why"),
    [
        ("task_update", {"id": "task-001"}, "nothing is said that shall change; give a status"),
        ("task_update", {"id": "task-001", "status": "done"}, "status: Input should be 'not_started'"),
        ("task_update", {"id": "task-001", "due_date": "tomorrow"}, "'tomorrow' is no date"),
        ("task_update", {"id": "task-001", "status": "in_progress"}, "that would change nothing"),
        ("task_update", {"id": "x", "notes": "y"}, "there is no 'x'; there are: task-001, task-002, task-003"),
        ("task_add", {"description": ""}, "description: String should have at least 1"),
        ("task_add", {"description": "x", "due_date": "2025-13-01"}, "'2025-13-01' is no date"),
        ("task_complete", {"id": ""}, "id: String should have at least 1"),
        ("memory_append", {"text": "x"}, f"not for a block that holds a board of tasks; use {', '.join(TASK_TOOLS)}"),
        ("memory_item_add", {"item": 1}, "not for a block that holds a board of tasks"),
        ("memory_replace", {"old": "task-002", "new": "task-001"}, "$.active_tasks: 'task-001' stands there more than"),
        ("memory_rewrite", {"text": "[]"}, "the block would not fit a board of tasks: $: "),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(verb: str, fields: dict[str, Any], why: str) -> None:
    assert why in answer(board(MISSION), ask(verb, **fields))


def test_completing_twice_is_refused_and_a_date_can_be_taken_away() -> None:
    state = after(
        board(MISSION), ask("task_complete", id="task-001"), ask("task_update", id="task-002", due_date="none")
    )
    assert "task-001 is completed already" in answer(state, ask("task_complete", id="task-001"))
    assert tasks(state)["task-002"].due_date is None


def test_a_board_says_when_it_changed_where_it_has_a_place_for_that() -> None:
    state = after(board(MISSION), ask("task_claim", by="worker_2", id="task-002"))
    assert json.loads(state.value)["last_updated"] == "2026-01-01T12:00:00Z"
    event = decide(state, ask("task_update", id="task-001", status="in_progress"), NOW + timedelta(days=1))
    assert isinstance(event, BlockEditRefused) and "change nothing" in event.text


def test_tasks_are_no_items_of_a_text() -> None:
    plan = evolve(BlockState(), BlockStarted(spec=Block("tasks", "x").spec()))
    assert "task_claim is not for a block that holds plain text; use memory_append" in answer(plan, ask("task_claim"))


def test_a_board_that_was_erased_is_mended_by_a_rewrite() -> None:
    spec = Board("tasks").spec().model_copy(update={"value": Text("[erased]")})
    state = evolve(BlockState(), BlockStarted(spec=spec))
    assert "the block holds no JSON" in answer(state, ask("task_claim"))
    assert tasks(after(state, ask("memory_rewrite", text=MISSION)))["task-001"].assigned_to == "worker_1"


MOVES = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["claim", "claim", "take", "back", "done"]),
    st.sampled_from(["", "t1", "t2", "t3"]),
)


@settings(max_examples=50)
@given(st.lists(MOVES, max_size=20))
def test_whoever_claims_in_whatever_order_a_task_has_one_owner(moves: list[tuple[str, str, str]]) -> None:
    state = board({"active_tasks": [{"id": f"t{n}", "description": "x"} for n in (1, 2, 3)]})
    owners: dict[str, str] = {}
    for me, what, id in moves:
        verb = {"claim": "task_claim", "done": "task_complete"}.get(what, "task_update")
        fields = {"take": {"assigned_to": me}, "back": {"assigned_to": "nobody"}}.get(what, {})
        event = decide(state, ask(verb, by=me, id=id, **fields), NOW)
        old, state = tasks(state), evolve(state, event)
        new = tasks(state)
        gained = [id for id in new if new[id].assigned_to == me != old[id].assigned_to]
        assert all(not owners.get(id) for id in gained) and len(gained) <= 1
        assert isinstance(event, BlockEdited) == (old != new)
        owners = {id: task.assigned_to for id, task in new.items()}


def test_a_team_file_has_boards_and_schemas(tmp_path: Path) -> None:
    path = tmp_path / "team.toml"
    path.write_text(
        """
[blocks.tasks]
form = "board"
value = '{"active_tasks": []}'
[blocks.facts]
schema = "tests.test_structured:Facts"
[blocks.list]
schema = { type = "array" }
[agents.a]
blocks = ["tasks"]
tools = ["task_claim"]
"""
    )
    blocks = load_team(path).blocks
    assert blocks["tasks"] == Board("tasks", {"active_tasks": []})
    assert (blocks["facts"], blocks["list"]) == (Block("facts", schema=Facts), Block("list", schema={"type": "array"}))


@pytest.mark.parametrize(
    ("lines", "where", "why"),
    [
        ("form = 'bord'", "form", "'text', 'json' or 'board' is wanted"),
        ("form = 'board'\nvalue = '[]'", "value", "is no board of tasks: $: "),
        ("schema = 'tests.test_structured:Fakts'", "schema", "did you mean 'tests.test_structured:Facts'?"),
        ("schema = { type = 'string' }", "schema", "an object or a list is wanted"),
        ("schema = 5", "schema", "found 5"),
        ("schema = { type = 'array' }\nvalue = '{}'", "value", "does not fit its schema: $: {} is not of type 'array'"),
        ("shema = 'x'", "shema", "there is no such key; did you mean 'schema'?"),
    ],
)
def test_what_a_team_file_says_wrongly_of_a_block_is_told_with_its_place(
    tmp_path: Path, lines: str, where: str, why: str
) -> None:
    (tmp_path / "team.toml").write_text(f"[blocks.x]\n{lines}\n[agents.a]\n")
    with pytest.raises(TeamFileError) as raised:
        load_team(tmp_path / "team.toml")
    assert f"blocks.x.{where}" in str(raised.value) and why in str(raised.value)


# -- agents, groups, people ---------------------------------------------------------------------------


def test_a_board_brings_its_tools_with_it() -> None:
    names = [tool.name for tool in Agent("a", blocks=[Board(), Block("plan")]).spec().tools]
    assert names == ["memory_append", "memory_replace", "memory_insert", "memory_rewrite", *TASK_TOOLS]
    assert [tool.name for tool in Agent("a", blocks=[Board()]).spec().tools] == ["memory_replace", *TASK_TOOLS]
    assert not Agent("a", blocks=[Board().read_only()]).spec().tools


@pytest.mark.anyio
async def test_a_group_that_shares_a_board_gives_the_tools_along() -> None:
    async with home() as here:
        group = await here.system.start(Group("g", [Agent("a"), Agent("b")], blocks=[Board(), Block("plan")]))
        other = await here.system.start(Group("h", [Agent("c"), Agent("a")], blocks=[Board("more")]))
        await group.ask("go")
        await other.ask("go")
        plain = {"memory_append", "memory_replace", "memory_insert", "memory_rewrite"}
        assert here.model.tools["a"] == here.model.tools["b"] == {*plain, *TASK_TOOLS}
        assert here.model.tools["c"] == {"memory_replace", *TASK_TOOLS}


@pytest.mark.anyio
async def test_two_agents_and_a_person_share_the_work() -> None:
    claim = ("task_claim", {"label": "tasks"})
    model = ScriptedModel({name: [calls(claim), f"{name} is on it"] for name in ("worker_1", "worker_2")})
    both = [Agent(name, blocks=[Board()]) for name in ("worker_1", "worker_2")]
    async with System.open(MemoryStore(), model=model) as system:
        await system.start(Group("team", both, RoundRobin(max_turns=2)))
        block = system.block("tasks")
        for what in ("one", "two", "three"):
            await block.edit("task_add", description=what, key=what)
        await system["team"].ask("go")
        with pytest.raises(RequestFailed, match=r"worker_1 has task-001 \(in_progress\)"):
            await block.edit("task_claim", id="task-001")
        assert (await block.edit("task_claim")).startswith("done: task-003 is yours: three")
        history = await replay(system.store, board_history, stream="block-tasks")
        assert [touch.by for touch in history.touched.values()] == ["agent-worker_1", "agent-worker_2", "user"]
        data = await block.data()
        assert [task.assigned_to for task in TaskBoard.model_validate(data).active_tasks] == [
            "worker_1",
            "worker_2",
            "user",
        ]


@pytest.mark.anyio
@pytest.mark.parametrize("death", range(3, 40, 6))
async def test_a_crash_gives_no_task_to_two(death: int) -> None:
    for scenario in BOARDS[:2]:
        log = (await run(scenario, (death,), 3)).log
        history = await replay(log, board_history, stream="block-tasks")
        edits = [event.data async for event in log.read_stream("block-tasks") if isinstance(event.data, BlockEdited)]
        claims = [edit.note.split(" ")[0] for edit in edits if edit.verb == "task_claim"]
        assert sorted(claims) == ["t1", "t2", "t3"] and len(history.touched) == 3


def test_a_board_is_tagged_and_locked_as_any_block() -> None:
    board = Board(locked=True, tags=["team"], metadata={"owner": "Ana"}).spec()
    assert (board.read_only, board.tags, board.metadata, board.form) == (True, ("team",), {"owner": "Ana"}, "board")
