"""A group as an actor: what it has to look up before it can decide."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from callboard.events import CallboardError, Event, RecordedEvent
from callboard.events.catalog import (
    GroupAltered,
    GroupChanged,
    GroupStarted,
    JobFailed,
    JobFinished,
    JobScheduled,
    LoadAsked,
    MessageSent,
    Part,
    Reply,
    ScalingSet,
    SendAnswered,
    SendFailed,
    ToolCallRequested,
)
from callboard.projections import GroupState, Said, cuts, group_state
from callboard.projections.group_folds import evolve
from callboard.projections.words import Job

from . import code, group, scaling
from .actor import Actor
from .commands import Command, Resume, TakeLoad, TakeWindow
from .patterns import Pattern

if TYPE_CHECKING:
    from .system import System


class GroupActor(Actor[GroupState]):
    """Gives its members the word. Its only effects are to read: how busy they are, and what they did."""

    projection = group_state
    evolve = staticmethod(evolve)
    _pattern: Pattern | None = None
    _rule: scaling.Rule = staticmethod(scaling.one_each)

    def __init__(self, stream: str, system: System) -> None:
        """Make the group of `stream`."""
        super().__init__(stream, system)
        self._began: dict[str, datetime] = {}
        self._took: dict[str, float] = {}

    def bind(self) -> str:
        """Find the pattern that the spec names, and the rule that it grows by."""
        assert self.state.spec is not None
        spec = self.state.spec.pattern
        try:
            self._pattern = code.build(self.system.code.find(spec.code), spec.fields)
            if self.state.scaling is not None:
                self._rule = self.system.code.find(self.state.scaling.rule)
        except CallboardError as error:
            return str(error)
        return ""

    def take(self, state: GroupState, command: Command) -> list[Event]:
        """Return what `command` adds to the log. Pure."""
        events = group.take(state, command)
        return super().take(state, command) if events is None else events

    def follow(self, state: GroupState) -> list[Event]:
        """Return what `state` calls for next. Pure."""
        return group.follow(self._pattern, state, self._rule) if self._pattern else []

    # -- effects --------------------------------------------------------------------------------

    def react(self, event: RecordedEvent) -> None:
        """Begin what a recorded event calls for."""
        self._time(event)
        match event.data:
            case LoadAsked(id=id):
                self.spawn(self._observe, id, event.ref)
            case JobScheduled() | JobFinished() | JobFailed():
                self._begin_jobs(event.ref)
            case GroupStarted() | GroupChanged() | GroupAltered() | ScalingSet():
                self.put(Resume())  # what follows is decided by the code that was bound since
            case _:
                super().react(event)

    def take_up(self) -> None:
        """Begin again to read what is still wanted."""
        cause = f"{self.stream}@{self.version}"
        if self.state.observing and self.state.desk.turn is not None:
            self.spawn(self._observe, self.state.desk.turn.id, cause)
        self._begin_jobs(cause)

    def _time(self, event: RecordedEvent) -> None:
        """Note how long a member took; what was before this process began is not known."""
        match event.data:
            case MessageSent(kind="turn", id=id):
                self._began[id] = event.recorded_at
            case SendAnswered(id=id) | SendFailed(id=id) if id in self._began:
                took = (event.recorded_at - self._began.pop(id)).total_seconds()
                name = id.rsplit("/", 1)[-1]
                self._took[name] = round((self._took.get(name, took) + took) / 2, 3)
            case _:
                pass

    async def _observe(self, id: str, cause: str) -> None:
        waiting: dict[str, int] = {}
        latency: dict[str, float] = {}
        for use in self.state.spec.members if self.state.spec else ():
            if use.stream in self.system.supervisor.stopped:
                continue
            desk = (await self.system.look(use.stream)).desk
            waiting[use.name] = len(desk.backlog) + (desk.turn is not None)
            if use.name in self._took:
                latency[use.name] = self._took[use.name]
        self.put(TakeLoad(id, waiting, latency, cause=cause))

    def _begin_jobs(self, cause: str) -> None:
        for job in list(self.state.jobs.values()):
            if job.phase == "scheduled" and not group.busy_in_background(self.state, job.member):
                self.spawn(self._begin_job, job, cause)

    async def _begin_job(self, job: Job, cause: str) -> None:
        """Read what the job is about, all that was said since its member last finished; it may have begun before."""
        state = self.state
        if job.cut:
            return self.put(TakeWindow(job.id, *cuts.told(state, job), cause=cause))
        since, upto = max(state.marks.get(job.member, 0), state.start), len(state.transcript)
        parts: list[Part] = []
        for said in state.transcript[since:upto]:
            if said.turn and said.id and not said.failed:
                parts += await self._calls(said)
            if said.text:
                parts.append(Part(said.speaker, said.text, said.failed))
        assert state.spec is not None
        note = [Part(state.spec.name, job.note)] if job.note else []
        self.put(TakeWindow(job.id, since, upto, (*parts, *note), cause=cause))

    async def _calls(self, said: Said) -> list[Part]:
        """Return the tools that the speaker called in that turn, with their arguments."""
        stream = self.state.streams.get(said.speaker, f"agent-{said.speaker}")
        received = await self.system.store.find(stream, said.id)
        found: list[Part] = []
        if received is None:
            return found
        async for event in self.system.store.read_stream(stream, after=received.version):
            match event.data:
                case ToolCallRequested(id=id, tool=tool, arguments=arguments) if id.startswith(f"{said.id}/"):
                    found.append(Part(f"{said.speaker} called {tool}", arguments))
                case Reply(id=id) if id == said.id:
                    break
                case _:
                    pass
        return found
