"""The detector: one fold over a whole log, which remembers what is open or recent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from callboard.events import RecordedEvent
from callboard.events.catalog import (
    AgentChanged,
    AgentStarted,
    BlockEdited,
    BlockStarted,
    GroupChanged,
    GroupScaled,
    GroupStarted,
    MemberJoined,
    MemberLeft,
    MessageReceived,
    MessageSent,
    ModelCallFinished,
    ModelCallStarted,
    RecipientsChosen,
    Reply,
    ToolCallFailed,
    ToolCallFinished,
    ToolCallRequested,
    ToolCallResolved,
    ToolUse,
    TurnFinished,
    TurnStarted,
)
from callboard.projections.projection import Projection
from callboard.projections.words import name_of

from . import edits, fairness, overdue, passes, repeats
from .case import Asked, Case, Hop, Queue, Shared, Tally, Turn, Waits, Watched
from .symptom import Symptom, Thresholds, arguments_mark, known, mark

TALKS = ("ask", "tell", "turn")
"""Messages that somebody works on."""

HAND_OFF = "hand_off"
"""The tool that a member of a group passes the talk on with."""


class Detector:
    """Takes the events of a log in their order, and says of each what it shows.

    Attributes:
        state: All that it remembers; another detector goes on from there.
    """

    def __init__(self, thresholds: Thresholds | None = None, state: Watched | None = None) -> None:
        self.thresholds = thresholds or Thresholds()
        self.state = state or Watched()

    def take(self, event: RecordedEvent) -> list[Symptom]:
        """Fold `event` in; return the symptoms that show now, each once in its request."""
        self.state.position = event.position
        trace = event.data.correlation_id or ""
        kind = event.stream.split("-", 1)[0]
        overdue.noted(self.state.boards, self.state.blocks, event)
        if kind == "block":
            return self._first_seen(self._of_block(event))
        self._lives(event)
        found: list[Symptom] = []
        if trace and kind in ("agent", "group"):
            case = self.state.cases.setdefault(trace, Case())
            found = self._first_seen(self._of_case(case, trace, event))
            found += self._first_seen(overdue.late(self.state.boards, event.recorded_at, self.thresholds, event))
            self._count(case, trace, event)
        return found

    def end(self, now: datetime) -> list[Symptom]:
        """Return what shows at `now`, after the last event, since time has passed."""
        return list(overdue.late(self.state.boards, now, self.thresholds))

    def _first_seen(self, found: Iterable[Symptom]) -> list[Symptom]:
        fresh: list[Symptom] = []
        for symptom in found:
            case = self.state.cases.get(symptom.trace)
            if case is None or symptom.key not in case.told:
                fresh.append(symptom)
            if case is not None:
                case.told.setdefault(symptom.key, symptom.position)
        return fresh

    def _count(self, case: Case, trace: str, event: RecordedEvent) -> None:
        """Note what is open of a request; when nothing is any more, it is forgotten."""
        data = event.data
        if {"turn", "send", "job"} & {data.opens, data.closes}:
            case.open += 1 if data.opens else -1
        if data.closes == "send":
            case.sends.pop(data.id, None)
        if case.open <= 0:
            del self.state.cases[trace]

    # -- agents, groups and blocks --------------------------------------------------------------

    def _lives(self, event: RecordedEvent) -> None:
        state, stream = self.state, event.stream
        match event.data:
            case AgentStarted(spec=spec) | AgentChanged(spec=spec):
                found = {tool.name: tool.may_repeat for tool in spec.tools if tool.may_repeat}
                state.repeats.pop(stream, None)
                state.repeats |= {stream: found} if found else {}
            case GroupStarted(spec=spec) | GroupChanged(spec=spec):
                members = [use.stream for use in spec.members]
                if members != state.declared.get(stream):
                    state.members[stream] = list(members)
                state.declared[stream] = members
            case MemberJoined(member=use):
                self._change(stream, (use.stream,), ())
            case MemberLeft(name=name):
                self._change(stream, (), (name,))
            case GroupScaled(joined=joined, left=left):
                self._change(stream, [use.stream for use in joined], left)
            case _:
                pass

    def _change(self, group: str, joined: Iterable[str], left: Iterable[str]) -> None:
        gone, members = set(left), self.state.members.get(group, [])
        kept = [one for one in members if name_of(one) not in gone]
        self.state.members[group] = [*kept, *(one for one in joined if one not in kept)]

    def _of_block(self, event: RecordedEvent) -> Iterator[Symptom]:
        blocks, stream = self.state.blocks, event.stream
        match event.data:
            case BlockStarted(spec=spec) if spec.name == spec.label and stream not in blocks:  # others are of one agent
                blocks[stream] = Shared(str(spec.value), items=spec.form != "text")
            case BlockEdited() as data if stream in blocks:
                yield from edits.undoing(blocks[stream], data, stream, event.position, self.thresholds)
            case _:
                pass

    # -- requests -------------------------------------------------------------------------------

    def _of_case(self, case: Case, trace: str, event: RecordedEvent) -> Iterator[Symptom]:
        match event.data:
            case MessageReceived() as message if message.kind in TALKS:
                yield from self._received(case, trace, event, message)
            case TurnStarted(id=id):
                yield from self._started(case, trace, event, id)
            case MessageSent() as sent if sent.kind in TALKS:
                yield from self._sent(case, trace, event, sent)
            case Reply(id=id) if event.data.closes == "turn":
                yield from self._ended(case, trace, event)
                case.turns.pop(id, None)
                self._left(event.stream, id)
            case ModelCallStarted(attempt=1, prompt=prompt):
                yield from repeats.same_prompt(case, trace, event.stream, prompt, event.position, self.thresholds)
            case ModelCallFinished(summarises=0):
                yield from repeats.monologue(case, trace, event.stream, event.position, self.thresholds)
            case _:
                yield from self._of_tool(case, trace, event)

    def _received(self, case: Case, trace: str, event: RecordedEvent, message: MessageReceived) -> Iterator[Symptom]:
        chain = case.sends.pop(message.id, None) or [Hop(event.stream, event.position)]
        case.root = case.root or event.stream
        heard = mark(*(word for part in message.parts for word in (part.speaker, known(part.text, event.ref))))
        own = {name_of(event.stream), name_of(message.sender)} if message.kind == "turn" else set[str]()
        others = any(part.speaker not in own for part in message.parts)
        case.turns[message.id] = Turn(event.position, chain, heard, others)
        queue = self.state.queues.setdefault(event.stream, Queue())
        queue.waiting[message.id] = Waits(trace, event.position, queue.dropped + len(queue.begun))
        yield from passes.fan_out(case, trace, message.id, event.position, self.thresholds)

    def _started(self, case: Case, trace: str, event: RecordedEvent, id: str) -> Iterator[Symptom]:
        turn = case.turns.get(id)
        if turn is not None and turn.others:
            case.mind(event.stream).alone = Tally()
        if (queue := self.state.queues.get(event.stream)) is not None:
            yield from fairness.begun(queue, trace, id, event.stream, event.position, self.thresholds)
            self._left(event.stream, id)

    def _left(self, stream: str, id: str) -> None:
        """Note that a message waits no more; what was remembered of an empty backlog is forgotten."""
        if (queue := self.state.queues.get(stream)) is not None:
            queue.waiting.pop(id, None)
            if not queue.waiting:
                del self.state.queues[stream]

    def _sent(self, case: Case, trace: str, event: RecordedEvent, sent: MessageSent) -> Iterator[Symptom]:
        parent = case.turns.get(sent.id.rsplit("/", 2)[0])
        before = parent.chain if parent else [Hop(event.stream, event.position)]
        chain = passes.passed(before, Hop(sent.recipient, event.position, parent is not None and parent.news))
        case.sends[sent.id] = chain
        yield from passes.alternation(chain, trace, self.thresholds)
        members = self.state.members.get(event.stream, [])
        if parent is not None and sent.kind == "turn":
            yield from fairness.left_out(
                parent, trace, event.stream, sent.recipient, members, event.position, self.thresholds
            )

    def _ended(self, case: Case, trace: str, event: RecordedEvent) -> Iterator[Symptom]:
        turn = case.turns.get(event.data.id)
        match event.data:
            case TurnFinished(id=id, text=text, uses=uses) if turn is not None and (text or uses):
                wanted = [f"{use.name} {arguments_mark(known(use.arguments, event.ref))}" for use in uses]
                said = mark(known(text, event.ref), *wanted)
                yield from repeats.same_words(
                    case, trace, event.stream, turn.heard, said, event.position, self.thresholds
                )
                yield from self._handed(case, trace, event, turn, id, uses)
            case _:
                pass

    def _handed(
        self, case: Case, trace: str, event: RecordedEvent, turn: Turn, id: str, uses: Iterable[ToolUse]
    ) -> Iterator[Symptom]:
        """Take in that a member passed the talk of its group on, if it did."""
        group = case.turns.get(id.rsplit("/", 2)[0])
        use = next((use for use in uses if use.name == HAND_OFF), None)
        if group is None or use is None:
            return
        streams = {name_of(one): one for one in self.state.members.get(group.chain[-1].stream, [])}
        to = streams.get(_named(use))
        if to is None:
            return
        before = group.passed
        if not before or before[-1].stream != event.stream:
            before = [Hop(event.stream, turn.position)]
        group.passed = passes.passed(before, Hop(to, event.position, turn.news))
        yield from passes.alternation(group.passed, trace, self.thresholds, name_of(group.chain[-1].stream))

    def _of_tool(self, case: Case, trace: str, event: RecordedEvent) -> Iterator[Symptom]:
        data = event.data
        turn = case.turns.get(data.id.rsplit("/", 2)[0])
        call = turn.calls.get(data.id) if turn else None
        match data:
            case ToolCallRequested(id=id, tool=tool, arguments=arguments) if turn is not None:
                turn.calls[id] = Asked(tool, arguments_mark(known(arguments, event.ref)))
            case RecipientsChosen() if call is not None:
                call.sends = True
            case (
                ToolCallFinished(id=id, text=text)
                | ToolCallFailed(id=id, text=text)
                | ToolCallResolved(id=id, text=text)
            ) if turn is not None and call is not None:
                del turn.calls[id]
                ok, result = isinstance(data, ToolCallFinished), mark(known(text, event.ref))
                repeats.notice(case, turn, event.stream, call, result, ok=ok)
                declared = self.state.repeats.get(event.stream, {}).get(call.tool, 0)
                yield from repeats.same_call(
                    case, turn, trace, event.stream, call, result, event.position, self.thresholds, declared
                )
            case _:
                pass


def _named(use: ToolUse) -> str:
    try:
        return str(use.arguments.pick("to"))
    except (KeyError, TypeError, ValueError):
        return ""


def symptoms(events: Iterable[RecordedEvent], thresholds: Thresholds | None = None) -> list[Symptom]:
    """Return what the log `events` shows, in the order of the log. Pure."""
    detector = Detector(thresholds)
    return [symptom for event in events for symptom in detector.take(event)]


def _evolve(state: Watched, event: RecordedEvent) -> Watched:
    Detector(state=state).take(event)
    return state


watched: Projection[Watched] = Projection("watched", Watched, _evolve)
"""What a detector with the default thresholds remembers of a log."""
