"""The guards of mail, broken one by one: what is replaced by what, and who notices."""

from __future__ import annotations

from .mutations import RULES, STEP, Mutant

DESK, BOX, POST, LETTERS = "projections/desk.py", "actors/mailbox.py", "actors/post.py", "actors/letters.py"
CONTEXTS, GROUP, ACTOR = "projections/contexts.py", "projections/group.py", "actors/agent_actor.py"
FAIR, EXPIRY = ("tests/test_fairness.py",), ("tests/test_expiry.py",)
MAIL, TALKS, MACHINE = ("tests/test_post.py",), ("tests/test_contexts.py",), ("tests/test_machine_mailbox.py",)

MAIL_MUTANTS = (
    Mutant("first come is first served", DESK, "return (*backlog[:place], message, *backlog[place:])",
           "return (*backlog, message)", FAIR),
    Mutant("what is dropped shifts the turns", DESK,
           "backlog = _in_turns(left, (message.sender for message in desk.backlog))", "backlog = tuple(left)", FAIR),
    Mutant("the first that waits begins, whatever the log says", DESK,
           "[turn] = [message for message in desk.backlog if message.id == id]", "turn = desk.backlog[0]", FAIR),
    Mutant("what is recorded as waiting takes no room", BOX,
           "self._inside[delivery.sender] + self._recorded[1][delivery.sender]", "self._inside[delivery.sender]", FAIR),
    Mutant("all senders share one room", BOX,
           "return self._inside[delivery.sender] + self._recorded[1][delivery.sender]",
           "return self._inside.total() + self._recorded[1].total()", FAIR),
    Mutant("what is on its way into the log takes no room", BOX,
           "        self._let_in()\n        results",
           "        self._inside.clear()\n        self._let_in()\n        results", MACHINE),
    Mutant("a newcomer passes those before the mailbox", BOX, "or (line and isinstance(delivery, Receive))", "",
           MACHINE),
    Mutant("who waits before a mailbox is never let in", BOX, "        self._let_in()\n        results",
           "        results", MACHINE),
    Mutant("a cancel needs room", BOX, "if not isinstance(delivery, Receive) or", "if", MACHINE),
    Mutant("what is recorded needs room again", STEP, "known = self._mailbox.full(delivery) and await",
           "known = False and await", FAIR),
    Mutant("nothing tells when a message is due", STEP,
           "                self.system.timers.set(self.stream, [message])\n",
           "                pass\n", EXPIRY),
    Mutant("no time is kept after a restart", STEP,
           "        self.system.timers.set(self.stream, self.state.desk.backlog)\n", "", EXPIRY),
    Mutant("what is overdue begins", STEP, "for command in (*results, *fresh, *late):",
           "for command in (*results, *fresh):", EXPIRY),
    Mutant("what is worked on expires", RULES,
           "[_dead(message, command) for message in desk.backlog if message.id == id]",
           "[_dead(message, command) for message in (*desk.backlog, desk.turn) if message and message.id == id]",
           EXPIRY),
    Mutant("a send loses its expiry", "actors/courier.py", "expires=sent.expires, ", "", EXPIRY),
    Mutant("an expired message that is put back expires again", LETTERS,
           "conversation=talk, params=params, cause=letter.died.ref)",
           "conversation=talk, params=params, expires=message.expires, cause=letter.died.ref)", EXPIRY),
    Mutant("a dead letter loses its conversation", LETTERS, "conversation=talk, ", "", EXPIRY),
    Mutant("keeping the time holds up who leaves", "actors/system.py", "self._tasks.start_soon(self.timers.run)",
           "self.spawn(self.timers.run)", EXPIRY),
    Mutant("a drop is taken as recorded", POST,
           "    if before is None or (before.text, before.by) != (said.text, said.by):", "    if False:", MAIL),
    Mutant("anybody's drop is one's own", POST, "if before is not None and (before.text, before.by) == (text, by):",
           "if before is not None:", MAIL),
    Mutant("what was received is on its way still", POST, "return not [key for key in keys",
           "return not [key for key in () ", MAIL),
    Mutant("all is one conversation", CONTEXTS, "    if conversation == state.conversation:\n", "    if True:\n",
           TALKS),
    Mutant("a group that begins anew is forgotten in one conversation", CONTEXTS,
           "kept = {name: context.less(group, layout) for", "kept = {name: context for", TALKS),
    Mutant("a prompt goes on with that of another conversation", "actors/calling.py",
           "if not (self._rendered and state.lines.continues(self._rendered)):", "if not self._rendered:", TALKS),
    Mutant("members hear all conversations of their group", GROUP,
           " and said.conversation == self.conversation\n", "\n", TALKS),
    Mutant("a member knows in one conversation what it heard in another", GROUP,
           'return member if self.conversation == "main" else f"{member}/{self.conversation}"', "return member", TALKS),
    Mutant("a group's word is heard in main", "actors/cues.py", "            conversation=turn.conversation,\n", "",
           TALKS),
    Mutant("a key counts in any conversation", "actors/rules.py",
           "        and received.conversation == delivery.conversation\n", "", TALKS),
)  # fmt: skip
"""A guard for each; noticed by rules as data, by the machine of the mailbox, or by whole systems."""
