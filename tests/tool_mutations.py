"""The guards of tools that reach agents, of answers that are data, and of bad tools, broken one by one."""

from __future__ import annotations

from .mutations import AGENT, AGENT_ACTOR, Mutant

REACHING, REACH, OUTPUTS, STATE = "actors/reaching.py", "actors/reach.py", "actors/outputs.py", "projections/agent.py"
FORKS, OTHERS, TOOL, BLOCKING = "actors/forks.py", "actors/others.py", "actors/tool.py", "actors/blocking.py"
REACHES = "tests/test_reaching.py", "tests/test_reaching_rules.py"
DATA, BAD = ("tests/test_outputs.py",), ("tests/test_bad_tools.py",)

TOOL_MUTANTS = (
    Mutant("a tool that runs again sends again", REACHING, " or n in state.tools[id].said:", ":", REACHES),
    Mutant(
        "another text under the same number goes through",
        REACHING,
        "return None if is_of(known, command) else MessageChanged(id, n)",
        "return None",
        REACHES,
    ),
    Mutant(
        "an earlier attempt still sends",
        REACHING,
        '(call.phase, call.attempt) != ("running", command.attempt)',
        'call.phase != "running"',
        REACHES,
    ),
    Mutant("a cancelled turn sends on", REACHING, "if state.desk.ending:", "if False:", REACHES),
    Mutant("a tool passes requests on without end", REACHING, "if turn.hops >= MAX_HOPS:", "if False:", REACHES),
    Mutant(
        "what a call leaves open stays open",
        AGENT,
        "if cancels := reaching.follow(state):",
        "if cancels := list[Event]():",
        REACHES,
    ),
    Mutant(
        "a turn ends before its messages have",
        AGENT,
        "isinstance(events[0], Reply) and reaching.left(state)",
        "False",
        REACHES,
    ),
    Mutant("an agent asks itself", REACH, "if stream == self._actor.stream:", "if False:", REACHES),
    Mutant("who is retired is told", REACH, "if state.desk.retired:", "if False:", REACHES),
    Mutant(
        "who waits no longer takes nothing back",
        REACH,
        "            self._actor.put(DropSend(id, cause=self._cause))\n",
        "",
        REACHES,
    ),
    Mutant(
        "a message of a tool hangs under the turn",
        "projections/trace.py",
        "self._sender(span.id) or",
        "self._tools.get(span.id) or",
        REACHES,
    ),
    Mutant(
        "suspects wait for each other",
        AGENT_ACTOR,
        "len(waits) < len(running)",
        "len(running) > 0",
        ("tests/test_reaching.py", "-k", "alone"),
    ),
    Mutant("an answer is never checked", OUTPUTS, "if not spec.output or not to:", "if True:", DATA),
    Mutant(
        "a tell has to be answered with data", OUTPUTS, "if not spec.output or not to:", "if not spec.output:", DATA
    ),
    Mutant("a repair has no end", AGENT, "state.unfit > outputs.REPAIRS or", "state.unfit > 99 or", DATA),
    Mutant(
        "what does not fit at the last step passes for the rest of a longer turn",
        AGENT,
        " or (state.unfit and steps >= spec.max_steps)",
        "",
        DATA,
    ),
    Mutant("repairs of the turn before count", "projections/contexts.py", "refused=(), unfit=0,", "refused=(),", DATA),
    Mutant("what is not finite is data", OUTPUTS, "from_json(text, allow_inf_nan=False)", "from_json(text)", DATA),
    Mutant("a list is data", OUTPUTS, "if not isinstance(value, dict):", "if False:", DATA),
    Mutant("faults are told at any length", OUTPUTS, "found if len(found) <= MOST else", "found if found else", DATA),
    Mutant("a schema refers to another host", OUTPUTS, "if not _leads(schema, ref):", "if False:", DATA),
    Mutant(
        "the model is not told the schema", "projections/prompt.py", "    if spec.output:\n", "    if False:\n", DATA
    ),
    Mutant(
        "an interrupt of a tool ends the system",
        TOOL,
        "if isinstance(error, Exception) or is_ours(error):",
        "if True:",
        ("tests/test_bad_tools.py", "-k", "Wrong"),
    ),
    Mutant(
        "an interrupt in a thread goes through", FORKS, "raise ToolFailed(words_of(error)) from error", "raise", BAD
    ),
    Mutant(
        "a cancellation is an outcome",
        OTHERS,
        'return anyio.current_effective_deadline() == -float("inf")',
        "return False",
        BAD,
    ),
    Mutant(
        "an error that cannot say itself ends the agent",
        OTHERS,
        "except BaseException as worse:",
        "except LookupError as worse:",
        BAD,
    ),
    Mutant(
        "a child comes back on the loop",
        FORKS,
        "    loop.call_soon(_end)\n",
        "    return\n",
        ("tests/test_bad_tools.py", "-k", "fork"),
    ),
    Mutant(
        "a child holds the log",
        "events/lock.py",
        "        os.close(file)\n    _held.clear()\n",
        "        pass\n",
        ("tests/test_bad_tools.py", "-k", "hold"),
    ),
    Mutant(
        "who blocks the loop is never named", BLOCKING, "        if took > self._limit:\n", "        if False:\n", BAD
    ),
    Mutant(
        "who blocks it for ever is never named",
        BLOCKING,
        "            self.look()\n",
        "            pass\n",
        ("tests/test_bad_tools.py", "-k", "ever"),
    ),
    Mutant("tools are not watched", TOOL, "return await LOOP_WATCH.run(name, result)", "return await result", BAD),
    Mutant("a long text is cleaned as a whole", "actors/storable.py", "kept = text[:MAX_TEXT]", "kept = text", BAD),
)
"""A guard for each; most are noticed by rules as data."""
