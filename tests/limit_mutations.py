"""Broken guards of limits and budgets."""

from __future__ import annotations

from .mutations import Mutant

LIMITS, PURSE, DESK, RAISING = "actors/limits.py", "projections/purse.py", "projections/desk.py", "actors/raising.py"
TREASURY, LAWS = "actors/treasury.py", "projections/limit_laws.py"
ONE, SHARED, ALL = ("tests/test_limits.py",), ("tests/test_limits_shared.py",), ("tests/test_treasury.py",)

LIMIT_MUTANTS = (
    Mutant("each sibling gets all that is left", LIMITS, "max(left // parts, min(left // count, 1))", "left", ONE),
    Mutant("who asks others keeps nothing", LIMITS, "len(sends) + keeps", "len(sends)", ONE),
    Mutant("what is given away is still there", PURSE, "        if not returning:\n", "        if False:\n", ONE),
    Mutant("nobody waits for what comes back", LIMITS,
           "            return []  # what was",
           "            pass  # what was", ONE),
    Mutant("what others spent is not counted", PURSE, "(spent or NOTHING) + (_own", "NOTHING + (_own", SHARED),
    Mutant("a limit of one's own does not hold", DESK, "purses.opened(turn, event)",
           "purses.opened(turn, TurnStarted(id=event.id))", ONE),
    Mutant("a limit that was given does not hold", PURSE, "(turn.grant, event.grant)", "(event.grant,)", ONE),
    Mutant("a person is asked whatever was given", LIMITS, 'all(one.then == "ask" for one in tight)', "True", ONE),
    Mutant("a limit that is raised stays where it is", PURSE, "getattr(grant, name) + getattr(first, name)",
           "getattr(grant, name)", SHARED),
    Mutant("a decision about one limit holds for the next", RAISING, "decision.digest == wanted", "True", SHARED),
    Mutant("what a tell gave along comes back", PURSE,
           "return _settled(purse, id, purse.held[id].all)\n        case TurnResumed",
           "return _settled(purse, id, NOTHING)\n        case TurnResumed", SHARED),
    Mutant("a call begins that does not fit", LIMITS, "    if output < LEAST:", "    if output < -10_000:", ONE),
    Mutant("a model without a price is asked", LIMITS, "if usd is not None and price is None:", "if False:", ONE),
    Mutant("a cut call costs nothing", PURSE, "purse.held[id].least) if id in purse.held else purse",
           "NOTHING) if id in purse.held else purse", ONE),
    Mutant("time runs out for nobody", "actors/rules.py",
           "purse.reached is None and purse.until == until",
           "False", ONE),
    Mutant("hops are not counted", LIMITS, "if most is not None and found > most:", "if False:", SHARED),
    Mutant("a message may reach any number", LIMITS, "if most is None or recipients <= most:", "if True:", SHARED),
    Mutant("background work has no limits", "actors/group.py", "grant=own, cue=cue)", "cue=cue)", SHARED),
    Mutant("a message through a tool brings no limits", "actors/reaching.py",
           "return limits.bound(state.desk, [message], own=None, keeps=True)", "return [message]", SHARED),
    Mutant("siblings hold nothing of the budget", TREASURY,
           "self._held[stream] = _cost(tokens + room, tokens, room, price)",
           "pass", ALL),
    Mutant("what was spent before is forgotten", "projections/snapshots.py", "pending.spent = self.spent", "pass", ALL),
    Mutant("a cancelled call keeps what it held", "actors/calling.py",
           "            finally:\n                self._actor.system.treasury.free(self._actor.stream)\n",
           "            finally:\n                pass\n", ALL),
    Mutant("the room of a reply is not told", "actors/calls.py", "min(hold.output, room)", "hold.output", ALL),
    Mutant("a turn may go beyond its limit unseen", LAWS,
           "held and used + held > most",
           "False", ("tests/test_limit_laws.py",)),
    Mutant("an answer may lie about what was spent", LAWS, "if reply.spent != turn.purse.spent:", "if False:",
           ("tests/test_limit_laws.py",)),
    Mutant("a message may bring more than was given", LAWS, "if given != message.grant:", "if False:",
           ("tests/test_limit_laws.py",)),
    Mutant("background work comes out of the purse of the turn that is open", PURSE,
           'if grant is not None and id.startswith(f"{turn}/"):', "if grant is not None:", SHARED),
    Mutant("a turn that asks is forgotten once something else of it is recorded", "projections/pending.py",
           "item.latest in AWAITING or item.asks]", 'item.latest in (*AWAITING, "LimitReached")]', SHARED),
    Mutant("a call that a limit kept back waits for ever", "actors/agent_actor.py", " | LimitRaised():", ":", SHARED),
)  # fmt: skip
"""A guard for each; noticed by rules as data, or by whole systems."""
