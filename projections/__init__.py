"""Pure folds and views over the log. Imports events only, and no I/O library."""

from .agent import AgentState, agent_state
from .block import BlockState, block_state
from .desk import Desk
from .group import GroupState
from .group_folds import group_state
from .growing import Growing
from .pending import NotPaired, Open, Pending, pending
from .projection import Projection, fold, replay
from .versions import BlockHistory, BlockVersion, block_history
from .words import Said

__all__ = [
    "AgentState",
    "BlockHistory",
    "BlockState",
    "BlockVersion",
    "Desk",
    "GroupState",
    "Growing",
    "NotPaired",
    "Open",
    "Pending",
    "Projection",
    "Said",
    "agent_state",
    "block_history",
    "block_state",
    "fold",
    "group_state",
    "pending",
    "replay",
]
