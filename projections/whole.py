"""All states of a log at once: every agent, group, block and archive, and what is pending."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from callboard.events import RecordedEvent

from .agent import AgentState
from .agent import evolve as evolve_agent
from .archive import ArchiveState
from .archive import evolve as evolve_archive
from .group import GroupState
from .group_folds import evolve as evolve_group
from .pending import Pending
from .projection import Projection
from .versions import BlockHistory, block_history


@dataclass(slots=True)
class Whole:
    """Every state, by stream, in the order of their beginnings. Changed in place by its one fold.

    Attributes:
        position: The last event folded; 0 before the first.
        at: When that was recorded.
    """

    position: int = 0
    at: datetime | None = None
    agents: dict[str, AgentState] = field(default_factory=dict[str, AgentState])
    groups: dict[str, GroupState] = field(default_factory=dict[str, GroupState])
    blocks: dict[str, BlockHistory] = field(default_factory=dict[str, BlockHistory])
    archives: dict[str, ArchiveState] = field(default_factory=dict[str, ArchiveState])
    pending: Pending = field(default_factory=Pending)

    def take(self, event: RecordedEvent) -> None:
        """Fold `event` in.

        Raises:
            NotPaired: It opens what is open, or goes on with or closes what is not.
        """
        self.position, self.at = event.position, event.recorded_at
        stream, data = event.stream, event.data
        match stream.split("-", 1)[0]:
            case "agent":
                self.agents[stream] = evolve_agent(self.agents.get(stream, AgentState()), data)
            case "group":
                self.groups[stream] = evolve_group(self.groups.get(stream, GroupState()), data)
            case "block":
                before = self.blocks.get(stream) or block_history.initial()
                self.blocks[stream] = block_history.evolve(before, event)
            case "archive":
                self.archives[stream] = evolve_archive(self.archives.get(stream, ArchiveState()), data)
            case _:
                pass
        self.pending.take(event)


def _evolve(state: Whole, event: RecordedEvent) -> Whole:
    state.take(event)
    return state


whole: Projection[Whole] = Projection("whole", Whole, _evolve)
"""Every state of a log, or, over one stream, of that stream."""
