"""The guards of blocks that hold JSON, of boards and of late tasks, broken one by one: and who notices."""

from __future__ import annotations

from .mutations import Mutant

JSON, TASKS, MEMORY, FORMS = "actors/structured.py", "actors/tasks.py", "actors/memory.py", "actors/forms.py"
BOARD, OVERDUE = "projections/board.py", "projections/symptoms/overdue.py"
FITS, CLAIMS, LATE = ("tests/test_structured.py",), ("tests/test_board.py",), ("tests/test_overdue.py",)

BOARD_MUTANTS = (
    Mutant(
        "what does not fit its schema lands",
        JSON,
        "    if found := misfits(value,",
        "    if found := False and misfits(value,",
        FITS,
    ),
    Mutant("what changes nothing lands", JSON, "    if new == state.value:\n        return SAME\n", "", FITS),
    Mutant("what is laid out anew is not said", JSON, "(Text(LAID_OUT) if text != new else Text())", "Text()", FITS),
    Mutant("a splice cuts lines of others", JSON, "    first = _alike(before, after)\n", "    first = 0\n", FITS),
    Mutant(
        "an end of a line stands in an item",
        JSON,
        'return _BREAKS.sub(lambda found: f"\\\\u{ord(found[0]):04x}", said)',
        "return said",
        FITS,
    ),
    Mutant("an infinite number is JSON", JSON, "allow_nan=False", "allow_nan=True", FITS),
    Mutant("a block of ten megabytes is looked into", JSON, "if len(text) > LOOSEST * most:", "if False:", FITS),
    Mutant("an item may have the id of another", JSON, 'if "id" in edit.changes and', "if False and", FITS),
    Mutant(
        "a tool edits a block of another kind", MEMORY, "if request.edit in _UNFIT[state.spec.form]:", "if False:", FITS
    ),
    Mutant(
        "a schema is changed under a value",
        FORMS,
        '    if found:\n        raise SpecError(f"block {spec.name!r} holds',
        '    if False:\n        raise SpecError(f"block {spec.name!r} holds',
        FITS,
    ),
    Mutant(
        "two may claim one task",
        TASKS,
        '    if owner and owner != me:\n        return f"{owner} has {id}',
        '    if False:\n        return f"{owner} has {id}',
        CLAIMS,
    ),
    Mutant(
        "the next task is one that somebody has",
        TASKS,
        'if not task.get("assigned_to")), None)',
        "if True), None)",
        CLAIMS,
    ),
    Mutant(
        "an update takes a task away",
        TASKS,
        "if edit.assigned_to == me and owner and owner != me:",
        "if False:",
        CLAIMS,
    ),
    Mutant("a task may have the id of another", BOARD, "if count > 1]", "if count > 9]", CLAIMS),
    Mutant(
        "a board changed at no time",
        "actors/block.py",
        "self.system.outside.now()",
        "None",
        ("tests/test_board_verb.py",),
    ),
    Mutant(
        "tools of one group take those of another away",
        "projections/uses.py",
        "(*came, *tools)}.values()",
        "tools}.values()",
        CLAIMS,
    ),
    Mutant("a day ends when it begins", BOARD, "time.max, UTC", "time.min, UTC", LATE),
    Mutant("a late task shows again and again", OVERDUE, "            task.told = True\n", "", LATE),
    Mutant(
        "a note is a new date",
        OVERDUE,
        "            told = known is not None and known.told and (known.said, known.owner) == (said, owner)\n",
        "            told = False\n",
        LATE,
    ),
    Mutant(
        "who changes another item alike takes an edit back",
        "projections/symptoms/edits.py",
        "if not block.items:",
        "if True:",
        LATE,
    ),
)
