"""The guards of what checks and shows people in the loop, broken one by one: what is replaced, and who notices."""

from __future__ import annotations

from .mutations import Mutant

LAWS, AUDIT, SESSION, ASKING = (
    "projections/people_laws.py",
    "scripts/audit.py",
    "scripts/session.py",
    "scripts/asking.py",
)
CHECKED, TALK, SHOWN = ("tests/test_people_laws.py",), ("tests/test_interactive.py",), ("tests/test_people_readers.py",)

READER_MUTANTS = (
    Mutant("verify: an approval is for anything", LAWS, "if wanted and event.digest != wanted:", "if False:", CHECKED),
    Mutant(
        "verify: a person is asked about anything",
        LAWS,
        "if call.digest and digest != call.digest:",
        "if False:",
        CHECKED,
    ),
    Mutant("verify: leave is never needed", LAWS, 'case "wanted" if needs:', 'case "wanted" if False:', CHECKED),
    Mutant(
        "verify: an approval lasts", LAWS, 'call.phase, call.asked = "wanted", ""', 'call.phase = "approved"', CHECKED
    ),
    Mutant(
        "verify: a call begins twice",
        LAWS,
        'case "begun" if call.asked and call.wanted.effect == "once":',
        'case "begun" if False:',
        CHECKED,
    ),
    Mutant(
        "verify: what was refused begins",
        LAWS,
        'case "asked" | "refused" | "question" | "answered":',
        'case "asked" | "question" | "answered":',
        CHECKED,
    ),
    Mutant(
        "verify: anything is answered",
        LAWS,
        'case QuestionAnswered() if call.phase != "question":',
        "case QuestionAnswered() if False:",
        CHECKED,
    ),
    Mutant(
        "verify: a result of what waits",
        LAWS,
        'case ToolCallFinished() if call.phase in ("asked", "question"):',
        "case ToolCallFinished() if False:",
        CHECKED,
    ),
    Mutant(
        "verify: a decision that nobody asked for",
        LAWS,
        'if call.phase != ("wanted" if rule else "asked"):',
        "if False:",
        CHECKED,
    ),
    Mutant("audit: an approval is for anything", AUDIT, 'if data["digest"] != wanted:', "if False:", CHECKED),
    Mutant("audit: a call may do anything", AUDIT, 'if before and call["phase"] not in before:', "if False:", CHECKED),
    Mutant("audit: leave is never needed", AUDIT, '"needs" * (call["what"][0] in self.needs[stream])', '""', CHECKED),
    Mutant("a cancel is by the sender", "actors/rules.py", "by=by or sender", "by=sender", SHOWN),
    Mutant(
        "a message stands beside its call", "projections/trace.py", "same = self._sender(span.id) or", "same =", SHOWN
    ),
    Mutant(
        "what was typed for another question counts", SESSION, "        elif gone:\n", "        elif False:\n", TALK
    ),
    Mutant(
        "what was typed too early decides",
        SESSION,
        "        elif self._asked is not None:\n            await self._decide",
        "        elif self._now is not None:\n            await self._decide",
        TALK,
    ),
    Mutant("a second Ctrl-C is none", SESSION, "self._now is None or self._cancelling:", "self._now is None:", TALK),
    Mutant(
        "what was open is not gone on with", SESSION, "self._later += await self._open()", "await self._open()", TALK
    ),
    Mutant("yes and more approves", ASKING, 'in ("y", "yes") and not rest', 'in ("y", "yes")', TALK),
    Mutant("a number is an answer", ASKING, "_option(one, line.strip())", "line.strip()", TALK),
    Mutant(
        "a line has no end", "scripts/typed_lines.py", "if passed_over or len(line) > self._most:", "if False:", TALK
    ),
)
"""Those of the laws are noticed by forged logs, the others by what is on the screen."""
