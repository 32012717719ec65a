"""Tools that misbehave: whatever they do is an outcome, and nothing else stops."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from structlog.testing import capture_logs

from callboard import Agent, MemoryStore, SQLiteStore, System, Tool, tool
from callboard.actors.blocking import LoopWatch
from callboard.actors.others import words_of
from callboard.actors.storable import storable
from callboard.actors.testing import ScriptedModel, calls
from callboard.events.catalog import ToolCallFailed, ToolCallFinished
from callboard.events.codec import MAX_TEXT
from callboard.events.lock import locked


class Wrong(BaseException):
    """What is no Exception."""


class Mute(Exception):
    """What cannot say what it is."""

    def __str__(self) -> str:
        raise Wrong


async def outcome(one: Tool) -> ToolCallFinished | ToolCallFailed:
    """Return what came of a call, after which the turn went on to its end."""
    model, store = ScriptedModel({"a": [calls((one.name, {})), "done"]}), MemoryStore()
    with anyio.fail_after(20):
        async with System.open(store, model=model, grace=0) as system:
            await system.start(Agent("a", tools=[one]))
            assert (await system["a"].ask("go")).text == "done"
    ended = [e.data async for e in store.read_all() if isinstance(e.data, ToolCallFinished | ToolCallFailed)]
    assert len(ended) == 1 and "ActorRestarted" not in [e.type async for e in store.read_all()]
    return ended[0]


def raising(error: BaseException, *, threaded: bool) -> Tool:
    def wrong() -> None:
        raise error

    async def wrong_too() -> None:
        raise error

    return Tool(wrong if threaded else wrong_too)


@pytest.mark.parametrize("threaded", [False, True], ids=["on the loop", "in a thread"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt("stop"), "KeyboardInterrupt: stop"),
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit"),
        (asyncio.CancelledError("me"), "CancelledError: me"),
        (Wrong("odd"), "Wrong: odd"),
        (BaseExceptionGroup("two", [Wrong(), ValueError()]), "BaseExceptionGroup: two (2 sub-exceptions)"),
        (StopIteration(1), "RuntimeError: coroutine raised StopIteration"),
        (Mute(), "Mute: (saying why failed with Wrong)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_whatever_a_tool_raises_is_the_outcome_of_its_call(
    error: BaseException, said: str, threaded: bool
) -> None:
    failed = await outcome(raising(error, threaded=threaded))
    assert isinstance(failed, ToolCallFailed) and failed.text == said


async def test_a_true_cancellation_goes_through_a_tool() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    with anyio.move_on_after(0.01) as scope:
        await Tool(waits).call("", None)  # type: ignore[arg-type]
    assert scope.cancelled_caught and ended == ["cancelled"]


@pytest.mark.parametrize("threaded", [False, True], ids=["on the loop", "in a thread"])
async def test_a_tool_that_never_returns_is_given_up_and_named(threaded: bool) -> None:
    ends = threading.Event()

    async def endless() -> None:
        await anyio.sleep_forever()

    def endless_too() -> None:
        ends.wait()

    failed = await outcome(Tool(endless_too if threaded else endless, timeout=0.05))
    name = "endless_too" if threaded else "endless"
    assert failed.text == f"{name} gave no result after 0.05 seconds; it may still go on outside"
    ends.set()


@pytest.mark.parametrize("what", ["é", "\0"])
def test_a_result_of_100_mb_is_cut_and_says_so(what: str) -> None:
    big = what * (100_000_000 // len(what.encode(errors="surrogatepass")))
    tracemalloc.start()
    text, replaced = storable(big)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * MAX_TEXT  # what is kept and a few copies of it, not of the whole
    assert len(text.encode()) <= MAX_TEXT and text.endswith(f"[cut: {len(big):,} characters in all]")
    assert bool(replaced) == (what == "\0")


async def test_a_tool_that_returns_100_mb_does_not_stop_the_turn() -> None:
    def big() -> str:
        return "x" * 100_000_000

    finished = await outcome(Tool(big))
    assert isinstance(finished, ToolCallFinished) and len(finished.text) == MAX_TEXT
    assert finished.text.endswith("\n[cut: 100,000,000 characters in all]")


async def test_what_a_tool_prints_goes_where_prints_go(capsys: pytest.CaptureFixture[str]) -> None:
    def loud() -> str:
        print("hello")
        return "done"

    assert (await outcome(Tool(loud))).text == "done"
    assert capsys.readouterr().out == "hello\n"


async def test_a_result_that_is_no_json_is_a_failure() -> None:
    def odd() -> object:
        return {"a": object()}

    assert "Unable to serialize unknown type" in (await outcome(Tool(odd))).text


# -- the loop ---------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def logged(watch: LoopWatch, work: Callable[[], Any]) -> list[dict[str, Any]]:
    with capture_logs() as found:
        await watch.run("lazy", work())
    return [dict(entry) for entry in found]


async def test_a_tool_that_blocked_the_loop_is_named_with_its_seconds() -> None:
    clock = Clock()

    async def blocks() -> None:
        await anyio.lowlevel.checkpoint()
        clock.now += 2.5

    [entry] = await logged(LoopWatch(1.0, clock), blocks)
    assert (entry["event"], entry["tool"], entry["seconds"]) == ("a tool blocked the loop", "lazy", 2.5)


async def test_a_tool_that_waits_for_long_blocks_nothing() -> None:
    clock = Clock()

    async def waits() -> None:
        for _ in range(5):
            clock.now += 0.9
            await anyio.lowlevel.checkpoint()

    assert await logged(LoopWatch(1.0, clock), waits) == []


async def test_a_tool_that_blocks_the_loop_for_ever_is_named_while_it_does() -> None:
    watch, seen = LoopWatch(0.01), list[Any]()

    def note(_: object, __: str, event: Any) -> Any:
        seen.append(dict(event))
        raise structlog.DropEvent

    async def blocks() -> None:
        until = time.monotonic() + 10
        while not seen and time.monotonic() < until:
            pass

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[note])
    try:
        await watch.run("stuck", blocks())
    finally:
        structlog.configure(processors=before)
    assert (seen[0]["event"], seen[0]["tool"]) == ("a tool blocks the loop", "stuck")
    assert Path(__file__).name in seen[0]["at"]


async def test_what_is_thrown_into_a_watched_tool_arrives_there() -> None:
    async def careful() -> str:
        try:
            with anyio.fail_after(0.01):
                await anyio.sleep_forever()
        except TimeoutError:
            return "late"
        return ""

    assert await LoopWatch().run("careful", careful()) == "late"


async def test_async_tools_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, ran = LoopWatch(), list[str]()
    monkeypatch.setattr("callboard.actors.tool.LOOP_WATCH", watch)
    monkeypatch.setattr(watch, "_ended", lambda step: ran.append(step.tool))  # type: ignore[reportUnknownLambdaType]

    @tool(effect="read")
    async def mine() -> str:
        return "done"

    await outcome(mine)
    assert ran and set(ran) == {"mine"}


def test_an_error_says_what_it_is_even_without_words() -> None:
    assert words_of(ValueError()) == "ValueError" and words_of(ValueError("x")) == "ValueError: x"


# -- forks ------------------------------------------------------------------------------------------

FORKING = """
import asyncio, os, sys, warnings, anyio
from callboard import Agent, SQLiteStore, System, tool
from callboard.actors.testing import ScriptedModel, calls

warnings.simplefilter("ignore")

def forked() -> str:
    child = os.fork()
    return f"child ended with {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}" if child else "child came back"

@tool(effect="read")
def threaded() -> str:
    return forked()

@tool(effect="read")
async def on_loop() -> str:
    said = forked()
    await asyncio.sleep(0)  # the loop goes on, in the child, too, if it may
    return said

async def beside(parent: int) -> None:
    while True:
        await asyncio.sleep(0)
        if os.getpid() != parent:
            os.write(1, b"ran in the child")

async def main() -> None:
    model = ScriptedModel({"a": [calls(("on_loop", {}), ("threaded", {})), "done"]})
    async with anyio.create_task_group() as tasks, System.open(sys.argv[1], model=model) as system:
        tasks.start_soon(beside, os.getpid())
        await system.start(Agent("a", tools=[threaded, on_loop]))
        print((await system["a"].ask("go")).text, flush=True)
        tasks.cancel_scope.cancel()

anyio.run(main)
"""


async def test_a_child_that_a_tool_forks_never_comes_back_into_the_system(tmp_path: Path) -> None:
    log = tmp_path / "team.db"
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(log)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "done\n" and done.stderr.count("its child came back") == 2
    async with SQLiteStore.open(log) as store:
        ended = [e.data async for e in store.read_all() if isinstance(e.data, ToolCallFinished)]
    assert [str(one.text) for one in ended] == ["child ended with 70"] * 2


def test_a_forked_child_does_not_hold_the_log(tmp_path: Path) -> None:
    log, (reads, writes) = str(tmp_path / "team.db"), os.pipe()
    program = (
        "import os, sys, warnings\nfrom callboard.events.lock import locked\nwarnings.simplefilter('ignore')\n"
        f"with locked({log!r}):\n"
        f"    if os.fork() == 0:\n        os.read({reads}, 1)\n        os._exit(0)\n    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], pass_fds=(reads,), timeout=60, check=False)
    assert done.returncode == 9
    with locked(log):  # the child lives still
        os.write(writes, b"x")
    os.close(reads)
    os.close(writes)
