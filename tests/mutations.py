"""The guards that are broken, one by one: what is replaced by what, and who notices."""

from __future__ import annotations

from typing import NamedTuple

HUNT = ("hunt",)
"""Noticed by simulated systems."""


def hunting(scenario: int) -> tuple[str, ...]:
    """Return that systems of this one scenario notice."""
    return (*HUNT, str(scenario))


class Mutant(NamedTuple):
    """A guard, broken: in `path`, `old` gives way to `new`; noticed by the tests `by`, or by simulation.

    Attributes:
        gone: Text that is left out besides.
    """

    name: str
    path: str
    old: str
    new: str
    by: tuple[str, ...] = HUNT
    gone: str = ""


STEP, AGENT, AGENT_ACTOR, RULES = "actors/actor.py", "actors/agent.py", "actors/agent_actor.py", "actors/rules.py"
SYSTEM, COURIER = "actors/system.py", "actors/courier.py"
APPEND = "        recorded = await self._append(new)\n"

MUTANTS = (
    # -- intents, effects, outcomes
    Mutant(
        "the start of a tool is not recorded",
        STEP,
        APPEND,
        "        recorded = await self._append([one for one in new if one.data.goes_on != 'tool'])\n"
        "        self.state = state\n"
        "        for one in new:\n"
        "            if one.data.goes_on == 'tool':\n"
        "                now = self.system.outside.now()\n"
        "                self.react(RecordedEvent(0, self.stream, 0, now, None, b'', one.data))\n",
    ),
    Mutant(
        "effects begin before the append",
        STEP,
        APPEND,
        "        self.state = state\n"
        "        for n, one in enumerate(new, start=self.version + 1):\n"
        "            now = self.system.outside.now()\n"
        "            self.react(RecordedEvent(0, self.stream, n, now, None, b'', one.data))\n" + APPEND,
        gone="        for event in recorded:\n            self.react(event)\n",
    ),
    Mutant(
        "a reply goes out before the append",
        STEP,
        APPEND,
        "        for one in new:\n"
        "            if isinstance(one.data, Reply) and one.data.to:\n"
        "                self.system.give_back(one.data.to, TakeAnswer(one.data.id, one.data.words, one.data.ok))\n"
        + APPEND,
    ),
    Mutant("state is taken before the append", STEP, APPEND, "        self.state = state\n" + APPEND),
    Mutant("a turn that was cut short is not resumed", AGENT, "if turn and state.runs else []", "if False else []"),
    Mutant(
        "a once tool is run again",
        AGENT,
        "            return ToolCallInDoubt(id=call.id)\n",
        '            return ToolCallStarted(id=call.id, attempt=2, callkey=f"{log_id}/{call.id}")\n',
        hunting(0),
    ),
    Mutant(
        "a call in doubt is not looked up again",
        AGENT_ACTOR,
        'if call.phase == "in doubt":\n                self',
        "if False:\n                self",
        ("tests/test_guards.py",),
    ),
    Mutant(
        "a late reply is taken",
        "actors/calls.py",
        "if call is None or call.id != command.id:",
        "if False:",
        ("tests/test_agent.py",),
    ),
    Mutant("a late result is taken", AGENT, "replaced) if id in state.tools:", "replaced):", ("tests/test_agent.py",)),
    Mutant(
        "attempts are not numbered",
        "actors/calls.py",
        "attempt=call.attempt + 1,\n        model",
        "attempt=1,\n        model",
    ),
    Mutant("a pause is not waited for", "actors/calling.py", "if call.due is not None:", "if False:"),
    Mutant(
        "a pause is not recorded",
        "actors/calls.py",
        "due = retry_at if attempt < MAX_ATTEMPTS else None",
        "due = command.retry_at and command.retry_at.replace(year=2020)",
    ),
    Mutant(
        "what was prepared before an attempt begins the next one",
        "actors/calls.py",
        "(call.attempt, fallbacks.wanted(state)) != (begin.after, begin.model) or call.phase",
        "fallbacks.wanted(state) != begin.model or call.phase",
        ("tests/test_agent.py",),
    ),
    # -- appends whose outcome is unknown
    Mutant(
        "an append of unknown outcome counts as written",
        STEP,
        "                recorded = [event async for event in store.read_stream(self.stream, after=self.version)]\n",
        "                return [\n"
        "                    RecordedEvent(0, self.stream, n, self.system.outside.now(), None, b'', one.data)\n"
        "                    for n, one in enumerate(new, start=self.version + 1)\n"
        "                ]\n",
    ),
    Mutant(
        "an append of unknown outcome counts as lost",
        STEP,
        "                recorded = [event async for event in store.read_stream(self.stream, after=self.version)]\n",
        "                return []\n",
    ),
    # -- messages
    Mutant(
        "a message that comes again is decided again",
        STEP,
        "return not answered and (not received or isinstance(delivery, Cancel))",
        "return True",
    ),
    Mutant(
        "a message that comes again is not answered from the log",
        STEP,
        "        if answered:\n            self.react(answered)\n",
        "",
    ),
    Mutant(
        "open sends are not sent again",
        STEP,
        "            self._send(id, sent, causes.get(id))\n",
        "            pass\n",
    ),
    Mutant("a send counts as accepted before it is", STEP, "        await waiting.ended.wait()\n", ""),
    Mutant(
        "an answer that nobody waits for is taken",
        "actors/rules.py",
        "case TakeAnswer(id, text, ok, accepted, reason, uses, spent) if id in desk.sends:",
        "case TakeAnswer(id, text, ok, accepted, reason, uses, spent):",
    ),
    Mutant(
        "a tell stays open",
        COURIER,
        "if message.kind not in ANSWERED:",
        "if False:",
        ("tests/test_sends.py",),
    ),
    Mutant(
        "sends go out in another order",
        COURIER,
        "            message = self._waiting[0]\n",
        "            self._waiting.rotate(1)\n            message = self._waiting[0]\n",
    ),
    Mutant(
        "a key is used again with another text",
        STEP,
        "if received and isinstance(delivery, Receive) and not rules.same(received.data, delivery):",
        "if False:",
        ("tests/test_system.py::test_the_same_key_gives_the_same_answer_and_another_text_is_refused",),
    ),
    # -- cancels
    Mutant(
        "a cancel that overtakes its message leaves nothing",
        RULES,
        "return [MessageRefused(id=id, to=sender, text=as_text(why or CANCELLED), begun=False)]",
        "return []",
    ),
    Mutant(
        "a cancel is not carried",
        STEP,
        "self.spawn(self._cancel, self.state.desk.sends[id].recipient, id)",
        "pass",
        ("tests/test_guards.py",),
    ),
    Mutant(
        "a cancel overtakes its message within a step",
        "actors/mailbox.py",
        "sorted(waiting, key=lambda one: isinstance(one.delivery, Cancel))",
        "sorted(waiting, key=lambda one: not isinstance(one.delivery, Cancel))",
    ),
    Mutant(
        "an edit and its cancel in one step are both answered",
        STEP,
        "if isinstance(command, Cancel) and rules.answers(new, command.id):",
        "if False:",
        ("tests/test_restart.py",),
    ),
    # -- beginning again
    Mutant(
        "open work is not taken up",
        SYSTEM,
        "        for stream in left.streams():\n            self.actor(stream).wake()\n",
        "",
    ),
    Mutant(
        "the askers of a restarted actor do not ask again",
        SYSTEM,
        "            other.send_again(stream)\n",
        "            pass\n",
        ("tests/test_guards.py",),
    ),
    Mutant(
        "who asked a restarted actor from outside does not ask again",
        "actors/door.py",
        "            self._system.spawn(self._again, waiter)\n",
        "            pass\n",
        ("tests/test_guards.py",),
    ),
    Mutant(
        "an actor that begins again does not wait for the append of the one before",
        STEP,
        "            await self.before.ended()\n",
        "",
        ("tests/test_restart.py",),
    ),
    # -- groups and blocks
    Mutant("turns are not numbered", "actors/cues.py", "start=state.assigned + 1", "start=1"),
    Mutant(
        "members hear their own words",
        "projections/group.py",
        "if said.speaker != member and said.text",
        "if said.text",
        ("tests/test_group.py",),
    ),
    Mutant(
        "a rewrite of text that moved on lands",
        "actors/memory.py",
        '    if names := _others(state, request):\n        return f"{names} changed the block since you read it. ',
        '    if names := "":\n        return f"{names} changed the block since you read it. ',
        ("tests/test_memory.py::test_a_rewrite_of_text_that_moved_on_is_refused_with_the_difference",),
    ),
    Mutant(
        "one's own view of a block counts as that of others",
        "projections/block.py",
        "takewhile(lambda change: change.version > version,",
        "takewhile(lambda change: change.version >= version,",
        ("tests/test_machine_edits.py",),
    ),
    Mutant(
        "a mailbox takes all that comes",
        "actors/mailbox.py",
        "        if known or not (self.full(delivery) or (line and isinstance(delivery, Receive))):\n",
        "        if True:\n",
        ("tests/test_machine_mailbox.py",),
    ),
    Mutant(
        "two deliveries of one message wait as two",
        "actors/mailbox.py",
        "        known = self._waiting.setdefault(_place(delivery), waiting)\n",
        "        known = self._waiting[_place(delivery)] = waiting\n",
        ("tests/test_machine_mailbox.py",),
    ),
    Mutant(
        "an unaccepted delivery is not given back",
        "actors/actor.py",
        '        end_all(self._mailbox.close(), Undelivered(f"{self.stream} stopped"))\n',
        "        self._mailbox.close()\n",
    ),
    # -- the log
    Mutant(
        "texts of a failed append keep their places",
        "events/queue.py",
        "        if isinstance(outcome, LogError):\n",
        "        if False:\n",
        ("tests/test_store.py::test_a_text_of_an_append_at_a_stale_version_can_be_said_again",),
    ),
    Mutant(
        "the version of a stream is not checked",
        "events/memory.py",
        "        if actual != expected_version:\n",
        "        if False:\n",
        ("tests/test_store.py::test_append_at_a_stale_version_writes_nothing",),
    ),
    Mutant(
        "the committer does not check versions",
        "events/committer.py",
        "            if heads.get(stream, self._heads[stream]) != appending.expected_version:\n",
        "            if False:\n",
        ("tests/test_store.py::test_append_ahead_of_the_stream_writes_nothing",),
    ),
    Mutant(
        "a known key is written again",
        "events/store.py",
        "        if key is None or (known := await store.find(stream, key)) is None:\n",
        "        if key is None or (known := await store.find(stream, key)) or not known:\n",
        ("tests/test_store.py::test_a_repeated_append_returns_the_first_result",),
    ),
    Mutant(
        "a known key with other content counts as the same",
        "events/store.py",
        "        if [old.data for old in first] != [new.data for new in events]:\n",
        "        if False:\n",
        ("tests/test_store.py::test_a_known_key_with_other_content_is_refused",),
    ),
    Mutant(
        "events are not chained",
        "events/memory.py",
        'previous = self.rows[-1].chain if self.rows else b""',
        'previous = b""',
        ("tests/test_store.py::test_the_chain_can_be_computed_from_what_is_stored",),
    ),
    Mutant(
        "the epoch is ignored",
        "events/committer.py",
        "        if self._epoch and epoch != self._epoch:\n",
        "        if False:\n",
        ("tests/test_fencing.py::test_whoever_was_taken_over_can_append_nothing",),
    ),
    Mutant(
        "a loss is not looked for",
        "events/writer.py",
        "            if examined.loss is not None and accept_loss is None:\n",
        "            if False:\n",
        ("tests/test_anchor.py::test_a_lost_wal_is_found",),
    ),
    Mutant(
        "an append returns before the anchor knows of it",
        "events/committer.py",
        "            anchor.write(Head(log_id, self._epoch, self._position, self._chain))\n",
        "            del anchor, log_id\n",
        ("tests/test_anchor.py::test_the_anchor_is_written_before_an_append_returns",),
    ),
    Mutant(
        "an outcome that is unknown counts as rejected",
        "events/committer.py",
        "        unwritten = primary_code(error) in UNWRITTEN\n",
        "        unwritten = True\n",
        ("tests/test_sqlite_faults.py::test_after_an_error_of_the_disk_what_the_file_holds_counts",),
    ),
    Mutant(
        "a tell that is cancelled is not sent again",
        STEP,
        "if not cancelling or sent.kind not in ANSWERED:",
        "if not cancelling:",
        ("tests/test_guards.py",),
    ),
    Mutant(
        "a question that did not arrive is waited for",
        STEP,
        " if await self.system.store.find(sent.recipient, id) is not None}",
        "}",
        ("tests/test_guards.py",),
    ),
    Mutant(
        "a file that was cut off is read as it is",
        "events/file.py",
        "        os.truncate(copy, cut.wanted)\n",
        "        pass\n",
        ("tests/test_cut.py",),
    ),
)
