"""The guards of windows that are cut and of what is stored and shared, broken one by one: who notices."""

from __future__ import annotations

from .mutations import Mutant

CUTS, CONTEXTS, GROUP = "projections/cuts.py", "projections/contexts.py", "projections/group.py"
FOLDS, LAWS, RULES = "projections/group_folds.py", "projections/group_laws.py", "actors/group.py"
PATTERN, STORING, SHELF, MEMORY = "actors/patterns/voice.py", "actors/storing.py", "actors/shelf.py", "actors/memory.py"
VOICE, WINDOW, STORED = ("tests/test_voice.py",), ("tests/test_voice_window.py",), ("tests/test_storing.py",)
SHARED = ("tests/test_sharing.py",)
FORGED = ("tests/test_group_laws.py",)

VOICE_MUTANTS = (
    Mutant("one of the two lengths is enough", PATTERN, "if (most is None) != (least is None):", "if False:", VOICE),
    Mutant("a length may be four", PATTERN, "LEAST = 5", "LEAST = 4", VOICE),
    Mutant("both lengths may be the same", PATTERN, "most <= least:", "most < least:", VOICE),
    Mutant("several work in the background", "actors/specs.py", "if wanted and (len", "if False and (len", VOICE),
    Mutant("a window of just its length is cut", CUTS, "if len(lines) <= most:", "if len(lines) < most:", VOICE),
    Mutant("it is cut in the midst of a request", CUTS, "if _begins(said, before) and", "if", VOICE),
    Mutant("it is cut at a request that failed", CUTS, " and said.id in answered)", ")", VOICE),
    Mutant("conversations are cut as one", CUTS, "if said.conversation == conversation]", "]", VOICE),
    Mutant("the window begins before the reset", CUTS,
           "max(state.cuts.get(state.conversation, 0), state.start)", "state.cuts.get(state.conversation, 0)", VOICE),
    Mutant("what was cut is forgotten by nobody", CUTS,
           "return state.trims[place] or state.desk.turn.id", 'return ""', WINDOW),
    Mutant("it is forgotten again and again", FOLDS, "state = cuts.given(state, member)", "pass", VOICE),
    Mutant("a word that got lost is not said again", FOLDS,
           "state = cuts.not_given(state, word.member, word.cue.since)", "pass", VOICE),
    Mutant("what failed is not told again", FOLDS,
           "cuts.mark_of(job): job.upto} if isinstance(event, JobFinished) else",
           "cuts.mark_of(job): job.upto} if True else", VOICE),
    Mutant("all conversations are worked through as one", CUTS,
           'return f"/{job.conversation}" if job.cut else job.member', "return job.member", VOICE),
    Mutant("a reset takes away the work on what had left", CUTS, "job.start)\n", "state.start)\n", VOICE),
    Mutant("the member is told what came later", CUTS, "if said.text and n < job.length]", "if said.text]", VOICE),
    Mutant("who stands by is told what had left", GROUP, "max(self.start, self.cuts.get(self.conversation, 0))",
           "self.start", VOICE),
    Mutant("what waits takes the place of a cut", RULES, "(job.cut or job.member not in waiting)",
           "job.member not in waiting", VOICE),
    Mutant("a window that is out of date counts", RULES, "if job.cut:  # other", "if False:  # other", VOICE),
    Mutant("the member remembers the work before", RULES, "fresh=bool(job.cut) or", "fresh=", VOICE),
    Mutant("the foreground forgets what others said, too", CONTEXTS,
           "mine = [n for n, line in enumerate(self.lines) if line.turn.split(\"/\")[-3:-2] == [group]]",
           "mine = list(range(len(self.lines)))", WINDOW),
    Mutant("what is gone already takes the rest with it", CONTEXTS,
           "if first == len(self.lines) and request != now:", "if False:", WINDOW),
    Mutant("verify lets a window be cut twice", LAWS, "if cut and cut <= jobs.cut:", "if False:", FORGED),
    Mutant("verify lets work reach into the window", LAWS, "(group.cuts[id] or upto)", "upto", FORGED),
    Mutant("verify takes a reset for a fault", LAWS, "or (group.reset and jobs.ends < since)", "", VOICE),
    Mutant("lines may be out of order", STORING, "if first > end:", "if False:", STORED),
    Mutant("lines that stay are stored", STORING, "elif end not in lines:", "elif False:", STORED),
    Mutant("lines that are not there are stored", STORING, "elif end > last:", "elif False:", STORED),
    Mutant("any part is a line", STORING, r'_NUMBERED = re.compile(rf"\[(\d+)({NEWER})?\] (.*)", re.DOTALL)',
           r'_NUMBERED = re.compile(rf"\[?(1?)({NEWER})?\]? ?(.*)", re.DOTALL)', STORED),
    Mutant("the block is cut whatever the archive says", STORING, " or not call.came[1][1]:", ":", STORED),
    Mutant("the block is cut before the passage is there", STORING, " or 1 not in call.came", "", STORED),
    Mutant("any lines leave the block", MEMORY, "if mark_of(state.value[at:end]) != edit.stored:", "if False:", STORED),
    Mutant("a line end stays behind", MEMORY,
           "at, end = (at, end + 1) if end < len(state.value) else (max(at - 1, 0), end)", "", STORED),
    Mutant("it is stored in the member's own archive", SHELF,
           'if turn.sender.startswith("group-"):', "if False:", STORED),
    Mutant("a named archive is passed over", SHELF, 'spec.archive or f"archive-{spec.name}"', 'f"archive-{spec.name}"',
           STORED),
    Mutant("empty lines are stored", SHELF, "if not text.strip():", "if False:", STORED),
    Mutant("nothing is shared as if it were something", SHELF, "if not found:", "if False:", SHARED),
    Mutant("a block that holds data loses lines", SHELF, 'if block.spec.form != "text":', "if False:", STORED),
    Mutant("a block that is read-only loses lines", SHELF, "if block.spec.read_only:", "if False:", STORED),
    Mutant("what others changed since is stored", SHELF, "if others else", "if False else", STORED),
)  # fmt: skip
"""Each with the tests that notice it."""
