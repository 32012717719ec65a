"""The guards of what waits for a person, broken one by one: what is replaced by what, and who notices."""

from __future__ import annotations

from .mutations import AGENT, AGENT_ACTOR, Mutant

APPROVALS, PEOPLE, SETTLE, STATE = "actors/approvals.py", "actors/people.py", "actors/settle.py", "projections/agent.py"
DATA, LIVE, VERB = ("tests/test_approvals.py",), ("tests/test_people.py",), ("tests/test_people_verb.py",)

PEOPLE_MUTANTS = (
    Mutant("nobody is asked", AGENT, 'case "wanted" if approvals.need(state, call):', 'case "wanted" if False:', DATA),
    Mutant(
        "what was looked up for an earlier attempt counts",
        APPROVALS,
        'if (call.phase, call.attempt) == ("wanted", after)',
        'if call.phase == "wanted" and after < 99',
        DATA,
    ),
    Mutant(
        "an approval holds for any arguments",
        APPROVALS,
        "same = decision.digest == call.about == call.digest",
        "same = call.about != ''",
        DATA,
    ),
    Mutant(
        "arguments that were swapped after the approval begin",
        AGENT,
        'case "approved" if call.about != call.digest:',
        'case "approved" if False:',
        DATA,
    ),
    Mutant(
        "the attempt is not in the digest", "projections/paths.py",
        "to_json([tool, str(arguments), attempt])",
        "to_json([tool, str(arguments)])",
        DATA,
    ),
    Mutant("an approval lasts for the next attempt", STATE, 'phase="wanted", about=""', 'phase="approved"', DATA),
    Mutant("a cancel leaves what waits", AGENT, 'case "wanted" | "asked" | "approved" | "question":', 'case "wanted":',
           DATA),
    Mutant("any answer counts", APPROVALS, "asked.options and decision.text not in asked.options", "False", LIVE),
    Mutant("an answer approves", APPROVALS, '"question" if decision.outcome == "answered" else "asked"', "call.phase",
           LIVE),
    Mutant("a rule that raises lets the call begin", APPROVALS, 'return True, f"{type(error).__name__}: {error}"',
           "return False, str(error)", LIVE),
    Mutant("what is neither yes nor no lets the call begin", APPROVALS, "if isinstance(answer, bool):",
           "if isinstance(answer, bool | str):", LIVE),
    Mutant("a person is asked about arguments that do not fit", APPROVALS, "values = tool.values(arguments)",
           "values = {'amount': 1} if arguments else {}", LIVE),
    Mutant("a decision is taken as recorded", PEOPLE, "    await recorded(host.store, command)\n", "", LIVE),
    Mutant("a key may say two things", PEOPLE, "if not _same(before.data, decision):", "if False:", LIVE),
    Mutant("anybody is the policy", PEOPLE, " or by == POLICY", "", LIVE),
    Mutant("a refusal needs no reason", PEOPLE, 'if command.outcome != "approved":', "if False:", LIVE),
    Mutant("a cancel ends what was asked from outside alone", "actors/cancelling.py",
           'for item in mine if item.kind == "turn"]',
           'for item in mine if item.kind == "turn" and item.id.count("/") == 1]', LIVE),
    Mutant("a decision is not known by its key", "actors/actor.py",
           "isinstance(delivery, Configure | Resolve | TakeDecision)",
           "isinstance(delivery, Configure | Resolve)", LIVE),
    Mutant("one key counts twice in one step", "actors/actor.py", 'rules.keyed(new, f"command:{command.key}")', "False",
           LIVE),
    Mutant("a key that says another thing is taken for ours", PEOPLE, "if not _same(found.data, _taken(command)):",
           "if False:", LIVE),
    Mutant("a reason is too long for the log", PEOPLE, 'storable(f"refused by {by}: {text}")[0]',
           'f"refused by {by}: {text}"', LIVE),
    Mutant("what a stop cut short is not looked up again", AGENT_ACTOR,
           "        self._prepare_tools(cause)\n        for", "        for", ("tests/test_people.py", "-k", "crash")),
    Mutant("without an owner nothing is compared", SETTLE,
           "await people.checked(store, people.states_in(store), command)", "people._taken(command)", VERB),
    Mutant("a cancel without an owner is not recorded", SETTLE, "            await _append(store, stream, said)\n",
           "", VERB),
)  # fmt: skip
"""A guard for each; some are noticed by rules as data, some by a whole system, some by the command line."""
