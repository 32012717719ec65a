"""The guards of the detector and of what follows from it, broken one by one: what is replaced by what."""

from __future__ import annotations

from .mutations import Mutant

DETECTOR, PASSES = "projections/symptoms/detector.py", "projections/symptoms/passes.py"
REPEATS, EDITS = "projections/symptoms/repeats.py", "projections/symptoms/edits.py"
FAIRNESS, SYMPTOM = "projections/symptoms/fairness.py", "projections/symptoms/symptom.py"
DATA = ("tests/test_symptoms.py", "-k", "not scenario and not shipped and not today and not crashes")
LIVE = ("tests/test_watch.py",)

WATCH_MUTANTS = (
    Mutant("work in between is not seen", PASSES, "not chain[-length].news", "True", DATA),
    Mutant("a talk that is handed on is no pass", DETECTOR, "yield from self._handed(",
           "yield from () and self._handed(", DATA),
    Mutant("the order of arguments matters", SYMPTOM, "_ordered(from_json(arguments or", "(from_json(arguments or",
           DATA),
    Mutant("new results are the same call", REPEATS, "tallied(turn.results, mark(mine, result), position)",
           "tallied(turn.results, mine, position)", DATA),
    Mutant("a tool's own word does not count", SYMPTOM, "declared or self.same_call", "self.same_call", DATA),
    Mutant("what was heard does not count", REPEATS, "tallied(mind.states, mark(heard, said), position)",
           "tallied(mind.states, said, position)", DATA),
    Mutant("news does not end a monologue", REPEATS, "if fresh or call.sends:", "if call.sends:", DATA),
    Mutant("many requests count as one", FAIRNESS, ".count(trace)", ".__len__()", DATA),
    Mutant("a deleted to-do counts as taken back", EDITS, "and {one.by for one in here} == pair", "", DATA),
    Mutant("erased texts are all the same", SYMPTOM, "return place if text == ERASED else text", "return text", DATA),
    Mutant("what ended is remembered", DETECTOR, "if case.open <= 0:", "if case.open < 0:", DATA),
    Mutant("an empty backlog is remembered", DETECTOR, "if not queue.waiting:", "if False:", DATA),
    Mutant("a symptom shows again and again", DETECTOR, "case is None or symptom.key not in case.told", "True", DATA),
    Mutant("what comes twice is recorded twice", "actors/actor.py",
           "isinstance(delivery, Alter) and delivery.event.key", "False and delivery.event.key", LIVE),
    Mutant("what was decided then does not count", "actors/watch.py", "return known.data.then", "return then", LIVE),
    Mutant("stop ends nothing", "actors/watch.py", 'if then == "stop":', "if False:", LIVE),
    Mutant("only the first is told", "actors/watch.py", "for stream in symptom.streams[1:]:", "for stream in ():",
           LIVE),
    Mutant("leaving does not wait for the detector", "actors/system.py", "self._busy or self._watching.behind:",
           "self._busy:", LIVE),
    Mutant("a remark is heard in any request", "projections/remarks.py", "desk.turn.correlation_id == trace", "True",
           LIVE),
    Mutant("a remark is heard for ever", "projections/agent.py", "uses=None, remarks=())", "uses=None)", LIVE),
    Mutant("the reason of a cancel is lost", "actors/rules.py", "text=as_text(why))]", "text=Text())]", LIVE),
    Mutant("a position is not looked at", "actors/watch.py", "if event.position > self._watch.after:", "if True:",
           LIVE),
)  # fmt: skip
