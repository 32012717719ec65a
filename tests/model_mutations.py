"""The guards of model calls under load, broken one by one: what is replaced by what, and who notices."""

from __future__ import annotations

from .mutations import Mutant

SLOTS, PROVIDERS, BREAKER, FALLBACKS = (
    "actors/slots.py",
    "actors/providers.py",
    "actors/breaker.py",
    "actors/fallbacks.py",
)
STATE, TRACE, AUDIT = "projections/agent.py", "projections/trace.py", "scripts/audit.py"
DESK, LIVE, RULES, CIRCUIT = (
    (f"tests/test_{name}.py",) for name in ("slots", "providers", "fallbacks", "breaker")
)  # fmt: skip

MODEL_MUTANTS = (
    Mutant(
        "a call begins without a slot", "actors/calls.py",
        "if slot != fallbacks.asked(state.spec, call):",
        "if False:",
        RULES,
    ),
    Mutant(
        "a slot for another model will do", "actors/calls.py",
        "(call.attempt, fallbacks.wanted(state)) != (begin.after, begin.model)",
        "call.attempt != begin.after",
        RULES,
    ),
    Mutant(
        "a refusal counts whenever it comes", "actors/calls.py",
        "(call.id, call.attempt, fallbacks.wanted(state)) != (refused.id, refused.after, refused.model)",
        "False",
        RULES,
    ),
    Mutant(
        "attempts that do not go out have no end", "actors/calls.py",
        "refused.retry_at if number < MAX_ATTEMPTS else None",
        "refused.retry_at",
        RULES,
    ),
    Mutant("a system has any number of slots", SLOTS, "self._running < self._most\n            and ", "", DESK),
    Mutant("a provider has any number of slots", SLOTS, "provider.running < provider.at_once", "True", DESK),
    Mutant("one agent after the other is forgotten", SLOTS,
           "self._agents[waiting.agent] = self._agents.pop(waiting.agent)", "pass", DESK),
    Mutant("who is cancelled keeps its slot", SLOTS, "            waiting.outcome.give_back()\n",
           "            pass\n", DESK),
    Mutant("who is cancelled keeps its place", SLOTS,
           "            self._remove(waiting)\n            self._serve()\n", "            pass\n", DESK),
    Mutant("an attempt keeps its slot", SLOTS, "            self.give_back(*found)\n", "            pass\n", DESK),
    Mutant("a slot is given back as often as one likes", SLOTS, "target, self.target = self.target, None",
           "target = self.target", DESK),
    Mutant("all try whether a model works again", SLOTS,
           "and not (target.trying and target.circuit.trying(self._now()))", "", DESK),
    Mutant("an open circuit refuses nobody", SLOTS, "if circuit.opened(self._now()):", "if False:", DESK),
    Mutant(
        "a slot that no call wants is kept", "actors/calling.py",
        "free(self._actor.stream)\n        self._hand.keep(fallbacks.wanted(self._actor.state))\n",
        "free(self._actor.stream)\n",
        LIVE,
    ),
    Mutant("a slot is dropped before the call that waits for it begins", PROVIDERS,
           "if name is None or self.holds(name):", "if self.holds(name):", DESK),
    Mutant("who stops keeps its slots", "actors/calling.py", "        self._hand.drop()\n", "", LIVE),
    Mutant("who stopped takes slots", PROVIDERS, "        if self._dropped:\n            self.keep(None)\n", "", DESK),
    Mutant(
        "a cancelled call goes on outside", "actors/calling.py",
        "        if id in self._scopes:\n            self._scopes[id].cancel()\n",
        "",
        LIVE,
    ),
    Mutant("models go round in circles", FALLBACKS, "spec.fallback[known.index(model) if model in known else 0 :]",
           "spec.fallback", RULES),
    Mutant("a class has every model", FALLBACKS, "if not one.on or kind in one.on", "if True", RULES),
    Mutant("an attempt that was cut counts as a failure", FALLBACKS, "if call.kind else None",
           "if call.attempt else None", RULES),
    Mutant(
        "a fallback waits, too", "actors/calling.py",
        "            return self._actor.system.outside.now()\n        if not failure.retry",
        "            pass\n        if not failure.retry",
        LIVE,
    ),
    Mutant("what is not sent forgets its model", STATE, "call.model if event.sent else event.model",
           'call.model if event.sent else ""', LIVE),
    Mutant("a late failure holds the circuit open", BREAKER, ' or (found == "fails" and circuit.opened(now))', "",
           CIRCUIT),
    Mutant("failures add up for ever", BREAKER, "if now - at < timedelta(seconds=breaker.window)", "if True", CIRCUIT),
    Mutant("a try needs as many failures as the first time", BREAKER, "circuit.trying(now) or ", "", CIRCUIT),
    Mutant("a rate limit is a fault", BREAKER, 'error.kind == "rate_limit"', "False", CIRCUIT),
    Mutant("an attempt that did not go out is not in the trace", TRACE, "if not data.sent:", "if False:", LIVE),
    Mutant("the audit does not count what did not go out", AUDIT, 'if data.get("sent") is False', "if False", LIVE),
    Mutant(
        "what was prepared before stays in line for a slot",
        "actors/calling.py",
        "            self._preparing.cancel()\n",
        "",
        ("tests/test_preparing.py",),
    ),
    Mutant(
        "a call begins with blocks that were read before an erasure",
        "actors/calling.py",
        "isinstance(one, Begin) and one.erasures != self._erasures",
        "False",
        ("tests/test_erasure.py", "tests/test_preparing.py"),
    ),
    Mutant(
        "two calls of an agent stand in line for a slot",
        "actors/providers.py",
        "        async with self._line:\n            if self.holds(name):",
        "        if True:\n            if self.holds(name):",
        ("tests/test_slots.py",),
    ),
)  # fmt: skip
"""A guard for each; noticed by rules as data, by slots alone, or by a whole system."""
