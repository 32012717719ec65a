"""`callboard demo`: a small story, told by agents whose replies are written down here."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.console import Console

from callboard.actors.model import ModelReply, ModelRequest
from callboard.actors.ref import Ref
from callboard.actors.specs import Agent, Block, Group
from callboard.actors.system import System
from callboard.actors.testing import calls, words_in
from callboard.actors.tool import tool
from callboard.events import ModelError, RecordedEvent, SQLiteStore
from callboard.events.catalog import ModelCallStarted
from callboard.projections.answer import Answer
from callboard.scripts.border import FINE, INTERRUPTED, BadUse, say
from callboard.scripts.run import log_to_stderr
from callboard.scripts.screen import console, harmless
from callboard.scripts.transcript import Transcript

ABOUT = "The replies of this demo are scripted: no model is called, and nothing leaves this machine.\n" + (
    "All else is real: the agents' turns, the tool, the edits of what they share, the retry, the log."
)

WORD = 0.03
"""Seconds for a word, where somebody looks on."""

PATIENCE = 10.0
"""Seconds that the critic thinks at most, should the lookout have nothing to say."""

BEGIN = "Ada turns 90 on Sunday. Plan her a picnic on the cliff by the lighthouse, for six."
GO_ON = "Two more want to come to Ada's picnic. Change what must change."
RAIN = "The radio says: rain on Sunday from noon."
DRY = "The radio says: rain on Sunday until two, then sun."

THINGS = (
    "a chair with arms for Ada",
    "the blue umbrella",
    "a second thermos",
    "matches that do not mind the wind",
    "her brother's accordion",
)
"""What the critic misses, one thing each time."""

FIRST_PLAN = """\
Who: 6 guests, for Ada, who turns 90
Where: the cliff by the lighthouse
When: Sunday, 3 pm
Food: nobody has said yet"""


@tool(effect="read")
def dough(guests: int, each: int) -> str:
    """Work out what the scones need.

    Args:
        guests: How many people come.
        each: Scones for each of them.
    """
    n = guests * each
    return f"{n} scones from {n * 55:,} g flour, {n * 14:,} g butter, {n * 25:,} ml milk"


# -- who says what ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scene:
    """What an agent has before it when it speaks.

    Attributes:
        step: Counts its model calls of this turn, from 1.
        plan: The block, as it was shown last.
        results: What its tools gave in this turn, oldest first.
    """

    step: int
    plan: str
    results: list[str]

    def line(self, title: str) -> str:
        """Return the line of the plan that begins with `title`, or the title alone."""
        found = re.search(rf"^{title}: .*$", self.plan, re.MULTILINE)
        return found[0] if found else f"{title}: "

    @property
    def guests(self) -> int:
        """How many come, as the plan says."""
        found = re.search(r"\d+", self.line("Who"))
        return int(found[0]) if found else 0


def read(request: ModelRequest) -> Scene:
    """Return what an agent sees, read from its prompt as a model would. Pure."""
    texts = [words_in(message) for message in request.messages]
    blocks = re.findall(r'<block label="plan"[^>]*>\n(.*?)\n</block>', "\n".join(texts), re.DOTALL)
    results: list[str] = []
    for message, text in zip(request.messages, texts, strict=True):
        if message["role"] == "user" and not text.startswith("callboard: "):
            results.clear()
        elif message["role"] == "tool":
            results.append(text)
    step = int(request.id.rpartition("/")[2])
    return Scene(step, unescape(blocks[-1]) if blocks else "", results)


def planner(scene: Scene) -> ModelReply:
    """Write down who, where and when."""
    if scene.step > 1:
        return ModelReply("Who, where and when are on the board. Baker, what do we eat?")
    if not scene.guests:
        return calls(("memory_append", {"label": "plan", "text": FIRST_PLAN}))
    old, new = f"Who: {scene.guests} guests", f"Who: {scene.guests + 2} guests"
    return calls(("memory_replace", {"label": "plan", "old": old, "new": new}))


def baker(scene: Scene) -> ModelReply:
    """Work out the scones, and write down what came out."""
    if scene.step == 1:
        return calls(("dough", {"guests": scene.guests, "each": 2}))
    scones = scene.results[0]
    if scene.step == 2:
        food = f"Food: {scones}, and plum jam"
        return calls(("memory_replace", {"label": "plan", "old": scene.line("Food"), "new": food}))
    return ModelReply(f"That makes {scones}. I bake at dawn, and the plum jam is from last year.")


def critic(scene: Scene) -> ModelReply:
    """Write the plan anew with what is missing; once more, if somebody was quicker."""
    refused = bool(scene.results) and scene.results[-1].startswith("refused")
    bring = scene.line("Bring")
    missing = next((thing for thing in THINGS if thing not in bring), THINGS[0])
    kept = bring if missing != THINGS[0] else "Bring: "
    lines = [line for line in scene.plan.split("\n") if not line.startswith("Bring: ")]
    whole = "\n".join([*lines, f"{kept}{', ' if kept != 'Bring: ' else ''}{missing}"])
    rewrite = ("memory_rewrite", {"label": "plan", "text": whole})
    if scene.step == 1:
        return calls(rewrite)
    if refused:
        return calls(rewrite, text="The lookout was quicker than I. I read the new time and write it again.")
    return ModelReply(f"Nobody had thought of {missing}. It is in the plan now.")


def lookout(scene: Scene) -> ModelReply:
    """Move the picnic out of the rain."""
    if scene.step > 1:
        return ModelReply("Moved, so that Ada stays dry.")
    when = scene.line("When")
    new = "When: Sunday, 11 am, before the rain" if "3 pm" in when else "When: Sunday, 3 pm, after the rain"
    return calls(("memory_replace", {"label": "plan", "old": when, "new": new}))


PARTS: dict[str, Callable[[Scene], ModelReply]] = {
    "planner": planner,
    "baker": baker,
    "critic": critic,
    "lookout": lookout,
}
"""Who plays whom."""


class Story:
    """A model that calls none: each agent says its part, at the pace of `word` seconds a word.

    The baker's first attempt fails. The critic thinks until `told` is set.
    """

    def __init__(self, word: float) -> None:
        self.word, self.told = word, anyio.Event()

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        """Say what the agent's part is, given what it reads."""
        scene = read(request)
        if request.agent == "baker" and (scene.step, request.attempt) == (1, 1):
            raise ModelError("429 Too Many Requests (scripted, too)", kind="rate_limit", retry=True)
        if request.agent == "critic" and scene.step == 1:
            with anyio.move_on_after(PATIENCE):
                await self.told.wait()
        reply = PARTS[request.agent](scene)
        for word in re.findall(r"\S+\s*", reply.text):
            await anyio.sleep(self.word)
            say(word)
        return reply


# -- the team ---------------------------------------------------------------------------------------


def team() -> tuple[Group, Agent]:
    """Return the group, and the lookout, who is in no group but edits the same plan."""
    plan = Block("plan", limit=1_000, description="What is settled about the picnic.")
    return (
        Group(
            "picnic",
            [
                Agent("planner", "You settle who, where and when.", blocks=[plan]),
                Agent("baker", "You settle the food. Work out amounts with a tool.", blocks=[plan], tools=[dough]),
                Agent("critic", "You find what is missing, and write the whole plan anew.", blocks=[plan]),
            ],
        ),
        Agent("lookout", "You watch the weather, and move the time.", blocks=[plan]),
    )


KNOWN = {"system", "block-plan", "group-picnic", *(f"agent-{name}" for name in PARTS)}
"""The streams of a demo's log."""


# -- the command ------------------------------------------------------------------------------------


def demo(*, log: Path | None = None, crash: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Show what callboard does, with a scripted model and no network.

    Args:
        log: Where it is recorded; with the log of an earlier demo, the story goes on. By default a new
            callboard-demo.db in the current folder, or callboard-demo-2.db where that exists, ...
        crash: Kill the process of another team in the middle, twice, and show what was done twice: nothing.
    """
    log_to_stderr()
    if crash:
        from callboard.scripts import crash_demo

        return crash_demo.crash(_new(log) if log else _free())
    try:
        return anyio.run(perform, log or _free(), console())
    except KeyboardInterrupt:
        say("interrupted; what was done is in the log")
        return INTERRUPTED


def _new(log: Path) -> Path:
    if log.exists():
        raise BadUse(f"{log} exists already; the crash demo wants a log of its own")
    return log


def _free() -> Path:
    n, path = 1, Path("callboard-demo.db")
    while path.exists():
        n += 1
        path = Path(f"callboard-demo-{n}.db")
    return path


async def perform(log: Path, out: Console) -> int:
    """Play one request on `log`, then show what it left there; return the exit code.

    Raises:
        BadUse: It is the log of something else.
        LogError: It cannot be opened.
    """
    out.out(harmless(f"{ABOUT}\nIt is recorded in {log}."), style="bold", highlight=False)
    if _holds_something(log):
        await _refuse_others(log)
    async with SQLiteStore.open(log) as store:
        story = Story(WORD if out.is_terminal else 0)
        async with System.open(store, model=story) as system:
            group, watcher = team()
            picnic, sea = await system.start(group), await system.start(watcher)
            answer, seen = await _play(story, picnic, sea, Transcript(out), out)
            plan = await system.block("plan").value()
    _heading(out, "What they share now, the block `plan`:")
    out.out(harmless(plan), highlight=False)
    _heading(out, "The trace that this left in the log:")
    from callboard.scripts.trace import trace  # for the end only

    await trace(str(log), answer.trace)
    _heading(out, "To look further:")
    _commands(out, shlex.quote(str(log)), answer.trace, seen)
    return FINE


def _holds_something(log: Path) -> bool:
    return log.exists() and log.stat().st_size > 0


async def _refuse_others(log: Path) -> None:
    async with SQLiteStore.open(log, mode="read") as store:
        async for event in store.read_all():
            if event.stream not in KNOWN:
                raise BadUse(f"{log} holds {event.stream}, which is not of the demo; give it a log of its own")


async def _play(story: Story, picnic: Ref, sea: Ref, shown: Transcript, out: Console) -> tuple[Answer, int]:
    """Ask the team; return its answer, and the position at which the critic read the plan."""
    system, seen = picnic.system, 0
    message = GO_ON if await system.block("plan").value() else BEGIN
    _heading(out, f"You ask the group picnic: {message}")
    async with picnic.stream(message) as run:
        async for item in run:
            shown.show(item)
            if isinstance(item, RecordedEvent) and not seen and _reads(item):
                seen = item.position
                await _meanwhile(sea, shown)
                story.told.set()
        answer = await run.answer()
    shown.end(picnic.name, answer.text)
    return answer, seen


def _reads(event: RecordedEvent) -> bool:
    return event.stream == "agent-critic" and isinstance(event.data, ModelCallStarted)


async def _meanwhile(sea: Ref, shown: Transcript) -> None:
    """Tell the lookout the news, while the critic thinks."""
    news = RAIN if "3 pm" in await sea.system.block("plan").value() else DRY
    shown.note(f"The critic has read the plan, and thinks. Meanwhile you tell the lookout: {news}")
    async with sea.stream(news) as run:
        async for item in run:
            shown.show(item)


def _heading(out: Console, text: str) -> None:
    out.out(f"\n{text}\n", style="bold", highlight=False)


def _commands(out: Console, log: str, trace: str, seen: int) -> None:
    commands = (
        (f"callboard replay {log}", "everybody's state, from the log alone"),
        (f"callboard replay {log} --until {seen}", "the same, when the critic read the plan"),
        (f"callboard trace {log} {trace}", "the tree above"),
        (f"callboard memory blame {log} plan", "who wrote each line of the plan, having read what"),
        (f"callboard trace {log}", "all requests, the lookout's too"),
        (f"callboard demo --log {log}", "the story goes on, and all remember"),
    )
    width = max(len(command) for command, _ in commands)
    for command, about in commands:
        out.out(harmless(f"  {command:<{width}}   {about}"), highlight=False)


if __name__ == "__main__":
    from callboard.scripts.main import main

    sys.exit(main(["demo", *sys.argv[1:]]))
