"""The guards of blame and impact, broken one by one: what is replaced by what, and who notices."""

from __future__ import annotations

from .mutations import Mutant

BLAME, RUNS, PRESENCE = "projections/blame.py", "projections/runs.py", "projections/presence.py"
PAIRS = "projections/pairs.py"
FOLD, ORIGIN, REACH = ("tests/test_blame.py",), ("tests/test_provenance.py",), ("tests/test_impact.py",)

BLAME_MUTANTS = (
    Mutant(
        "blame: an undo is an edit like any other",
        BLAME,
        'if edit.verb in ("undo", "redo") else None',
        "if False else None",
        FOLD,
    ),
    Mutant(
        "blame: an undo brings back what it says it does",
        BLAME,
        "if back == value or (self.erased and len(back) == len(value)) else None",
        "",
        FOLD,
    ),
    Mutant("blame: an undo of what was erased is an edit", BLAME, "or (self.erased and", "or (False and", FOLD),
    Mutant("blame: what comes back is begun anew", BLAME, "if not self.version:", "if True:", FOLD),
    Mutant(
        "blame: a rewrite keeps no line",
        RUNS,
        "index = -1 if partner is None else 2 * partner + n % 2",
        "index = -1",
        FOLD,
    ),
    Mutant(
        "blame: lines of any order are kept",
        PAIRS,
        "at = bisect_left(begins, -j)",
        "at = len(begins)",
        (*FOLD, "tests/test_pairs.py"),
    ),
    Mutant(
        "blame: what is new joins what was kept",
        RUNS,
        "start < 0 if at < 0 else start == at + size",
        "start == at + size if start >= 0 else at < 0",
        FOLD,
    ),
    Mutant(
        "differences: all pairs of lines are compared, however many",
        PAIRS,
        "room -= often[line] * len(places[line])",
        "room -= 0",
        ("tests/test_pairs.py",),
    ),
    Mutant("blame: a compact JSON is one line", BLAME, 'LINES if form == "text" else ITEMS', "LINES", FOLD),
    Mutant("impact: blanks count as text", PRESENCE, 'len("".join(text.split()))', "len(text)", FOLD),
    Mutant(
        "impact: an erased text is its sign", PRESENCE, "if version in self.blame.erased else", "if False else", FOLD
    ),
    Mutant("impact: a text that is gone is still there", PRESENCE, "times[-1][1] = now", "pass", FOLD),
    Mutant(
        "impact: a line is all of its version",
        "projections/impact.py",
        "stream, found, LINE,",
        "stream, found, shown.version,",
        REACH,
    ),
    Mutant("impact: nobody reads the answer to an edit", PRESENCE, "self._tell(event.data)", "pass", REACH),
    Mutant(
        "impact: an answer is in every conversation",
        "projections/called.py",
        " or call.state.conversation != asked.state.conversation:",
        ":",
        REACH,
    ),
    Mutant(
        "impact: lines that went into an archive are no edit",
        "projections/called.py",
        "tool.edits.append((block, id))",
        "tool.edits.extend([(block, id)] if tool.data.id == id else ())",
        REACH,
    ),
    Mutant(
        "impact: circles are followed for ever",
        "projections/impact.py",
        "if (edit.stream, edit.version) not in known:",
        "if len(known) < 50:",
        REACH,
    ),
    Mutant(
        "blame: the origin of an edit ends at its turn",
        "projections/provenance.py",
        'if turn.count("/") < 3:  # nobody within sent it',
        "if True:",
        ORIGIN,
    ),
    Mutant(
        "blame: an agent's stream is read again for each version",
        "projections/called.py",
        "after=self._version, until_position=until",
        "until_position=until",
        ORIGIN,
    ),
)
