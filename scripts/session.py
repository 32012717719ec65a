"""One conversation at the terminal: a loop that takes what comes, one thing at a time.

That is a line, an event or a piece of text of the request under way, its end, a change in what waits for a
person, an interruption. While a person is asked, nothing else is shown.
"""

from __future__ import annotations

import signal
from collections import deque
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream
from pydantic import JsonValue
from rich.console import Console

from callboard.actors.people import Awaited
from callboard.actors.ref import Ref, checked_message
from callboard.actors.streaming import TextDelta
from callboard.actors.system import GRACE, System
from callboard.events import CallboardError, LogError, RecordedEvent, TextRefused
from callboard.events.catalog import ApprovalAsked, MessageReceived, QuestionAsked, ToolCallInDoubt
from callboard.projections.answer import Answer
from callboard.projections.words import name_of
from callboard.scripts import asking
from callboard.scripts.border import FINE
from callboard.scripts.group_lines import summary
from callboard.scripts.screen import duration, harmless, many, one_line
from callboard.scripts.transcript import Transcript
from callboard.scripts.typed_lines import Source

HELP = """each line is a request; one that begins with / is begun with //
/people  what waits for a person     /show  all of what is asked
/cancel  end what is under way       /quit  leave; what is open goes on when the log is opened again"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line, None for the end of the input; `fault` says why it could not be taken in."""

    text: str | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """An event or a piece of text of the request under way."""

    item: RecordedEvent | TextDelta


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of the request under way; `answer` is None where it was never taken up."""

    answer: Answer | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """Something may wait for a person now, or wait no more."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Somebody pressed Ctrl-C, or wants the program to end: the number of the signal."""

    number: int


Heard = Line | Shown | Ended | Changed | Stopped


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request to be made, or one of before to be followed to its end, which has a key.

    Attributes:
        stream: Who is asked.
    """

    stream: str
    text: str
    key: str = ""
    params: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])


class Session:
    """One conversation; `over` once it is left."""

    def __init__(self, system: System, ref: Ref, lines: Source, out: Console, params: dict[str, JsonValue]) -> None:
        self.over, self.code = False, FINE
        self._system, self._ref, self._lines, self._out, self._params = system, ref, lines, out, params
        self._put, self._heard = anyio.create_memory_object_stream[Heard](0)
        self._later = deque[Wanted]()
        self._now: Wanted | None = None
        self._began, self._since = 0.0, 0
        self._cancelling = self._closing = False
        self._asked: Awaited | None = None
        self._free = anyio.Event()
        self._held: RecordedEvent | TextDelta | None = None
        self._announced = set[str]()
        self._gone = self._changed = False
        self._reading = self._prompted = False
        self._wanted = anyio.Event()
        self._screen = Transcript(out, asks=True)

    async def run(self, first: str, stops: MemoryObjectReceiveStream[int] | None) -> int:
        """Take what comes until it is over; return the exit code."""
        async with self._put, self._heard, anyio.create_task_group() as tasks:
            for work in (self._read, self._watch):
                tasks.start_soon(work)
            if stops is not None:
                tasks.start_soon(self._listen, stops)
            self._later += await self._open()
            if first:
                self._later.append(Wanted(self._ref.address, first, params=self._params))
            self._tell(f"talking to {self._ref.name}; /help says what else can be said")
            self._changed = True
            while not self.over:
                await self._step(tasks)
            tasks.cancel_scope.cancel()
        if self._prompted:
            self._out.out("")
        left = await self._system.waiting()
        if left:
            self._tell(f"{many(len(left), 'call')} of a tool waits for a person, and is asked about next time")
        elif self._now is not None:
            self._tell(
                f"leaving; what is under way may end, within {GRACE:.0f} s; Ctrl-C stops at once, and loses nothing"
            )
        return self.code

    async def _open(self) -> list[Wanted]:
        """Return the requests of before that nobody has the answer of, oldest first."""
        found: list[Wanted] = []
        for item in (await self._system.pending()).items.values():
            event = await self._system.store.find(item.stream, item.id) if item.kind == "turn" else None
            data = event.data if event else None
            if isinstance(data, MessageReceived) and data.sender == "user" and data.kind == "ask":
                said, key = str(data.parts[0].text), data.id.split("/", 1)[0]
                found.append(Wanted(item.stream, said, key, data.params))
        return found

    # -- what comes -----------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted = anyio.Event()
            try:
                line = Line(await self._lines.next())
            except TextRefused as error:
                line = Line("", str(error))
            await self._put.send(line)
            if line.text is None:
                return

    async def _watch(self) -> None:
        store = self._system.store
        async for event in store.subscribe(after=store.position):
            if "tool" in (event.data.goes_on, event.data.closes) and not self._changed:
                self._changed = True
                await self._put.send(Changed())

    async def _listen(self, stops: MemoryObjectReceiveStream[int]) -> None:
        with stops:
            async for number in stops:
                await self._put.send(Stopped(number))

    async def _follow(self, wanted: Wanted) -> None:
        store, ref, ended = self._system.store, Ref(wanted.stream, self._system), Ended(None)
        before = store.position
        try:
            async with ref.stream(wanted.text, key=wanted.key, params=wanted.params) as run:
                async for event in store.read_all(until=before, correlation_id=wanted.key):
                    await self._bring(event)
                async for item in run:
                    await self._bring(item)
                ended = Ended(await run.answer())
        except LogError:
            raise
        except CallboardError as error:
            answer = getattr(error, "answer", None)
            ended = Ended(answer if isinstance(answer, Answer) else None, str(error))
        await self._put.send(ended)

    async def _bring(self, item: RecordedEvent | TextDelta) -> None:
        while self._asked is not None:
            await self._free.wait()
        await self._put.send(Shown(item))

    # -- one thing at a time --------------------------------------------------------------------

    async def _step(self, tasks: TaskGroup) -> None:
        if self._changed:
            await self._look()
        if self._now is None and self._later and self._asked is None:
            self._begin(tasks)
        if not self._reading and not self._closing and (self._now is None or self._asked or self._lines.live):
            self._reading = True
            self._wanted.set()
        self._prompt()
        match await self._heard.receive():
            case Line(text, fault):
                self._reading = self._prompted = False
                await self._said(text, fault)
            case Shown(item) if self._asked is not None:
                self._held = item  # it was on its way, and is the only one: more are not brought meanwhile
            case Shown(item):
                self._show(item)
            case Ended(answer, error):
                self._end(answer, error)
            case Changed():
                pass
            case Stopped(number):
                await self._stop(number)

    def _begin(self, tasks: TaskGroup) -> None:
        wanted = self._later.popleft()
        if wanted.key:
            self._tell(f"going on with the request {wanted.key} to {name_of(wanted.stream)}: {one_line(wanted.text)}")
        else:
            wanted = Wanted(wanted.stream, wanted.text, self._system.outside.key(), wanted.params)
        self._now, self._began, self._since = wanted, anyio.current_time(), self._system.store.position
        self._screen, self._cancelling = Transcript(self._out, asks=True), False
        self._changed = True
        tasks.start_soon(self._follow, wanted)

    def _show(self, item: RecordedEvent | TextDelta) -> None:
        self._prompted = False
        self._screen.show(item)
        if isinstance(item, RecordedEvent) and isinstance(item.data, ApprovalAsked | QuestionAsked | ToolCallInDoubt):
            self._announced.add(item.data.id)
            self._changed = True

    def _end(self, answer: Answer | None, error: str) -> None:
        wanted, self._now, self._changed = self._now, None, True
        assert wanted is not None
        self._screen.end(name_of(wanted.stream), answer.text if answer else "")
        if error:
            self._tell(f"the request failed: {error}", "red")
        facts = [*([many(len(answer.turns), "turn")] if answer else []), duration(anyio.current_time() - self._began)]
        self._tell("\n".join([*(summary(answer) if answer else []), f"{' · '.join(facts)} · trace {wanted.key}"]))
        if self._closing and not self._later:
            self.over = True

    async def _stop(self, number: int) -> None:
        if number != signal.SIGINT or self._now is None or self._cancelling:
            self.over, self.code = True, 128 + number
            return
        self._cancelling = True
        await self._cancel(self._now.key)

    # -- people ---------------------------------------------------------------------------------

    async def _look(self) -> None:
        """See what waits for a person; ask about the oldest, unless somebody speaks."""
        if self._screen.speaking:
            return
        self._changed = False
        waiting = await self._system.waiting()
        if self._asked is not None and self._asked.call not in [one.call for one in waiting]:
            self._tell(f"{self._asked.call} waits no more")
            self._gone = self._reading
            self._decided()
        ready = [one for one in waiting if self._is_shown(one)]
        if self._asked is None and ready:
            self._asked, self._free = ready[0], anyio.Event()
            self._ask(ready[0])
            self.over = self._closing  # nobody is there to answer

    def _is_shown(self, one: Awaited) -> bool:
        """Return whether what led to a call is on the screen, or belongs to no request that is followed."""
        mine = self._now is not None and one.call.startswith(f"{self._now.key}/")
        return not mine or one.position <= self._since or one.call in self._announced

    def _ask(self, one: Awaited, *, full: bool = False) -> None:
        self._tell(f"? {asking.asked(one, full=full)}", "bold yellow")
        self._tell(f"  {asking.how(one)}", "yellow")

    async def _decide(self, one: Awaited, line: str) -> None:
        try:
            await asking.decide(self._system, one, line)
        except TextRefused as error:
            self._tell(str(error), "red")
            return
        except LogError:
            raise
        except CallboardError as error:
            self._tell(str(error), "red")
        self._decided()

    def _decided(self) -> None:
        """Go on: nobody is asked any more, and what waited on its way is shown."""
        self._asked, self._changed = None, True
        held, self._held = self._held, None
        if held is not None:
            self._show(held)
        self._free.set()

    async def _cancel(self, trace: str) -> None:
        try:
            await self._system.cancel(trace)
            self._tell(f"cancelling {trace}")
        except LogError:
            raise
        except CallboardError as error:
            self._tell(str(error), "red")

    # -- lines ----------------------------------------------------------------------------------

    async def _said(self, text: str | None, fault: str) -> None:
        gone, self._gone = self._gone, False
        line = (text or "").strip()
        if fault:
            self._tell(fault, "red")
        elif text is None:
            self._closing = True
            self.over = self._now is None or self._asked is not None
        elif line.startswith("/") and not line.startswith("//"):
            await self._command(line)
        elif gone:
            self._tell("what was asked waits no more, so the line was not taken; say it once more if it is a request")
        elif self._asked is not None:
            await self._decide(self._asked, line.removeprefix("/") if line.startswith("//") else line)
        else:
            self._request(text.lstrip()[1:] if line.startswith("//") else text)

    def _request(self, text: str) -> None:
        try:
            self._later.append(Wanted(self._ref.address, checked_message(text), params=self._params))
        except TextRefused as error:
            self._tell(str(error), "red")
            return
        if self._now is not None:
            self._tell("that is asked when this has ended")

    async def _command(self, line: str) -> None:
        match line.split():
            case ["/help"]:
                self._tell(HELP)
            case ["/people"]:
                waiting = await self._system.waiting()
                lines = [f"{one.call} {one.kind}: {one_line(asking.asked(one), 200)}" for one in waiting]
                self._tell("\n".join(lines) or "nothing waits for a person")
            case ["/show"] if self._asked is not None:
                self._ask(self._asked, full=True)
            case ["/cancel"] if self._asked is not None:
                await self._cancel(self._asked.call.split("/", 1)[0])
            case ["/cancel"] if self._now is not None:
                await self._cancel(self._now.key)
            case ["/quit"]:
                self.over = True
            case ["/show" | "/cancel" as word]:
                self._tell(f"{word}: nothing is {'asked' if word == '/show' else 'under way'}", "red")
            case words:
                known = "/help, /people, /show, /cancel and /quit"
                self._tell(f"there is no {one_line(words[0], 40)!r}; there are {known}, and // begins a request with /",
                           "red")  # fmt: skip

    # -- the screen -----------------------------------------------------------------------------

    def _tell(self, text: str, style: str = "dim") -> None:
        self._prompted = False
        self._screen.aside()
        self._out.out(harmless(text), style=style, highlight=False)

    def _prompt(self) -> None:
        if self._lines.live and self._reading and not self._prompted and (self._now is None or self._asked):
            self._prompted = True
            self._out.out("> ", end="", style="bold", highlight=False)
