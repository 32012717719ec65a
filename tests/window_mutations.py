"""The guards of windows and marks, broken one by one: what is replaced by what, and who notices."""

from __future__ import annotations

from .mutations import Mutant

WINDOWS, SUMMING, PROMPT = "projections/windows.py", "actors/summarising.py", "projections/prompt.py"
CALLS, AGENT, CONTEXTS = "actors/calls.py", "projections/agent.py", "projections/contexts.py"
FITS, MARKED, SUMS = ("tests/test_windows.py",), ("tests/test_marks.py",), ("tests/test_summaries.py",)
POSING = ("tests/test_impostors.py",)

WINDOW_MUTANTS = (
    Mutant("a prompt of any size goes out", SUMMING, "if tokens <= room(window) or", "if True or", FITS),
    Mutant("calls are parted from their results", WINDOWS,
           "range(first + 1, last + 1) if not isinstance(lines[n], Result)]", "range(first + 1, last + 1)]", FITS),
    Mutant("the request leaves with the rest", WINDOWS, "if line is pinned]", "if False]", FITS),
    Mutant("a summary that fails ends the turn", AGENT,
           "case ModelCallFailed() if state.model and state.model.summarises:", "case ModelCallFailed() if False:",
           FITS),
    Mutant("what the provider finds too long ends the turn", CALLS,
           "summarising.found_too_long(state, call) or ModelCallFailed", "ModelCallFailed", FITS),
    Mutant("summaries count as steps", "actors/agent.py", "steps = state.step - state.beside", "steps = state.step",
           FITS),
    Mutant("a result of any size is shown", WINDOWS,
           "return max(int(most), 50)", "return 0", FITS),
    Mutant("results take room that instructions and tools have", WINDOWS, "min(window.tokens * RESULTS, left)",
           "window.tokens * RESULTS", SUMS),
    Mutant("a summary is streamed as a word", "actors/calling.py", "aloud=not request.summarises", "aloud=True", FITS),
    Mutant("an agent without state remembers", CONTEXTS, "state.spec is not None and state.spec.stateless:",
           "state.spec is None:", FITS),
    Mutant("nothing is learnt of how a provider counts", WINDOWS, "if tokens >= COUNTED else 0.0", "if False else 0.0",
           FITS),
    Mutant("a count that cannot be is learnt", WINDOWS, "if LEAST <= found <= MOST else state", "if found else state",
           SUMS),
    Mutant("a summary takes more room than what it stands for", WINDOWS, "* SUMMARY), gone)", "* SUMMARY), 10**9)",
           SUMS),
    Mutant("a summary of blanks is shown", AGENT, "text if text.strip() else Text()", "text", SUMS),
    Mutant("a note is what the turn is about", WINDOWS, "said[-1] if said else heard[0] if heard", "heard[-1] if heard",
           SUMS),
    Mutant("a summary of its turn is taken for a request", CONTEXTS,
           "said = (n for n in mine if not isinstance(self.lines[n], Summed))", "said = mine", SUMS),
    Mutant("results stand without marks", PROMPT, 'fenced(shortened(text, most) if most else text, "result")',
           "str(shortened(text, most) if most else text)", MARKED),
    Mutant("what others say stands without marks", PROMPT,
           "if layout == 1 or part.speaker in TRUSTED else", "if True else", MARKED),
    Mutant("a block's label breaks out of its tag", PROMPT, 'label="{_escaped(block.label)}"',
           'label="{block.label}"', MARKED),
    Mutant("a line in what is summed up can begin as anybody's", "projections/summaries.py", "map(set_in, pieces)",
           "pieces", POSING),
    Mutant("a tool's name can be more than a name", "actors/calling.py", "storable_name(name)", "storable(name)",
           POSING),
    Mutant("a line that is stored can begin as anybody's", "actors/storing.py", "{set_in(one.text)}", "{one.text}",
           POSING),
    Mutant("an older agent gets the new layout at once", CONTEXTS,
           "return state.spec.rendering if state.spec else RENDERING", "return RENDERING", MARKED),
)  # fmt: skip
