"""Broken guards of archives."""

from __future__ import annotations

from .mutations import Mutant

RULES, ACTOR, REF, FOLD = "actors/archival.py", "actors/archive.py", "actors/archives.py", "projections/archive.py"
LAWS, AUDIT = "projections/archive_laws.py", "scripts/audit.py"
DATA, LIVE = ("tests/test_archival.py",), ("tests/test_archives.py",)
FORGED, VERBS = ("tests/test_archive_laws.py",), ("tests/test_memory_archive.py",)

ARCHIVE_MUTANTS = (
    Mutant("a deleted passage can be changed", RULES, "return n if state.stands(n) else", "return n if True else",
           DATA),
    Mutant("a passage that says something else now is a duplicate", FOLD,
           " and passage.version == spot.version", "", DATA),
    Mutant("a deleted passage is a duplicate", FOLD, "not passage.deleted and passage.version", "passage.version",
           DATA),
    Mutant("an update is a duplicate of itself", FOLD, "while spot is not None and not (spot.n != but and ",
           "while spot is not None and not (", DATA),
    Mutant("erased texts are duplicates", FOLD, "    if text == ERASED:", "    if False:", (*DATA, *FORGED)),
    Mutant("an empty passage is stored", RULES, "if not change.content.strip():", "if False:", DATA),
    Mutant("a passage may hold NUL", RULES, "        if WRONG.search(change.content):", "        if False:", DATA),
    Mutant("a tag may be blank", RULES, "not tag.strip() or ", "", DATA),
    Mutant("metadata may be of any size", RULES, " > MAX_METADATA:", " > 10**9:", DATA),
    Mutant("metadata may be no JSON", RULES, "json.dumps(metadata, allow_nan=False)", "json.dumps(metadata)", DATA),
    Mutant("a refusal takes what no event can hold", RULES, "        arguments = Text()  # an", "        pass  # an",
           DATA),
    Mutant("a search takes any date", RULES, "        return _dates_fault(change)", '        return ""', LIVE),
    Mutant("an update loses the tags", RULES,
           "state.passages[n].tags if change.tags is None else _each_once(change.tags)",
           "_each_once(change.tags or [])", DATA),
    Mutant("a key holds for any change", REF, "if known is not None and not is_of(known.data, asked):", "if False:",
           (*LIVE, *VERBS)),
    Mutant("pages show what was deleted", REF, "            if state.stands(n):", "            if True:", LIVE),
    Mutant("an answer is lost with its actor", ACTOR, "self.system.spawn(self._answer", "self.spawn(self._answer",
           ("tests/test_archives.py",)),
    Mutant("numbers may have gaps", LAWS, "if n != count + 1:", "if False:", FORGED),
    Mutant("what is gone may be changed", LAWS, "if not state.stands(n):", "if False:", FORGED),
    Mutant("a duplicate may lie", LAWS, "if found == tuple(wanted) or", "if True or", FORGED),
    Mutant("the audit knows no numbers", AUDIT,
           'if not (n == len(there) + 1 if type == "PassageInserted" else there.get(n)):',
           "if False:", FORGED),
    Mutant("a template keeps an archive of its own", "actors/group_ref.py", "if template.owns_archive or any(",
           "if any(",
           ("tests/test_archives.py",)),
)  # fmt: skip
