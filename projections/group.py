"""Where a group stands: its members, all that was said in it, and who has the word."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import JsonValue

from callboard.events import Text
from callboard.events.catalog import (
    Part,
)
from callboard.events.specs import BlockUse, GroupSpec, MemberUse, Scaling

from .desk import Desk
from .growing import Growing
from .words import Choice, Ended, Job, Said, Word, name_of


@dataclass(frozen=True)
class GroupState:
    """State of one group, which is all that its pattern sees.

    Attributes:
        spec: The group as it is now.
        declared: As it was last started; members may have come and gone since.
        transcript: All that was said here, in every request, oldest first; choices are not in it.
        began: Where in `transcript` the open request begins.
        assigned: Number of the last turn of this request, choices and second tries counted.
        turns: Who was given the word in this request, in order; choices and second tries not counted.
        numbers: The numbers of those turns.
        open: Who has the word, as {turn: word}.
        heard: How much of `transcript` each member knows, as a number of items; in another conversation than `main`
            under `<member>/<conversation>`.
        failed: Turns of this request that failed, until it is decided what follows.
        unread: Choices that were answered, until they are read.
        choices: Those made in this request.
        down: Who failed in this request.
        waiting: How many requests waited for each member when that was last observed.
        latency: Seconds that each member took for a turn of late, when that was last observed.
        observed: Turns assigned when that was; -1 if it was not in this request.
        observing: Whether it is being observed.
        jobs: Background work that is open, by id, in the order of scheduling.
        marks: How much of `transcript` each member has worked through in the background; of a conversation that is
            cut under `/<conversation>`.
        cuts: Where in `transcript` the window of each conversation begins that was cut.
        trims: What those who answer owe to forget, by where `heard` has what they know: the request that they keep
            all from; empty for the one that is open then.
        shares: The blocks that were given to each, by its stream.
        shared: How often something was given or taken.
        unreached: Streams that what was given did not reach; they are tried again with the next request.
        fresh: Who has to forget what was said here before.
        start: Where in `transcript` the history begins since it was last reset.
        forgets: Whether it was reset since the last request began, so that the next one begins with no history.
        given: The blocks that groups around this one gave it, as (stream of the group, block).
        due: Streams of members that this group is about to begin; `leaving` of those that it is about to retire.
        scaling: How the group grows and shrinks; `scaled` says whether that was decided for this request.
        counter: Turns given in all requests.
        answered: Requests answered.
        processed: Id of the last request that ended.
        offered: Tools of turns, and notes, that were said before.
    """

    spec: GroupSpec | None = None
    declared: GroupSpec | None = None
    desk: Desk = Desk()
    transcript: Growing[Said] = field(default_factory=Growing[Said])
    began: int = 0
    assigned: int = 0
    turns: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    open: dict[int, Word] = field(default_factory=dict[int, Word])
    heard: dict[str, int] = field(default_factory=dict[str, int])
    failed: dict[int, Ended] = field(default_factory=dict[int, Ended])
    unread: dict[int, Ended] = field(default_factory=dict[int, Ended])
    choices: tuple[Choice, ...] = ()
    down: frozenset[str] = frozenset()
    waiting: dict[str, int] = field(default_factory=dict[str, int])
    latency: dict[str, float] = field(default_factory=dict[str, float])
    observed: int = -1
    observing: bool = False
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    marks: dict[str, int] = field(default_factory=dict[str, int])
    cuts: dict[str, int] = field(default_factory=dict[str, int])
    trims: dict[str, str] = field(default_factory=dict[str, str])
    shares: dict[str, tuple[BlockUse, ...]] = field(default_factory=dict[str, tuple[BlockUse, ...]])
    shared: int = 0
    unreached: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    start: int = 0
    forgets: bool = False
    given: tuple[tuple[str, BlockUse], ...] = ()
    due: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    scaling: Scaling | None = None
    scaled: bool = False
    counter: int = 0
    answered: int = 0
    processed: str = ""
    offered: tuple[Text, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """The names of the members, in order."""
        return tuple(member.name for member in self.spec.members) if self.spec else ()

    @property
    def managers(self) -> tuple[str, ...]:
        """The names of the manager and of those that stand by, in order."""
        return tuple(name_of(s) for s in (self.spec.manager, *self.spec.standby) if s) if self.spec else ()

    @property
    def manager(self) -> str:
        """The name of the first of `managers` that did not fail in this request; empty where there is none."""
        return next((name for name in self.managers if name not in self.down), "")

    @property
    def streams(self) -> dict[str, str]:
        """The stream of everybody here, by name: members, then managers."""
        if self.spec is None:
            return {}
        everybody = (*(m.stream for m in self.spec.members), self.spec.manager, *self.spec.standby)
        return {name_of(stream): stream for stream in everybody if stream}

    def about(self, member: str) -> MemberUse:
        """Return what is known of `member`. Pure."""
        assert self.spec is not None
        return next(use for use in self.spec.members if use.name == member)

    @property
    def conversation(self) -> str:
        """The conversation that the open request is part of."""
        return self.desk.turn.conversation if self.desk.turn else "main"

    @property
    def talk(self) -> list[Said]:
        """What was said in this conversation since the group was last reset, oldest first."""
        return [said for said in self.transcript.since(self.start) if said.conversation == self.conversation]

    def place(self, member: str) -> str:
        """Return under which name `heard` has what `member` knows of this conversation. Pure."""
        return member if self.conversation == "main" else f"{member}/{self.conversation}"

    @property
    def said(self) -> list[Said]:
        """What was answered in this request, in the order of the answers."""
        return [said for said in self.transcript.since(self.began) if said.turn]

    @property
    def replies(self) -> list[tuple[str, Said | None]]:
        """Each turn of this request, in order: who was given it, and what came of it; None while it is open."""
        answers = {said.turn: said for said in self.said}
        return [(name, answers.get(n)) for name, n in zip(self.turns, self.numbers, strict=True)]

    @property
    def chosen(self) -> str:
        """What was chosen since the last turn was assigned; empty where nothing was."""
        last = self.choices[-1] if self.choices else None
        return last.choice if last is not None and last.at == self.assigned else ""

    @property
    def request(self) -> tuple[Part, ...]:
        """What the open request says."""
        return self.desk.turn.parts if self.desk.turn else ()

    @property
    def params(self) -> dict[str, JsonValue]:
        """The options of the open request."""
        return self.desk.turn.params if self.desk.turn else {}

    @property
    def talking(self) -> set[str]:
        """Who has the word."""
        return {word.member for word in self.open.values()}

    @property
    def phase(self) -> str:
        """Where in its life the group is."""
        if self.spec is None:
            return "initialising"
        if self.desk.retired:
            return "terminating" if self.desk.turn or self.jobs else "terminated"
        if self.desk.turn is None:
            return "initialising" if any(send.kind == "attach" for send in self.desk.sends.values()) else "ready"
        if self.desk.ending:
            return "cancelling"
        if self.observing or any(word.cue.pick for word in self.open.values()):
            return "choosing speaker"
        if self.open:
            return "executing"
        return "updating history" if self.assigned else "processing"

    def fits(self, *, kind: str = "", tag: str = "", member: str = "") -> bool:
        """Return whether the group is of a kind of pattern, and has a member with a tag, and somebody of a name. Pure.

        Args:
            kind: The class of the pattern, `RoundRobin` or `round_robin`, or its address; empty for any.
        """
        if self.spec is None:
            return not (kind or tag or member)
        code = self.spec.pattern.code
        right = not kind or _plain(kind) in (_plain(code), _plain(code.rsplit(":", 1)[-1]))
        tagged = not tag or any(tag in use.tags for use in self.spec.members)
        return right and tagged and (not member or member in self.streams)

    def unheard(self, member: str) -> tuple[Part, ...]:
        """Return what `member` has not heard yet; its own words it knows. Pure."""
        begin = max(self.start, self.cuts.get(self.conversation, 0))
        news = self.transcript.since(max(self.heard.get(self.place(member), 0), begin))
        return tuple(
            Part(speaker=said.speaker, text=said.text, failed=said.failed)
            for said in news
            if said.speaker != member and said.text and said.conversation == self.conversation
        )


def _plain(kind: str) -> str:
    """Return a kind of pattern without what people write otherwise: `round_robin` is `RoundRobin`. Pure."""
    return kind.replace("_", "").replace("-", "").casefold()
