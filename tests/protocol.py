"""The protocol of sends as a small model, explored state by state; `python -m tests.protocol` prints how many.

A sends messages to B, in order, each a tell or an ask, and may change its mind. Their streams survive
everything. What is on its way is lost when the process dies, at most twice, and the part of one side when that
begins again, at most once. Each rule of the protocol can be left out, to see that it is needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

Message = tuple[str, int]
"""What is carried: `message` or `cancel`, `accepted` or `answer`, and which."""


class State(NamedTuple):
    """Both streams, and what is on its way.

    Attributes:
        a: Events of the sender, such as `sent 1`, `cancelling 1`, `closed 1`.
        b: Events of the recipient: `received 1`, `cancelling 1`, `answered 1`.
        queue: What the courier still has to hand over, in order.
        carried: Which of these lie in the mailbox of B, and are waited for.
        cancels: The cancels that A still has to hand over.
        box: The mailbox of B.
        results: The mailbox of A.
    """

    a: tuple[str, ...] = ()
    b: tuple[str, ...] = ()
    queue: tuple[int, ...] = ()
    carried: frozenset[int] = frozenset()
    cancels: frozenset[int] = frozenset()
    box: tuple[Message, ...] = ()
    results: frozenset[Message] = frozenset()
    crashes: int = 2
    restarts: int = 1


@dataclass(frozen=True)
class Protocol:
    """The rules; `kinds` says what A sends, each `tell` or `ask`.

    Attributes:
        one_at_a_time: The next message goes out when the one before is in the recipient's stream.
        sent_again: What is open is sent again when its sender begins again.
        cancelled_again: What is cancelled and open is cancelled again, likewise.
        key_looked_up: A message that was received is not received again.
        answered_again: A message that was answered is answered from the stream.
        cancel_remembered: A cancel that overtakes its message answers it.
        accepted_late: A message counts as accepted when it is in the stream, not in the mailbox.
        given_back: An actor that stops gives back what it has not accepted.
        asked_again: When an actor begins again, what is open to it is sent again.
        closed_by_answer: What is cancelled stays open until its answer comes, or that it was taken in.
        tell_sent_again: A tell that is cancelled and open is sent again as well; once taken in it has no answer.
        closed_once: What is closed is not closed again.
    """

    kinds: tuple[str, ...]
    one_at_a_time: bool = True
    sent_again: bool = True
    cancelled_again: bool = True
    key_looked_up: bool = True
    answered_again: bool = True
    cancel_remembered: bool = True
    accepted_late: bool = True
    given_back: bool = True
    asked_again: bool = True
    closed_by_answer: bool = True
    tell_sent_again: bool = True
    closed_once: bool = True

    # -- what can happen --------------------------------------------------------------------------

    def next(self, s: State) -> Iterator[tuple[str, State]]:
        """Yield all that can happen in `s`: faults with a `!` before their name, changes of mind with a `?`."""
        yield from self._sender(s)
        yield from self._ways(s)
        if s.box:
            yield "b takes in", self._taken(s)
        for m in self._at_work(s):
            yield f"b answers {m}", self._answered(_done(s, m), m)
            break  # one turn at a time
        if s.crashes:
            dead = s._replace(queue=(), carried=frozenset(), cancels=frozenset(), box=(), results=frozenset())
            yield "!crash", self._resumed(dead._replace(crashes=s.crashes - 1))
        if s.restarts:
            yield from self._restarts(s._replace(restarts=s.restarts - 1))

    def _sender(self, s: State) -> Iterator[tuple[str, State]]:
        sent = [m for m in range(len(self.kinds)) if f"sent {m}" in s.a]
        if len(sent) < len(self.kinds):
            yield f"a sends {len(sent)}", _said(s, f"sent {len(sent)}")._replace(queue=(*s.queue, len(sent)))
        for m in sent:
            if not {f"cancelling {m}", f"closed {m}"} & {*s.a}:
                more = (f"cancelling {m}",) if self.closed_by_answer else (f"cancelling {m}", f"closed {m}")
                yield f"?a cancels {m}", _said(s, *more)._replace(cancels=s.cancels | {m})
        for what, m in s.results:
            left = s._replace(results=s.results - {(what, m)})
            waits = not self.closed_once or f"closed {m}" not in s.a
            yield f"a hears {what} {m}", _said(left, f"closed {m}") if waits else left

    def _ways(self, s: State) -> Iterator[tuple[str, State]]:
        for m in s.queue[:1] if self.one_at_a_time else s.queue:
            if m not in s.carried:
                there = self._posted(s, ("message", m))
                yield (
                    f"message {m} arrives",
                    (there._replace(carried=s.carried | {m}) if self.accepted_late else self._accepted(there, m)),
                )
        for m in s.cancels:
            yield f"cancel {m} arrives", self._posted(s, ("cancel", m))._replace(cancels=s.cancels - {m})

    def _posted(self, s: State, message: Message) -> State:
        return s if message in s.box else s._replace(box=(*s.box, message))

    def _accepted(self, s: State, m: int) -> State:
        queue = tuple(other for other in s.queue if other != m)
        tell = {("accepted", m)} if self.kinds[m] == "tell" else set[Message]()
        return s._replace(queue=queue, carried=s.carried - {m}, results=s.results | tell)

    def _answered(self, s: State, m: int) -> State:
        return s._replace(results=s.results | {("answer", m)}) if self.kinds[m] == "ask" else s

    def _refused(self, s: State, m: int) -> State:
        return s._replace(results=s.results | {("answer", m)})

    def _at_work(self, s: State) -> Iterator[int]:
        for event in s.b:
            what, m = event.split()
            if what == "received" and f"answered {m}" not in s.b:
                yield int(m)

    def _taken(self, s: State) -> State:
        """Return what comes of the recipient's taking in all that waits: messages, then cancels."""
        waiting, s = sorted(s.box, key=lambda one: one[0] == "cancel"), s._replace(box=())
        for what, m in waiting:
            if what == "message":
                s = self._received(s, m)
            elif f"answered {m}" in s.b:
                s = self._answered(s, m)
            elif f"received {m}" in s.b:
                s = self._answered(_done(s, m), m)
            elif self.cancel_remembered:
                s = self._refused(_done(s, m), m)
        return s

    def _received(self, s: State, m: int) -> State:
        if m in s.carried:
            s = self._accepted(s, m)
        if f"answered {m}" in s.b:
            return self._answered(s, m) if self.answered_again else s
        if f"received {m}" in s.b and self.key_looked_up:
            return s
        received = [event for event in s.b if event.startswith("received")]
        return s._replace(b=(*received, f"received {m}", *s.b[len(received) :]))

    # -- beginning again --------------------------------------------------------------------------

    def _restarts(self, s: State) -> Iterator[tuple[str, State]]:
        yield (
            "!a begins again",
            self._resumed(s._replace(queue=(), carried=frozenset(), cancels=frozenset(), results=frozenset())),
        )
        if s.box:
            deaf = self._taken(s)._replace(results=s.results)  # it stopped before it could answer
            yield "!b takes in and begins again", self._asked_again(deaf)
        for m in self._at_work(s):
            yield f"!b answers {m} and begins again", self._asked_again(_done(s, m))
            break
        yield "!b begins again", self._asked_again(s)

    def _asked_again(self, s: State) -> State:
        lost = {m for what, m in s.box if what == "cancel"}
        s = s._replace(box=())
        if self.given_back:
            s = s._replace(carried=frozenset(), cancels=s.cancels | lost)
        return self._resumed(s) if self.asked_again else s

    def _resumed(self, s: State) -> State:
        for m in range(len(self.kinds)):
            if f"sent {m}" not in s.a or f"closed {m}" in s.a:
                continue
            if f"cancelling {m}" in s.a:
                s = s._replace(cancels=s.cancels | {m}) if self.cancelled_again else s
                if self.kinds[m] == "ask" or not self.tell_sent_again:
                    continue
            if self.sent_again and m not in s.queue:
                s = s._replace(queue=(*s.queue, m))
        return s

    # -- what is wanted ---------------------------------------------------------------------------

    def wrong(self, s: State) -> str:
        """Return what must never be, and is; empty where all is well."""
        for stream in (s.a, s.b):
            if twice := [event for event in stream if stream.count(event) > 1]:
                return f"twice: {twice[0]}"
        got = [event for event in s.b if event.startswith("received")]
        if got != sorted(got):
            return "out of order"
        for m, kind in enumerate(self.kinds):
            over = {f"answered {m}"} if kind == "ask" else {f"answered {m}", f"received {m}"}
            if f"closed {m}" in s.a and not over & {*s.b}:
                return f"closed, and not over: {kind} {m}"
        return ""

    def good(self, s: State) -> bool:
        """Return whether all was sent, closed and answered."""
        closed = all(f"closed {m}" in s.a for m in range(len(self.kinds)))
        return closed and not any(self._at_work(s))


def _said(s: State, *events: str) -> State:
    return s._replace(a=tuple(sorted((*s.a, *events))))  # their order decides nothing, so it makes no other states


def _done(s: State, m: int) -> State:
    received = [event for event in s.b if event.startswith("received")]
    answered = sorted((f"answered {m}", *(event for event in s.b if event.startswith("answered"))))
    return s._replace(b=(*received, *answered))


@dataclass(frozen=True)
class Explored:
    """All states that can be reached; `wrong` is the first fault found, and the `path` to it the shortest."""

    states: int
    wrong: str = ""
    path: tuple[str, ...] = ()


def explore(protocol: Protocol, crashes: int = 2) -> Explored:
    """Look at every state that can be reached, nearest first, and see that each has a way to a good end.

    The good end must be reached without another fault or change of mind, whatever happened before.
    """
    first = State(crashes=crashes)
    came: dict[State, tuple[State, str] | None] = {first: None}
    before: dict[State, list[State]] = {}
    todo = deque([first])
    while todo:
        state = todo.popleft()
        if wrong := protocol.wrong(state):
            return Explored(len(came), wrong, _path(came, state))
        for name, then in protocol.next(state):
            if name[0] not in "!?":
                before.setdefault(then, []).append(state)
            if then not in came:
                came[then] = (state, name)
                todo.append(then)
    ends = {state for state in came if protocol.good(state)}
    todo.extend(ends)
    while todo:
        for state in before.get(todo.popleft(), ()):
            if state not in ends:
                ends.add(state)
                todo.append(state)
    lost = next((state for state in came if state not in ends), None)
    if lost is not None:
        return Explored(len(came), "no way to a good end", _path(came, lost))
    return Explored(len(came))


def _path(came: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    path: list[str] = []
    while (step := came[state]) is not None:
        state, name = step
        path.append(name)
    return tuple(reversed(path))


SENDS = (("tell", "tell"), ("tell", "ask"), ("ask", "tell"), ("ask", "ask"))
RULES = tuple(name for name in Protocol.__dataclass_fields__ if name != "kinds")


def without(protocol: Protocol, rule: str) -> Protocol:
    """Return `protocol` with one rule left out."""
    return replace(protocol, **{rule: False})


def first_wrong(rule: str, crashes: int = 2) -> Explored | None:
    """Return what goes wrong without `rule`, for the first sends where something does."""
    explored = (explore(without(Protocol(kinds), rule), crashes) for kinds in SENDS)
    return next((found for found in explored if found.wrong), None)


def main() -> None:
    """Print what is found with all rules, and without each."""
    for kinds in SENDS:
        print(f"{', '.join(kinds)}: {explore(Protocol(kinds))}")
    for rule in RULES:
        print(f"without {rule}: {first_wrong(rule)}")


if __name__ == "__main__":
    main()
