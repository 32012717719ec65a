"""The command `callboard`. Each verb is loaded when it is called, so that `--help` loads nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, UnknownCommandError

from callboard.scripts.border import BadUse, guarded

VERBS = {
    "run": "Run a team on a log.",
    "demo": "Show what callboard does, with a scripted model and no network.",
    "replay": "Show every agent, group and block as of any position of a log.",
    "trace": "Show what came of a request: turns, model calls, tool calls and edits.",
    "group": "Show the groups of a log, or one and how those in it fare.",
    "log": "Look after a log: calls in doubt, copies, erasure.",
    "mail": "Look after mail: what waits, dead letters, who talked with whom.",
    "memory": "Look into memory: blocks, their history and who wrote what; edit them; search.",
    "people": "Decide what waits for a person: approvals, questions; cancel a request.",
    "verify": "Check that a log is whole, unchanged, and holds together.",
}
"""Every verb with its line in the help; each is a function of its name in a module of its name."""

ABOUT = """Teams of LLM agents in one event log.

Exit codes: 0 fine, 1 a finding or a failed request, 2 bad use or a log that cannot be used.
"""


def command() -> App:
    """Return the command line, with no verb loaded."""
    app = App(
        name="callboard",
        help=ABOUT,
        help_format="plaintext",
        help_flags=["--help", "-h"],
        version=lambda: version("callboard"),
        version_flags=["--version"],
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for verb, line in VERBS.items():
        app.command(f"callboard.scripts.{verb}:{verb}", name=verb, help=line)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, by default the program's own; return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    return guarded(lambda: _called(words))


def _called(words: list[str]) -> object:
    try:
        return command()(words)
    except UnknownCommandError as error:  # its own message would load every verb
        wrong = (error.unused_tokens or words)[0]
        if words[0] in VERBS:
            raise BadUse(f"there is no command {words[0]} {wrong!r}; see callboard {words[0]} --help") from None
        raise BadUse(f"there is no command {wrong!r}; there are {', '.join(VERBS)}") from None


if __name__ == "__main__":
    sys.exit(main())
