"""Hypothesis machines: how much they run, and a loop that all steps of one run share."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from .loop import SeededLoop

T = TypeVar("T")


def run(machine: type[RuleBasedStateMachine], *, examples: int, steps: int = 30) -> None:
    """Run `machine` so many times."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            report_multiple_bugs=False,
        ),
    )


class Stage(RuleBasedStateMachine):
    """A machine whose steps are asynchronous."""

    def __init__(self) -> None:
        """Make a loop of its own."""
        super().__init__()
        self.loop = SeededLoop(0)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, and with it what else is ready."""
        return self.loop.run_until_complete(work)
